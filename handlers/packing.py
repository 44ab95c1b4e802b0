"""Offers an evidence pack: the form, wherever its button stands."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers import errors, ids, slack
from handlers.desk import Desk, open_modal
from handlers.views import evidence as views


async def offer(desk: Desk, ack: AsyncAck, body: dict[str, Any], about_id: str) -> None:
    """Ask what goes into the pack of a ticket or a case; nothing is made yet."""
    person = await desk.people.who_clicked(body)
    found = await desk.backstop.evidence.offer(about_id, by=person)
    await ack()
    channel, thread = _place(body)
    form = views.evidence_form(
        found.about,
        found.parts,
        desk.texts_for(person),
        has_thread=bool(thread),
        kept=f"{found.about} {channel} {thread}",
    )
    opened = open_modal(desk, body["trigger_id"], form)
    desk.after_ack(errors.behind_ack(desk, body, person, opened, attempted=ids.EVIDENCE))


def _place(body: dict[str, Any]) -> tuple[str, str]:
    """The channel, and the thread the button stands in; none where only the person sees the message."""
    message = body.get("message") or {}
    if (body.get("container") or {}).get("is_ephemeral"):
        return slack.place(body), ""
    return slack.place(body), str(message.get("thread_ts") or message.get("ts") or "")
