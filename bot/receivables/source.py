"""A file of any kind we read, seen as one table: its header and the records below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.receivables.cells import Rows
from bot.receivables.delimited import read_table
from bot.receivables.detect import FileKind, detect_kind
from bot.receivables.header import Header, no_header
from bot.receivables.workbook import read_workbook


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows come from, and what only the file itself knows about them."""

    noun: Literal["line", "row"]
    """What a position counts."""
    header: Header
    _rows: Callable[[int], Iterator[Rows]]
    encoding: str | None = None
    """None for a workbook."""
    encoding_assumed: bool = False
    epoch_1904: bool = False
    may_have_long_cells: bool = True

    def rows(self) -> Iterator[Rows]:
        """What is below the header, from its beginning at every call."""
        return self._rows(self.header.index + 1)

    def at(self, position: int) -> str:
        return f"{self.noun} {position}"


def open_source(data: bytes) -> Source:
    """Find the table in a file. Raises `FileRefused` when there is none or more than one."""
    if detect_kind(data) is FileKind.WORKBOOK:
        sheet = read_workbook(data)
        header = sheet.found.header or _none()
        contents = sheet.contents
        return Source(
            "row",
            header,
            sheet.rows,
            epoch_1904=contents.epoch_1904,
            may_have_long_cells=contents.may_have_long_cells,
        )
    table = read_table(data)
    header = table.found.header or _none()
    return Source(
        "line",
        header,
        table.rows,
        encoding=table.encoding,
        encoding_assumed=table.encoding_assumed,
    )


def _none() -> Header:
    raise no_header(None)
