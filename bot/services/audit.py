"""What keeps the audit trail honest and no larger than it has to be: its anchors, and the end of its retention."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from bot.domain.audit import Aged, Anchor, AuditTag
from bot.store import Store

BATCH = 500
"""Entries removed in one transaction: on SQLite every ack waits for whoever writes."""
MOST_BATCHES = 40
"""In one night."""
LONGEST_SILENCE = timedelta(days=35)
"""A trail in use is never silent for so long: every anchor is an entry, and they are posted monthly or more often.

A clock that is ahead by less is not found out; it removes entries by so much too early.
"""
PROBATION = timedelta(days=7)
"""For so long a clock that has leapt is not believed, so that somebody sees it; its own dates do not speak for it."""

log = logging.getLogger(__name__)


class Audit:
    def __init__(self, store: Store, *, retention: timedelta, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.retention = retention

    async def anchor(self, day: date) -> Anchor | None:
        """The anchor of that day: the chain's head when it was first asked for, and kept in the trail itself.

        None where there is nothing to anchor.
        """
        subject = f"anchor:{day.isoformat()}"
        async with self._store.begin() as tx:
            await tx.audit.hold()
            for event in await tx.audit.of(subject):
                return Anchor.told(event.facts)
            head = await tx.audit.head()
            if head:
                await tx.audit.append(AuditTag.AUDIT_ANCHORED, subject, seq=head.seq, hash=head.hash)
        return head

    async def aged(self) -> Aged | None:
        """What is past retention now."""
        async with self._store.read() as tx:
            return await tx.audit.aged(self._now() - self.retention)

    async def purge(self, *, batches: int | None = MOST_BATCHES) -> int:
        """Remove what is past retention, in small transactions, as many as that; how many entries went.

        None go where the trail does not bear out the clock: one that is years ahead would have everything removed.
        """
        now = self._now()
        before, removed, days = now - self.retention, 0, self.retention / timedelta(days=1)
        async with self._store.read() as tx:
            if await tx.audit.aged(before, most=1) is None:
                return 0
            if not await tx.audit.bears_out(now, probation=PROBATION, silence=LONGEST_SILENCE):
                log.warning(
                    "nothing is removed from the audit trail: no entry bears out that it is %s; "
                    "if the clock is right and Backstop runs, removing goes on within %s days",
                    now.isoformat(timespec="minutes"),
                    PROBATION.days,
                )
                return 0
        while batches is None or batches > 0:
            async with self._store.begin() as tx:
                went = await tx.audit.purge(before, most=BATCH, retention_days=days)
            removed += went
            if went < BATCH:
                break
            batches = None if batches is None else batches - 1
        return removed
