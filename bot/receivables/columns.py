"""Most rows are plain: an invoice, open, with an amount and a due date. Those are read column by column.

That is several times as quick as row by row, and it decides nothing: what is not plain is left to `RowReader`, and what
is plain comes out just as it would there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, make_dataclass
from datetime import date
from decimal import Decimal
from itertools import compress, repeat
from operator import mul, ne, sub, truediv
from typing import Final, TypeVar, cast

from bot.domain.money import MINOR_UNITS, ZERO
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.cells import Cell, text_of
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateReader
from bot.receivables.header import Field, Header
from bot.receivables.lines import Lines
from bot.receivables.notes import RowRejected
from bot.receivables.numbers import LARGEST, MOST_DIGITS, UNIT_OF, DecimalStyle, StyleProof, unsigned
from bot.receivables.settle import Settled
from bot.receivables.words import (
    is_yes,
    kind_of,
    number_of_instalment,
    side_of,
    speaks_of_dispute,
    status_of,
)

_UNGROUPED: Final = {
    style: re.compile(rf"[0-9]+(?:{re.escape(style)}[0-9]+)?(?:\n[0-9]+(?:{re.escape(style)}[0-9]+)?)*")
    for style in DecimalStyle
}
_WHOLE: Final = re.compile(r"[0-9\n]*")
_UNITS_IN_ONE: Final = {currency: 10**digits for currency, digits in MINOR_UNITS.items()}
_ANY_CURRENCY: Final = "EUR"
_SAFE: Final = min(LARGEST.values())
_AMOUNTS: Final = (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID)
_PLAIN: Final[Mapping[Field, Callable[[str], bool]]] = {
    Field.STATUS: lambda text: not any(status_of(text)),
    Field.TYPE: lambda text: not text or kind_of(text) is ItemKind.INVOICE,
    Field.DEBIT_CREDIT: lambda text: side_of(text) == "debit",
    Field.DISPUTE: lambda text: not is_yes(text),
    Field.BLOCK: lambda text: not is_yes(text),
    Field.REMARK: lambda text: not speaks_of_dispute(text),
}

Column = Sequence[Cell]
T = TypeVar("T")


_FACTS: Final = fields(OpenItem)
_Draft: Final = make_dataclass("_Draft", [fact.name for fact in _FACTS], slots=True)
"""An `OpenItem` in the making.

The frozen class goes round its own freezing once for every field, which takes longer than all the rest of a plain row.
This one has the same slots, so it can become the other.
"""


class ColumnReader:
    """Reads the plain ones among many rows."""

    def __init__(
        self,
        header: Header,
        *,
        settled: Settled,
        proof: StyleProof,
        dates: Mapping[Field, DateReader],
        currency_of: CurrencyOf,
    ) -> None:
        """`proof` learns of the amounts, and the readers of `dates` of every cell they meet."""
        self._places = header.columns
        self._style = settled.style
        self._is_assumed = settled.style_is_assumed
        self._proof = proof
        self._dates = dates
        self._currency_of = currency_of

    def read(self, lines: Lines) -> tuple[list[OpenItem], Sequence[int]]:
        """Give an item for each line, and which of them do not count: the line is not plain, for whatever reason."""
        batch = _Batch(lines, self._places)
        dates = {field: list(map(reader.__getitem__, batch[field])) for field, reader in self._dates.items()}
        for field in batch.has(_AMOUNTS):
            self._learn(batch[field])
        if not {Field.OPEN_AMOUNT, Field.DUE_DATE} <= self._places.keys():
            return [], range(len(lines.rows))
        for field, is_plain in _PLAIN.items():
            batch.leave_out(field, unless=is_plain)
        for field, days in dates.items():
            batch.leave_out_if_not(days, {date} if field is Field.DUE_DATE else {date, type(None)})
        names, codes, tenants = zip(*lines.parties, strict=True)
        batch.leave_out_empty(names)
        batch.leave_out_empty(lines.numbers)
        currencies = batch.read(Field.CURRENCY, self._currency, instead=_ANY_CURRENCY)
        opens = self._amounts(batch, Field.OPEN_AMOUNT, currencies)
        batch.leave_out_empty(opens)
        totals = self._totals(batch, opens, currencies) if Field.TOTAL in self._places else []
        if Field.PAID in self._places:
            paid = self._amounts(batch, Field.PAID, currencies)
            if totals:
                batch.odd.update(_where_they_differ(list(map(sub, totals, paid)), opens))
        known: dict[str, Iterable[object]] = {
            "customer": names,
            "tenant": [tenant or None for tenant in tenants],
            "customer_code": [code or None for code in codes],
            "document_number": lines.numbers,
            "instalment": batch.read(Field.INSTALMENT, _instalment, instead=1),
            "issue_date": dates.get(Field.ISSUE_DATE, repeat(None)),
            "due_date": dates[Field.DUE_DATE],
            "currency": currencies,
            "total": totals or repeat(None),
            "open_amount": opens,
            "promise_to_pay": dates.get(Field.PROMISE, repeat(None)),
        }
        drafts = map(_Draft, *(known.get(fact.name, repeat(fact.default)) for fact in _FACTS))
        return _become_items(list(drafts)), sorted(batch.odd)

    def _learn(self, column: Column) -> None:
        """Show the amounts to the proof until it has one; what speaks against it then is not plain."""
        if self._proof.proven is self._style or str not in set(map(type, column)):
            return
        texts = [cell for cell in column if isinstance(cell, str)]
        if _WHOLE.fullmatch("\n".join(texts)):
            return
        for text in texts:
            self._proof.see(text)
            if self._proof.proven is self._style:
                return

    def _currency(self, cell: Cell) -> str | None:
        try:
            return self._currency_of[text_of(cell), ""]
        except RowRejected:
            return None

    def _totals(self, batch: _Batch, opens: list[Decimal], currencies: Sequence[str]) -> list[Decimal]:
        """Read the totals; one that is written like what is open is the same."""
        of_open, of_total = batch[Field.OPEN_AMOUNT], batch[Field.TOTAL]
        others = list(compress(range(len(opens)), map(ne, of_total, of_open)))
        amounts, odd = self._read([of_total[at] for at in others], [currencies[at] for at in others])
        batch.odd.update(others[at] for at in odd)
        totals = opens.copy()
        for at, amount in zip(others, amounts, strict=True):
            totals[at] = amount
        return totals

    def _amounts(self, batch: _Batch, field: Field, currencies: Sequence[str]) -> list[Decimal]:
        amounts, odd = self._read(batch[field], currencies)
        batch.odd.update(odd)
        return amounts

    def _read(self, column: Column, currencies: Sequence[str]) -> tuple[list[Decimal], set[int]]:
        """Read amounts without a sign; tell which are none, or have too many decimals."""
        units = list(map(UNIT_OF.__getitem__, currencies))
        types = set(map(type, column))
        if types == {str}:
            texts, odd = self._digits(cast(Sequence[str], column))
            values = list(map(Decimal, texts))
            amounts = list(map(Decimal.quantize, values, units))
            return amounts, odd | _where_they_differ(amounts, values)
        if float in types:
            numbers = [cell if type(cell) is float and 0 <= cell < _SAFE else 0.0 for cell in column]
            in_one = list(map(_UNITS_IN_ONE.__getitem__, currencies))
            whole = list(map(float.__round__, map(mul, numbers, in_one)))
            # A number of cents divided by a hundred is the number that was typed; a sum of cells may be beside it.
            odd = _where_they_differ(column, numbers) | _where_they_differ(
                list(map(truediv, whole, in_one)), numbers
            )
            return list(map(mul, units, whole)), odd
        return [ZERO] * len(column), set(range(len(column)))

    def _digits(self, column: Sequence[str]) -> tuple[Sequence[str], set[int]]:
        """The amounts as `Decimal` takes them, 0 for those that are not plain."""
        joined = "\n".join(column)
        if (
            _UNGROUPED[self._style].fullmatch(joined)
            and joined.count("\n") == len(column) - 1
            and max(map(len, column)) <= MOST_DIGITS
            and not (self._is_assumed and self._style in joined)
        ):
            is_dot = self._style is DecimalStyle.DOT
            return column if is_dot else joined.replace(self._style, ".").split("\n"), set()
        texts = [unsigned(cell, self._style) for cell in column]
        odd = {at for at, text in enumerate(texts) if text is None or (self._is_assumed and "." in text)}
        return [text or "0" for text in texts], odd


def _become_items(drafts: list[object]) -> list[OpenItem]:
    for draft in drafts:
        draft.__class__ = OpenItem
    return cast(list[OpenItem], drafts)


def _instalment(cell: Cell) -> int | None:
    return number_of_instalment(text_of(cell))


def _where_they_differ(values: Sequence[object], others: Sequence[object]) -> set[int]:
    if values == others:
        return set()
    return {at for at, (value, other) in enumerate(zip(values, others, strict=True)) if value != other}


class _Batch:
    """The columns of many lines, and which lines have turned out not to be plain."""

    def __init__(self, lines: Lines, places: Mapping[Field, tuple[int, ...]]) -> None:
        self._columns = lines.columns
        self._places = places
        self._length = len(lines.rows)
        self.odd: set[int] = set()

    def has(self, fields: Iterable[Field]) -> list[Field]:
        return [field for field in fields if field in self._places]

    def __getitem__(self, field: Field) -> Column:
        return self._columns[self._places[field][0]]

    def read(self, field: Field, read: Callable[[Cell], T | None], *, instead: T) -> Sequence[T]:
        """Read every different cell once; `instead` stands where it says nothing plain."""
        if field not in self._places:
            value = read("")
            if value is None:
                self.odd.update(range(self._length))
            return [instead if value is None else value] * self._length
        column = self[field]
        values = {cell: read(cell) for cell in set(column)}
        self._leave_out(column, {cell for cell, value in values.items() if value is None})
        known = {cell: instead if value is None else value for cell, value in values.items()}
        return list(map(known.__getitem__, column))

    def leave_out(self, field: Field, *, unless: Callable[[str], bool]) -> None:
        for at in self._places.get(field, ()):
            column = self._columns[at]
            self._leave_out(column, {cell for cell in set(column) if not unless(text_of(cell))})

    def _leave_out(self, column: Column, cells: set[Cell]) -> None:
        if cells:
            self.odd.update(at for at, cell in enumerate(column) if cell in cells)

    def leave_out_if_not(self, values: Sequence[object], types: set[type]) -> None:
        if not set(map(type, values)) <= types:
            self.odd.update(at for at, value in enumerate(values) if type(value) not in types)

    def leave_out_empty(self, values: Sequence[object]) -> None:
        if not all(values):
            self.odd.update(at for at, value in enumerate(values) if not value)
