"""The rows of a table that say something about a document, each with its customer; the rest is skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bot.receivables.cells import LONGEST_CELL, Cell, Record, clean, is_blank, text_of
from bot.receivables.detect import MOST_COLUMNS, MOST_ROWS, too_large
from bot.receivables.header import Field, Header
from bot.receivables.notes import Code, shown
from bot.receivables.parties import Party, as_tenant, named_by_tenant, tagged_tenant
from bot.receivables.words import is_total

NOBODY: Final = Party("")


class Line(NamedTuple):
    """A row about a document, or about to be rejected for naming none."""

    position: int
    cells: list[Cell]
    party: Party
    number: str


class Remark(NamedTuple):
    """Something to say about a row before its amounts and dates are looked at."""

    record: Record
    code: Code
    message: str


@dataclass(slots=True)
class Lines:
    """What a table holds below its header."""

    lines: list[Line] = field(default_factory=list)
    skipped: int = 0
    rejected: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)


class LineReader:
    """Sorts rows into documents, totals, headings and footers; remembers the customer of a group.

    In a grouped report an empty customer cell means the one above. A blank row or a total ends the group:
    to lose a row is better than to book it to somebody else.
    """

    def __init__(self, header: Header, *, all_text: bool) -> None:
        self._header = header
        self._all_text = all_text
        self._width = len(header.headings)
        self._number = header.columns[Field.DOCUMENT_NUMBER][0]
        self._who = tuple(map(header.column, (Field.CUSTOMER, Field.CUSTOMER_CODE, Field.TENANT)))
        self._dates = [at for at in map(header.column, (Field.ISSUE_DATE, Field.DUE_DATE)) if at is not None]
        self._amounts = [at for at in map(header.column, (Field.OPEN_AMOUNT, Field.TOTAL)) if at is not None]
        self._references = header.columns.get(Field.REFERENCE, ())
        self._parties: dict[tuple[Cell, Cell, Cell], Party] = {}
        self._above = NOBODY
        self._told_of_groups = False
        self._out = Lines()

    def read(self, records: Iterable[Record]) -> Lines:
        """Sort all records below the header. Raises `FileRefused` when there are too many."""
        for record in records:
            self._take(record)
            if len(self._out.lines) > MOST_ROWS:
                raise too_large(f"{MOST_ROWS:,} rows")
        return self._out

    def _take(self, record: Record) -> None:
        cells = record.cells
        if len(cells) > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS} columns")
        if len(cells) < self._width:
            cells = cells + [""] * (self._width - len(cells))
        elif len(cells) > self._width and self._all_text and not is_blank(cells[self._width :]):
            self._reject(
                record,
                Code.AMBIGUOUS_COLUMNS,
                "The row has more cells than the header; put quotation marks around text with delimiters.",
            )
            return
        if record.longest > LONGEST_CELL:
            self._reject(
                record, Code.CELL_TOO_LONG, f"A cell has more than {LONGEST_CELL:,} characters; shorten it."
            )
            return
        number = clean(text_of(cells[self._number]))
        if number and not number[-1].isdigit() and self._is_no_number(number, cells):
            number = ""
        if number or self._should_name_a_document(record, cells):
            self._out.lines.append(Line(record.position, cells, self._party(record, cells), number))
        else:
            self._out.skipped += 1

    def _is_no_number(self, number: str, cells: list[Cell]) -> bool:
        return is_total(number) or (
            number == self._header.headings[self._number] and self._header.is_repeated_by(cells)
        )

    def _should_name_a_document(self, record: Record, cells: list[Cell]) -> bool:
        """Tell a row that lacks its number from one that needs none: blank, total, heading, footer."""
        if self._header.is_repeated_by(cells):
            return False
        texts = [text_of(cell) for cell in cells]
        if is_blank(cells) or any(is_total(text) for text in texts if text):
            self._above = NOBODY
            return False
        if any(texts[at].strip() for at in self._dates):
            return True
        who = {at for at in self._who if at is not None}
        names_only_customer = all(at in who for at, text in enumerate(texts) if text.strip())
        self._above = self._party(record, cells) if names_only_customer else NOBODY
        if any(texts[at].strip() for at in self._amounts) and any(texts[at].strip() for at in who):
            self._out.warnings.append(
                Remark(
                    record,
                    Code.ROW_WITHOUT_NUMBER,
                    "The row has an amount but neither number nor date; it was skipped as a footer.",
                )
            )
        return False

    def _reject(self, record: Record, code: Code, message: str) -> None:
        self._above = NOBODY
        self._out.rejected.append(Remark(record, code, message))

    def _party(self, record: Record, cells: list[Cell]) -> Party:
        name, code, tenant = self._who
        who = (
            "" if name is None else cells[name],
            "" if code is None else cells[code],
            "" if tenant is None else cells[tenant],
        )
        party = self._parties.get(who)
        if party is None:
            party = self._parties[who] = self._new_party(record, *(clean(text_of(cell)) for cell in who))
        if party is NOBODY and self._above is not NOBODY:
            party = self._above
            self._tell_once_that_customers_repeat(record)
        for at in self._references:
            if not party.tenant and (tagged := tagged_tenant(text_of(cells[at]))):
                party = party._replace(tenant=tagged)
        self._above = party
        return party

    def _tell_once_that_customers_repeat(self, record: Record) -> None:
        if not self._told_of_groups:
            self._told_of_groups = True
            self._out.warnings.append(
                Remark(
                    record,
                    Code.CUSTOMER_FROM_ABOVE,
                    "From this row on, rows without a customer took the one above; check that this is meant.",
                )
            )

    def _new_party(self, record: Record, name: str, code: str, tenant: str) -> Party:
        if not (name or code or tenant):
            return NOBODY
        known = as_tenant(tenant) if tenant else named_by_tenant(name)
        if tenant and not known:
            self._out.warnings.append(
                Remark(
                    record,
                    Code.BAD_TENANT,
                    f"{shown(tenant)} is no tenant id and no domain of a customer's own; it was left out.",
                )
            )
        return Party(name or code or tenant, code, known or "")
