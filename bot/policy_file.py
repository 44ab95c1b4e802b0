"""Reads a billing policy from TOML. What it cannot honour it refuses: a rule that is not kept is worse than none."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date, time
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.domain.action import Reason, Verb
from bot.domain.calendar import MONDAY_TO_FRIDAY, BusinessCalendar
from bot.domain.capability import DELETION_DAYS, Cloud, DeletionDays, SubscriptionKind
from bot.domain.glass import BreakGlass
from bot.domain.money import MINOR_UNITS
from bot.domain.policy import (
    BillingPolicy,
    Condition,
    Exemption,
    Exit,
    Freeze,
    Override,
    Scope,
    Segment,
    Stage,
    StageAction,
)
from bot.domain.reach import WORDS, Grant
from bot.domain.request import MOST_TARGETS
from bot.domain.step_up import StepUp
from bot.risk_file import RiskTable


class BadPolicy(Exception):
    """A policy that cannot be used; the message is one line that says where and what to do."""


def _amount(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('amounts are written as text, for example "100.00"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{value!r} is not an amount")
    return amount


def _currency(value: str) -> str:
    if value not in MINOR_UNITS:
        raise ValueError(f"{value!r} is not a currency code")
    return value


def _calendar(code: object) -> BusinessCalendar:
    """The public holidays and the weekend of a country (`DE`) or its part (`DE-BE`)."""
    country, _, part = str(code).partition("-")
    import holidays  # takes a while, and most policies name no country

    try:
        days = holidays.country_holidays(country, subdiv=part or None)
    except (NotImplementedError, KeyError):
        raise ValueError(
            f"{code!r} is no country, or part of one, whose holidays are known (DE, DE-BE)"
        ) from None
    return BusinessCalendar(str(code), days.is_working_day)


def _kind(value: object) -> SubscriptionKind:
    """A kind of product, written with hyphens or underscores."""
    try:
        return SubscriptionKind(str(value).replace("-", "_"))
    except ValueError:
        known = ", ".join(kind.replace("_", "-") for kind in SubscriptionKind)
        raise ValueError(f"{value!r} is no kind of product; there are {known}") from None


def _clock(value: object) -> time:
    try:
        return time.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f'{value!r} is not a time of day, for example "18:00"') from None


Amounts = dict[Annotated[str, BeforeValidator(_currency)], Annotated[Decimal, BeforeValidator(_amount)]]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


Tenant = Annotated[str, Field(pattern=r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Words = Annotated[str, Field(min_length=1, max_length=500)]
StageId = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Count = Annotated[int, Field(strict=True, ge=1, le=3650)]


class _Condition(_Strict):
    items_overdue: Count | None = None
    oldest_days: Count | None = None
    amount: Amounts | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> _Condition:
        if self.items_overdue is None and self.oldest_days is None and self.amount is None:
            raise ValueError("a condition names items_overdue, oldest_days or amount")
        return self

    def made(self) -> Condition:
        return Condition(self.items_overdue, self.oldest_days, self.amount)


class _Ticket(_Strict):
    queue: Words
    priority: Words = "normal"


class _Scope(_Strict):
    products: Literal["all"] = "all"
    exclude_products: list[Annotated[SubscriptionKind, BeforeValidator(_kind)]] = []
    max_subscriptions: int = Field(default=MOST_TARGETS, ge=1, le=MOST_TARGETS)


class _Changes(_Strict):
    """What an override or a segment may say of a stage."""

    days_overdue: Count | None = None
    enabled: bool | None = None
    approvals: int | None = Field(default=None, ge=0, le=10)
    amount: Amounts | None = None
    notice_days: int | None = Field(default=None, ge=0, le=365)

    def made(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Stage(_Strict):
    id: StageId
    days_overdue: int = Field(ge=1, le=3650)
    action: StageAction
    amount: Amounts | None = None
    approvals: int = Field(default=0, ge=0, le=10)
    repeat_every_days: Count | None = None
    notice_days: int = Field(default=0, ge=0, le=365)
    requires_stage: StageId | None = None
    any: list[_Condition] = []
    all: list[_Condition] = []
    expires_hours: Count | None = None
    scope: _Scope = _Scope()
    channel: Words | None = None
    ticket: _Ticket | None = None
    enabled: bool = True

    def made(self) -> Stage:
        return Stage(
            id=self.id,
            days_overdue=self.days_overdue,
            action=self.action,
            amount=self.amount,
            approvals=self.approvals,
            repeat_every_days=self.repeat_every_days,
            notice_days=self.notice_days,
            requires_stage=self.requires_stage,
            any_of=tuple(c.made() for c in self.any),
            all_of=tuple(c.made() for c in self.all),
            expires_hours=self.expires_hours,
            scope=Scope(frozenset(self.scope.exclude_products), self.scope.max_subscriptions),
            channel=self.channel,
            queue=self.ticket.queue if self.ticket else None,
            priority=self.ticket.priority if self.ticket else None,
            enabled=self.enabled,
        )


class _Exempt(_Strict):
    tenant: Tenant
    reason: Words
    actions: list[StageAction] = [StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL]
    until: date
    by: Words


class _Override(_Strict):
    tenant: Tenant
    reason: Words
    stages: dict[StageId, _Changes]
    until: date
    by: Words


class _Match(_Strict):
    tag: Tag


class _Segment(_Strict):
    match: _Match
    stages: dict[StageId, _Changes]


class _Promise(_Strict):
    max_days: int = Field(default=14, ge=1, le=365)
    max_times: int = Field(default=1, ge=0, le=100)


class _Exit(_Strict):
    when: Literal["overdue_cleared", "all_cleared", "below_minimum"] = "overdue_cleared"
    confirm_readings: int = Field(default=1, ge=1, le=30)
    action: Literal["propose_resume", "none"] = "propose_resume"
    approvals: int = Field(default=0, ge=0, le=10)
    partial_payment: Literal["hold", "continue"] = "hold"
    promise_to_pay: _Promise = _Promise()


class _Freeze(_Strict):
    from_: date = Field(alias="from")
    to: date
    reason: Words

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _Freeze:
        if self.to < self.from_:
            raise ValueError("a freeze ends on the day it begins, or later")
        return self


Days = Annotated[int, Field(strict=True, ge=1, le=3650)]


class _Days(_Strict):
    legacy_seat: Days | None = None
    legacy_azure: Days | None = None
    new_commerce_seat: Days | None = None


class _DeletionDays(_Strict):
    global_: _Days = Field(default=_Days(), alias="global")
    usgov: _Days = _Days()
    china: _Days = _Days()

    def over(self, known: DeletionDays) -> DeletionDays:
        """What is known, but for the numbers that the file gives."""
        return {
            cloud: {
                **known[cloud],
                **{kind: n for kind in SubscriptionKind if (n := getattr(said, kind, None))},
            }
            for cloud, said in (
                (Cloud.GLOBAL, self.global_),
                (Cloud.US_GOVERNMENT, self.usgov),
                (Cloud.CHINA, self.china),
            )
        }


PersonOrGroup = Annotated[str, Field(pattern=r"^[UWS][A-Z0-9]{2,}$")]
Channel = Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]{2,}$")]


class _Rights(_Strict):
    may: Literal["ask", "approve"]
    who: Annotated[list[PersonOrGroup], Field(min_length=1)] | None = None
    reasons: Annotated[list[Reason], Field(min_length=1)] | None = None
    clouds: Annotated[list[Cloud], Field(min_length=1)] | None = None
    channels: Annotated[list[Channel], Field(min_length=1)] | None = None
    up_to: Annotated[Amounts, Field(min_length=1)] | None = None

    def made(self) -> Grant:
        return Grant(
            may=next(right for right, word in WORDS.items() if word == self.may),
            who=frozenset(self.who) if self.who else None,
            reasons=frozenset(self.reasons) if self.reasons else None,
            clouds=frozenset(self.clouds) if self.clouds else None,
            channels=frozenset(self.channels) if self.channels else None,
            up_to=self.up_to,
        )


class _StepUp(_Strict):
    over: Annotated[Amounts, Field(min_length=1)] | None = None
    reasons: list[Reason] = []
    actions: list[Verb] = []

    @model_validator(mode="after")
    def _asks_for_something(self) -> _StepUp:
        if self.over is None and not self.reasons and not self.actions:
            raise ValueError("it names over, reasons or actions; without any of them leave it out")
        return self

    def made(self) -> StepUp:
        return StepUp(self.over, frozenset(self.reasons), frozenset(self.actions))


class _BreakGlass(_Strict):
    who: Annotated[list[PersonOrGroup], Field(min_length=1)]
    reasons: Annotated[list[Reason], Field(min_length=1)] = [Reason.FRAUD, Reason.MISUSE]

    @field_validator("reasons")
    @classmethod
    def _burns(cls, value: list[Reason]) -> list[Reason]:
        if patient := next((reason for reason in value if not reason.is_urgent), None):
            raise ValueError(
                f"{patient} can wait for an approver; the glass is broken for fraud and misuse alone"
            )
        return value

    def made(self) -> BreakGlass:
        return BreakGlass(frozenset(self.who), frozenset(self.reasons))


class _Policy(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    timezone: str | None = None
    max_data_age_hours: int = Field(default=26, ge=1, le=24 * 31)
    business_calendar: Annotated[BusinessCalendar, BeforeValidator(_calendar)] = MONDAY_TO_FRIDAY
    working_days: list[date] = []
    days_off: list[date] = []
    currency_unlisted: Literal["manual", "ignore"] = "manual"
    grace_days: int = Field(default=0, ge=0, le=365)
    min_step_gap_days: int = Field(default=0, ge=0, le=365)
    quiet_hours: (
        Annotated[list[Annotated[time, BeforeValidator(_clock)]], Field(min_length=2, max_length=2)] | None
    ) = None
    no_cutoff_before_days_off: bool = False
    freeze: list[_Freeze] = []
    minimum: Amounts = {}
    stage: list[_Stage] = []
    exit: _Exit = _Exit()
    exempt: list[_Exempt] = []
    override: list[_Override] = []
    segments: dict[StageId, _Segment] = {}
    tags: dict[Tag, list[Tenant]] = {}
    deletion_days: _DeletionDays = _DeletionDays()
    risk: RiskTable = RiskTable()
    rights: list[_Rights] = []
    step_up: _StepUp | None = None
    break_glass: _BreakGlass | None = None
    contact: Annotated[str, Field(max_length=500)] = ""

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone, for example Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _no_day_is_both(self) -> _Policy:
        for day in set(self.working_days) & set(self.days_off):
            raise ValueError(f"{day} is both in working_days and in days_off")
        return self

    @property
    def calendar(self) -> BusinessCalendar:
        if not self.working_days and not self.days_off:
            return self.business_calendar
        return self.business_calendar.but(working=set(self.working_days), off=set(self.days_off))

    @model_validator(mode="after")
    def _stages_rise(self) -> _Policy:
        ids = [s.id for s in self.stage]
        if len(set(ids)) != len(ids):
            raise ValueError("two stages have the same id")
        order = list(StageAction)
        for earlier, later in zip(self.stage, self.stage[1:], strict=False):
            if later.days_overdue <= earlier.days_overdue:
                raise ValueError(f"stage {later.id!r} must come later than {earlier.id!r}")
            if order.index(later.action) < order.index(earlier.action):
                raise ValueError(f"stage {later.id!r} is milder than {earlier.id!r} before it")
        for number, stage in enumerate(self.stage):
            if stage.requires_stage is not None and stage.requires_stage not in ids[:number]:
                raise ValueError(
                    f"stage {stage.id!r} requires {stage.requires_stage!r}, which is not before it"
                )
        return self

    @model_validator(mode="after")
    def _exceptions_fit(self) -> _Policy:
        ids = {s.id for s in self.stage}
        for name, stages in [
            *((f"override of {o.tenant}", o.stages) for o in self.override),
            *((f"segment {name}", segment.stages) for name, segment in self.segments.items()),
        ]:
            for unknown in stages.keys() - ids:
                raise ValueError(f"{name}: there is no stage {unknown!r}")
        tenants = [o.tenant.lower() for o in self.override]
        if len(set(tenants)) != len(tenants):
            raise ValueError("two overrides are for the same tenant")
        for changes, who in [(o.stages, f"override of {o.tenant}") for o in self.override]:
            days = [
                c.days_overdue if (c := changes.get(s.id)) and c.days_overdue else s.days_overdue
                for s in self.stage
            ]
            if days != sorted(set(days)):
                raise ValueError(f"{who}: its stages would no longer rise with their days")
        return self

    def ended(self, today: date) -> str | None:
        """The first exemption or override that is over."""
        exceptions = [("exempt", e.tenant, e.until) for e in self.exempt]
        exceptions += [("override", o.tenant, o.until) for o in self.override]
        for kind, tenant, until in exceptions:
            if until < today:
                return f"{kind} of {tenant} ended on {until}: remove it, or give it a new end"
        return None


def packaged() -> str:
    """The text of the policy that holds when none is configured."""
    return (resources.files("bot") / "policy.toml").read_text("utf-8")


def load(path: Path | None, *, today: date | None = None) -> BillingPolicy:
    """The policy in that file, or the packaged one; `today` as for `parse`. Raises BadPolicy."""
    return parse(read(path), name=name_of(path), today=today)


def name_of(path: Path | None) -> str:
    return str(path) if path else "the packaged policy"


def version_of(text: str) -> str:
    """A short hash of the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(path: Path | None) -> str:
    """The text of that file, or of the packaged one. Raises BadPolicy."""
    if path is None:
        return packaged()
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise BadPolicy(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})"
        ) from None


def parse(text: str, *, name: str, today: date | None = None) -> BillingPolicy:
    """The policy that TOML text says. Raises BadPolicy with `name` and the place.

    With `today`, exceptions that have ended are refused as well: nobody is to believe in one that is over.
    """
    try:
        data = _Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(f"{name}: not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        what = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            what = "this version does not know that key; remove it or correct its name"
        raise BadPolicy(f"{name}: {where + ': ' if where else ''}{what}") from None
    if today and (ended := data.ended(today)):
        raise BadPolicy(f"{name}: {ended}")
    return BillingPolicy(
        version=version_of(text),
        stages=tuple(s.made() for s in data.stage),
        minimum=data.minimum,
        max_data_age_hours=data.max_data_age_hours,
        calendar=data.calendar,
        exemptions=tuple(
            Exemption(e.tenant.lower(), e.reason, frozenset(e.actions), e.until, e.by) for e in data.exempt
        ),
        deletion_days=data.deletion_days.over(DELETION_DAYS),
        timezone=data.timezone,
        currency_unlisted=data.currency_unlisted,
        grace_days=data.grace_days,
        min_step_gap_days=data.min_step_gap_days,
        quiet_hours=(data.quiet_hours[0], data.quiet_hours[1]) if data.quiet_hours else None,
        no_cutoff_before_days_off=data.no_cutoff_before_days_off,
        freezes=tuple(Freeze(f.from_, f.to, f.reason) for f in data.freeze),
        overrides=tuple(
            Override(o.tenant.lower(), o.reason, {id: c.made() for id, c in o.stages.items()}, o.until, o.by)
            for o in data.override
        ),
        segments=tuple(
            Segment(name, segment.match.tag, {id: c.made() for id, c in segment.stages.items()})
            for name, segment in data.segments.items()
        ),
        tags={tag: frozenset(t.lower() for t in tenants) for tag, tenants in data.tags.items()},
        exit=Exit(
            when=data.exit.when,
            confirm_readings=data.exit.confirm_readings,
            proposes_resume=data.exit.action == "propose_resume",
            approvals=data.exit.approvals,
            partial_payment=data.exit.partial_payment,
            promise_days=data.exit.promise_to_pay.max_days,
            promise_times=data.exit.promise_to_pay.max_times,
        ),
        contact=data.contact.strip(),
        risk=data.risk.made(),
        rights=tuple(each.made() for each in data.rights),
        step_up=data.step_up.made() if data.step_up else None,
        break_glass=data.break_glass.made() if data.break_glass else None,
    )
