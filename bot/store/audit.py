"""The audit trail in the database: append, read, verify. Nothing here changes or deletes an entry."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from datetime import datetime
from typing import Any

from sqlalchemy import Row, desc, func, insert, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audit import GENESIS, AuditEvent, AuditTag, chained, is_intact
from bot.store.tables import audit, cases, drifts, letters, requests, tickets

CHAIN_LOCK = 0x41756469  # any number, as long as it is always this one
SYSTEM = "backstop"
"""Who acted when nobody clicked."""


class AuditTrail:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def append(self, tag: AuditTag, subject: str, *, by: str = SYSTEM, **facts: object) -> AuditEvent:
        """Add one entry behind the last, in the caller's transaction."""
        if self._connection.dialect.name == "postgresql":
            # Two appends must not name the same predecessor; SQLite's one writer sees to it alone.
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})"))
        last = (
            await self._connection.execute(
                select(audit.c.seq, audit.c.hash).order_by(desc(audit.c.seq)).limit(1)
            )
        ).one_or_none()
        event = chained(
            seq=last.seq + 1 if last else 1,
            at=self._now(),
            tag=tag,
            subject=subject,
            by=by,
            facts=facts,
            previous=last.hash if last else GENESIS,
        )
        await self._connection.execute(
            insert(audit).values(
                seq=event.seq,
                at=event.at,
                tag=event.tag,
                subject=subject,
                by=by,
                facts=json.dumps(facts, ensure_ascii=False, sort_keys=True),
                previous=event.previous,
                hash=event.hash,
            )
        )
        return event

    async def of(self, subject: str) -> list[AuditEvent]:
        """Everything that happened to one subject, in order."""
        rows = await self._connection.execute(
            select(audit).where(audit.c.subject == subject).order_by(audit.c.seq)
        )
        return [_event(row) for row in rows.all()]

    async def of_all(self, subjects: Collection[str], *, limit: int) -> tuple[list[AuditEvent], int]:
        """What happened to any of these, the newest `limit` of it, in order; and how much there is in all."""
        theirs = audit.c.subject.in_(subjects)
        rows = await self._connection.execute(
            select(audit).where(theirs).order_by(desc(audit.c.seq)).limit(limit)
        )
        newest = [_event(row) for row in rows.all()]
        count = await self._connection.execute(select(func.count()).select_from(audit).where(theirs))
        return newest[::-1], count.scalar_one()

    async def about(self, subject: str, limit: int) -> list[AuditEvent]:
        """The newest of what happened to one subject, the newest first; of a customer, to all that was about it."""
        of_customer = (
            select(each.c.id).where(each.c.customer_id == subject)
            for each in (requests, tickets, letters, cases, drifts)
        )
        subjects = union_all(select(literal(subject)), *of_customer)
        rows = await self._connection.execute(
            select(audit).where(audit.c.subject.in_(subjects)).order_by(desc(audit.c.seq)).limit(limit)
        )
        return [_event(row) for row in rows.all()]

    async def since(self, moment: datetime | None = None) -> AsyncGenerator[AuditEvent, None]:
        """All entries from that moment on, in order, without holding them all in memory."""
        query = select(audit).order_by(audit.c.seq)
        if moment:
            query = query.where(audit.c.at >= moment)
        result = await self._connection.stream(query)
        try:  # its own context manager leaves it open when a reader stops early
            async for row in result:
                yield _event(row)
        finally:
            await result.close()

    async def first_broken(self) -> tuple[int, AuditEvent | None]:
        """How many entries there are, and the first that was changed, removed or put in; None when all hold."""
        previous, count = GENESIS, 0
        async with aclosing(self.since()) as events:
            async for event in events:
                count += 1
                if not is_intact(event, previous=previous, seq=count):
                    return count, event
                previous = event.hash
        return count, None


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        row.seq, row.at, row.tag, row.subject, row.by, json.loads(row.facts), row.previous, row.hash
    )
