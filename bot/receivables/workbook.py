"""Excel workbooks: the visible sheets and their records, with the row a spreadsheet shows."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bot.receivables.cells import Record
from bot.receivables.detect import LARGEST_UNPACKED, MOST_COLUMNS, damaged, too_large
from bot.receivables.header import Found, find_header, no_header
from bot.receivables.notes import Code, FileRefused

_PLACE: Final = re.compile(rb"""\sr=["']([A-Za-z]{0,3})([0-9]{1,7})["']""")
_LONGEST_PLACE: Final = 16
_EPOCH_1904: Final = re.compile(rb"""<(?:\w+:)?workbookPr\b[^>]*\bdate1904=["'](?:1|true)["']""")
_MOST_CELLS: Final = 20_000_000
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet, and where its header is."""

    name: str
    found: Found
    epoch_1904: bool
    _cells: CalamineSheet

    def records(self) -> Iterator[Record]:
        return _records(self._cells)


def _records(cells: CalamineSheet) -> Iterator[Record]:
    """Each row as it is asked for: as lists all of them would fill the memory twice."""
    # An empty sheet has no first cell to begin at.
    return iter(()) if cells.start is None else enumerate(cells.iter_rows(), start=1)


def read_workbook(data: bytes) -> Sheet:
    """Find the sheet that holds the list. Hidden sheets are not read, formulas are never evaluated."""
    epoch_1904 = _check(data)
    try:
        sheets = list(_visible_sheets(data))
    except CalamineError as error:
        raise damaged() from error
    read = [Sheet(cells.name, find_header(_records(cells)), epoch_1904, cells) for cells in sheets]
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


def _visible_sheets(data: bytes) -> Iterator[CalamineSheet]:
    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        for sheet in book.sheets_metadata:
            if sheet.visible is SheetVisibleEnum.Visible and sheet.typ is SheetTypeEnum.WorkSheet:
                yield book.get_sheet_by_name(sheet.name)


def _check(data: bytes) -> bool:
    """Unpack it once, looking at its size and extent; tell whether dates count from 1904.

    Sizes that a ZIP file declares are only claims. And the reader holds the rectangle from the first to the last
    used cell: two cells in opposite corners of a sheet of a few kilobytes would be seventeen thousand million.
    """
    left = LARGEST_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                name = entry.filename
                is_sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
                extent = _Extent() if is_sheet else None
                with archive.open(entry) as part:
                    while block := part.read(_BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise too_large("200 MB unpacked")
                        if extent is not None:
                            extent.look_at(block)
            return bool(_EPOCH_1904.search(archive.read("xl/workbook.xml")))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise damaged() from error


class _Extent:
    """The last row and column of a sheet. Raises `FileRefused` once they hold too many cells.

    To read every reference takes as long as to read the sheet. So it is only searched for one farther to the right
    than all before, or in a row of six digits, or in small letters, and there it is looked at closely: no sheet
    with fewer rows and `MOST_COLUMNS` has too many cells.
    """

    def __init__(self) -> None:
        self._row = 0
        self._column = 0
        self._tail = b""
        self._farther = _farther_than("")

    def look_at(self, block: bytes) -> None:
        block = self._tail + block
        self._tail = block[-_LONGEST_PLACE:]
        if not self._farther.search(block):
            return
        widest = b""
        for letters, row in _PLACE.findall(block):
            self._row = max(self._row, int(row))
            if (len(letters), letters.upper()) > (len(widest), widest):
                widest = letters.upper()
        column = _column_number(widest)
        if column > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS} columns")
        if column > self._column:
            self._column = column
            self._farther = _farther_than(widest.decode())
        if self._row * self._column > _MOST_CELLS:
            raise too_large(f"{_MOST_CELLS:,} cells")


def _farther_than(letters: str) -> re.Pattern[bytes]:
    """Find a reference beyond that column, to a row of six digits, or in small letters.

    It begins with fixed characters, without the blank before them, and is told by the next one or two: that makes
    the search five times as quick. More than two letters there cannot be, `MOST_COLUMNS` has two.
    """
    odd = "[a-z]|[0-9]{6}"
    match letters:
        case "":
            reference = f"[A-Z]|{odd}"
        case str() if len(letters) == 1:
            reference = f"{_above(letters)}|[A-Z](?:[A-Z]|{odd})|{odd}"
        case _:
            first, second = letters[0], letters[1]
            wider = f"{_above(first)}[A-Z]|{first}{_above(second)}|[A-Z][A-Z](?:[A-Z]|{odd})"
            reference = f"[A-Z](?:{odd})|{wider}|{odd}"
    return re.compile(f"""r=["'](?:{reference})""".encode())


def _above(letter: str) -> str:
    """A character class of the letters after it; of none after Z."""
    return f"[{chr(ord(letter) + 1)}-Z]" if letter < "Z" else "(?!)"


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
