"""Excel workbooks: the visible sheets and their records, with the row a spreadsheet shows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bot.receivables.archive import Contents, Place, inspect
from bot.receivables.cells import AT_ONCE, Cell, Rows
from bot.receivables.detect import damaged
from bot.receivables.header import Found, find_header, no_header
from bot.receivables.notes import Code, FileRefused


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet, and where its header is."""

    name: str
    found: Found
    contents: Contents
    _cells: CalamineSheet
    _errors: Mapping[Place, str]

    def rows(self, skip: int) -> Iterator[Rows]:
        return _rows(self._cells, self._errors, skip)


def _rows(sheet: CalamineSheet, errors: Mapping[Place, str], skip: int = 0) -> Iterator[Rows]:
    """Some rows as they are asked for: as lists all of them would fill the memory twice."""
    if sheet.start is None:
        return  # an empty sheet has no first cell to begin at
    rows = islice(sheet.iter_rows(), skip, None)
    first = skip + 1
    while cells := list(islice(rows, AT_ONCE)):
        if errors:
            _put_back(errors, cells, first)
        yield Rows(range(first, first + len(cells)), cells)
        first += len(cells)


def _put_back(errors: Mapping[Place, str], cells: Sequence[list[Cell]], first: int) -> None:
    """The reader gives failed formulas as empty cells, and an empty one may be filled from above."""
    for (row, column), error in errors.items():
        if first <= row < first + len(cells) and column <= len(cells[row - first]):
            cells[row - first][column - 1] = error


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
                found = find_header(_rows(cells, errors))
                yield Sheet(sheet.name, found, contents, cells, errors)
