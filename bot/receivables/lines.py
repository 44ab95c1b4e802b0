"""The rows of a table that say something about a document, each with its customer; the rest is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, cast

from bot.domain.receivables import ItemKind
from bot.receivables.cells import LONGEST_CELL, Cell, Rows, clean, is_blank, says_something, text_of
from bot.receivables.dates import looks_like_date
from bot.receivables.detect import MOST_COLUMNS, MOST_ROWS, too_large
from bot.receivables.header import Field, Header
from bot.receivables.notes import Code, shown
from bot.receivables.parties import Party, as_tenant, named_by_tenant, tagged_tenant
from bot.receivables.words import is_of_page, is_sheet_error, is_total, kind_of

NOBODY: Final = Party("")
_PLAIN_NUMBERS: Final = re.compile(r"[!-~]*[0-9](?:\n[!-~]*[0-9])*")
_NUMBER: Final = re.compile(r"[^\s:]*\d[^\s:\u3400-\u9fff]*")
"""What can only be the number of a document, where a row says nothing else; `Page 1 of 2` and `共12条` are not."""

_MAY_BE_MINUS: Final = re.compile(r"[-−(（]|\bCR\b|\bH\b|贷|貸", re.IGNORECASE)
_MONEY: Final = frozenset({ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT})


Line = tuple[int, list[Cell], Party, str]
"""A row about a document, or about to be rejected for naming none: its place, cells, customer and number."""


class Lines(NamedTuple):
    """Many lines, column by column."""

    positions: Sequence[int]
    rows: Sequence[list[Cell]]
    columns: Sequence[Sequence[Cell]]
    parties: Sequence[Party]
    numbers: Sequence[str]

    def each(self) -> Iterator[Line]:
        return zip(self.positions, self.rows, self.parties, self.numbers, strict=True)


class Remark(NamedTuple):
    """Something to say about a row before its amounts and dates are looked at."""

    position: int
    cells: list[Cell]
    code: Code
    message: str


class LineReader:
    """Sorts rows into documents, totals, headings and footers; remembers the customer of a group.

    In a grouped report an empty customer cell means the one above. A blank row or a total ends the group:
    to lose a row is better than to book it to somebody else. The end of a page, with its sum and the header printed
    again, does not.
    """

    def __init__(self, header: Header, *, may_have_long_cells: bool = True) -> None:
        """Raises `FileRefused` when the header is too wide."""
        self._header = header
        self._may_have_long_cells = may_have_long_cells
        self._width = len(header.headings)
        if self._width > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS} columns")
        self._number = header.columns[Field.DOCUMENT_NUMBER][0]
        self._headings_of_number = frozenset(
            change(header.headings[self._number]) for change in (str, str.upper, str.lower)
        )
        self._who = tuple(map(header.column, (Field.CUSTOMER, Field.CUSTOMER_CODE, Field.TENANT)))
        self._dates = [at for at in map(header.column, (Field.ISSUE_DATE, Field.DUE_DATE)) if at is not None]
        self._amounts = [at for at in map(header.column, (Field.OPEN_AMOUNT, Field.TOTAL)) if at is not None]
        self._amount = self._amounts[0]
        self._type = header.column(Field.TYPE)
        self._references = header.columns.get(Field.REFERENCE, ())
        self._who_of = itemgetter(*(at for at in self._who if at is not None))
        self._fills_in_codes = None not in self._who[:2]
        self._parties: dict[object, Party] = {}
        self._names: dict[str, str] = {}
        self._has_nameless = False
        self._above = NOBODY
        self._told_of_groups = False
        self.skipped = 0
        self.rejected: list[Remark] = []
        self.warnings: list[Remark] = []

    def read(self, batches: Iterable[Rows]) -> Iterator[Lines]:
        """Sort the rows below the header and give the lines, some at a time. Raises `FileRefused` for too many."""
        count = 0
        for rows in batches:
            lines = self._all_plain(rows) or self._sorted(rows)
            count += len(lines.rows)
            if count > MOST_ROWS:
                raise too_large(f"{MOST_ROWS:,} rows")
            if lines.rows:
                yield lines

    def _all_plain(self, rows: Rows) -> Lines | None:
        """Take them without a look at every one, as most can be; None when one must be looked at."""
        if set(map(len, rows.cells)) != {self._width}:
            return None
        columns = list(zip(*rows.cells, strict=True))
        numbers = columns[self._number]
        if set(map(type, numbers)) != {str}:
            numbers = tuple(map(text_of, numbers))
        joined = "\n".join(numbers)
        if (
            not _PLAIN_NUMBERS.fullmatch(joined)
            or joined.count("\n") >= len(numbers)
            or "" in columns[self._amount]
            or all("" in columns[at] for at in self._dates)
            or not self._headings_of_number.isdisjoint(numbers)
            or self._has_too_long(rows.cells, columns)
            or any(tagged_tenant(text_of(cell)) for at in self._references for cell in set(columns[at]))
        ):
            return None
        parties = self._known_parties(rows, columns)
        if (self._has_nameless and not all(map(_name_of, parties))) or (
            self._fills_in_codes and not all(map(_code_of, parties))
        ):
            return None
        self._above = parties[-1]
        return Lines(*rows, columns, parties, numbers)

    def _has_too_long(self, rows: Sequence[list[Cell]], columns: Sequence[Sequence[Cell]]) -> bool:
        if not self._may_have_long_cells:
            return False
        try:
            if max(map(len, map("".join, rows))) <= LONGEST_CELL:  # type: ignore[arg-type]
                return False
        except TypeError:  # not all of a sheet is text
            pass
        return any(map(_is_too_long, columns))

    def _known_parties(self, rows: Rows, columns: Sequence[Sequence[Cell]]) -> Sequence[Party]:
        who = [columns[at] for at in self._who if at is not None]
        keys: Sequence[object] = who[0] if len(who) == 1 else list(zip(*who, strict=True))
        known = list(map(self._parties.get, keys))
        if not all(known):
            for at, key in enumerate(keys):
                if key not in self._parties:
                    self._parties[key] = self._new_party(rows.positions[at], rows.cells[at])
            return list(map(self._parties.__getitem__, keys))
        return cast(list[Party], known)

    def _sorted(self, rows: Rows) -> Lines:
        """Look at each; one that is no line is counted or noted."""
        lines: list[Line] = []
        for position, cells in zip(*rows, strict=True):
            if len(cells) != self._width:
                cells = self._in_width(cells)
            number = self._number_of(position, cells)
            if number is not None:
                lines.append((position, cells, self._party(position, cells), number))
        if not lines:
            return Lines((), (), (), (), ())
        positions, kept, parties, numbers = zip(*lines, strict=True)
        return Lines(positions, kept, list(zip(*kept, strict=False)), parties, numbers)

    def _in_width(self, cells: list[Cell]) -> list[Cell]:
        """Fill a short row up; what a row has beyond the header stays, to be looked at."""
        if len(cells) > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS} columns")
        return cells + [""] * (self._width - len(cells))

    def _number_of(self, position: int, cells: list[Cell]) -> str | None:
        """The document number of a line, empty where it lacks one; None for every other row."""
        if len(cells) > self._width and not is_blank(cells[self._width :]):
            self._reject(
                position,
                cells,
                Code.AMBIGUOUS_COLUMNS,
                "The row has more cells than the header; put quotation marks around text with delimiters.",
            )
            return None
        if _is_too_long(cells):
            self._reject(
                position,
                cells,
                Code.CELL_TOO_LONG,
                f"A cell has more than {LONGEST_CELL:,} characters; shorten it.",
            )
            return None
        cell = cells[self._number]
        number = clean(cell if isinstance(cell, str) else text_of(cell))
        if number and (
            not number[-1].isdigit()
            or not cells[self._amount]
            or number in self._headings_of_number
            or not any(self._at(self._dates, cells))
        ):
            number = self._unless_it_is_none(number, cells)
        if number or self._should_name_a_document(position, cells):
            return number
        self.skipped += 1
        return None

    def _unless_it_is_none(self, number: str, cells: list[Cell]) -> str:
        """Give the number back, empty for what stands in its column in a total, a header, a footer or a ruled line."""
        if is_total(number) or is_sheet_error(number) or not any(map(str.isalnum, number)):
            return ""
        if self._header.is_repeated_by(cells):
            return ""
        if not any(self._at(self._dates, cells)) and any(is_total(text_of(cell)) for cell in cells):
            return ""  # it counts the documents
        is_alone = not any(map(says_something, self._at(self._dates + self._amounts, cells)))
        return "" if is_alone and not _NUMBER.fullmatch(number) else number

    def _at(self, columns: Iterable[int], cells: list[Cell]) -> list[Cell]:
        return [cells[at] for at in columns]

    def _should_name_a_document(self, position: int, cells: list[Cell]) -> bool:
        """Tell a row that lacks its number from one that needs none: blank, total, heading, footer."""
        if self._header.is_repeated_by(cells):
            return False
        said = {at: text_of(cell) for at, cell in enumerate(cells) if says_something(cell)}
        dates = said.keys() & self._dates
        is_dated = any(looks_like_date(cells[at]) for at in dates)
        is_sum = any(map(is_total, said.values()))
        if (is_sum or not is_dated) and any(map(is_of_page, said.values())):
            return False
        if is_sum or not said:
            self._above = NOBODY
            return False
        who = {at for at in self._who if at is not None}
        has_amount = not said.keys().isdisjoint(self._amounts)
        names_customer = not said.keys().isdisjoint(who)
        if is_dated or (dates and has_amount and names_customer):
            return True
        if has_amount and names_customer and self._may_be_money(said):
            return True  # to lose it would leave who paid in debt
        self._above = self._party(position, cells) if said.keys() <= who else NOBODY
        if has_amount and names_customer:
            self.warnings.append(
                Remark(
                    position,
                    cells,
                    Code.ROW_WITHOUT_NUMBER,
                    "The row has an amount but neither number nor date; it was skipped as a footer.",
                )
            )
        return False

    def _may_be_money(self, said: Mapping[int, str]) -> bool:
        """Whether it may be something that came in or was given: by its sign, its side or its type."""
        amounts = (said[at] for at in self._amounts if at in said)
        kind = kind_of(said.get(self._type, "")) if self._type is not None else None
        return kind in _MONEY or any(map(_MAY_BE_MINUS.search, amounts))

    def _reject(self, position: int, cells: list[Cell], code: Code, message: str) -> None:
        self._above = NOBODY
        self.rejected.append(Remark(position, cells, code, message))

    def _party(self, position: int, cells: list[Cell]) -> Party:
        who = self._who_of(cells)
        party = self._parties.get(who)
        if party is None:
            party = self._parties[who] = self._new_party(position, cells)
        if party is NOBODY and self._above is not NOBODY:
            party = self._above
            self._tell_once_that_customers_repeat(position, cells)
        elif self._above.code and not party.code and party.name == self._above.name:
            party = party._replace(code=self._above.code)
        for at in self._references:
            if not party.tenant and (tagged := tagged_tenant(text_of(cells[at]))):
                party = party._replace(tenant=tagged)
        self._above = party
        return party

    def _tell_once_that_customers_repeat(self, position: int, cells: list[Cell]) -> None:
        if not self._told_of_groups:
            self._told_of_groups = True
            self.warnings.append(
                Remark(
                    position,
                    cells,
                    Code.CUSTOMER_FROM_ABOVE,
                    "From this row on, rows without a customer took the one above; check that this is meant.",
                )
            )

    def _new_party(self, position: int, cells: list[Cell]) -> Party:
        name, code, tenant = ("" if at is None else clean(text_of(cells[at])) for at in self._who)
        if not (name or code or tenant):
            self._has_nameless = True
            return NOBODY
        if is_sheet_error(name or code or tenant):
            self._has_nameless = True
            return Party("")  # like nobody, but not to be filled in from above
        known = as_tenant(tenant) if tenant else named_by_tenant(name)
        if tenant and not known:
            self.warnings.append(
                Remark(
                    position,
                    cells,
                    Code.BAD_TENANT,
                    f"{shown(tenant)} is no tenant id and no domain of a customer's own; it was left out.",
                )
            )
        if code and name:
            self._names.setdefault(code, name)
        return Party(name or self._names.get(code, "") or code or tenant, code, known or "")


_name_of = itemgetter(0)
_code_of = itemgetter(1)


def _is_too_long(cells: Sequence[Cell]) -> bool:
    try:
        return max(map(len, cells), default=0) > LONGEST_CELL  # type: ignore[arg-type]
    except TypeError:  # a number has no length
        return str in set(map(type, cells)) and any(
            len(cell) > LONGEST_CELL for cell in cells if isinstance(cell, str)
        )
