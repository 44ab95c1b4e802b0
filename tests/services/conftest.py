"""Workshops for the asking: `await workshop(daily_limit=1)`; each further one is another replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

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
    async with AsyncExitStack() as ends:

        async def build(*, database_url: str = sqlite_url, **options: Any) -> Workshop:
            return await open_workshop(ends, far_side, database_url=database_url, clock=clock, **options)

        yield build
