"""`backstop digest suspicious`, run as an operator runs it: against a cloud without any fraud API, and with faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.partner_center import PartnerCenterSandbox
from tests.program import carried_out

PATIENCE = 60.0
NO_OTHER_PLACE = {
    "china": {"usage", "audit_records", "fraud_events", "security_alerts"},
    "global": set[str](),
}


class Office:
    """A partner's Partner Center, and the program beside it."""

    def __init__(self, partner_center: PartnerCenterSandbox, cloud: str, cwd: Path) -> None:
        self.partner_center = partner_center
        self._cwd = cwd
        self._settings = {
            "DATABASE_URL": f"sqlite:///{cwd / 'backstop.db'}",
            "PARTNER_CENTER_CLOUD": cloud,
            "PARTNER_CENTER_TENANT_ID": partner_center.tenant_id,
            "PARTNER_CENTER_CLIENT_ID": partner_center.client_id,
            "PARTNER_CENTER_CLIENT_SECRET": partner_center.client_secret,
            "PARTNER_CENTER_REFRESH_TOKEN": partner_center.refresh_token,
            "PARTNER_CENTER_BASE_URL": partner_center.base_url,
            "PARTNER_CENTER_AUTHORITY_URL": partner_center.authority_url,
            "GRAPH_BASE_URL": partner_center.graph_url,
        }

    async def runs(self, *arguments: str) -> str:
        ended = await asyncio.to_thread(
            carried_out, *arguments, cwd=self._cwd, settings=self._settings, patience=PATIENCE
        )
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout

    async def digest(self, *arguments: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self.runs("digest", "suspicious", "--json", *arguments))
        return document


OpenOffice = Callable[[str], Any]


@pytest.fixture
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    cloud = request.param
    partner_center = PartnerCenterSandbox(now=lambda: datetime.now(UTC), cloud=cloud)
    await partner_center.start()
    yield Office(partner_center, cloud, tmp_path)
    await partner_center.stop()


def rules_by_customer(digest: dict[str, Any]) -> dict[str, set[str]]:
    return {case["customer"]: {signal["rule"] for signal in case["signals"]} for case in digest["cases"]}


in_china = pytest.mark.parametrize("office", ["china"], indirect=True)
in_both = pytest.mark.parametrize("office", ["china", "global"], indirect=True)


def seats_of(office: Office, customer: str) -> Any:
    """A subscription that is paid by the seat."""
    held = office.partner_center.customer(customer).subscriptions
    return next(s for s in held if s.status == "active" and s.quantity > 1 and not s.is_trial)


@in_both
async def test_the_seat_jump_and_the_order_burst_are_found_and_what_is_missing_is_said(office: Office):
    await office.runs("sync")
    before = await office.digest()
    assert {"Contoso Ltd", "Coho Winery"}.isdisjoint(rules_by_customer(before))

    held = seats_of(office, "Contoso")
    office.partner_center.set_quantity(held.id, held.quantity + 900)
    office.partner_center.place_orders("Coho", 12)
    digest = await office.digest()

    found = rules_by_customer(digest)
    assert "seat_jump" in found["Contoso Ltd"]
    assert found["Coho Winery"] & {"order_burst", "seat_jump"}
    assert "order_burst" in found["Coho Winery"]
    for case in digest["cases"]:
        assert case["score"] >= 40
        assert all(signal["fact"] and signal["points"] > 0 for signal in case["signals"])
    assert NO_OTHER_PLACE[office.partner_center.cloud] <= set(digest["unavailable"])
    assert "Coho Winery" in await office.runs("digest", "suspicious")  # in words it says the same


@in_china
async def test_three_runs_on_the_same_facts_make_one_case(office: Office):
    await office.runs("sync")
    office.partner_center.place_orders("Coho", 12)
    runs = [await office.digest() for _ in range(3)]
    ids = {case["id"] for digest in runs for case in digest["cases"] if case["customer"] == "Coho Winery"}
    assert len(ids) == 1
    exported = [json.loads(line) for line in (await office.runs("audit", "export")).splitlines()]
    opened = [entry["subject"] for entry in exported if entry["tag"] == "case:opened"]
    assert opened.count(ids.pop()) == 1


@in_china
async def test_it_still_comes_when_orders_cannot_be_read_of_anybody(office: Office):
    await office.runs("sync")
    office.partner_center.faults.add(status=500, path_contains="/orders", times=None)
    held = seats_of(office, "Contoso")
    office.partner_center.set_quantity(held.id, held.quantity + 900)
    digest = await office.digest()
    assert "seat_jump" in rules_by_customer(digest)["Contoso Ltd"]
    (missing,) = [each for each in digest["missing"] if each["source"] == "orders"]
    assert missing["failed"] > 0


@pytest.mark.parametrize("office", ["global"], indirect=True)
async def test_a_past_day_knows_what_was_known_then(office: Office):
    await office.runs("sync")
    office.partner_center.place_order(
        "Coho", "Microsoft 365 E5", 900, at=datetime.now(UTC) - timedelta(days=3)
    )
    await office.digest()
    for days, is_known in ((5, False), (1, True)):
        day = (datetime.now(UTC) - timedelta(days=days)).date()
        found = rules_by_customer(await office.digest("--date", day.isoformat()))
        assert ("Coho Winery" in found) is is_known
