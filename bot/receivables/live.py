"""The port behind which accounting systems stand that can be read at any time; one file per system beside this.

A source reads and translates. It stores nothing, decides nothing, and never guesses: what it cannot read makes the
snapshot incomplete, and missing data neither suspends nor resumes anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, runtime_checkable

from bot.domain.receivables import OpenItem
from bot.receivables.notes import RowNote

SYSTEM: Final = "receivables"
"""What an `Upstream` error of every source names as its system."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is open in one accounting system, as it was read."""

    source_id: str
    as_of: date
    """The day it speaks for, in the partner's zone."""
    items: tuple[OpenItem, ...]
    incomplete_parties: frozenset[str] = frozenset()
    """`OpenItem.customer_key` of the parties of which something could not be read, or does not add up."""
    rejected: tuple[RowNote, ...] = ()
    """Why something was not taken."""
    warnings: tuple[RowNote, ...] = ()
    """Remarks on what was taken all the same."""

    @property
    def complete(self) -> bool:
        """Whether all was read, so that what is absent is known to be open no longer."""
        return not self.incomplete_parties


class LiveSource(Protocol):
    """Read-only. Raises `bot.domain.errors.Upstream` (system `receivables`) when nothing can be read at all."""

    @property
    def source_id(self) -> str:
        """A short name for people and for the books, such as `tryton`."""
        ...

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        """Read everything that is open, or raise: of a reading that breaks off nothing is left."""
        ...

    async def check(self) -> None:
        """Raise Upstream unless the system answers and lets us read; for `backstop check`."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class PaymentEvents(Protocol):
    """A source that tells of payments. An event changes nothing by itself: it only asks for a fresh read.

    It need not say whose payment it was: every source is read as a whole, for only then is what is absent known
    to be paid.
    """

    def greeting(self, query: Mapping[str, str]) -> str | None:
        """What to say back where the system only tries whether somebody listens; None for anything else."""
        ...

    def verify_event(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the system itself sent this (its signature over the raw body); `headers` find keys in any case."""
        ...
