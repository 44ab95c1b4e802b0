"""What keeps the audit trail honest and no larger than it has to be: its anchors, and the end of its retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from bot.domain.audit import Aged, Anchor, AuditTag
from bot.store import Store

BATCH = 500
"""Entries removed in one transaction: on SQLite every ack waits for whoever writes."""
MOST_BATCHES = 40
"""In one night."""


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
        """Remove what is past retention, in small transactions, as many as that; how many entries went."""
        before, removed, days = self._now() - self.retention, 0, self.retention / timedelta(days=1)
        while batches is None or batches > 0:
            async with self._store.begin() as tx:
                went = await tx.audit.purge(before, most=BATCH, retention_days=days)
            removed += went
            if went < BATCH:
                break
            batches = None if batches is None else batches - 1
        return removed
