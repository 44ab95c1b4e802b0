"""The audit trail: what happened, who did it, and a hash chain that shows any later change."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class AuditTag(StrEnum):
    """Subject, then what happened."""

    REQUEST_PLACED = "request:placed"
    REQUEST_APPROVED = "request:approved"
    REQUEST_DENIED = "request:denied"
    REQUEST_WITHDRAWN = "request:withdrawn"
    REQUEST_CALLED_OFF = "request:called-off"
    REQUEST_CANCELLED = "request:cancelled"
    REQUEST_REOPENED = "request:reopened"
    REQUEST_RETRIED = "request:retried"
    REQUEST_EXPIRED = "request:expired"
    REQUEST_GLASS_BROKEN = "request:glass-broken"
    REQUEST_GLASS_REVIEWED = "request:glass-reviewed"
    REQUEST_POSTPONED = "request:postponed"
    REQUEST_STARTED = "request:started"
    REQUEST_TARGET_SETTLED = "request:target-settled"
    REQUEST_FINISHED = "request:finished"
    LIMIT_LIFT_ASKED = "limit:lift-asked"
    LIMIT_LIFTED = "limit:lifted"
    AUTHENTICATOR_OPENED = "authenticator:opened"
    AUTHENTICATOR_ENROLLED = "authenticator:enrolled"
    AUTHENTICATOR_REFUSED = "authenticator:refused"
    ACCESS_REFUSED = "access:refused"
    DIGEST_POSTED = "digest:posted"
    RECEIVABLES_RECEIVED = "receivables:received"
    RECEIVABLES_PREVIEWED = "receivables:previewed"
    RECEIVABLES_IMPORTED = "receivables:imported"
    POLICY_CHANGED = "policy:changed"
    RECEIVABLES_READ = "receivables:read"
    RECEIVABLES_HELD = "receivables:held"
    RECEIVABLES_RETIRED = "receivables:retired"
    RECEIVABLES_DISCARDED = "receivables:discarded"
    RECEIVABLES_EXPIRED = "receivables:expired"
    MIRROR_REFRESHED = "mirror:refreshed"
    DRIFT_SEEN = "drift:seen"
    DRIFT_ADOPTED = "drift:adopted"
    DRIFT_EXPLAINED = "drift:explained"
    DRIFT_OVER = "drift:over"
    MAPPING_CONFIRMED = "mapping:confirmed"
    MAPPING_REMOVED = "mapping:removed"
    CUSTOMER_SNOOZED = "customer:snoozed"
    CUSTOMER_WOKEN = "customer:woken"
    CUSTOMER_PROMISED = "customer:promised"
    CUSTOMER_OWNER_SET = "customer:owner-set"
    CASE_OPENED = "case:opened"
    CASE_GREW = "case:grew"
    CASE_JUDGED = "case:judged"
    CASE_STEP_DONE = "case:step-done"
    CASE_REPORTED = "case:reported"
    CASE_MUTED = "case:muted"
    CASE_UNMUTED = "case:unmuted"
    ALERT_RESOLVED = "alert:resolved"
    TICKET_OPENED = "ticket:opened"
    TICKET_APPROVED = "ticket:approved"
    TICKET_DENIED = "ticket:denied"
    TICKET_EXPIRED = "ticket:expired"
    TICKET_WITHDRAWN = "ticket:withdrawn"
    TICKET_HANDED_OVER = "ticket:handed-over"
    TICKET_NOT_HANDED_OVER = "ticket:not-handed-over"
    TICKET_HAND_OVER_UNKNOWN = "ticket:hand-over-unknown"
    TICKET_HAND_OVER_RETRIED = "ticket:hand-over-retried"
    TICKET_FILED = "ticket:filed"
    TICKET_ANSWERED = "ticket:answered"
    TICKET_UPDATED = "ticket:updated"
    TICKET_NOTED = "ticket:noted"
    TICKET_RESOLVED = "ticket:resolved"
    TICKET_CLOSED_AT_MICROSOFT = "ticket:closed-at-microsoft"
    TICKET_CLOSED = "ticket:closed"
    EVIDENCE_PACKED = "evidence:packed"
    LETTER_WRITTEN = "letter:written"
    LETTER_SENT = "letter:sent"
    LETTER_COPIED = "letter:copied"
    LETTER_FAILED = "letter:failed"
    LETTER_UNKNOWN = "letter:unknown"
    AUDIT_ANCHORED = "audit:anchored"
    AUDIT_PURGED = "audit:purged"


def change(before: StrEnum | None, after: StrEnum | None) -> dict[str, Any]:
    """The facts of an entry that say in which state its subject was, and in which it is from then on."""
    return {"before": before and before.value, "after": after and after.value}


GENESIS = "0" * 64
"""What the first entry names as its predecessor."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry. `by` is a Slack user id, or `backstop` for what nobody clicked."""

    seq: int
    at: datetime
    tag: AuditTag | str
    subject: str
    by: str
    facts: Mapping[str, object]
    previous: str
    hash: str


def chained(
    *,
    seq: int,
    at: datetime,
    tag: AuditTag | str,
    subject: str,
    by: str,
    facts: Mapping[str, object],
    previous: str,
) -> AuditEvent:
    """The entry with its hash: SHA-256 over the canonical JSON of everything else in it."""
    body = json.dumps(
        [seq, at.isoformat(), str(tag), subject, by, dict(facts), previous],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    digest = hashlib.sha256(body.encode()).hexdigest()
    return AuditEvent(seq, at, tag, subject, by, facts, previous, digest)


def is_intact(event: AuditEvent, *, previous: str, seq: int) -> bool:
    """Whether the entry says what it said when it was written, behind that very predecessor."""
    try:
        again = chained(
            seq=seq,
            at=event.at,
            tag=event.tag,
            subject=event.subject,
            by=event.by,
            facts=event.facts,
            previous=previous,
        )
    except (TypeError, ValueError):  # what no entry ever had in it
        return False
    return event.seq == seq and event.previous == previous and event.hash == again.hash


@dataclass(frozen=True, slots=True, order=True)
class Anchor:
    """One entry's number and hash, kept out of reach of whoever changes the database; they stand for all before it."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Of `SEQ:HASH`, as it is posted. Raises ValueError."""
        found = _ANCHOR.fullmatch(text.strip())
        if not found:
            raise ValueError("an anchor is the number of an entry, a colon, and its hash of 64 digits")
        return cls(int(found[1]), found[2].lower())

    @classmethod
    def told(cls, facts: Mapping[str, object]) -> Anchor | None:
        """Of the facts of an entry that tells of one; None where somebody made nonsense of them."""
        seq, digest = facts.get("seq"), facts.get("hash")
        return cls(seq, digest) if isinstance(seq, int) and isinstance(digest, str) else None


_ANCHOR = re.compile(r"([1-9][0-9]{0,17}):([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Aged:
    """Entries past retention: all from the first on that no younger one stands before."""

    count: int
    oldest: datetime
    newest: datetime
    last: Anchor


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of checking the chain. `count` entries were looked at, the broken one among them."""

    count: int
    head: Anchor | None
    """The last entry that holds; None where none does."""
    expected: int
    """The number that the broken entry should have, or the next one will have."""
    broken: AuditEvent | None = None
    held: int = 0
    """So many anchors say what the chain says."""
    lost: tuple[Anchor, ...] = ()
    """Anchors that the chain contradicts: their entry has another hash, or there is none."""
    gone: tuple[Anchor, ...] = ()
    """Anchors of entries that were purged: nobody can say any more whether they held."""
    purged: int = 0
    """The number of the last entry that was purged."""

    @property
    def ok(self) -> bool:
        """Whether the chain holds and every anchor could be checked."""
        return self.broken is None and not self.lost and not self.gone


class Chain:
    """Checks a chain entry by entry, and anchors beside it, in little memory."""

    def __init__(self, *, purged: Anchor | None = None, anchors: Iterable[Anchor] = ()) -> None:
        """`purged` is the last entry that was removed in good order: the chain begins behind it."""
        self._last = purged or Anchor(0, GENESIS)
        self._purged = self._last
        self._count = 0
        self._broken: AuditEvent | None = None
        self._held = 0
        self._lost: list[Anchor] = []
        self._waiting: dict[int, set[Anchor]] = {}
        self._gone: list[Anchor] = []
        for anchor in anchors:
            if anchor.seq > self._purged.seq:
                self._waiting.setdefault(anchor.seq, set()).add(anchor)
            elif anchor.seq < self._purged.seq:
                self._gone.append(anchor)
            else:
                self._judge(anchor)

    def add(self, event: AuditEvent) -> bool:
        """Look at the next entry; False once one is broken, and nothing behind it says anything any more."""
        self._count += 1
        if not is_intact(event, previous=self._last.hash, seq=self._last.seq + 1):
            self._broken = event
            return False
        self._last = Anchor(event.seq, event.hash)
        for anchor in self._waiting.pop(event.seq, ()):
            self._judge(anchor)
        return True

    def _judge(self, anchor: Anchor) -> None:
        """By the entry that was looked at last."""
        if anchor == self._last:
            self._held += 1
        else:
            self._lost.append(anchor)

    def verified(self) -> Verified:
        """What came of it. Behind a broken entry nothing was looked at, so anchors there are neither held nor lost."""
        missing = (a for anchors in self._waiting.values() for a in anchors) if self._broken is None else ()
        return Verified(
            self._count,
            self._last if self._last != self._purged else None,
            self._last.seq + 1,
            self._broken,
            self._held,
            tuple(sorted([*self._lost, *missing])),
            tuple(sorted(self._gone)),
            self._purged.seq,
        )
