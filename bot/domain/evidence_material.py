"""All that an evidence pack is made of, and the veil over a redacted one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from bot.domain.audit import AuditEvent
from bot.domain.case import Judged, Ticked
from bot.domain.letter import Letter
from bot.domain.receivables import OpenItem
from bot.domain.request import ActionRequest
from bot.domain.signal import Signal
from bot.domain.ticket import Ticket

LEFT_OUT: Final = "[left out]"
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/-]{0,79}")
"""An id, a number or a key; nothing that could be a sentence, and no mail address."""
_PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
_POINTER = re.compile(r"[a-z]{2,20}( [a-z]{2,20})? [A-Za-z0-9._:-]{1,80}")
"""Such as `order 123`; nothing with a path in it, for paths have names."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all that was said of it."""

    id: str
    opened_at: datetime
    findings: tuple[tuple[str, int], ...]
    """Rule and points of all that was ever found, as it was recorded."""
    signals: tuple[Signal, ...]
    """What of it the rules in force find today, with the facts it rests on; the oldest first."""
    said: tuple[Judged, ...] = ()
    ticked: tuple[Ticked, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """All there is to one matter, as it was read; everything in the order of time."""

    about: str
    customer_id: str = ""
    ticket: Ticket | None = None
    tickets: tuple[Ticket, ...] = ()
    """Those about the same customer, that one among them."""
    requests: tuple[ActionRequest, ...] = ()
    letters: tuple[Letter, ...] = ()
    items: tuple[OpenItem, ...] = ()
    books_as_of: date | None = None
    cases: tuple[CaseFile, ...] = ()
    trail: tuple[AuditEvent, ...] = ()
    cut: Mapping[str, int] = field(default_factory=dict)


class Veil:
    """What lies over a redacted pack; over a complete one it hides nothing."""

    def __init__(self, *, redacted: bool) -> None:
        self.redacted = redacted
        self._people: dict[str, str] = {}

    def person(self, id: str | None) -> str | None:
        """The same pseudonym for the same person in the whole pack; what nobody clicked stays Backstop's."""
        if not id or not self.redacted or id == "backstop":
            return id
        return self._people.setdefault(id, f"person-{len(self._people) + 1}")

    def words(self, text: str | None) -> str | None:
        return LEFT_OUT if text and self.redacted else text

    def code(self, text: str | None) -> str | None:
        """A key, a number or an id stays, whatever else it should turn out to be does not."""
        if not text or not self.redacted:
            return text
        if _PERSON.fullmatch(text):
            return self.person(text)
        return text if _CODE.fullmatch(text) else LEFT_OUT

    def pointer(self, text: str) -> str:
        return text if not self.redacted or _POINTER.fullmatch(text) else LEFT_OUT
