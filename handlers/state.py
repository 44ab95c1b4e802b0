"""How Backstop is doing, and which tickets are open: read once for `/csp` and for the App Home alike."""

from __future__ import annotations

from bot.domain.observation import Source
from bot.texts import Texts
from handlers.desk import Desk
from handlers.views import replies
from handlers.views.freshness import Read
from handlers.views.ticket_lines import OpenTicket


async def state_of(desk: Desk, texts: Texts) -> replies.State:
    backstop = desk.backstop
    mirror = await backstop.customers.state()
    books = await backstop.receivables.last_import()
    digest = await backstop.posts.latest("digest:overdue:")
    return replies.State(
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
        sources=await _sources(desk),
        broken=await backstop.glass.unreviewed(),
    )


async def open_tickets(desk: Desk, *, limit: int) -> list[OpenTicket]:
    """Oldest first."""
    tickets = desk.backstop.tickets
    return [OpenTicket(t, tickets.response_due(t)) for t in await tickets.open(limit=limit)]


async def _sources(desk: Desk) -> tuple[Read, ...]:
    """The books, then where suspicion comes from: that is asked of Microsoft, and of people, who are never read."""
    books = tuple(
        Read(
            f"source-{last.source}",
            trouble.at if trouble else last.applied_at,
            as_of=last.as_of,
            is_whole=trouble is None,
        )
        for last, trouble in await desk.backstop.receivables.sources()
    )
    looks = tuple(
        Read(f"risk-source-{source}", look.at, is_whole=not (look.why or look.failed))
        for source, look in (await desk.backstop.watch.looks()).items()
        if source is not Source.BOOKS
    )
    return books + looks


async def _late_since(desk: Desk) -> str | None:
    """By the partner's clocks, when the digest was due that is still missing today."""
    due, channel = desk.overdue_due(), desk.channels.overdue
    is_late = due and channel and await desk.backstop.digests.is_missing(channel, due)
    return due.strftime("%H:%M") if due and is_late else None
