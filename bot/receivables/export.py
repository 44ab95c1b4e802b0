"""Reading a receivables export: from bytes to open items, with a reason for every row not taken."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from bot.domain.receivables import ItemKey, OpenItem
from bot.receivables import settle
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateOrder
from bot.receivables.header import Field
from bot.receivables.lines import Line, LineReader
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
        with _uncollected():
            return _read(data, sha256, file_name, as_of, default_currency, date_order)
    except FileRefused as error:
        return Export(sha256, file_name, as_of, refused=error.refusal)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Put the garbage collector off: it would go through all items again and again and find no cycle to break."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
    read = file.read(file.expected())
    if read.settled != read.expected:
        read = file.read(read.settled)
    settle.check_currency(header, file.currency_of, file.lines, style=read.settled.style)
    read.tally.settle(read.again)

    tally, lines = read.tally, read.lines
    for code, message in (*file.remarks(), *read.remarks):
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


_FIRST_LINES: Final = 1000


@dataclass(frozen=True, slots=True)
class _File:
    """A table with all that is known before its rows are read."""

    source: Source
    currency_of: CurrencyOf
    as_of: date
    date_order: DateOrder | None

    def lines(self) -> Iterator[Line]:
        return self._line_reader().read(self.source.records())

    def _line_reader(self) -> LineReader:
        return LineReader(self.source.header, all_text=self.source.noun == "line")

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
        survey = settle.Survey(self.source.header)
        for _, cells, party, _ in islice(self.lines(), _FIRST_LINES):
            survey.parties.add(party)
            survey.see(cells)
        return survey.settled([], setting=self.date_order, expected=True)

    def read(self, expected: settle.Settled) -> _Read:
        """Read all lines by what is expected, and settle what should have been."""
        source = self.source
        lines, survey, tally = self._line_reader(), settle.Survey(source.header), Tally(source)
        reader = RowReader(
            source.header,
            settled=expected,
            survey=survey,
            currency_of=self.currency_of,
            as_of=self.as_of,
            epoch_1904=source.epoch_1904,
        )
        tenants, told = expected.tenants, set[Party]()
        for line in lines.read(source.records()):
            position, cells, party, number = line
            survey.parties.add(party)
            if tenants and party in tenants:
                known = tenants[party]
                if party not in told:
                    told.add(party)
                    message = (
                        f"Other rows of {known.name} name the tenant {known.tenant}; "
                        "it was taken for all of them."
                    )
                    tally.warn(position, cells, Code.TENANT_FILLED_IN, message)
                party = known
                line = position, cells, party, number
            try:
                reading = reader.read(cells, party, number)
            except RowRejected as error:
                survey.see(cells)
                tally.reject(position, cells, party, error)
            else:
                tally.take(line, reading)
        remarks = settle.Warnings()
        settled = survey.settled(remarks, setting=self.date_order)
        return _Read(self, expected, settled, remarks, lines, reader, tally)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one reading of all lines has given; it counts if what it went by is what they settle."""

    file: _File
    expected: settle.Settled
    settled: settle.Settled
    remarks: settle.Warnings
    lines: LineReader
    reader: RowReader
    tally: Tally

    def again(self, numbers: Container[str]) -> Iterator[tuple[Line, Reading]]:
        """Read the lines with these document numbers once more; those rejected then are left out."""
        for position, cells, named, number in self.file.lines():
            if number not in numbers:
                continue
            party = self.settled.tenants.get(named, named)
            try:
                reading = self.reader.read(cells, party, number)
            except RowRejected:
                continue
            yield (position, cells, party, number), reading
