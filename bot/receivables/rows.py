"""One row of a table becomes an open item, or the reason why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, cast

from bot.domain.receivables import ZERO, ItemKind, OpenItem
from bot.receivables.cells import Cell, clean, text_of
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
    unsigned,
)
from bot.receivables.parties import Party
from bot.receivables.settle import Settled, Survey
from bot.receivables.words import is_yes, kind_of, speaks_of_dispute, status_of

_INSTALMENT: Final = re.compile(
    r"(?:rate |第 ?)?(\d{1,3})(?:\.0|\.? ?rate| ?期|\s*(?:/|of|von)\s*\d{1,3})?", re.ASCII | re.IGNORECASE
)
_CREDIT_SIDE: Final = frozenset({"H", "HABEN", "CR", "C", "CREDIT", "贷", "贷方"})
_DEBIT_SIDE: Final = frozenset({"S", "SOLL", "DR", "D", "DEBIT", "借", "借方", ""})
_MADE_NEGATIVE: Final = frozenset({ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT})


Remarks = list[tuple[Code, str]]
Reading = tuple[int, OpenItem | None, Remarks]
"""What a row says: which instalment, its item or that the document is not open, and what is to be remarked."""

_Raw = Decimal | Amount | float | None
"""An amount before its currency is known: text, text with a sign, a number of a sheet, nothing."""


@dataclass(slots=True)
class _Draft:
    """An `OpenItem` in the making, field for field.

    The frozen class goes round its own freezing once for every field, which takes longer than all the rest of a
    row. This one has the same slots, so it can become the other.
    """

    customer: str
    tenant: str | None
    customer_code: str | None
    document_number: str
    instalment: int
    kind: ItemKind
    issue_date: date | None
    due_date: date
    currency: str
    total: Decimal | None
    open_amount: Decimal
    disputed: bool
    promise_to_pay: date | None
    dunning_blocked: bool


class RowReader:
    """Reads rows by what is settled for all of them: number style, date orders, currency."""

    def __init__(
        self,
        header: Header,
        *,
        settled: Settled,
        survey: Survey,
        currency_of: CurrencyOf,
        as_of: date,
        epoch_1904: bool,
    ) -> None:
        """`survey` learns of amounts and dates as they are read, and of all of a line that is not open."""
        column = header.column
        self._header = header
        self._style = settled.style
        self._survey = survey
        self._proof = survey.proof
        dates: dict[Field, Mapping[Cell, date | None]] = {
            field: DateReader(
                order,
                as_of=as_of,
                epoch_1904=epoch_1904,
                heading=header.heading(field),
                seen=survey.dates[field],
            )
            for field, order in settled.orders.items()
        }
        self._issue_dates, self._due_dates, self._promises = (
            dates.get(field, {}) for field in (Field.ISSUE_DATE, Field.DUE_DATE, Field.PROMISE)
        )
        self._currency_of = currency_of
        self._open, self._total, self._paid = map(column, (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID))
        self._shows_both = self._open is not None and self._total is not None
        self._currency, self._side = column(Field.CURRENCY), column(Field.DEBIT_CREDIT)
        self._status, self._type = column(Field.STATUS), column(Field.TYPE)
        self._issued, self._due = column(Field.ISSUE_DATE), column(Field.DUE_DATE)
        self._terms, self._promise = column(Field.TERMS), column(Field.PROMISE)
        self._dispute, self._block = column(Field.DISPUTE), column(Field.BLOCK)
        self._instalment = column(Field.INSTALMENT)
        self._remarks = header.columns.get(Field.REMARK, ())
        self._has_marks = bool(self._remarks) or self._dispute is not None

    def read(self, cells: list[Cell], party: Party, number: str) -> Reading:
        """Read one row. Raises `RowRejected` with the column at fault."""
        if not number:
            raise self._at(
                Field.DOCUMENT_NUMBER,
                RowRejected(Code.MISSING_NUMBER, "The row has no document number; add it."),
            )
        if not party.name:
            raise self._at(
                Field.CUSTOMER,
                RowRejected(Code.MISSING_CUSTOMER, "The row names no customer; add the name or code."),
            )
        warnings: Remarks = []
        instalment = 1 if self._instalment is None else self._instalment_of(cells, self._instalment)
        status_text = _text(cells, self._status)
        status = status_of(status_text) if status_text else None
        if status and status.is_not_open:
            self._survey.see(cells)
            if status.is_paid and self._says_open(cells):
                warnings.append(
                    (
                        Code.STATUS_CONTRADICTS_AMOUNT,
                        f"The status is {shown(status_text)} but an amount is open; check the document.",
                    )
                )
            return instalment, None, warnings
        kind = None if self._type is None else kind_of(_text(cells, self._type))
        open_amount, total, currency = self._amounts(cells, kind)
        if not open_amount:
            self._survey.see(cells)
            return instalment, None, warnings
        kind = kind or (ItemKind.CREDIT_NOTE if open_amount < 0 else ItemKind.INVOICE)
        issued = None if self._issued is None else self._issue_dates[cells[self._issued]]
        due = None if self._due is None else self._due_dates[cells[self._due]]
        if due is None:
            due = self._derived_due_date(cells, issued, open_amount < 0, warnings)
        item = _Draft(
            party.name,
            party.tenant or None,
            party.code or None,
            number,
            instalment,
            kind,
            issued,
            due,
            currency,
            total,
            open_amount,
            (status is not None and status.is_disputed)
            or (self._has_marks and self._is_disputed(cells, warnings)),
            None if self._promise is None else self._promises[cells[self._promise]],
            (status is not None and status.is_held)
            or (self._block is not None and is_yes(text_of(cells[self._block]))),
        )
        item.__class__ = OpenItem  # type: ignore[assignment]
        return instalment, cast(OpenItem, item), warnings

    def _at(self, field: Field, error: RowRejected) -> RowRejected:
        error.column = self._header.heading(field)
        return error

    def _instalment_of(self, cells: list[Cell], column: int) -> int:
        text = clean(text_of(cells[column]))
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
        return bool(_value(raw))

    def _amounts(self, cells: list[Cell], kind: ItemKind | None) -> tuple[Decimal, Decimal | None, str]:
        """Read open amount, total and their currency, signed, after checking that they agree."""
        raw_open = self._amount(cells, Field.OPEN_AMOUNT, self._open)
        same = self._shows_both and cells[self._open] == cells[self._total]  # type: ignore[index]
        raw_total = raw_open if same else self._amount(cells, Field.TOTAL, self._total)
        raw_paid = None if self._paid is None else self._amount(cells, Field.PAID, self._paid)
        has_signs = not same or raw_paid is not None or type(raw_open) is Amount
        sign = _sign(raw_open, raw_total, raw_paid) if has_signs else ""
        if raw_open is None:
            self._check_that_it_can_be_computed(raw_total, raw_paid)
        elif not _value(raw_open) and (same or raw_total is None or raw_paid is None):
            return ZERO, None, ""
        try:
            currency = self._currency_of[_text(cells, self._currency), sign]
        except RowRejected as error:
            raise self._at(Field.CURRENCY, error) from None
        total = self._money(raw_total, currency, Field.TOTAL)
        paid = None if raw_paid is None else self._money(raw_paid, currency, Field.PAID)
        stated = total if same else self._money(raw_open, currency, Field.OPEN_AMOUNT)
        if stated is None:
            stated = self._computed(cast(Decimal, total), paid or ZERO)
        elif total is not None and paid is not None and not _agree(total, paid, stated):
            message = f"{total} less {paid} paid is not {stated} open; correct the amounts."
            raise self._at(Field.OPEN_AMOUNT, RowRejected(Code.INCONSISTENT_AMOUNTS, message))
        if self._is_credit(cells, kind):
            return -abs(stated), None if total is None else -abs(total), currency
        return stated, total, currency

    def _check_that_it_can_be_computed(self, total: _Raw, paid: _Raw) -> None:
        if total is None or (self._open is not None and paid is None):
            field = Field.TOTAL if self._open is None else Field.OPEN_AMOUNT
            message = "The row has no open amount; add it, 0 if it is paid."
            raise self._at(field, RowRejected(Code.BAD_AMOUNT, message))

    def _computed(self, total: Decimal, paid: Decimal) -> Decimal:
        """Take what was paid off the total; of another sign it may mean a payment or its return."""
        if total * paid < 0:
            message = f"It is not clear what {paid} paid of {total} means; write both with the same sign."
            raise self._at(Field.PAID, RowRejected(Code.INCONSISTENT_AMOUNTS, message))
        return total - paid

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

    def _amount(self, cells: list[Cell], field: Field, column: int | None) -> _Raw:
        if column is None:
            return None
        cell = cells[column]
        if isinstance(cell, str):
            if self._proof.proven is self._style and (plain := unsigned(cell, self._style)):
                return Decimal(plain)
            if not cell or cell.isspace():
                return None
            self._proof.see(cell)
            try:
                return parse_amount(cell, self._style)
            except RowRejected as error:
                raise self._at(field, error) from None
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            return float(cell)
        raise self._at(field, not_an_amount(cell))

    def _money(self, raw: _Raw, currency: str, field: Field) -> Decimal | None:
        if raw is None:
            return None
        try:
            if isinstance(raw, float):
                raw = from_sheet_number(raw, currency)
            return in_currency(raw.value if isinstance(raw, Amount) else raw, currency)
        except RowRejected as error:
            raise self._at(field, error) from None

    def _derived_due_date(
        self, cells: list[Cell], issued: date | None, is_credit: bool, warnings: Remarks
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

    def _is_disputed(self, cells: list[Cell], warnings: Remarks) -> bool:
        """Say whether a mark disputes the item; a remark that speaks of it counts until a person clears it."""
        if self._dispute is not None and is_yes(text_of(cells[self._dispute])):
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


def _value(raw: _Raw) -> Decimal | float | None:
    return raw.value if isinstance(raw, Amount) else raw


def _sign(*amounts: _Raw) -> str:
    return next((amount.sign for amount in amounts if isinstance(amount, Amount)), "")


def _agree(total: Decimal, paid: Decimal, open_amount: Decimal) -> bool:
    """Check total less paid; some programs show what was paid of an invoice, or used of a credit, below zero."""
    if total - paid == open_amount:
        return True
    return total * open_amount >= 0 and abs(total) - abs(paid) == abs(open_amount)
