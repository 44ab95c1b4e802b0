"""Reads the `[risk]` of a billing policy: which rules of suspicion there are, and from what on each speaks."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from bot.domain.signal import THRESHOLDS, Rule, RuleBook, RuleTerms

MOST: Final = Decimal(10**9)
WHOLE: Final = frozenset({"days", "oldest_days", "usual_days", "history", "burst"})
"""Thresholds of which there are no halves."""
DEFAULT: Final = RuleBook()


def _threshold(value: object) -> Decimal:
    """A number, also as text, as money is written in this file."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a threshold is a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite() or not 0 < number <= MOST:
        raise ValueError("a threshold is more than 0, and no more than a billion")
    return number


def _whole(value: object) -> Decimal:
    number = _threshold(value)
    if number != number.to_integral_value():
        raise ValueError("a whole number is needed")
    return number


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Terms(_Table):
    """Of one rule; each has its own thresholds besides."""

    enabled: bool = True
    points: int | None = Field(default=None, strict=True, ge=0, le=100)

    def made(self) -> RuleTerms:
        said = self.model_fields_set - {"enabled", "points"}
        return RuleTerms(self.enabled, self.points, {name: getattr(self, name) for name in sorted(said)})


Number = Annotated[Decimal, BeforeValidator(_threshold)]
WholeNumber = Annotated[Decimal, BeforeValidator(_whole)]
Hour = Annotated[int, Field(strict=True, ge=0, le=24)]


class _Risk(_Table):
    """What holds for all rules; a field for each of them is added below."""

    case_from: int = Field(default=DEFAULT.case_from, strict=True, ge=1, le=100)
    high_from: int = Field(default=DEFAULT.high_from, strict=True, ge=1, le=100)
    live_days: int = Field(default=DEFAULT.live_days, strict=True, ge=1, le=90)
    quiet_days: int = Field(default=DEFAULT.quiet_days, strict=True, ge=1, le=365)
    business_hours: Annotated[list[Hour], Field(min_length=2, max_length=2)] = list(DEFAULT.business_hours)

    @model_validator(mode="after")
    def _fits(self) -> _Risk:
        if self.high_from < self.case_from:
            raise ValueError("high_from is no less than case_from")
        if self.quiet_days < self.live_days:
            raise ValueError("quiet_days is no less than live_days: what still counts belongs to one case")
        if self.business_hours[0] % 24 == self.business_hours[1] % 24:
            raise ValueError("business_hours begin and end at different hours, for example [6, 22]")
        return self

    def made(self) -> RuleBook:
        said = {rule: getattr(self, rule.value) for rule in Rule if rule.value in self.model_fields_set}
        return RuleBook(
            rules={rule: terms.made() for rule, terms in said.items()},
            case_from=self.case_from,
            high_from=self.high_from,
            live_days=self.live_days,
            quiet_days=self.quiet_days,
            business_hours=(self.business_hours[0], self.business_hours[1]),
        )


def _terms_of(names: Mapping[str, Decimal]) -> type[_Terms]:
    """The table of a rule with these thresholds."""
    fields: dict[str, Any] = {
        name: (WholeNumber if name in WHOLE else Number, default) for name, default in names.items()
    }
    return create_model("_TermsOfRule", __base__=_Terms, **fields)


_tables: dict[str, Any] = {rule.value: (made := _terms_of(THRESHOLDS[rule]), made()) for rule in Rule}

if TYPE_CHECKING:
    RiskTable = _Risk
else:
    RiskTable = create_model("RiskTable", __base__=_Risk, **_tables)
    """Strict: a rule or a threshold that is not there is refused by name."""
