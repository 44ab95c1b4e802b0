"""What a digest says, before it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import overload

from bot.domain.aging import Balance, PartyBalances, Totals
from bot.domain.collection import Standing
from bot.domain.customer import Countdown, Customer
from bot.domain.followup import Pause
from bot.domain.people import PersonId
from bot.domain.policy import StageAction
from bot.domain.receivables import OpenItem


@dataclass(frozen=True, slots=True)
class Banner:
    """Something to know before reading on: a key, and the facts for its words."""

    key: str
    facts: Mapping[str, str]


LATE_AFTER = timedelta(minutes=15)
"""A digest posted so long after its time is late, and people are told of one that is still missing then."""


def is_late(due: datetime, at: datetime) -> bool:
    return at - due > LATE_AFTER


class Change(StrEnum):
    """What became of a debtor since the digest before."""

    NEW = "new"
    WORSE = "worse"
    """More is past due than then, in at least one currency."""
    BETTER = "better"
    SAME = "same"


PastDue = Mapping[str, Decimal]
"""What is past its due date, by currency: disputed or not, for a dispute pays nothing."""


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since the digest before this one. Two debtors of the books that are one customer count once."""

    on: date
    """The day of the earlier digest."""
    counts: Mapping[Change, int]
    cleared: tuple[str, ...] = ()
    """The names of those of whom nothing is past due any more."""


@dataclass(frozen=True, slots=True)
class Debtor:
    """One line of the overdue digest. `customer` is set only where the books name the tenant or its domain."""

    party: PartyBalances
    customer: Customer | None
    suggestion: Customer | None
    """The one customer of exactly this name: for a person to confirm, never proof."""
    standing: Standing
    suspended: tuple[Countdown, ...] = ()
    """What of theirs is suspended, the most urgent first; known for today alone."""
    trusted: bool = True
    """Whether the books are fresh enough, and complete for this debtor, to act on."""
    change: Change | None = None
    """None where there was no digest before."""
    promise: Pause | None = None
    snooze: Pause | None = None
    """Somebody said to wait, and it has not become worse since."""
    woken: Pause | None = None
    """Somebody said to wait, but by now more is overdue than then."""
    owner: PersonId | None = None
    running: int | None = None
    """How many active subscriptions go on costing; known for today, and of customers alone."""

    @property
    def known_as(self) -> Customer | None:
        """Whom a form may be prefilled with."""
        return self.customer or self.suggestion


class Debtors(Sequence[Debtor]):
    """The lines of a digest, the worst first. Each is made anew whenever it is looked at: of tens of thousands a page
    shows eight.
    """

    def __init__(
        self,
        parties: Sequence[PartyBalances],
        make: Callable[[PartyBalances], Debtor],
        *,
        asleep: Collection[str],
        running: tuple[int, int] | None,
    ) -> None:
        """`asleep` are the keys of those that somebody said to wait of; `running` is as in `OverdueDigest`."""
        self._parties = parties
        self._make = make
        self._asleep = asleep
        self.running = running

    def __len__(self) -> int:
        return len(self._parties)

    @overload
    def __getitem__(self, at: int) -> Debtor: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Debtor, ...]: ...
    def __getitem__(self, at: int | slice) -> Debtor | tuple[Debtor, ...]:
        if isinstance(at, slice):
            return tuple(self._make(party) for party in self._parties[at])
        return self._make(self._parties[at])

    def those(self, *, asleep: bool) -> Sequence[Debtor]:
        """Of whom somebody said to wait, or the others."""
        parties = [party for party in self._parties if (party.customer_key in self._asleep) is asleep]
        if not parties:
            return ()
        return Debtors(parties, self._make, asleep=self._asleep, running=self.running)


@dataclass(frozen=True, slots=True)
class Paid:
    """Nothing of theirs is overdue any more, and something is still suspended for non-payment."""

    customer: Customer
    standing: Standing
    suspended: tuple[Countdown, ...]


@dataclass(frozen=True, slots=True)
class OverdueDigest:
    """Who owes what past its due date on one day, the worst first. Currencies stay apart."""

    on: date
    as_of: date | None
    """The day the books speak for; None when nothing was ever imported."""
    complete: bool
    banners: tuple[Banner, ...]
    totals: Mapping[str, Balance]
    debtors: Sequence[Debtor]
    paid: tuple[Paid, ...] = ()
    """Whom the policy proposes to be resumed."""
    policy_version: str = ""
    """Of the policy that judged them."""
    others_suspended: tuple[Countdown, ...] = ()
    """What is suspended of customers that owe nothing past its due date; known for today alone."""
    since: Since | None = None

    @property
    def awake(self) -> Sequence[Debtor]:
        """Who is shown in full."""
        if isinstance(self.debtors, Debtors):
            return self.debtors.those(asleep=False)
        return tuple(debtor for debtor in self.debtors if debtor.snooze is None)

    @property
    def asleep(self) -> Sequence[Debtor]:
        if isinstance(self.debtors, Debtors):
            return self.debtors.those(asleep=True)
        return tuple(debtor for debtor in self.debtors if debtor.snooze is not None)

    @property
    def running(self) -> tuple[int, int] | None:
        """How many subscriptions go on at how many overdue customers; None where it is not known."""
        if isinstance(self.debtors, Debtors):
            return self.debtors.running
        known = {d.customer.id: d.running for d in self.debtors if d.customer and d.running is not None}
        return (sum(known.values()), sum(n > 0 for n in known.values())) if known else None


@dataclass(frozen=True, slots=True)
class OverdueTotals:
    """What a digest of the day would say above its customers, without judging one of them."""

    as_of: date | None
    banners: tuple[Banner, ...]
    totals: Mapping[str, Balance]
    debtors: int
    """How many debtors of the books are past due."""


def past_due(items: Iterable[OpenItem], *, on: date) -> PastDue:
    found: dict[str, Decimal] = {}
    for item in items:
        if item.open_amount > 0 and item.due_date < on:
            found[item.currency] = found.get(item.currency, Decimal(0)) + item.open_amount
    return found


def compare(now: Mapping[str, PastDue], earlier: Mapping[str, PastDue]) -> dict[str, Change]:
    """What became of everybody who has something past due now, by whatever they are known by."""
    return {key: _change(owed, earlier.get(key, {})) for key, owed in now.items() if owed}


def _change(now: PastDue, earlier: PastDue) -> Change:
    """Whoever pays in one currency and falls behind in another is worse: the two cannot be set off."""
    if not earlier:
        return Change.NEW
    nothing = Decimal(0)
    if any(amount > earlier.get(currency, nothing) for currency, amount in now.items()):
        return Change.WORSE
    is_less = any(now.get(currency, nothing) < amount for currency, amount in earlier.items())
    return Change.BETTER if is_less else Change.SAME


class Differences:
    """What was past due on an earlier day and is not any more, or the other way round: gathered item by item, since
    nearly all are past due on both.
    """

    def __init__(self, *, on: date, now: date) -> None:
        self.on = on
        """The earlier day."""
        self.gone: list[OpenItem] = []
        """Past due then, and not open any more as they were."""
        self.new: dict[str, dict[str, Decimal]] = {}
        """By customer key and currency, what is past due now and was not then."""
        self._now = now

    def add(self, item: OpenItem, *, is_open: bool, was_open: bool) -> None:
        was_late = was_open and item.due_date < self.on
        if is_open and item.open_amount > 0 and item.due_date < self._now and not was_late:
            new = self.new.setdefault(item.customer_key, {})
            new[item.currency] = new.get(item.currency, Decimal(0)) + item.open_amount
        if was_late and not is_open:
            self.gone.append(item)


def as_it_was(now: PastDue, *, new: PastDue, gone: PastDue) -> PastDue:
    """What was past due before, by what is now and what changed since."""
    nothing = Decimal(0)
    was = {
        currency: now.get(currency, nothing) - new.get(currency, nothing) + gone.get(currency, nothing)
        for currency in (*now, *gone)
    }
    return {currency: amount for currency, amount in was.items() if amount > 0}


def added(one: PastDue, other: PastDue) -> dict[str, Decimal]:
    """Both together, each currency by itself."""
    nothing = Decimal(0)
    return {c: one.get(c, nothing) + other.get(c, nothing) for c in {**one, **other}}


def counted(changes: Mapping[str, Change]) -> Mapping[Change, int]:
    counts = Counter(changes.values())
    return {change: counts[change] for change in Change}


def proposal(standing: Standing) -> str | None:
    """What the policy proposes for a person to decide; the most severe that may be proposed."""
    if standing.proposes_cancel:
        return "cancel"
    if standing.proposes_suspension:
        return "suspend"
    if standing.proposes_resume:
        return "resume"
    is_ticket = standing.stage is not None and standing.stage.action is StageAction.TICKET
    return "ticket" if is_ticket and not standing.holds_back else None


def overview(parties: Iterable[PartyBalances]) -> tuple[Mapping[str, Balance], list[PartyBalances]]:
    """What all of them owe together, and who of them is past due, the worst first.

    That is by how long, then by how much: amounts in different currencies cannot be compared, days can. Each is looked
    at once, those of the same days together: its debts are added up anew each time.
    """
    together, worst = Totals(), list[PartyBalances]()
    for _, equals in groupby(sorted(parties, key=_by_days), key=_by_days):
        late: list[tuple[Decimal, str, PartyBalances]] = []
        for party in equals:
            each = party.each
            together.add(each)
            if any(balance.past_due for balance in each):
                late.append((-max(balance.overdue for balance in each), party.customer, party))
        late.sort(key=itemgetter(0, 1))
        worst += [party for _, _, party in late]
    return together.balances(), worst


def _by_days(party: PartyBalances) -> int:
    return -party.oldest_days
