"""The App Home: written anew whenever somebody opens it, in their language and by their rights."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import BackstopError
from bot.domain.people import Person, PersonId, Right
from handlers import errors, ids, slack, state, welcome
from handlers.desk import Desk, call
from handlers.listeners import Kind, Listeners
from handlers.notices import card_key
from handlers.views import home as views
from handlers.views.blocks import View

EVENTS: Final = ("app_home_opened",)
MOST_OPEN: Final = 500
"""So many are read to tell how many more there are than fit."""

PATIENCE_SECONDS: Final = 0.5
"""So long everything else waits for what is owed to be added up."""
LINK_SECONDS: Final = 1.0
IN_SIGHT: Final = timedelta(hours=1)
"""So long after somebody opened it it may be before their eyes still."""
MOST_IN_SIGHT: Final = 1000

CLICKS: Final = (
    *(ids.APPROVE, ids.WITHDRAW, ids.CANCEL, ids.RETRY),
    *(ids.TICKET_APPROVE, ids.TICKET_WITHDRAW, ids.TICKET_AGAIN, ids.TICKET_ARRIVED, ids.TICKET_LOST),
    ids.TICKET_ANSWERED,
)
FORMS: Final = (
    *(ids.SUSPEND_CONFIRMATION, ids.RESUME_CONFIRMATION, ids.CANCEL_AZURE_CONFIRMATION, ids.DENY_REASON),
    ids.APPROVE_CODE,
    *(ids.TICKET_CONFIRMATION, ids.TICKET_DENY_REASON, ids.TICKET_FILED, ids.TICKET_RESOLVED),
    *(ids.TICKET_INFORMED, ids.ADOPT_FORM),
)
"""What changes what it shows, when it is clicked or sent."""

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    in_sight: dict[str, datetime] = {}
    listen.event(EVENTS[0])(partial(opened, desk, in_sight))
    listen.after(Kind.ACTION, CLICKS, partial(write_again, desk, in_sight))
    listen.after(Kind.VIEW, FORMS, partial(write_again, desk, in_sight))


async def opened(desk: Desk, in_sight: dict[str, datetime], ack: AsyncAck, body: dict[str, Any]) -> None:
    """The Home tab is written anew; whoever opens the messages tab for the first time is welcomed there."""
    await ack()
    if body["event"].get("tab") == "home":
        if len(in_sight) >= MOST_IN_SIGHT:
            in_sight.clear()
        in_sight[slack.actor(body)] = desk.backstop.now()
        desk.after_ack(_publish(desk, body))
    else:
        desk.after_ack(welcome.greet(desk, body))


def write_again(desk: Desk, in_sight: dict[str, datetime], body: dict[str, Any]) -> None:
    """Whoever just changed what their own Home shows may be looking at it."""
    opened_at = in_sight.get(slack.actor(body))
    if opened_at is not None and desk.backstop.now() - opened_at < IN_SIGHT:
        desk.after_ack(_publish(desk, body))


async def _publish(desk: Desk, body: dict[str, Any]) -> None:
    """Whatever goes wrong, whoever looks sees that it did, and why."""
    id = PersonId(slack.actor(body))
    person = Person(id, locale=await desk.people.language_of(id))
    try:
        person = await desk.people.who_looks(body)
        person.must_belong()
        if person.rights:
            await _show(desk, person)
            return
        view = await _newcomer(desk, person)
    except Exception as error:
        words = await errors.words_for(desk, error, person=person, attempted=EVENTS[0])
        view = views.refused(words, desk.texts_for(person))
    await call(desk.client.views_publish, user_id=id, view=view)


async def _newcomer(desk: Desk, person: Person) -> View:
    operators, approvers = await asyncio.gather(_holders(desk, Right.OPERATE), _holders(desk, Right.APPROVE))
    return views.newcomer(desk.texts_for(person), operators=operators, approvers=approvers)


async def _show(desk: Desk, person: Person) -> None:
    """All of it; where the books are large and not added up yet, the rest at once and their figures behind it."""
    adding_up = asyncio.ensure_future(desk.backstop.digests.totals())
    try:
        told = await _told(desk, person)
        await asyncio.wait({adding_up}, timeout=PATIENCE_SECONDS)
        if not adding_up.done():
            await _write(desk, person, told)
        await _write(desk, person, replace(told, exposure=await adding_up))
    finally:
        adding_up.cancel()


async def _write(desk: Desk, person: Person, told: views.Home) -> None:
    await call(desk.client.views_publish, user_id=person.id, view=views.home(told, desk.texts_for(person)))


async def _told(desk: Desk, person: Person) -> views.Home:
    """Everything but what is owed."""
    texts, backstop, channels = desk.texts_for(person), desk.backstop, desk.channels
    requests, tickets, how = await asyncio.gather(
        backstop.requests.open(limit=MOST_OPEN),
        state.open_tickets(desk, limit=MOST_OPEN),
        state.state_of(desk, texts),
    )
    waiting, pending = views.awaits(person, requests, tickets)
    cards: dict[str, str] = {r.id: card_key(r.id) for r in waiting[: views.MOST_TO_DECIDE]}
    cards |= {each.ticket.id: f"ticket-approval:{each.ticket.id}" for each in pending}
    return views.Home(
        viewer=person,
        at=backstop.now(),
        requests=requests,
        tickets=tickets,
        state=how,
        approvals=channels.approvals,
        tickets_channel=channels.tickets,
        links=await _links(desk, list(cards.items())[: views.MOST_TO_DECIDE]),
    )


async def _holders(desk: Desk, right: Right) -> Collection[str]:
    """Whom a newcomer may ask; not knowing them is no reason to show nothing."""
    try:
        return await desk.people.holders(right)
    except BackstopError as error:
        log.info("holders of %s: %s", right, error.code)
        return ()


async def _links(desk: Desk, cards: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The ways to cards, by what they are about; without one the line still names its channel."""

    async def link(id: str, key: str) -> tuple[str, str]:
        post = await desk.backstop.posts.find(key)
        if post is None or not post.ts:
            return id, ""
        try:
            async with asyncio.timeout(LINK_SECONDS):
                answer = await call(desk.client.chat_getPermalink, channel=post.channel, message_ts=post.ts)
        except (BackstopError, TimeoutError) as error:
            log.info("no way to the card of %s: %s", id, type(error).__name__)
            return id, ""
        return id, str(answer["permalink"])

    found = await asyncio.gather(*(link(id, key) for id, key in cards))
    return {id: way for id, way in found if way}
