"""The audit trail in the database: append, read, verify, purge. Nothing here changes an entry."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Row,
    String,
    delete,
    desc,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import correlation
from bot.domain.audit import GENESIS, Aged, Anchor, AuditEvent, AuditTag, Chain, Verified, chained
from bot.store.tables import audit, cases, drifts, letters, requests, tickets

CHAIN_LOCK = 0x41756469  # any number, as long as it is always this one
SYSTEM = "backstop"
"""Who acted when nobody clicked."""
# Put together once: every step of a request takes these.
_APPEND = insert(audit)
_HEAD = select(audit.c.seq, audit.c.hash).order_by(desc(audit.c.seq)).limit(1)


class AuditTrail:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def append(self, tag: AuditTag, subject: str, *, by: str = SYSTEM, **facts: object) -> AuditEvent:
        """Add one entry behind the last, in the caller's transaction."""
        if id := correlation.current():
            facts.setdefault("correlation_id", id)
        await self.hold()
        last = await self.head()
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
            _APPEND,
            {
                "seq": event.seq,
                "at": event.at,
                "tag": event.tag,
                "subject": subject,
                "by": by,
                "facts": json.dumps(facts, ensure_ascii=False, sort_keys=True),
                "previous": event.previous,
                "hash": event.hash,
            },
        )
        return event

    async def hold(self) -> None:
        """Let nobody else append before the end of this transaction."""
        if self._connection.dialect.name == "postgresql":
            # Two appends must not name the same predecessor; SQLite's one writer sees to it alone.
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})"))

    async def head(self) -> Anchor | None:
        """The last entry; None where there is none."""
        row = (await self._connection.execute(_HEAD)).one_or_none()
        return Anchor(row.seq, row.hash) if row else None

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

    async def since(
        self, moment: datetime | None = None, *, after: int = 0
    ) -> AsyncGenerator[AuditEvent, None]:
        """All entries from that moment on and behind that number, in order, without holding them all in memory."""
        # SQLite keeps any text for a moment: one that is none must not end the reading.
        is_text = self._connection.dialect.name == "sqlite"
        at = type_coerce(audit.c.at, String).label("at") if is_text else audit.c.at
        columns: list[Any] = [column for column in audit.c if column is not audit.c.at]
        query = select(*columns, at).where(audit.c.seq > after).order_by(audit.c.seq)
        if moment:
            query = query.where(audit.c.at >= moment)
        result = await self._connection.stream(query)
        try:  # its own context manager leaves it open when a reader stops early
            async for row in result:
                yield _event(row)
        finally:
            await result.close()

    async def verify(self, anchors: Iterable[Anchor] = ()) -> Verified:
        """Check every entry, and beside them these anchors and those the trail itself tells of."""
        purged, told = await self._purged(), await self._anchors()
        # Those the trail itself tells of are judged as far as their entries are kept; of those given each one is.
        told = [anchor for anchor in told if not purged or anchor.seq >= purged.seq]
        chain = Chain(purged=purged, anchors={*anchors, *told})
        async with aclosing(self.since()) as events:
            async for event in events:
                if not chain.add(event):
                    break
        return chain.verified()

    async def aged(self, before: datetime, *, most: int | None = None) -> Aged | None:
        """The oldest entries, all from before that moment, or the first `most` of them; None where there are none."""
        young = select(audit.c.seq).where(audit.c.at >= before).order_by(audit.c.seq).limit(1)
        first_young = (await self._connection.execute(young)).scalar()
        old = select(audit.c.seq, audit.c.at).order_by(audit.c.seq).limit(most)
        if first_young is not None:
            old = old.where(audit.c.seq < first_young)
        found = old.subquery()
        count, newest, oldest, seq = (
            await self._connection.execute(
                select(func.count(), func.max(found.c.at), func.min(found.c.at), func.max(found.c.seq))
            )
        ).one()
        if not count:
            return None
        last = await self._connection.execute(select(audit.c.hash).where(audit.c.seq == seq))
        return Aged(count, oldest, newest, Anchor(seq, last.scalar_one()))

    async def bears_out(self, now: datetime, *, probation: timedelta, silence: timedelta) -> bool:
        """Whether the trail was going on by that clock before a probation began, and not longer ago than a silence.

        Told by the last entry further from now than a probation: behind a leap, forward or back, it is from the time
        before the leap until the new time has lasted that long, whatever was written meanwhile.
        """
        began = now - probation
        last = (
            select(audit.c.at.between(now - silence, began))
            .where(or_(audit.c.at <= began, audit.c.at >= now + probation))
            .order_by(desc(audit.c.seq))
            .limit(1)
        )
        return bool((await self._connection.execute(last)).scalar())

    async def purge(self, before: datetime, *, most: int, retention_days: float) -> int:
        """Remove up to `most` of the oldest entries, all from before that moment; how many.

        The entry that says so holds number and hash of the last one removed: the chain begins behind it.
        """
        await self.hold()
        aged = await self.aged(before, most=most)
        if aged is None:
            return 0
        await self.append(
            AuditTag.AUDIT_PURGED,
            "audit",
            seq=aged.last.seq,
            hash=aged.last.hash,
            removed=aged.count,
            oldest=aged.oldest.isoformat(),
            newest=aged.newest.isoformat(),
            retention_days=retention_days,
        )
        await self._connection.execute(delete(audit).where(audit.c.seq <= aged.last.seq))
        return aged.count

    async def _purged(self) -> Anchor | None:
        """The last entry that was removed in good order; None where the trail tells of none."""
        first = (await self._connection.execute(select(func.min(audit.c.seq)))).scalar()
        told = await self._connection.execute(
            select(audit.c.facts).where(audit.c.tag == AuditTag.AUDIT_PURGED).order_by(desc(audit.c.seq))
        )
        for purged in (Anchor.told(_facts(facts)) for facts in told.scalars()):
            if purged and first == purged.seq + 1:
                return purged
        return None

    async def _anchors(self) -> list[Anchor]:
        """Those that were posted."""
        told = await self._connection.execute(
            select(audit.c.facts).where(audit.c.tag == AuditTag.AUDIT_ANCHORED)
        )
        return [anchor for facts in told.scalars() if (anchor := Anchor.told(_facts(facts)))]


def _event(row: Row[*tuple[Any, ...]]) -> AuditEvent:
    return AuditEvent(
        row.seq, _moment(row.at), row.tag, row.subject, row.by, _facts(row.facts), row.previous, row.hash
    )


def _moment(kept: datetime | str) -> datetime:
    """What somebody made of it that is no moment is told as the first there is: no hash fits it."""
    if isinstance(kept, datetime):
        return kept
    try:
        return datetime.fromisoformat(kept).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return datetime.min.replace(tzinfo=UTC)


def _facts(written: str) -> Mapping[str, object]:
    """What somebody who changed them left unreadable is told as it is: no hash fits it."""
    try:
        facts = json.loads(written)
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {"unreadable": written}
