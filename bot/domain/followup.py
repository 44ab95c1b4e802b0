"""What people say about a customer's debt: wait with it, they promised to pay, this is who looks after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bot.domain.errors import Invalid, PromisedBefore
from bot.domain.people import Person, PersonId, Right
from bot.domain.policy import Exit, Exposure

SNOOZE_DAYS = 90
"""Nobody is left out of sight for longer."""
PROMISE = "promise"
SNOOZE = "snooze"


@dataclass(frozen=True, slots=True)
class Pause:
    """A promise to pay, or somebody's word to wait. `until` is its last day."""

    tenant: str
    kind: str
    """`promise` or `snooze`."""
    until: date
    by: PersonId
    at: datetime
    note: str
    overdue: Mapping[str, Decimal] | None = None
    """What was overdue when it was said, by currency; None where nobody wrote it down."""


def has_worsened(before: Mapping[str, Decimal], now: Exposure) -> bool:
    """Whether more is overdue than before, in any currency: that ends a snooze."""
    return any(debt.overdue > before.get(currency, Decimal(0)) for currency, debt in now.items())


def check_snooze(until: date, why: str, *, by: Person, on: date) -> None:
    """Raise NotPermitted, or Invalid under the field that will not do."""
    by.must(Right.OPERATE)
    if until <= on:
        raise Invalid("date", "not-after-today")
    if (until - on).days > SNOOZE_DAYS:
        raise Invalid("date", "too-many-days", {"days": str(SNOOZE_DAYS)})
    if not why.strip():
        raise Invalid("note", "missing")


def may_promise(made: int, terms: Exit, *, by: Person) -> None:
    """Raise NotPermitted or PromisedBefore unless this person may record one more promise after `made` of them.

    What the policy allows in an episode is an operator's to record; any further one an approver's.
    """
    if Right.APPROVE in by.rights:
        return
    by.must(Right.OPERATE)
    if made >= terms.promise_times:
        raise PromisedBefore(made, terms.promise_times)


def check_promise(until: date, made: int, terms: Exit, *, by: Person, on: date) -> None:
    """As `may_promise`; raises Invalid for a day that is past or further ahead than the policy allows."""
    may_promise(made, terms, by=by)
    if until < on:
        raise Invalid("date", "day-past")
    if (until - on).days > terms.promise_days:
        raise Invalid("date", "too-many-days", {"days": str(terms.promise_days)})
