"""The billing policy: from which day on what is due, and what a balance has come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


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
    exemptions: tuple[Exemption, ...] = ()

    @property
    def suspend_stage(self) -> Stage | None:
        return next((s for s in self.stages if s.action is StageAction.PROPOSE_SUSPEND), None)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one customer owes beyond its due dates, net of unapplied credits, undisputed only."""

    overdue: Mapping[str, Decimal]
    oldest_days: int


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
    counts = _at_least(exposure.overdue, policy.minimum)
    due = [s for s in policy.stages if counts and _is_due(s, exposure)]
    stage = due[-1] if due else None
    following = [s for s in policy.stages if s.days_overdue > exposure.oldest_days]
    reasons: list[Rule] = []
    if not exposure.overdue or exposure.oldest_days <= 0:
        reasons.append(Rule("nothing_overdue", "0"))
    elif not counts:
        reasons.append(Rule("below_minimum", _amounts(exposure.overdue)))
    elif stage:
        reasons.append(Rule(f"stage:{stage.id}", f"{exposure.oldest_days} >= {stage.days_overdue}"))
    else:
        first = policy.stages[0].days_overdue if policy.stages else 0
        reasons.append(Rule("before_first_stage", f"{exposure.oldest_days} < {first}"))
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


def _is_due(stage: Stage, exposure: Exposure) -> bool:
    if exposure.oldest_days < stage.days_overdue:
        return False
    return stage.amount is None or any(
        exposure.overdue.get(currency, Decimal(0)) >= least for currency, least in stage.amount.items()
    )


def _at_least(overdue: Mapping[str, Decimal], minimum: Mapping[str, Decimal]) -> bool:
    return any(
        amount > 0 and amount >= minimum.get(currency, Decimal(0)) for currency, amount in overdue.items()
    )


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


def _amounts(overdue: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{currency} {amount}" for currency, amount in sorted(overdue.items()))
