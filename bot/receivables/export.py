"""Reading a receivables export: from bytes to open items, with a reason for every row not taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from bot.domain.receivables import UNKNOWN_PARTY, ItemKey, OpenItem
from bot.receivables import settle
from bot.receivables.cells import Cell, text_of
from bot.receivables.dates import DateOrder
from bot.receivables.header import Field
from bot.receivables.lines import LineReader
from bot.receivables.notes import Code, FileRefused, Refusal, RowNote, RowRejected
from bot.receivables.parties import Party, with_known_tenants
from bot.receivables.rows import Reading, RowReader
from bot.receivables.source import Source, open_source


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


class _Rows:
    """Collects what the rows of one file say, and settles which of them contradict each other."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first: dict[ItemKey, Reading] = {}
        self._again: dict[ItemKey, list[Reading]] = {}
        self._keys: dict[Party, str] = {}
        self._rejected: dict[int, RowNote] = {}
        self._warnings: list[tuple[int, RowNote]] = []
        self.incomplete: set[str] = set()

    def take(self, reading: Reading) -> None:
        party = reading.party
        customer = self._keys.get(party)
        if customer is None:
            customer = self._keys[party] = party.key
        key = (customer, reading.line.number, reading.instalment)
        if self._first.setdefault(key, reading) is not reading:
            self._again.setdefault(key, []).append(reading)

    def reject(self, position: int, cells: list[Cell], party: Party | None, error: RowRejected) -> None:
        self.incomplete.add(party.key if party and party.name else UNKNOWN_PARTY)
        self._rejected[position] = self._note(position, cells, error.code, error.message, error.column)

    def warn(self, position: int, cells: list[Cell], code: Code, message: str) -> None:
        self._warnings.append((position, self._note(position, cells, code, message)))

    def _note(self, position: int, cells: list[Cell], code: Code, message: str, column: str = "") -> RowNote:
        return RowNote(self._source.at(position), code, message, tuple(map(text_of, cells)), column)

    def settle(self) -> tuple[list[OpenItem], set[ItemKey], int]:
        """Give the items, the keys of what is not open, and the number of exact repetitions."""
        items: list[OpenItem] = []
        settled: set[ItemKey] = set()
        duplicates = 0
        for key, first in self._first.items():
            if again := self._again.get(key):
                if any(reading.item != first.item for reading in again):
                    self._reject_all([first, *again])
                    continue
                duplicates += len(again)
            for code, message in first.warnings:
                self.warn(first.line.position, first.line.cells, code, message)
            if first.item is None:
                settled.add(key)
            else:
                items.append(first.item)
        return items, settled, duplicates

    def _reject_all(self, readings: list[Reading]) -> None:
        where = ", ".join(self._source.at(reading.line.position) for reading in readings[:5])
        for line, party, *_ in readings:
            error = RowRejected(
                Code.CONFLICTING_DUPLICATE,
                f"Document {line.number} is in the file with different contents ({where}); keep one.",
            )
            self.reject(line.position, line.cells, party, error)

    @property
    def rejected(self) -> tuple[RowNote, ...]:
        return tuple(note for _, note in sorted(self._rejected.items()))

    @property
    def warnings(self) -> tuple[RowNote, ...]:
        return tuple(note for _, note in sorted(self._warnings, key=lambda warning: warning[0]))


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
    below = LineReader(header, all_text=source.noun == "line").read(source.records)
    on_file: settle.Warnings = []
    if source.encoding_assumed:
        message = f"The encoding was taken for {source.encoding}; check names with accents or save as UTF-8."
        on_file.append((Code.ENCODING_ASSUMED, message))
    if Field.OPEN_AMOUNT not in header.columns and Field.PAID not in header.columns:
        message = (
            f"There is no open amount; “{header.heading(Field.TOTAL)}” was taken for it. Check the totals."
        )
        on_file.append((Code.OPEN_FROM_TOTAL, message))
    style = settle.number_style(below.lines, header, on_file)
    reader = RowReader(
        header,
        style=style,
        dates=settle.date_readers(
            below.lines, header, on_file, as_of=as_of, setting=date_order, epoch_1904=source.epoch_1904
        ),
        currency_of=settle.currency_finder(below.lines, header, default=default_currency, style=style),
    )

    rows = _Rows(source)
    for code, message in on_file:
        rows.warn(header.position, list(header.headings), code, message)
    for remark in below.warnings:
        rows.warn(remark.record.position, remark.record.cells, remark.code, remark.message)
    for remark in below.rejected:
        rows.reject(
            remark.record.position, remark.record.cells, None, RowRejected(remark.code, remark.message)
        )

    parties = with_known_tenants({line.party for line in below.lines})
    filled_in = {party for party, known in parties.items() if party != known}
    for line in below.lines:
        party = parties[line.party]
        if line.party in filled_in:
            filled_in.discard(line.party)
            message = (
                f"Other rows of {party.name} name the tenant {party.tenant}; it was taken for all of them."
            )
            rows.warn(line.position, line.cells, Code.TENANT_FILLED_IN, message)
        try:
            rows.take(reader.read(line, party))
        except RowRejected as error:
            rows.reject(line.position, line.cells, party, error)

    items, settled, duplicates = rows.settle()
    return Export(
        sha256=sha256,
        file_name=file_name,
        as_of=as_of,
        items=tuple(items),
        rejected=rows.rejected,
        warnings=rows.warnings,
        skipped=below.skipped,
        duplicates=duplicates,
        not_open=len(settled),
        settled=frozenset(settled),
        incomplete_parties=frozenset(rows.incomplete),
        encoding=source.encoding,
    )
