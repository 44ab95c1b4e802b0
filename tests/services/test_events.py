"""Each event of Partner Center counts once, whoever of the replicas hears it; what fails is told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.domain.customer import Cloud
from bot.domain.errors import Unavailable
from bot.partner_center.certificates import Certificates
from bot.partner_center.cloud import hosts_of
from bot.partner_center.webhook import PartnerCenterEvent, Webhook
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.services.events import Events, Heard
from bot.store import Store, Tx
from tests.builders import DAY, HOUR
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock

Listen = Callable[[Store], Events]


@pytest.fixture
def told() -> list[PartnerCenterEvent]:
    return []


@pytest.fixture
async def listen(
    far_side: PartnerCenterSandbox, clock: Clock, told: list[PartnerCenterEvent], tmp_path: Path
) -> AsyncIterator[Listen]:
    root = tmp_path / "root.pem"
    root.write_bytes(await asyncio.to_thread(lambda: far_side.webhooks.root_pem))
    async with AsyncExitStack() as ends:

        async def on_event(_tx: Tx, event: PartnerCenterEvent) -> None:
            told.append(event)

        def build(store: Store, on_event: Any = on_event) -> Events:
            http = httpx.AsyncClient(trust_env=False)
            ends.push_async_callback(http.aclose)
            certificates = Certificates(http=http, now=clock, hosts=[far_side.webhooks.host], more_roots=root)
            cloud = hosts_of(Cloud.GLOBAL, base_url=far_side.base_url)
            webhook = Webhook(cloud=cloud, certificates=certificates, now=clock)
            return Events(store, webhook, on_event=on_event, now=clock)

        yield build


def post(
    far_side: PartnerCenterSandbox, name: str = "subscription-updated", **about: Any
) -> tuple[Any, bytes]:
    body = far_side.webhooks.body(name, **about)
    return httpx.Headers(far_side.webhooks.headers(body)), body


async def test_an_event_counts_once(workshop: OpenWorkshop, listen: Listen, far_side, told, clock):
    events = listen((await workshop()).store)
    headers, body = post(far_side, customer_id=far_side.customer("Contoso").id)
    assert [await events.hear(headers, body) for _ in range(3)] == [Heard.TAKEN] * 3
    assert len(told) == 1
    far_side.webhooks.renew()
    clock.passes(HOUR)  # the same event, signed with another key
    assert await events.hear(httpx.Headers(far_side.webhooks.headers(body)), body) is Heard.TAKEN
    assert len(told) == 1


async def test_an_event_never_counts_again(workshop: OpenWorkshop, listen: Listen, far_side, told, clock):
    """As long as it is accepted it is remembered."""
    events = listen((await workshop()).store)
    headers, body = post(far_side, customer_id=far_side.customer("Contoso").id)
    heard = []
    for _ in range(10):
        heard.append(await events.hear(headers, body))
        clock.passes(DAY)
    assert heard == [Heard.TAKEN] * 8 + [Heard.UNUSABLE] * 2
    assert len(told) == 1


async def test_what_is_remembered_is_forgotten_in_time(
    workshop: OpenWorkshop, listen: Listen, far_side, clock
):
    w = await workshop()
    events = listen(w.store)
    await events.hear(*post(far_side))
    clock.passes(timedelta(days=9))
    await events.hear(*post(far_side))
    async with w.store.read() as tx:
        assert len(await tx.marks.beginning("pc-event:")) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_of_replicas_that_hear_it_at_once_one_counts(
    request, workshop: OpenWorkshop, listen: Listen, far_side, told, kind
):
    url = request.getfixturevalue(f"{kind}_url")
    replicas = [listen((await workshop(database_url=url)).store) for _ in range(3)]
    headers, body = post(far_side)
    assert await asyncio.gather(*(each.hear(headers, body) for each in replicas)) == [Heard.TAKEN] * 3
    assert len(told) == 1


async def test_what_could_not_be_passed_on_may_come_again(
    workshop: OpenWorkshop, listen: Any, far_side, told
):
    store = (await workshop()).store

    async def fails(_tx: Tx, _event: PartnerCenterEvent) -> None:
        raise Unavailable("database", "away")

    headers, body = post(far_side)
    assert await listen(store, fails).hear(headers, body) is Heard.LATER
    assert await listen(store).hear(headers, body) is Heard.TAKEN
    assert len(told) == 1


async def test_a_test_and_what_is_not_signed_are_not_passed_on(
    workshop: OpenWorkshop, listen: Listen, far_side, told
):
    events = listen((await workshop()).store)
    assert await events.hear(*post(far_side, "test-created")) is Heard.TAKEN
    headers, body = post(far_side)
    assert await events.hear(headers, body + b" ") is Heard.UNSIGNED
    assert await events.hear(*post(far_side, uri="https://evil.example/")) is Heard.UNUSABLE
    assert told == []
