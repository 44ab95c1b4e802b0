"""One row of a table becomes an open item, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, cast

from bot.domain.money import ZERO
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.cells import Cell, text_of
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateReader, due_by_terms
from bot.receivables.header import Field, Header
from bot.receivables.notes import Code, RowRejected, shown
from bot.receivables.numbers import (
    Amount,
    from_sheet_number,
    in_currency,
    not_an_amount,
    parse_amount,
)
from bot.receivables.parties import Party
from bot.receivables.settle import Settled
from bot.receivables.words import is_yes, kind_of, number_of_instalment, side_of, speaks_of_dispute, status_of

_MADE_NEGATIVE: Final = frozenset({ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT})

Remarks = list[tuple[Code, str]]
Reading = tuple[int, OpenItem | None, Remarks]
"""What a row says: which instalment, its item or that the document is not open, and what is to be remarked."""

_Raw = Decimal | Amount | float | None
"""An amount before its currency is known: text, text with a sign, a number of a sheet, nothing."""


class RowReader:
    """Reads rows by what is settled for all of them: number style, date orders, currency."""

    def __init__(
        self,
        header: Header,
        *,
        settled: Settled,
        dates: Mapping[Field, DateReader],
        currency_of: CurrencyOf,
    ) -> None:
        self._header = header
        self._columns = {field: places[0] for field, places in header.columns.items()}
        self._remarks = header.columns.get(Field.REMARK, ())
        self._settled = settled
        self._dates = dates
        self._currency_of = currency_of

    def read(self, cells: list[Cell], party: Party, number: str) -> Reading:
        """Read one row. Raises `RowRejected` with the column at fault."""
        if not number:
            raise self._rejected(
                Field.DOCUMENT_NUMBER, Code.MISSING_NUMBER, "The row has no document number; add it."
            )
        if not party.name:
            raise self._rejected(
                Field.CUSTOMER, Code.MISSING_CUSTOMER, "The row names no customer; add the name or code."
            )
        remarks: Remarks = []
        instalment = self._instalment(cells)
        status = status_of(self._text(cells, Field.STATUS))
        if status.is_not_open:
            if status.is_paid and self._says_open(cells):
                message = (
                    f"The status is {shown(self._text(cells, Field.STATUS))} but an amount is open; "
                    "check the document."
                )
                remarks.append((Code.STATUS_CONTRADICTS_AMOUNT, message))
            return instalment, None, remarks
        type_ = self._text(cells, Field.TYPE)
        kind = kind_of(type_)
        open_amount, total, currency = self._amounts(cells, kind)
        if not open_amount:
            return instalment, None, remarks
        if type_ and kind is None and open_amount > 0 and not self._text(cells, Field.DEBIT_CREDIT):
            # It may be money that came in, in words nobody taught us: a person is to look before anybody is dunned.
            message = (
                f"{shown(type_)} was taken for an invoice; write what is a payment or credit as negative."
            )
            remarks.append((Code.UNKNOWN_TYPE, message))
        issued = self._date(cells, Field.ISSUE_DATE)
        due = self._date(cells, Field.DUE_DATE)
        item = OpenItem(
            customer=party.name,
            tenant=party.tenant or None,
            customer_code=party.code or None,
            document_number=number,
            instalment=instalment,
            kind=kind or (ItemKind.CREDIT_NOTE if open_amount < 0 else ItemKind.INVOICE),
            issue_date=issued,
            due_date=due or self._derived_due_date(cells, issued, open_amount < 0, remarks),
            currency=currency,
            total=total,
            open_amount=open_amount,
            disputed=status.is_disputed or self._is_disputed(cells, remarks),
            promise_to_pay=self._date(cells, Field.PROMISE),
            dunning_blocked=status.is_held or is_yes(self._text(cells, Field.BLOCK)),
        )
        return instalment, item, remarks

    def _text(self, cells: list[Cell], field: Field) -> str:
        """The cell of a field as text, empty where it has no column."""
        column = self._columns.get(field)
        return "" if column is None else text_of(cells[column])

    def _rejected(self, field: Field, code: Code, message: str) -> RowRejected:
        return RowRejected(code, message, self._header.heading(field))

    def _in(self, field: Field, error: RowRejected) -> RowRejected:
        return self._rejected(field, error.code, error.message)

    def _date(self, cells: list[Cell], field: Field) -> date | None:
        return self._dates[field].read(cells[self._columns[field]]) if field in self._dates else None

    def _instalment(self, cells: list[Cell]) -> int:
        text = self._text(cells, Field.INSTALMENT)
        instalment = number_of_instalment(text)
        if instalment is None:
            message = f"{shown(text)} is no instalment; write its number, such as 2."
            raise self._rejected(Field.INSTALMENT, Code.MISSING_NUMBER, message)
        return instalment

    def _says_open(self, cells: list[Cell]) -> bool:
        try:
            return bool(_value(self._amount(cells, Field.OPEN_AMOUNT)))
        except RowRejected:
            return False

    def _amounts(self, cells: list[Cell], kind: ItemKind | None) -> tuple[Decimal, Decimal | None, str]:
        """Read open amount, total and their currency, signed, after checking that they agree."""
        raw_open, raw_total, raw_paid = (
            self._amount(cells, field) for field in (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID)
        )
        if raw_open is None:
            self._check_that_it_can_be_computed(raw_total, raw_paid)
        elif not _value(raw_open) and (raw_total is None or raw_paid is None):
            return ZERO, None, ""
        currency = self._currency(cells, _sign(raw_open, raw_total, raw_paid))
        total = self._money(raw_total, currency, Field.TOTAL)
        paid = self._money(raw_paid, currency, Field.PAID)
        stated = self._money(raw_open, currency, Field.OPEN_AMOUNT)
        if stated is None:
            stated = self._computed(cast(Decimal, total), paid or ZERO)
        elif total is not None and paid is not None and not _agree(total, paid, stated):
            message = f"{total} less {paid} paid is not {stated} open; correct the amounts."
            raise self._rejected(Field.OPEN_AMOUNT, Code.INCONSISTENT_AMOUNTS, message)
        if self._is_credit(cells, kind):
            return -abs(stated), None if total is None else -abs(total), currency
        return stated, total, currency

    def _check_that_it_can_be_computed(self, total: _Raw, paid: _Raw) -> None:
        has_open = Field.OPEN_AMOUNT in self._columns
        if total is None or (has_open and paid is None):
            field = Field.OPEN_AMOUNT if has_open else Field.TOTAL
            message = "The row has no open amount; add it, 0 if it is paid."
            raise self._rejected(field, Code.BAD_AMOUNT, message)

    def _computed(self, total: Decimal, paid: Decimal) -> Decimal:
        """Take what was paid off the total; of another sign it may mean a payment or its return."""
        if total * paid < 0:
            message = f"It is not clear what {paid} paid of {total} means; write both with the same sign."
            raise self._rejected(Field.PAID, Code.INCONSISTENT_AMOUNTS, message)
        return total - paid

    def _is_credit(self, cells: list[Cell], kind: ItemKind | None) -> bool:
        text = self._text(cells, Field.DEBIT_CREDIT)
        side = side_of(text)
        if side is None:
            message = f"{shown(text)} is neither debit nor credit; write S or H, DR or CR."
            raise self._rejected(Field.DEBIT_CREDIT, Code.BAD_AMOUNT, message)
        return side == "credit" or kind in _MADE_NEGATIVE

    def _currency(self, cells: list[Cell], sign: str) -> str:
        try:
            return self._currency_of[self._text(cells, Field.CURRENCY), sign]
        except RowRejected as error:
            raise self._in(Field.CURRENCY, error) from None

    def _amount(self, cells: list[Cell], field: Field) -> _Raw:
        column = self._columns.get(field)
        cell = "" if column is None else cells[column]
        if isinstance(cell, str):
            if not cell or cell.isspace():
                return None
            try:
                return parse_amount(cell, self._settled.style)
            except RowRejected as error:
                raise self._in(field, error) from None
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            return float(cell)
        raise self._in(field, not_an_amount(cell))

    def _money(self, raw: _Raw, currency: str, field: Field) -> Decimal | None:
        if raw is None:
            return None
        try:
            if isinstance(raw, float):
                return in_currency(from_sheet_number(raw, currency), currency)
            value = raw.value if isinstance(raw, Amount) else raw
            return in_currency(value, currency, zeros_are_fine=not self._settled.style_is_assumed)
        except RowRejected as error:
            raise self._in(field, error) from None

    def _derived_due_date(
        self, cells: list[Cell], issued: date | None, is_credit: bool, remarks: Remarks
    ) -> date:
        """Find a due date where none is given: a credit's issue date, an invoice's terms."""
        if issued and is_credit:
            return issued
        due = due_by_terms(issued, self._text(cells, Field.TERMS)) if issued else None
        if due is None:
            message = "The row has no due date and no terms to derive it; add the date."
            raise self._rejected(Field.DUE_DATE, Code.MISSING_DUE_DATE, message)
        message = f"The due date {due} is derived from the issue date and the terms; check it."
        remarks.append((Code.DUE_DATE_DERIVED, message))
        return due

    def _is_disputed(self, cells: list[Cell], remarks: Remarks) -> bool:
        """Say whether a mark disputes the item; a remark that speaks of it counts until a person clears it."""
        if is_yes(self._text(cells, Field.DISPUTE)):
            return True
        for column in self._remarks:
            remark = text_of(cells[column])
            if speaks_of_dispute(remark):
                message = f"The remark {shown(remark)} speaks of a dispute; it counts until it is cleared."
                remarks.append((Code.DISPUTE_HINT, message))
                return True
        return False


def _value(raw: _Raw) -> Decimal | float | None:
    return raw.value if isinstance(raw, Amount) else raw


def _sign(*amounts: _Raw) -> str:
    return next((amount.sign for amount in amounts if isinstance(amount, Amount)), "")


def _agree(total: Decimal, paid: Decimal, open_amount: Decimal) -> bool:
    """Check total less paid; some programs show what was paid of an invoice, or used of a credit, below zero."""
    if total - paid == open_amount:
        return True
    return total * open_amount >= 0 and abs(total) - abs(paid) == abs(open_amount)
