"""The calls Partner Center answers: who may make them, what they find, and what they change."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from bot.sandbox.partner_center import activity, bodies, listing, rules
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.errors import ApiError, TokenMissing, invalid
from bot.sandbox.partner_center.records import AzureSubscription, Customer, Subscription
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
    is_china: bool
    writes: list[Write] = field(default_factory=list)
    _told: dict[str, Told] = field(default_factory=dict)

    def routes(self) -> list[tuple[str, str, Handler]]:
        customer = "/v1/customers/{customer}"
        subscription = customer + "/subscriptions/{subscription}"
        child = subscription + "/azureEntitlements/{entitlement}"
        # https://learn.microsoft.com/partner-center/developer/developing-for-partner-center-for-microsoft-national-cloud
        not_in_china: list[tuple[str, str, Handler]] = [
            ("GET", "/v1/auditrecords", self.activity_log),
            ("GET", child, self.azure_entitlement),
            ("POST", child + "/cancel", self.cancel_azure_entitlement),
        ]
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
            *([] if self.is_china else not_in_china),
        ]

    async def list_customers(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        token = request.headers.get(listing.TOKEN_HEADER)
        return answer(listing.customers(self.directory.customers, request.query, token, most=self.page_size))

    async def get_customer(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.customer_in_full(self._customer(request)))

    async def billing_profile(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.billing_profile(self.own_customer(request)))

    async def company_profile(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        return answer(bodies.company_profile(self.own_customer(request)))

    async def orders(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(bodies.orders(self.own_customer(request)))

    async def list_subscriptions(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self.own_customer(request)
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
        customer = self.own_customer(request)
        return answer(bodies.subscription(customer, self._subscription(request, customer)))

    async def add_ons(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        customer = self.own_customer(request)
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
        customer = self.own_customer(request)
        return answer(bodies.azure_entitlements(self._subscription(request, customer)))

    async def azure_entitlement(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        plan = self._subscription(request, self.own_customer(request))
        return answer(bodies.azure_entitlement(plan, self._azure_subscription(request, plan)))

    async def activity_log(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(
            activity.page(
                self.directory.log.records,
                request.query,
                request.headers.get(listing.TOKEN_HEADER),
                most=self.page_size,
                today=self.now().date(),
                draw=partial(activity.body, partner_id=self.signin.tenant_id, app_id=self.signin.client_id),
            )
        )

    async def patch_subscription(self, request: web.Request) -> web.Response:
        return await self.once(request, self._update)

    async def cancel_azure_entitlement(self, request: web.Request) -> web.Response:
        return await self.once(request, self._cancel)

    async def once(
        self, request: web.Request, act: Callable[[web.Request, bytes, str], web.Response]
    ) -> web.Response:
        """Act once per MS-RequestId: whoever repeats it is told the first answer, be it good or bad."""
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
            response = act(request, body, request_id)
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
        customer = self.own_customer(request)
        held = self._subscription(request, customer)
        rules.check_etag(held, request.headers.get("If-Match"))
        changes = rules.changes_asked_for(customer, held, resource(request, body))
        at = self.now()
        rules.check_allowed(customer, held, changes, at=at, grace=self.grace)
        if changes:
            updated, add_ons = rules.carry_out(self.directory, held, changes, at, by_app=True)
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

    def _cancel(self, request: web.Request, body: bytes, request_id: str) -> web.Response:
        customer = self.own_customer(request)
        plan = self._subscription(request, customer)
        child = self._azure_subscription(request, plan)
        rules.check_reason(resource(request, body))
        at = self.now()
        rules.cancel(self.directory, plan, child, at)
        self.writes.append(
            Write(
                at=at,
                request_id=request_id,
                customer_id=customer.id,
                subscription_id=plan.id,
                azure_subscription_id=child.id,
                changes={"status": ("active", "inactive")},
            )
        )
        return answer(bodies.azure_entitlement(plan, child), 202)

    def _sign_in(self, request: web.Request, *, as_user: bool = False) -> None:
        check_token(self.signin, request, audience=self.audience(), as_user=as_user)

    def _customer(self, request: web.Request) -> Customer:
        customer_id = request.match_info["customer"]
        try:
            customer = self.directory.customer(str(UUID(customer_id)))
        except ValueError as error:
            raise ApiError(400, 900118, "Invalid Customer ID.") from error
        if customer is None:
            raise ApiError(404, 60003, "Tenant not found.")
        return customer

    def own_customer(self, request: web.Request) -> Customer:
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

    def _azure_subscription(self, request: web.Request, plan: Subscription) -> AzureSubscription:
        wanted = request.match_info["entitlement"]
        for child in plan.azure_subscriptions:
            if child.id.lower() == wanted.lower():
                return child
        raise ApiError(404, 800111, f"Entitlement with ID {wanted} not found.")


def check_token(signin: SignIn, request: web.Request, *, audience: str, as_user: bool) -> None:
    """Demand a token of ours, for that audience, and where a user is demanded with one."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise TokenMissing
    token = signin.known(text)
    if token is None:
        raise ApiError(401, 400, "Access denied.")
    if token.tenant != signin.tenant_id:
        raise ApiError(401, 900421, "The token is of another tenant.")
    if token.audience != audience:
        raise ApiError(401, 900420, "The audience of the token is not Partner Center.")
    if as_user and not token.has_user:
        raise ApiError(403, 900329, "This resource does not support application-only authentication.")


def _guid(text: str | None) -> str:
    """The request's id; without one the server makes one up, so that a repeat is a new request."""
    if text is None:
        return str(uuid4())
    try:
        return str(UUID(text))
    except ValueError as error:
        raise invalid("not a GUID", "MS-RequestId") from error


def resource(request: web.Request, body: bytes) -> Any:
    """The JSON that was sent."""
    if request.content_type != "application/json":
        raise invalid("the body is not JSON", "Content-Type")
    try:
        return json.loads(body)
    except ValueError as error:
        raise invalid("the body is not JSON") from error
