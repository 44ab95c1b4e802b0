"""Who lifted the daily limit, and for which day."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import PersonId
from bot.store.tables import limit_lifts

LIFT_LOCK = 0x4C696674  # any number, as long as it is always this one


class Limits:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lifted_by(self, day: date, *, to_change: bool = False) -> tuple[PersonId, ...]:
        """Who said so, in order; `to_change` keeps others waiting until our transaction ends."""
        if to_change and self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({LIFT_LOCK})"))
        query = select(limit_lifts.c.person).where(limit_lifts.c.day == day).order_by(limit_lifts.c.at)
        return tuple(PersonId(person) for person in (await self._connection.execute(query)).scalars())

    async def lift(self, day: date, *, by: PersonId, at: datetime) -> None:
        await self._connection.execute(insert(limit_lifts).values(day=day, person=by, at=at))
