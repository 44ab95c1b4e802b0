"""The calls that tell of risk: fraud events, the spend of all customers, and Microsoft Graph's security alerts.

https://learn.microsoft.com/partner-center/developer/get-fraud-events
https://learn.microsoft.com/graph/api/resources/partner-security-partnersecurityalert
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bot.sandbox.partner_center import bodies, risk_bodies
from bot.sandbox.partner_center.api import Handler, answer, check_token, resource
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.errors import ApiError, TokenMissing, invalid
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.partner_center.signin import SignIn
from bot.sandbox.partner_center.suspicion import FraudEvent, SecurityAlert, Spend, Suspicions

GRAPH = "/graph"
ALERTS = GRAPH + "/beta/security/partner/securityAlerts"
_STATUSES = {"active": "Active", "investigating": "Investigating", "resolved": "Resolved"}
_REASONS = {"fraud": "Fraud", "ignore": "Ignore", "none": "None"}
_ALERT_REASONS = {"legitimate", "ignore", "fraud"}


@dataclass
class RiskApi:
    """Only the global cloud documents fraud events and alerts, 21Vianet no usage either."""

    directory: Directory
    signin: SignIn
    suspicions: Suspicions
    now: Callable[[], datetime]
    audience: Callable[[], str]
    page_size: int
    cloud: str
    has_new_model: bool = True
    updates: list[dict[str, Any]] = field(default_factory=list)
    """What was told of events and alerts, as it came."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        usage: list[tuple[str, str, Handler]] = [("GET", "/v1/customers/usagerecords", self.usage_records)]
        of_the_global_cloud: list[tuple[str, str, Handler]] = [
            ("GET", "/v1/fraudEvents", self.fraud_events),
            ("POST", "/v1/fraudEvents/subscription/{subscription}/status", self.update_events),
            ("GET", ALERTS, self.security_alerts),
            ("GET", ALERTS + "/{alert}", self.security_alert),
            ("PATCH", ALERTS + "/{alert}", self.update_alert),
        ]
        if self.cloud == "china":
            # A route of its own, lest it be taken for a customer's id.
            usage = [("GET", "/v1/customers/usagerecords", self.not_here)]
        if self.cloud != "global":
            of_the_global_cloud = []
        return [*usage, *of_the_global_cloud, ("*", GRAPH + "/{rest:.*}", self.nothing_in_graph)]

    async def not_here(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        raise ApiError(404, 1000, f"Not found: {request.path}")

    async def usage_records(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        spend = self.suspicions.spend
        return answer(
            bodies.collection(
                risk_bodies.usage_record(customer, spend.get(customer.id, Spend(at=self.now())))
                for customer in self.directory.customers
                if customer.id in spend or _has_azure(customer)
            )
        )

    async def fraud_events(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        is_new = request.headers.get("X-NewEventsModel", "").lower() == "true"
        if is_new and not self.has_new_model:
            raise invalid("unknown header", "X-NewEventsModel")
        query = {key.lower(): value for key, value in request.query.items()}
        found = [event for event in self.suspicions.events if _matches(event, query, is_new)]
        drawn: list[Any] = [
            risk_bodies.fraud_event(event, partner_id=self.signin.tenant_id, is_new_model=is_new)
            for event in found
        ]
        drawn += self.suspicions.odd_items
        if is_new:
            size, number = (_positive(query, name) for name in ("pagesize", "pagenumber"))
            drawn = drawn[(number - 1) * size : number * size]
        return answer(drawn)

    async def update_events(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        sent = resource(request, await request.read())
        given = {key.lower(): value for key, value in sent.items()} if isinstance(sent, dict) else {}
        ids = given.get("eventids") or []
        status = _STATUSES.get(str(given.get("eventstatus", "")).lower())
        reason = _REASONS.get(str(given.get("resolvedreason", "None")).lower())
        if not isinstance(ids, list) or status is None or reason is None:
            raise ApiError(400, 3000, "Invalid property: EventIds, EventStatus or ResolvedReason")
        if status == "Resolved" and reason == "None":
            raise invalid("a resolved event has a reason", "ResolvedReason")
        self.updates.append(dict(sent))
        marked = self.suspicions.mark_events(
            request.match_info["subscription"],
            [str(id) for id in ids],
            status=status,
            reason=reason,
            at=self.now(),
        )
        return answer(
            [
                risk_bodies.fraud_event(event, partner_id=self.signin.tenant_id, is_new_model=True)
                for event in marked
            ]
        )

    async def security_alerts(self, request: web.Request) -> web.Response:
        if refused := self._refused_by_graph(request):
            return refused
        skip = request.query.get("$skiptoken", "0")
        if not skip.isdecimal():
            return _graph_error(400, "BadRequest", "Invalid skip token.")
        begin, end = int(skip), int(skip) + self.page_size
        alerts = self.suspicions.alerts
        body: dict[str, Any] = {"value": [risk_bodies.security_alert(alert) for alert in alerts[begin:end]]}
        if end < len(alerts):
            body["@odata.nextLink"] = f"{self._url}{ALERTS}?{urlencode({'$skiptoken': end})}"
        return web.json_response(body)

    async def security_alert(self, request: web.Request) -> web.Response:
        if refused := self._refused_by_graph(request):
            return refused
        wanted = request.match_info["alert"].casefold()
        found = next((alert for alert in self.suspicions.alerts if alert.id.casefold() == wanted), None)
        return _drawn(found)

    async def update_alert(self, request: web.Request) -> web.Response:
        if refused := self._refused_by_graph(request):
            return refused
        sent = resource(request, await request.read())
        status, reason = (
            (sent.get("status"), sent.get("resolvedReason")) if isinstance(sent, dict) else (None, None)
        )
        if status not in _STATUSES or (status == "resolved") != (reason in _ALERT_REASONS):
            return _graph_error(400, "BadRequest", "The status or the reason is not one of those there are.")
        self.updates.append(dict(sent))
        return _drawn(
            self.suspicions.mark_alert(
                request.match_info["alert"], status=status, reason=reason, at=self.now()
            )
        )

    async def nothing_in_graph(self, request: web.Request) -> web.Response:
        return self._refused_by_graph(request) or _graph_error(404, "ResourceNotFound", "Resource not found.")

    @property
    def _url(self) -> str:
        return self.audience()

    def _sign_in(self, request: web.Request, *, as_user: bool = False) -> None:
        check_token(self.signin, request, audience=self.audience(), as_user=as_user)

    def _refused_by_graph(self, request: web.Request) -> web.Response | None:
        try:
            check_token(self.signin, request, audience=self.audience() + GRAPH, as_user=False)
        except (ApiError, TokenMissing):
            return _graph_error(401, "InvalidAuthenticationToken", "Access token validation failure.")
        return None


def _matches(event: FraudEvent, query: dict[str, str], is_new: bool) -> bool:
    asked = {"eventstatus": event.status, "subscriptionid": event.subscription_id}
    asked |= {"eventtype": event.type} if is_new else {}
    return all(query.get(name, value).casefold() == value.casefold() for name, value in asked.items())


def _positive(query: dict[str, str], name: str) -> int:
    text = query.get(name, "200" if name == "pagesize" else "1")
    if not text.isdecimal() or int(text) == 0:
        raise invalid("not a number above 0", name)
    return int(text)


def _has_azure(customer: Customer) -> bool:
    return customer.relationship == "reseller" and any(
        held.kind.is_metered for held in customer.subscriptions
    )


def _drawn(alert: SecurityAlert | None) -> web.Response:
    if alert is None:
        return _graph_error(404, "ResourceNotFound", "Resource not found.")
    return web.json_response(risk_bodies.security_alert(alert))


def _graph_error(status: int, code: str, message: str) -> web.Response:
    """https://learn.microsoft.com/graph/errors"""
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
