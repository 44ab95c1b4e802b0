"""The billing policy: from which day on what is due, and what a balance has come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from bot.domain.calendar import MONDAY_TO_FRIDAY, BusinessCalendar
from bot.domain.capability import DELETION_DAYS, DeletionDays


class StageAction(StrEnum):
    REMIND = "remind"
    WARN = "warn"
    TICKET = "ticket"
    PROPOSE_SUSPEND = "propose_suspend"
    PROPOSE_CANCEL = "propose_cancel"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of collection, due once the oldest countable item is that many days past due."""

    id: str
    days_overdue: int
    action: StageAction
    amount: Mapping[str, Decimal] | None = None
    """Overdue per currency that must be reached; with it, the stage is for the listed currencies only."""
    approvals: int = 0
    """How many approvals a request of this stage needs at least; the settings may ask for more."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A customer for whom some actions are never proposed, until a day. `tenant` is in lower case."""

    tenant: str
    reason: str
    actions: frozenset[StageAction]
    until: date
    by: str


@dataclass(frozen=True, slots=True)
class BillingPolicy:
    """Stages in order of days and severity."""

    version: str
    """A short hash of the file, quoted wherever the policy decided something."""
    stages: tuple[Stage, ...]
    minimum: Mapping[str, Decimal]
    """Overdue per currency below which a customer is only listed."""
    max_data_age_hours: int = 26
    calendar: BusinessCalendar = MONDAY_TO_FRIDAY
    exemptions: tuple[Exemption, ...] = ()
    deletion_days: DeletionDays = field(default_factory=lambda: DELETION_DAYS)

    @property
    def suspend_stage(self) -> Stage | None:
        return next((s for s in self.stages if s.action is StageAction.PROPOSE_SUSPEND), None)


@dataclass(frozen=True, slots=True)
class Debt:
    """Overdue net of unapplied credits, undisputed only, in one currency, and how old the oldest of it is."""

    overdue: Decimal
    oldest_days: int


Exposure = Mapping[str, Debt]
"""What one customer owes beyond its due dates, by currency. Each is held against the policy by itself: an old
trifle in one currency must not lend its age to a young debt in another."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Why: the rule's key and the fact it was held against, for `handlers.views` to put in words."""

    rule: str
    fact: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands: the stage due, the next one, and whether a suspension is foreseen."""

    stage: Stage | None
    next_stage: Stage | None
    proposes_suspension: bool
    reasons: tuple[Rule, ...]


def standing(
    policy: BillingPolicy,
    exposure: Exposure,
    *,
    tenant: str | None,
    on: date,
    data_is_fresh: bool,
    data_is_complete: bool = True,
) -> Standing:
    """Hold one customer against the policy. Same facts, same answer.

    Only the most severe due stage counts. Nothing is proposed for somebody who is not a known customer,
    on data too old or too patchy to trust, or against an exemption: missing data never suspends.
    """
    counting = {
        currency: debt
        for currency, debt in exposure.items()
        if debt.overdue > 0 and debt.overdue >= policy.minimum.get(currency, Decimal(0))
    }
    due = [s for s in policy.stages if any(_is_due(s, c, debt) for c, debt in counting.items())]
    stage = due[-1] if due else None
    oldest = max((debt.oldest_days for debt in exposure.values()), default=0)
    following = [s for s in policy.stages if s.days_overdue > oldest]
    reasons: list[Rule] = []
    if not any(debt.overdue > 0 for debt in exposure.values()):
        reasons.append(Rule("nothing_overdue", "0"))
    elif not counting:
        reasons.append(Rule("below_minimum", _amounts(exposure)))
    elif stage:
        days = max(d.oldest_days for c, d in counting.items() if _is_due(stage, c, d))
        reasons.append(Rule(f"stage:{stage.id}", f"{days} >= {stage.days_overdue}"))
    else:
        first = policy.stages[0].days_overdue if policy.stages else 0
        days = max(debt.oldest_days for debt in counting.values())
        reasons.append(Rule("before_first_stage", f"{days} < {first}"))
    suspends = any(s.action is StageAction.PROPOSE_SUSPEND for s in due)
    if suspends and not data_is_fresh:
        reasons.append(Rule("data_too_old", f"{policy.max_data_age_hours} h"))
        suspends = False
    if suspends and not data_is_complete:
        reasons.append(Rule("rows_unread", ""))
        suspends = False
    if suspends and tenant is None:
        reasons.append(Rule("not_mapped", ""))
        suspends = False
    if suspends and (exemption := _exemption(policy, tenant, on)):
        reasons.append(Rule("exempt", f"{exemption.reason} (until {exemption.until.isoformat()})"))
        suspends = False
    return Standing(stage, following[0] if following else None, suspends, tuple(reasons))


def _is_due(stage: Stage, currency: str, debt: Debt) -> bool:
    if debt.oldest_days < stage.days_overdue:
        return False
    least = Decimal(0) if stage.amount is None else stage.amount.get(currency)
    return least is not None and debt.overdue >= least


def _exemption(policy: BillingPolicy, tenant: str | None, on: date) -> Exemption | None:
    return next(
        (
            e
            for e in policy.exemptions
            if tenant is not None
            and e.tenant == tenant.lower()
            and on <= e.until
            and StageAction.PROPOSE_SUSPEND in e.actions
        ),
        None,
    )


def _amounts(exposure: Exposure) -> str:
    return ", ".join(f"{currency} {debt.overdue}" for currency, debt in sorted(exposure.items()))
