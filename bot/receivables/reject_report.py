"""The list of rows not taken, as a CSV file that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from itertools import zip_longest
from typing import Final

from bot.receivables.notes import RowNote

_STARTS_FORMULA: Final = ("=", "+", "-", "@")
_KEPT: Final = frozenset("\t\r\n")
_BETWEEN: Final = re.compile(r'[\s;,"]+')
_SEPARATORS: Final = frozenset(";,\t\r\n\u2028\u2029")
_NUMBER: Final = re.compile(r'[+-][0-9 .]*(?=[;,\t\r\n"\]}]|\Z)')


def safe_cell(text: str) -> str:
    """Make imported text harmless in a CSV cell.

    A spreadsheet takes text for a formula when it begins with one of `= + - @`, full-width or not, or with
    a tab or carriage return (https://owasp.org/www-community/attacks/CSV_Injection). In many countries it splits
    at `;`, whatever we write, so within the text these signs are quoted as well behind `;`, a comma, a tab or a line
    end, with spaces and quotes between or not; there plain numbers stay as they are. Control and bidi characters go,
    for they can make a row look like another.
    """
    printable = "".join(
        char for char in text if char in _KEPT or unicodedata.category(char) not in {"Cc", "Cf"}
    )
    safe = _BETWEEN.sub(_quoting, printable)
    if printable.startswith(("\t", "\r")) or _starts_formula(printable.lstrip()[:1]):
        return f"'{safe}"
    return safe


def _quoting(between: re.Match[str]) -> str:
    text, end = between.string, between.end()
    is_separated = not _SEPARATORS.isdisjoint(between[0])
    if is_separated and _starts_formula(text[end : end + 1]) and not _NUMBER.match(text, end):
        return f"{between[0]}'"
    return between[0]


def _starts_formula(char: str) -> bool:
    return unicodedata.normalize("NFKC", char).startswith(_STARTS_FORMULA)


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
