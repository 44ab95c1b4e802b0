"""Why a customer is, or is not, where the billing policy has them: all that the answer rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.domain.aging import PartyBalances
from bot.domain.collection import Facts, History, Trace
from bot.domain.customer import Countdown, Customer
from bot.domain.policy import BillingPolicy, Exemption, InForce, Override, Segment
from bot.domain.receivables import OpenItem


@dataclass(frozen=True, slots=True)
class Owed:
    """What a customer owes in one currency, and what of it counts."""

    currency: str
    open: Decimal
    not_due: Decimal
    counts: Decimal
    """Overdue net of credits; 0 where nothing does."""
    oldest_days: int
    disputed: Decimal
    """Of what is past due."""
    blocked: Decimal
    promised: Decimal
    credits: Decimal
    minimum: Decimal | None
    """The least that is pursued, where less than that counts."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One customer, or a debtor of whom no customer is known."""

    on: date
    holds: InForce
    name: str
    customer: Customer | None
    suggestion: Customer | None
    """Whom that debtor may be: for a person to confirm."""
    namesakes: tuple[str, ...]
    """Debtors in the books that may be this customer, and are not linked to it."""
    owed: tuple[Owed, ...]
    facts: Facts
    history: History
    trace: Trace
    as_of: date | None
    """The day the books speak for; None where nothing was ever imported."""
    age_hours: int | None
    suspended: tuple[Countdown, ...] = ()

    @property
    def exemptions(self) -> tuple[Exemption, ...]:
        tenant = self.facts.tenant
        return tuple(e for e in self.holds.policy.exemptions if e.tenant == tenant and self.on <= e.until)

    @property
    def override(self) -> Override | None:
        tenant = self.facts.tenant
        overrides = self.holds.policy.overrides
        return next((o for o in overrides if o.tenant == tenant and self.on <= o.until), None)

    @property
    def segments(self) -> tuple[Segment, ...]:
        policy, tenant = self.holds.policy, self.facts.tenant
        return tuple(s for s in policy.segments if tenant in policy.tags.get(s.tag, frozenset()))


@dataclass(frozen=True, slots=True)
class Choice:
    """Several fit: which is meant?"""

    customers: tuple[Customer, ...]
    debtors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody fits; who is called much like it."""

    near: tuple[str, ...]


Answer = Inquiry | Choice | Nobody


def owed(
    parties: Iterable[PartyBalances], facts: Facts, policy: BillingPolicy, *, on: date
) -> tuple[Owed, ...]:
    """A line a currency, in alphabetical order; currencies are never added up."""
    by_currency: dict[str, list[OpenItem]] = {}
    for party in parties:
        for item in party.items:
            by_currency.setdefault(item.currency, []).append(item)
    return tuple(_owed(c, items, facts, policy, on) for c, items in sorted(by_currency.items()))


def _owed(currency: str, items: list[OpenItem], facts: Facts, policy: BillingPolicy, on: date) -> Owed:
    debts = [i for i in items if i.open_amount > 0]
    late = [i for i in debts if i.due_date < on]
    debt = facts.exposure.get(currency)
    least = policy.minimum.get(currency)

    def total(of: Iterable[OpenItem]) -> Decimal:
        return sum((i.open_amount for i in of), Decimal(0))

    return Owed(
        currency=currency,
        open=total(debts),
        not_due=total(i for i in debts if i.due_date >= on),
        counts=debt.overdue if debt else Decimal(0),
        oldest_days=debt.oldest_days if debt else 0,
        disputed=total(i for i in late if i.disputed),
        blocked=total(i for i in late if i.dunning_blocked and not i.disputed),
        promised=total(i for i in late if i.may_be_dunned and i.promise_to_pay and on <= i.promise_to_pay),
        credits=-total(i for i in items if i.is_credit),
        minimum=least if debt and least is not None and debt.overdue < least else None,
    )
