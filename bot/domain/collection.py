"""Collection: what the billing policy makes of one customer's debts, day by day.

Pure and repeatable: same policy, facts, history and day, same answer. No stage comes before the one it requires,
none is carried out twice in an episode, and every brake (old or patchy books, a dispute, a promise, an exemption)
holds a cut-off back. Missing data never suspends and never resumes anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.domain.policy import (
    BillingPolicy,
    Debt,
    Exemption,
    Exposure,
    Rule,
    Stage,
    StageAction,
    countable,
    due_of,
    is_due,
    is_unlisted,
    lacks,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """One customer as the books and people have it on a day."""

    tenant: str | None
    """None: the books do not say which customer it is, so nothing is ever proposed."""
    exposure: Exposure
    owes_anything: bool = True
    """Anything open at all, due or not."""
    disputes: bool = False
    """Something past due is disputed, and so not in `exposure`."""
    books_are_fresh: bool = True
    books_are_complete: bool = True
    promised_until: date | None = None
    """They promised to pay by that day; the day after it counts again."""
    snoozed_until: date | None = None
    suspended_for_debt: bool = False
    """Something of theirs is suspended by us for non-payment."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage that fired: it was put before people on that day."""

    stage: str
    on: date


@dataclass(frozen=True, slots=True)
class History:
    """What happened in the present episode; it begins with the first overdue day and ends at the policy's exit."""

    began: date | None = None
    before: date | None = None
    """When the episode before this one ended."""
    steps: tuple[Step, ...] = ()
    warned: tuple[date, ...] = ()
    """On which days a warning to them was recorded as sent."""
    cleared: int = 0
    """So many readings in a row showed nothing that counts."""
    overdue: Mapping[str, Decimal] | None = None
    """What was overdue when it was last looked at, by currency."""
    paid_on: date | None = None
    """The last day on which that had become less."""

    def fired(self, stage: Stage) -> date | None:
        """When it last fired in this episode."""
        return max((step.on for step in self.steps if step.stage == stage.id), default=None)

    def carried_out(self, stage: Stage) -> date | None:
        """When it was last carried out: a warning once it was sent, everything else once people had it before them."""
        if stage.action is not StageAction.WARN:
            return self.fired(stage)
        return max((day for day in self.warned if self.began and day >= self.began), default=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands on a day."""

    stage: Stage | None
    """The most severe that is due by days and amount."""
    next_stage: Stage | None
    """What comes next: the required stage that is missing, else the following one."""
    proposes_suspension: bool
    """Whether the policy calls for it now, every brake considered."""
    reasons: tuple[Rule, ...]
    fires: Stage | None = None
    """The stage to be carried out now, once in the episode (or again, where it repeats)."""
    proposes_cancel: bool = False
    proposes_resume: bool = False
    holds_back: bool = False
    """A cut-off is due, and a brake holds it back."""


class Gone(StrEnum):
    """Why something must not be done any more, although it was confirmed. Most are about non-payment."""

    PAID = "paid"
    DISPUTED = "disputed"
    EXEMPT = "exempt"
    PROMISED = "promised"
    UNSURE = "unsure"
    """The books are too old or too patchy by now to tell."""
    UNLINKED = "unlinked"
    """Whose debt it is was corrected: it is another's by now, or nobody knows."""
    OVERTAKEN = "overtaken"
    """Something else was done to the subscription since this was begun."""
    TOO_LATE = "too-late"
    """It was approved too long ago to be done still."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a suspension for non-payment stands on, as the books and the policy had it at one moment."""

    owes: bool = False
    """Something of theirs was overdue, disputes and credits taken off."""
    counts: bool = False
    """It was as much as the policy takes a step for."""
    disputes: bool = False
    trusted: bool = False
    """The books were fresh and complete."""
    exempt: bool = False
    promised: bool = False
    by_name: bool = False
    """Whose debt it was stood in its name alone: nobody had said so."""
    unlinked: bool = False
    """A debt it stood on is no longer theirs, and without it nothing is left."""

    def gone(self, now: Ground) -> Gone | None:
        """What took the ground away since; None where it still stands, or never did.

        A person may ask against the policy: what was so already when it was confirmed takes nothing away.
        """
        if not self.owes:
            return None
        # What people said counts however sure the books are; so does a debt that books say is paid: what they
        # could not read is never closed by its absence.
        if now.unlinked:
            return Gone.UNLINKED
        if now.exempt and not self.exempt:
            return Gone.EXEMPT
        if now.promised and not self.promised:
            return Gone.PROMISED
        if self.trusted and not now.trusted:
            return Gone.UNSURE
        if not now.owes or (self.counts and not now.counts):
            return Gone.DISPUTED if now.disputes else Gone.PAID
        return None


def ground(policy: BillingPolicy, facts: Facts, *, on: date) -> Ground:
    """What a suspension of this customer for non-payment would stand on that day."""
    return Ground(
        owes=any(debt.overdue > 0 for debt in facts.exposure.values()),
        counts=bool(countable(policy, facts.exposure)),
        disputes=facts.disputes,
        trusted=facts.books_are_fresh and facts.books_are_complete,
        exempt=policy.exemption(facts.tenant, StageAction.PROPOSE_SUSPEND, on=on) is not None,
        promised=facts.promised_until is not None and on <= facts.promised_until,
    )


def standing(policy: BillingPolicy, facts: Facts, history: History, *, on: date) -> Standing:
    """Hold one customer against the policy."""
    history = _begun(facts, history, on)
    counting = countable(policy, facts.exposure)
    stages = policy.stages_for(facts.tenant, on=on)
    due = due_of(policy, stages, counting)
    stage = due[-1] if due else None
    needs = _Needs(stages, history, on)
    reasons = _why(policy, stages, facts, counting, stage)
    brakes = _brakes(policy, facts, history, on)
    candidate, waits = _candidate(policy, due, facts, history, needs, on)
    cut = [s for s in due if s.action.cuts_off]
    missing = list(dict.fromkeys(rule for s in cut if (rule := needs.of(s))))
    open_cut = [s for s in cut if needs.of(s) is None]
    exempt = {
        s.id: e for s in open_cut if not brakes and (e := policy.exemption(facts.tenant, s.action, on=on))
    }
    calls_for = [s for s in open_cut if not brakes and s.id not in exempt]
    if cut:
        reasons += missing + brakes
    if exempt:
        reasons.append(_exempt(next(iter(exempt.values()))))
    if candidate and candidate.action.cuts_off and (brakes or candidate.id in exempt):
        candidate = None
    if candidate and not candidate.action.cuts_off and (facts.tenant is None or _is_quiet(facts, on)):
        candidate = None
    if waits and stage:
        reasons.append(waits)
    if _is_day_off(policy, on):
        candidate = None
    oldest = max((d.oldest_days for d in facts.exposure.values()), default=0) - policy.grace_days
    following = next((s for s in stages if s.days_overdue > oldest), None)
    resume, why_resume = _exit(policy, facts, history)
    return Standing(
        stage=stage,
        next_stage=_required(due, needs) or following,
        proposes_suspension=any(s.action is StageAction.PROPOSE_SUSPEND for s in calls_for),
        reasons=tuple(reasons + why_resume),
        fires=candidate,
        proposes_cancel=any(s.action is StageAction.PROPOSE_CANCEL for s in calls_for),
        proposes_resume=resume,
        holds_back=bool(cut) and not calls_for,
    )


def advance(
    policy: BillingPolicy,
    facts: Facts,
    history: History,
    stands: Standing,
    *,
    on: date,
    assume_sent: bool = False,
) -> History:
    """The history after this reading: an episode begins, goes on or ends, and what fired is remembered.

    `assume_sent` is for a replay that takes every warning for sent on the day it was due.
    """
    if not facts.books_are_fresh or not facts.books_are_complete:
        return history  # what is not known for sure neither begins nor ends anything
    if _is_over(policy, facts):
        if history.began is None:
            return history
        cleared = history.cleared + 1
        is_over = cleared >= policy.exit.confirm_readings
        return History(before=on, warned=history.warned) if is_over else replace(history, cleared=cleared)
    overdue = {currency: debt.overdue for currency, debt in facts.exposure.items()}
    paid_on = on if history.overdue and _shrank(history.overdue, facts.exposure) else history.paid_on
    history = replace(_begun(facts, history, on), cleared=0, overdue=overdue, paid_on=paid_on)
    if stands.fires is None:
        return history
    if assume_sent and stands.fires.action is StageAction.WARN:
        history = replace(history, warned=(*history.warned, on))
    return replace(history, steps=(*history.steps, Step(stands.fires.id, on)))


@dataclass(frozen=True, slots=True)
class StageTrace:
    """One stage, and what it came to for a customer."""

    stage: Stage
    from_days: int
    """Days past due from which on it may be due, grace included."""
    due_in: tuple[str, ...]
    """The currencies in which it is due."""
    lacks: tuple[Rule, ...]
    """What the debts in the other currencies lack; nothing once it is due in one."""
    fired: tuple[date, ...]
    """On which days of this episode it was put before people."""
    recorded: date | None
    """Of a warning: when it was last recorded as sent."""
    waits: Rule | None
    """What has to come before it and has not."""
    exempt: Exemption | None
    fires: bool
    """Whether it is to be carried out now."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How a standing came about, rule by rule."""

    standing: Standing
    stages: tuple[StageTrace, ...]
    """Those that hold for the customer, by severity."""
    brakes: tuple[Rule, ...]
    """What would hold back any cut-off that day."""
    against: tuple[Rule, ...]
    """Why no suspension is proposed; nothing where one is."""


def trace(policy: BillingPolicy, facts: Facts, history: History, *, on: date) -> Trace:
    """Explain `standing` for the same facts, by the same rules."""
    stands = standing(policy, facts, history, on=on)
    counting = countable(policy, facts.exposure)
    brakes = tuple(_brakes(policy, facts, history, on))
    held = policy.stages_for(facts.tenant, on=on)
    needs = _Needs(held, history, on)
    stages = tuple(_traced(policy, stage, facts, history, counting, stands, needs, on) for stage in held)
    return Trace(stands, stages, brakes, _against(stands, stages, brakes))


def _traced(
    policy: BillingPolicy,
    stage: Stage,
    facts: Facts,
    history: History,
    counting: Exposure,
    stands: Standing,
    needs: _Needs,
    on: date,
) -> StageTrace:
    lacking = {currency: lacks(policy, stage, currency, debt) for currency, debt in counting.items()}
    due_in = tuple(currency for currency, rules in lacking.items() if not rules)
    return StageTrace(
        stage=stage,
        from_days=stage.days_overdue + policy.grace_days,
        due_in=due_in,
        lacks=() if due_in else tuple(dict.fromkeys(r for rules in lacking.values() for r in rules)),
        fired=tuple(step.on for step in history.steps if step.stage == stage.id),
        recorded=history.carried_out(stage) if stage.action is StageAction.WARN else None,
        waits=needs.of(stage),
        exempt=policy.exemption(facts.tenant, stage.action, on=on),
        fires=stage == stands.fires,
    )


def _against(stands: Standing, stages: tuple[StageTrace, ...], brakes: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if stands.proposes_suspension:
        return ()
    suspends = next((s for s in stages if s.stage.action is StageAction.PROPOSE_SUSPEND), None)
    if suspends is None:
        return (Rule("no_suspend_stage", ""),)
    if not suspends.due_in:
        missing = (Rule(f"not_due:{suspends.stage.id}", ""), *suspends.lacks)
        return missing if suspends.lacks else stands.reasons
    exempt = suspends.exempt
    return (
        *([suspends.waits] if suspends.waits else ()),
        *brakes,
        *([_exempt(exempt)] if exempt else ()),
    )


def _exempt(exemption: Exemption) -> Rule:
    return Rule("exempt", f"{exemption.reason} (until {exemption.until.isoformat()})")


def _begun(facts: Facts, history: History, on: date) -> History:
    """With its beginning: the first day on which something was overdue, but not before the last episode ended."""
    days = max((debt.oldest_days for debt in facts.exposure.values()), default=0)
    if history.began or days == 0:
        return history
    first = on - timedelta(days=days - 1)
    return replace(history, began=max(first, history.before or first))


def _why(
    policy: BillingPolicy, stages: tuple[Stage, ...], facts: Facts, counting: Exposure, stage: Stage | None
) -> list[Rule]:
    """The first reason: what the debts have come to."""
    if not any(debt.overdue > 0 for debt in facts.exposure.values()):
        return [Rule("nothing_overdue", "0"), *([Rule("disputed", "")] if facts.disputes else [])]
    if not counting:
        return [Rule("below_minimum", _amounts(facts.exposure))]
    unlisted = [
        currency
        for currency, debt in counting.items()
        if policy.currency_unlisted == "manual"
        and any(is_unlisted(policy, s, currency, debt) for s in stages)
    ]
    said = [Rule("currency_unlisted", ", ".join(unlisted))] if unlisted else []
    if stage:
        days = max(d.oldest_days for c, d in counting.items() if is_due(policy, stage, c, d))
        return [Rule(f"stage:{stage.id}", f"{days} >= {stage.days_overdue + policy.grace_days}"), *said]
    first = stages[0].days_overdue + policy.grace_days if stages else 0
    days = max(debt.oldest_days for debt in counting.values())
    if days >= first and stages:
        return said or [Rule("amount_not_reached", _amounts(counting))]
    return [Rule("before_first_stage", f"{days} < {first}"), *said]


class _Needs:
    """What has to come before a stage, looked up once for each of them."""

    def __init__(self, stages: tuple[Stage, ...], history: History, on: date) -> None:
        self._stages = stages
        self._history = history
        self._on = on
        self._known: dict[str, Rule | None] = {}

    def of(self, stage: Stage) -> Rule | None:
        """What is missing before that stage may come, if anything."""
        if stage.requires_stage is None:
            return None
        if stage.id not in self._known:
            self._known[stage.id] = self._look(stage.requires_stage)
        return self._known[stage.id]

    def stage(self, id: str) -> Stage | None:
        return next((s for s in self._stages if s.id == id), None)

    def _look(self, id: str) -> Rule | None:
        required = self.stage(id)
        if required is None:
            return None  # switched off for this customer
        done = self._history.carried_out(required)
        if done is None:
            return Rule(f"requires:{required.id}", "")
        passed = (self._on - done).days
        if passed < required.notice_days:
            return Rule(f"notice:{required.id}", f"{passed} < {required.notice_days}")
        return self.of(required)


def _required(due: tuple[Stage, ...], needs: _Needs) -> Stage | None:
    """The stage that has to come before the most severe one that is due."""
    for stage in reversed(due):
        if rule := needs.of(stage):
            return needs.stage(rule.rule.partition(":")[2])
    return None


def _brakes(policy: BillingPolicy, facts: Facts, history: History, on: date) -> list[Rule]:
    """What holds every cut-off back."""
    found = []
    if not facts.books_are_fresh:
        found.append(Rule("data_too_old", f"{policy.max_data_age_hours} h"))
    if not facts.books_are_complete:
        found.append(Rule("rows_unread", ""))
    if facts.tenant is None:
        found.append(Rule("not_mapped", ""))
    if facts.promised_until and on <= facts.promised_until:
        found.append(Rule("promised", facts.promised_until.isoformat()))
    if _is_day_off(policy, on):
        found.append(Rule("not_a_business_day", policy.calendar.next_after(on).isoformat()))
    if facts.snoozed_until and on <= facts.snoozed_until:
        found.append(Rule("snoozed", facts.snoozed_until.isoformat()))
    has_paid = history.paid_on == on or (history.overdue and _shrank(history.overdue, facts.exposure))
    if policy.exit.partial_payment == "hold" and has_paid:
        found.append(Rule("partly_paid", ""))
    return found


def _is_day_off(policy: BillingPolicy, on: date) -> bool:
    """Steps move to the next business day where the policy names a calendar; without one every day will do."""
    return bool(policy.calendar.name) and not policy.calendar.is_business_day(on)


def _is_quiet(facts: Facts, on: date) -> bool:
    """Nobody is reminded or warned who promised to pay, or of whom somebody said to wait."""
    return any(until and on <= until for until in (facts.promised_until, facts.snoozed_until))


def _shrank(before: Mapping[str, Decimal], now: Exposure) -> bool:
    """Whether something was paid since the last reading."""
    return any(now.get(c, Debt(Decimal(0), 0)).overdue < amount for c, amount in before.items())


def _candidate(
    policy: BillingPolicy, due: tuple[Stage, ...], facts: Facts, history: History, needs: _Needs, on: date
) -> tuple[Stage | None, Rule | None]:
    """The one stage that fires now, and why it has to wait if it does.

    The most severe that is due and whose requirement is met; else the required one. Nothing milder than what has
    fired already fires afterwards, and nothing twice in an episode, unless it repeats.
    """
    if not (facts.books_are_fresh and facts.books_are_complete):
        return None, None
    stage = _next_to_fire(due, history, needs, on)
    last = max((step.on for step in history.steps), default=None)
    if stage and last and (on - last).days < policy.min_step_gap_days:
        return None, Rule("step_gap", (last + timedelta(days=policy.min_step_gap_days)).isoformat())
    return stage, None


def _next_to_fire(due: tuple[Stage, ...], history: History, needs: _Needs, on: date) -> Stage | None:
    by_id = {s.id: s for s in due}
    reached = max((n for n, s in enumerate(due) if history.fired(s)), default=-1)
    for n in range(len(due) - 1, max(reached, 0) - 1, -1):
        stage = due[n]
        rule = needs.of(stage)
        if rule is None:
            return stage if _may_fire(stage, history, on) else None
        kind, _, name = rule.rule.partition(":")
        required = by_id.get(name)
        is_missing = kind == "requires" and required is not None and _may_fire(required, history, on)
        if required and is_missing and needs.of(required) is None:
            return required
    return None


def _may_fire(stage: Stage, history: History, on: date) -> bool:
    last = history.fired(stage)
    return last is None or bool(stage.repeat_every_days and (on - last).days >= stage.repeat_every_days)


def _is_over(policy: BillingPolicy, facts: Facts) -> bool:
    if policy.exit.when == "all_cleared":
        return not facts.owes_anything
    if policy.exit.when == "below_minimum":
        return not countable(policy, facts.exposure)
    return not any(debt.overdue > 0 for debt in facts.exposure.values())


def _exit(policy: BillingPolicy, facts: Facts, history: History) -> tuple[bool, list[Rule]]:
    """Whether what was suspended for debt should be resumed: only on books that can be trusted."""
    if not (facts.suspended_for_debt and policy.exit.proposes_resume and _is_over(policy, facts)):
        return False, []
    if not (facts.books_are_fresh and facts.books_are_complete):
        return False, [Rule("data_too_old" if not facts.books_are_fresh else "rows_unread", "")]
    if history.cleared + 1 < policy.exit.confirm_readings:
        return False, [Rule("paid_once", f"{history.cleared + 1} < {policy.exit.confirm_readings}")]
    return True, [Rule("paid", policy.exit.when)]


def _amounts(exposure: Exposure) -> str:
    return ", ".join(f"{currency} {debt.overdue}" for currency, debt in sorted(exposure.items()))
