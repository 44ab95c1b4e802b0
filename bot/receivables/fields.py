"""The fields of a document as an accounting system's API gives it, read strictly: no guess, no rounding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from bot.domain.money import MINOR_UNITS
from bot.receivables.cells import clean
from bot.receivables.dates import EARLIEST, YEARS_AHEAD
from bot.receivables.notes import Code, RowRejected, shown
from bot.receivables.numbers import in_currency

Row = Mapping[str, object]

MOST_ROWS: Final = 200_000
"""As in a file; more than that is not a ledger but a mistake."""
_MOST_DIGITS: Final = 24
_ISO: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?", re.ASCII)


def rejected(code: Code, message: str, column: str = "") -> RowRejected:
    error = RowRejected(code, message)
    error.column = column
    return error


def text(row: Row, name: str) -> str:
    """The text of a field, cleaned; empty when it is missing or no text."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value))


def inner(row: Row, name: str) -> Row:
    """The object in a field; an empty one when there is none."""
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def currency(row: Row, name: str, *, local: str = "") -> str:
    """The ISO code of a field; the books' own currency stands for an empty one where that is the rule."""
    code = text(row, name).upper() or local
    if not code:
        raise rejected(Code.MISSING_CURRENCY, "The document names no currency; correct it.", name)
    if code not in MINOR_UNITS:
        raise rejected(Code.BAD_CURRENCY, f"{shown(code)} is no currency code of ISO 4217; correct it.", name)
    return code


def amount(row: Row, name: str, code: str) -> Decimal:
    """The money in a field, with the decimals of its currency; it must be a number and exact."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise rejected(Code.BAD_AMOUNT, f"{shown(value)} is not an amount; correct the document.", name)
    return exact(Decimal(value), code, name)


def exact(value: Decimal, code: str, name: str) -> Decimal:
    """Give an amount its currency's decimals; refuse to round, and what no ledger holds."""
    if not value.is_finite() or len(value.as_tuple().digits) > _MOST_DIGITS or abs(value) >= 10**15:
        raise rejected(Code.BAD_AMOUNT, f"{shown(value)} is not an amount; correct the document.", name)
    try:
        return in_currency(value, code)
    except RowRejected as error:
        error.column = name
        raise


def open_of_total(open_amount: Decimal, total: Decimal, name: str) -> Decimal:
    """The open amount, once it is known to be no more than the whole."""
    if open_amount > total:
        raise rejected(
            Code.INCONSISTENT_AMOUNTS,
            f"{open_amount} open is more than the whole of {total}; correct the amounts.",
            name,
        )
    return open_amount


def iso_day(value: object) -> date | None:
    """The day of an ISO date or moment as it is written; None when there is none."""
    if value is None or value == "":
        return None
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _no_date(value)
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        raise _no_date(value) from None


def day(row: Row, name: str, *, as_of: date, read: Callable[[object], date | None] = iso_day) -> date | None:
    """The date in a field; None when it is empty."""
    try:
        found = read(row.get(name))
    except RowRejected as error:
        error.column = name
        raise
    return None if found is None else in_range(found, as_of=as_of, name=name)


def in_range(found: date, *, as_of: date, name: str = "") -> date:
    """The date itself, unless no ledger would hold it."""
    if found < EARLIEST or found.year > as_of.year + YEARS_AHEAD:
        raise rejected(Code.DATE_OUT_OF_RANGE, f"{found} is too long ago or too far ahead; correct it.", name)
    return found


def needed(found: date | None, name: str) -> date:
    if found is None:
        raise rejected(Code.MISSING_DUE_DATE, "The document has no due date; add it.", name)
    return found


def _no_date(value: object) -> RowRejected:
    return rejected(Code.BAD_DATE, f"{shown(value)} is no date; correct the document.")


def is_open(status: str, *, open_status: str, closed: Iterable[str]) -> bool:
    """Whether a document is open; one in a state that nobody knows can be neither owed nor paid."""
    if status == open_status:
        return True
    if status in closed:
        return False
    raise rejected(Code.UNKNOWN_STATUS, f"The status {shown(status)} is not known; look at the document.")
