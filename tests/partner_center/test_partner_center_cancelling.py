"""Cancelling an Azure subscription: once, under one request id, and never in doubt about what is known."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    NotReady,
    Rejected,
    SignInFailed,
    Throttled,
    Unavailable,
    Upstream,
)
from bot.partner_center.client import NOT_SENT

from .far_side import Act, Written, refusal, reply, say

CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")
PLAN, CHILD = SubscriptionId("3f15978e-005c-b763-bb78-2a8fab289c58"), "899ae6f1-8a74-4d5e-b6c6-e6b5019bbff8"
PATH = f"/v1/customers/{CONTOSO}/subscriptions/{PLAN}/azureEntitlements/{CHILD}"
REQUEST_ID = UUID("5bd0a1de-6d92-4b79-a2b3-0f6f7a1d8f00")


def accept(child: Child, request: httpx.Request) -> httpx.Response:
    """Say 202, count the cancellation once for each request id, and go on showing it as active."""
    child.taken.add(request.headers["MS-RequestId"])
    return httpx.Response(202)


def accept_at_once(child: Child, request: httpx.Request) -> httpx.Response:
    child.status = "inactive"
    accept(child, request)
    return httpx.Response(200, json=child.body)


def accept_and_lose_the_answer(child: Child, request: httpx.Request) -> httpx.Response:
    accept(child, request)
    raise httpx.ReadTimeout("late")


def stop_and_lose_the_answer(child: Child, request: httpx.Request) -> httpx.Response:
    accept_at_once(child, request)
    raise httpx.ReadTimeout("late")


def somebody_else_does_it(child: Child, _request: httpx.Request) -> httpx.Response:
    child.status = "inactive"
    return httpx.Response(429)


class Child(Written):
    """One Azure subscription at Microsoft."""

    path = PATH
    writes_by = ("POST", f"{PATH}/cancel")

    def __init__(self, *acts: Act, status: str = "active", looks: tuple[Any, ...] = ()) -> None:
        super().__init__(*acts, looks=looks)
        self.status = status
        self.taken: set[str] = set()

    @property
    def body(self) -> dict[str, str]:
        return {"id": CHILD.upper(), "friendlyName": "Web shop", "status": self.status}


@pytest.fixture
def cancel(connect):
    async def run(child: Child, **options: Any):
        return await connect(child, **options).cancel_azure(CONTOSO, PLAN, CHILD, ms_request_id=REQUEST_ID)

    return run


async def test_it_says_why_and_is_read_back_once_without_waiting(cancel, sleeps):
    child = Child(accept)
    cancelled = await cancel(child)
    assert (cancelled.sent, cancelled.took, cancelled.entitlement.is_active) == (True, False, True)
    assert (child.methods, sleeps, set(child.ids)) == ("GET POST GET", [], {REQUEST_ID})
    assert json.loads(child.writes[0].content) == {"cancellationReason": "compromise"}
    assert child.writes[0].headers["Content-Type"] == "application/json"
    assert {r.headers["MS-CorrelationId"] for r in child.requests} == {cancelled.correlation_id}


async def test_what_stops_at_once_is_told_so(cancel):
    cancelled = await cancel(Child(accept_at_once))
    assert (cancelled.sent, cancelled.took, cancelled.entitlement.status) == (True, True, "inactive")


@pytest.mark.parametrize("status", ["inactive", "Deleted", "a word nobody knows"])
async def test_what_is_not_active_any_more_is_left_alone(cancel, status):
    child = Child(accept, status=status)
    cancelled = await cancel(child)
    assert (cancelled.sent, cancelled.took, child.methods) == (False, True, "GET")


async def test_a_look_that_fails_does_not_undo_what_was_accepted(cancel):
    child = Child(accept, looks=(None, reply(503)))
    cancelled = await cancel(child)
    assert (cancelled.sent, cancelled.took) == (True, False)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(say(reply(500)), id="a server error"),
        pytest.param(say(reply(429, retry_after="1")), id="too many requests"),
        pytest.param(say(httpx.ConnectError("closed")), id="no connection"),
        pytest.param(accept_and_lose_the_answer, id="an answer that is lost"),
    ],
)
async def test_it_is_sent_again_with_one_request_id_and_only_after_a_look(cancel, first):
    child = Child(first, accept)
    cancelled = await cancel(child)
    assert (cancelled.sent, set(child.ids), len(child.taken)) == (True, {REQUEST_ID}, 1)
    assert child.methods == "GET POST GET POST GET"


async def test_a_lost_answer_is_settled_by_a_look_where_that_shows_it(cancel):
    child = Child(stop_and_lose_the_answer)
    cancelled = await cancel(child)
    assert (cancelled.sent, cancelled.took, child.methods) == (True, True, "GET POST GET")


async def test_what_somebody_else_stopped_meanwhile_was_not_sent(cancel):
    child = Child(somebody_else_does_it, accept)
    cancelled = await cancel(child)
    assert (cancelled.sent, cancelled.took, len(child.writes)) == (False, True, 1)


DEFINITE = [
    pytest.param(refusal(400, 900118), Rejected, 1, id="a bad customer id"),
    pytest.param(refusal(400, 800002), Rejected, 1, id="bad input"),
    pytest.param(refusal(400, 900307), Rejected, 1, id="a wrong reason"),
    pytest.param(refusal(403, 900159), AccessDenied, 1, id="no rights"),
    pytest.param(refusal(404, 800111), NotFound, 1, id="gone"),
    pytest.param(refusal(409, 4711), Conflict, 1, id="a conflict nobody described"),
    pytest.param(refusal(409, 800060), NotReady, 1, id="being processed, which is not tried again"),
    pytest.param(refusal(400, 2055), Conflict, 1, id="a stale etag, of which there is none here"),
    pytest.param(reply(401), SignInFailed, 1, id="not signed in"),
    pytest.param(reply(429), Throttled, 4, id="too many requests, to the end"),
    pytest.param(reply(429, retry_after="3600"), Throttled, 1, id="asked to stay away for an hour"),
]


@pytest.mark.parametrize(("said", "error", "posts"), DEFINITE)
async def test_a_definite_no_is_told_as_such(cancel, said, error, posts):
    child = Child(say(said))
    with pytest.raises(error) as raised:
        await cancel(child)
    assert (type(raised.value), len(child.writes), set(child.ids)) == (error, posts, {REQUEST_ID})
    if isinstance(raised.value, Upstream):
        assert raised.value.correlation_id == child.requests[0].headers["MS-CorrelationId"]


@pytest.mark.parametrize(("said", "_error", "_posts"), DEFINITE)
async def test_no_later_answer_hides_that_an_earlier_one_never_came(cancel, said, _error, _posts):
    child = Child(accept_and_lose_the_answer, say(said))
    with pytest.raises(Unavailable) as raised:
        await cancel(child)
    assert type(raised.value) is Unavailable
    assert raised.value.reason != NOT_SENT
    assert set(child.ids) == {REQUEST_ID}


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(accept_and_lose_the_answer, id="answers that are lost"),
        pytest.param(say(reply(500)), id="server errors"),
    ],
)
async def test_a_lasting_trouble_leaves_the_outcome_open(cancel, sleeps, act):
    child = Child(act)
    with pytest.raises(Unavailable) as raised:
        await cancel(child)
    assert (type(raised.value), len(child.writes), set(child.ids)) == (Unavailable, 4, {REQUEST_ID})
    assert raised.value.reason != NOT_SENT
    assert (child.requests[-1].method, sleeps) == ("GET", [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("look", "error"),
    [
        pytest.param(say(refusal(404, 800111)), NotFound, id="there is none"),
        pytest.param(say(refusal(404, 1000)), NotFound, id="the cloud has no such part"),
        pytest.param(say(refusal(403, 900159)), AccessDenied, id="no rights"),
        pytest.param(say(reply(body={"id": "another", "status": "inactive"})), Unavailable, id="another"),
        pytest.param(say(reply(body={"id": CHILD})), Unavailable, id="one without a status"),
        pytest.param(say(httpx.ConnectError("closed")), Unavailable, id="nobody was reached"),
    ],
)
async def test_nothing_is_sent_without_a_look(connect, look, error):
    child = Child(accept)

    async def far_side(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return await child(request)
        response: httpx.Response = look(child, request)
        return response

    with pytest.raises(error) as raised:
        await connect(far_side).cancel_azure(CONTOSO, PLAN, CHILD, ms_request_id=REQUEST_ID)
    assert (type(raised.value), child.writes) == (error, [])
    if isinstance(raised.value, Unavailable):
        assert raised.value.reason == NOT_SENT
    if isinstance(raised.value, NotFound):
        assert (raised.value.what, raised.value.name) == ("azure-subscription", CHILD)


async def hang(*_: object) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("act", "settled"),
    [
        pytest.param(accept_at_once, True, id="looked after once more"),
        pytest.param(accept, False, id="still showing as active"),
    ],
)
async def test_an_answer_that_takes_too_long(cancel, act, settled):
    child = Child(act)

    async def far_side(request: httpx.Request) -> httpx.Response:
        response = await child(request)
        await (hang() if request.method == "POST" else asyncio.sleep(0))
        return response

    if settled:
        cancelled = await cancel(far_side, write_timeout=0.05)
        assert (cancelled.sent, cancelled.took) == (True, True)
    else:
        with pytest.raises(Unavailable) as raised:
            await cancel(far_side, write_timeout=0.05)
        assert raised.value.reason != NOT_SENT
    assert child.methods == "GET POST GET"
