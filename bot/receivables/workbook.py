"""Excel workbooks: the visible sheets and their records, with the row a spreadsheet shows."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bot.receivables.cells import Cell, Record
from bot.receivables.detect import MOST_COLUMNS, too_large
from bot.receivables.header import Found, find_header, no_header
from bot.receivables.notes import Code, FileRefused

_CELL_AT: Final = re.compile(rb"""\sr=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_EPOCH_1904: Final = re.compile(rb"""<(?:\w+:)?workbookPr\b[^>]*\bdate1904=["'](?:1|true)["']""")
_MOST_CELLS: Final = 20_000_000
_BLOCK: Final = 1 << 20
_LONGEST_REFERENCE: Final = 16


class Sheet(NamedTuple):
    """The one sheet with a header we know."""

    name: str
    rows: list[Record]
    found: Found
    epoch_1904: bool


def read_workbook(data: bytes) -> Sheet:
    """Find the sheet that holds the list. Hidden sheets are not read, formulas are never evaluated."""
    epoch_1904 = _check_extent(data)
    try:
        sheets = list(_visible_sheets(data))
    except CalamineError as error:
        raise FileRefused(
            Code.UNSUPPORTED_FILE, "The workbook is damaged or protected; open it in Excel and save it again."
        ) from error
    read = [Sheet(name, rows, find_header(rows), epoch_1904) for name, rows in sheets]
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


def _visible_sheets(data: bytes) -> Iterator[tuple[str, list[Record]]]:
    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        for sheet in book.sheets_metadata:
            if sheet.visible is not SheetVisibleEnum.Visible or sheet.typ is not SheetTypeEnum.WorkSheet:
                continue
            rows = book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
            yield sheet.name, [Record(number, row, _longest(row)) for number, row in enumerate(rows, start=1)]


def _longest(row: Sequence[Cell]) -> int:
    return max((len(cell) for cell in row if isinstance(cell, str)), default=0)


def _check_extent(data: bytes) -> bool:
    """Refuse sheets that would not fit into memory; tell whether dates count from 1904.

    The reader holds the rectangle from the first to the last used cell: two cells in opposite corners of a
    sheet of a few kilobytes would be seventeen thousand million.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                _check_sheet(archive, name)
        return bool(_EPOCH_1904.search(archive.read("xl/workbook.xml")))


def _check_sheet(archive: zipfile.ZipFile, name: str) -> None:
    last_row = 0
    columns: set[bytes] = set()
    tail = b""
    with archive.open(name) as part:
        while block := part.read(_BLOCK):
            references = _CELL_AT.findall(tail + block)
            tail = (tail + block)[-_LONGEST_REFERENCE:]
            columns.update(column for column, _ in references)
            last_row = max(last_row, max((int(row) for _, row in references), default=0))
    last_column = max((_column_number(column) for column in columns), default=0)
    if last_column > MOST_COLUMNS:
        raise too_large(f"{MOST_COLUMNS} columns")
    if last_row * last_column > _MOST_CELLS:
        raise too_large(f"{_MOST_CELLS:,} cells")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
