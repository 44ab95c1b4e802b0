"""Workshops for the asking: `await workshop(daily_limit=1)`; each further one is another replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from bot.domain.audit import AuditTag
from bot.domain.errors import Unavailable
from bot.sandbox.partner_center import PartnerCenterSandbox
from tests.services.workshop import Clock, Workshop, open_workshop

OpenWorkshop = Callable[..., Awaitable[Workshop]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def far_side(clock: Clock) -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=clock, page_size=10)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def workshop(
    sqlite_url: str, clock: Clock, far_side: PartnerCenterSandbox
) -> AsyncIterator[OpenWorkshop]:
    """On SQLite unless a `database_url` is given; all are closed after the test."""
    opened: list[Workshop] = []
    async with AsyncExitStack() as ends:

        async def build(*, database_url: str = sqlite_url, **options: Any) -> Workshop:
            made = await open_workshop(ends, far_side, database_url=database_url, clock=clock, **options)
            opened.append(made)
            return made

        yield build
        for each in opened:
            await its_trail_tells_every_change(each)


LIVES = ("request:", "ticket:", "letter:")
BESIDE_IT = {
    AuditTag.REQUEST_GLASS_REVIEWED,
    AuditTag.REQUEST_POSTPONED,
    AuditTag.TICKET_NOTED,
    AuditTag.TICKET_CLOSED_AT_MICROSOFT,
}
"""Entries about something else than the state of their subject."""


async def its_trail_tells_every_change(w: Workshop) -> None:
    """Of each request, from what state to what state it came, without a gap; of tickets and letters each step."""
    with suppress(Unavailable):  # the test cut it off
        async with w.store.read() as tx:
            told = [e async for e in tx.audit.since() if str(e.tag).startswith(LIVES)]
            states: dict[str, object] = {}
            for entry in told:
                if entry.tag in BESIDE_IT:
                    continue
                before, after = entry.facts["before"], entry.facts["after"]
                if entry.tag == AuditTag.REQUEST_TARGET_SETTLED or not str(entry.tag).startswith("request:"):
                    continue
                assert before == states.get(entry.subject), entry
                states[entry.subject] = after
            for subject, state in states.items():
                assert (await tx.requests.get(subject, to_change=False)).status == state
