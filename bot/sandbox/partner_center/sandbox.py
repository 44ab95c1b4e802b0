"""The sandbox Partner Center as tests and the demo hold it: its state, its faults and what it has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web

from bot.sandbox.partner_center import page, rules
from bot.sandbox.partner_center.activity import Deed, Record
from bot.sandbox.partner_center.api import Api
from bot.sandbox.partner_center.arm_api import ARM, ArmApi
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.faults import Faults
from bot.sandbox.partner_center.offers import fixed_id, ordered
from bot.sandbox.partner_center.records import Customer, Subscription
from bot.sandbox.partner_center.risk_api import GRAPH, RiskApi
from bot.sandbox.partner_center.samples import sample_customers
from bot.sandbox.partner_center.server import AUTHORITY, Server
from bot.sandbox.partner_center.signin import SignIn
from bot.sandbox.partner_center.support import ENGINEER, AzureTicket, ServiceRequest, SupportDesk
from bot.sandbox.partner_center.support_api import OURS, SupportApi
from bot.sandbox.partner_center.suspicion import FraudEvent, SecurityAlert, Spend, Suspicions
from bot.sandbox.partner_center.traffic import Exchange, Write
from bot.sandbox.partner_center.webhooks import Webhooks

Cloud = Literal["global", "china", "usgov"]

SHOWN = 200
BURST = 12
"""Orders in one go."""

# How long a suspended legacy subscription can be resumed:
# https://learn.microsoft.com/partner-center/subscription-lifecycle; 21Vianet: "Suspend a subscription".
GRACE: dict[Cloud, timedelta] = {
    "global": timedelta(days=90),
    "china": timedelta(days=60),
    "usgov": timedelta(days=90),
}


class PartnerCenterSandbox:
    """A small Partner Center with its sign-in service; both are real servers on 127.0.0.1."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        customers: Iterable[Customer] | None = None,
        latency: float = 0.0,
        page_size: int = 25,
        cloud: Cloud = "global",
    ) -> None:
        self.cloud = cloud
        self._now = now
        self._directory = Directory(
            sample_customers(now().date()) if customers is None else customers, now=now
        )
        self._signin = SignIn(now=now, customers=lambda: {c.id.lower() for c in self._directory.customers})
        self._api = Api(
            directory=self._directory,
            signin=self._signin,
            now=now,
            audience=lambda: self.base_url,
            page_size=page_size,
            grace=GRACE[cloud],
            is_china=cloud == "china",
        )
        self.suspicions = Suspicions()
        self.risk = RiskApi(
            directory=self._directory,
            signin=self._signin,
            suspicions=self.suspicions,
            now=now,
            audience=lambda: self.base_url,
            page_size=page_size,
            cloud=cloud,
        )
        self.support = SupportDesk()
        support = SupportApi(
            api=self._api,
            desk=self.support,
            now=now,
            audience=lambda: self.base_url,
            is_china=cloud == "china",
        )
        arm = ArmApi(
            directory=self._directory,
            signin=self._signin,
            desk=self.support,
            now=now,
            base_url=lambda: self.base_url,
            is_global=cloud == "global",
        )
        self.webhooks = Webhooks(base_url=lambda: self.base_url, now=now)
        self._server = Server(
            api=self._api,
            risk=self.risk,
            support=support,
            arm=arm,
            webhooks=self.webhooks,
            now=now,
            page=self._page,
            latency=latency,
        )

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; OSError when the port is taken."""
        await self._server.start(port)

    async def stop(self) -> None:
        """Stop listening; the state stays, and `start` may follow."""
        await self._server.stop()

    @property
    def base_url(self) -> str:
        """Where the API is, and the resource a token must be for."""
        if self._server.port is None:
            raise RuntimeError("the sandbox Partner Center has not been started")
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def faults(self) -> Faults:
        """What shall go wrong; a fault meets sign-in too unless its `path_contains` says otherwise."""
        return self._server.faults

    @property
    def requests(self) -> list[Exchange]:
        """Every request with its answer, in the order of the answers; the last 5000."""
        return self._server.requests

    @property
    def authority_url(self) -> str:
        """Where the sign-in service is; the tenant follows in the path."""
        return self.base_url + AUTHORITY

    @property
    def graph_url(self) -> str:
        """Where Microsoft Graph is, and the resource a token for it must be for."""
        return self.base_url + GRAPH

    @property
    def arm_url(self) -> str:
        """Where Azure Resource Manager is, and the resource a token for it must be for."""
        return self.base_url + ARM

    @property
    def tenant_id(self) -> str:
        return self._signin.tenant_id

    @property
    def client_id(self) -> str:
        return self._signin.client_id

    @property
    def client_secret(self) -> str:
        return self._signin.client_secret

    @property
    def refresh_token(self) -> str:
        """The refresh token that works now; each use replaces it."""
        return self._signin.refresh_token

    def expire_tokens(self) -> None:
        """Make every access token given so far worthless."""
        self._signin.expire_tokens()

    @property
    def writes(self) -> list[Write]:
        """The PATCHes and cancellations that changed something, in order; a repeated MS-RequestId counts once."""
        return self._api.writes

    @property
    def customers(self) -> tuple[Customer, ...]:
        return self._directory.customers

    def customer(self, text: str) -> Customer:
        """A customer by id, domain, name, or the only one whose name begins so; else LookupError."""
        return self._directory.named(text)

    def subscription(self, subscription_id: str) -> Subscription:
        """A subscription as it is now; LookupError when there is none."""
        return self._directory.owner(subscription_id)[1]

    def change(self, subscription_id: str, **fields: Any) -> Subscription:
        """Set fields of a subscription as they are; no rule is asked, its version grows."""
        return self._directory.change(subscription_id, **fields)

    def suspend_outside(
        self, subscription_id: str, *reasons: str, at: datetime | None = None
    ) -> Subscription:
        """Suspend a subscription as somebody in the portal might, or Microsoft for its own reasons.

        `at` is when that was, if not now; the activity log says so too.
        """
        held = self.subscription(subscription_id)
        suspended, _ = rules.carry_out(
            self._directory, held, {"status": "suspended"}, at or self._now(), by_app=False
        )
        return self.change(held.id, suspension_reasons=reasons) if reasons else suspended

    def resume_outside(self, subscription_id: str) -> Subscription:
        """Resume a subscription as somebody in the portal might."""
        held = self.subscription(subscription_id)
        return rules.carry_out(self._directory, held, {"status": "active"}, self._now(), by_app=False)[0]

    def place_orders(self, customer: str, count: int = 1, *, quantity: int = 25) -> list[Subscription]:
        """Order `count` new subscriptions for a customer at once, as a thief of an admin account would."""
        return [self.place_order(customer, "Microsoft 365 E5", quantity) for _ in range(count)]

    def place_order(
        self, customer: str, name: str, quantity: int, *, at: datetime | None = None, trial: bool = False
    ) -> Subscription:
        """Order one new subscription in the portal; `at` is when that was, if not now."""
        buyer, at = self._directory.named(customer), at or self._now()
        number = len(buyer.subscriptions)
        bought = ordered(buyer.id, number, quantity=quantity, at=at, name=name, is_trial=trial)
        self._directory.add(buyer.id, bought)
        self._directory.log.keep(Record(at=at, customer=buyer, before=None, after=bought, by_app=False))
        return bought

    def set_quantity(
        self, subscription_id: str, quantity: int, *, at: datetime | None = None
    ) -> Subscription:
        """Buy more seats, or fewer, in the portal; `at` is when that was, if not now."""
        held = self.subscription(subscription_id)
        at = at or self._now()
        return rules.carry_out(self._directory, held, {"quantity": quantity}, at, by_app=False)[0]

    def log_deed(
        self, operation: str, name: str, *, customer: str | None = None, resource_type: str, **fields: Any
    ) -> Deed:
        """Put an operation into the activity log that is about no subscription; `fields` are those of `Deed`."""
        whose = self._directory.named(customer) if customer else None
        given = {"at": self._now(), **fields}
        deed = Deed(operation=operation, resource_type=resource_type, name=name, customer=whose, **given)
        self._directory.log.keep(deed)
        return deed

    def spend(
        self,
        customer: str,
        amount: Decimal | int | str,
        *,
        budget: Decimal | int | str | None = None,
        **fields: Any,
    ) -> Spend:
        """Let a customer's Azure come to so much in the running period; `fields` are those of `Spend`."""
        made = Spend(
            amount=Decimal(amount),
            budget=None if budget is None else Decimal(budget),
            **{"at": self._now(), **fields},
        )
        self.suspicions.spend[self._directory.named(customer).id] = made
        return made

    def fraud_event(
        self,
        customer: str,
        type: str = "NetworkConnectionsToCryptoMiningPools",
        *,
        subscription_id: str | None = None,
        at: datetime | None = None,
        **fields: Any,
    ) -> FraudEvent:
        """Find something suspicious in a customer's Azure; `fields` are those of `FraudEvent`."""
        whose, at = self._directory.named(customer), at or self._now()
        subscription_id = subscription_id or fixed_id(whose.domain, "azure")
        given = {
            "id": f"{subscription_id}_{uuid4()}",
            "first_at": at,
            "last_at": at,
            "name": "Azure resource connecting to a crypto currency mining pool",
            **fields,
        }
        made = FraudEvent(customer=whose, subscription_id=subscription_id, type=type, **given)
        self.suspicions.events.append(made)
        return made

    def security_alert(
        self,
        customer: str,
        type: str = "networkConnectionsToCryptoMiningPools",
        *,
        subscription_id: str | None = None,
        at: datetime | None = None,
        **fields: Any,
    ) -> SecurityAlert:
        """The same in Microsoft Graph; `fields` are those of `SecurityAlert`."""
        whose, at = self._directory.named(customer), at or self._now()
        given = {
            "id": str(uuid4()),
            "first_at": at,
            "last_at": at,
            "name": "Action required: virtual machine connecting to a crypto currency mining pool",
            **fields,
        }
        subscription_id = subscription_id or fixed_id(whose.domain, "azure")
        made = SecurityAlert(customer=whose, subscription_id=subscription_id, type=type, **given)
        self.suspicions.alerts.append(made)
        return made

    def file_service_request(
        self,
        title: str,
        *,
        customer: str | None = None,
        number: str | None = None,
        severity: str = "moderate",
    ) -> ServiceRequest:
        """File one as a person does in the portal; no API does."""
        whose = self._directory.named(customer) if customer else None
        return self.support.file(
            number=number, title=title, customer=whose, severity=severity, contact=OURS, at=self._now()
        )

    def service_request(self, number: str) -> ServiceRequest:
        """One as it is now; LookupError when there is none."""
        return self.support.requests[number]

    def azure_ticket(self, name: str) -> AzureTicket:
        """The Azure ticket of that name; LookupError when there is none."""
        for ticket in self.support.tickets.values():
            if ticket.name.lower() == name.lower():
                return ticket
        raise LookupError(f"there is no Azure ticket {name!r}")

    def microsoft_answers(
        self,
        thing: ServiceRequest | AzureTicket,
        text: str | None = None,
        *,
        status: str | None = None,
        by: str = ENGINEER,
    ) -> None:
        """Let an engineer of Microsoft's write on it, or set its status."""
        name = f"engineer-{len(thing.notes) + 1}"
        self.support.answer(thing, text, by=by, status=status, at=self._now(), name=name)

    def withhold_consent(self, customer: str) -> None:
        """Let nobody sign in to the customer's tenant."""
        self._signin.without_consent.add(self._directory.named(customer).id.lower())

    def give_consent(self, customer: str) -> None:
        self._signin.without_consent.discard(self._directory.named(customer).id.lower())

    def on_change(self, callback: Callable[[], object]) -> None:
        """Call `callback` after every change of a customer or subscription."""
        self._directory.on_change(callback)

    def on_exchange(self, callback: Callable[[Exchange], object]) -> None:
        """Call `callback` with every request and its answer."""
        self._server.listeners.append(callback)

    def order_burst(self, customer_id: str) -> None:
        """What a thief does first; LookupError when there is no such customer."""
        self.place_orders(customer_id, BURST)

    def switch_fault(self, name: str, *, on: bool) -> None:
        """One of `faults.SWITCHES`, LookupError for others."""
        self.faults.switch(name, on=on)

    def snapshot(self) -> dict[str, Any]:
        """The state and the last 200 requests as plain JSON."""
        return {
            "cloud": self.cloud,
            "customers": [_customer_row(customer) for customer in self.customers],
            "service_requests": [
                *(_filed_row(filed) for filed in self.support.requests.values()),
                *(_filed_row(opened) for opened in self.support.tickets.values()),
            ],
            "faults": self.faults.switches(),
            "log": [
                {"at": seen.at.isoformat(), "method": seen.method, "path": seen.path, "status": seen.status}
                for seen in self.requests[-SHOWN:]
            ],
        }

    def _page(self) -> web.Response:
        return web.Response(
            text=page.html(self.snapshot(), now=self._now()),
            content_type="text/html",
            headers={"Content-Security-Policy": page.CONTENT_SECURITY_POLICY},
        )


def _filed_row(thing: ServiceRequest | AzureTicket) -> dict[str, Any]:
    return {
        "number": thing.number,
        "title": thing.title,
        "status": thing.status,
        "notes": len(thing.notes),
    }


def _customer_row(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.id,
        "name": customer.name,
        "domain": customer.domain,
        "relationship": customer.relationship,
        "subscriptions": [_subscription_row(held) for held in customer.subscriptions],
    }


def _subscription_row(held: Subscription) -> dict[str, Any]:
    return {
        "id": held.id,
        "name": held.nickname or held.name,
        "offer_id": held.offer_id,
        "status": held.status,
        "kind": held.kind.value,
        "quantity": held.quantity,
        "term_end": held.term_end.date().isoformat() if held.term_end else None,
        "suspension_reasons": list(held.suspension_reasons),
        "is_trial": held.is_trial,
        "parent_id": held.parent_id,
        "changed_at": held.changed_at.isoformat() if held.changed_at else None,
        "azure_subscriptions": [
            {"id": child.id, "name": child.name, "status": child.status} for child in held.azure_subscriptions
        ],
    }
