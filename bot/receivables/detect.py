"""What kind of file it is, judged by its content: the name proves nothing."""

from __future__ import annotations

import io
import zipfile
from enum import Enum
from typing import Final

from bot.receivables.notes import Code, FileRefused

LARGEST_FILE: Final = 20 * 1024 * 1024
LARGEST_UNPACKED: Final = 200 * 1024 * 1024
MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 200

_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
UNREADABLE: Final = (zipfile.BadZipFile, NotImplementedError, OSError, LookupError, ValueError)
"""What a damaged archive raises, here and there."""
_BEGINNING: Final = 65_536
_UTF32_MARK: Final = b"\xff\xfe\0\0"


class FileKind(Enum):
    """What we read."""

    TEXT = "text"
    WORKBOOK = "workbook"


def too_large(what: str) -> FileRefused:
    return FileRefused(Code.TOO_LARGE, f"The file has more than {what}; export a smaller part.")


def damaged() -> FileRefused:
    return FileRefused(
        Code.UNSUPPORTED_FILE, "The workbook is damaged or protected; open it in Excel and save it again."
    )


def detect_kind(data: bytes) -> FileKind:
    """Tell a text table from a workbook; refuse everything else with a word on what it seems to be."""
    if len(data) > LARGEST_FILE:
        raise too_large("20 MB")
    if not data or data.isspace():
        raise FileRefused(Code.UNSUPPORTED_FILE, "The file is empty; export it again.")
    if data.startswith(_OLE):
        raise FileRefused(
            Code.UNSUPPORTED_FILE,
            "This is an old or password-protected Excel file; save it as .xlsx without password.",
        )
    if data.startswith(b"PK"):
        _check_workbook(data)
        return FileKind.WORKBOOK
    if data.startswith(b"%PDF"):
        raise FileRefused(Code.UNSUPPORTED_FILE, "This is a PDF; export the list as CSV or XLSX.")
    if data.startswith(UTF16_MARKS) and not data.startswith(_UTF32_MARK):
        return FileKind.TEXT
    if data[:_BEGINNING].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise FileRefused(
            Code.UNSUPPORTED_FILE,
            "This is an HTML or XML table, whatever its name says; save it as CSV or XLSX.",
        )
    if b"\0" in data:
        raise FileRefused(Code.UNSUPPORTED_FILE, "This is not a text file; save it as CSV (UTF-8) or XLSX.")
    return FileKind.TEXT


def _check_workbook(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            is_workbook = "xl/workbook.xml" in archive.namelist()
    except UNREADABLE as error:
        raise damaged() from error
    if not is_workbook:
        raise FileRefused(
            Code.UNSUPPORTED_FILE, "This archive holds no Excel workbook; save the list as .xlsx."
        )
