"""What a digest says, before it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.domain.collection import Standing
from bot.domain.customer import Countdown, Customer
from bot.domain.followup import Pause
from bot.domain.people import PersonId
from bot.domain.policy import StageAction
from bot.domain.receivables import Balance, OpenItem, PartyBalances


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
    debtors: tuple[Debtor, ...]
    paid: tuple[Paid, ...] = ()
    """Whom the policy proposes to be resumed."""
    policy_version: str = ""
    """Of the policy that judged them."""
    others_suspended: tuple[Countdown, ...] = ()
    """What is suspended of customers that owe nothing past its due date; known for today alone."""
    since: Since | None = None

    @property
    def awake(self) -> tuple[Debtor, ...]:
        """Who is shown in full."""
        return tuple(debtor for debtor in self.debtors if debtor.snooze is None)

    @property
    def asleep(self) -> tuple[Debtor, ...]:
        return tuple(debtor for debtor in self.debtors if debtor.snooze is not None)

    @property
    def running(self) -> tuple[int, int] | None:
        """How many subscriptions go on at how many overdue customers; None where it is not known."""
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


def worst_first(debtors: list[Debtor]) -> tuple[Debtor, ...]:
    """By how long, then by how much: amounts in different currencies cannot be compared, days can."""
    return tuple(
        sorted(
            debtors,
            key=lambda d: (
                -d.party.oldest_days,
                -max((b.overdue for b in d.party.balances.values()), default=Decimal(0)),
                d.party.customer,
            ),
        )
    )
