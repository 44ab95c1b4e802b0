"""Reading Partner Center's JSON as it really comes: keys in any case, fields missing, numbers as text.

Every oddity in here has been seen: learn.microsoft.com/partner-center/developer and the recordings of
microsoft/Partner-Center-PowerShell. Nothing in here fails on a value it does not know; it answers None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation


class Unreadable(ValueError):
    """What came is not what the call answers with."""


def decode(body: bytes) -> object:
    """The value of a JSON text, with or without a byte order mark; fractions as exact `Decimal`."""
    try:
        value: object = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def encode(value: object) -> bytes:
    """JSON text of what `decode` gave, number for number as it came."""
    return _json(value).encode("ascii")


def _json(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


class Fields:
    """An object whose fields are found in any case; anything that is not an object has no fields."""

    def __init__(self, raw: object) -> None:
        self._values: Mapping[str, object] = (
            {str(key).lower(): value for key, value in raw.items()} if isinstance(raw, Mapping) else {}
        )

    def __contains__(self, name: str) -> bool:
        return self._values.get(name.lower()) is not None

    def raw(self, name: str) -> object:
        return self._values.get(name.lower())

    def text(self, name: str) -> str | None:
        """The text of a field; numbers become text, blanks become None."""
        return text(self.raw(name))

    def word(self, name: str) -> str:
        """The text in lower case, for comparing; empty when missing."""
        return (self.text(name) or "").lower()

    def moment(self, name: str) -> datetime | None:
        return moment(self.raw(name))

    def number(self, name: str) -> Decimal | None:
        return number(self.raw(name))

    def truth(self, name: str) -> bool | None:
        return truth(self.raw(name))

    def inner(self, name: str) -> Fields:
        return Fields(self.raw(name))

    def each(self, name: str) -> list[object]:
        value = self.raw(name)
        return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Text that a database and a screen can take: no NUL, no half of a surrogate pair."""
    if (
        type(value) is str and value.isascii() and "\0" not in value
    ):  # most of it is, and nothing need be cleaned
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    clean = str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "").strip()
    return clean or None


def moment(value: object) -> datetime | None:
    """A moment in UTC. None for "never" (year 1), for "no end" (year 9999) and for what is no date.

    Without a zone it is UTC; fractions of a second have up to seven digits.
    """
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if read.year in (1, 9999):
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def number(value: object) -> Decimal | None:
    """An exact number, given as a number or as text; amounts of money may be negative (a credit)."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        read = Decimal(value)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def truth(value: object) -> bool | None:
    """True or false, given as such or as the words."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
