"""Since when a subscription is suspended, as the activity log tells."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import AccessDenied, FeatureMissing, Rejected
from bot.partner_center.activity import suspended_since, windows
from bot.partner_center.wire import StatusRecord

from .far_side import noon, refusal, reply

CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")
SEAT, OTHER = SubscriptionId("seat"), SubscriptionId("other")
LOG = "/v1/auditrecords"
TODAY = noon.date()


def day(days_ago: int) -> date:
    return TODAY - timedelta(days=days_ago)


def at(days_ago: int) -> datetime:
    return noon - timedelta(days=days_ago)


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [
        pytest.param(10, 0, [(10, 0)], id="up to today"),
        pytest.param(10, 5, [(10, 4)], id="one day longer, where it is past"),
        pytest.param(29, 0, [(29, 0)], id="as long as one request may be"),
        pytest.param(30, 0, [(30, 1), (1, 0)], id="one day too long for one"),
        pytest.param(400, -5, [(89, 60), (60, 31), (31, 2), (2, 0)], id="all that is kept, and no more"),
        pytest.param(0, 0, [(0, 0)], id="today only"),
        pytest.param(5, 10, [], id="an end before the start"),
        pytest.param(200, 100, [], id="what is kept no more"),
        pytest.param(-1, -3, [], id="the future"),
    ],
)
def test_the_log_is_asked_for(since, until, asked):
    assert list(windows(day(since), day(until), today=TODAY)) == [(day(a), day(b)) for a, b in asked]


def suspended(days_ago: int, id: SubscriptionId = SEAT) -> StatusRecord:
    return StatusRecord(id, SubscriptionStatus.SUSPENDED, at(days_ago))


def active(days_ago: int, id: SubscriptionId = SEAT) -> StatusRecord:
    return StatusRecord(id, SubscriptionStatus.ACTIVE, at(days_ago))


@pytest.mark.parametrize(
    ("records", "since"),
    [
        pytest.param([suspended(9)], {SEAT: at(9)}, id="suspended"),
        pytest.param([suspended(9), active(4)], {}, id="resumed since"),
        pytest.param([suspended(9), active(4), suspended(2)], {SEAT: at(2)}, id="suspended anew"),
        pytest.param([suspended(2), active(4), suspended(9)], {SEAT: at(2)}, id="told backwards"),
        pytest.param([active(4), active(9)], {}, id="never suspended"),
        pytest.param([suspended(9), suspended(2)], {SEAT: at(9)}, id="updated while it was suspended"),
        pytest.param([suspended(9), suspended(9)], {SEAT: at(9)}, id="told twice"),
        pytest.param(
            [suspended(9), suspended(7, OTHER), active(4, OTHER)], {SEAT: at(9)}, id="each by itself"
        ),
        pytest.param([], {}, id="nothing told"),
    ],
)
def test_the_moment_of_a_suspension(records, since):
    assert suspended_since(records) == since


def record(days_ago: int, status: str = "Suspended", id: str = SEAT, **fields: Any) -> dict[str, Any]:
    return {
        "customerId": CONTOSO,
        "operationType": "update_subscription",
        "operationStatus": "succeeded",
        "operationDate": at(days_ago).strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        "customizedData": [{"key": "SubscriptionId", "value": id}, {"key": "Status", "value": status}],
    } | fields


def listed(*records: object, token: str | None = None) -> Any:
    headers = [{"key": "MS-ContinuationToken", "value": token}]
    links = {"next": {"uri": "/auditrecords?size=2?seekOperation=Next", "headers": headers}} if token else {}
    return reply(body={"totalCount": 1, "items": list(records), "links": links})


@pytest.fixture
def ask(center):
    async def ask(since: int = 20, until: int = 0) -> dict[SubscriptionId, datetime]:
        found: dict[SubscriptionId, datetime] = await center.suspensions(
            customer=CONTOSO, since=day(since), until=day(until)
        )
        return found

    return ask


async def test_the_log_is_asked_for_one_customer(ask, far_side):
    far_side.on("GET", LOG, listed(record(9)))
    assert await ask() == {SEAT: at(9)}
    query = far_side.requests[0].url.params
    assert (query["startDate"], query["endDate"]) == ("2025-02-18", "2025-03-10")
    assert json.loads(query["filter"]) == {"Field": "CustomerId", "Value": CONTOSO, "Operator": "equals"}


async def test_the_log_is_paged_by_seeking(ask, far_side):
    far_side.on(
        "GET", LOG, listed(record(9), token="t-1"), listed(record(3, "Active"), token="t-2"), listed()
    )
    assert await ask() == {}
    assert [r.headers.get("MS-ContinuationToken") for r in far_side.requests] == [None, "t-1", "t-2"]
    assert [r.url.params.get("seekOperation") for r in far_side.requests] == [None, "Next", "Next"]
    assert {r.url.params["startDate"] for r in far_side.requests} == {"2025-02-18"}


async def test_a_long_span_is_asked_for_in_parts(ask, far_side):
    far_side.on("GET", LOG, listed(record(50)), listed(record(25, "Active")), listed(record(1)))
    assert await ask(since=500) == {SEAT: at(1)}
    starts = [r.url.params["startDate"] for r in far_side.requests]
    assert starts == [day(89).isoformat(), day(60).isoformat(), day(31).isoformat(), day(2).isoformat()]


async def test_what_lies_outside_the_span_does_not_count(ask, far_side):
    far_side.on("GET", LOG, listed(record(21, id=OTHER), record(9), record(4, "Active")))
    assert await ask(since=20, until=5) == {SEAT: at(9)}


async def test_an_empty_span_is_not_asked_for(ask, far_side):
    assert await ask(since=300, until=200) == {}
    assert far_side.requests == []


async def test_records_that_cannot_be_read_are_left_out(ask, far_side, caplog):
    broken = record(3, operationDate="soon")
    far_side.on("GET", LOG, listed(record(9), broken, None, 7, {}, record(2, operationType="create_order")))
    assert await ask() == {SEAT: at(9)}
    assert "1 items could not be read" in caplog.text


async def test_a_record_of_somebody_else_does_not_count(ask, far_side):
    far_side.on("GET", LOG, listed(record(9, customerId="another"), record(8, id=OTHER, customerId=None)))
    assert await ask() == {OTHER: at(8)}


async def test_the_hour_of_the_day_does_not_ask_for_too_much(connect, far_side):
    """In the evening of the ninetieth day its beginning is more than ninety days ago."""
    far_side.on("GET", LOG, listed())
    evening = datetime(2025, 3, 10, 23, 59, tzinfo=UTC)
    await connect(now=lambda: evening).suspensions(customer=CONTOSO, since=date(2020, 1, 1), until=TODAY)
    start = datetime.fromisoformat(far_side.requests[0].url.params["startDate"]).replace(tzinfo=UTC)
    assert evening - start <= timedelta(days=90)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(refusal(404, 1000), FeatureMissing, id="a cloud without a log"),
        pytest.param(reply(501), FeatureMissing, id="one that says so"),
        pytest.param(refusal(403, 900150), AccessDenied, id="no rights"),
        pytest.param(refusal(400, 3000), Rejected, id="a bad request"),
    ],
)
async def test_a_log_that_is_refused_is_told(ask, far_side, said, error):
    far_side.on("GET", LOG, said)
    with pytest.raises(error) as raised:
        await ask()
    assert type(raised.value) is error
    assert raised.value.correlation_id == far_side.requests[0].headers["MS-CorrelationId"]
