"""Pasts that make one rule speak, and pasts that look alike and must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.observation import (
    Observation,
    Operation,
    OrderLine,
    OrderPlaced,
    Owed,
    Past,
    QuantityChanged,
    Reported,
    Source,
    Spent,
    VendorAlert,
    past_of,
)
from bot.domain.people import PersonId
from bot.domain.signal import Rule, RuleBook, Signal
from bot.domain.suspicion import signals

ANA = CustomerId("contoso")
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 25, 11, tzinfo=UTC)
"""A Wednesday, noon in Berlin."""
WATCHED = NOON - timedelta(days=200)


def ago(days: float, *, hours: float = 0) -> datetime:
    return NOON - timedelta(days=days, hours=hours)


def order(at: datetime, seats: int = 5, *, trials: int = 0, id: str = "") -> OrderPlaced:
    lines = [OrderLine("Business Basic", "basic", seats)] if seats else []
    lines += [OrderLine(f"Trial {n}", f"trial-{n}", 25, True) for n in range(trials)]
    return OrderPlaced(ANA, at, id or f"o-{at:%m%d%H%M}", tuple(lines), "completed")


def change(
    at: datetime, before: int, after: int, *, name: str = "E3", is_trial: bool = False
) -> QuantityChanged:
    return QuantityChanged(
        ANA, at, SubscriptionId(f"s-{name}"), name, before, after, at - timedelta(hours=4), is_trial
    )


def operation(
    at: datetime, name: str, *, customer: CustomerId | None = ANA, status: str = "succeeded"
) -> Operation:
    return Operation(customer, at, f"{name}-{at:%m%d%H%M}", name, status, "admin@partner.example")


def weekly(*, seats: int = 5, weeks: int = 24, until: float = 7) -> list[Observation]:
    """An ordinary customer: an order a week at noon, and what it does to the one subscription."""
    found: list[Observation] = []
    level = 60
    for week in range(weeks, 0, -1):
        at = ago(week * 7 - 7 + until)
        added = seats + week % 3
        found += [order(at, added), change(at + timedelta(hours=2), level, level + added)]
        level += added
    return found


def azure(
    amounts: Callable[[datetime], float],
    *,
    days: int = 200,
    budget: Decimal | None = None,
    currency: str = "EUR",
) -> list[Observation]:
    """A reading every evening; `amounts` says what each day costs."""
    found: list[Observation] = []
    total, month = 0.0, 0
    for day in range(days, -1, -1):
        at = ago(day) + timedelta(hours=9) if day else NOON
        total = amounts(at) if at.month != month else total + amounts(at)
        month = at.month
        found.append(Spent(ANA, at, Decimal(f"{total:.2f}"), currency, budget))
    return found


def owed(days: Iterable[int], *, oldest: int) -> list[Observation]:
    ordered = sorted(days, reverse=True)
    return [
        Owed(ANA, ago(day, hours=3), {"EUR": Decimal("840.00")}, oldest + ordered[0] - day) for day in ordered
    ]


def alert(**fields: object) -> VendorAlert:
    given: dict[str, object] = {
        "severity": "high",
        "confidence": "medium",
        "status": "active",
        "name": "Virtual machine connecting to a mining pool",
        "first_at": ago(2),
    }
    return VendorAlert(
        ANA,
        ago(1),
        "alert-1",
        Source.SECURITY_ALERTS,
        "networkConnectionsToCryptoMiningPools",
        **(given | fields),  # type: ignore[arg-type]
    )


def event(**fields: object) -> VendorAlert:
    given: dict[str, object] = {"severity": "Medium", "confidence": "high", "status": "Active"}
    return VendorAlert(
        ANA,
        ago(1),
        "event-1",
        Source.FRAUD_EVENTS,
        "UsageAnomalyDetection",
        **(given | fields),  # type: ignore[arg-type]
    )


def past(*seen: Observation, watched: datetime | None = WATCHED) -> Past:
    return past_of(ANA, list(seen), watched_since=watched)


def found(
    rule: Rule,
    *seen: Observation,
    watched: datetime | None = WATCHED,
    at: datetime = NOON,
    book: RuleBook | None = None,
) -> list[Signal]:
    """What that rule finds."""
    every = signals(past(*seen, watched=watched), book or RuleBook(), at=at, zone=BERLIN)
    return [signal for signal in every if signal.rule is rule]


def new_customer(*orders: OrderPlaced, days_ago: float = 10) -> list[Observation]:
    return [operation(ago(days_ago, hours=1), "add_customer"), *orders]


SUSPICIOUS: dict[Rule, list[Observation]] = {
    Rule.SEAT_JUMP: [*weekly(), change(ago(1), 60, 400, name="Teams")],
    Rule.ORDER_BURST: [*weekly(), *(order(ago(1, hours=n / 4), 4, id=f"burst-{n}") for n in range(12))],
    Rule.NEW_CUSTOMER_ORDERS: new_customer(*(order(ago(9 - n), 8) for n in range(6))),
    Rule.LARGE_FIRST_ORDER: new_customer(order(ago(9), 300)),
    Rule.TRIAL_BURST: [*weekly(), order(ago(3), 0, trials=3), order(ago(2), 0, trials=3)],
    Rule.SPEND_OVER_BUDGET: azure(lambda at: 60 if at > ago(8) else 20, budget=Decimal(450)),
    Rule.SPEND_SPIKE: azure(lambda at: 900 if at > ago(2.5) else 60 + at.day % 5),
    Rule.SPEND_WITHOUT_BUDGET: azure(lambda at: 20),
    Rule.OFF_HOURS: [*weekly(), order(ago(2, hours=10), 5)],
    Rule.ADMIN_OPERATION: [*weekly(), operation(ago(2), "add_application_credential")],
    Rule.PROFILE_CHANGE: [*weekly(), operation(ago(2), "update_customer_billing_profile")],
    Rule.OVERDUE_AND_GROWING: [
        *weekly(),
        *owed(range(20), oldest=10),
        *(order(ago(5 - n), 60) for n in range(3)),
    ],
    Rule.FRAUD_EVENT: [event()],
    Rule.SECURITY_ALERT: [alert()],
    Rule.REPORT: [Reported(ANA, ago(1), "r-1", PersonId("U1"), "called from an odd number")],
}
"""What each rule is for."""


def finding(rule: Rule) -> Signal:
    """The newest of that rule, as it really finds it."""
    return found(rule, *SUSPICIOUS[rule])[-1]
