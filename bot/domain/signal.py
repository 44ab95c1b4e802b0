"""Signals: what a rule found in what was seen of a customer, how much it counts, and the facts it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Rule(StrEnum):
    """Each has its thresholds in the policy file, under `[risk.<name>]`."""

    SEAT_JUMP = "seat_jump"
    ORDER_BURST = "order_burst"
    NEW_CUSTOMER_ORDERS = "new_customer_orders"
    LARGE_FIRST_ORDER = "large_first_order"
    TRIAL_BURST = "trial_burst"
    SPEND_OVER_BUDGET = "spend_over_budget"
    SPEND_SPIKE = "spend_spike"
    SPEND_WITHOUT_BUDGET = "spend_without_budget"
    OFF_HOURS = "off_hours"
    ADMIN_OPERATION = "admin_operation"
    PROFILE_CHANGE = "profile_change"
    OVERDUE_AND_GROWING = "overdue_and_growing"
    FRAUD_EVENT = "fraud_event"
    SECURITY_ALERT = "security_alert"
    REPORT = "report"


class Severity(StrEnum):
    """In order, the mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


Fact = str | int | Decimal | date | datetime
"""What stands in the words of a signal; money comes as `amount` with its `currency`."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One finding. The same facts give the same `key`, however often they are looked at."""

    rule: Rule
    key: str
    """By content: a signal of the same key is the same finding, `points` may have grown since."""
    at: datetime
    """When what it rests on happened."""
    points: int
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """For the words of `signal-<rule>`."""
    evidence: tuple[str, ...] = ()
    """What can be looked up: `order 123`, `subscription …`, `audit record …`; outside text."""
    severity: Severity = Severity.LOW
    """At least so severe is a case with it, whatever the score."""


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """How one rule is set. `thresholds` has the names of `THRESHOLDS[rule]`; what is not set is as there."""

    enabled: bool = True
    points: int | None = None
    """At the threshold; None: as in `POINTS`."""
    thresholds: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The `[risk]` of the policy."""

    rules: Mapping[Rule, RuleTerms] = field(default_factory=dict)
    case_from: int = 40
    """From so many points on there is a case."""
    high_from: int = 80
    """From so many points on it is told at once."""
    live_days: int = 14
    """So long a signal counts."""
    quiet_days: int = 30
    """After so many days without a new signal an episode is over."""
    business_hours: tuple[int, int] = (6, 22)
    """Hours of the partner's day in which changes are usual."""

    def is_enabled(self, rule: Rule) -> bool:
        return self.rules.get(rule, RuleTerms()).enabled

    def points(self, rule: Rule) -> int:
        return POINTS[rule] if (set_ := self.rules.get(rule, RuleTerms()).points) is None else set_

    def threshold(self, rule: Rule, name: str) -> Decimal:
        return self.rules.get(rule, RuleTerms()).thresholds.get(name, THRESHOLDS[rule][name])


POINTS: Final[Mapping[Rule, int]] = MappingProxyType(
    {
        Rule.SEAT_JUMP: 45,
        Rule.ORDER_BURST: 45,
        Rule.NEW_CUSTOMER_ORDERS: 40,
        Rule.LARGE_FIRST_ORDER: 40,
        Rule.TRIAL_BURST: 40,
        Rule.SPEND_OVER_BUDGET: 40,
        Rule.SPEND_SPIKE: 45,
        Rule.SPEND_WITHOUT_BUDGET: 5,
        Rule.OFF_HOURS: 15,
        Rule.ADMIN_OPERATION: 18,
        Rule.PROFILE_CHANGE: 15,
        Rule.OVERDUE_AND_GROWING: 40,
        Rule.FRAUD_EVENT: 80,
        Rule.SECURITY_ALERT: 60,
        Rule.REPORT: 60,
    }
)

THRESHOLDS: Final[Mapping[Rule, Mapping[str, Decimal]]] = MappingProxyType(
    {
        rule: MappingProxyType({name: Decimal(value) for name, value in by_name.items()})
        for rule, by_name in {
            Rule.SEAT_JUMP: {"seats": "40", "times": "1.5", "width": "3", "share": "25"},
            Rule.ORDER_BURST: {
                "orders_a_day": "5",
                "orders_in_three": "5",
                "orders_a_week": "7",
                "seats": "40",
                "width": "4",
            },
            Rule.NEW_CUSTOMER_ORDERS: {"days": "14", "orders": "5", "seats": "150"},
            Rule.LARGE_FIRST_ORDER: {"seats": "100"},
            Rule.TRIAL_BURST: {"trials": "4", "days": "7"},
            Rule.SPEND_OVER_BUDGET: {"percent": "100", "early": "80", "projected": "200"},
            Rule.SPEND_SPIKE: {
                "amount": "50",
                "times": "2.5",
                "width": "5",
                "history": "14",
                "start_amount": "300",
            },
            Rule.SPEND_WITHOUT_BUDGET: {"amount": "100"},
            Rule.OFF_HOURS: {"usual_share": "25", "seats": "25"},
            Rule.ADMIN_OPERATION: {"burst": "3", "usual_days": "3"},
            Rule.PROFILE_CHANGE: {"burst": "3", "usual_days": "3"},
            Rule.OVERDUE_AND_GROWING: {
                "oldest_days": "14",
                "days": "14",
                "seats": "20",
                "share": "20",
                "spend": "80",
                "amount": "200",
            },
            Rule.FRAUD_EVENT: {},
            Rule.SECURITY_ALERT: {},
            Rule.REPORT: {},
        }.items()
    }
)
"""By rule and name; what each means is told where the rule is, and in the packaged policy. `share` and `percent`
are percents, `width` and `times` factors, `amount` money in the customer's own currency."""
