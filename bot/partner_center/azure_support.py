"""AzureSupport: tickets of Azure's own, through Azure Resource Manager, on behalf of a customer.

learn.microsoft.com/rest/api/support, and github.com/Azure/azure-rest-api-specs for Microsoft.Support 2024-04-01. The
name of a ticket is ours, so that opening it again finds the same one.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from bot import correlation
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import Conflict, NotFound, Rejected, SignInFailed, Unavailable, Upstream
from bot.domain.ticket import Ticket, VendorNote, VendorState
from bot.partner_center import azure_wire
from bot.partner_center.answers import Answer, Sought, seconds_to_wait
from bot.partner_center.azure_wire import OURS, AzureState
from bot.partner_center.cloud import CloudHosts
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.fields import Fields
from bot.partner_center.reading import Reads

API_VERSION: Final = "2024-04-01"
MOST_CUSTOMERS: Final = 50
"""So many customers' sign-ins are kept; whoever was asked about longest ago is signed in to anew."""
MOST_LOOKS: Final = 15
"""So often it is asked what has become of a write that takes its time …"""
USUAL_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 10.0
PATIENCE_SECONDS: Final = 60.0
"""… and so long a write may take with all its looks."""
MOST_NOTE_PAGES: Final = 20
"""Pages of ten."""
CHOICES_LAST: Final = timedelta(hours=1)
_SUPPORT: Final = "/providers/Microsoft.Support"
_SERVICE: Final = re.compile(r"/providers/Microsoft\.Support/services/[A-Za-z0-9_-]{1,100}", re.IGNORECASE)
_OVER: Final = frozenset({"failed", "canceled", "cancelled"})

T = TypeVar("T")

Choices = tuple[tuple[str, str], ...]


class AzureSupport:
    """Every error is an `Upstream` of the system `azure`, or `NotFound` for a ticket that is not there.

    `Rejected` with one of our own reasons says that nobody has said what Azure demands: `no-contact`, `no-phone` (for
    a critical one), `no-country`, `no-problem`.
    """

    def __init__(
        self,
        *,
        cloud: CloudHosts,
        http: httpx.AsyncClient,
        sign_in_to: Callable[[CustomerId], httpx.Auth],
        contact: str,
        country: str,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        max_concurrency: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        locale: str = "en-US",
    ) -> None:
        """`http` signs in to the partner's own tenant and is closed by its owner; `sign_in_to` to a customer's.

        `contact` is whom Microsoft may call, unless the ticket names somebody: see `contact_person`.
        """
        self._cloud = cloud
        self._sign_in_to = sign_in_to
        self._contact = contact
        self._country = country
        self._zone = zone
        self._now = now
        self._sleep = sleep
        self._exchange = Exchange(
            http=http, max_concurrency=max_concurrency, now=now, sleep=sleep, jitter=jitter, locale=locale
        )
        self._reads = Reads(self._exchange, resolve=cloud.resolve_arm)
        self._customers = OrderedDict[str, httpx.Auth]()
        self._choices: dict[str, tuple[datetime, Choices]] = {}

    async def services(self) -> Choices:
        """Every Azure service that has support: resource id and name; an hour old at the most."""
        return await self._listed(f"{_SUPPORT}/services", "services")

    async def problems(self, service_id: str) -> Choices:
        """What can be wrong with it: resource id and name; an hour old at the most."""
        if not _SERVICE.fullmatch(service_id):
            raise Rejected(system="azure", reason="no-service")
        return await self._listed(f"{service_id}/problemClassifications", "problems")

    async def open(
        self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str, ticket: Ticket
    ) -> VendorState:
        """Open it, unless there is one of that name: that is taken as it is. May be done again.

        Raises `Unavailable` where it is not known yet whether it was opened, and no `NotFound`: without the
        subscription it is `Rejected`.
        """
        body = azure_wire.ticket_body(
            ticket, contact=self._contact, country=self._country, zone=self._zone, at=self._now()
        )
        async with self._as_azure(customer_id, patience=PATIENCE_SECONDS):
            call = self._ticket(customer_id, subscription_id, name)
            found = await self._found(call, name)
            if found is None:
                try:
                    await self._put(replace(call, method="PUT", body=body))
                except NotFound:
                    raise Rejected(reason="not-found", correlation_id=call.correlation_id) from None
                found = await self._found(call, name)
            if found is None:
                raise Unavailable(reason="not-there-yet", correlation_id=call.correlation_id)
            return found.state

    async def read(self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str) -> VendorState:
        async with self._as_azure(customer_id):
            call = self._ticket(customer_id, subscription_id, name)
            ticket = await self._reads.one(call, partial(azure_wire.ticket_state, name=name))
            return ticket.with_notes(await self._notes(self._within(call, "communications"), ticket))

    async def note(
        self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str, text: str
    ) -> None:
        """Write on it, as the ticket's own contact. It is sent under one name, so that it counts once."""
        async with self._as_azure(customer_id, patience=PATIENCE_SECONDS):
            call = self._ticket(customer_id, subscription_id, name)
            ticket = await self._reads.one(call, partial(azure_wire.ticket_state, name=name))
            body = azure_wire.note_body(text, sender=ticket.contact_email)
            note = self._within(call, f"communications/{OURS}{uuid4().hex}")
            await self._put(replace(note, method="PUT", body=body))

    async def close(self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str) -> None:
        """May be done again: one that is closed already stays so."""
        async with self._as_azure(customer_id, patience=PATIENCE_SECONDS):
            call = self._ticket(customer_id, subscription_id, name)
            try:
                await self._exchange.read(replace(call, method="PATCH", body=azure_wire.closing_body()))
            except (Conflict, Rejected):
                found = await self._found(call, name)
                if found is None or not found.state.is_closed:
                    raise

    async def _listed(self, path: str, what: str) -> Choices:
        known = self._choices.get(path)
        if known and self._now() < known[0] + CHOICES_LAST:
            return known[1]
        async with self._as_azure():
            call = self._call(path, Sought("azure-service", what))
            found = tuple([one async for one in self._pages(call, azure_wire.choice)])
        self._choices[path] = (self._now(), found)
        return found

    async def _notes(self, call: Call, ticket: AzureState) -> list[VendorNote]:
        read = partial(azure_wire.note, contact_email=ticket.contact_email)
        return [note async for note in self._pages(call, read, most=MOST_NOTE_PAGES)]

    async def _pages(self, call: Call, read: Callable[[object], T], *, most: int = 100) -> AsyncIterator[T]:
        """What a list has on its first pages; links lead to the next one, and never away from Azure."""
        for _ in range(most):
            page = await self._reads.listed(call, partial(azure_wire.page, read=read))
            for value in page.values:
                yield value
            if page.next_uri is None:
                return
            call = replace(call, url=self._reads.at_home(page.next_uri, call), request_id=uuid4())

    async def _found(self, call: Call, name: str) -> AzureState | None:
        try:
            look = replace(call, request_id=uuid4())
            return await self._reads.one(look, partial(azure_wire.ticket_state, name=name))
        except NotFound:
            return None

    async def _put(self, call: Call) -> None:
        """Make what has this name be there. An answer that was lost may have been a yes: a no is looked into."""
        try:
            answer = await self._exchange.read(call)
        except (Conflict, Rejected):
            try:
                await self._exchange.read(replace(call, method="GET", body=None, request_id=uuid4()))
            except NotFound:
                pass
            else:
                return
            raise
        if answer.status == HTTPStatus.ACCEPTED:
            await self._followed(answer, call)

    async def _followed(self, answer: Answer, call: Call) -> None:
        """Wait until Azure says what has become of it; it is asked nowhere else.

        learn.microsoft.com/azure/azure-resource-manager/management/async-operations
        """
        link = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        if not link:
            return
        try:
            url = self._cloud.resolve_arm(link)
        except ValueError:
            raise Unavailable(reason="foreign-link", correlation_id=call.correlation_id) from None
        for _ in range(MOST_LOOKS):
            asked = seconds_to_wait(answer.headers.get("Retry-After"), now=self._now())
            await self._sleep(min(USUAL_PAUSE if asked is None else asked, LONGEST_PAUSE))
            look = replace(call, method="GET", url=url, body=None, request_id=uuid4())
            answer = await self._exchange.read(look)
            if _is_over(answer, call):
                return
        raise Unavailable(reason="still-running", correlation_id=call.correlation_id)

    @asynccontextmanager
    async def _as_azure(
        self, customer_id: CustomerId | None = None, *, patience: float | None = None
    ) -> AsyncIterator[None]:
        """Say of every error whose it is; what takes longer than patience lasts is `Unavailable`."""
        try:
            async with asyncio.timeout(patience):
                yield
        except TimeoutError:
            raise Unavailable(system="azure", reason="timeout") from None
        except Upstream as error:
            if isinstance(error, SignInFailed) and customer_id is not None:
                self._customers.pop(customer_id, None)  # somebody may consent there meanwhile
            raise replace(error, system="azure") from error

    def _ticket(self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str) -> Call:
        path = f"/subscriptions/{quote(subscription_id, safe='')}{_SUPPORT}/supportTickets/{quote(name, safe='')}"
        call = self._call(path, Sought("service-request", name))
        return replace(call, auth=self._signed_in_to(customer_id))

    def _within(self, call: Call, path: str) -> Call:
        url, _, query = call.url.partition("?")
        return replace(call, url=f"{url}/{path}?{query}", request_id=uuid4())

    def _call(self, path: str, sought: Sought) -> Call:
        correlation_id = correlation.current() or str(uuid4())
        # learn.microsoft.com/azure/azure-resource-manager/management/resource-manager-debug-correlation
        headers = {
            "x-ms-correlation-request-id": correlation_id,
            "x-ms-client-request-id": str(uuid4()),
        }
        url = f"{self._cloud.arm}{path}?api-version={API_VERSION}"
        return Call("GET", url, sought, correlation_id, headers)

    def _signed_in_to(self, customer_id: CustomerId) -> httpx.Auth:
        auth = self._customers.get(customer_id) or self._sign_in_to(customer_id)
        self._customers[customer_id] = auth
        self._customers.move_to_end(customer_id)
        if len(self._customers) > MOST_CUSTOMERS:
            self._customers.popitem(last=False)
        return auth


def _is_over(answer: Answer, call: Call) -> bool:
    """Whether it was done; the answer to a `Location` says so by not being 202 any more.

    Raises `Rejected` where it came to nothing.
    """
    fields = Fields(answer.value)
    word = fields.word("status")
    if word in _OVER:
        reason = fields.inner("error").text("code") or word
        raise Rejected(reason=reason, correlation_id=call.correlation_id)
    if word and "properties" not in fields:
        return word == "succeeded"
    return answer.status != HTTPStatus.ACCEPTED
