"""The sandbox tells of risk in the shapes Microsoft published, and refuses what Microsoft refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox.partner_center import PartnerCenterSandbox

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples" / "partner_center"
NEW = {"X-NewEventsModel": "true"}


class Caller:
    """A client as small as can be."""

    def __init__(self, pc: PartnerCenterSandbox, http: httpx.AsyncClient) -> None:
        self.pc = pc
        self.http = http

    async def token(self, resource: str, *, as_user: bool = False) -> str:
        form = {"client_id": self.pc.client_id, "client_secret": self.pc.client_secret, "resource": resource}
        form |= {"grant_type": "client_credentials"}
        if as_user:
            form |= {"grant_type": "refresh_token", "refresh_token": self.pc.refresh_token}
        url = f"{self.pc.authority_url}/{self.pc.tenant_id}/oauth2/token"
        return str((await self.http.post(url, data=form)).json()["access_token"])

    async def send(self, method: str, path: str, *, as_user: bool = True, **more: Any) -> httpx.Response:
        """To Partner Center."""
        token = await self.token(self.pc.base_url, as_user=as_user)
        return await self._send(method, f"{self.pc.base_url}/v1{path}", token, **more)

    async def graph(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        url = f"{self.pc.graph_url}/beta/security/partner/securityAlerts{path}"
        return await self._send(method, url, await self.token(self.pc.graph_url), **more)

    async def _send(self, method: str, url: str, token: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        return await self.http.request(method, url, headers=headers, **more)


def read(response: httpx.Response) -> Any:
    return json.loads(response.content.decode("utf-8-sig"))


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8-sig"))


@pytest.fixture
async def pc() -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=lambda: NOON, page_size=3)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def caller(pc: PartnerCenterSandbox) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient() as http:
        yield Caller(pc, http)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        pytest.param({}, "fraudEvents.list.base", id="first model"),
        pytest.param(NEW, "fraudEvents.list.newModel", id="newer model"),
    ],
)
async def test_a_fraud_event_has_the_published_shape(caller, pc, headers, name):
    pc.fraud_event("Woodgrove", resources=("vm-1",), is_test=True)
    (drawn,), (published,) = read(await caller.send("GET", "/fraudEvents", headers=headers)), sample(name)
    not_drawn = {"valueAddedResellerTenantId", "valueAddedResellerFriendlyName"}
    assert drawn.keys() == published.keys() - not_drawn
    assert {key: type(value) for key, value in drawn.items()} == {
        key: type(value) for key, value in published.items() if key not in not_drawn
    }


async def test_an_alert_has_the_published_shape(caller, pc):
    pc.security_alert("Woodgrove", resources=("vm-1",), status="resolved", reason="fraud", resolved_at=NOON)
    (drawn,) = (await caller.graph("GET")).json()["value"]
    (published,) = sample("graph.securityAlerts.list")["value"]
    assert drawn.keys() == published.keys() - {"valueAddedResellerTenantId"}


async def test_a_usage_record_has_what_the_published_one_has(caller, pc):
    pc.spend("Woodgrove", 150, budget=100)
    bank = pc.customer("Woodgrove").id
    listed = read(await caller.send("GET", "/customers/usagerecords"))
    drawn = next(item for item in listed["items"] if item["resourceId"] == bank)
    published = sample("usageSummary.customer.azurePlan")
    assert drawn.keys() >= published.keys() - {"billingStartDate", "billingEndDate"}
    assert (drawn["percentUsed"], drawn["budget"]["amount"]) == (150.0, 100.0)
    without = next(item for item in listed["items"] if item["resourceId"] != bank)
    assert ("amount" in without["budget"], without["percentUsed"]) == (False, 0.0)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        pytest.param({}, 5, id="all"),
        pytest.param({"PageSize": "2", "PageNumber": "3"}, 1, id="the last page"),
        pytest.param({"PageSize": "2", "PageNumber": "4"}, 0, id="after the last"),
        pytest.param({"EventStatus": "resolved"}, 1, id="a status"),
        pytest.param({"EventType": "usageanomalydetection"}, 2, id="a type"),
        pytest.param({"SubscriptionId": "S-9"}, 1, id="a subscription"),
    ],
)
async def test_fraud_events_are_found(caller, pc, query, count):
    pc.fraud_event("Woodgrove", subscription_id="s-9")
    pc.fraud_event("Woodgrove", status="Resolved", reason="Fraud")
    pc.fraud_event("Woodgrove", "UsageAnomalyDetection")
    pc.fraud_event("Fabrikam", "UsageAnomalyDetection")
    pc.fraud_event("Fabrikam", "SomethingNew")
    assert len(read(await caller.send("GET", "/fraudEvents", params=query, headers=NEW))) == count


@pytest.mark.parametrize(
    "query", [{"PageSize": "0"}, {"PageNumber": "0"}, {"PageSize": "-1"}, {"PageSize": "x"}]
)
async def test_a_page_of_nothing_is_refused(caller, query):
    assert (await caller.send("GET", "/fraudEvents", params=query, headers=NEW)).status_code == 400


async def test_an_update_without_ids_marks_every_event_of_the_subscription(caller, pc):
    """As at Microsoft; whoever sends it had better not."""
    for subscription in ("s-1", "s-1", "s-2"):
        pc.fraud_event("Woodgrove", subscription_id=subscription)
    body = {"EventIds": [], "EventStatus": "Resolved", "ResolvedReason": "Fraud"}
    assert (await caller.send("POST", "/fraudEvents/subscription/S-1/status", json=body)).status_code == 200
    assert [event.status for event in pc.suspicions.events] == ["Resolved", "Resolved", "Active"]


async def test_an_update_with_ids_marks_those_and_no_more(caller, pc):
    events = [pc.fraud_event("Woodgrove", subscription_id="s-1") for _ in range(3)]
    other = pc.fraud_event("Woodgrove", subscription_id="s-2")
    body = {"EventIds": [events[1].id, other.id], "EventStatus": "investigating"}
    await caller.send("POST", "/fraudEvents/subscription/s-1/status", json=body)
    assert [event.status for event in pc.suspicions.events] == [
        "Active",
        "Investigating",
        "Active",
        "Active",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"EventIds": ["x"], "EventStatus": "Closed"},
        {"EventIds": ["x"], "EventStatus": "Resolved"},
        {"EventIds": ["x"], "EventStatus": "Resolved", "ResolvedReason": "Legitimate"},
        {"EventIds": "x", "EventStatus": "Resolved", "ResolvedReason": "Fraud"},
        ["x"],
    ],
)
async def test_an_update_that_makes_no_sense_is_refused(caller, body):
    assert (await caller.send("POST", "/fraudEvents/subscription/s-1/status", json=body)).status_code == 400


@pytest.mark.parametrize("path", ["/fraudEvents", "/customers/usagerecords"])
async def test_an_app_alone_is_refused(caller, path):
    response = await caller.send("GET", path, as_user=False)
    assert (response.status_code, read(response)["code"]) == (403, 900329)


async def test_alerts_come_page_by_page(caller, pc):
    made = [pc.security_alert("Woodgrove") for _ in range(7)]
    seen, page = list[str](), (await caller.graph("GET")).json()
    while True:
        seen += [alert["id"] for alert in page["value"]]
        link = page.get("@odata.nextLink")
        if link is None:
            break
        assert link.startswith(pc.graph_url + "/beta/")
        token = await caller.token(pc.graph_url)
        page = (await caller.http.get(link, headers={"Authorization": f"Bearer {token}"})).json()
    assert seen == [alert.id for alert in made]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "resolved"},
        {"status": "active", "resolvedReason": "fraud"},
        {"status": "closed", "resolvedReason": "fraud"},
        {"status": "resolved", "resolvedReason": "planned"},
    ],
)
async def test_an_alert_is_not_marked_with_what_makes_no_sense(caller, pc, body):
    alert = pc.security_alert("Woodgrove")
    response = await caller.graph("PATCH", f"/{alert.id}", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "BadRequest")
    assert pc.suspicions.alerts == [alert]


async def test_graph_takes_no_token_of_partner_center(caller, pc):
    token = await caller.token(pc.base_url)
    url = f"{pc.graph_url}/beta/security/partner/securityAlerts"
    response = await caller.http.get(url, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize("cloud", ["china", "usgov"])
async def test_other_clouds_do_not_have_what_only_the_global_one_has(cloud):
    pc = PartnerCenterSandbox(now=lambda: NOON, cloud=cloud)
    await pc.start()
    async with httpx.AsyncClient() as http:
        caller = Caller(pc, http)
        update = {"EventIds": ["x"], "EventStatus": "Investigating"}
        answers = [
            await caller.send("GET", "/fraudEvents", headers=NEW),
            await caller.send("POST", "/fraudEvents/subscription/s/status", json=update),
            await caller.graph("GET"),
            await caller.graph("PATCH", "/x", json={"status": "investigating"}),
        ]
        usage = await caller.send("GET", "/customers/usagerecords")
        log = await caller.send("GET", "/auditrecords")
    await pc.stop()
    assert [answer.status_code for answer in answers] == [404] * 4
    assert [usage.status_code, log.status_code] == ([404, 404] if cloud == "china" else [200, 200])


async def test_an_order_of_another_day_is_told_with_its_day(caller, pc):
    at = NOON - timedelta(days=3, hours=2)
    bought = pc.place_order("Contoso", "Visio Plan 2 Trial", 25, at=at, trial=True)
    contoso = pc.customer("Contoso")
    order = read(await caller.send("GET", f"/customers/{contoso.id}/orders"))["items"][-1]
    assert order["creationDate"].startswith("2026-11-20T10:00")
    assert (order["id"], order["totalPrice"], order["currencyCode"]) == (bought.order_id, 0.0, "USD")
    (line,) = order["lineItems"]
    assert (line["quantity"], "Trial" in line["friendlyName"]) == (25, True)
    log = read(await caller.send("GET", "/auditrecords"))["items"][-1]
    assert (log["operationType"], log["operationDate"][:10]) == ("create_order", "2026-11-20")


async def test_a_change_of_quantity_is_told_everywhere(caller, pc):
    seat = pc.customer("Contoso").subscriptions[0]
    pc.set_quantity(seat.id, 400)
    contoso = pc.customer("Contoso").id
    assert read(await caller.send("GET", f"/customers/{contoso}/subscriptions/{seat.id}"))["quantity"] == 400
    log = read(await caller.send("GET", "/auditrecords"))["items"][-1]
    assert {"key": "Quantity", "value": "400"} in log["customizedData"]


async def test_a_deed_of_the_partner_is_of_no_customer(caller, pc):
    pc.log_deed("add_application_credential", "Reporting", resource_type="application", has_id=False)
    log = read(await caller.send("GET", "/auditrecords"))["items"][-1]
    assert log.keys().isdisjoint({"id", "customerId", "customerName"})
    wanted = json.dumps({"Field": "CustomerId", "Value": pc.customer("Contoso").id, "Operator": "equals"})
    filtered = read(await caller.send("GET", "/auditrecords", params={"filter": wanted}))
    assert filtered["items"] == []


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("subscription-updated", "webhook.subscription-updated"),
        ("usagerecords-thresholdExceeded", "webhook.usagerecords-thresholdExceeded"),
    ],
)
async def test_an_event_has_the_published_shape(pc, name, published):
    body = json.loads(pc.webhooks.body(name, customer_id="c" if name.startswith("sub") else None))
    assert body.keys() == sample(published).keys()
    assert len(body["ResourceChangeUtcDate"]) == len(sample(published)["ResourceChangeUtcDate"])
