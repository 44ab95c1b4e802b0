"""The activity log and the Azure subscriptions of a plan, against the sandbox Partner Center over real HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import FeatureMissing, NotFound, NotReady, Rejected, Throttled, Unavailable
from bot.partner_center.auth import AppRegistration, SignIn
from bot.partner_center.client import NOT_SENT, PartnerCenter
from bot.partner_center.cloud import hosts_of
from bot.partner_center.exchange import http_client
from bot.sandbox.partner_center import PartnerCenterSandbox

NOON = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
TODAY = NOON.date()


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["global", "usgov"])
def cloud(request):
    return request.param


@pytest.fixture
async def sandbox(clock, cloud):
    sandbox = PartnerCenterSandbox(now=clock, cloud=cloud, page_size=2)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def center(sandbox, clock, sleeps):
    hosts = hosts_of(Cloud(sandbox.cloud), base_url=sandbox.base_url, authority_url=sandbox.authority_url)
    app = AppRegistration(sandbox.tenant_id, sandbox.client_id, sandbox.client_secret)
    authority = http_client()
    http = http_client(auth=SignIn(cloud=hosts, app=app, http=authority, now=clock))
    yield PartnerCenter(cloud=hosts, http=http, now=clock, sleep=sleeps)
    await asyncio.gather(http.aclose(), authority.aclose())


@pytest.fixture
def contoso(sandbox):
    return sandbox.customer("Contoso Ltd")


@pytest.fixture
def seats(contoso):
    """The ids of Contoso's subscriptions: a legacy seat, a new-commerce seat, a trial."""
    return [SubscriptionId(held.id) for held in contoso.subscriptions]


@pytest.fixture
def suspensions(center, contoso):
    async def ask(days=90, until=TODAY):
        since = TODAY - timedelta(days=days)
        return await center.suspensions(customer=CustomerId(contoso.id), since=since, until=until)

    return ask


@pytest.fixture
def child(sandbox):
    """An Azure subscription at work: where it is."""
    customer = sandbox.customer("Woodgrove Bank")
    plan = customer.subscription("Azure plan")
    return CustomerId(customer.id), SubscriptionId(plan.id), plan.azure_subscriptions[0].id


async def test_every_suspension_is_found_with_its_moment(center, sandbox, contoso, seats, suspensions):
    legacy, modern, trial = seats
    long_ago, lately = NOON - timedelta(days=85, hours=3), NOON - timedelta(days=2)
    sandbox.suspend_outside(legacy, at=long_ago)
    sandbox.suspend_outside(trial, at=lately)
    sandbox.place_orders("Contoso Ltd", 5)
    await center.suspend(CustomerId(contoso.id), modern, ms_request_id=uuid4())
    assert await suspensions() == {legacy: long_ago, trial: lately, modern: NOON}


async def test_what_was_resumed_is_not_suspended(center, sandbox, contoso, seats, suspensions):
    legacy, modern, _ = seats
    sandbox.suspend_outside(legacy, at=NOON - timedelta(days=50))
    sandbox.suspend_outside(modern, at=NOON - timedelta(days=40))
    sandbox.resume_outside(legacy)
    await center.resume(CustomerId(contoso.id), modern, ms_request_id=uuid4())
    assert await suspensions() == {}


async def test_a_new_suspension_counts_from_its_own_moment(sandbox, seats, clock, suspensions):
    sandbox.suspend_outside(seats[0], at=NOON - timedelta(days=50))
    sandbox.resume_outside(seats[0])
    clock.at += timedelta(minutes=5)
    sandbox.suspend_outside(seats[0])
    assert await suspensions() == {seats[0]: clock.at}


async def test_the_add_ons_that_went_along_are_found_too(center, sandbox):
    lamna = sandbox.customer("Lamna")
    base, add_on = lamna.subscription("Office 365 E3"), lamna.subscription("Microsoft Teams Phone Standard")
    sandbox.suspend_outside(base.id, at=NOON - timedelta(days=4))
    found = await center.suspensions(customer=CustomerId(lamna.id), since=TODAY - timedelta(9), until=TODAY)
    assert set(found) == {base.id, add_on.id}


async def test_of_a_customer_without_records_nothing_is_found(center, sandbox, seats):
    sandbox.suspend_outside(seats[0])
    nod = CustomerId(sandbox.customer("Nod Publishers").id)
    assert await center.suspensions(customer=nod, since=TODAY - timedelta(days=9), until=TODAY) == {}


async def test_a_span_longer_than_the_log_is_asked_for_as_far_as_it_goes(sandbox, seats, suspensions):
    sandbox.suspend_outside(seats[0], at=NOON - timedelta(days=89))
    sandbox.suspend_outside(seats[1], at=NOON - timedelta(days=200))
    assert set(await suspensions(days=1000)) == {seats[0]}


async def test_a_throttled_log_is_waited_for(sandbox, seats, suspensions, sleeps):
    sandbox.suspend_outside(seats[0])
    sandbox.faults.add(path_contains="/auditrecords", status=429, headers={"Retry-After": "9"})
    assert set(await suspensions(days=3)) == {seats[0]}
    assert 9 <= sleeps[0] <= 10


async def test_an_azure_subscription_is_cancelled_and_seen_to_stop(center, sandbox, clock, child):
    request_id = uuid4()
    cancelled = await center.cancel_azure(*child, ms_request_id=request_id)
    assert (cancelled.sent, cancelled.took) == (True, False)
    (write,) = sandbox.writes
    assert (write.request_id, write.azure_subscription_id) == (str(request_id), child[2])
    assert sandbox.requests[-1].headers["MS-CorrelationId"] == cancelled.correlation_id
    assert (await center.azure_child(*child)).is_active
    clock.at += timedelta(minutes=10)
    assert not (await center.azure_child(*child)).is_active
    again = await center.cancel_azure(*child, ms_request_id=uuid4())
    assert (again.sent, again.took, len(sandbox.writes)) == (False, True, 1)


async def test_a_repetition_after_a_crash_is_no_second_cancellation(center, sandbox, child):
    request_id = uuid4()
    first = await center.cancel_azure(*child, ms_request_id=request_id)
    again = await center.cancel_azure(*child, ms_request_id=request_id)
    assert (first.sent, again.sent, again.took, len(sandbox.writes)) == (True, True, False, 1)


async def test_another_cancellation_of_the_same_is_refused(center, sandbox, child):
    await center.cancel_azure(*child, ms_request_id=uuid4())
    with pytest.raises(NotReady):
        await center.cancel_azure(*child, ms_request_id=uuid4())
    assert len(sandbox.writes) == 1


async def test_a_cancellation_whose_answer_is_lost_happens_once(center, sandbox, child):
    sandbox.faults.lose_answer(method="POST", path_contains="/cancel")
    cancelled = await center.cancel_azure(*child, ms_request_id=uuid4())
    assert (cancelled.sent, cancelled.took, len(sandbox.writes)) == (True, False, 1)


async def test_answers_that_are_all_lost_leave_it_open_and_done_once(center, sandbox, child):
    sandbox.faults.lose_answer(method="POST", path_contains="/cancel", times=None)
    with pytest.raises(Unavailable) as raised:
        await center.cancel_azure(*child, ms_request_id=uuid4())
    assert (type(raised.value), len(sandbox.writes)) == (Unavailable, 1)
    assert raised.value.reason != NOT_SENT


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_cancellation_is_sent_again_under_the_same_request_id(center, sandbox, child, status):
    sandbox.faults.add(method="POST", path_contains="/cancel", status=status, headers={"Retry-After": "1"})
    request_id = uuid4()
    assert (await center.cancel_azure(*child, ms_request_id=request_id)).sent
    posts = [seen for seen in sandbox.requests if seen.path.endswith("/cancel")]
    assert {seen.headers["MS-RequestId"] for seen in posts} == {str(request_id)}
    assert (len(posts), len(sandbox.writes)) == (2, 1)


async def test_a_lasting_refusal_to_hurry_is_told(center, sandbox, child):
    sandbox.faults.add(method="POST", path_contains="/cancel", status=429, times=None)
    with pytest.raises(Throttled):
        await center.cancel_azure(*child, ms_request_id=uuid4())
    assert sandbox.writes == []


async def test_an_unknown_azure_subscription_is_not_found(center, child):
    with pytest.raises(NotFound):
        await center.azure_child(*child[:2], str(uuid4()))
    with pytest.raises(NotFound):
        await center.cancel_azure(*child[:2], str(uuid4()), ms_request_id=uuid4())


async def test_a_plan_can_be_suspended_once_all_that_runs_in_it_has_stopped(center, sandbox, clock, child):
    customer, plan, _ = child
    for inside in await center.azure_children(customer, plan):
        await center.cancel_azure(customer, plan, inside.id, ms_request_id=uuid4())
    with pytest.raises(Rejected):
        await center.suspend(customer, plan, ms_request_id=uuid4())
    clock.at += timedelta(minutes=10)
    written = await center.suspend(customer, plan, ms_request_id=uuid4())
    assert written.subscription.status is SubscriptionStatus.SUSPENDED


@pytest.mark.parametrize("cloud", ["china"])
async def test_china_has_neither_the_log_nor_the_cancellation(center, sandbox, suspensions, child):
    with pytest.raises(FeatureMissing):
        await suspensions()
    with pytest.raises(NotFound):
        await center.cancel_azure(*child, ms_request_id=uuid4())
    assert sandbox.writes == []
