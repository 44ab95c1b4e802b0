"""What `backstop check` found, as lines to read: plain in a file, with words and colours on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TextIO

NARROWEST: Final = 60
"""Columns; on less every line is left to the terminal to break."""

_GREEN, _AMBER, _RED, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and what was found; `remedy` is empty where all is well."""

    name: str
    ok: bool
    message: str
    remedy: str = ""
    doubtful: bool = False
    """It holds as far as can be told, or holds with a reservation that the message names."""


def in_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether colour is wanted there (no-color.org), and would be seen."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def table(checks: Iterable[Check]) -> str:
    """One line a check, and under each that fails what to do."""
    rows = tuple(checks)
    width = max((len(row.name) for row in rows), default=0)
    lines = []
    for row in rows:
        lines.append(f"{'✓' if row.ok else '✗'} {row.name:<{width}}  {row.message}".rstrip())
        if row.remedy:
            lines.append(f"  {'':<{width}}  → {row.remedy}")
    return "\n".join(lines)


def on_terminal(checks: Iterable[Check], *, colour: bool, columns: int) -> str:
    """The same for somebody who sits before it: a word with each mark, folded to fit, and what is next at the end.

    What a colour says stands there in words as well.
    """
    rows = tuple(checks)
    width = max((len(row.name) for row in rows), default=0)
    lines = []
    for row in rows:
        code, verdict = _verdict(row)
        shown = f"{code}{verdict}{_PLAIN}" if colour else verdict
        indent = " " * (len(verdict) + width + 4)
        first, *more = _folded(row.message, indent, columns)
        lines += [f"{shown}  {row.name:<{width}}  {first}".rstrip(), *(indent + line for line in more)]
        if row.remedy:
            lines += (
                [f"{indent}→ {row.remedy}"] if columns < NARROWEST else _hanging(row.remedy, indent, columns)
            )
    return "\n".join([*lines, "", _what_next(rows)])


def as_json(checks: Iterable[Check]) -> dict[str, Any]:
    rows = tuple(checks)
    return {"ok": all(row.ok for row in rows), "checks": [asdict(row) for row in rows]}


def _verdict(row: Check) -> tuple[str, str]:
    if not row.ok:
        return _RED, "✗ fix "
    return (_AMBER, "! note") if row.doubtful else (_GREEN, "✓ ok  ")


def _folded(text: str, indent: str, columns: int) -> list[str]:
    """An address or a name of a setting is never broken: it is there to be copied."""
    if columns < NARROWEST:
        return [text]
    room = max(columns - len(indent), NARROWEST // 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _hanging(remedy: str, indent: str, columns: int) -> list[str]:
    first, *more = _folded(remedy, f"{indent}  ", columns)
    return [f"{indent}→ {first}", *(f"{indent}  {line}" for line in more)]


def _what_next(rows: tuple[Check, ...]) -> str:
    wrong, doubtful = sum(not row.ok for row in rows), sum(row.ok and row.doubtful for row in rows)
    if wrong:
        return (
            f"To fix: {wrong} of {len(rows)}. Do what stands behind each →, then run `backstop check` again."
        )
    if doubtful:
        return f"Nothing stands in the way of `backstop run`. Worth a look, marked with !: {doubtful} of {len(rows)}."
    return f"All {len(rows)} hold: `backstop run` can start."
