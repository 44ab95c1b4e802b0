"""What Microsoft tells of risk, read from and told to the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import AccessDenied, BackstopError, FeatureMissing, NotFound, SignInFailed
from bot.domain.vendor import AlertUpdate, FraudUpdate, Outcome
from bot.partner_center.auth import AppRegistration, SignIn
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import CloudHosts, hosts_of
from bot.partner_center.exchange import http_client
from bot.partner_center.graph import Graph
from bot.sandbox.partner_center import PartnerCenterSandbox, plant, plant_past

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
T = TypeVar("T")


async def gathered(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


async def refused(items: AsyncIterator[Any]) -> type[BackstopError]:
    with pytest.raises(BackstopError) as error:
        await gathered(items)
    return type(error.value)


def sandbox_of(cloud: str) -> PartnerCenterSandbox:
    return PartnerCenterSandbox(now=lambda: NOON, cloud=cloud, page_size=2)  # type: ignore[arg-type]


def hosts(far_side: PartnerCenterSandbox) -> CloudHosts:
    return hosts_of(
        Cloud(far_side.cloud),
        base_url=far_side.base_url,
        authority_url=far_side.authority_url,
        graph_url=far_side.graph_url,
    )


class Desk:
    """Both clients of one sandbox."""

    def __init__(self, far_side: PartnerCenterSandbox, ends: AsyncExitStack, *, with_user: bool) -> None:
        self._cloud, self._far_side, self._ends = hosts(far_side), far_side, ends
        self._authority = self._kept(http_client())
        user = self._signed_in(refresh_token=far_side.refresh_token) if with_user else None
        self.center = PartnerCenter(
            cloud=self._cloud, http=self._signed_in(), as_user=user, now=lambda: NOON, sleep=at_once
        )
        graph = self._signed_in(resource=self._cloud.graph)
        self.graph = Graph(cloud=self._cloud, http=graph, now=lambda: NOON, sleep=at_once)

    def _signed_in(self, **how: Any) -> Any:
        far_side = self._far_side
        app = AppRegistration(far_side.tenant_id, far_side.client_id, far_side.client_secret)
        sign_in = SignIn(cloud=self._cloud, app=app, http=self._authority, now=lambda: NOON, **how)
        return self._kept(http_client(auth=sign_in))

    def _kept(self, client: Any) -> Any:
        self._ends.push_async_callback(client.aclose)
        return client


async def at_once(_seconds: float) -> None:
    """Stands for sleeping."""


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def sandbox(ends: AsyncExitStack) -> PartnerCenterSandbox:
    return await started(ends, "global")


async def started(ends: AsyncExitStack, cloud: str) -> PartnerCenterSandbox:
    far_side = sandbox_of(cloud)
    await far_side.start()
    ends.push_async_callback(far_side.stop)
    return far_side


@pytest.fixture
def desk(sandbox: PartnerCenterSandbox, ends: AsyncExitStack) -> Desk:
    return Desk(sandbox, ends, with_user=True)


async def test_orders_tell_what_was_bought_when(sandbox, desk):
    long_ago = NOON - timedelta(days=30)
    sandbox.place_order("Contoso", "Visio Plan 2 Trial", 25, at=long_ago, trial=True)
    sandbox.place_order("Contoso", "Microsoft 365 E5", 300)
    contoso = CustomerId(sandbox.customer("Contoso").id)
    orders = await gathered(desk.center.orders(contoso))
    older, newer = orders[-2:]
    assert (older.at, older.trials, older.quantity, older.total) == (long_ago, 1, 0, Decimal(0))
    assert (newer.at, newer.trials, newer.quantity) == (NOON, 0, 300)
    assert (newer.total, newer.currency) == (Decimal("3750.0"), "USD")


async def test_the_log_tells_what_was_done(sandbox, desk):
    sandbox.log_deed("add_application_credential", "Reporting", resource_type="application")
    sandbox.log_deed(
        "add_user_member", "Role", resource_type="role", customer="Contoso", status="failed", has_id=False
    )
    seat = sandbox.customer("Contoso").subscriptions[0]
    sandbox.set_quantity(seat.id, 400, at=NOON - timedelta(days=45))
    done = await gathered(desk.center.operations(TODAY - timedelta(days=60), TODAY))
    told = {operation.operation: operation for operation in done}
    assert told["add_application_credential"].customer_id is None
    assert told["add_application_credential"].resource == "application Reporting"
    assert told["add_user_member"].customer_id == sandbox.customer("Contoso").id
    assert (told["add_user_member"].status, told["add_user_member"].id[:8]) == ("failed", "content-")
    assert NOON - timedelta(days=45) in {o.at for o in done if o.operation == "update_subscription"}
    again = await gathered(desk.center.operations(TODAY - timedelta(days=60), TODAY))
    assert [operation.id for operation in again] == [operation.id for operation in done]


async def test_spend_is_told_for_all(sandbox, desk):
    sandbox.spend("Woodgrove", "18420.75", budget=2000)
    sandbox.spend("Contoso", 5, currency="EUR", extra={"currencyCode": None, "currencyLocale": "fr-FR"})
    spent = {spent.customer_id: spent for spent in await gathered(desk.center.spent())}
    bank, contoso = (spent[sandbox.customer(name).id] for name in ("Woodgrove", "Contoso"))
    assert (bank.amount, bank.budget, bank.currency) == (Decimal("18420.75"), Decimal(2000), "USD")
    assert (contoso.amount, contoso.budget, contoso.currency) == (Decimal(5), None, "EUR")
    assert spent[sandbox.customer("Fabrikam").id].amount == 0, "whoever has Azure is listed"


@pytest.mark.parametrize("newer", [True, False], ids=["newer model", "first model"])
async def test_fraud_events_and_what_came_of_them(sandbox, desk, newer):
    sandbox.risk.has_new_model = newer
    event = sandbox.fraud_event("Woodgrove", hits=31, resources=("vm-1",))
    sandbox.fraud_event("Tailspin", "UsageAnomalyDetection", is_test=True)
    sandbox.suspicions.odd_items += [None, "x", {"eventType": "New"}]
    first, second, odd = await gathered(desk.center.fraud_events())
    assert (first.id, first.customer_id, first.hits) == (event.id, event.customer.id, 31)
    assert (first.at, first.status, first.resources) == (NOON, "active", ("vm-1",))
    assert (first.type, second.is_test) == ((event.type, True) if newer else ("", False))
    assert odd.customer_id == ""

    await desk.center.resolve_fraud_events(
        FraudUpdate(SubscriptionId(event.subscription_id), (event.id,), Outcome.FRAUD)
    )
    assert [(e.status, e.reason) for e in sandbox.suspicions.events] == [
        ("Resolved", "Fraud"),
        ("Active", "None"),
    ]


async def test_more_fraud_events_than_a_page_holds(sandbox, desk):
    for _ in range(230):
        sandbox.fraud_event("Woodgrove")
    assert len(await gathered(desk.center.fraud_events())) == 230
    asked = [seen for seen in sandbox.requests if seen.path == "/v1/fraudEvents"]
    assert len(asked) == 4  # the last one brings nothing


async def test_alerts_and_what_came_of_them(sandbox, desk):
    made = [sandbox.security_alert("Woodgrove", is_test=n == 4) for n in range(5)]
    alerts = await gathered(desk.graph.security_alerts())
    assert [alert.id for alert in alerts] == [alert.id for alert in made]
    assert [alert.is_test for alert in alerts] == [False] * 4 + [True]
    await desk.graph.update_alert(AlertUpdate(made[1].id, Outcome.LEGITIMATE))
    assert [(a.status, a.reason) for a in sandbox.suspicions.alerts[:2]] == [
        ("active", None),
        ("resolved", "legitimate"),
    ]
    with pytest.raises(NotFound):
        await desk.graph.update_alert(AlertUpdate("nobody", Outcome.FRAUD))


async def test_without_a_user_only_what_needs_one_is_refused(sandbox, ends):
    desk = Desk(sandbox, ends, with_user=False)
    assert await refused(desk.center.fraud_events()) is AccessDenied
    assert await refused(desk.center.spent()) is AccessDenied
    assert await gathered(desk.center.orders(CustomerId(sandbox.customer("Contoso").id)))
    assert await gathered(desk.graph.security_alerts()) == []


async def test_a_refresh_token_that_is_refused_stops_only_what_needs_a_user(sandbox, ends):
    desk = Desk(sandbox, ends, with_user=True)
    other = Desk(sandbox, ends, with_user=True)
    await gathered(other.center.fraud_events())  # it has used up the token both were given
    assert await refused(desk.center.fraud_events()) is SignInFailed
    assert await refused(desk.center.spent()) is SignInFailed
    assert await gathered(desk.center.orders(CustomerId(sandbox.customer("Contoso").id)))
    assert await gathered(desk.graph.security_alerts()) == []
    await desk.center.sign_in()


async def test_the_tokens_of_the_two_are_not_mixed(sandbox, desk):
    """The sandbox takes a token of one for the other's no more than Microsoft does."""
    await desk.center.sign_in()
    await gathered(desk.graph.security_alerts())
    assert [seen.status for seen in sandbox.requests] == [200] * len(sandbox.requests)


@pytest.mark.parametrize("with_user", [True, False])
async def test_21vianet_has_orders_and_nothing_else(ends, with_user):
    sandbox = await started(ends, "china")
    desk = Desk(sandbox, ends, with_user=with_user)
    assert await refused(desk.center.fraud_events()) is FeatureMissing
    assert await refused(desk.center.spent()) is FeatureMissing
    assert await refused(desk.center.operations(TODAY, TODAY)) is FeatureMissing
    assert await refused(desk.graph.security_alerts()) is FeatureMissing
    assert await gathered(desk.center.orders(CustomerId(sandbox.customer("Contoso").id)))


async def test_the_government_cloud_has_neither_fraud_events_nor_alerts(ends):
    desk = Desk(await started(ends, "usgov"), ends, with_user=True)
    assert await refused(desk.center.fraud_events()) is FeatureMissing
    assert await refused(desk.graph.security_alerts()) is FeatureMissing
    assert await gathered(desk.center.spent())
    assert await gathered(desk.center.operations(TODAY, TODAY)) == []


async def test_what_is_planted_can_be_seen(sandbox, desk):
    plant_past(sandbox, at=NOON)
    before = {s.customer_id: s.amount for s in await gathered(desk.center.spent())}
    plant(sandbox, at=NOON)
    messenger = CustomerId(sandbox.customer("Consolidated").id)
    night = [
        order
        for order in await gathered(desk.center.orders(messenger))
        if order.at > NOON - timedelta(days=1)
    ]
    assert (len(night), sum(order.trials for order in night)) == (8, 6)
    nod = sandbox.customer("Nod")
    assert nod.subscriptions[0].quantity == 400
    bank = sandbox.customer("Woodgrove").id
    spent = {s.customer_id: s for s in await gathered(desk.center.spent())}
    assert spent[bank].amount > 10 * before[bank]
    events = await gathered(desk.center.fraud_events())
    assert [(event.customer_id == bank, event.is_test) for event in events] == [(True, False), (False, True)]
    assert [alert.customer_id for alert in await gathered(desk.graph.security_alerts())] == [bank]
    done = await gathered(desk.center.operations(TODAY - timedelta(days=89), TODAY))
    assert "add_application_credential" in {operation.operation for operation in done}
