"""*Evidence pack*: a redacted one goes into the thread, a complete one to the person who asked and nobody else."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Invalid, Rejected
from bot.domain.matter import Evidence
from bot.domain.people import Person
from bot.services.evidence import MadePack
from handlers import errors, ids, packing
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import evidence as views

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.EVIDENCE)(partial(ask, desk))
    listen.view(ids.EVIDENCE_FORM)(partial(make, desk))


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    await packing.offer(desk, ack, body, str(body["actions"][0].get("value") or ""))


async def make(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Make it*: right and matter are read again. Making and uploading take longer than Slack waits."""
    person = await desk.people.who_clicked(body)
    view = body["view"]
    about_id, channel, thread = (str(view.get("private_metadata") or "") + "  ").split(" ")[:3]
    await desk.backstop.evidence.offer(about_id, by=person)
    parts = _parts(view)
    redacted = chosen(view, ids.EVIDENCE_REDACTED) != views.COMPLETE
    await ack()
    where = {"user": body["user"], "channel": {"id": channel}}
    work = _hand_out(
        desk,
        where,
        person,
        about_id,
        parts,
        redacted=redacted,
        thread=(channel, thread) if redacted and channel and thread else None,
        key=f"evidence:{view['id']}",
    )
    desk.after_ack(errors.behind_ack(desk, where, person, work, attempted=ids.EVIDENCE_FORM))


async def _hand_out(
    desk: Desk,
    where: dict[str, Any],
    person: Person,
    about_id: str,
    parts: Collection[Evidence],
    *,
    redacted: bool,
    thread: tuple[str, str] | None,
    key: str,
) -> None:
    """Make it, upload it and say so; the same form sent twice makes one."""

    async def upload() -> tuple[str, str]:
        made = await desk.backstop.evidence.make(about_id, parts, redacted=redacted, by=person)
        if thread:
            try:
                await _upload(desk, person, about_id, made, redacted=redacted, thread=thread)
                return thread
            except Rejected as error:  # we are not in that channel, or the message is gone
                log.info("no evidence pack in %s: %s", thread[0], error.reason)
        opened = await call(desk.client.conversations_open, users=person.id)
        direct = str(opened["channel"]["id"])
        await _upload(desk, person, about_id, made, redacted=redacted, thread=(direct, ""))
        if where["channel"]["id"] not in ("", direct):
            said = desk.texts_for(person).mrkdwn("evidence-sent", id=about_id)
            await errors.tell(desk, where, said)
        return direct, ""

    await desk.backstop.posts.once(key, upload, channel=thread[0] if thread else person.id)


async def _upload(
    desk: Desk, person: Person, about_id: str, made: MadePack, *, redacted: bool, thread: tuple[str, str]
) -> None:
    channel, ts = thread
    texts = desk.texts if ts else desk.texts_for(person)
    words = views.comment(
        about_id, made.manifest_sha256, made.filename, texts, redacted=redacted, by=person.id
    )
    await call(
        desk.client.files_upload_v2,
        channel=channel,
        thread_ts=ts or None,
        initial_comment=words,
        file_uploads=[{"content": made.content, "filename": made.filename, "title": made.filename}],
    )


def _parts(view: dict[str, Any]) -> tuple[Evidence, ...]:
    """What was ticked. Raises Invalid where nothing was."""
    ticked = {
        str(option["value"]) for option in given(view, ids.EVIDENCE_PARTS).get("selected_options") or ()
    }
    parts = tuple(part for part in Evidence if part.value in ticked)
    if not parts:
        raise Invalid(ids.EVIDENCE_PARTS, "missing")
    return parts
