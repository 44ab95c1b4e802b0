"""The calls Partner Center answers: who may make them, what they find, and what a PATCH does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from bot.sandbox.partner_center import bodies, listing, rules
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.errors import ApiError, TokenMissing, invalid
from bot.sandbox.partner_center.records import Customer, Subscription
from bot.sandbox.partner_center.signin import SignIn
from bot.sandbox.partner_center.traffic import Write

BOM = b"\xef\xbb\xbf"
Handler = Callable[[web.Request], Awaitable[web.Response]]


def answer(body: Any, status: int = 200) -> web.Response:
    """JSON behind the byte order mark that Partner Center's answers begin with."""
    text = json.dumps(body, ensure_ascii=False).encode()
    return web.Response(status=status, body=BOM + text, content_type="application/json", charset="utf-8")


def refusal(error: ApiError) -> web.Response:
    body = {
        "code": error.code,
        "description": error.description,
        "data": list(error.data),
        "source": "PartnerFD",
    }
    return answer(body, error.status)


@dataclass(frozen=True)
class Told:
    """The first answer to a write, given again to whoever repeats its MS-RequestId."""

    path: str
    status: int
    body: bytes


@dataclass
class Api:
    """Partner Center's own part: everything under `/v1`."""

    directory: Directory
    signin: SignIn
    now: Callable[[], datetime]
    audience: Callable[[], str]
    page_size: int
    grace: timedelta
    writes: list[Write] = field(default_factory=list)
    _told: dict[str, Told] = field(default_factory=dict)

    def routes(self) -> list[tuple[str, str, Handler]]:
        customer = "/v1/customers/{customer}"
        subscription = customer + "/subscriptions/{subscription}"
        return [
            ("GET", "/v1/customers", self.list_customers),
            ("GET", customer, self.get_customer),
            ("GET", customer + "/profiles/billing", self.billing_profile),
            ("GET", customer + "/profiles/company", self.company_profile),
            ("GET", customer + "/orders", self.orders),
            ("GET", customer + "/subscriptions", self.list_subscriptions),
            ("GET", subscription, self.get_subscription),
            ("PATCH", subscription, self.patch_subscription),
            ("GET", subscription + "/addons", self.add_ons),
            ("GET", subscription + "/azureEntitlements", self.azure_entitlements),
        ]

    async def list_customers(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        token = request.headers.get(listing.TOKEN_HEADER)
        return answer(listing.page(self.directory.customers, request.query, token, most=self.page_size))

    async def get_customer(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.customer_in_full(self._customer(request)))

    async def billing_profile(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.billing_profile(self._own_customer(request)))

    async def company_profile(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        return answer(bodies.company_profile(self._own_customer(request)))

    async def orders(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.orders(self._own_customer(request)))

    async def list_subscriptions(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self._own_customer(request)
        order_id, partner_id = request.query.get("order_id"), request.query.get("mpn_id")
        return answer(
            bodies.collection(
                bodies.subscription(customer, held, shouting=True)
                for held in customer.subscriptions
                if order_id in {None, held.order_id} and partner_id in {None, held.partner_id}
            )
        )

    async def get_subscription(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self._own_customer(request)
        return answer(bodies.subscription(customer, self._subscription(request, customer)))

    async def add_ons(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self._own_customer(request)
        base = self._subscription(request, customer)
        return answer(
            bodies.collection(
                bodies.subscription(customer, held)
                for held in customer.subscriptions
                if held.parent_id == base.id
            )
        )

    async def azure_entitlements(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self._own_customer(request)
        return answer(bodies.azure_entitlements(self._subscription(request, customer)))

    async def patch_subscription(self, request: web.Request) -> web.Response:
        """Update once per MS-RequestId: whoever repeats it is told the first answer, be it good or bad."""
        self._sign_in(request)
        body = await request.read()  # nothing is awaited from here on, so that two repeats cannot both act
        request_id = _guid(request.headers.get("MS-RequestId"))
        told = self._told.get(request_id)
        if told is not None:
            if told.path != request.path.lower():
                raise invalid("this MS-RequestId was used for another resource", "MS-RequestId")
            return web.Response(
                status=told.status, body=told.body, content_type="application/json", charset="utf-8"
            )
        try:
            response = self._update(request, body, request_id)
        except ApiError as error:
            response = refusal(error)
        content = response.body if isinstance(response.body, bytes) else b""
        self._told[request_id] = Told(request.path.lower(), response.status, content)
        return response

    async def unknown(self, request: web.Request) -> web.Response:
        """Refuse a path the sandbox does not have, 21Vianet's missing features among them."""
        self._sign_in(request)
        raise ApiError(404, 1000, f"Not found: {request.path}")

    def _update(self, request: web.Request, body: bytes, request_id: str) -> web.Response:
        customer = self._own_customer(request)
        held = self._subscription(request, customer)
        rules.check_etag(held, request.headers.get("If-Match"))
        changes = rules.changes_asked_for(customer, held, _resource(request, body))
        at = self.now()
        rules.check_allowed(customer, held, changes, at=at, grace=self.grace)
        if changes:
            updated, add_ons = rules.carry_out(self.directory, held, changes, at)
            self.writes.append(
                Write(
                    at=at,
                    request_id=request_id,
                    customer_id=customer.id,
                    subscription_id=held.id,
                    changes={name: (getattr(held, name), value) for name, value in changes.items()},
                    add_ons=add_ons,
                )
            )
            held = updated
        return answer(bodies.updated_subscription(customer, held))

    def _sign_in(self, request: web.Request, *, as_user: bool = False) -> None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise TokenMissing
        token = self.signin.known(text)
        if token is None:
            raise ApiError(401, 400, "Access denied.")
        if token.audience != self.audience():
            raise ApiError(401, 900420, "The audience of the token is not Partner Center.")
        if as_user and not token.has_user:
            raise ApiError(403, 900329, "This resource does not support application-only authentication.")

    def _customer(self, request: web.Request) -> Customer:
        customer_id = request.match_info["customer"]
        try:
            customer = self.directory.customer(str(UUID(customer_id)))
        except ValueError as error:
            raise ApiError(400, 900118, "Invalid Customer ID.") from error
        if customer is None:
            raise ApiError(404, 60003, "Tenant not found.")
        return customer

    def _own_customer(self, request: web.Request) -> Customer:
        customer = self._customer(request)
        if customer.relationship != "reseller":
            raise ApiError(
                403,
                20002,
                f"The partner ID {self.signin.tenant_id} has no commerce relationship with the customer ID"
                f" {customer.id}.",
            )
        return customer

    def _subscription(self, request: web.Request, customer: Customer) -> Subscription:
        wanted = request.match_info["subscription"]
        for held in customer.subscriptions:
            if held.id.lower() == wanted.lower():
                return held
        raise ApiError(404, 20003, f"Subscription with ID {wanted} not found.")


def _guid(text: str | None) -> str:
    """The request's id; without one the server makes one up, so that a repeat is a new request."""
    if text is None:
        return str(uuid4())
    try:
        return str(UUID(text))
    except ValueError as error:
        raise invalid("not a GUID", "MS-RequestId") from error


def _resource(request: web.Request, body: bytes) -> Any:
    if request.content_type != "application/json":
        raise invalid("the body is not JSON", "Content-Type")
    try:
        return json.loads(body)
    except ValueError as error:
        raise invalid("the body is not JSON") from error
