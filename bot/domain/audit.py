"""The audit trail: what happened, who did it, and a hash chain that shows any later change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    REQUEST_POSTPONED = "request:postponed"
    REQUEST_STARTED = "request:started"
    REQUEST_TARGET_SETTLED = "request:target-settled"
    REQUEST_FINISHED = "request:finished"
    LIMIT_LIFT_ASKED = "limit:lift-asked"
    LIMIT_LIFTED = "limit:lifted"
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
    again = chained(
        seq=seq,
        at=event.at,
        tag=event.tag,
        subject=event.subject,
        by=event.by,
        facts=event.facts,
        previous=previous,
    )
    return event.seq == seq and event.previous == previous and event.hash == again.hash
