"""What approvers make codes with, one a person; the secrets are sealed before they get here."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import PersonId
from bot.domain.step_up import Authenticator
from bot.store.tables import authenticators


class Authenticators:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, person: PersonId) -> Authenticator | None:
        """Keeps others waiting until our transaction ends."""
        query = select(authenticators).where(authenticators.c.person == person).with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        known = dict(row) | {"person": PersonId(row["person"]), "opened_by": PersonId(row["opened_by"])}
        return Authenticator(**known)

    async def save(self, authenticator: Authenticator) -> None:
        """In place of what the person had. Never as another row: who waits for this one would find it gone."""
        kept = {column.name: getattr(authenticator, column.name) for column in authenticators.columns}
        mine = authenticators.c.person == authenticator.person
        if not (await self._connection.execute(update(authenticators).where(mine).values(**kept))).rowcount:
            await self._connection.execute(insert(authenticators).values(**kept))
