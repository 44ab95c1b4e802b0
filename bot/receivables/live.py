"""The port behind which accounting systems stand that can be read at any time; one file per system beside this.

A source reads and translates. It stores nothing, decides nothing, and never guesses: what it cannot read makes the
snapshot incomplete, and missing data neither suspends nor resumes anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from bot.domain.receivables import OpenItem
from bot.receivables.notes import RowNote


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is open in one accounting system, as it was read."""

    source_id: str
    as_of: date
    """The day it speaks for, in the partner's zone."""
    items: tuple[OpenItem, ...]
    complete: bool
    """False: something could not be read, so what is absent is not known to be paid."""
    incomplete_parties: frozenset[str] = frozenset()
    """`OpenItem.customer_key` of the parties of which something could not be read."""
    problems: tuple[RowNote, ...] = ()


class LiveSource(Protocol):
    """Read-only. Raises `bot.domain.errors.Upstream` (system `receivables`) when nothing can be read at all."""

    @property
    def source_id(self) -> str:
        """A short name for people and for the books, such as `tryton`."""
        ...

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot: ...

    async def check(self) -> None:
        """Raise Upstream unless the system answers and lets us read; for `backstop check`."""
        ...

    async def close(self) -> None: ...


class PaymentEvents(Protocol):
    """A source that tells of payments. An event changes nothing by itself: it only asks for a fresh read."""

    def verify_event(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the system itself sent this (its signature over the raw body); `headers` find keys in any case."""
        ...
