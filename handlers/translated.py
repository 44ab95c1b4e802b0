"""*In my language*: a shared card once more for whoever clicks, as it is now, in the language of their Slack.

Who sees a card may read it in any language: the copy tells them nothing that its channel does not, so no right is asked
for. It is shown to them alone, and nothing can be done with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncRespond

from bot.domain.errors import NotFound
from bot.domain.people import Person
from bot.texts import Texts
from handlers import errors, ids, ticket_card
from handlers.desk import Desk
from handlers.listeners import Listeners
from handlers.views import blocks, digests, suspicious
from handlers.views import ticket_card as ticket_views
from handlers.views.blocks import Block
from handlers.views.request_card import headline, request_card
from handlers.views.translated import Card, copied

Drawn = tuple[str, list[Block]]
"""The line for notifications, and the card."""


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.IN_MY_LANGUAGE)(partial(clicked, desk))


async def clicked(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    person = await desk.people.who_looks(body)
    await ack()
    work = _show(desk, body, person, respond)
    desk.after_ack(errors.behind_ack(desk, body, person, work, respond, attempted=ids.IN_MY_LANGUAGE))


async def _show(desk: Desk, body: dict[str, Any], person: Person, respond: AsyncRespond) -> None:
    texts = desk.texts_for(person)
    if texts.language == desk.language:
        await errors.tell(desk, body, texts("translated-already"), respond)
        return
    kind, _, id = str(body["actions"][0].get("value") or "").partition(":")
    try:
        draw = DRAW[Card(kind)]
    except ValueError:
        raise NotFound("day", kind) from None
    said, card = await draw(desk, id, texts)
    await errors.tell(desk, body, said, respond, shown=copied(card, texts, at=desk.backstop.now()))


async def _request(desk: Desk, id: str, texts: Texts) -> Drawn:
    request = await desk.backstop.requests.get(id)
    deadlines = await desk.backstop.digests.deadlines_of(request)
    return blocks.escaped(headline(request, texts)), request_card(request, texts, deadlines=deadlines)


async def _ticket(desk: Desk, id: str, texts: Texts) -> Drawn:
    ticket = await desk.backstop.tickets.get(id)
    card = ticket_views.ticket_card(ticket, texts, ticket_card.known(desk, ticket))
    return ticket_views.line(ticket, texts), card


async def _ticket_approval(desk: Desk, id: str, texts: Texts) -> Drawn:
    """The card where approvals are given: another one once there are enough."""
    ticket, where = await desk.backstop.tickets.get(id), ticket_card.workplace(desk)
    if ticket.opened_at is None or where is None:
        return await _ticket(desk, id, texts)
    return ticket_views.line(ticket, texts), ticket_views.approved_card(ticket, texts, channel=where)


async def _overdue(desk: Desk, day: str, texts: Texts) -> Drawn:
    digest = await desk.backstop.digests.overdue(on=_day(day))
    return digests.summary(digest, texts), digests.overdue(digest, texts)


async def _suspicious(desk: Desk, day: str, texts: Texts) -> Drawn:
    digest = await desk.backstop.cases.digest(on=_day(day))
    return suspicious.summary(digest, texts), suspicious.suspicious(digest, texts)


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise NotFound("day", said) from None


DRAW: Final[Mapping[Card, Callable[[Desk, str, Texts], Awaitable[Drawn]]]] = {
    Card.REQUEST: _request,
    Card.TICKET: _ticket,
    Card.TICKET_APPROVAL: _ticket_approval,
    Card.OVERDUE: _overdue,
    Card.SUSPICIOUS: _suspicious,
}
