"""What a digest says, before it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.domain.collection import Standing
from bot.domain.customer import Countdown, Customer
from bot.domain.receivables import Balance, PartyBalances


@dataclass(frozen=True, slots=True)
class Banner:
    """Something to know before reading on: a key, and the facts for its words."""

    key: str
    facts: Mapping[str, str]


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
