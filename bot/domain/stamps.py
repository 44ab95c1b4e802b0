"""Rubber stamps: approvals given faster than anybody reads, and pairs in which one always approves the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.people import PersonId
from bot.domain.request import ActionRequest, RequestId

HASTY: Final = timedelta(seconds=15)
"""Nobody has read a card in less."""
FEWEST: Final = 5
"""So many approvals of one person's requests make a habit."""
SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Hasty:
    """One approval, so long after the request was placed."""

    request: RequestId
    by: PersonId
    after: timedelta


@dataclass(frozen=True, slots=True)
class Pair:
    """Of all approvals of one person's requests, those by one other."""

    asked_by: PersonId
    approved_by: PersonId
    approvals: int
    of: int


@dataclass(frozen=True, slots=True)
class StampReport:
    since: datetime
    until: datetime
    approvals: int
    hasty: tuple[Hasty, ...]
    """The fastest first."""
    pairs: tuple[Pair, ...]
    """The most frequent first."""


def stamps(requests: Iterable[ActionRequest], *, since: datetime, until: datetime) -> StampReport:
    """What the requests say of the approvals from one moment up to the other."""
    given = [(r, d) for r in requests for d in r.approvals if since <= d.at < until]
    hasty = [Hasty(r.id, d.by, d.at - r.placed_at) for r, d in given if d.at - r.placed_at < HASTY]
    asked = Counter(r.requested_by for r, _ in given)
    pairs = Counter((r.requested_by, d.by) for r, d in given)
    habits = [
        Pair(asker, approver, n, asked[asker])
        for (asker, approver), n in pairs.items()
        if n >= FEWEST and n >= SHARE * asked[asker]
    ]
    return StampReport(
        since,
        until,
        len(given),
        tuple(sorted(hasty, key=lambda each: (each.after, each.request))),
        tuple(sorted(habits, key=lambda pair: (-pair.approvals, pair.asked_by))),
    )
