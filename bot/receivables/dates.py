"""Dates as exports write them; the order of day and month is proved by the file, never guessed by row."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final, Literal

from bot.receivables.cells import Cell, clean
from bot.receivables.notes import Code, RowRejected, shown

DateOrder = Literal["DMY", "MDY"]

EARLIEST: Final = date(1990, 1, 1)
YEARS_AHEAD: Final = 10

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar jän jänner", "feb february februar", "mar march mär märz mrz", "apr april",
            "may mai", "jun june juni", "jul july juli", "aug august", "sep sept september",
            "oct october okt oktober", "nov november", "dec december dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_TIME: Final = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST: Final = re.compile(
    rf"(\d{{4}})(?:-(\d{{1,2}})-|/(\d{{1,2}})/|\.(\d{{1,2}})\.)(\d{{1,2}}){_TIME}", re.ASCII | re.IGNORECASE
)
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_CHINESE: Final = re.compile(rf"(\d{{4}}) ?年 ?(\d{{1,2}}) ?月 ?(\d{{1,2}}) ?[日号]?{_TIME}", re.ASCII)
_DOTTED: Final = re.compile(
    rf"(\d{{1,2}})\. ?(\d{{1,2}})\. ?(\d{{4}}|\d{{2}}){_TIME}", re.ASCII | re.IGNORECASE
)
_EITHER: Final = re.compile(
    rf"(\d{{1,2}})([/-])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}", re.ASCII | re.IGNORECASE
)
_NAME: Final = r"([^\W\d_]+)\.?"
_DAY_MONTH_NAME: Final = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?[ /-]?{_NAME},?[ /-]?(\d{{4}}|\d{{2}})", re.IGNORECASE
)
_MONTH_NAME_DAY: Final = re.compile(
    rf"{_NAME}[ /-]?(\d{{1,2}})(?:st|nd|rd|th)?(?:, ?|[ /-])(\d{{4}})", re.IGNORECASE
)
_YEAR_MONTH_NAME: Final = re.compile(rf"(\d{{4}})[ ./-]{_NAME}[ /-]?(\d{{1,2}})", re.IGNORECASE)
_FORMS: Final = (
    _YEAR_FIRST,
    _COMPACT,
    _CHINESE,
    _DOTTED,
    _EITHER,
    _DAY_MONTH_NAME,
    _MONTH_NAME_DAY,
    _YEAR_MONTH_NAME,
)


class ContradictoryOrder(Exception):
    """One column holds a date that is only day-first and another that is only month-first."""

    def __init__(self, day_first: str, month_first: str) -> None:
        super().__init__(day_first, month_first)
        self.day_first = day_first
        self.month_first = month_first


def proven_order(texts: Iterable[str]) -> tuple[DateOrder | None, str | None]:
    """Find the order the dates of a column prove, and an example that could be read both ways.

    `05/05/2026` is the same day in both orders and `31/13/2026` is none in either: they prove nothing.
    """
    proof: dict[DateOrder, str] = {}
    open_question: str | None = None
    for text in texts:
        match = _EITHER.fullmatch(clean(text))
        if not match:
            continue
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second:
            proof.setdefault("DMY", text)
        elif second > 12 >= first:
            proof.setdefault("MDY", text)
        elif first <= 12 and first != second:
            open_question = open_question or text
    if len(proof) == 2:
        raise ContradictoryOrder(proof["DMY"], proof["MDY"])
    return next(iter(proof), None), open_question


def has_two_digit_year(text: str) -> bool:
    text = clean(text)
    match = _EITHER.fullmatch(text)
    year = match[4] if match else None
    match = _DOTTED.fullmatch(text) or _DAY_MONTH_NAME.fullmatch(text)
    year = match[3] if match else year
    return year is not None and len(year) == 2


def looks_like_date(cell: Cell) -> bool:
    """Tell whether a date was meant, be there such a day or not; a number of a sheet may be one."""
    if not isinstance(cell, str):
        return True
    text = clean(cell)
    return any(form.fullmatch(text) for form in _FORMS)


class DateReader(dict[Cell, date | RowRejected | None]):
    """The dates of one column by their cells, None for an empty one; a cell seen before costs nothing.

    A look-up gives why it is no date, instead of raising it: many are looked up at once.
    """

    def __init__(
        self,
        order: DateOrder | None,
        *,
        as_of: date,
        epoch_1904: bool = False,
        heading: str = "",
    ) -> None:
        super().__init__()
        self._order = order
        self._heading = heading
        day = 28 if (as_of.month, as_of.day) == (2, 29) else as_of.day
        self._latest = date(as_of.year + YEARS_AHEAD, as_of.month, day)
        # Excel takes 1900 for a leap year, so that serials count from 30 December 1899 for all later dates:
        # https://learn.microsoft.com/office/troubleshoot/excel/wrongly-assumes-1900-is-leap-year
        self._epoch = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30)

    def __missing__(self, cell: Cell) -> date | RowRejected | None:
        day: date | RowRejected | None
        try:
            day = self._read(cell)
        except RowRejected as error:
            day = error
        self[cell] = day
        return day

    def read(self, cell: Cell) -> date | None:
        """Raises `RowRejected` for what is no date, with the column's heading."""
        day = self[cell]
        if isinstance(day, RowRejected):
            raise RowRejected(day.code, day.message, self._heading)
        return day

    def _read(self, cell: Cell) -> date | None:
        if not isinstance(cell, str):
            return self._in_range(self._of_sheet(cell), cell)
        text = clean(cell)
        return self._in_range(self._parse(text), text) if text else None

    def _in_range(self, day: date, shown_as: object) -> date:
        if not EARLIEST <= day <= self._latest:
            raise RowRejected(
                Code.DATE_OUT_OF_RANGE,
                f"{shown(shown_as)} is before {EARLIEST} or after {self._latest}; correct the date.",
            )
        return day

    def _of_sheet(self, cell: Cell) -> date:
        if isinstance(cell, datetime):
            return cell.date()
        if isinstance(cell, date):
            return cell
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            if _COMPACT.fullmatch(f"{cell:.0f}") and cell == int(cell):
                return self._parse(f"{cell:.0f}")
            if 0 < cell < 2_958_466:  # the serial of 9999-12-31
                return self._epoch + timedelta(days=int(cell))
        raise _no_date(cell)

    def _parse(self, text: str) -> date:
        year, month, day = self._fields(text)
        try:
            return date(int(year) + (2000 if len(year) == 2 else 0), month, int(day))
        except ValueError:
            raise _no_date(text) from None

    def _fields(self, text: str) -> tuple[str, int, str]:
        if match := _YEAR_FIRST.fullmatch(text):
            return match[1], int(match[2] or match[3] or match[4]), match[5]
        if match := _COMPACT.fullmatch(text) or _CHINESE.fullmatch(text):
            return match[1], int(match[2]), match[3]
        if match := _DOTTED.fullmatch(text):
            return match[3], int(match[2]), match[1]
        if match := _EITHER.fullmatch(text):
            if self._order == "MDY":
                return match[4], int(match[1]), match[3]
            return match[4], int(match[3]), match[1]
        if match := _DAY_MONTH_NAME.fullmatch(text):
            return match[3], _month(match[2], text), match[1]
        if match := _MONTH_NAME_DAY.fullmatch(text):
            return match[3], _month(match[1], text), match[2]
        if match := _YEAR_MONTH_NAME.fullmatch(text):
            return match[1], _month(match[2], text), match[3]
        raise _no_date(text)


def _month(name: str, text: str) -> int:
    try:
        return _MONTHS[name.casefold()]
    except KeyError:
        raise _no_date(text) from None


def _no_date(text: object) -> RowRejected:
    return RowRejected(Code.BAD_DATE, f"{shown(text)} is no date; write it as 2026-11-30.")


_DISCOUNT: Final = re.compile(
    r"\d{1,3}(?:[.,]\d+)? ?% ?(?:skonto|discount)?[ /]*(?:\d{1,3}(?: ?(?:days?|tagen?|天))?)?"
    r"|\d{1,3}(?: ?(?:days?|tagen?|天))? ?(?:mit )?\d{1,3}(?:[.,]\d+)? ?%(?: ?(?:skonto|discount))?"
    r"|\b\d{1,2}/\d{1,3}\b",
    re.IGNORECASE | re.ASCII,
)
_DAYS: Final = re.compile(
    r"\b(?:net|netto|n)[ /-]?(\d{1,3})(?: ?(?:days?|d|tagen?|tg)\b)?(?![\w.]| ?(?:month|monat|week|woche|year|jahr))"
    r"|(\d{1,3}) ?(?:(?:days?|d|tagen?|tg)\b|[天日])|^(\d{1,3})$",
    re.IGNORECASE | re.ASCII,
)
_AT_ONCE: Final = re.compile(r"receipt|immediate|prompt|sofort|erhalt|即期|见票|货到付款", re.IGNORECASE)
_MONTH_END: Final = re.compile(r"\beom\b|end of month|monatsende|月结|月末|月底", re.IGNORECASE)
_DAY_OF_MONTH: Final = re.compile(
    r"每月|次月|下月|folgemonat|following month|next month|\bprox", re.IGNORECASE
)


def due_by_terms(issued: date, terms: str) -> date | None:
    """Add payment terms to the issue date; None when the terms, or any number in them, are not understood.

    A discount for paying early is passed over; of two periods the longer is meant.
    """
    terms = clean(terms)
    if _DAY_OF_MONTH.search(terms):
        return None
    terms = _DISCOUNT.sub(" ", terms).strip()
    periods = [int(next(filter(None, found))) for found in _DAYS.findall(terms)]
    if any(char.isdigit() for char in _DAYS.sub("", terms)):
        return None
    start = issued
    if _MONTH_END.search(terms):
        start = issued.replace(day=monthrange(issued.year, issued.month)[1])
        periods = periods or [0]
    if _AT_ONCE.search(terms):
        periods = periods or [0]
    return start + timedelta(days=max(periods)) if periods else None
