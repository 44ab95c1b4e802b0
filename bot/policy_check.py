"""Reads a billing policy over: what it says that will never come about, or that its author may not have meant.

Nothing here refuses a file: that is `policy_file`. What is found is told, each in one English line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.policy import BillingPolicy, Condition, Stage, StageAction

SOON = timedelta(days=30)
"""An exception that ends within this time is told of."""
PATIENCE = timedelta(days=14)
"""Longer than this nobody should have to wait for an hour at which a suspension may act."""


@dataclass(frozen=True, slots=True)
class Remark:
    """`where` is the key in the file."""

    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the settings say beside the policy."""

    at: datetime
    zone: ZoneInfo
    approvals_suspend: int

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()


def read_over(policy: BillingPolicy, around: Surroundings) -> tuple[Remark, ...]:
    """Everything odd about it, in the order of the file."""
    found = [
        *_general(policy),
        *_calendar(policy, around.today),
        *_hours(policy, around),
        *_stages(policy, around),
        *_exceptions(policy, around.today),
        *_unkept(policy, around),
    ]
    return tuple(dict.fromkeys(found))


def _general(policy: BillingPolicy) -> Iterator[Remark]:
    if not policy.stages:
        yield Remark("no_stages", "stage", "there is no stage, so nothing will ever be proposed")
    elif not any(s.action is StageAction.PROPOSE_SUSPEND for s in policy.stages):
        yield Remark("no_suspension", "stage", "no stage proposes a suspension")
    if not policy.contact:
        yield Remark("no_contact", "contact", "the published text names nobody whom customers may ask")


def _calendar(policy: BillingPolicy, today: date) -> Iterator[Remark]:
    """Some countries make up for holidays by working on weekends; when is known only once it is decreed."""
    if not policy.calendar.is_of_a_country:
        return
    if not any(_works_on_weekends(policy, year) for year in range(today.year - 2, today.year + 1)):
        return
    for year in (today.year, today.year + 1):
        if not _works_on_weekends(policy, year):
            message = (
                f"no make-up working days of {year} are known for {policy.calendar.name}: "
                "add them to working_days once they are published"
            )
            yield Remark("no_make_up_days", "business_calendar", message)


def _works_on_weekends(policy: BillingPolicy, year: int) -> bool:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
    return any(d.weekday() >= 5 and d.year == year and policy.calendar.is_business_day(d) for d in days)


def _hours(policy: BillingPolicy, around: Surroundings) -> Iterator[Remark]:
    if policy.quiet_hours and policy.quiet_hours[0] == policy.quiet_hours[1]:
        yield Remark("no_quiet_hours", "quiet_hours", "they begin when they end, so there are none")
    until = policy.may_cut_off(around.at, zone=around.zone)
    if until - around.at > PATIENCE:
        message = f"with quiet_hours, freeze and days off nobody can be cut off before {until:%Y-%m-%d %H:%M}"
        yield Remark("no_time_left", "quiet_hours", message)
    for number, freeze in enumerate(policy.freezes):
        if freeze.last < around.today:
            yield Remark("freeze_over", f"freeze.{number}", f"ended on {freeze.last}: it can be removed")


def _stages(policy: BillingPolicy, around: Surroundings) -> Iterator[Remark]:
    by_id = {s.id: s for s in policy.stages}
    for stage in policy.stages:
        where = f"stage.{stage.id}"
        required = by_id.get(stage.requires_stage or "")
        if why := _why_never(policy, stage):
            yield Remark("never_fires", where, why)
        if required and not required.enabled:
            message = f"requires {required.id!r}, which is switched off: it is then not asked for"
            yield Remark("requires_nothing", where, message)
        if required and stage.amount is not None and required.amount is not None:
            for currency in sorted(stage.amount.keys() - required.amount.keys()):
                message = f"never fires in {currency}: it requires {required.id!r}, which has no amount in {currency}"
                yield Remark("never_fires", where, message)
        if stage.amount:
            yield from _thresholds(policy, stage, where)
        if stage.action.cuts_off and stage.enabled:
            yield from _warned_of(by_id, stage, where)
            if stage.approvals and stage.approvals < around.approvals_suspend:
                asked, needed = stage.approvals, around.approvals_suspend
                message = f"is {asked}, but BACKSTOP_APPROVALS_SUSPEND is {needed}: the larger counts"
                yield Remark("fewer_approvals", f"{where}.approvals", message)
        if stage.notice_days and not any(s.requires_stage == stage.id for s in policy.stages):
            message = "no stage requires this one, so nobody waits for its notice_days"
            yield Remark("notice_for_nobody", f"{where}.notice_days", message)
    for earlier, later in zip(policy.stages, policy.stages[1:], strict=False):
        gap = later.days_overdue - earlier.days_overdue
        if gap < policy.min_step_gap_days:
            message = (
                f"comes {gap} days after {earlier.id!r}, but min_step_gap_days is {policy.min_step_gap_days}: "
                f"it fires later than on day {later.days_overdue}"
            )
            yield Remark("comes_later", f"stage.{later.id}", message)


def _why_never(policy: BillingPolicy, stage: Stage) -> str | None:
    """Why no customer can ever come to this stage, if so."""
    exceptions = [*(o.stages for o in policy.overrides), *(s.stages for s in policy.segments)]
    if not stage.enabled and not any(e.get(stage.id, {}).get("enabled") for e in exceptions):
        return "it is switched off, and no override or segment switches it on"
    if stage.amount is not None and not stage.amount:
        return "its amount names no currency"
    for name, asked in (("any", stage.any_of), ("all", stage.all_of)):
        never = [c for c in asked if _never_holds(c, stage)]
        if never and (name == "all" or len(never) == len(asked)):
            return f"its {name!r} asks for amounts in currencies that its amount does not have"
    return None


def _never_holds(condition: Condition, stage: Stage) -> bool:
    if condition.amount is None:
        return False
    return not condition.amount or (
        stage.amount is not None and not condition.amount.keys() & stage.amount.keys()
    )


def _thresholds(policy: BillingPolicy, stage: Stage, where: str) -> Iterator[Remark]:
    known = set(policy.minimum) | {c for s in policy.stages for c in s.amount or ()}
    then = "a person decides" if policy.currency_unlisted == "manual" else "the stage does not count"
    for currency in sorted(known - set(stage.amount or ())):
        message = f"has no amount in {currency}: there {then}"
        yield Remark("currency_without_threshold", f"{where}.amount", message)
    for currency, amount in sorted((stage.amount or {}).items()):
        least = policy.minimum.get(currency)
        if least is None and policy.minimum:
            message = (
                f"{currency} has an amount here and no minimum: trifles in it are pursued by earlier stages"
            )
            yield Remark("currency_without_minimum", f"{where}.amount", message)
        elif least is not None and amount < least:
            message = f"{currency} {amount} is below the minimum of {least}, which counts"
            yield Remark("below_minimum", f"{where}.amount", message)


def _warned_of(by_id: dict[str, Stage], stage: Stage, where: str) -> Iterator[Remark]:
    seen: Stage | None = stage
    while seen and (seen := by_id.get(seen.requires_stage or "")):
        if seen.action is StageAction.WARN:
            if seen.enabled and not seen.notice_days:
                message = "has no notice_days: it may be followed by a suspension on the same day"
                yield Remark("no_notice", f"stage.{seen.id}", message)
            return
    message = "requires no warning: give it requires_stage with the id of a warn stage"
    yield Remark("no_warning", where, message)


def _exceptions(policy: BillingPolicy, today: date) -> Iterator[Remark]:
    ends = [(f"exempt of {e.tenant}", e.until, e.by) for e in policy.exemptions]
    ends += [(f"override of {o.tenant}", o.until, o.by) for o in policy.overrides]
    for where, until, by in ends:
        if today <= until <= today + SOON:
            yield Remark("ends_soon", where, f"ends on {until}, in {(until - today).days} days; ask {by}")
    borne = {tag for tag, tenants in policy.tags.items() if tenants}
    for segment in policy.segments:
        if segment.tag not in borne:
            yield Remark(
                "segment_of_nobody", f"segments.{segment.name}", f"nobody bears the tag {segment.tag!r}"
            )
        days = [
            changed
            if isinstance(changed := segment.stages.get(s.id, {}).get("days_overdue"), int)
            else s.days_overdue
            for s in policy.stages
        ]
        if days != sorted(set(days)):
            message = "its stages do not rise with their days: an earlier one may never fire"
            yield Remark("segment_order", f"segments.{segment.name}", message)
    for tag in sorted(policy.tags.keys() - {s.tag for s in policy.segments}):
        yield Remark("tag_of_nothing", f"tags.{tag}", "no segment is for this tag")


def _unkept(policy: BillingPolicy, around: Surroundings) -> Iterator[Remark]:
    """What is read and shown, and no part of this version acts on: nobody is to believe in it."""
    if policy.timezone and policy.timezone != around.zone.key:
        message = f"is {policy.timezone}, but BACKSTOP_TIMEZONE is {around.zone.key}: the setting counts"
        yield Remark("timezone_differs", "timezone", message)
    for stage in policy.stages:
        given = {
            "channel": stage.channel is not None,
            "ticket": stage.queue is not None,
        }
        for key in (key for key, is_given in given.items() if is_given):
            yield Remark("not_acted_on", f"stage.{stage.id}.{key}", "this version does not act on it yet")
