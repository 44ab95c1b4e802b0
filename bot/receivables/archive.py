"""The archive an Excel workbook is: unpacked once before it is read, within bounds."""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from bot.receivables.cells import LONGEST_CELL
from bot.receivables.detect import LARGEST_UNPACKED, MOST_COLUMNS, UNREADABLE, damaged, too_large

Place = tuple[int, int]
"""Row and column, counted from 1."""

_MOST_CELLS: Final = 20_000_000
_FEW_COLUMNS: Final = 20
"""So many may have a million rows each, so the extent of most sheets need not be known."""
_BLOCK: Final = 1 << 20
_STRETCH: Final = LONGEST_CELL // 4
_BLOCK_PACKED: Final = 1 << 17
_ENCRYPTED: Final = 1
_HEADER, _LENGTHS_OF_NAMES = 30, 26
"""The length of an entry's header, and where in it the lengths of its name and its extra field are."""
_WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_TEXTS: Final = "xl/sharedstrings.xml"
_LONGEST_PROMISE: Final = 256
_PROMISED: Final = re.compile(rb"""ount\s*=\s*["']\s*\+?([^"']*)""")
_SHEETS: Final = "xl/worksheets/"
_KEPT: Final = (_WORKBOOK, _RELATIONS)
_LONGEST_TAG: Final = 1 << 16
_ATTRIBUTES: Final = rb"""(?:[^>"']|"[^"]*"|'[^']*')*"""
_WHOLE_TAG: Final = re.compile(rb"<" + _ATTRIBUTES + rb">")
_TAG: Final = re.compile(rb"<(?:\w+:)?(c|row)(?=[\s/>])(" + _ATTRIBUTES + rb")>(</)?")
_NAMED_PLACE: Final = re.compile(rb"""(?<![\w:])r\s*=\s*["']([^"']*)""")
_PLACE: Final = re.compile(rb"([A-Za-z]{0,3})([0-9]{1,9})")
_PREFIXED: Final = re.compile(rb":c[\s/>]")
_FAILED_CELL: Final = re.compile(
    rb"""<(?:\w+:)?c\s(?=[^>]*?\bt=["']e["'])(?=[^>]*?\br=["']([A-Za-z]{1,3})([0-9]{1,9})["'])[^>]*>"""
    rb"""(?:<(?:\w+:)?f\b[^>]*>[^<]*(?:</(?:\w+:)?f>)?)?(?:<(?:\w+:)?v>([^<]*))?"""
)
_ID: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_ID: Final = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a workbook's archive tells and its reader does not."""

    epoch_1904: bool
    """Serial numbers of dates count from 1904."""
    may_have_long_cells: bool
    """Somewhere so much stands between the beginnings of two cells that one may be longer than cells should be."""
    _sheets: tuple[str, ...]
    """The parts of the archive that hold the sheets, in the order of the workbook."""
    _errors: Mapping[str, Mapping[Place, str]]

    def errors_of_sheet(self, number: int) -> Mapping[Place, str]:
        """The cells whose formula failed, and with what."""
        return self._errors.get(self._sheets[number], {}) if number < len(self._sheets) else {}


def inspect(data: bytes) -> Contents:
    """Unpack it once, looking at its size and the extent of its sheets. Raises `FileRefused` beyond bounds.

    The reader holds the rectangle from the first to the last used cell: two cells in opposite corners of a sheet of a
    few kilobytes would be seventeen thousand million. What is a sheet is looked for in every part, whatever its name.
    """
    left = LARGEST_UNPACKED
    errors: dict[str, Mapping[Place, str]] = {}
    kept: dict[str, bytes] = {}
    may_have_long_cells = False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                sheet = _SheetOnTheFly()
                texts = _TextsOnTheFly() if entry.filename.casefold() == _TEXTS else None
                blocks: list[bytes] = []
                beginning = b"<si" if texts else b"<c " if entry.filename.startswith(_SHEETS) else b""
                for block in _unpacked(data, entry):
                    left -= len(block)
                    may_have_long_cells |= _has_room_for_a_long_cell(block, beginning)
                    if left < 0:
                        raise too_large("200 MB unpacked")
                    sheet.look_at(block)
                    if texts is not None:
                        texts.look_at(block)
                    if entry.filename in _KEPT:
                        blocks.append(block)
                kept[entry.filename] = b"".join(blocks)
                if sheet.errors:
                    errors[entry.filename] = sheet.errors
        workbook = _parsed(kept[_WORKBOOK])
        parts = _parts(workbook, kept[_RELATIONS])
        may_have_long_cells |= not all(part.startswith(_SHEETS) for part in parts)
        return Contents(_counts_from_1904(workbook), may_have_long_cells, parts, errors)
    except (ElementTree.ParseError, struct.error, zlib.error, *UNREADABLE) as error:
        raise damaged() from error


def _has_room_for_a_long_cell(block: bytes, beginning: bytes) -> bool:
    """Tell whether there is a stretch without the beginning of a cell; a cell too long has one, wherever it is cut."""
    stretches = range(0, len(block) - _STRETCH, _STRETCH)
    return any(block.find(beginning, at, at + _STRETCH) < 0 for at in stretches)


def _unpacked(data: bytes, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """All that is packed there. `zipfile` itself stops at the size the file declares, and that is only a claim."""
    if entry.flag_bits & _ENCRYPTED:
        raise damaged()
    names = struct.unpack_from("<HH", data, entry.header_offset + _LENGTHS_OF_NAMES)
    begin = entry.header_offset + _HEADER + sum(names)
    packed = memoryview(data)[begin : begin + entry.compress_size]
    blocks = (packed[at : at + _BLOCK_PACKED] for at in range(0, len(packed), _BLOCK_PACKED))
    if entry.compress_type == zipfile.ZIP_STORED:
        yield from map(bytes, blocks)
    elif entry.compress_type == zipfile.ZIP_DEFLATED:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        for block in blocks:
            yield unpacker.decompress(block, _BLOCK)
            while unpacker.unconsumed_tail:
                yield unpacker.decompress(unpacker.unconsumed_tail, _BLOCK)
        yield unpacker.flush()
    else:
        raise damaged()


class _NoDoctype(ElementTree.TreeBuilder):
    """No workbook declares a document type; who does has entities in mind that grow, or that name other files."""

    def doctype(self, _name: str, _public: str, _system: str) -> None:
        raise damaged()


def _parsed(part: bytes) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314 - its size is bounded, and it has no entities
    return ElementTree.XML(part, parser=parser)


def _counts_from_1904(workbook: ElementTree.Element) -> bool:
    properties = workbook.find("{*}workbookPr")
    return properties is not None and properties.get("date1904") in {"1", "true"}


def _parts(workbook: ElementTree.Element, relations: bytes) -> tuple[str, ...]:
    targets = {each.get("Id"): each.get("Target", "") for each in _parsed(relations)}
    sheets = (sheet.get(_ID) or sheet.get(_STRICT_ID) for sheet in workbook.iterfind("{*}sheets/{*}sheet"))
    return tuple(
        posixpath.normpath(posixpath.join("/xl", targets.get(sheet, ""))).lstrip("/") for sheet in sheets
    )


class _TextsOnTheFly:
    """The texts of a workbook while they are unpacked. Raises `FileRefused` where more are promised than cells may be.

    The reader makes room for as many as are promised before it has seen one.
    """

    def __init__(self) -> None:
        self._end = b""

    def look_at(self, block: bytes) -> None:
        block = self._end + block
        self._end = block[-_LONGEST_PROMISE:]
        for promised in _PROMISED.findall(block):
            if not promised.isdigit() or int(promised) > _MOST_CELLS:
                raise damaged()


class _SheetOnTheFly:
    """The extent of a sheet and its failed formulas, while it is unpacked. Raises `FileRefused` for too many cells.

    To read every place takes as long as to read the sheet. So it is only searched for a cell that is not as plain as
    `<c r="B12"`, or is farther to the right than all before, or so far down that there may be too many; where there
    is one, all places are read.
    """

    def __init__(self) -> None:
        self._place, self._farthest = (1, 1), (1, _FEW_COLUMNS)
        self._torn = b""
        self._not_plain = _all_but_plain(_FEW_COLUMNS)
        self.errors: dict[Place, str] = {}

    def look_at(self, block: bytes) -> None:
        begin = 0
        if self._torn:
            next_tag = block.find(b"<")
            begin = next_tag if next_tag >= 0 else len(block)
            torn = self._torn + block[:begin]
            if len(torn) > _LONGEST_TAG and not _WHOLE_TAG.match(torn):
                raise damaged()
            self._search(torn, 0, len(torn))
        last_tag = block.rfind(b"<", begin)
        is_torn = last_tag >= 0 and not _WHOLE_TAG.match(block, last_tag)
        end = last_tag if is_torn else len(block)
        self._torn = block[end:]
        self._search(block, begin, end)

    def _search(self, block: bytes, begin: int, end: int) -> None:
        """The part in between, which is not copied: that would take as long as to search it."""
        is_prefixed = block.find(b":", begin, end) >= 0 and _PREFIXED.search(block, begin, end)
        if is_prefixed or self._not_plain.search(block, begin, end):
            self._measure(block, begin, end)
        elif block.find(b"<c ", begin, end) >= 0:
            # Should cells without a place come after these, the last row is not known but by its digits.
            self._place = (max(self._farthest[0], _last_plain_row(self._farthest[1])), 1)
        if block.find(b"#", begin, end) >= 0:  # as every error has it
            for letters, row, error in _FAILED_CELL.findall(block, begin, end):
                self.errors[int(row), _column_number(letters)] = error.decode("ascii", "replace") or "#ERROR!"

    def _measure(self, block: bytes, begin: int, end: int) -> None:
        """Read all places; a cell or a row that names none is the next one."""
        row, column = self._place
        last_row, last_column = self._farthest
        for tag, attributes, ends_at_once in _TAG.findall(block, begin, end):
            named = self._place_named(attributes)
            if tag == b"row":
                row, column = named[0] if named else row + 1, 0
                continue
            row, column = named or (row, column + 1)
            if not ends_at_once and not attributes.endswith(b"/"):  # an empty cell takes no room
                last_row, last_column = max(last_row, row), max(last_column, column)
        if last_column > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS} columns")
        if last_row * last_column > _MOST_CELLS:
            raise too_large(f"{_MOST_CELLS:,} cells")
        if last_column > self._farthest[1]:
            self._not_plain = _all_but_plain(last_column)
        self._place, self._farthest = (row, column), (last_row, last_column)

    def _place_named(self, attributes: bytes) -> Place | None:
        name = _NAMED_PLACE.search(attributes)
        if not name:
            return None
        place = _PLACE.fullmatch(name[1].strip())
        if not place:  # the reader would make some number of it all the same
            raise damaged()
        return int(place[2]), _column_number(place[1])


def _last_plain_row(columns: int) -> int:
    """The last one of as many digits as can never be too many cells."""
    return int("9" * (len(str(_MOST_CELLS // columns)) - 1))


def _all_but_plain(columns: int) -> re.Pattern[bytes]:
    """Find a cell that is not plainly in one of so many columns and not too far down."""
    letters = _column_letters(columns)
    if len(letters) == 1:
        column = f"[A-{letters}]"
    else:
        first, second = letters[0], letters[1]
        before = f"[A-{chr(ord(first) - 1)}][A-Z]|" if first > "A" else ""
        column = f"(?:[A-Z]|{before}{first}[A-{second}])"
    digits = len(str(_last_plain_row(columns)))
    return re.compile(f"""<c(?! r="{column}[0-9]{{1,{digits}}}+"|ols?[ >])""".encode())


def _column_letters(number: int) -> str:
    more, letter = divmod(number - 1, 26)
    return (chr(ord("A") + more - 1) if more else "") + chr(ord("A") + letter)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
