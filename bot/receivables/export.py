"""Reading a receivables export: from bytes to open items, with a reason for every row not taken."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from bot.domain.receivables import ItemKey, OpenItem
from bot.receivables import settle
from bot.receivables.cells import Cell
from bot.receivables.columns import ColumnReader
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateOrder, DateReader
from bot.receivables.header import Field
from bot.receivables.lines import Line, LineReader, Lines
from bot.receivables.notes import Code, FileRefused, Refusal, RowNote, RowRejected
from bot.receivables.parties import Party
from bot.receivables.rows import Reading, RowReader
from bot.receivables.source import Source, open_source
from bot.receivables.tally import Tally


@dataclass(frozen=True, slots=True)
class Export:
    """What one file says about one day. A refused file says nothing: no items, no closings."""

    sha256: str
    file_name: str
    as_of: date
    refused: Refusal | None = None
    items: tuple[OpenItem, ...] = ()
    rejected: tuple[RowNote, ...] = ()
    """Rows that could not be read with certainty, in the order of the file."""
    warnings: tuple[RowNote, ...] = ()
    """Remarks on rows that were taken, and on the file at its header's row."""
    skipped: int = 0
    """Blank rows, repeated headers, totals and footers below the header."""
    duplicates: int = 0
    """Rows that repeat another one exactly; the first was taken."""
    not_open: int = 0
    """Rows of documents that are paid, void, draft or written off, or have nothing open."""
    settled: frozenset[ItemKey] = frozenset()
    """The keys of those rows: what the file *says* is closed, apart from what it leaves out."""
    incomplete_parties: frozenset[str] = frozenset()
    """Customer keys with rejected rows. `UNKNOWN_PARTY` among them: a rejected row names no customer."""
    encoding: str | None = None

    @property
    def accepted(self) -> int:
        return len(self.items)


def read_export(
    data: bytes,
    *,
    file_name: str,
    as_of: date,
    default_currency: str | None = None,
    date_order: DateOrder | None = None,
) -> Export:
    """Read a CSV, TSV or XLSX export of open items.

    Nothing is guessed: a row that can be read in two ways is rejected, a file that can is refused as a whole
    (`Export.refused`). Never raises for what a file may contain.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        return _read(data, sha256, file_name, as_of, default_currency, date_order)
    except FileRefused as error:
        return Export(sha256, file_name, as_of, refused=error.refusal)


def _read(
    data: bytes,
    sha256: str,
    file_name: str,
    as_of: date,
    default_currency: str | None,
    date_order: DateOrder | None,
) -> Export:
    source = open_source(data)
    header = source.header
    file = _File(source, settle.currency_finder(header, default=default_currency), as_of, date_order)
    reading = file.read(file.expected())
    if reading.settled != reading.expected:
        reading = file.read(reading.settled)
    settle.check_currency(header, file.currency_of, file.lines, style=reading.settled.style)
    tally, lines = reading.tally, reading.lines
    tally.settle(reading.again)
    for code, message in (*file.remarks(), *reading.remarks):
        tally.warn(header.position, list(header.headings), code, message)
    for position, cells, code, message in lines.warnings:
        tally.warn(position, cells, code, message)
    for position, cells, code, message in lines.rejected:
        tally.reject(position, cells, None, RowRejected(code, message))
    return Export(
        sha256=sha256,
        file_name=file_name,
        as_of=as_of,
        items=tuple(tally.items),
        rejected=tally.rejected,
        warnings=tally.warnings,
        skipped=lines.skipped,
        duplicates=tally.duplicates,
        not_open=len(tally.settled),
        settled=tally.settled,
        incomplete_parties=frozenset(tally.incomplete),
        encoding=source.encoding,
    )


@dataclass(frozen=True, slots=True)
class _File:
    """A table with all that is known before its rows are read."""

    source: Source
    currency_of: CurrencyOf
    as_of: date
    date_order: DateOrder | None

    def line_reader(self) -> LineReader:
        source = self.source
        return LineReader(source.header, may_have_long_cells=source.may_have_long_cells)

    def lines(self) -> Iterator[Line]:
        for lines in self.line_reader().read(self.source.rows()):
            yield from lines.each()

    def remarks(self) -> settle.Warnings:
        header, found = self.source.header, settle.Warnings()
        if self.source.encoding_assumed:
            message = f"The encoding was taken for {self.source.encoding}; check names with accents or save as UTF-8."
            found.append((Code.ENCODING_ASSUMED, message))
        if Field.OPEN_AMOUNT not in header.columns and Field.PAID not in header.columns:
            message = f"There is no open amount; “{header.heading(Field.TOTAL)}” was taken for it. Check the totals."
            found.append((Code.OPEN_FROM_TOTAL, message))
        return found

    def expected(self) -> settle.Settled:
        """What the first lines make likely for all: then one reading is mostly enough."""
        header = self.source.header
        dates: dict[Field, dict[Cell, None]] = {
            field: {} for field in settle.DATES if field in header.columns
        }
        survey = settle.Survey(header, dates)
        for first in islice(self.line_reader().read(self.source.rows()), 1):
            survey.parties.update(first.parties)
            for row in first.rows:
                survey.see_amounts(row)
            for field, seen in dates.items():
                seen.update(dict.fromkeys(first.columns[header.columns[field][0]]))
        return survey.settled([], setting=self.date_order, expected=True)

    def read(self, expected: settle.Settled) -> _Reading:
        """Read all lines by what is expected, and settle what should have been."""
        reading = _Reading(self, expected)
        for lines in reading.lines.read(self.source.rows()):
            reading.take(lines)
        reading.settled = reading.survey.settled(reading.remarks, setting=self.date_order)
        return reading


class _Reading:
    """One reading of all lines; it counts if what it went by is what they settle."""

    def __init__(self, file: _File, expected: settle.Settled) -> None:
        header = file.source.header
        dates = {
            field: DateReader(
                order, as_of=file.as_of, epoch_1904=file.source.epoch_1904, heading=header.heading(field)
            )
            for field, order in expected.orders.items()
        }
        self.expected = self.settled = expected
        self.remarks = settle.Warnings()
        self.lines = file.line_reader()
        self.survey = settle.Survey(header, dates)
        self.tally = Tally(file.source)
        self._file = file
        currency_of = file.currency_of
        self._rows = RowReader(header, settled=expected, dates=dates, currency_of=currency_of)
        self._columns = ColumnReader(
            header, settled=expected, proof=self.survey.proof, dates=dates, currency_of=currency_of
        )
        self._told = set[Party]()

    def take(self, lines: Lines) -> None:
        """Take in the plain ones together, and every other one by itself."""
        self.survey.parties.update(lines.parties)
        if self.expected.tenants:
            lines = lines._replace(parties=list(map(self._with_tenant, lines.each())))
        items, odd = self._columns.read(lines)
        begin = 0
        for at in odd:
            self.tally.items += items[begin:at]
            self._take((lines.positions[at], lines.rows[at], lines.parties[at], lines.numbers[at]))
            begin = at + 1
        self.tally.items += items[begin:]

    def _with_tenant(self, line: Line) -> Party:
        position, cells, party, _ = line
        known = self.expected.tenants.get(party)
        if known and party not in self._told:
            self._told.add(party)
            message = (
                f"Other rows of {known.name} name the tenant {known.tenant}; it was taken for all of them."
            )
            self.tally.warn(position, cells, Code.TENANT_FILLED_IN, message)
        return known or party

    def _take(self, line: Line) -> None:
        position, cells, party, number = line
        self.survey.see_amounts(cells)
        try:
            reading = self._rows.read(cells, party, number)
        except RowRejected as error:
            self.tally.reject(position, cells, party, error)
        else:
            self.tally.take(line, reading)

    def again(self, numbers: Container[str]) -> Iterator[tuple[Line, Reading]]:
        """Read the lines with these document numbers once more; those rejected then are left out."""
        for position, cells, named, number in self._file.lines():
            if number not in numbers:
                continue
            party = self.settled.tenants.get(named, named)
            try:
                reading = self._rows.read(cells, party, number)
            except RowRejected:
                continue
            yield (position, cells, party, number), reading
