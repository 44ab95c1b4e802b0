"""A receivables export that was shared in Slack: what it would do to the books, until somebody decides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NewType

from bot.domain.errors import PreviewSettled
from bot.domain.people import Person, PersonId, Right
from bot.domain.receivables import Held, ImportMode

PreviewId = NewType("PreviewId", str)

KEPT: Final = timedelta(hours=24)
"""So long a file waits at the most: it names customers and what they owe."""

DateOrder = Literal["DMY", "MDY"]
Voided = Literal["books", "rules"]
"""What changed between what was shown and *Apply*: the books it was compared with, or policy and time zone."""


class PreviewStatus(StrEnum):
    RECEIVED = "received"
    """Slack told of the file; it has yet to be fetched."""
    READING = "reading"
    """The file is here; a worker reads it, or will."""
    OPEN = "open"
    """It waits for a word."""
    APPLYING = "applying"
    """Somebody applied it; a worker writes, or will."""
    APPLIED = "applied"
    DISCARDED = "discarded"
    EXPIRED = "expired"
    REFUSED = "refused"
    """Nothing of it can be taken, whatever anybody says to it."""

    @property
    def is_over(self) -> bool:
        return self in _OVER


_OVER: Final = frozenset(
    {PreviewStatus.APPLIED, PreviewStatus.DISCARDED, PreviewStatus.EXPIRED, PreviewStatus.REFUSED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the file is to be read: what it may leave open, and only a person knows."""

    as_of: date
    """The day it speaks for."""
    mode: ImportMode = "snapshot"
    currency: str | None = None
    date_order: DateOrder | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """Rows of which the same is to be said."""

    code: str
    rows: int
    where: tuple[str, ...]
    """The first of them: `line 14`, `row 12`."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What the file says is owed in one currency."""

    currency: str
    open: Decimal
    overdue: Decimal
    credits: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the file says and would do to the books as they were; all that the card shows."""

    accepted: int
    skipped: int
    duplicates: int
    not_open: int
    rejected: int
    new: int
    changed: int
    unchanged: int
    closed: int
    kept: int
    """Absent, yet not closed: their customer has rows that could not be read."""
    owed: tuple[Owed, ...]
    """By currency, in alphabetical order; never added."""
    rejects: tuple[Noted, ...] = ()
    remarks: tuple[Noted, ...] = ()
    held: Held | None = None
    shrinks_by: int = 0
    """Per cent of the open items that would close only because the file is silent on them."""
    books: str
    """The state of the books it was compared with; any later import changes it."""
    rules: str
    """The operator's settings it was looked at under."""
    seen_before: datetime | None = None
    """When this very file was last applied for this very day."""

    @property
    def may_be_applied(self) -> bool:
        """What shrinks the books needs a person who has seen it; that is who applies it."""
        return self.held in (None, "shrinks")

    @property
    def changes_nothing(self) -> bool:
        return not (self.new or self.changed or self.closed)


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """Why nothing of the file was taken: a key, and what its reader says."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A file, bound by its hash, and what was found in it. Every save is a new version."""

    id: PreviewId
    channel: str
    file_id: str
    """Slack's."""
    shared_by: PersonId
    shared_at: datetime
    reading: Reading
    file: str = ""
    sha256: str = ""
    size: int = 0
    thread_ts: str | None = None
    """The message it was shared with, or the one that message answers."""
    status: PreviewStatus = PreviewStatus.RECEIVED
    finding: Finding | None = None
    refusal: FileRefusal | None = None
    voided: Voided | None = None
    """Why the last *Apply* did not count; this is what was found since."""
    by: PersonId | None = None
    """Who applied or discarded it."""
    at: datetime | None = None
    version: int = 0

    @classmethod
    def share(
        cls, id: PreviewId, *, file_id: str, channel: str, reading: Reading, by: Person, at: datetime
    ) -> Preview:
        """Begin with a file somebody shared. Raises NotPermitted."""
        by.must(Right.OPERATE)
        return cls(id=id, channel=channel, file_id=file_id, shared_by=by.id, shared_at=at, reading=reading)

    @property
    def expires_at(self) -> datetime:
        return self.shared_at + KEPT

    @property
    def needs_file(self) -> bool:
        """Whether its bytes are still to be kept."""
        return not self.status.is_over

    @property
    def asks(self) -> bool:
        """Whether it was refused only for want of something a person can say."""
        if self.refusal is None:
            return False
        unsaid = {
            "missing_currency": self.reading.currency is None,
            "ambiguous_date_order": self.reading.date_order is None,
        }
        return unsaid.get(self.refusal.code, False)

    @property
    def seal(self) -> str:
        """What *Apply* is bound to: the file, how it was read, and what it was compared with."""
        compared = (self.finding.books, self.finding.rules) if self.finding else ("", "")
        reading = self.reading
        bound = [
            self.id,
            self.sha256,
            reading.as_of.isoformat(),
            reading.mode,
            reading.currency,
            reading.date_order,
            *compared,
        ]
        return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:16]

    # What the workers tell

    def fetched(self, *, file: str, sha256: str, size: int, thread_ts: str | None) -> Preview:
        return replace(
            self, file=file, sha256=sha256, size=size, thread_ts=thread_ts, status=PreviewStatus.READING
        )

    def found(self, finding: Finding) -> Preview:
        return replace(self, status=PreviewStatus.OPEN, finding=finding, refusal=None)

    def refused(self, refusal: FileRefusal) -> Preview:
        """It stays open where a person can still say what is missing."""
        told = replace(self, finding=None, refusal=refusal)
        return replace(told, status=PreviewStatus.OPEN if told.asks else PreviewStatus.REFUSED)

    def stale(self, *, books: str, rules: str) -> Voided | None:
        """What has changed since it was compared with the books."""
        if self.finding is None or self.finding.books != books:
            return "books"
        return "rules" if self.finding.rules != rules else None

    def again(self, voided: Voided) -> Preview:
        """The same file is looked at anew, for what was shown does not hold any more."""
        return replace(self, status=PreviewStatus.READING, voided=voided, by=None, at=None)

    def applied(self, finding: Finding) -> Preview:
        return replace(self, status=PreviewStatus.APPLIED, finding=finding, voided=None)

    def expire(self) -> Preview:
        return replace(self, status=PreviewStatus.EXPIRED)

    # What people say

    def may_be_decided(
        self, *, by: Person, at: datetime, sha256: str | None = None, seal: str | None = None
    ) -> None:
        """Raise NotPermitted, or PreviewSettled where it is over or not what they have seen (`sha256`, `seal`)."""
        by.must(Right.OPERATE)
        if self.status is not PreviewStatus.OPEN:
            raise PreviewSettled(self.id, self.status.value, self.by)
        if at >= self.expires_at:
            raise PreviewSettled(self.id, PreviewStatus.EXPIRED.value)
        if sha256 is not None and sha256 != self.sha256:
            raise PreviewSettled(self.id, "other-file")
        if seal is not None and seal != self.seal:
            raise PreviewSettled(self.id, "changed")

    def apply(self, *, by: Person, at: datetime, sha256: str, seal: str) -> Preview:
        """Have it written: exactly what this person saw."""
        self.may_be_decided(by=by, at=at, sha256=sha256, seal=seal)
        if self.finding is None or not self.finding.may_be_applied:
            raise PreviewSettled(self.id, "held")
        return replace(self, status=PreviewStatus.APPLYING, by=by.id, at=at)

    def discard(self, *, by: Person, at: datetime) -> Preview:
        self.may_be_decided(by=by, at=at)
        return replace(self, status=PreviewStatus.DISCARDED, by=by.id, at=at)

    def read_as(self, reading: Reading, *, by: Person, at: datetime, seal: str) -> Preview:
        """Have it read in another way."""
        self.may_be_decided(by=by, at=at, seal=seal)
        return replace(self, reading=reading, status=PreviewStatus.READING, voided=None)
