"""PartnerCenter: one method per call we make."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Final, Literal, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from bot import correlation
from bot.domain.customer import Customer, CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.letter import BillingContact
from bot.domain.observation import Operation, OrderPlaced, Spent, VendorAlert
from bot.domain.ticket import VendorState
from bot.domain.vendor import FraudUpdate
from bot.partner_center import activity, fraud, risk_wire, service_requests, wire
from bot.partner_center.answers import Sought
from bot.partner_center.cancellation import Cancellation, Cancelled
from bot.partner_center.change import NOT_SENT
from bot.partner_center.cloud import CloudHosts
from bot.partner_center.exchange import LONGEST_ANSWER, Call, Exchange
from bot.partner_center.pace import Pace
from bot.partner_center.reading import Reads, of_a_part
from bot.partner_center.status_change import StatusChange, Written
from bot.partner_center.wire import AzureEntitlement, StatusRecord

__all__ = ["NOT_SENT", "AzureEntitlement", "Cancelled", "PartnerCenter", "Written"]

T = TypeVar("T")

RECORDS_A_PAGE: Final = 500


class PartnerCenter:
    """The partner's own view of its customers at Microsoft.

    Reads raise `NotFound` or an `Upstream` error. What is read piece by piece (an `AsyncIterator`) may raise half-way:
    whatever it gave until then was read and stands, only the rest is missing. `FeatureMissing` where the cloud has no
    such thing at all.

    `suspend`, `resume` and `cancel_azure` add one promise: every error means that the write was not taken, except a
    plain `Unavailable` (no subclass) whose reason is not `NOT_SENT`: then nobody knows yet, and only reading the
    subscription tells.
    """

    def __init__(
        self,
        *,
        cloud: CloudHosts,
        http: httpx.AsyncClient,
        as_user: httpx.AsyncClient | None = None,
        now: Callable[[], datetime],
        max_concurrency: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        locale: str = "en-US",
        write_timeout: float = 30.0,
        longest_answer: float = LONGEST_ANSWER,
    ) -> None:
        """`http` signs in by itself (`exchange.http_client(auth=SignIn(…))`) and is closed by its owner.

        So does `as_user`, as App+User. Without it, calls that demand one are made app-only, and Microsoft refuses them.
        """
        self._cloud = cloud
        self._now = now
        self._write_timeout = write_timeout
        self._exchange = Exchange(
            http=http,
            as_user=as_user,
            max_concurrency=max_concurrency,
            now=now,
            sleep=sleep,
            jitter=jitter,
            locale=locale,
            longest_answer=longest_answer,
        )
        self._reads = Reads(self._exchange, resolve=cloud.resolve)
        self._unhurried = False

    @property
    def unhurried(self) -> PartnerCenter:
        """The same, for what nobody waits for: calls of everybody else go first."""
        other = copy(self)
        other._unhurried = True
        return other

    @property
    def pace(self) -> Pace:
        """How many calls go out at once, and what Microsoft said to that."""
        return self._exchange.pace

    @property
    def answered(self) -> Mapping[str, int]:
        """How often each kind of answer came, see `Exchange`."""
        return self._exchange.answered

    async def sign_in(self) -> None:
        """Ask for one customer, to see that our credentials open the door; raises what stands in the way."""
        await self._reads.page(self._call("/customers?size=1", Sought("customer", "")), wire.customer)

    async def customers(self, *, size: int = 500) -> AsyncIterator[Customer]:
        """Every customer, in pages of `size`. A list that cannot be read to its end raises."""
        async for customer in self._reads.all(
            self._call(f"/customers?size={size}", Sought("customer", "")), wire.customer
        ):
            yield customer

    async def search_customers(
        self, prefix: str, *, field: Literal["CompanyName", "Domain"] = "CompanyName", size: int = 25
    ) -> list[Customer]:
        """The first customers whose name or domain starts so, in any case; there is no other search."""
        call = self._call(
            f"/customers?size={size}&filter={_filter(field, prefix, 'starts_with')}",
            Sought("customer", prefix),
        )
        return list((await self._reads.page(call, wire.customer)).values)

    async def customer(self, id: CustomerId) -> Customer:
        return await self._reads.one(self._call(_customer(id), Sought("customer", id)), wire.customer)

    async def billing_profile(self, customer: CustomerId) -> BillingContact:
        """Whom to write to about bills, and in which language. Personal data."""
        call = self._call(f"{_customer(customer)}/profiles/billing", Sought("customer", customer))
        return await self._reads.one(call, wire.billing_contact)

    async def subscriptions(self, customer: CustomerId) -> list[Subscription]:
        call = self._call(f"{_customer(customer)}/subscriptions", Sought("customer", customer))
        return [s async for s in self._reads.all(call, partial(wire.subscription, customer=customer))]

    async def subscription(self, customer: CustomerId, id: SubscriptionId) -> Subscription:
        call = self._call(_subscription(customer, id), Sought("subscription", id))
        return await self._reads.one(call, partial(wire.subscription, customer=customer))

    async def add_ons(self, customer: CustomerId, id: SubscriptionId) -> list[Subscription]:
        """The add-ons of a base subscription; they are suspended together with it."""
        call = self._call(f"{_subscription(customer, id)}/addons", Sought("subscription", id))
        return [s async for s in self._reads.all(call, partial(wire.subscription, customer=customer))]

    async def azure_children(self, customer: CustomerId, plan: SubscriptionId) -> list[AzureEntitlement]:
        call = self._call(f"{_subscription(customer, plan)}/azureEntitlements", Sought("subscription", plan))
        return [e async for e in self._reads.all(call, wire.azure_entitlement)]

    async def azure_child(self, customer: CustomerId, plan: SubscriptionId, id: str) -> AzureEntitlement:
        call = self._call(_entitlement(customer, plan, id), Sought("azure-subscription", id))
        return await self._reads.one(call, partial(wire.one_azure_entitlement, id=id))

    async def suspensions(
        self, *, customer: CustomerId, since: date, until: date
    ) -> dict[SubscriptionId, datetime]:
        """When those of a customer's subscriptions were suspended that by the activity log still are.

        Only what happened from `since` to `until` (days in UTC, both included) and in the last 90 days. Raises
        `FeatureMissing` where the cloud has no such log.
        """
        wanted, records = _filter("CustomerId", customer, "equals"), list[StatusRecord]()
        read = partial(wire.status_record, customer=customer)
        sought = Sought("customer", customer)
        async for record in self._log(since, until, read, f"&filter={wanted}", sought):
            if record is not None and since <= record.at.date() <= until:
                records.append(record)
        return activity.suspended_since(records)

    async def operations(self, since: date, until: date) -> AsyncIterator[Operation]:
        """Each record of the activity log once, of all customers and of the partner's own side.

        Only what happened from `since` to `until` (days in UTC, both included) and in the last 90 days; by days in
        order, within them as Microsoft lists. Raises `FeatureMissing` where the cloud has no such log.
        """
        known, read = set[str](), partial(risk_wire.operation, now=self._now())
        async for record in self._log(since, until, read, "", Sought("customer", "")):
            if since <= record.at.date() <= until and record.id not in known:
                known.add(record.id)
                yield record

    async def orders(self, customer: CustomerId) -> AsyncIterator[OrderPlaced]:
        """All orders of a customer that somebody placed; those are left out that Microsoft's system made to renew."""
        call = self._call(f"{_customer(customer)}/orders", Sought("customer", customer))
        read = partial(risk_wire.order, customer=customer, now=self._now())
        async for order in self._reads.all(call, read):
            if order is not None:
                yield order

    async def spent(self) -> AsyncIterator[Spent]:
        """What each customer's Azure usage comes to until now: one call for all of them. Needs App+User."""
        call = self._call("/customers/usagerecords", Sought("customer", ""), as_user=True)
        records = self._reads.all(call, partial(risk_wire.spent, now=self._now()))
        async for record in of_a_part(records, call, named="usage"):
            yield record

    async def fraud_events(self) -> AsyncIterator[VendorAlert]:
        """All fraud events of Azure, resolved ones and tests too. Needs App+User.

        In the newer model where Microsoft answers in it, else in the first, which tells neither type nor severity.
        """
        call = self._call("/fraudEvents", Sought("customer", ""), as_user=True)
        async for event in of_a_part(
            fraud.events(self._reads, call, now=self._now()), call, named="fraud-events"
        ):
            yield event

    async def resolve_fraud_events(self, update: FraudUpdate) -> None:
        """Tell Microsoft what came of them: it only marks the events. Needs App+User. May be sent again.

        Raises `Rejected` where all the ids are ours: an event that came without one cannot be named to Microsoft.
        """
        path = f"/fraudEvents/subscription/{quote(update.subscription_id, safe='')}/status"
        call = self._call(path, Sought("subscription", update.subscription_id), as_user=True)
        await self._exchange.read(fraud.told(update, call))

    async def service_request(self, number: str) -> VendorState:
        """What Microsoft has of it by now. As App+User where there is one."""
        return await self._reads.one(
            self._service_request(number), partial(service_requests.state, number=number)
        )

    async def add_note(self, number: str, text: str) -> None:
        """Write on it. A plain `Unavailable` means that the note may be there all the same: look before repeating."""
        call = service_requests.to_note(self._service_request(number), text)
        await service_requests.written_once(self._exchange, call)

    async def close_service_request(self, number: str) -> None:
        """May be sent again."""
        await self._exchange.read(service_requests.to_close(self._service_request(number)))

    async def service_request_link(self, customer: CustomerId) -> str | None:
        """Where the first of the customer's managed services has tickets opened; None where that is not Microsoft's."""
        call = self._call(
            f"{_customer(customer)}/managedservices", Sought("customer", customer), as_user=True
        )
        read = partial(service_requests.ticket_link, portal=self._cloud.portal)
        return next((link for link in (await self._reads.page(call, read)).values if link), None)

    def _service_request(self, number: str) -> Call:
        call = self._call(
            f"/servicerequests/{quote(number, safe='')}", Sought("service-request", number), as_user=True
        )
        return replace(call, headers=service_requests.ORGANISATIONS)

    async def suspend(
        self,
        customer: CustomerId,
        id: SubscriptionId,
        *,
        ms_request_id: UUID,
        as_confirmed: str | None = None,
    ) -> Written:
        """Suspend, and look until it shows. When repeating after a crash give the same `ms_request_id`.

        `as_confirmed` is the fingerprint a person agreed to: where the subscription has another one, and is not as
        wanted already, nothing is sent, and Conflict says so. None agrees to whatever it is.
        """
        return await self._change(customer, id, SubscriptionStatus.SUSPENDED, ms_request_id, as_confirmed)

    async def resume(
        self,
        customer: CustomerId,
        id: SubscriptionId,
        *,
        ms_request_id: UUID,
        as_confirmed: str | None = None,
    ) -> Written:
        """Set active again; otherwise as `suspend`."""
        return await self._change(customer, id, SubscriptionStatus.ACTIVE, ms_request_id, as_confirmed)

    async def cancel_azure(
        self, customer: CustomerId, plan: SubscriptionId, id: str, *, ms_request_id: UUID
    ) -> Cancelled:
        """Shut an Azure subscription down because it is compromised; there is no way back in this API.

        That it shows takes Microsoft about ten minutes: poll `azure_child`. When repeating after a crash give
        the same `ms_request_id`.
        """
        cancellation = Cancellation(
            self._exchange,
            call=self._call(_entitlement(customer, plan, id), Sought("azure-subscription", id)),
            entitlement=id,
            request_id=ms_request_id,
        )
        return await cancellation.run(timeout=self._write_timeout)

    async def _change(
        self,
        customer: CustomerId,
        id: SubscriptionId,
        wanted: SubscriptionStatus,
        ms_request_id: UUID,
        as_confirmed: str | None,
    ) -> Written:
        change = StatusChange(
            self._exchange,
            call=self._call(_subscription(customer, id), Sought("subscription", id)),
            customer=customer,
            subscription=id,
            wanted=wanted,
            as_confirmed=as_confirmed,
            request_id=ms_request_id,
        )
        return await change.run(timeout=self._write_timeout)

    async def _log(
        self, since: date, until: date, read: Callable[[object], T], rest: str, sought: Sought
    ) -> AsyncGenerator[T, None]:
        """What the activity log has of a span, window by window; some of it twice, and more than was asked for."""
        for first, last in activity.windows(since, until, today=self._now().astimezone(UTC).date()):
            span = f"startDate={first}&endDate={last}&size={RECORDS_A_PAGE}"
            call = self._call(f"/auditrecords?{span}{rest}", sought)
            # A customer without records has an empty list.
            async for record in of_a_part(self._reads.all(call, read), call, named="activity-log"):
                yield record

    def _call(self, path: str, sought: Sought, *, as_user: bool = False) -> Call:
        url = f"{self._cloud.api}/v1{path}"
        return Call(
            "GET",
            url,
            sought,
            correlation_id=correlation.current() or str(uuid4()),
            as_user=as_user,
            unhurried=self._unhurried,
        )


def _customer(id: CustomerId) -> str:
    return f"/customers/{quote(id, safe='')}"


def _subscription(customer: CustomerId, id: SubscriptionId) -> str:
    return f"{_customer(customer)}/subscriptions/{quote(id, safe='')}"


def _entitlement(customer: CustomerId, plan: SubscriptionId, id: str) -> str:
    return f"{_subscription(customer, plan)}/azureEntitlements/{quote(id, safe='')}"


def _filter(field: str, value: str, operator: str) -> str:
    wanted = {"Field": field, "Value": value, "Operator": operator}
    return quote(json.dumps(wanted, separators=(",", ":")), safe="")
