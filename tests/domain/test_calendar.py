"""Business days, and the moments a suspension may be put off to."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.calendar import FURTHEST, BusinessCalendar, business_morning, chosen_moment
from bot.domain.errors import Invalid
from tests.builders import noon

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "zone", "begins"),
    [
        pytest.param(noon, BERLIN, datetime(2026, 11, 24, 8, tzinfo=UTC), id="tomorrow"),
        pytest.param(FRIDAY, BERLIN, datetime(2026, 11, 23, 8, tzinfo=UTC), id="over the weekend"),
        pytest.param(
            datetime(2026, 11, 22, 17, tzinfo=UTC),
            SHANGHAI,
            datetime(2026, 11, 24, 1, tzinfo=UTC),
            id="where it is Monday already",
        ),
        pytest.param(
            datetime(2026, 3, 27, 12, tzinfo=UTC),
            BERLIN,
            datetime(2026, 3, 30, 7, tzinfo=UTC),
            id="summer time",
        ),
    ],
)
def test_the_next_business_day_begins_at_nine_where_the_partner_is(after, zone, begins):
    assert business_morning(BusinessCalendar(), after=after, zone=zone) == begins


def test_a_holiday_is_no_business_day():
    calendar = BusinessCalendar("XX", lambda day: day.weekday() < 5 and day != date(2026, 11, 24))
    assert calendar.next_after(date(2026, 11, 23)) == date(2026, 11, 25)


def test_a_chosen_moment_is_told_by_the_partners_clocks():
    chosen = chosen_moment(date(2026, 11, 30), time(18, 30), zone=BERLIN, now=noon)
    assert chosen == datetime(2026, 11, 30, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "at", "why"),
    [
        pytest.param(date(2026, 11, 23), time(13), "in-the-past", id="this very moment"),
        pytest.param(date(2020, 1, 1), time(9), "in-the-past", id="long past"),
        pytest.param(
            (noon + FURTHEST + timedelta(days=1)).date(), time(9), "too-far-ahead", id="too far ahead"
        ),
    ],
)
def test_no_moment(day: date, at: time, why: str):
    with pytest.raises(Invalid) as refusal:
        chosen_moment(day, at, zone=BERLIN, now=noon)
    assert (refusal.value.at, refusal.value.reason) == ("date", why)
