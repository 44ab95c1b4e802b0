"""The billing policy: which steps collection has, from which day on each is due, and for whom it is otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from bot.domain.calendar import MONDAY_TO_FRIDAY, BusinessCalendar
from bot.domain.capability import DELETION_DAYS, DeletionDays, SubscriptionKind
from bot.domain.customer import Subscription
from bot.domain.glass import BreakGlass
from bot.domain.reach import Grant
from bot.domain.signal import RuleBook
from bot.domain.step_up import StepUp


class StageAction(StrEnum):
    """In order of severity."""

    REMIND = "remind"
    WARN = "warn"
    TICKET = "ticket"
    PROPOSE_SUSPEND = "propose_suspend"
    PROPOSE_CANCEL = "propose_cancel"

    @property
    def cuts_off(self) -> bool:
        """Whether it proposes to take something away, so that every brake holds it back."""
        return self in (StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of the debts in one currency; what is None is not asked for."""

    items_overdue: int | None = None
    oldest_days: int | None = None
    amount: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a customer a proposal is about."""

    exclude_products: frozenset[SubscriptionKind] = frozenset()
    max_subscriptions: int = 100

    def broken_by(self, subscriptions: Sequence[Subscription]) -> tuple[Rule, ...]:
        """What a request about these would break."""
        left_out = [s.name for s in subscriptions if s.kind in self.exclude_products]
        found = [Rule("out_of_scope", ", ".join(left_out))] if left_out else []
        if len(subscriptions) > self.max_subscriptions:
            found.append(Rule("too_many", str(self.max_subscriptions)))
        return tuple(found)


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
    repeat_every_days: int | None = None
    notice_days: int = 0
    """A later stage that requires this one comes so many days after the recorded warning at the earliest."""
    requires_stage: str | None = None
    """The stage that must have been carried out before, in the same episode."""
    any_of: tuple[Condition, ...] = ()
    all_of: tuple[Condition, ...] = ()
    expires_hours: int | None = None
    scope: Scope = Scope()
    channel: str | None = None
    queue: str | None = None
    priority: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Exemption:
    """A customer for whom some actions are never proposed, until a day. `tenant` is in lower case."""

    tenant: str
    reason: str
    actions: frozenset[StageAction]
    until: date
    by: str


Changes = Mapping[str, Mapping[str, object]]
"""By stage id, the fields of `Stage` that are otherwise."""


@dataclass(frozen=True, slots=True)
class Override:
    """Other stages for one customer, until a day. `tenant` is in lower case."""

    tenant: str
    reason: str
    stages: Changes
    until: date
    by: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Other stages for all customers of a tag."""

    name: str
    tag: str
    stages: Changes


@dataclass(frozen=True, slots=True)
class Exit:
    """When an episode is over, and what is then proposed."""

    when: Literal["overdue_cleared", "all_cleared", "below_minimum"] = "overdue_cleared"
    confirm_readings: int = 1
    """So many readings of the books in a row must show it."""
    proposes_resume: bool = True
    approvals: int = 0
    partial_payment: Literal["hold", "continue"] = "hold"
    """`hold`: while an episode's debt shrinks, nothing more severe than before is proposed that day."""
    promise_days: int = 14
    promise_times: int = 1


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days on which nobody is cut off for non-payment, both included."""

    first: date
    last: date
    reason: str


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
    timezone: str | None = None
    currency_unlisted: Literal["manual", "ignore"] = "manual"
    grace_days: int = 0
    """Days past due that do not count."""
    min_step_gap_days: int = 0
    quiet_hours: tuple[time, time] | None = None
    """From, to, in the partner's zone: nobody is cut off for non-payment then."""
    no_cutoff_before_days_off: bool = False
    freezes: tuple[Freeze, ...] = ()
    overrides: tuple[Override, ...] = ()
    segments: tuple[Segment, ...] = ()
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Which tenants bear a tag."""
    exit: Exit = Exit()
    contact: str = ""
    """Whom customers may ask, as the published text has it."""
    risk: RuleBook = field(default_factory=RuleBook)
    """The rules of suspicion; collection does not look at them."""

    rights: tuple[Grant, ...] = ()
    """How far the rights to ask and to approve reach; without any of a right it reaches everywhere."""

    step_up: StepUp | None = None
    """Which approvals need a code besides."""

    break_glass: BreakGlass | None = None
    """Who may let what act without the approvals it lacks; None: nobody."""

    @property
    def counts_amounts(self) -> bool:
        """Whether anything about rights depends on what a customer owes."""
        if self.step_up and self.step_up.over is not None:
            return True
        return any(grant.up_to is not None for grant in self.rights)

    @property
    def groups(self) -> frozenset[str]:
        """The user groups that rights are given by, or that may break the glass."""
        named = (
            *(grant.who or () for grant in self.rights),
            self.break_glass.who if self.break_glass else (),
        )
        return frozenset(name for names in named for name in names if name.startswith("S"))

    @property
    def suspend_stage(self) -> Stage | None:
        return next((s for s in self.stages if s.action is StageAction.PROPOSE_SUSPEND), None)

    def stages_for(self, tenant: str | None, *, on: date) -> tuple[Stage, ...]:
        """The stages that hold for this customer on that day: an override over a segment over the stages."""
        if not self.segments and not self.overrides:
            return self._in_force
        changes: dict[str, dict[str, object]] = {}
        for segment in self.segments:
            if tenant and tenant.lower() in self.tags.get(segment.tag, frozenset()):
                for stage, fields in segment.stages.items():
                    changes[stage] = {**changes.get(stage, {}), **fields}
        for override in self.overrides:
            if tenant and override.tenant == tenant.lower() and on <= override.until:
                for stage, fields in override.stages.items():
                    changes[stage] = {**changes.get(stage, {}), **fields}
        made = (replace(s, **changes.get(s.id, {})) for s in self.stages)  # type: ignore[arg-type]
        return tuple(sorted((s for s in made if s.enabled), key=lambda s: s.days_overdue))

    def suspend_stage_for(self, tenant: str | None, *, on: date) -> Stage | None:
        """By what this customer is suspended, if at all."""
        stages = self.stages_for(tenant, on=on)
        return next((s for s in stages if s.action is StageAction.PROPOSE_SUSPEND), None)

    @property
    def _in_force(self) -> tuple[Stage, ...]:
        return (
            self.stages if all(s.enabled for s in self.stages) else tuple(s for s in self.stages if s.enabled)
        )

    def exemption(self, tenant: str | None, action: StageAction, *, on: date) -> Exemption | None:
        """What keeps that from being proposed for this customer on that day."""
        return next(
            (
                e
                for e in self.exemptions
                if tenant is not None and e.tenant == tenant.lower() and on <= e.until and action in e.actions
            ),
            None,
        )

    def may_cut_off(self, at: datetime, *, zone: tzinfo) -> datetime:
        """That moment, or the next at which somebody may be cut off for non-payment."""
        moment = at.astimezone(zone)
        for _ in range(2 * 366):
            day = moment.date()
            if self._is_frozen(day):
                moment = datetime.combine(day + timedelta(days=1), time(), zone)
            elif end := self._quiet_until(moment, zone):
                moment = end
            else:
                return max(moment.astimezone(at.tzinfo), at)
        return moment.astimezone(at.tzinfo)

    def _is_frozen(self, day: date) -> bool:
        if any(freeze.first <= day <= freeze.last for freeze in self.freezes):
            return True
        if not self.no_cutoff_before_days_off:
            return False
        tomorrow = day + timedelta(days=1)
        return not (self.calendar.is_business_day(day) and self.calendar.is_business_day(tomorrow))

    def _quiet_until(self, moment: datetime, zone: tzinfo) -> datetime | None:
        if self.quiet_hours is None:
            return None
        begin, end = self.quiet_hours
        now, day = moment.time(), moment.date()
        if begin <= end:
            return datetime.combine(day, end, zone) if begin <= now < end else None
        if now >= begin:
            return datetime.combine(day + timedelta(days=1), end, zone)
        return datetime.combine(day, end, zone) if now < end else None


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that holds, and since when; `refused` says why a newer file does not."""

    policy: BillingPolicy
    since: datetime | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Debt:
    """Overdue net of unapplied credits, undisputed only, in one currency, and how old the oldest of it is."""

    overdue: Decimal
    oldest_days: int
    items: int = 1
    """How many documents make it up."""


Exposure = Mapping[str, Debt]
"""What one customer owes beyond its due dates, by currency. Each is held against the policy by itself: an old
trifle in one currency must not lend its age to a young debt in another."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Why: the rule's key and the fact it was held against, for `handlers.views` to put in words."""

    rule: str
    fact: str


def due_of(policy: BillingPolicy, stages: Sequence[Stage], counting: Exposure) -> tuple[Stage, ...]:
    """Which of these stages have their day, amount and conditions reached by debts that count (see `countable`)."""
    return tuple(s for s in stages if any(is_due(policy, s, c, d) for c, d in counting.items()))


def countable(policy: BillingPolicy, exposure: Exposure) -> Exposure:
    """The debts that are worth a step."""
    return {
        currency: debt
        for currency, debt in exposure.items()
        if debt.overdue > 0 and debt.overdue >= policy.minimum.get(currency, Decimal(0))
    }


def is_due(policy: BillingPolicy, stage: Stage, currency: str, debt: Debt) -> bool:
    if debt.oldest_days < stage.days_overdue + policy.grace_days:
        return False
    return next(_lacks(policy, stage, currency, debt), None) is None


def lacks(policy: BillingPolicy, stage: Stage, currency: str, debt: Debt) -> tuple[Rule, ...]:
    """Everything that keeps the stage from being due for this debt; nothing where it is due."""
    return tuple(_lacks(policy, stage, currency, debt))


def _lacks(policy: BillingPolicy, stage: Stage, currency: str, debt: Debt) -> Iterator[Rule]:
    days = stage.days_overdue + policy.grace_days
    if debt.oldest_days < days:
        yield Rule("lacks_days", f"{debt.oldest_days} < {days}")
    if stage.amount is not None and currency not in stage.amount:
        yield Rule("lacks_threshold", currency)
    elif not _reached(stage.amount, currency, debt):
        least = (stage.amount or {})[currency]
        yield Rule("lacks_amount", f"{currency} {debt.overdue} < {least}")
    if stage.any_of and not any(_holds(c, currency, debt) for c in stage.any_of):
        yield Rule("lacks_condition", "any")
    if not all(_holds(c, currency, debt) for c in stage.all_of):
        yield Rule("lacks_condition", "all")


def is_unlisted(policy: BillingPolicy, stage: Stage, currency: str, debt: Debt) -> bool:
    """Whether only the missing threshold of its currency keeps the stage from being due."""
    listed = stage.amount is None or currency in stage.amount
    return not listed and is_due(policy, replace(stage, amount=None), currency, debt)


def _holds(condition: Condition, currency: str, debt: Debt) -> bool:
    return (
        (condition.items_overdue is None or debt.items >= condition.items_overdue)
        and (condition.oldest_days is None or debt.oldest_days >= condition.oldest_days)
        and _reached(condition.amount, currency, debt)
    )


def _reached(amount: Mapping[str, Decimal] | None, currency: str, debt: Debt) -> bool:
    least = Decimal(0) if amount is None else amount.get(currency)
    return least is not None and debt.overdue >= least
