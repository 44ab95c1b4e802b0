"""What the sandbox's Microsoft holds for suspicious, and what Azure costs: the state behind those calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.sandbox.partner_center.records import Customer


@dataclass(frozen=True, kw_only=True)
class FraudEvent:
    """A fraud event of Azure. `extra` is laid over its JSON; a None there leaves the field out."""

    id: str
    customer: Customer
    subscription_id: str
    type: str
    first_at: datetime
    last_at: datetime
    severity: str = "High"
    confidence: str = "high"
    hits: int = 1
    status: str = "Active"
    reason: str = "None"
    resolved_at: datetime | None = None
    name: str = ""
    description: str = ""
    resources: tuple[str, ...] = ()
    is_test: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SecurityAlert:
    """A partner security alert of Microsoft Graph; `extra` as with a fraud event."""

    id: str
    customer: Customer
    subscription_id: str
    type: str
    first_at: datetime
    last_at: datetime
    severity: str = "high"
    confidence: str = "medium"
    status: str = "active"
    reason: str | None = None
    resolved_at: datetime | None = None
    name: str = ""
    description: str = ""
    resources: tuple[str, ...] = ()
    is_test: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What a customer's Azure usage comes to in the running period."""

    amount: Decimal = Decimal(0)
    budget: Decimal | None = None
    currency: str = "USD"
    at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Suspicions:
    """All of it; `odd_items` come at the end of the list of fraud events as they are."""

    events: list[FraudEvent] = field(default_factory=list)
    alerts: list[SecurityAlert] = field(default_factory=list)
    spend: dict[str, Spend] = field(default_factory=dict)
    odd_items: list[Any] = field(default_factory=list)

    def mark_events(
        self, subscription_id: str, ids: list[str], *, status: str, reason: str, at: datetime
    ) -> list[FraudEvent]:
        """Mark those of a subscription; without ids, as at Microsoft, every one of it."""
        wanted = {id.casefold() for id in ids}
        marked = []
        for number, event in enumerate(self.events):
            if event.subscription_id.casefold() != subscription_id.casefold():
                continue
            if wanted and event.id.casefold() not in wanted:
                continue
            resolved = at if status == "Resolved" else None
            self.events[number] = replace(event, status=status, reason=reason, resolved_at=resolved)
            marked.append(self.events[number])
        return marked

    def mark_alert(self, id: str, *, status: str, reason: str | None, at: datetime) -> SecurityAlert | None:
        for number, alert in enumerate(self.alerts):
            if alert.id.casefold() == id.casefold():
                resolved = at if status == "resolved" else None
                self.alerts[number] = replace(alert, status=status, reason=reason, resolved_at=resolved)
                return self.alerts[number]
        return None
