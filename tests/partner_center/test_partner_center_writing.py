"""Suspending and resuming: once, confirmed, and never in doubt about what is known."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import (
    AccessDenied,
    BackstopError,
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

from .far_side import Act, Written, drips, refusal, reply, say

CONTOSO, SEAT = (
    CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08"),
    SubscriptionId("42226ed6-070a-4e0f-b80c-4cdfb3e97aa7"),
)
REQUEST_ID = UUID("5bd0a1de-6d92-4b79-a2b3-0f6f7a1d8f00")


def take(seat: Seat, request: httpx.Request) -> httpx.Response:
    """Do it and say so."""
    seat.set(status=json.loads(request.content)["status"])
    return httpx.Response(200, json=seat.body)


def take_and_lose_the_answer(seat: Seat, request: httpx.Request) -> httpx.Response:
    take(seat, request)
    raise httpx.ReadTimeout("late")


def accept_for_later(seat: Seat, request: httpx.Request) -> httpx.Response:
    """Say 202; it shows at the third look."""
    seat.later = (3, json.loads(request.content)["status"])
    return httpx.Response(202, headers={"Location": "/v1/somewhere"})


def accept_and_forget(_seat: Seat, _request: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def somebody_else_does_it(seat: Seat, _request: httpx.Request) -> httpx.Response:
    seat.set(status="suspended")
    return httpx.Response(400, json={"code": 2055})


def stale(**meanwhile: Any) -> Act:
    def act(seat: Seat, _request: httpx.Request) -> httpx.Response:
        seat.set(**meanwhile)
        return httpx.Response(400, json={"code": 2055})

    return act


class Seat(Written):
    """One subscription at Microsoft."""

    path = f"/v1/customers/{CONTOSO}/subscriptions/{SEAT}"
    writes_by = ("PATCH", path)

    def __init__(self, *acts: Act, etag: str = "e", looks: tuple[Any, ...] = ()) -> None:
        super().__init__(*acts, looks=looks)
        self.body: dict[str, Any] = {
            "id": SEAT.upper(),
            "friendlyName": "E3",
            "quantity": 48,
            "status": "active",
            "autoRenewEnabled": True,
            "somethingNew": {"a": [1, None]},
            "links": {"self": {"uri": "/x"}},
            "attributes": {"etag": etag, "objectType": "Subscription"},
        }
        self.later: tuple[int, str] | None = None
        self.version = 1

    def set(self, **fields: Any) -> None:
        self.version += 1
        etag = self.body["attributes"]["etag"] and f"e{self.version}"
        self.body |= fields | {"attributes": {"etag": etag, "objectType": "Subscription"}}

    def is_looked_at(self) -> None:
        if self.later:
            looks, status = self.later
            self.later = (looks - 1, status) if looks > 1 else None
            if self.later is None:
                self.set(status=status)


@pytest.fixture
def suspend(connect):
    async def run(seat: Seat, *, as_confirmed: str | None = None, **options: Any):
        return await connect(seat, **options).suspend(
            CONTOSO, SEAT, ms_request_id=REQUEST_ID, as_confirmed=as_confirmed
        )

    return run


async def test_the_whole_resource_goes_back_with_another_status(suspend):
    seat = Seat(take)
    before = dict(seat.body)
    await suspend(seat)
    (patch,) = seat.writes
    assert json.loads(patch.content) == {k: v for k, v in before.items() if k != "links"} | {
        "status": "suspended"
    }
    assert (patch.headers["If-Match"], patch.headers["Content-Type"]) == ('"e"', "application/json")
    assert seat.ids == [REQUEST_ID]


async def test_without_an_etag_there_is_no_if_match(suspend):
    seat = Seat(take, etag="")
    await suspend(seat)
    assert "If-Match" not in seat.writes[0].headers


async def test_a_suspension_is_read_back_at_once(suspend, sleeps):
    seat = Seat(take)
    written = await suspend(seat)
    assert (written.subscription.status, written.changed, written.confirmed) == (
        SubscriptionStatus.SUSPENDED,
        True,
        True,
    )
    assert (seat.methods, sleeps) == ("GET PATCH GET", [])
    assert {r.headers["MS-CorrelationId"] for r in seat.requests} == {written.correlation_id}


async def test_what_is_as_wanted_already_is_left_alone(connect):
    seat = Seat(take)
    written = await connect(seat).resume(CONTOSO, SEAT, ms_request_id=REQUEST_ID)
    assert (written.changed, written.confirmed, seat.methods) == (False, True, "GET")


async def test_what_was_confirmed_is_looked_for_in_the_very_look_the_write_goes_by(suspend):
    seat = Seat(take)
    assert (await suspend(seat, as_confirmed="active|48|None|None")).changed
    assert seat.methods == "GET PATCH GET"


async def test_what_is_no_longer_as_confirmed_is_left_alone(suspend):
    seat = Seat(take)
    with pytest.raises(Conflict) as refused:
        await suspend(seat, as_confirmed="active|47|None|None")
    assert refused.value.reason == "changed-since-confirmed"
    assert seat.methods == "GET"


async def test_what_is_accepted_for_later_is_waited_for(suspend, sleeps):
    seat = Seat(accept_for_later)
    written = await suspend(seat)
    assert (written.changed, written.confirmed, sleeps) == (True, True, [2.0, 5.0])


async def test_what_never_shows_is_handed_over_unconfirmed(suspend, sleeps):
    written = await suspend(Seat(accept_and_forget))
    assert (written.changed, written.confirmed, sleeps) == (True, False, [2.0, 5.0, 10.0, 30.0])
    assert written.subscription.status is SubscriptionStatus.ACTIVE


async def test_looks_that_fail_do_not_undo_an_accepted_write(suspend, sleeps):
    seat = Seat(take, looks=(None, reply(503), reply(429, retry_after="20"), httpx.ReadTimeout("late")))
    assert (await suspend(seat)).confirmed
    assert sleeps == [2.0, 20.0, 10.0]


async def test_a_lost_answer_is_settled_by_looking(suspend):
    seat = Seat(take_and_lose_the_answer)
    written = await suspend(seat)
    assert (written.changed, written.confirmed, seat.methods) == (True, True, "GET PATCH GET")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(reply(500), id="a server error"),
        pytest.param(refusal(500, 800094), id="update failed"),
        pytest.param(reply(429, retry_after="1"), id="too many requests"),
        pytest.param(httpx.ReadTimeout("late"), id="no answer"),
        pytest.param(httpx.ConnectError("closed"), id="no connection"),
    ],
)
async def test_a_write_is_sent_again_with_one_request_id_and_only_after_a_look(suspend, said):
    seat = Seat(say(said), take)
    assert (await suspend(seat)).confirmed
    assert (seat.ids, seat.methods) == ([REQUEST_ID, REQUEST_ID], "GET PATCH GET PATCH GET")


async def test_it_is_not_sent_again_to_what_changed_meanwhile(suspend):
    def change(seat: Seat, _request: httpx.Request) -> httpx.Response:
        seat.set(quantity=49)
        return httpx.Response(429)

    seat = Seat(change, take)
    with pytest.raises(Conflict):
        await suspend(seat)
    assert len(seat.writes) == 1


async def test_a_stale_etag_is_renewed_under_a_new_request_id(suspend, sleeps):
    seat = Seat(stale(), take)
    assert (await suspend(seat)).confirmed
    assert [patch.headers["If-Match"] for patch in seat.writes] == ['"e"', '"e2"']
    assert seat.ids[0] == REQUEST_ID != seat.ids[1]
    assert sleeps == []


async def test_the_new_request_id_is_the_same_after_a_crash(suspend):
    first, second = Seat(stale(), take), Seat(stale(), take)
    await suspend(first)
    await suspend(second)
    assert first.ids == second.ids


async def test_a_stale_etag_is_renewed_once(suspend):
    seat = Seat(stale())
    with pytest.raises(Conflict) as conflict:
        await suspend(seat)
    assert (conflict.value.reason, len(seat.writes)) == ("2055", 2)


async def test_a_stale_etag_of_a_changed_subscription_is_a_conflict(suspend):
    seat = Seat(stale(quantity=49), take)
    with pytest.raises(Conflict):
        await suspend(seat)
    assert len(seat.writes) == 1


async def test_a_stale_etag_because_somebody_else_did_it_is_fine(suspend):
    written = await suspend(Seat(somebody_else_does_it))
    assert (written.changed, written.confirmed) == (False, True)


async def test_what_is_being_processed_is_tried_again_under_new_request_ids(suspend, sleeps):
    seat = Seat(say(refusal(409, 800060)), say(refusal(400, 800082)), take)
    assert (await suspend(seat)).confirmed
    assert len(set(seat.ids)) == 3
    assert sleeps == [1.0, 2.0]


DEFINITE = [
    pytest.param(refusal(400, 800040), Rejected, 1, id="not allowed"),
    pytest.param(refusal(403, 900115), Rejected, 1, id="active children"),
    pytest.param(refusal(409, 27009), Rejected, 1, id="parent not active"),
    pytest.param(refusal(403, 900150), AccessDenied, 1, id="no rights"),
    pytest.param(refusal(404, 20003), NotFound, 1, id="gone"),
    pytest.param(refusal(409, 4711), Conflict, 1, id="a conflict nobody described"),
    pytest.param(reply(401), SignInFailed, 1, id="not signed in"),
    pytest.param(reply(429), Throttled, 4, id="too many requests, to the end"),
    pytest.param(refusal(409, 800060), NotReady, 4, id="being processed, to the end"),
    pytest.param(reply(429, retry_after="3600"), Throttled, 1, id="asked to stay away for an hour"),
]


@pytest.mark.parametrize(("said", "error", "patches"), DEFINITE)
async def test_a_definite_no_is_told_as_such(suspend, said, error, patches):
    seat = Seat(say(said))
    with pytest.raises(error) as raised:
        await suspend(seat)
    assert (type(raised.value), len(seat.writes)) == (error, patches)
    if isinstance(raised.value, Upstream):
        assert raised.value.correlation_id == seat.requests[0].headers["MS-CorrelationId"]


@pytest.mark.parametrize(("said", "_error", "_patches"), DEFINITE)
async def test_no_later_answer_hides_that_an_earlier_one_never_came(suspend, said, _error, _patches):
    seat = Seat(say(httpx.ReadTimeout("late")), say(said))
    with pytest.raises(Unavailable) as raised:
        await suspend(seat)
    assert type(raised.value) is Unavailable
    assert raised.value.reason != NOT_SENT


async def test_a_write_whose_answer_never_comes_stays_open(suspend, sleeps):
    seat = Seat(say(httpx.ReadTimeout("late")))
    with pytest.raises(Unavailable) as raised:
        await suspend(seat)
    assert (type(raised.value), raised.value.reason, len(seat.writes)) == (Unavailable, "timeout", 4)
    assert seat.requests[-1].method == "GET"
    assert sleeps == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(refusal(404, 20003), id="not found"),
        pytest.param(refusal(403, 20002), id="no rights"),
        pytest.param(lambda _: httpx.Response(200, text="<html>"), id="a page"),
    ],
)
async def test_a_write_that_cannot_be_looked_after_stays_open(suspend, look):
    seat = Seat(take_and_lose_the_answer, looks=(None, look))
    with pytest.raises(Unavailable) as raised:
        await suspend(seat)
    assert type(raised.value) is Unavailable
    assert raised.value.reason != NOT_SENT


@pytest.mark.parametrize(
    "seat",
    [
        pytest.param(Seat(take, looks=(reply(503),) * 4), id="the first look failed"),
        pytest.param(Seat(say(httpx.ConnectError("closed"))), id="nobody was reached"),
    ],
)
async def test_what_was_never_sent_says_so(suspend, seat):
    with pytest.raises(Unavailable) as raised:
        await suspend(seat)
    assert (type(raised.value), raised.value.reason) == (Unavailable, NOT_SENT)


async def test_an_answer_about_another_subscription_is_not_written_back(suspend):
    seat = Seat(take, looks=(reply(body={"id": "another", "status": "active"}),))
    with pytest.raises(Unavailable):
        await suspend(seat)
    assert seat.writes == []


async def hang(*_: object) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("hanging", "error", "is_open"),
    [
        pytest.param("GET", Unavailable, False, id="at the first look"),
        pytest.param("PATCH", Unavailable, True, id="at the write"),
    ],
)
async def test_time_is_limited(suspend, hanging, error, is_open):
    seat = Seat(take)

    async def far_side(request: httpx.Request) -> httpx.Response:
        await (hang() if request.method == hanging else asyncio.sleep(0))
        return await seat(request)

    with pytest.raises(error) as raised:
        await suspend(far_side, write_timeout=0.05)
    assert (raised.value.reason != NOT_SENT) is is_open


async def test_a_write_without_an_answer_in_time_is_looked_after_once_more(suspend):
    seat = Seat(take)

    async def far_side(request: httpx.Request) -> httpx.Response:
        response = await seat(request)
        await (hang() if request.method == "PATCH" else asyncio.sleep(0))
        return response

    written = await suspend(far_side, write_timeout=0.05)
    assert (written.changed, written.confirmed, seat.methods) == (True, True, "GET PATCH GET")


def take_and_drip(seat: Seat, request: httpx.Request) -> httpx.Response:
    take(seat, request)
    return drips(request)


async def test_a_write_whose_answer_drips_in_for_ever_is_looked_after(suspend):
    seat = Seat(take_and_drip)
    async with asyncio.timeout(10):
        written = await suspend(seat, longest_answer=0.1)
    assert (written.changed, written.confirmed, seat.methods) == (True, True, "GET PATCH GET")


async def test_a_write_whose_answer_drips_in_for_ever_stays_open(suspend):
    seat = Seat(say(drips))
    with pytest.raises(Unavailable) as raised:
        async with asyncio.timeout(10):
            await suspend(seat, longest_answer=0.1)
    assert (type(raised.value), raised.value.reason, len(seat.writes)) == (Unavailable, "timeout", 4)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(reply(429, retry_after="57"), Throttled, id="definite before"),
        pytest.param(reply(503), Unavailable, id="open before"),
    ],
)
async def test_time_that_ends_while_waiting_leaves_what_was_known(suspend, said, error):
    with pytest.raises(BackstopError) as raised:
        await suspend(Seat(say(said)), sleep=hang, write_timeout=0.05)
    assert type(raised.value) is error
