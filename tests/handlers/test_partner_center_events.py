"""What Partner Center sends to PORT: signed events have a customer looked at, everything else is turned away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.partner_center import Customer, PartnerCenterSandbox
from bot.sandbox.partner_center.records import Subscription
from tests.conftest import SetStage
from tests.stage import Stage, free_port

JUST_BEFORE = datetime(2026, 11, 23, 12, 1, 59, 700_000, tzinfo=UTC)
"""The window in which events ask for one reading ends a moment later."""
PATIENCE = 20


class OnPort(PartnerCenterSandbox):
    """Its port is known before it starts, so that the settings can name it."""

    chosen = 0

    async def start(self, port: int = 0) -> None:
        await super().start(port or self.chosen)


@dataclass
class Office:
    stage: Stage

    @property
    def far_side(self) -> PartnerCenterSandbox:
        return self.stage.partner_center

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stage.app.port}/partner-center/events"

    @property
    def contoso(self) -> Customer:
        return self.far_side.customer("Contoso")

    @property
    def seats(self) -> Subscription:
        return self.contoso.subscription("Microsoft 365 E3")

    async def posts(self, body: bytes, **headers: str) -> tuple[int, str]:
        """Status and text of the answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def mirrored(self) -> int | None:
        """How many seats we believe there are."""
        async with self.stage.app.core.store.read() as tx:
            known = await tx.mirror.subscription(self.seats.id)
        return known.quantity if known else None

    async def comes_to(self, seats: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.mirrored() != seats:
                await asyncio.sleep(0)

    def readings(self) -> int:
        path = f"/v1/customers/{self.contoso.id}/subscriptions"
        return sum(seen.path == path for seen in self.far_side.requests)


@pytest.fixture
async def office(set_stage: SetStage, tmp_path: Path) -> Office:
    far_side = OnPort(now=lambda: JUST_BEFORE)
    far_side.chosen = free_port()
    root = tmp_path / "root.pem"
    root.write_bytes(far_side.webhooks.root_pem)
    stage = await set_stage(
        transport="http",
        now=lambda: JUST_BEFORE,
        partner_center=far_side,
        partner_center_webhook_certificate_hosts=f"127.0.0.1:{far_side.chosen}",
        partner_center_webhook_ca_file=root,
    )
    return Office(stage)


@pytest.mark.parametrize("in_its_own", [False, True], ids=["authorization", "x-ms-signature"])
async def test_a_signed_event_has_the_customer_read_again(office: Office, in_its_own: bool):
    office.far_side.set_quantity(office.seats.id, 400)
    webhooks = office.far_side.webhooks
    body = webhooks.body(
        "subscription-updated", customer_id=office.contoso.id, subscription_id=office.seats.id
    )
    headers = await asyncio.to_thread(webhooks.headers, body, in_its_own=in_its_own)
    assert await office.posts(body, **headers) == (200, "")
    await office.comes_to(400)


async def test_a_fraud_event_finds_its_customer_by_the_subscription(office: Office):
    office.far_side.set_quantity(office.seats.id, 401)
    sent = await office.far_side.webhooks.send(
        office.url, "azure-fraud-event-detected", subscription_id=office.seats.id
    )
    assert sent == 200
    await office.comes_to(401)


async def test_many_events_and_their_replays_ask_for_one_reading(office: Office):
    before = office.readings()
    office.far_side.set_quantity(office.seats.id, 402)
    send = office.far_side.webhooks.send
    about: dict[str, Any] = {"customer_id": office.contoso.id, "subscription_id": office.seats.id}
    stamps = [JUST_BEFORE - timedelta(seconds=n) for n in (0, 0, 1, 2, 2)]
    told = [await send(office.url, "subscription-updated", at=at, **about) for at in stamps]
    assert told == [200] * 5
    await office.comes_to(402)
    assert office.readings() == before + 1


async def test_a_test_event_is_answered_and_asks_for_nothing(office: Office):
    assert (
        await office.far_side.webhooks.send(office.url, "test-created", uri="http://localhost:1/v1/test")
        == 200
    )
    async with office.stage.app.core.store.read() as tx:
        assert await tx.marks.beginning("pc-event:") == {}


async def test_what_is_not_signed_is_turned_away(office: Office):
    body = office.far_side.webhooks.body("subscription-updated", customer_id=office.contoso.id)
    signed = await asyncio.to_thread(office.far_side.webhooks.headers, body)
    assert await office.posts(body) == (401, "")
    assert await office.posts(body + b" ", **signed) == (401, "")
    elsewhere = {**signed, "X-MS-Certificate-Url": "https://evil.example/a.cer"}
    assert await office.posts(body, **elsewhere) == (401, "")


async def test_what_is_signed_but_of_no_use_is_turned_away(office: Office):
    send = office.far_side.webhooks.send
    about: dict[str, Any] = {"customer_id": office.contoso.id}
    old = await send(office.url, "subscription-updated", at=JUST_BEFORE - timedelta(days=8), **about)
    foreign = await send(office.url, "subscription-updated", uri="https://evil.example/v1/customers/x")
    assert (old, foreign) == (400, 400)


async def test_what_is_too_large_is_turned_away(office: Office):
    assert await office.posts(b"x" * (64 * 1024 + 1)) == (400, "")


async def test_without_the_certificate_it_is_asked_to_be_sent_again(office: Office):
    body = office.far_side.webhooks.body("subscription-updated", customer_id=office.contoso.id)
    signed = await asyncio.to_thread(office.far_side.webhooks.headers, body)
    nowhere = {**signed, "X-MS-Certificate-Url": f"{office.far_side.base_url}/webhooks/none.cer"}
    assert await office.posts(body, **nowhere) == (503, "")


async def test_the_sandbox_sends_to_this_machine_only(office: Office):
    with pytest.raises(ValueError, match="this machine"):
        await office.far_side.webhooks.send("https://example.com/", "test-created")
