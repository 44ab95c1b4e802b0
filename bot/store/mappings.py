"""A person's word on whose a debtor in the books is: one customer for each debtor, until it is taken back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId
from bot.domain.directory import ConfirmedMapping
from bot.domain.people import PersonId
from bot.store.tables import mappings


class Mappings:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> list[ConfirmedMapping]:
        """The newest first."""
        query = select(mappings).order_by(mappings.c.confirmed_at.desc(), mappings.c.party_key)
        return [_mapping(row) for row in (await self._connection.execute(query)).all()]

    async def get(self, party_key: str) -> ConfirmedMapping | None:
        query = select(mappings).where(mappings.c.party_key == party_key)
        row = (await self._connection.execute(query)).one_or_none()
        return _mapping(row) if row else None

    async def add(self, mapping: ConfirmedMapping) -> bool:
        """Whether it was kept; of two at once the first is, and what stands already stays."""
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(
                    insert(mappings).values(
                        party_key=mapping.party_key,
                        customer_id=mapping.customer_id,
                        confirmed_by=mapping.confirmed_by,
                        confirmed_at=mapping.confirmed_at,
                        party_name=mapping.party_name,
                    )
                )
        except IntegrityError:
            return False
        return True

    async def remove(self, party_key: str) -> ConfirmedMapping | None:
        """What stood until now; of two at once only the first is given it."""
        query = delete(mappings).where(mappings.c.party_key == party_key).returning(mappings)
        row = (await self._connection.execute(query)).one_or_none()
        return _mapping(row) if row else None


def _mapping(row: Row[Any]) -> ConfirmedMapping:
    return ConfirmedMapping(
        party_key=row.party_key,
        customer_id=CustomerId(row.customer_id),
        confirmed_by=PersonId(row.confirmed_by),
        confirmed_at=row.confirmed_at,
        party_name=row.party_name,
    )
