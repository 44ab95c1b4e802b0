"""Dates: every way to write them we take; day and month are proved, never guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.receivables.cells import Cell
from bot.receivables.dates import ContradictoryOrder, DateOrder, DateReader, due_by_terms, proven_order
from bot.receivables.notes import RowRejected

AS_OF = date(2026, 11, 22)


def read(cell: Cell, order: DateOrder | None = None, **given: Any) -> date | None:
    return DateReader(order, as_of=AS_OF, **given).read(cell)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        pytest.param("2026-11-07", date(2026, 11, 7), id="ISO"),
        pytest.param("2026-11-07T00:00:00Z", date(2026, 11, 7), id="ISO with time"),
        pytest.param("2026-11-07 10:30", date(2026, 11, 7), id="ISO with time after a space"),
        pytest.param("2026/9/30", date(2026, 9, 30), id="year first, slashes"),
        pytest.param("2026.9.15", date(2026, 9, 15), id="year first, dots"),
        pytest.param("20261101", date(2026, 11, 1), id="compact"),
        pytest.param("2026年8月5日", date(2026, 8, 5), id="Chinese"),
        pytest.param("５.8.2026", date(2026, 8, 5), id="full-width digit"),
        pytest.param("14.09.2026", date(2026, 9, 14), id="German"),
        pytest.param("1. 9. 2026", date(2026, 9, 1), id="German with spaces"),
        pytest.param("14 Aug 2026", date(2026, 8, 14), id="month name"),
        pytest.param("14-Aug-26", date(2026, 8, 14), id="month name, short year"),
        pytest.param("Aug 14, 2026", date(2026, 8, 14), id="American month name"),
        pytest.param("1st September 2026", date(2026, 9, 1), id="ordinal"),
        pytest.param("3. März 2026", date(2026, 3, 3), id="German month name"),
        pytest.param("2026年 8月 5号", date(2026, 8, 5), id="Chinese, spoken"),
        pytest.param("2026年8月5日 10:30", date(2026, 8, 5), id="Chinese with time"),
        pytest.param("5.Aug.2026", date(2026, 8, 5), id="month name between dots"),
        pytest.param("05/Aug/2026", date(2026, 8, 5), id="month name between slashes"),
        pytest.param("05AUG2026", date(2026, 8, 5), id="month name without anything"),
        pytest.param("31. Mrz. 2026", date(2026, 3, 31), id="German month, abbreviated"),
        pytest.param("5 Dez 26", date(2026, 12, 5), id="German month, short year"),
        pytest.param("Aug-05-2026", date(2026, 8, 5), id="American month name with dashes"),
        pytest.param("2026-Aug-05", date(2026, 8, 5), id="year and month name"),
        pytest.param("", None, id="empty"),
        pytest.param("  ", None, id="blank"),
        pytest.param(date(2026, 1, 2), date(2026, 1, 2), id="sheet date"),
        pytest.param(datetime(2026, 1, 2, 13, 5), date(2026, 1, 2), id="sheet date and time"),  # noqa: DTZ001
        pytest.param(46348.0, date(2026, 11, 22), id="serial number"),
        pytest.param(20261101.0, date(2026, 11, 1), id="compact as a number"),
    ],
)
def test_a_date_is_read(cell, day):
    assert read(cell) == day


def test_serials_of_a_1904_workbook_count_from_1904():
    assert read(46348.0 - 1462, epoch_1904=True) == date(2026, 11, 22)


@pytest.mark.parametrize(("order", "day"), [("DMY", date(2026, 3, 4)), ("MDY", date(2026, 4, 3))])
def test_the_order_decides_between_day_and_month(order, day):
    assert read("04/03/2026", order) == day


@pytest.mark.parametrize(
    "cell",
    [
        "31.11.2026",
        "2026-02-30",
        "tomorrow",
        "13/13/2026",
        "46348",
        "2026-13-01",
        "1.1.1",
        "12 Foo 2026",
        "2026年8月",
        "08.2026",
        "Nov 2026",
        "2026-W45",
        "2026-001",
        "00.00.0000",
        "5 Aug 226",
        True,
    ],
)
def test_what_is_no_date_is_refused(cell):
    with pytest.raises(RowRejected) as refused:
        read(cell)
    assert refused.value.code == "bad_date"


@pytest.mark.parametrize("cell", ["1989-12-31", "2036-11-23", "0001-01-01", "9999-12-31"])
def test_dates_far_away_are_refused(cell):
    with pytest.raises(RowRejected) as refused:
        read(cell)
    assert refused.value.code == "date_out_of_range"


@pytest.mark.parametrize(
    ("as_of", "last"), [(date(2026, 3, 31), date(2036, 3, 31)), (date(2028, 2, 29), date(2038, 2, 28))]
)
def test_ten_years_ahead_is_the_last_day(as_of, last):
    assert DateReader(None, as_of=as_of).read(last) == last
    with pytest.raises(RowRejected):
        DateReader(None, as_of=as_of).read(last + timedelta(days=1))


@pytest.mark.parametrize("cell", ["1990-01-01", "2036-11-22"])
def test_the_range_includes_its_ends(cell):
    assert read(cell) == date.fromisoformat(cell)


@pytest.mark.parametrize(
    ("texts", "order", "question"),
    [
        pytest.param(["01/02/2026", "13/02/2026"], "DMY", "01/02/2026", id="a first part over 12"),
        pytest.param(["01/02/2026", "02/13/2026"], "MDY", "01/02/2026", id="a second part over 12"),
        pytest.param(["01/02/2026"], None, "01/02/2026", id="nothing over 12"),
        pytest.param(["05/05/2026"], None, None, id="the same day either way"),
        pytest.param(["31/13/2026"], None, None, id="no date in either order"),
        pytest.param(["2026-01-02", "3.4.2026"], None, None, id="no slashes"),
    ],
)
def test_a_column_proves_its_order(texts, order, question):
    assert proven_order(texts) == (order, question)


def test_a_column_that_proves_both_orders_is_contradictory():
    with pytest.raises(ContradictoryOrder):
        proven_order(["13/02/2026", "02/13/2026"])


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        pytest.param("Net 30", date(2026, 11, 14), id="net"),
        pytest.param("30 days", date(2026, 11, 14), id="days"),
        pytest.param(
            "14 Tage 2% Skonto, 30 Tage netto", date(2026, 11, 14), id="the discount is not the term"
        ),
        pytest.param("2/10 net 30", date(2026, 11, 14), id="discount and net"),
        pytest.param("30", date(2026, 11, 14), id="a bare number"),
        pytest.param("30天", date(2026, 11, 14), id="Chinese"),
        pytest.param("Due on receipt", date(2026, 10, 15), id="at once"),
        pytest.param("30 days EOM", date(2026, 11, 30), id="from the end of the month"),
        pytest.param("月结30天", date(2026, 11, 30), id="Chinese monthly settlement"),
        pytest.param("30 Tage netto", date(2026, 11, 14), id="German"),
        pytest.param("zahlbar innerhalb von 30 Tagen ohne Abzug", date(2026, 11, 14), id="German, at length"),
        pytest.param("2% 10, n/30", date(2026, 11, 14), id="discount in per cent"),
        pytest.param("NET30", date(2026, 11, 14), id="without a blank"),
        pytest.param("见票即付", date(2026, 10, 15), id="Chinese, at once"),
        pytest.param("月结", date(2026, 10, 31), id="the end of the month"),
        pytest.param("as agreed", None, id="not understood"),
        pytest.param("Net 2 months", None, id="months"),
        pytest.param("net 10th prox", None, id="a day of the next month"),
        pytest.param("10 EOM", None, id="ten of what"),
        pytest.param("30. des Folgemonats", None, id="a day of the next month, German"),
        pytest.param("次月15日", None, id="a day of the next month, Chinese"),
        pytest.param("每月25日前付款", None, id="a day of every month"),
        pytest.param("zahlbar bis 15.12.2026", None, id="a date"),
        pytest.param("", None, id="none"),
    ],
)
def test_terms_give_the_due_date(terms, due):
    assert due_by_terms(date(2026, 10, 15), terms) == due


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.dates(date(1990, 1, 1), date(2036, 11, 22)),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d %b %Y", "%Y年%m月%d日"]),
)
def test_every_date_is_read_back_from_every_format(day, pattern):
    assert read(day.strftime(pattern)) == day


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.dates(date(1990, 1, 1), date(2036, 11, 22)))
def test_a_day_is_never_swapped_for_a_month(day):
    assert read(day.strftime("%d/%m/%Y"), "DMY") == day
    assert read(day.strftime("%m/%d/%Y"), "MDY") == day


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(max_size=14))
def test_any_text_is_a_date_or_refused(text):
    try:
        read(text)
    except RowRejected as refused:
        assert refused.code in {"bad_date", "date_out_of_range"}  # noqa: PT017
