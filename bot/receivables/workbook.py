"""Excel workbooks: the visible sheets and their records, with the row a spreadsheet shows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bot.receivables.archive import Contents, Place, inspect
from bot.receivables.cells import Record
from bot.receivables.detect import damaged
from bot.receivables.header import Found, find_header, no_header
from bot.receivables.notes import Code, FileRefused


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet, and where its header is."""

    name: str
    found: Found
    epoch_1904: bool
    _cells: CalamineSheet
    _errors: Mapping[Place, str]

    def records(self) -> Iterator[Record]:
        return _records(self._cells, self._errors)


def _records(cells: CalamineSheet, errors: Mapping[Place, str]) -> Iterator[Record]:
    """Each row as it is asked for: as lists all of them would fill the memory twice."""
    if cells.start is None:
        return iter(())  # an empty sheet has no first cell to begin at
    rows = enumerate(cells.iter_rows(), start=1)
    return _with_errors(rows, errors) if errors else rows


def _with_errors(rows: Iterator[Record], errors: Mapping[Place, str]) -> Iterator[Record]:
    """Put failed formulas back: the reader gives them as empty cells, and an empty one may be filled from above."""
    broken: dict[int, list[Place]] = {}
    for place in errors:
        broken.setdefault(place[0], []).append(place)
    for position, cells in rows:
        for place in broken.get(position, ()):
            if place[1] <= len(cells):
                cells[place[1] - 1] = errors[place]
        yield position, cells


def read_workbook(data: bytes) -> Sheet:
    """Find the sheet that holds the list. Hidden sheets are not read, formulas are never evaluated."""
    contents = inspect(data)
    try:
        read = list(_visible_sheets(data, contents))
    except CalamineError as error:
        raise damaged() from error
    with_header = [sheet for sheet in read if sheet.found.header]
    if not with_header:
        nearest = [sheet.found.nearest for sheet in read if sheet.found.nearest]
        raise no_header(max(nearest, key=lambda header: len(header.columns), default=None))
    if len(with_header) > 1:
        one, other, *_ = with_header
        raise FileRefused(
            Code.AMBIGUOUS_COLUMNS,
            f"The sheets “{one.name}” and “{other.name}” both hold invoices; hide or remove one.",
        )
    return with_header[0]


def _visible_sheets(data: bytes, contents: Contents) -> Iterator[Sheet]:
    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        for number, sheet in enumerate(book.sheets_metadata):
            if sheet.visible is SheetVisibleEnum.Visible and sheet.typ is SheetTypeEnum.WorkSheet:
                cells = book.get_sheet_by_name(sheet.name)
                errors = contents.errors_of_sheet(number)
                found = find_header(_records(cells, errors))
                yield Sheet(sheet.name, found, contents.epoch_1904, cells, errors)
