"""Reads a billing policy from TOML. What it cannot honour it refuses: a rule that is not kept is worse than none."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import holidays
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot.domain.calendar import MONDAY_TO_FRIDAY, BusinessCalendar
from bot.domain.capability import DELETION_DAYS, Cloud, DeletionDays, SubscriptionKind
from bot.domain.policy import BillingPolicy, Exemption, Stage, StageAction
from bot.domain.receivables import MINOR_UNITS


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
    try:
        days = holidays.country_holidays(country, subdiv=part or None)
    except (NotImplementedError, KeyError):
        raise ValueError(
            f"{code!r} is no country, or part of one, whose holidays are known (DE, DE-BE)"
        ) from None
    return BusinessCalendar(str(code), days.is_working_day)


Amounts = dict[Annotated[str, BeforeValidator(_currency)], Annotated[Decimal, BeforeValidator(_amount)]]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class _Stage(_Strict):
    id: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    days_overdue: int = Field(ge=1, le=3650)
    action: StageAction
    amount: Amounts | None = None
    approvals: int = Field(default=0, ge=0, le=10)


class _Exempt(_Strict):
    tenant: str = Field(pattern=r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    reason: str = Field(min_length=1)
    actions: list[StageAction] = [StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL]
    until: date
    by: str = Field(min_length=1)


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


class _Policy(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    max_data_age_hours: int = Field(default=26, ge=1, le=24 * 31)
    business_calendar: Annotated[BusinessCalendar, BeforeValidator(_calendar)] = MONDAY_TO_FRIDAY
    minimum: Amounts = {}
    stage: list[_Stage] = []
    exempt: list[_Exempt] = []
    deletion_days: _DeletionDays = _DeletionDays()

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
        return self


def packaged() -> str:
    """The text of the policy that holds when none is configured."""
    return (resources.files("bot") / "policy.toml").read_text("utf-8")


def load(path: Path | None) -> BillingPolicy:
    """The policy in that file, or the packaged one. Raises BadPolicy."""
    if path is None:
        return parse(packaged(), name="the packaged policy")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise BadPolicy(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})"
        ) from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> BillingPolicy:
    """The policy that TOML text says. Raises BadPolicy with `name` and the place."""
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
    return BillingPolicy(
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        stages=tuple(Stage(s.id, s.days_overdue, s.action, s.amount, s.approvals) for s in data.stage),
        minimum=data.minimum,
        max_data_age_hours=data.max_data_age_hours,
        calendar=data.business_calendar,
        exemptions=tuple(
            Exemption(e.tenant.lower(), e.reason, frozenset(e.actions), e.until, e.by) for e in data.exempt
        ),
        deletion_days=data.deletion_days.over(DELETION_DAYS),
    )
