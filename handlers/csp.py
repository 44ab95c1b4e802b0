"""`/csp`: help, find, why, overdue, suspicious, policy, requests, status, shadow, debtors."""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

import handlers
from bot.domain.people import Person, Right
from handlers import errors
from handlers.command import Command
from handlers.desk import Desk
from handlers.views import blocks, digests, mapping, replies
from handlers.views import policy as policy_views
from handlers.views import suspicious as suspicious_views
from handlers.views import why as why_views
from handlers.views.shadow import shadow_report

SHADOW_DAYS = 30

COMMAND = Command(
    name="/csp",
    usage="help | find TEXT | why TEXT | overdue | suspicious | policy | requests | status | shadow | debtors [TEXT]",
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
        ("status", "help-status"),
        ("shadow", "help-shadow"),
        ("debtors [TEXT]", "help-debtors"),
    ),
)


def register(app: AsyncApp, desk: Desk) -> None:
    app.command(COMMAND.name)(partial(answer, desk))


async def answer(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    person = await desk.people.who_looks(body)
    word, _, rest = str(body.get("text") or "").strip().partition(" ")
    if word.lower() == "suspicious":
        await suspicious(desk, ack, body, respond, person)
        return
    match word.lower():
        case "" | "help":
            found = show_help(desk, person)
        case "find":
            found = await find(desk, person, rest.strip())
        case "why":
            found = await why(desk, person, rest.strip())
        case "policy":
            found = policy(desk, person)
        case "overdue":
            found = await overdue(desk, person)
        case "requests":
            found = await requests(desk, person)
        case "status":
            found = await status(desk, person)
        case "shadow":
            found = await shadow(desk, person)
        case "debtors":
            found = await debtors(desk, person, rest.strip())
        case _:
            found = show_help(desk, person, mistyped=word)
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
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    if not words:
        return [blocks.section(texts("find-what"))]
    customers = await desk.backstop.customers.search(words, limit=replies.MOST_FOUND + 1)
    shown = customers[: replies.MOST_FOUND]
    owned = await asyncio.gather(*(desk.backstop.customers.subscriptions(c.id) for c in shown))
    matches = [replies.Match(c, theirs) for c, theirs in zip(shown, owned, strict=True)]
    more = len(customers) > len(shown)
    return replies.found(words, matches, texts, may_operate=Right.OPERATE in person.rights, more=more)


async def why(desk: Desk, person: Person, words: str) -> list[blocks.Block]:
    texts = desk.texts_for(person)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    if not words:
        return [blocks.section(texts("why-what"))]
    return why_views.why(await desk.backstop.inquiries.why(words), words, texts)


def policy(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    backstop = desk.backstop
    return policy_views.policy(
        backstop.policies.in_force(), desk.texts_for(person), on=backstop.digests.today()
    )


async def overdue(desk: Desk, person: Person) -> list[blocks.Block]:
    """Today's digest for the person alone; its *Next* turns their pages in place."""
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    return digests.overdue(await desk.backstop.digests.overdue(), desk.texts_for(person))


async def suspicious(
    desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond, person: Person
) -> None:
    """Today's digest for the person alone. With many customers it is worked out longer than Slack waits for an ack."""
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    await ack(blocks.reply(desk.texts_for(person)("reading-suspicious")))
    work = _show_suspicious(desk, person, respond)
    desk.after_ack(errors.behind_ack(desk, body, person, work, respond, attempted=COMMAND.name))


async def _show_suspicious(desk: Desk, person: Person, respond: AsyncRespond) -> None:
    digest, texts = await desk.backstop.cases.digest(), desk.texts_for(person)
    await respond(
        response_type="ephemeral",
        replace_original=True,
        text=suspicious_views.summary(digest, texts),
        blocks=suspicious_views.suspicious(digest, texts),
    )


async def requests(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    found = await desk.backstop.requests.open()
    return replies.open_requests(found, desk.texts_for(person), channel=desk.channels.approvals)


async def status(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    backstop = desk.backstop
    texts = desk.texts_for(person)
    mirror = await backstop.customers.state()
    books = await backstop.receivables.last_import()
    digest = await backstop.posts.latest("digest:overdue:")
    state = replies.State(
        cloud=backstop.cloud.value,
        dry_run=backstop.requests.rules.dry_run,
        customers=mirror.customers,
        subscriptions=mirror.subscriptions,
        mirror_as_of=mirror.as_of,
        mirror_failed=mirror.failed,
        mirror_remaining=mirror.remaining,
        mirror_since=mirror.running_since,
        mirror_broke_off=bool(mirror.trouble),
        books_as_of=texts.day(books.as_of) if books else None,
        last_digest=digest.claimed_at if digest else None,
        digest_due=await _late_since(desk),
        counts=await backstop.requests.counts(),
        countdowns=await backstop.digests.countdowns(),
        today=backstop.digests.today(),
        policy=backstop.policies.in_force(),
        outages=await backstop.features.unavailable(),
    )
    return replies.status(state, texts)


async def shadow(desk: Desk, person: Person) -> list[blocks.Block]:
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    found = await desk.backstop.digests.shadow(days=SHADOW_DAYS)
    return shadow_report(found, desk.texts_for(person))


async def debtors(desk: Desk, person: Person, words: str) -> list[blocks.Block]:
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    mappings = desk.backstop.mappings
    unmapped = await mappings.unmapped(mapping.MOST_UNMAPPED, words=words)
    return mapping.debtors(
        unmapped.debtors,
        unmapped.total,
        await mappings.confirmed(words=words),
        desk.texts_for(person),
        may_link=Right.OPERATE in person.rights,
        narrowed=bool(words),
    )


async def _late_since(desk: Desk) -> str | None:
    """By the partner's clocks, when the digest was due that is still missing today."""
    due, channel = desk.overdue_due(), desk.channels.overdue
    is_late = due and channel and await desk.backstop.digests.is_missing(channel, due)
    return due.strftime("%H:%M") if due and is_late else None


def _first_words(found: list[blocks.Block]) -> str:
    """For the notification, and for whoever cannot see the blocks."""
    return str((found[0].get("text") or {}).get("text") or "Backstop")
