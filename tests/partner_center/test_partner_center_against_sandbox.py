"""The client against the sandbox Partner Center, over real HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import AccessDenied, Conflict, NotFound, Rejected, SignInFailed, Throttled, Unavailable
from bot.partner_center.auth import AppRegistration, SignIn
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import hosts_of
from bot.partner_center.exchange import http_client
from bot.sandbox.partner_center import PartnerCenterSandbox

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["global", "china", "usgov"])
async def sandbox(request):
    sandbox = PartnerCenterSandbox(now=lambda: noon, cloud=request.param, page_size=7)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def connect(sandbox, sleeps):
    clients = [authority := http_client()]

    def build(*, secret: str | None = None, refresh_token: str | None = None, **options) -> PartnerCenter:
        cloud = hosts_of(Cloud(sandbox.cloud), base_url=sandbox.base_url, authority_url=sandbox.authority_url)
        app = AppRegistration(sandbox.tenant_id, sandbox.client_id, secret or sandbox.client_secret)
        sign_in = SignIn(cloud=cloud, app=app, http=authority, now=lambda: noon, refresh_token=refresh_token)
        clients.append(http := http_client(auth=sign_in))
        return PartnerCenter(cloud=cloud, http=http, now=lambda: noon, sleep=sleeps, **options)

    yield build
    await asyncio.gather(*(client.aclose() for client in clients))


@pytest.fixture
def center(connect):
    return connect()


@pytest.fixture
def contoso(sandbox):
    """A customer, and its legacy seat: the kind with an etag."""
    customer = sandbox.customer("Contoso Ltd")
    seat = next(s for s in customer.subscriptions if s.quantity == 48)
    return CustomerId(customer.id), SubscriptionId(seat.id)


async def test_every_customer_is_listed_once(center, sandbox):
    listed = [customer.id async for customer in center.customers(size=7)]
    assert sorted(listed) == sorted(customer.id.lower() for customer in sandbox.customers)


async def test_every_subscription_is_read(center, sandbox):
    for held in sandbox.customers:
        if held.relationship == "reseller":
            read = await center.subscriptions(CustomerId(held.id))
            bases = {s.id.lower() for s in held.subscriptions}
            assert {s.id for s in read} <= bases
            assert read or not bases


async def test_customers_are_found_by_the_start_of_their_name(center):
    names = {customer.name for customer in await center.search_customers("contoso")}
    assert "Contoso Ltd" in names


async def test_a_suspension_and_its_end(center, sandbox, contoso):
    suspended = await center.suspend(*contoso, ms_request_id=uuid4())
    assert (suspended.subscription.status, suspended.changed, suspended.confirmed) == (
        SubscriptionStatus.SUSPENDED,
        True,
        True,
    )
    assert sandbox.subscription(contoso[1]).status == "suspended"
    resumed = await center.resume(*contoso, ms_request_id=uuid4())
    assert resumed.subscription.status is SubscriptionStatus.ACTIVE
    assert len(sandbox.writes) == 2


async def test_every_kind_that_can_be_suspended_is_taken(center, sandbox):
    customer = sandbox.customer("Contoso Ltd")
    for held in customer.subscriptions:
        if held.status == "active":
            assert (
                await center.suspend(CustomerId(customer.id), SubscriptionId(held.id), ms_request_id=uuid4())
            ).confirmed


async def test_a_suspension_whose_answer_is_lost_happens_once(center, sandbox, contoso):
    sandbox.faults.lose_answer(method="PATCH")
    written = await center.suspend(*contoso, ms_request_id=uuid4())
    assert (written.changed, written.confirmed, len(sandbox.writes)) == (True, True, 1)


async def test_a_throttled_suspension_is_sent_again_under_the_same_request_id(
    center, sandbox, contoso, sleeps
):
    sandbox.faults.add(method="PATCH", status=429, headers={"Retry-After": "57"})
    request_id = uuid4()
    await center.suspend(*contoso, ms_request_id=request_id)
    assert [write.request_id for write in sandbox.writes] == [str(request_id)]
    assert 57 <= sleeps[0] <= 58


async def test_a_stale_etag_is_refreshed_when_nothing_else_changed(center, sandbox, contoso):
    sandbox.faults.change_meanwhile()
    assert (await center.suspend(*contoso, ms_request_id=uuid4())).confirmed


async def test_a_subscription_that_changed_meanwhile_is_left_alone(center, sandbox, contoso):
    sandbox.faults.change_meanwhile(quantity=49)
    with pytest.raises(Conflict):
        await center.suspend(*contoso, ms_request_id=uuid4())
    assert sandbox.writes == []


async def test_a_repetition_after_a_crash_writes_nothing_more(center, sandbox, contoso):
    request_id = uuid4()
    await center.suspend(*contoso, ms_request_id=request_id)
    assert not (await center.suspend(*contoso, ms_request_id=request_id)).changed
    assert len(sandbox.writes) == 1


async def test_tokens_that_end_early_are_renewed(center, sandbox, contoso):
    await center.customer(contoso[0])
    sandbox.expire_tokens()
    assert (await center.suspend(*contoso, ms_request_id=uuid4())).confirmed


async def test_signing_in_works(center, connect, sandbox):
    await center.sign_in()
    await connect(refresh_token=sandbox.refresh_token).sign_in()


async def test_loopback_is_not_reached_by_the_proxy(monkeypatch, connect):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await connect().sign_in()


async def test_a_redirect_is_not_followed(center, sandbox):
    sandbox.faults.add(method="GET", status=302, headers={"Location": f"{sandbox.base_url}/v1/customers"})
    await center.sign_in()
    assert [seen.status for seen in sandbox.requests if seen.method == "GET"] == [302, 200]
    assert sandbox.requests[-1].query == {"size": "1"}


async def test_signing_in_with_a_wrong_secret_fails(connect):
    with pytest.raises(SignInFailed) as failed:
        await connect(secret="wrong").sign_in()
    assert failed.value.reason == "invalid_client"


async def test_a_spent_refresh_token_is_refused(connect, sandbox):
    spent = sandbox.refresh_token
    await connect(refresh_token=spent).sign_in()
    with pytest.raises(SignInFailed) as failed:
        await connect(refresh_token=spent).sign_in()
    assert failed.value.reason == "invalid_grant"


async def test_an_unknown_subscription_is_not_found(center, contoso):
    with pytest.raises(NotFound):
        await center.suspend(contoso[0], SubscriptionId(str(uuid4())), ms_request_id=uuid4())


async def test_a_customer_of_somebody_else_is_out_of_reach(center, sandbox):
    foreign = next(c for c in sandbox.customers if c.relationship != "reseller")
    with pytest.raises(AccessDenied) as denied:
        await center.subscriptions(CustomerId(foreign.id))
    assert denied.value.correlation_id == sandbox.requests[-1].headers["MS-CorrelationId"]


async def test_an_azure_plan_with_active_children_is_refused(center, sandbox):
    customer, plan = next(
        (customer, held)
        for customer in sandbox.customers
        for held in customer.subscriptions
        if any(child.status == "active" for child in held.azure_subscriptions)
    )
    at = CustomerId(customer.id), SubscriptionId(plan.id)
    with pytest.raises(Rejected) as rejected:
        await center.suspend(*at, ms_request_id=uuid4())
    assert rejected.value.reason == "900115"
    assert {child.id for child in await center.azure_children(*at)} == {
        c.id.lower() for c in plan.azure_subscriptions
    }


async def test_a_lasting_refusal_to_hurry_is_told(center, sandbox, contoso):
    sandbox.faults.add(method="PATCH", status=429, headers={"Retry-After": "1"}, times=None)
    with pytest.raises(Throttled):
        await center.suspend(*contoso, ms_request_id=uuid4())
    assert sandbox.writes == []


async def test_a_lasting_server_error_leaves_the_outcome_open(center, sandbox, contoso):
    sandbox.faults.add(method="PATCH", status=500, times=None)
    with pytest.raises(Unavailable) as unavailable:
        await center.suspend(*contoso, ms_request_id=uuid4())
    assert type(unavailable.value) is Unavailable


async def test_the_billing_contact_is_read(center, sandbox, contoso):
    held = sandbox.customer("Contoso Ltd")
    contact = await center.billing_profile(contoso[0])
    assert (contact.email, contact.name) == (
        held.contact.email,
        f"{held.contact.first_name} {held.contact.last_name}",
    )
    assert contact.language == held.culture


async def test_the_billing_contact_of_nobody_is_not_found(center):
    with pytest.raises(NotFound):
        await center.billing_profile(CustomerId("00000000-0000-4000-8000-000000000000"))
