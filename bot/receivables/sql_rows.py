"""A row of the partner's query becomes an open item, or the reason why not.

Columns bear our names, so nothing is guessed: a name we do not know is refused (a misspelt `disputed` must not
lift a protection), and every value must already be what it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from bot.domain.errors import Rejected
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.cells import LONGEST_CELL, clean
from bot.receivables.currencies import named
from bot.receivables.fields import in_range
from bot.receivables.gathering import NOBODY, Gathering
from bot.receivables.live import SYSTEM
from bot.receivables.notes import Code, RowRejected, shown
from bot.receivables.numbers import in_currency, not_an_amount
from bot.receivables.parties import Party, as_tenant
from bot.receivables.words import is_yes, kind_of

COLUMNS: Final = (
    *(
        "customer",
        "customer_code",
        "tenant",
        "document_number",
        "instalment",
        "kind",
        "issue_date",
        "due_date",
    ),
    *("currency", "total", "open_amount", "disputed", "promise_to_pay", "dunning_blocked"),
)
_NEEDED: Final = ("document_number", "due_date", "currency", "open_amount")
_WHO: Final = ("customer", "customer_code", "tenant")
_MONEY: Final = ("open_amount", "total")
_KINDS: Final[Mapping[str, ItemKind]] = {kind.value: kind for kind in ItemKind}
_CREDITS: Final = frozenset({ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT})
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,12})?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_TOO_MUCH: Final = Decimal(10) ** 18


class SqlRows:
    """Takes the rows of one query into a gathering."""

    def __init__(
        self, gathering: Gathering, *, as_of: date, amount_scale: int | None, most_rows: int
    ) -> None:
        self._gathering = gathering
        self._as_of = as_of
        self._amount_scale = amount_scale
        self._most_rows = most_rows
        self._columns: tuple[str, ...] = ()
        self._count = 0

    def begin(self, columns: Sequence[str]) -> None:
        """Raises `Rejected` unless the columns are ours, each once, and all that are needed."""
        self._columns = tuple(column.casefold() for column in columns)
        if unknown := [column for column in self._columns if column not in COLUMNS]:
            raise Rejected(SYSTEM, "unknown-column", detail=unknown[0])
        if missing := [column for column in _NEEDED if column not in self._columns]:
            raise Rejected(SYSTEM, "missing-column", detail=missing[0])
        if not set(_WHO) & set(self._columns):
            raise Rejected(SYSTEM, "missing-column", detail=_WHO[0])
        if len(set(self._columns)) < len(self._columns):
            raise Rejected(SYSTEM, "ambiguous-columns")

    def row(self, values: Sequence[object]) -> bool:
        self._count += 1
        if self._count > self._most_rows:
            raise Rejected(SYSTEM, "too-many-rows", detail=f"more than {self._most_rows}")
        cells = dict(zip(self._columns, values, strict=True))
        self._refuse_floats(cells)
        at = f"row {self._count}"
        shown_row = tuple(map(_as_text, values))
        party = NOBODY
        try:
            party = self._party(cells, at, shown_row)
            item = self._item(cells, party)
        except RowRejected as error:
            self._gathering.reject(at, party, error, shown_row)
        else:
            if item is not None:
                self._gathering.take(at, party, item, shown_row)
        return True

    def _refuse_floats(self, cells: Mapping[str, object]) -> None:
        if self._amount_scale is not None:
            return
        for column in _MONEY:
            if isinstance(cells.get(column), float):
                raise Rejected(SYSTEM, "float-amount", detail=column)

    def _party(self, cells: Mapping[str, object], at: str, row: tuple[str, ...]) -> Party:
        name, code, said = (_text(cells, column) for column in _WHO)
        if not (name or code or said):
            raise _at("customer", RowRejected(Code.MISSING_CUSTOMER, "The row names no customer."))
        tenant = as_tenant(said) if said else None
        if said and not tenant:
            message = f"{shown(said)} is no tenant id and no domain of a customer's own; it was left out."
            self._gathering.warn(at, Code.BAD_TENANT, message, row, "tenant")
        return Party(name or code or said, code, tenant or "")

    def _item(self, cells: Mapping[str, object], party: Party) -> OpenItem | None:
        """The item; None when nothing of the document is open."""
        number = _text(cells, "document_number")
        if not number:
            raise _at("document_number", RowRejected(Code.MISSING_NUMBER, "The row has no document number."))
        currency = _currency(_text(cells, "currency"))
        kind = _kind(_text(cells, "kind"))
        open_amount = self._money(cells, "open_amount", currency)
        total = self._money(cells, "total", currency)
        if open_amount is None:
            raise _at(
                "open_amount",
                RowRejected(Code.BAD_AMOUNT, "The row has no open amount; give 0 if it is paid."),
            )
        if not open_amount:
            return None
        if kind in _CREDITS:
            open_amount, total = -abs(open_amount), None if total is None else -abs(total)
        issued = self._day(cells, "issue_date")
        due = self._day(cells, "due_date") or (issued if open_amount < 0 else None)
        if due is None:
            raise _at("due_date", RowRejected(Code.MISSING_DUE_DATE, "The row has no due date."))
        return OpenItem(
            customer=party.name,
            tenant=party.tenant or None,
            customer_code=party.code or None,
            document_number=number,
            instalment=_instalment(cells),
            kind=kind or (ItemKind.CREDIT_NOTE if open_amount < 0 else ItemKind.INVOICE),
            issue_date=issued,
            due_date=due,
            currency=currency,
            total=total,
            open_amount=open_amount,
            disputed=_mark(cells, "disputed"),
            promise_to_pay=self._day(cells, "promise_to_pay"),
            dunning_blocked=_mark(cells, "dunning_blocked"),
        )

    def _money(self, cells: Mapping[str, object], column: str, currency: str) -> Decimal | None:
        value = cells.get(column)
        if value is None:
            return None
        try:
            return in_currency(self._exact(value), currency)
        except RowRejected as error:
            raise _at(column, error) from None

    def _exact(self, value: object) -> Decimal:
        """The amount as the database means it. SQLite hands decimals back as bytes, text, integer or float."""
        if isinstance(value, bytes | bytearray | memoryview):
            value = bytes(value).decode("ascii", "replace")
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, int) and not isinstance(value, bool):
            value = Decimal(value)
        if isinstance(value, float) and self._amount_scale is not None:
            value = _rounded(value, self._amount_scale)
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= _TOO_MUCH:
            raise not_an_amount(value)
        return value

    def _day(self, cells: Mapping[str, object], column: str) -> date | None:
        value = cells.get(column)
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace")
        if value is None or value == "":
            return None
        try:
            return in_range(_as_day(value), as_of=self._as_of)
        except RowRejected as error:
            raise _at(column, error) from None


def _as_day(value: object) -> date:
    if isinstance(value, str) and (match := _DATE.fullmatch(value.strip())):
        with suppress(ValueError):  # the 30th of February
            return date.fromisoformat(match[1])
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise RowRejected(
                Code.BAD_DATE,
                f"{shown(value)} is a moment, which is one day here and another there; cast it.",
            )
        return value.date()
    if isinstance(value, date):
        return value
    raise RowRejected(Code.BAD_DATE, f"{shown(value)} is no date; give it as 2026-11-30.")


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value[:LONGEST_CELL].decode("utf-8", "replace")
    return "" if value is None else str(value)[:LONGEST_CELL]


def _at(column: str, error: RowRejected) -> RowRejected:
    error.column = column
    return error


def _text(cells: Mapping[str, object], column: str) -> str:
    value = cells.get(column)
    if value is None:
        return ""
    if isinstance(value, bytes) and (decoded := _decoded(value)) is not None:
        value = decoded
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise _at(column, RowRejected(_NO_TEXT[column], f"{shown(value)} is no text; cast it to one."))
    text = clean(str(value))
    if len(text) > LONGEST_CELL:
        raise _at(column, RowRejected(Code.CELL_TOO_LONG, f"It has more than {LONGEST_CELL:,} characters."))
    return text


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


_NO_TEXT: Final[Mapping[str, Code]] = {
    **dict.fromkeys(_WHO, Code.MISSING_CUSTOMER),
    "document_number": Code.MISSING_NUMBER,
    "currency": Code.BAD_CURRENCY,
    "kind": Code.BAD_AMOUNT,
}


def _currency(text: str) -> str:
    if not text:
        raise _at("currency", RowRejected(Code.MISSING_CURRENCY, "The row names no currency."))
    currency = named(text)
    if currency is None:
        message = f"{shown(text)} is no currency code; use three letters of ISO 4217, such as EUR."
        raise _at("currency", RowRejected(Code.BAD_CURRENCY, message))
    return currency


def _kind(text: str) -> ItemKind | None:
    """The kind; None where the row does not say. A word we do not know may mean a credit, so it is refused."""
    if not text:
        return None
    kind = _KINDS.get(text.casefold()) or kind_of(text)
    if kind is None:
        message = f"{shown(text)} is no kind; give one of {', '.join(_KINDS)}."
        raise _at("kind", RowRejected(Code.BAD_AMOUNT, message))
    return kind


def _instalment(cells: Mapping[str, object]) -> int:
    value = cells.get("instalment")
    if value is None:
        return 1
    if not isinstance(value, bool) and isinstance(value, int | str | Decimal):
        text = str(value).strip()
        if text.isascii() and text.isdecimal() and 1 <= int(text) <= 999:
            return int(text)
    raise _at("instalment", RowRejected(Code.MISSING_NUMBER, f"{shown(value)} is no instalment; give 1, 2 …"))


def _mark(cells: Mapping[str, object], column: str) -> bool:
    """Whether a mark is set; anything but a known *no* sets it: marks protect the customer."""
    value = cells.get(column)
    if isinstance(value, bytes):  # MySQL's BIT(1)
        return value.strip(b"\0 ") not in {b"", b"0"}
    if isinstance(value, str):
        return is_yes(value)
    return bool(value)


def _rounded(number: float, scale: int) -> Decimal:
    """A float column's amount at the number of decimals the partner says it has.

    A sum of floats may be 12600.499999999998 where 12600.50 is meant: what is closer to a whole unit than a
    ten-thousandth of it is that unit. Numbers too large to hold it exactly are refused.
    """
    if not abs(number) * 10**scale < 2**53:  # NaN is refused too
        raise not_an_amount(number)
    unit = Decimal(1).scaleb(-scale)
    exact = Decimal(repr(number))
    rounded = exact.quantize(unit)
    if abs(exact - rounded) >= unit.scaleb(-4):
        raise RowRejected(Code.TOO_MANY_DECIMALS, f"{shown(number)} has more than {scale} decimals.")
    return rounded
