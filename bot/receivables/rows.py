"""One row of a table becomes an open item, or the reason why not."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.cells import Cell, clean, text_of
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateReader, due_by_terms
from bot.receivables.header import Field, Header
from bot.receivables.lines import Line
from bot.receivables.notes import Code, RowRejected, shown
from bot.receivables.numbers import (
    Amount,
    DecimalStyle,
    from_sheet_number,
    in_currency,
    not_an_amount,
    parse_amount,
)
from bot.receivables.parties import Party
from bot.receivables.words import is_not_open, is_paid, is_yes, kind_of, speaks_of_dispute, speaks_of_hold

_INSTALMENT: Final = re.compile(r"(\d{1,3})(?:\s*(?:/|of|von)\s*\d{1,3})?", re.ASCII)
_CREDIT_SIDE: Final = frozenset({"H", "HABEN", "CR", "C", "CREDIT", "贷", "贷方"})
_DEBIT_SIDE: Final = frozenset({"S", "SOLL", "DR", "D", "DEBIT", "借", "借方", ""})
_MADE_NEGATIVE: Final = frozenset({ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT})


class Reading(NamedTuple):
    """What a row says: an item, or that the document is not open."""

    line: Line
    party: Party
    instalment: int
    item: OpenItem | None
    warnings: tuple[tuple[Code, str], ...] = ()


class _Amounts(NamedTuple):
    open: Decimal
    total: Decimal | None
    currency: str


class RowReader:
    """Reads rows once the file's number style, date orders and currency are settled."""

    def __init__(
        self,
        header: Header,
        *,
        style: DecimalStyle,
        dates: dict[Field, DateReader],
        currency_of: CurrencyOf,
    ) -> None:
        column = header.column
        self._header = header
        self._style = style
        self._dates = dates
        self._currency_of = currency_of
        self._open, self._total, self._paid = map(column, (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID))
        self._currency, self._side = column(Field.CURRENCY), column(Field.DEBIT_CREDIT)
        self._status, self._type = column(Field.STATUS), column(Field.TYPE)
        self._issued, self._due = column(Field.ISSUE_DATE), column(Field.DUE_DATE)
        self._terms, self._promise = column(Field.TERMS), column(Field.PROMISE)
        self._dispute, self._block = column(Field.DISPUTE), column(Field.BLOCK)
        self._instalment = column(Field.INSTALMENT)
        self._remarks = header.columns.get(Field.REMARK, ())

    def read(self, line: Line, party: Party) -> Reading:
        """Read one row. Raises `RowRejected` with the column at fault."""
        cells = line.cells
        if not line.number:
            raise self._at(
                Field.DOCUMENT_NUMBER,
                RowRejected(Code.MISSING_NUMBER, "The row has no document number; add it."),
            )
        if not party.name:
            raise self._at(
                Field.CUSTOMER,
                RowRejected(Code.MISSING_CUSTOMER, "The row names no customer; add the name or code."),
            )
        warnings: list[tuple[Code, str]] = []
        instalment = self._instalment_of(cells)
        status = _text(cells, self._status)
        if status and is_not_open(status):
            if is_paid(status) and self._says_open(cells):
                warnings.append(
                    (
                        Code.STATUS_CONTRADICTS_AMOUNT,
                        f"The status is {shown(status)} but an amount is open; check the document.",
                    )
                )
            return Reading(line, party, instalment, None, tuple(warnings))
        kind = kind_of(kind_text) if (kind_text := _text(cells, self._type)) else None
        amounts = self._amounts(cells, kind)
        if not amounts.open:
            return Reading(line, party, instalment, None)
        kind = kind or (ItemKind.CREDIT_NOTE if amounts.open < 0 else ItemKind.INVOICE)
        issued = self._date(cells, Field.ISSUE_DATE, self._issued)
        due = self._date(cells, Field.DUE_DATE, self._due)
        if due is None:
            due = self._derived_due_date(cells, issued, amounts.open < 0, warnings)
        return Reading(
            line,
            party,
            instalment,
            OpenItem(
                customer=party.name,
                tenant=party.tenant or None,
                customer_code=party.code or None,
                document_number=line.number,
                instalment=instalment,
                kind=kind,
                issue_date=issued,
                due_date=due,
                currency=amounts.currency,
                total=amounts.total,
                open_amount=amounts.open,
                disputed=self._is_disputed(cells, status, warnings),
                promise_to_pay=self._date(cells, Field.PROMISE, self._promise),
                dunning_blocked=(self._block is not None and is_yes(text_of(cells[self._block])))
                or (bool(status) and speaks_of_hold(status)),
            ),
            tuple(warnings),
        )

    def _at(self, field: Field, error: RowRejected) -> RowRejected:
        error.column = self._header.heading(field)
        return error

    def _instalment_of(self, cells: list[Cell]) -> int:
        if self._instalment is None:
            return 1
        text = clean(text_of(cells[self._instalment]))
        if not text:
            return 1
        match = _INSTALMENT.fullmatch(text)
        if not match:
            raise self._at(
                Field.INSTALMENT,
                RowRejected(
                    Code.MISSING_NUMBER, f"{shown(text)} is no instalment; write its number, such as 2."
                ),
            )
        return int(match[1])

    def _says_open(self, cells: list[Cell]) -> bool:
        try:
            raw = self._amount(cells, Field.OPEN_AMOUNT, self._open)
        except RowRejected:
            return False
        return raw is not None and not _is_zero(raw)

    def _amounts(self, cells: list[Cell], kind: ItemKind | None) -> _Amounts:
        """Read open amount and total in the row's currency, signed, after checking that they agree."""
        raw_open = self._amount(cells, Field.OPEN_AMOUNT, self._open)
        raw_total = self._amount(cells, Field.TOTAL, self._total)
        raw_paid = self._amount(cells, Field.PAID, self._paid)
        sign = _sign(raw_open) or _sign(raw_total) or _sign(raw_paid)
        if _is_zero(raw_open):
            return _Amounts(Decimal(0), None, "")
        try:
            currency = self._currency_of(_text(cells, self._currency), sign)
        except RowRejected as error:
            raise self._at(Field.CURRENCY, error) from None
        total = self._money(raw_total, currency, Field.TOTAL)
        paid = self._money(raw_paid, currency, Field.PAID)
        stated = self._money(raw_open, currency, Field.OPEN_AMOUNT)
        if stated is None:
            if total is None or (self._open is not None and paid is None):
                field = Field.TOTAL if self._open is None else Field.OPEN_AMOUNT
                message = "The row has no open amount; add it, 0 if it is paid."
                raise self._at(field, RowRejected(Code.BAD_AMOUNT, message))
            stated = total - (paid or 0)
        elif total is not None and paid is not None and not _agree(total, paid, stated):
            raise self._at(
                Field.OPEN_AMOUNT,
                RowRejected(
                    Code.INCONSISTENT_AMOUNTS,
                    f"{total} less {paid} paid is not {stated} open; correct the amounts.",
                ),
            )
        if self._is_credit(cells, kind):
            return _Amounts(-abs(stated), None if total is None else -abs(total), currency)
        return _Amounts(stated, total, currency)

    def _is_credit(self, cells: list[Cell], kind: ItemKind | None) -> bool:
        if self._side is None:
            return kind in _MADE_NEGATIVE
        side = clean(text_of(cells[self._side])).upper()
        if side not in _CREDIT_SIDE and side not in _DEBIT_SIDE:
            raise self._at(
                Field.DEBIT_CREDIT,
                RowRejected(
                    Code.BAD_AMOUNT, f"{shown(side)} is neither debit nor credit; write S or H, DR or CR."
                ),
            )
        return side in _CREDIT_SIDE or kind in _MADE_NEGATIVE

    def _amount(self, cells: list[Cell], field: Field, column: int | None) -> Amount | float | None:
        if column is None:
            return None
        cell = cells[column]
        if isinstance(cell, str):
            if not cell or cell.isspace():
                return None
            try:
                return parse_amount(cell, self._style)
            except RowRejected as error:
                raise self._at(field, error) from None
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            return float(cell)
        raise self._at(field, not_an_amount(cell))

    def _money(self, raw: Amount | float | None, currency: str, field: Field) -> Decimal | None:
        if raw is None:
            return None
        try:
            value = from_sheet_number(raw, currency) if isinstance(raw, float) else raw.value
            return in_currency(value, currency)
        except RowRejected as error:
            raise self._at(field, error) from None

    def _date(self, cells: list[Cell], field: Field, column: int | None) -> date | None:
        if column is None:
            return None
        try:
            return self._dates[field](cells[column])
        except RowRejected as error:
            raise self._at(field, error) from None

    def _derived_due_date(
        self, cells: list[Cell], issued: date | None, is_credit: bool, warnings: list[tuple[Code, str]]
    ) -> date:
        """Find a due date where none is given: a credit's issue date, an invoice's terms."""
        if issued and is_credit:
            return issued
        due = due_by_terms(issued, _text(cells, self._terms)) if issued else None
        if due is None:
            raise self._at(
                Field.DUE_DATE,
                RowRejected(
                    Code.MISSING_DUE_DATE, "The row has no due date and no terms to derive it; add the date."
                ),
            )
        warnings.append(
            (
                Code.DUE_DATE_DERIVED,
                f"The due date {due} is derived from the issue date and the terms; check it.",
            )
        )
        return due

    def _is_disputed(self, cells: list[Cell], status: str, warnings: list[tuple[Code, str]]) -> bool:
        """Say whether the item is disputed; a remark that speaks of it counts until a person clears it."""
        if self._dispute is not None and is_yes(text_of(cells[self._dispute])):
            return True
        if status and speaks_of_dispute(status):
            return True
        for column in self._remarks:
            remark = _text(cells, column)
            if remark and speaks_of_dispute(remark):
                warnings.append(
                    (
                        Code.DISPUTE_HINT,
                        f"The remark {shown(remark)} speaks of a dispute; it counts until it is cleared.",
                    )
                )
                return True
        return False


def _text(cells: list[Cell], column: int | None) -> str:
    if column is None:
        return ""
    cell = cells[column]
    return cell if isinstance(cell, str) else text_of(cell)


def _is_zero(raw: Amount | float | None) -> bool:
    return raw is not None and not (raw.value if isinstance(raw, Amount) else raw)


def _sign(raw: Amount | float | None) -> str:
    return raw.sign if isinstance(raw, Amount) else ""


def _agree(total: Decimal, paid: Decimal, open_amount: Decimal) -> bool:
    """Check total less paid; some programs show credits and what was used of them with opposite signs."""
    return total - paid == open_amount or abs(total) - abs(paid) == abs(open_amount)
