"""Text tables: their encoding, their delimiter and their records, with the line an editor would show."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import Final

from bot.receivables.cells import AT_ONCE, Rows
from bot.receivables.detect import UTF16_MARKS
from bot.receivables.encodings import (
    MULTIBYTE,
    SINGLE_BYTE,
    is_encoded,
    is_same_text,
    is_utf8_by_accident,
    likeliest,
    share_of_utf8,
)
from bot.receivables.header import Found, find_header, no_header
from bot.receivables.notes import Code, FileRefused

_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
_DELIMITERS: Final = (",", ";", "\t", "|")
_SEP_LINE: Final = re.compile(r"\"?sep ?= ?([^\r\n\"])\"?\1*(?:\r\n?|\n)", re.IGNORECASE)
_LONGEST_SEP_LINE: Final = 300
"""A program may have filled it up with the delimiter itself."""
_HALF: Final = 0.5

csv.field_size_limit(
    1 << 25
)  # a cell may be as long as the file: its length is judged where its row is known


@dataclass(frozen=True, slots=True)
class Table:
    """A text table, its header found. It is decoded as it is read: all of it as text would be held twice."""

    data: bytes
    encoding: str
    delimiter: str
    found: Found
    skip_lines: int = 0
    encoding_assumed: bool = False

    def torn_rows(self) -> int:
        """Count rows shorter than the header: in a wrong encoding a letter takes the delimiter after it along."""
        header = self.found.header
        width = len(header.headings) if header else 0
        index = header.index if header else 0
        return sum(0 < len(cells) < width for rows in islice(self.rows(index), 1) for cells in rows.cells)

    def rows(self, skip: int) -> Iterator[Rows]:
        return _rows(self.data, self.encoding, self.delimiter, self.skip_lines, skip)


def _rows(
    data: bytes,
    encoding: str,
    delimiter: str,
    skip_lines: int = 0,
    skip_rows: int = 0,
    at_once: int = AT_ONCE,
) -> Iterator[Rows]:
    """Give the rows with the line each begins on. Raises `FileRefused` for a quotation mark out of place."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    for _ in range(skip_lines):
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begin = skip_lines + 1
    try:
        for _ in islice(reader, skip_rows):
            pass
        begin = skip_lines + reader.line_num + 1
        while cells := list(islice(reader, at_once)):
            end = skip_lines + reader.line_num + 1
            yield Rows(_first_lines(cells, begin, end), cells)  # type: ignore[arg-type]  # a list of str is not mutated
            begin = end
    except csv.Error as error:
        if at_once > 1:  # which of the rows it was is known when they come one by one
            for _ in _rows(data, encoding, delimiter, skip_lines, at_once=1):
                pass
        message = f"A quotation mark from line {begin} on is not closed as it should be; correct it."
        raise FileRefused(Code.UNSUPPORTED_FILE, message) from error


def _first_lines(rows: Sequence[list[str]], begin: int, end: int) -> Sequence[int]:
    """The lines the rows begin on, from the first to the end of the last; mostly each is a line."""
    if end - begin == len(rows):
        return range(begin, end)
    lengths = (1 + sum(len(_LINE_BREAK.findall(cell)) for cell in cells) for cells in rows)
    return list(accumulate(lengths, initial=begin))[:-1]


def read_table(data: bytes) -> Table:
    """Decode the whole file strictly and find its delimiter and header.

    A successful decode proves nothing (German cp1252 is also valid GB18030), and neither does a detector that
    has seen a part; the encoding whose header we know is the one. Raises `FileRefused` when none is.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        return _certain(data, "utf-8-sig")
    if data.startswith(UTF16_MARKS):
        return _certain(data, "utf-16")
    if not is_encoded(data, "utf-8"):
        return _likeliest(data)
    table = _certain(data, "utf-8")
    if not data.isascii() and is_utf8_by_accident(data):
        raise _in_no_encoding()
    return table


def _certain(data: bytes, encoding: str) -> Table:
    if not is_encoded(data, encoding):
        raise FileRefused(
            Code.UNSUPPORTED_FILE,
            "The file breaks off or is not in the encoding it declares; save it as UTF-8.",
        )
    table = _best_delimiter(data, encoding)
    if table.found.header is None:
        raise no_header(table.found.nearest)
    return table


def _likeliest(data: bytes) -> Table:
    torn = share_of_utf8(data)
    if torn >= _HALF:
        raise _in_no_encoding()
    tables: list[Table] = []
    refusal: FileRefused | None = None
    for encoding in (*MULTIBYTE, *SINGLE_BYTE):
        if is_encoded(data, encoding):
            try:
                tables.append(_best_delimiter(data, encoding))
            except FileRefused as error:
                refusal = refusal or error
    best = max((table.found.score for table in tables), default=0)
    likely = {table.encoding: table for table in tables if best and table.found.score == best}
    least_torn = min((table.torn_rows() for table in likely.values()), default=0)
    likely = {encoding: table for encoding, table in likely.items() if table.torn_rows() == least_torn}
    if not likely:
        if refusal:
            raise refusal
        nearest = max(
            (table.found.nearest for table in tables if table.found.nearest),
            key=lambda header: len(header.columns),
            default=None,
        )
        raise no_header(nearest)
    chosen = likeliest(data, list(likely))
    if chosen is None or (chosen in SINGLE_BYTE and torn):
        raise _in_no_encoding()
    return replace(likely[chosen], encoding_assumed=not is_same_text(data, list(likely)))


def _in_no_encoding() -> FileRefused:
    return FileRefused(
        Code.UNSUPPORTED_FILE, "The encoding of the file cannot be told for sure; save it as UTF-8."
    )


def _best_delimiter(data: bytes, encoding: str) -> Table:
    """Obey `sep=X` in the first line, else take the delimiter that gives a row the most known headings."""
    first_line = io.TextIOWrapper(io.BytesIO(data), encoding, newline="").readline(_LONGEST_SEP_LINE)
    if told := _SEP_LINE.fullmatch(first_line):
        return Table(data, encoding, told[1], find_header(_rows(data, encoding, told[1], 1)), 1)
    candidates: list[Table] = []
    refusal: FileRefused | None = None
    for delimiter in _DELIMITERS:
        try:
            found = find_header(_rows(data, encoding, delimiter))
            candidates.append(Table(data, encoding, delimiter, found))
        except FileRefused as error:
            refusal = refusal or error
    with_header = [table for table in candidates if table.found.header]
    if not with_header and refusal:
        raise refusal
    return max(
        with_header or candidates,
        key=lambda table: len(table.found.nearest.columns) if table.found.nearest else 0,
    )
