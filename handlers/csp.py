"""`/csp`: what there is to read about customers, requests and approvals, and one's own authenticator."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond

import handlers
from bot.domain.people import Person, Right
from handlers import authenticator, errors, ids, stamps, state
from handlers.command import Command
from handlers.desk import Desk
from handlers.listeners import Listeners
from handlers.views import blocks, digests, mapping, replies
from handlers.views import policy as policy_views
from handlers.views import suspicious as suspicious_views
from handlers.views import why as why_views
from handlers.views.audit import trail
from handlers.views.shadow import shadow_report

SHADOW_DAYS = 30
MOST_OPEN = 500
"""So many are read to tell how many more there are than fit."""

COMMAND = Command(
    name="/csp",
    usage="help | find TEXT | why TEXT | overdue | suspicious | policy | requests | audit ID | status | shadow"
    " | debtors [TEXT] | authenticator [ID] | stamps",
    about="help-csp",
    example="/csp find contoso",
    subcommands=(
        ("help", "help-help"),
        ("find TEXT", "help-find"),
        ("why TEXT", "help-why"),
        ("policy", "help-policy"),
        ("overdue", "help-overdue"),
        ("suspicious", "help-suspicious"),
        ("requests", "help-requests"),
        ("audit ID", "help-audit"),
        ("status", "help-status"),
        ("shadow", "help-shadow"),
        ("debtors [TEXT]", "help-debtors"),
        ("authenticator [ID]", "rights-help-authenticator"),
        ("stamps", "rights-help-stamps"),
    ),
)


Answer = tuple[str, list[blocks.Block]]
"""The words for the notification, and for whoever cannot see the blocks; and the blocks."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What takes longer than Slack waits for an ack."""

    find: Callable[[Desk, Person, str], Awaitable[Answer]]
    said: str = "reading-books"
    """The text that stands there meanwhile."""


def register(listen: Listeners, desk: Desk) -> None:
    listen.command(COMMAND.name)(partial(answer, desk))
    listen.view(ids.ENROL)(partial(authenticator.enrol, desk))


async def answer(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    person = await desk.people.who_looks(body)
    word, _, rest = str(body.get("text") or "").strip().partition(" ")
    if word.lower() == "authenticator":
        await change_authenticator(desk, ack, body, rest.strip())
        return
    if reading := _READ_BEHIND_ACK.get(word.lower()):
        await answer_when_read(desk, ack, body, respond, person, reading, rest.strip())
        return
    match word.lower():
        case "" | "help":
            found = show_help(desk, person)
        case "find":
            found = await find(desk, person, rest.strip())
        case "policy":
            found = policy(desk, person)
        case "requests":
            found = await requests(desk, person)
        case "audit":
            found = await audit(desk, person, rest.strip())
        case "status":
            found = await status(desk, person)
        case "stamps":
            found = await stamps.show(desk, person)
        case _:
            found = show_help(desk, person, mistyped=word)
    await ack(blocks.reply(_first_words(found), found))


async def answer_when_read(
    desk: Desk,
    ack: AsyncAck,
    body: dict[str, Any],
    respond: AsyncRespond,
    person: Person,
    reading: Reading,
    words: str,
) -> None:
    """Say that it is being read, and then show it: with large books it takes longer than Slack waits for an ack."""
    person.must_read()
    await ack(blocks.reply(desk.texts_for(person)(reading.said)))
    work = _show(desk, body, respond, partial(reading.find, desk, person, words))
    desk.after_ack(errors.behind_ack(desk, body, person, work, respond, attempted=COMMAND.name))


async def _show(
    desk: Desk, body: dict[str, Any], respond: AsyncRespond, find: Callable[[], Awaitable[Answer]]
) -> None:
    words, shown = await find()
    await errors.tell(desk, body, words, respond, shown=shown, replaces=True)


async def change_authenticator(desk: Desk, ack: AsyncAck, body: dict[str, Any], named: str) -> None:
    """One's own to set up, or by an admin somebody else's: the right is read anew."""
    person = await desk.people.who_clicked(body)
    if named:
        found = await authenticator.let_set_up(desk, person, named)
    else:
        found = await authenticator.set_up(desk, body, person)
    await ack(blocks.reply(_first_words(found), found))


def show_help(desk: Desk, person: Person, *, mistyped: str = "") -> list[blocks.Block]:
    """What this person may do; behind a mistyped word, the nearest one that exists."""
    texts = desk.texts_for(person)
    commands = [c for c in handlers.commands() if c.right is None or c.right in person.rights]
    hint = "" if person.rights else texts("help-no-rights")
    if not person.rights:
        commands = [replace(c, subcommands=c.subcommands[:1]) for c in commands]
    if mistyped:
        words = [usage.split()[0] for usage, _ in COMMAND.subcommands]
        near = difflib.get_close_matches(mistyped.lower(), words, n=1)
        key = "help-did-you-mean" if near else "help-unknown"
        hint = texts.mrkdwn(key, word=blocks.name(mistyped), near=near[0] if near else "")
    return replies.help_text(commands, texts, hint=hint)


async def find(desk: Desk, person: Person, words: str) -> list[blocks.Block]:
    texts = desk.texts_for(person)
    person.must_read()
    if not words:
        return [blocks.section(texts("find-what"))]
    customers = await desk.backstop.customers.search(words, limit=replies.MOST_FOUND + 1)
    shown = customers[: replies.MOST_FOUND]
    owned = await asyncio.gather(*(desk.backstop.customers.subscriptions(c.id) for c in shown))
    matches = [replies.Match(c, theirs) for c, theirs in zip(shown, owned, strict=True)]
    more = len(customers) > len(shown)
    return replies.found(words, matches, texts, may_operate=Right.OPERATE in person.rights, more=more)


async def why(desk: Desk, person: Person, words: str) -> Answer:
    texts = desk.texts_for(person)
    if not words:
        return _answer([blocks.section(texts("why-what"))])
    return _answer(why_views.why(await desk.backstop.inquiries.why(words), words, texts))


def policy(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must_read()
    backstop = desk.backstop
    return policy_views.policy(
        backstop.policies.in_force(), desk.texts_for(person), on=backstop.digests.today()
    )


async def overdue(desk: Desk, person: Person, _: str) -> Answer:
    """Today's digest for the person alone; its *Next* turns their pages in place."""
    return _answer(digests.overdue(await desk.backstop.digests.overdue(), desk.texts_for(person)))


async def suspicious(desk: Desk, person: Person, _: str) -> Answer:
    """Today's digest for the person alone."""
    digest, texts = await desk.backstop.cases.digest(), desk.texts_for(person)
    return suspicious_views.summary(digest, texts), suspicious_views.suspicious(digest, texts)


async def requests(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must_read()
    backstop, channels = desk.backstop, desk.channels
    return replies.open_requests(
        await backstop.requests.open(limit=MOST_OPEN),
        desk.texts_for(person),
        channel=channels.approvals,
        tickets=await state.open_tickets(desk, limit=MOST_OPEN),
        tickets_channel=channels.tickets,
        at=backstop.now(),
        may_operate=Right.OPERATE in person.rights,
    )


async def audit(desk: Desk, person: Person, id: str) -> list[blocks.Block]:
    person.must_read()
    texts = desk.texts_for(person)
    if not id:
        return [blocks.section(texts("audit-what"))]
    events, more = await desk.backstop.inquiries.trail(id)
    return trail(id, events, texts, more=more)


async def status(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must_read()
    texts = desk.texts_for(person)
    return replies.status(await state.state_of(desk, texts), texts)


async def shadow(desk: Desk, person: Person, _: str) -> Answer:
    found = await desk.backstop.digests.shadow(days=SHADOW_DAYS)
    return _answer(shadow_report(found, desk.texts_for(person)))


async def debtors(desk: Desk, person: Person, words: str) -> Answer:
    mappings = desk.backstop.mappings
    unmapped = await mappings.unmapped(mapping.MOST_UNMAPPED, words=words)
    return _answer(
        mapping.debtors(
            unmapped.debtors,
            unmapped.total,
            await mappings.confirmed(words=words),
            desk.texts_for(person),
            may_link=Right.OPERATE in person.rights,
            narrowed=bool(words),
        )
    )


_READ_BEHIND_ACK: Mapping[str, Reading] = {
    "why": Reading(why),
    "overdue": Reading(overdue),
    "suspicious": Reading(suspicious, "reading-suspicious"),
    "shadow": Reading(shadow),
    "debtors": Reading(debtors),
}


def _answer(found: list[blocks.Block]) -> Answer:
    return _first_words(found), found


def _first_words(found: list[blocks.Block]) -> str:
    """For the notification, and for whoever cannot see the blocks."""
    return str((found[0].get("text") or {}).get("text") or "Backstop")
