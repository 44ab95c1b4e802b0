"""The billing policy as customers may read it, sent to whoever asks for it under `/csp policy`."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import BackstopError
from bot.domain.people import Person
from bot.texts import LANGUAGES, in_language
from handlers import errors, ids
from handlers.desk import Desk, call
from handlers.listeners import Listeners
from handlers.views.published import page, published

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.PUBLISHED_POLICY)(partial(send_published, desk))


async def send_published(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    person.must_read()
    await ack()
    desk.after_ack(_send(desk, person, body))


async def _send(desk: Desk, person: Person, body: dict[str, Any]) -> None:
    """A page a language, in a direct message; when that cannot be done, say so where it was clicked."""
    backstop = desk.backstop
    holds, today = backstop.policies.in_force(), backstop.digests.today()
    since = holds.since.astimezone(backstop.zone).date() if holds.since else None
    texts = desk.texts_for(person)
    pages = []
    for language in LANGUAGES:
        said = published(
            holds.policy,
            in_language(language),
            cloud=backstop.cloud,
            zone=backstop.zone.key,
            on=today,
            since=since,
        )
        name = f"policy-{holds.policy.version}-{language}.html"
        pages.append({"filename": name, "title": said.title, "content": page(said)})
    try:
        opened = await call(desk.client.conversations_open, users=person.id)
        await call(
            desk.client.files_upload_v2,
            channel=opened["channel"]["id"],
            initial_comment=texts("policy-published", version=holds.policy.version),
            file_uploads=pages,
        )
    except BackstopError as error:
        words = await errors.words_for(desk, error, person=person, attempted=ids.PUBLISHED_POLICY)
        await errors.tell(desk, body, words)
