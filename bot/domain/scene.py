"""A scene: one customer's past made fit for the rules of suspicion, seen at one moment from the partner's zone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Final, TypeVar

from bot.domain.observation import Observation, Operation, OrderPlaced, Past, QuantityChanged
from bot.domain.signal import Fact, Rule, RuleBook, Severity, Signal

MOST_SEATS: Final = 10_000_000
"""More in one order is a slip of whoever wrote it; it counts as this."""
MOST_MONEY: Final = Decimal(10) ** 13
STRONGEST: Final = 1.5
"""So many times its points a rule gives at most."""
YEARS: Final = range(2000, 9999)
"""Moments outside are no moments: Microsoft writes 9999-12-31 for never, and others 0001-01-01."""

T = TypeVar("T")
Kind = TypeVar("Kind", bound=Observation)


@dataclass(frozen=True, eq=False)
class Scene:
    """What of the past is to be believed, up to `at`; each kind in the order of time, nothing twice."""

    past: Past
    at: datetime
    book: RuleBook
    zone: tzinfo
    _local: dict[datetime, datetime] = field(default_factory=dict, repr=False)
    _found: dict[Callable[[Scene], object], object] = field(default_factory=dict, repr=False)

    def local(self, moment: datetime) -> datetime:
        """As the partner's clocks show it."""
        if (known := self._local.get(moment)) is None:
            known = self._local[moment] = moment.astimezone(self.zone)
        return known

    def day(self, moment: datetime) -> date:
        return self.local(moment).date()

    def is_off_hours(self, moment: datetime) -> bool:
        """Outside the book's hours, or on a Saturday or Sunday."""
        local = self.local(moment)
        begin, end = self.book.business_hours
        open_ = begin <= local.hour < end if begin <= end else not end <= local.hour < begin
        return not open_ or local.weekday() >= 5

    def once(self, find: Callable[[Scene], T]) -> T:
        """What several rules ask for, found for the first of them."""
        if find not in self._found:
            self._found[find] = find(self)
        return self._found[find]  # type: ignore[return-value]

    def threshold(self, rule: Rule, name: str) -> float:
        # Never 0: strength is how many times the threshold was reached
        return max(float(self.book.threshold(rule, name)), 1e-9)

    @cached_property
    def known_from(self) -> date:
        """Since when this customer, or that there was none, is known."""
        moments = [
            seen[0].at
            for seen in (self.past.orders, self.past.quantities, self.past.operations, self.past.spent)
            if seen
        ]
        if self.past.watched_since is not None and self.past.watched_since <= self.at:
            moments.append(self.past.watched_since)
        return min((self.day(moment) for moment in moments), default=date(YEARS.start, 1, 1))

    @cached_property
    def rises(self) -> tuple[QuantityChanged, ...]:
        """Seats added to subscriptions that were bought, but for what was there when watching began."""
        begun = self.past.watched_since
        return tuple(
            q
            for q in self.past.quantities
            if q.after > q.before and not q.is_trial and (begun is None or q.at > begun)
        )

    @cached_property
    def new_since(self) -> datetime | None:
        """When the customer came to the partner; None for those who were there before, or of whom nobody knows."""
        added = next((o.at for o in self.past.operations if succeeded(o, "add_customer")), None)
        first = self.past.orders[0].at if self.past.orders else None
        if added is not None and (first is None or first >= added):
            return added
        begun = self.past.watched_since
        if first is None or begun is None or first < begun + timedelta(days=SETTLED_DAYS):
            return None
        return None if self._was_there_before(first) else first

    def _was_there_before(self, first: datetime) -> bool:
        """Whether anything else tells of the customer from before its first order."""
        day_before = first - timedelta(days=1)
        past = self.past
        return (
            any(q.at <= first and q.before > 0 for q in past.quantities[:50])
            or any(seen and seen[0].at < day_before for seen in (past.spent, past.owed, past.operations))
            or any(
                o.at - timedelta(days=min(o.oldest_days, 3650)) < day_before
                for o in past.owed
                if o.at <= first
            )
        )

    def signal(
        self,
        rule: Rule,
        key: object,
        at: datetime,
        *,
        strength: float = 1.0,
        facts: Mapping[str, Fact],
        evidence: Iterable[str] = (),
        severity: Severity | None = None,
    ) -> Signal:
        """One finding. `strength` is how many times its threshold it reached; below 1 it is a weak one."""
        return Signal(
            rule,
            f"{rule}:{key}",
            at,
            grown(self.book.points(rule), strength),
            facts,
            tuple(dict.fromkeys(evidence))[:MOST_EVIDENCE],
            severity or (Severity.MEDIUM if strength >= 4 else Severity.LOW),
        )


SETTLED_DAYS: Final = 30
"""A first order so soon after watching began says nothing: the customer may be an old one."""
MOST_EVIDENCE: Final = 12


def grown(points: int, strength: float) -> int:
    """At its threshold a rule gives its points, at eight times the threshold half as many again."""
    factor = strength if strength < 1 else 1 + math.log2(min(strength, 8.0)) / 6
    return math.floor(points * min(max(factor, 0.0), STRONGEST))


def succeeded(operation: Operation, name: str) -> bool:
    return operation.operation.lower() == name and operation.status.lower() not in ("failed", "error")


def scene(past: Past, book: RuleBook, *, at: datetime, zone: tzinfo) -> Scene:
    """Take what was known at that moment and can be: in order, nothing twice, no number out of this world."""
    at = believed(at)
    kept = _keeper(at)
    began = past.watched_since
    return Scene(
        Past(
            past.customer_id,
            orders=tuple(_sane_order(o) for o in kept(past.orders)),
            quantities=tuple(
                replace(q, before=_seats(q.before), after=_seats(q.after))
                if not (0 <= q.before <= MOST_SEATS and 0 <= q.after <= MOST_SEATS)
                else q
                for q in kept(past.quantities)
            ),
            operations=kept(past.operations),
            spent=tuple(
                s if s.budget is None or is_money(s.budget) else replace(s, budget=None)
                for s in kept(past.spent)
                if is_money(s.amount)
            ),
            alerts=_once(
                replace(a, at=min(believed(a.at) if is_believed(a.at) else first, at), first_at=first)
                for a in past.alerts
                if (first := _first(a.first_at, a.at)) is not None and first <= at
            ),
            reports=kept(past.reports),
            owed=kept(past.owed),
            watched_since=believed(began) if began is not None and is_believed(began) else None,
        ),
        at,
        book,
        zone,
    )


def is_believed(moment: datetime) -> bool:
    return moment.year in YEARS


def believed(moment: datetime) -> datetime:
    """In UTC; a moment without a zone is taken to be so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def is_money(amount: Decimal) -> bool:
    return amount.is_finite() and 0 <= amount < MOST_MONEY


def _keeper(at: datetime) -> Callable[[tuple[Kind, ...]], tuple[Kind, ...]]:
    def kept(seen: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return _once(
            o if o.at.tzinfo is not None else replace(o, at=believed(o.at))
            for o in seen
            if is_believed(o.at) and believed(o.at) <= at
        )

    return kept


def _once(seen: Iterable[Kind]) -> tuple[Kind, ...]:
    """In the order of time. Of two that say they are the same, always the same one."""
    found: dict[str, Kind] = {}
    for observation in seen:
        other = found.get(observation.key)
        if other is None or _rank(observation) < _rank(other):
            found[observation.key] = observation
    return tuple(sorted(found.values(), key=lambda o: (o.at, o.key)))


def _rank(observation: Observation) -> tuple[datetime, str]:
    return observation.at, repr(observation)


def _first(first_at: datetime | None, at: datetime) -> datetime | None:
    """When an alert began: the earlier of the two moments that are moments."""
    return min((believed(m) for m in (first_at, at) if m is not None and is_believed(m)), default=None)


def _seats(quantity: int) -> int:
    return min(max(quantity, 0), MOST_SEATS)


def _sane_order(order: OrderPlaced) -> OrderPlaced:
    if all(0 <= line.quantity <= MOST_SEATS for line in order.lines):
        return order
    return replace(order, lines=tuple(replace(line, quantity=_seats(line.quantity)) for line in order.lines))
