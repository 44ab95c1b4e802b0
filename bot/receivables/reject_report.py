"""The list of rows not taken, as a CSV file that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from itertools import zip_longest
from typing import Final

from bot.receivables.notes import RowNote

_STARTS_FORMULA: Final = ("=", "+", "-", "@")
_KEPT: Final = frozenset("\t\r\n")


def safe_cell(text: str) -> str:
    """Make imported text harmless in a CSV cell.

    A spreadsheet takes text for a formula when it begins with one of `= + - @`, full-width or not, or with
    a tab or carriage return (https://owasp.org/www-community/attacks/CSV_Injection). Control and bidi
    characters go, for they can make a row look like another.
    """
    printable = "".join(
        char for char in text if char in _KEPT or unicodedata.category(char) not in {"Cc", "Cf"}
    )
    start = unicodedata.normalize("NFKC", printable.lstrip()[:1])
    if printable.startswith(("\t", "\r")) or start.startswith(_STARTS_FORMULA):
        return f"'{printable}"
    return printable


def reject_report(rejected: Iterable[RowNote]) -> str:
    """Write where, which column, the code, what to do, and the row as it was read."""
    notes = list(rejected)
    widest = max((len(note.row) for note in notes), default=0)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(
        ["at", "column", "code", "message", *(f"cell {number}" for number in range(1, widest + 1))]
    )
    for note in notes:
        row = [text for text, _ in zip_longest(note.row, range(widest), fillvalue="")]
        writer.writerow(
            [safe_cell(str(text)) for text in (note.at, note.column, note.code, note.message, *row)]
        )
    return out.getvalue()
