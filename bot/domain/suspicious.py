"""The suspicious-activity digest: which cases stand, what they may cost, and what nobody could tell us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from bot.domain.case import Case, Mute, Precision
from bot.domain.customer import Countdown, Customer, CustomerId
from bot.domain.digest import Banner
from bot.domain.observation import Past, Source
from bot.domain.signal import Rule, Signal


@dataclass(frozen=True, slots=True)
class Damage:
    """What it comes to if it is fraud, as far as anybody knows; currencies stay apart."""

    bought: int = 0
    """Seats and units ordered or added since the case began."""
    spent: Mapping[str, Decimal] = field(default_factory=dict)
    """Azure usage of the running billing period, Microsoft's estimate."""
    owed: Mapping[str, Decimal] = field(default_factory=dict)
    """What is past due besides."""


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case as the digest shows it. `customer` is None for one that Partner Center does not list any more."""

    case: Case
    customer: Customer | None
    damage: Damage
    past: Past
    suspended: tuple[Countdown, ...] = ()
    running: int | None = None
    """Active subscriptions; known for today alone."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A source that tells nothing, or not all, and why: `cloud`, what was refused, or how it failed."""

    source: Source
    why: str
    kept: int = 0
    """What it had told before it failed."""
    failed: int = 0
    """Customers of whom it could not be read."""
    until: datetime | None = None
    """When it is asked again."""

    @property
    def is_whole(self) -> bool:
        """Nothing at all comes from it."""
        return not self.kept and not self.failed


@dataclass(frozen=True, slots=True)
class SuspiciousDigest:
    """What looks wrong on one day, the worst first."""

    on: date
    at: datetime
    """The moment it speaks for."""
    as_of: datetime | None
    """When the sources were last looked at; None when they never were."""
    banners: tuple[Banner, ...]
    missing: tuple[Missing, ...]
    cases: tuple[CaseLine, ...]
    """Those that wait for somebody's word."""
    settled: tuple[CaseLine, ...] = ()
    """Those that somebody has settled, in the same episode."""
    quiet: int = 0
    """Cases nobody has settled of which nothing new was heard for long."""
    mutes: tuple[Mute, ...] = ()
    names: Mapping[CustomerId, str] = field(default_factory=dict)
    """Of the customers that are muted: most of them have no case here."""
    precision: tuple[Precision, ...] = ()


def damage(case: Case, past: Past) -> Damage:
    """What has been bought since the case began, what is being used, and what is owed."""
    # The same purchase is seen as an order and as a difference between two readings: the larger of the two counts.
    ordered = sum(order.quantity for order in past.orders if order.at >= case.first_seen)
    added = sum(max(0, q.after - q.before) for q in past.quantities if q.at >= case.first_seen)
    spent = {past.spent[-1].currency: past.spent[-1].amount} if past.spent else {}
    owed = dict(past.owed[-1].overdue) if past.owed else {}
    return Damage(max(ordered, added), spent, owed)


def worst_first(lines: Iterable[CaseLine]) -> tuple[CaseLine, ...]:
    return tuple(
        sorted(lines, key=lambda line: (-line.case.severity.rank, -line.case.score, line.case.first_seen))
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule would have said over some days, beside what people made of it."""

    rule: Rule
    signals: int
    customers: int
    right: int
    wrong: int

    @property
    def precision(self) -> Decimal | None:
        judged = self.right + self.wrong
        return (Decimal(self.right) / judged).quantize(Decimal("0.01")) if judged else None


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the rules would have said from `since` to `until`, both included."""

    since: date
    until: date
    cases: tuple[Case, ...]
    rules: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a mute would have left out over the last days."""

    days: int
    signals: tuple[tuple[CustomerId, Signal], ...]
    cases: int
    """How many cases would not have been there."""


def what_rules_said(
    found: Sequence[tuple[CustomerId, Signal]], judged: Mapping[str, bool]
) -> tuple[Said, ...]:
    """Count by rule; `judged` tells by the key of a signal whether people found it right."""
    counted: dict[Rule, tuple[set[str], set[CustomerId]]] = {}
    for customer, signal in found:
        keys, customers = counted.setdefault(signal.rule, (set(), set()))
        keys.add(signal.key)
        customers.add(customer)
    return tuple(
        Said(
            rule,
            len(keys),
            len(customers),
            sum(judged.get(key) is True for key in keys),
            sum(judged.get(key) is False for key in keys),
        )
        for rule, (keys, customers) in sorted(counted.items())
    )
