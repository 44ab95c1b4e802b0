"""Reading what Microsoft tells of risk: pages, refusals, and a list that ends half-way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import (
    AccessDenied,
    BackstopError,
    FeatureMissing,
    Rejected,
    SignInFailed,
    Unavailable,
)
from bot.domain.vendor import AlertUpdate, FraudUpdate, Outcome
from bot.partner_center.cloud import hosts_of
from bot.partner_center.graph import Graph

from .far_side import FarSide, noon, refusal, reply

T = TypeVar("T")
CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")
ORDERS, LOG = f"/v1/customers/{CONTOSO}/orders", "/v1/auditrecords"
USAGE, FRAUD = "/v1/customers/usagerecords", "/v1/fraudEvents"
ALERTS = "/beta/security/partner/securityAlerts"
TODAY = noon.date()
AZURE = SubscriptionId("S-1")


async def gathered(items: AsyncIterator[T]) -> tuple[list[T], BackstopError | None]:
    """What was read, and what stopped it."""
    read: list[T] = []
    try:
        async for item in items:
            read.append(item)
    except BackstopError as error:
        return read, error
    return read, None


def listed(*items: object, next: str | None = None) -> Any:
    links = {"next": {"uri": next}} if next else {}
    return reply(body={"totalCount": 7, "items": list(items), "links": links})


def an_order(id: str, **fields: object) -> dict[str, object]:
    return {"id": id, "creationDate": "2025-03-09T10:00:00Z", "lineItems": []} | fields


def a_record(id: str | None, days_ago: int, **fields: object) -> dict[str, object]:
    at = (noon - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    return {"operationDate": at, "operationType": "create_order", **({"id": id} if id else {}), **fields}


def an_event(number: int) -> dict[str, object]:
    return {"eventId": f"e-{number}", "customerTenantId": CONTOSO, "subscriptionId": "S-1"}


async def test_orders_are_read_over_all_pages(center, far_side):
    first = listed(an_order("O-1"), an_order("O-2", transactionType="SystemBilling"), next=f"{ORDERS}?page=2")
    far_side.on("GET", ORDERS, first, listed(an_order("O-3"), None))
    read, error = await gathered(center.orders(CONTOSO))
    assert ([order.order_id for order in read], error) == (["O-1", "O-3"], None)


async def test_orders_that_end_half_way_lose_nothing_that_was_read(center, far_side):
    far_side.on("GET", ORDERS, listed(an_order("O-1"), next=f"{ORDERS}?page=2"), refusal(403, 20002))
    read, error = await gathered(center.orders(CONTOSO))
    assert [order.order_id for order in read] == ["O-1"]
    assert isinstance(error, AccessDenied)


async def test_a_page_of_another_host_is_not_asked_for(center, far_side):
    far_side.on("GET", ORDERS, listed(an_order("O-1"), next="https://evil.example/v1/orders"))
    read, error = await gathered(center.orders(CONTOSO))
    assert len(read) == 1
    assert isinstance(error, Rejected)
    assert len(far_side.requests) == 1


async def test_the_log_of_everybody_is_read_each_record_once(center, far_side):
    far_side.on(
        "GET",
        LOG,
        listed(a_record("R-1", 60), a_record(None, 40)),
        listed(a_record("R-1", 60), a_record(None, 40), a_record("R-2", 20, operationStatus="failed")),
        listed(a_record("R-2", 20), "broken", a_record("R-3", 1), a_record("R-4", -1)),
    )
    read, error = await gathered(center.operations(TODAY - timedelta(days=70), TODAY))
    assert error is None
    assert [(record.id[:8], record.status) for record in read] == [
        ("R-1", ""),
        ("content-", ""),
        ("R-2", "failed"),
        ("R-3", ""),
    ]
    assert all("filter" not in request.url.params for request in far_side.requests)


async def test_the_log_is_not_asked_for_what_is_kept_no_more(center, far_side):
    far_side.on("GET", LOG, listed())
    await gathered(center.operations(TODAY - timedelta(days=500), TODAY))
    starts = [request.url.params["startDate"] for request in far_side.requests]
    assert starts[0] == (TODAY - timedelta(days=89)).isoformat()


async def test_a_window_that_fails_leaves_what_came_before(center, far_side):
    far_side.on("GET", LOG, listed(a_record("R-1", 60)), refusal(400, 3000))
    read, error = await gathered(center.operations(TODAY - timedelta(days=70), TODAY))
    assert [record.id for record in read] == ["R-1"]
    assert isinstance(error, Rejected)


async def test_a_cloud_without_a_log(center, far_side):
    far_side.on("GET", LOG, refusal(404, 1000))
    _, error = await gathered(center.operations(TODAY, TODAY))
    assert isinstance(error, FeatureMissing)


async def test_the_spend_of_all_is_one_call(center, far_side):
    items = [{"resourceId": f"C-{n}", "totalCost": n, "currencyCode": "EUR"} for n in range(300)]
    far_side.on("GET", USAGE, listed(*items, {"resourceId": "C-x"}, 7))
    read, error = await gathered(center.spent())
    assert (len(read), error, len(far_side.requests)) == (300, None, 1)
    assert (read[299].customer_id, read[299].amount) == ("c-299", Decimal(299))


async def test_fraud_events_are_read_page_by_page(center, far_side):
    pages = [[an_event(n) for n in range(100)], [an_event(n) for n in range(100, 130)], []]
    far_side.on("GET", FRAUD, *(reply(body=page) for page in pages))
    read, error = await gathered(center.fraud_events())
    assert ([event.id for event in read], error) == ([f"e-{n}" for n in range(130)], None)
    asked = [(r.url.params["PageSize"], r.url.params["PageNumber"]) for r in far_side.requests]
    assert asked == [("100", "1"), ("100", "2"), ("100", "3")]
    assert {r.headers["X-NewEventsModel"] for r in far_side.requests} == {"true"}


async def test_a_service_may_put_fewer_on_a_page_than_are_asked_for(center, far_side):
    known = [an_event(n) for n in range(53)]

    def twenty(request: httpx.Request) -> httpx.Response:
        end = 20 * int(request.url.params["PageNumber"])
        return httpx.Response(200, json=known[end - 20 : end])

    far_side.on("GET", FRAUD, twenty)
    read, error = await gathered(center.fraud_events())
    assert ([event.id for event in read], error) == ([f"e-{n}" for n in range(53)], None)
    assert len(far_side.requests) == 4


async def test_a_list_without_events_is_one_call(center, far_side):
    far_side.on("GET", FRAUD, reply(body=[]))
    assert await gathered(center.fraud_events()) == ([], None)
    assert len(far_side.requests) == 1


async def test_behind_a_page_that_is_short_there_may_be_none(center, far_side):
    far_side.on("GET", FRAUD, reply(body=[an_event(n) for n in range(20)]), refusal(404, 1000))
    read, error = await gathered(center.fraud_events())
    assert (len(read), error, len(far_side.requests)) == (20, None, 2)


async def test_behind_a_page_that_is_full_one_that_is_missing_is_told(center, far_side):
    far_side.on("GET", FRAUD, reply(body=[an_event(n) for n in range(100)]), refusal(404, 1000))
    read, error = await gathered(center.fraud_events())
    assert (len(read), type(error)) == (100, FeatureMissing)


async def test_events_without_an_end_are_told_as_such(center, far_side):
    def another(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[an_event(int(request.url.params["PageNumber"]))])

    far_side.on("GET", FRAUD, another)
    _, error = await gathered(center.fraud_events())
    assert isinstance(error, Unavailable)
    assert error.reason == "endless-list"


async def test_a_page_that_is_repeated_ends_the_list(center, far_side):
    far_side.on("GET", FRAUD, reply(body=[an_event(n) for n in range(140)]))
    read, error = await gathered(center.fraud_events())
    assert (len(read), error, len(far_side.requests)) == (140, None, 2)


async def test_items_that_cannot_be_read_count_for_the_length_of_a_page(center, far_side, caplog):
    broken: list[object] = [None, 7, "x", []]
    pages = [[*broken, *(an_event(n) for n in range(96))], [an_event(97)]]
    far_side.on("GET", FRAUD, *(reply(body=page) for page in pages))
    read, error = await gathered(center.fraud_events())
    assert (len(read), error) == (97, None)
    assert "4 items could not be read" in caplog.text


async def test_a_collection_of_events_is_as_good_as_an_array(center, far_side):
    far_side.on("GET", FRAUD, listed(an_event(1)))
    read, _ = await gathered(center.fraud_events())
    assert [event.id for event in read] == ["e-1"]


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_where_the_newer_model_is_refused_the_first_one_is_read(center, far_side, status):
    far_side.on("GET", FRAUD, refusal(status, 3000), reply(body=[an_event(1)]))
    read, error = await gathered(center.fraud_events())
    assert ([event.id for event in read], error) == (["e-1"], None)
    assert "X-NewEventsModel" not in far_side.requests[1].headers
    assert "PageSize" not in far_side.requests[1].url.params


async def test_a_second_page_that_is_refused_does_not_begin_anew(center, far_side):
    far_side.on("GET", FRAUD, reply(body=[an_event(n) for n in range(100)]), refusal(400, 3000))
    read, error = await gathered(center.fraud_events())
    assert (len(read), len(far_side.requests)) == (100, 2)
    assert isinstance(error, Rejected)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(refusal(404, 1000), FeatureMissing, id="not there"),
        pytest.param(refusal(403, 900150), AccessDenied, id="no rights"),
        pytest.param(reply(401), SignInFailed, id="not without a user"),
        pytest.param(reply(body={"odd": True}), Unavailable, id="something else"),
        pytest.param(reply(503), Unavailable, id="broken"),
    ],
)
@pytest.mark.parametrize("which", ["fraud_events", "spent"])
async def test_a_source_that_is_not_to_be_had_says_so(center, far_side, which, said, error):
    far_side.on("GET", FRAUD, said)
    far_side.on("GET", USAGE, said)
    read, found = await gathered(getattr(center, which)())
    assert read == []
    assert type(found) is error


async def test_only_what_demands_a_user_is_asked_as_one(connect, far_side):
    with_user = FarSide()
    for side in (far_side, with_user):
        side.on("GET", ORDERS, listed())
        side.on("GET", FRAUD, reply(body=[]))
        side.on("GET", USAGE, listed())
        side.on("GET", LOG, listed())
        side.on("POST", f"{FRAUD}/subscription/S-1/status", reply(body=[]))
    async with httpx.AsyncClient(transport=httpx.MockTransport(with_user)) as user:
        center = connect(as_user=user)
        for items in (
            center.orders(CONTOSO),
            center.fraud_events(),
            center.spent(),
            center.operations(TODAY, TODAY),
        ):
            await gathered(items)
        await center.resolve_fraud_events(FraudUpdate(AZURE, ("e-1",), Outcome.FRAUD))
    assert {request.url.path for request in with_user.requests} == {
        FRAUD,
        USAGE,
        f"{FRAUD}/subscription/S-1/status",
    }
    assert {request.url.path for request in far_side.requests} == {ORDERS, LOG}


@pytest.mark.parametrize(
    ("outcome", "told", "told_graph"),
    [
        pytest.param(Outcome.FRAUD, ("Resolved", "Fraud"), ("resolved", "fraud"), id="fraud"),
        pytest.param(Outcome.LEGITIMATE, ("Resolved", "Ignore"), ("resolved", "legitimate"), id="legitimate"),
        pytest.param(Outcome.IGNORE, ("Resolved", "Ignore"), ("resolved", "ignore"), id="ignore"),
        pytest.param(Outcome.INVESTIGATING, ("Investigating", None), ("investigating", None), id="open"),
    ],
)
async def test_what_came_of_it_is_told(center, graph, far_side, outcome, told, told_graph):
    path = f"{FRAUD}/subscription/S%2F1/status"
    far_side.on("POST", path, reply(body=[]))
    await center.resolve_fraud_events(FraudUpdate(SubscriptionId("S/1"), ("e-1", "e-2"), outcome))
    (sent,) = far_side.sent("POST")
    body = json.loads(sent.content)
    assert body["EventIds"] == ["e-1", "e-2"]
    assert (body["EventStatus"], body.get("ResolvedReason")) == told

    far_side.on("PATCH", f"{ALERTS}/a-1", reply(body={}))
    await graph.update_alert(AlertUpdate("a-1", outcome))
    (sent,) = far_side.sent("PATCH")
    body = json.loads(sent.content)
    assert (body["status"], body.get("resolvedReason")) == told_graph


async def test_an_id_of_our_making_is_never_told(center, graph, far_side):
    far_side.on("POST", f"{FRAUD}/subscription/S-1/status", reply(body=[]))
    with pytest.raises(Rejected):
        await center.resolve_fraud_events(FraudUpdate(AZURE, ("content-1",), Outcome.FRAUD))
    with pytest.raises(Rejected):
        await graph.update_alert(AlertUpdate("content-1", Outcome.FRAUD))
    assert far_side.requests == []
    await center.resolve_fraud_events(FraudUpdate(AZURE, ("content-1", "e-2"), Outcome.FRAUD))
    assert json.loads(far_side.requests[0].content)["EventIds"] == ["e-2"]


async def test_a_write_that_fails_is_sent_again_as_the_same(center, far_side):
    far_side.on("POST", f"{FRAUD}/subscription/S-1/status", reply(503), reply(body=[]))
    await center.resolve_fraud_events(FraudUpdate(AZURE, ("e-1",), Outcome.FRAUD))
    assert len(far_side.requests) == 2
    assert len({request.headers["MS-RequestId"] for request in far_side.requests}) == 1


@pytest.fixture
async def graph(far_side, sleeps):
    async with httpx.AsyncClient(transport=httpx.MockTransport(far_side)) as http:
        yield Graph(
            cloud=hosts_of(Cloud.GLOBAL), http=http, now=lambda: noon, sleep=sleeps, jitter=lambda: 1.0
        )


def alerts(*ids: str, next: str | None = None) -> Any:
    value = [{"id": id, "customerTenantId": CONTOSO} for id in ids]
    return reply(body={"value": value} | ({"@odata.nextLink": next} if next else {}))


async def test_alerts_are_read_over_all_pages(graph, far_side):
    link = f"https://graph.microsoft.com{ALERTS}?$skiptoken=2"
    far_side.on("GET", ALERTS, alerts("a-1", "a-2", next=link), alerts("a-3"))
    read, error = await gathered(graph.security_alerts())
    assert ([alert.id for alert in read], error) == (["a-1", "a-2", "a-3"], None)
    assert str(far_side.requests[1].url).endswith("skiptoken=2")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/beta/security/partner/securityAlerts",
        "http://graph.microsoft.com/beta/security/partner/securityAlerts",
        "https://graph.microsoft.com.evil.example/x",
        "https://graph.microsoft.com:444/x",
        "https://graph.microsoft.com@evil.example/x",
        "/beta/x",
        "https://[",
    ],
)
async def test_alerts_of_another_host_are_not_asked_for(graph, far_side, link):
    far_side.on("GET", ALERTS, alerts("a-1", next=link))
    read, error = await gathered(graph.security_alerts())
    assert [alert.id for alert in read] == ["a-1"]
    assert isinstance(error, Rejected)
    assert len(far_side.requests) == 1


async def test_alerts_without_an_end_are_told_as_such(graph, far_side):
    far_side.on("GET", ALERTS, alerts("a-1", next=f"https://graph.microsoft.com{ALERTS}"))
    _, error = await gathered(graph.security_alerts())
    assert isinstance(error, Unavailable)
    assert error.reason == "endless-list"


async def test_what_graph_refuses_is_told_with_its_own_code(graph, far_side):
    body = {"error": {"code": "Forbidden", "message": "No such right.", "innerError": {}}}
    far_side.on("GET", ALERTS, reply(403, body))
    _, error = await gathered(graph.security_alerts())
    assert isinstance(error, AccessDenied)
    assert (error.reason, error.detail) == ("Forbidden", "No such right.")
    sent = far_side.requests[0]
    assert error.correlation_id == sent.headers["client-request-id"] == sent.headers["MS-CorrelationId"]


async def test_what_is_no_list_of_alerts_is_told(graph, far_side):
    far_side.on("GET", ALERTS, reply(body={"value": "x"}))
    _, error = await gathered(graph.security_alerts())
    assert isinstance(error, Unavailable)


async def test_graph_is_asked_again_where_that_helps(graph, far_side, sleeps):
    far_side.on("GET", ALERTS, reply(429, {"error": {}}, Retry_After="7"), alerts("a-1"))
    read, error = await gathered(graph.security_alerts())
    assert (len(read), error) == (1, None)
    assert sleeps[0] >= 7
