"""Who reads an accounting system now, and how the last attempt at it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import readings


class Outcome(StrEnum):
    APPLIED = "applied"
    HELD = "held"
    """It would close so much that a person has to look first."""
    FAILED = "failed"
    """Nothing could be read."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How the last reading of a source ended; `facts` are small plain values for the words."""

    source: str
    as_of: date
    """The day it spoke for, or would have."""
    at: datetime
    outcome: Outcome
    facts: Mapping[str, Any] = field(default_factory=dict)


class Readings:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, source: str, *, holder: str, now: datetime, until: datetime) -> bool:
        """Be the only one who reads it until then; False while somebody else is."""
        free = or_(readings.c.lease_until.is_(None), readings.c.lease_until <= now)
        taken = await self._connection.execute(
            update(readings).where(readings.c.source == source, free).values(holder=holder, lease_until=until)
        )
        if taken.rowcount == 1:
            return True
        first = {"source": source, "holder": holder, "lease_until": until, "outcome": "", "facts": {}}
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(insert(readings).values(first))
        except IntegrityError:  # somebody reads it, or was as quick as we were
            return False
        return True

    async def holds(self, source: str, *, holder: str) -> bool:
        """Whether it is still ours to read. Until our transaction ends nobody else can begin."""
        mine = (readings.c.source == source) & (readings.c.holder == holder)
        kept = await self._connection.execute(update(readings).where(mine).values(holder=holder))
        return kept.rowcount == 1

    async def end(self, attempt: Attempt, *, holder: str) -> None:
        """Let go of it, and keep how it went; nothing happens where somebody else has taken it over."""
        await self._connection.execute(
            update(readings)
            .where(readings.c.source == attempt.source, readings.c.holder == holder)
            .values(
                holder="",
                lease_until=None,
                at=attempt.at,
                outcome=attempt.outcome.value,
                facts={**attempt.facts, "as_of": attempt.as_of.isoformat()},
            )
        )

    async def forget(self, source: str) -> None:
        """As if it had never been read."""
        await self._connection.execute(
            update(readings)
            .where(readings.c.source == source)
            .values(holder="", lease_until=None, at=None, outcome="", facts={})
        )

    async def attempts(self) -> dict[str, Attempt]:
        """The last that came to an end, by source."""
        query = select(readings).where(readings.c.outcome != "").order_by(readings.c.source)
        return {
            row.source: Attempt(
                source=row.source,
                as_of=date.fromisoformat(row.facts["as_of"]),
                at=row.at,
                outcome=Outcome(row.outcome),
                facts={name: value for name, value in row.facts.items() if name != "as_of"},
            )
            for row in (await self._connection.execute(query)).all()
        }

    async def troubles(self, *, on: date | None = None) -> list[Attempt]:
        """The last attempts that ended without the books being brought up to date, as far as that day knew of them."""
        return [
            attempt
            for attempt in (await self.attempts()).values()
            if attempt.outcome is not Outcome.APPLIED and (on is None or attempt.as_of <= on)
        ]
