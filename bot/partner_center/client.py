"""PartnerCenter: one method per call we make."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Final, Literal, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from bot.domain.customer import Customer, CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.errors import FeatureMissing, NotFound, Rejected, Unavailable
from bot.domain.letter import BillingContact
from bot.partner_center import activity, wire
from bot.partner_center.answers import Sought
from bot.partner_center.cancellation import Cancellation, Cancelled
from bot.partner_center.change import NOT_SENT
from bot.partner_center.cloud import CloudHosts
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.fields import Unreadable
from bot.partner_center.status_change import StatusChange, Written
from bot.partner_center.wire import AzureEntitlement, Page, StatusRecord

__all__ = ["NOT_SENT", "AzureEntitlement", "Cancelled", "PartnerCenter", "Written"]

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_PAGES: Final = 2000
RECORDS_A_PAGE: Final = 500


class PartnerCenter:
    """The partner's own view of its customers at Microsoft.

    Reads raise `NotFound` or an `Upstream` error. `suspend`, `resume` and `cancel_azure` add one promise: every
    error means that the write was not taken, except a plain `Unavailable` (no subclass) whose reason is not
    `NOT_SENT`: then nobody knows yet, and only reading the subscription tells.
    """

    def __init__(
        self,
        *,
        cloud: CloudHosts,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        max_concurrency: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        locale: str = "en-US",
        write_timeout: float = 30.0,
    ) -> None:
        """`http` signs in by itself (`exchange.http_client(auth=SignIn(…))`) and is closed by its owner."""
        self._cloud = cloud
        self._now = now
        self._write_timeout = write_timeout
        self._sleep = sleep
        self._exchange = Exchange(
            http=http, max_concurrency=max_concurrency, now=now, sleep=sleep, jitter=jitter, locale=locale
        )

    async def sign_in(self) -> None:
        """Ask for one customer, to see that our credentials open the door; raises what stands in the way."""
        await self._page(self._call("/customers?size=1", Sought("customer", "")), wire.customer)

    async def customers(self, *, size: int = 500) -> AsyncIterator[Customer]:
        """Every customer, in pages of `size`. A list that cannot be read to its end raises."""
        async for customer in self._all(
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
        return list((await self._page(call, wire.customer)).values)

    async def customer(self, id: CustomerId) -> Customer:
        return await self._read(self._call(_customer(id), Sought("customer", id)), wire.customer)

    async def billing_profile(self, customer: CustomerId) -> BillingContact:
        """Whom to write to about bills, and in which language. Personal data."""
        call = self._call(f"{_customer(customer)}/profiles/billing", Sought("customer", customer))
        return await self._read(call, wire.billing_contact)

    async def subscriptions(self, customer: CustomerId) -> list[Subscription]:
        call = self._call(f"{_customer(customer)}/subscriptions", Sought("customer", customer))
        return [s async for s in self._all(call, partial(wire.subscription, customer=customer))]

    async def subscription(self, customer: CustomerId, id: SubscriptionId) -> Subscription:
        call = self._call(_subscription(customer, id), Sought("subscription", id))
        return await self._read(call, partial(wire.subscription, customer=customer))

    async def add_ons(self, customer: CustomerId, id: SubscriptionId) -> list[Subscription]:
        """The add-ons of a base subscription; they are suspended together with it."""
        call = self._call(f"{_subscription(customer, id)}/addons", Sought("subscription", id))
        return [s async for s in self._all(call, partial(wire.subscription, customer=customer))]

    async def azure_children(self, customer: CustomerId, plan: SubscriptionId) -> list[AzureEntitlement]:
        call = self._call(f"{_subscription(customer, plan)}/azureEntitlements", Sought("subscription", plan))
        return [e async for e in self._all(call, wire.azure_entitlement)]

    async def azure_child(self, customer: CustomerId, plan: SubscriptionId, id: str) -> AzureEntitlement:
        call = self._call(_entitlement(customer, plan, id), Sought("azure-subscription", id))
        return await self._read(call, partial(wire.one_azure_entitlement, id=id))

    async def suspensions(
        self, *, customer: CustomerId, since: date, until: date
    ) -> dict[SubscriptionId, datetime]:
        """When those of a customer's subscriptions were suspended that by the activity log still are.

        Only what happened from `since` to `until` (days in UTC, both included) and in the last 90 days. Raises
        `FeatureMissing` where the cloud has no such log.
        """
        wanted, records = _filter("CustomerId", customer, "equals"), list[StatusRecord]()
        for first, last in activity.windows(since, until, today=self._now().astimezone(UTC).date()):
            span = f"startDate={first}&endDate={last}&size={RECORDS_A_PAGE}"
            call = self._call(f"/auditrecords?{span}&filter={wanted}", Sought("customer", customer))
            try:
                async for record in self._all(call, partial(wire.status_record, customer=customer)):
                    if record is not None and since <= record.at.date() <= until:
                        records.append(record)
            except NotFound:  # of the log itself: a customer without records has an empty list
                raise FeatureMissing(
                    reason="no-activity-log", status=404, correlation_id=call.correlation_id
                ) from None
        return activity.suspended_since(records)

    async def suspend(self, customer: CustomerId, id: SubscriptionId, *, ms_request_id: UUID) -> Written:
        """Suspend, and look until it shows. When repeating after a crash give the same `ms_request_id`."""
        return await self._change(customer, id, SubscriptionStatus.SUSPENDED, ms_request_id)

    async def resume(self, customer: CustomerId, id: SubscriptionId, *, ms_request_id: UUID) -> Written:
        """Set active again; otherwise as `suspend`."""
        return await self._change(customer, id, SubscriptionStatus.ACTIVE, ms_request_id)

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
            sleep=self._sleep,
        )
        return await cancellation.run(timeout=self._write_timeout)

    async def _change(
        self, customer: CustomerId, id: SubscriptionId, wanted: SubscriptionStatus, ms_request_id: UUID
    ) -> Written:
        change = StatusChange(
            self._exchange,
            call=self._call(_subscription(customer, id), Sought("subscription", id)),
            customer=customer,
            subscription=id,
            wanted=wanted,
            request_id=ms_request_id,
            sleep=self._sleep,
        )
        return await change.run(timeout=self._write_timeout)

    def _call(self, path: str, sought: Sought) -> Call:
        return Call("GET", f"{self._cloud.api}/v1{path}", sought, correlation_id=str(uuid4()))

    async def _all(self, call: Call, read: Callable[[object], T]) -> AsyncIterator[T]:
        """Every item of a collection, page by page; a list without an end raises, lest it look complete."""
        first, tokens = call, set[str]()
        for _ in range(MOST_PAGES):
            page = await self._page(call, read)
            for value in page.values:
                yield value
            if page.next_uri is None:
                return
            if page.continuation_token is None:
                call = replace(call, url=self._at_home(page.next_uri, call), request_id=uuid4())
            elif page.continuation_token in tokens:
                break
            else:
                tokens.add(page.continuation_token)
                call = _seek(first, page.continuation_token)
        raise Unavailable(reason="endless-list", correlation_id=call.correlation_id)

    async def _page(self, call: Call, read: Callable[[object], T]) -> Page[T]:
        page = await self._read(call, partial(wire.page, read=read))
        if page.broken:
            log.warning(
                "%s items could not be read and were left out, correlation id %s",
                page.broken,
                call.correlation_id,
            )
        return page

    async def _read(self, call: Call, read: Callable[[object], T]) -> T:
        answer = await self._exchange.read(call)
        try:
            return read(answer.value)
        except Unreadable as error:
            raise Unavailable(
                reason="unreadable", correlation_id=call.correlation_id, detail=str(error)
            ) from None

    def _at_home(self, uri: str, call: Call) -> str:
        try:
            return self._cloud.resolve(uri)
        except ValueError:
            raise Rejected(reason="foreign-link", correlation_id=call.correlation_id) from None


def _seek(first: Call, token: str) -> Call:
    """The next page by its token; the `uri` that comes with it is malformed in places, so it is not used."""
    joint = "&" if "?" in first.url else "?"
    return replace(
        first,
        url=f"{first.url}{joint}seekOperation=Next",
        headers={"MS-ContinuationToken": token},
        request_id=uuid4(),
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
