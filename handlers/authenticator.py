"""`/csp authenticator`: an admin lets somebody set one up, and they do; and the code that an approval asks for."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Invalid
from bot.domain.people import Person, PersonId
from bot.texts import for_locale
from handlers import errors, ids
from handlers.desk import Desk
from handlers.notices import message
from handlers.views import authenticator as views
from handlers.views import blocks

_NAMED: Final = re.compile(r"<@([UW][A-Z0-9]{2,})(?:\|[^>]*)?>|([UW][A-Z0-9]{2,})")


async def set_up(desk: Desk, body: dict[str, Any], person: Person) -> list[blocks.Block]:
    """A new secret for the person, in a form that shows it once."""
    shown = await desk.backstop.authenticators.begin(by=person)
    texts = desk.texts_for(person)
    form = views.enrol_form(shown.text, shown.uri, texts)
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.ENROL))
    return [blocks.section(texts("rights-enrol-opens"))]


async def let_set_up(desk: Desk, person: Person, named: str) -> list[blocks.Block]:
    """An admin's word for somebody else, named by id: handles are no identities."""
    texts, found = desk.texts_for(person), _NAMED.fullmatch(named)
    if found is None:
        raise Invalid("person", "no-person")
    whom = PersonId(found[1] or found[2])
    await desk.backstop.authenticators.open(whom, by=person)
    return [blocks.section(texts.mrkdwn("rights-opened", who=blocks.person(whom)))]


async def enrol(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    await desk.backstop.authenticators.enrol(given_code(body), by=person)
    await ack(response_action="update", view=views.enrolled(desk.texts_for(person)))


def given_code(body: dict[str, Any]) -> str:
    value = body["view"]["state"]["values"][ids.CODE][ids.CODE].get("value")
    code = str(value or "").strip()
    if not code:
        raise Invalid(ids.CODE, "missing")
    return code


async def tell(desk: Desk, person: str, what: str, by: str, at: str) -> None:
    """Say to whose it is that it was opened, or set up: whoever it was not has to know."""
    texts = for_locale(await desk.people.language_of(person), default=desk.language)
    said = texts.mrkdwn(f"rights-told-{what}", by=blocks.person(by))
    send = partial(message, desk, person, texts("rights-told-title"), [blocks.section(said)])
    await desk.backstop.posts.once(f"authenticator:{person}:{what}:{at}", send, channel=person)
