"""What is spent a day, from amounts that grow until a billing period ends; and what is usual."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.domain.customer import CustomerId
from bot.domain.observation import Spent
from bot.domain.spending import band, daily
from tests.builders import noon


def readings(*amounts: str | None, currency: str = "EUR") -> list[Spent]:
    """One a day from noon's day on; None: nobody looked that day."""
    return [
        Spent(CustomerId("c"), noon + timedelta(days=n), Decimal(amount), currency)
        for n, amount in enumerate(amounts)
        if amount is not None
    ]


@pytest.mark.parametrize(
    ("amounts", "added"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["100"], [], id="the first reading tells of no day"),
        pytest.param(["100", "110", "130"], ["10", "20"], id="it grows"),
        pytest.param(["100", "110", "4", "10"], ["10", "4", "6"], id="a new period began"),
        pytest.param(["100", "100"], ["0"], id="nothing was used"),
        pytest.param(["100", None, None, "130"], ["10", "10", "10"], id="days nobody looked at share"),
        pytest.param(["100", None, "6"], ["3", "3"], id="a period began while nobody looked"),
    ],
)
def test_each_day_has_what_it_added(amounts, added):
    found = daily(readings(*amounts))
    assert [amount for _, amount in found] == [Decimal(amount) for amount in added]
    assert [day for day, _ in found] == [noon.date() + timedelta(days=n + 1) for n in range(len(added))]


def test_a_day_read_twice_is_one_day():
    first, second = readings("100", "110")
    again = Spent(second.customer_id, second.at + timedelta(hours=3), Decimal(115), "EUR")
    assert daily([first, second, again]) == ((noon.date() + timedelta(days=1), Decimal(15)),)


def test_currencies_are_never_subtracted_from_each_other():
    euros, dollars = readings("100", "110"), readings(None, None, "5", "9", currency="USD")
    assert [amount for _, amount in daily([*euros, *dollars])] == [Decimal(10), Decimal(4)]


def test_a_leap_of_months_stays_in_order():
    days = [day for day, _ in daily(readings("1", *[None] * 60, "2"))]
    assert days == sorted(set(days))
    assert isinstance(days[0], date)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        pytest.param([], "0", "0", id="nothing"),
        pytest.param([10] * 9, "10", "10", id="always the same"),
        pytest.param([8, 9, 10, 11, 12], "5.5522", "14.4478", id="spread"),
        pytest.param([0, 0, 0, 5], "0", "0", id="never below zero"),
    ],
)
def test_the_band_is_around_the_median(values, low, high):
    assert band([Decimal(value) for value in values]) == (Decimal(low), Decimal(high))


def test_a_few_wild_days_do_not_widen_it():
    usual = [Decimal(10 + n % 3) for n in range(40)]
    _, high = band([*usual, *[Decimal(900)] * 5])
    assert high < 20
