"""Clients whose far side is faked at the transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.domain.customer import Cloud
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import hosts_of

from .far_side import FarSide, Sleeps, noon

Connect = Callable[..., PartnerCenter]


@pytest.fixture
def far_side() -> FarSide:
    return FarSide()


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
async def connect(far_side: FarSide, sleeps: Sleeps) -> AsyncIterator[Connect]:
    """Build clients to the far side, without signing in; the jitter is at its largest."""
    clients: list[httpx.AsyncClient] = []

    def build(handler: Any = far_side, **options: Any) -> PartnerCenter:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler), follow_redirects=True)
        clients.append(http)
        given: dict[str, Any] = {
            "cloud": hosts_of(Cloud.GLOBAL),
            "now": lambda: noon,
            "sleep": sleeps,
            "jitter": lambda: 1.0,
        }
        return PartnerCenter(http=http, **(given | options))

    yield build
    for client in clients:
        await client.aclose()


@pytest.fixture
def center(connect: Connect) -> PartnerCenter:
    return connect()


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[1] / "samples" / "partner_center"
