"""Behind the scenes of the sandbox: the clock, who pays, the wire and the faults, as the page asks for them."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import httpx
import pytest

from bot.sandbox.clock import Clock
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.receivables import Books, sample_receivables
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.backstage_api import Impossible

Json = dict[str, Any]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTOSO = "contoso.onmicrosoft.com"


class Backstage:
    """Somebody who runs a sandbox in which nothing follows from the time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.has_started_over = False
        self.debts = {"c1": "USD 10.00", "c2": "USD 5.00"}

    async def forward(self, to: str) -> None:
        if to == "digest":
            raise Impossible("There is none.")
        self.clock.forward(self.clock() + {"hour": timedelta(hours=1), "day": timedelta(days=1)}[to])

    def start_over(self) -> None:
        self.has_started_over = True

    def owed(self) -> Json:
        return self.debts

    async def pay(self, customer_id: str) -> None:
        if customer_id == "c2":
            raise Impossible("The books are not ours.")
        del self.debts[customer_id]


class Page:
    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        self.api, self.session = slack.page_url + "page/api/", session
        self.headers = {"Origin": slack.page_url.rstrip("/")}

    async def get(self, path: str, **query: str) -> Json:
        async with self.session.get(self.api + path, params=query) as response:
            answer: Json = await response.json()
            return answer

    async def post(self, path: str, **said: Any) -> tuple[int, Json]:
        async with self.session.post(self.api + path, json=said, headers=self.headers) as response:
            return response.status, await response.json()


@pytest.fixture
def clock() -> Clock:
    return Clock(lambda: NOON)


@pytest.fixture
def backstage(clock: Clock) -> Backstage:
    return Backstage(clock)


@pytest.fixture
async def partner_center(clock: Clock) -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=clock)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def page(
    clock: Clock, backstage: Backstage, partner_center: PartnerCenterSandbox
) -> AsyncIterator[Page]:
    slack = SlackSandbox(partner_center=partner_center, backstage=backstage, now=clock)
    await slack.start()
    async with aiohttp.ClientSession() as session:
        yield Page(slack, session)
    await slack.stop()


async def test_the_clock_is_put_forward_and_every_part_goes_by_it(page: Page, clock: Clock):
    state = await page.get("state")
    assert (state["moves"], state["now"]) == (True, NOON.timestamp())
    status, answer = await page.post("clock", to="hour")
    assert (status, answer) == (200, {"ok": True, "now": (NOON + timedelta(hours=1)).timestamp()})
    assert (await page.get("state"))["now"] == answer["now"]
    assert clock() == NOON + timedelta(hours=1)


@pytest.mark.parametrize("to", ["yesterday", "", "-1", None, 3600])
async def test_no_other_moment_can_be_gone_to(to: object, page: Page, clock: Clock):
    assert await page.post("clock", to=to) == (400, {"ok": False, "error": "unknown_moment"})
    assert clock() == NOON


async def test_what_cannot_be_done_is_told_in_words(page: Page):
    told = {"ok": False, "error": "impossible", "detail": ["There is none."]}
    assert await page.post("clock", to="digest") == (409, told)


async def test_another_site_can_neither_move_the_clock_nor_pay(
    page: Page, clock: Clock, backstage: Backstage
):
    page.headers = {"Origin": "http://evil.example"}
    for path, said in (("clock", {"to": "day"}), ("partner-center", {"action": "pay", "customer_id": "c1"})):
        assert await page.post(path, **said) == (403, {"ok": False, "error": "forbidden_origin"})
    assert (clock(), "c1" in backstage.debts) == (NOON, True)


async def test_a_sandbox_nobody_runs_has_no_clock_to_move():
    slack = SlackSandbox()
    await slack.start()
    try:
        async with aiohttp.ClientSession() as session:
            page = Page(slack, session)
            assert (await page.get("state"))["moves"] is False
            for to in ("hour", "start"):
                assert await page.post("clock", to=to) == (404, {"ok": False, "error": "no_backstage"})
    finally:
        await slack.stop()


async def test_starting_over_is_asked_of_whoever_runs_it(page: Page, backstage: Backstage):
    assert await page.post("clock", to="start") == (200, {"ok": True})
    assert backstage.has_started_over


async def test_a_customer_pays_what_they_owe(page: Page):
    assert (await page.get("partner-center"))["owed"] == {"c1": "USD 10.00", "c2": "USD 5.00"}
    assert await page.post("partner-center", action="pay", customer_id="c1") == (200, {"ok": True})
    assert (await page.get("partner-center"))["owed"] == {"c2": "USD 5.00"}
    again = await page.post("partner-center", action="pay", customer_id="c1")
    assert again == (404, {"ok": False, "error": "customer_not_found"})
    status, answer = await page.post("partner-center", action="pay", customer_id="c2")
    assert (status, answer["detail"]) == (409, ["The books are not ours."])


async def test_a_burst_of_orders_is_placed(page: Page, partner_center: PartnerCenterSandbox):
    coho = partner_center.customer("Coho Winery")
    before = len(coho.subscriptions)
    assert await page.post("partner-center", action="order", customer_id=coho.id) == (200, {"ok": True})
    assert len(partner_center.customer("Coho Winery").subscriptions) == before + 12
    assert (await page.post("partner-center", action="order", customer_id="nobody"))[0] == 404


async def test_a_fault_is_there_until_it_is_switched_off(page: Page, partner_center: PartnerCenterSandbox):
    async def on() -> list[str]:
        return [each["name"] for each in (await page.get("partner-center"))["faults"] if each["on"]]

    async with httpx.AsyncClient(base_url=partner_center.base_url) as client:
        assert await on() == []
        for _ in range(2):  # switched on twice it is still switched off at once
            assert await page.post("partner-center", action="fault", name="broken", on=True) == (
                200,
                {"ok": True},
            )
        assert await on() == ["broken"]
        assert [(await client.get("/v1/customers")).status_code for _ in range(3)] == [500, 500, 500]
        await page.post("partner-center", action="fault", name="broken", on=False)
        assert await on() == []
        assert (await client.get("/v1/customers")).status_code == 401, "nobody signed in"
    unknown = await page.post("partner-center", action="fault", name="flood", on=True)
    assert unknown == (404, {"ok": False, "error": "fault_not_found"})


async def test_every_switch_can_be_met(page: Page, partner_center: PartnerCenterSandbox):
    names = [each["name"] for each in (await page.get("partner-center"))["faults"]]
    assert names == ["slow", "throttled", "broken", "lost", "changed"]
    for name in names:
        partner_center.switch_fault(name, on=True)
    assert len(partner_center.faults.take("PATCH", "/v1/customers/c/subscriptions/s")) >= 2
    assert len(partner_center.faults.waiting) == len(names), "they stay"


async def test_the_wire_has_what_was_said_to_partner_center_without_its_secrets(
    page: Page, clock: Clock, partner_center: PartnerCenterSandbox
):
    slack = SlackSandbox(now=clock)
    partner_center.on_exchange(
        lambda seen: slack.put_on_wire(
            direction="app → Partner Center",
            method=f"{seen.method} {seen.path}",
            milliseconds=seen.milliseconds,
            status=str(seen.status),
            sent={"headers": dict(seen.headers), "body": seen.body},
            received=seen.answer,
        )
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": partner_center.client_id,
        "client_secret": partner_center.client_secret,
        "resource": partner_center.base_url,
    }
    await slack.start()
    try:
        async with httpx.AsyncClient(base_url=partner_center.base_url) as client:
            path = f"/authority/{partner_center.tenant_id}/oauth2/token"
            token = (await client.post(path, data=form)).json()["access_token"]
            await client.get("/v1/customers", headers={"Authorization": f"Bearer {token}"})
        async with aiohttp.ClientSession() as session:
            text = await (await session.get(slack.page_url + "page/api/wire")).text()
            signed_in, asked = (await Page(slack, session).get("wire"))["exchanges"]
            slack.put_on_wire(
                direction="app → Partner Center",
                method="PATCH /v1/customers/1",
                milliseconds=1,
                status="200",
                sent={"name": "Fährhaus Süd"},
                received="",
            )
            async with httpx.AsyncClient(base_url=partner_center.base_url) as client:
                for _ in range(300):
                    await client.get("/v1/customers", headers={"Authorization": f"Bearer {token}"})
            page = Page(slack, session)
            latest = (await page.get("wire"))["exchanges"]
            found = [
                await page.get("wire", text=text) for text in ("patch", " fährhaus SÜD", token, "no such")
            ]
    finally:
        await slack.stop()
    assert (signed_in["method"], asked["method"]) == (f"POST {path}", "GET /v1/customers")
    assert (asked["status"], asked["direction"]) == ("200", "app → Partner Center")
    assert asked["response"]["totalCount"] > 0
    assert {exchange["method"] for exchange in latest} == {"GET /v1/customers"}, "the write is long gone by"
    assert [[exchange["method"] for exchange in answer["exchanges"]] for answer in found] == [
        ["PATCH /v1/customers/1"],
        ["PATCH /v1/customers/1"],
        [],
        [],
    ]
    assert partner_center.client_secret not in text
    assert token not in text


def test_a_clock_goes_forward_only():
    clock = Clock(lambda: NOON)
    clock.forward(NOON + timedelta(days=1))
    assert clock() == NOON + timedelta(days=1)
    with pytest.raises(ValueError, match="does not go back"):
        clock.forward(NOON)
    assert clock() == NOON + timedelta(days=1)


def test_invoices_grow_older_and_those_of_who_paid_are_gone():
    opened, later = date(2026, 11, 23), date(2026, 11, 30)
    books = Books(opened)
    assert books.export(opened) == sample_receivables(opened)
    assert books.owed()[CONTOSO] == {"USD": Decimal("37280.00")}
    first = rows(books.export(opened))
    books.pay(CONTOSO)
    left = rows(books.export(later))
    assert left == [row for row in first if row[4] != CONTOSO], (
        "the same numbers and the same days they are due"
    )
    assert len(left) < len(first)
    with pytest.raises(LookupError):
        books.pay(CONTOSO)


def rows(export: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(export)))[5:]
