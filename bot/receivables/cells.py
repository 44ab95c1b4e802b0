"""Cells as the file has them, and their text made comparable."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

Cell = str | int | float | bool | date | datetime | time | timedelta
"""A text file has only `str`; a sheet has the others too."""

LONGEST_CELL: Final = 10_000


AT_ONCE: Final = 1024
"""How many rows are read together: enough to be quick, few enough to be small."""


class Rows(NamedTuple):
    """Some rows of a table: where an editor or a spreadsheet shows each, counted from 1, and its cells."""

    positions: Sequence[int]
    cells: Sequence[list[Cell]]


def clean(text: str) -> str:
    """Normalise (NFKC), drop control and bidi characters and halves of surrogate pairs, which nothing can keep, and
    put one space for any run of white space.
    """
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text
    return _cleaned(text)


@lru_cache(maxsize=65_536)
def _cleaned(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not text.isprintable():
        text = "".join(
            " " if char.isspace() else char
            for char in text
            if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf", "Cs"}
        )
    return " ".join(text.split())


def text_of(cell: Cell) -> str:
    """Show a cell as text; a whole number without the `.0` a sheet would give it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return str(cell)


def says_something(cell: Cell) -> bool:
    """Tell a value from an empty cell and from one with nothing but a ruled line."""
    return any(map(str.isalnum, cell)) if isinstance(cell, str) else True


def is_blank(cells: list[Cell]) -> bool:
    return not any(cell if not isinstance(cell, str) else cell.strip() for cell in cells)
