"""When people work: the next business day, and the moment a suspension may be put off to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from bot.domain.errors import Invalid

BUSINESS_BEGINS = time(9)
"""Of a business day, in the partner's zone: whoever is cut off by mistake finds somebody at work."""
FURTHEST = timedelta(days=90)
"""So far ahead a suspension may be put off; what was confirmed must still mean something."""


OWN = "own"
"""The name of a calendar that knows no country's holidays, only the days the partner gives."""


class When(StrEnum):
    """When an approved suspension is to act."""

    NOW = "now"
    BUSINESS_DAY = "business-day"
    AT = "at"


def _monday_to_friday(day: date) -> bool:
    return day.weekday() < 5


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """`name` is the code of a country or its part, such as `DE-BE`; without one no holiday is known."""

    name: str = ""
    is_business_day: Callable[[date], bool] = _monday_to_friday

    @property
    def is_of_a_country(self) -> bool:
        """Whether the public holidays of a country, or of a part of it, are known."""
        return self.name not in ("", OWN)

    def but(self, *, working: Collection[date], off: Collection[date]) -> BusinessCalendar:
        """The same but for these days."""
        known = self.is_business_day
        name = self.name or OWN
        return BusinessCalendar(name, lambda day: day not in off and (day in working or known(day)))

    def next_after(self, day: date) -> date:
        """The first business day after that day."""
        following = day + timedelta(days=1)
        while not self.is_business_day(following):
            following += timedelta(days=1)
        return following


MONDAY_TO_FRIDAY = BusinessCalendar()


def business_morning(calendar: BusinessCalendar, *, after: datetime, zone: tzinfo) -> datetime:
    """When the next business day begins, in UTC."""
    day = calendar.next_after(after.astimezone(zone).date())
    return datetime.combine(day, BUSINESS_BEGINS, zone).astimezone(UTC)


def chosen_moment(day: date, at: time, *, zone: tzinfo, now: datetime) -> datetime:
    """That time in the partner's zone, in UTC. Raises Invalid when it is past or further ahead than FURTHEST."""
    moment = datetime.combine(day, at, zone).astimezone(UTC)
    if moment <= now:
        raise Invalid("date", "in-the-past")
    if moment > now + FURTHEST:
        raise Invalid("date", "too-far-ahead", {"days": str(FURTHEST.days)})
    return moment
