"""Who looks after a customer's debts: one person at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import PersonId
from bot.store.tables import owners


class Owners:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> dict[str, PersonId]:
        """By customer."""
        rows = await self._connection.execute(select(owners.c.customer_id, owners.c.person))
        return {row.customer_id: PersonId(row.person) for row in rows}

    async def of(self, customer_id: str) -> PersonId | None:
        query = select(owners.c.person).where(owners.c.customer_id == customer_id)
        person = (await self._connection.execute(query)).scalar_one_or_none()
        return PersonId(person) if person else None

    async def set(self, customer_id: str, person: PersonId | None, *, by: PersonId, at: datetime) -> None:
        """None: nobody any more. The caller holds the customer (`Collections.hold`)."""
        await self._connection.execute(delete(owners).where(owners.c.customer_id == customer_id))
        if person:
            await self._connection.execute(
                insert(owners).values(customer_id=customer_id, person=person, by=by, at=at)
            )
