"""Tokens that change with every use, each of them one process' at a time. What is kept here is sealed already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import refresh_tokens


@dataclass(frozen=True, slots=True)
class Sealed:
    """`origin` tells which token of the settings this one came from, without telling that token."""

    origin: str
    text: str


class RefreshTokens:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(
        self, name: str, *, holder: str, now: datetime, until: datetime, first: Sealed
    ) -> Sealed | None:
        """The token, ours alone until then; `first` is put there where none is. None while another has it."""
        free = or_(refresh_tokens.c.lease_until.is_(None), refresh_tokens.c.lease_until <= now)
        taken = await self._connection.execute(
            update(refresh_tokens)
            .where(refresh_tokens.c.name == name, free)
            .values(holder=holder, lease_until=until)
        )
        if taken.rowcount == 1:
            row = (
                await self._connection.execute(select(refresh_tokens).where(refresh_tokens.c.name == name))
            ).one()
            return Sealed(row.origin, row.sealed)
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(
                    insert(refresh_tokens).values(
                        name=name,
                        origin=first.origin,
                        sealed=first.text,
                        holder=holder,
                        lease_until=until,
                    )
                )
        except IntegrityError:  # another has it, or was as quick as we were
            return None
        return first

    async def keep(self, name: str, token: Sealed, *, holder: str) -> bool:
        """Put a new one in its place; False where the turn was over and another has it."""
        kept = await self._connection.execute(
            update(refresh_tokens)
            .where(refresh_tokens.c.name == name, refresh_tokens.c.holder == holder)
            .values(origin=token.origin, sealed=token.text)
        )
        return kept.rowcount == 1

    async def give_back(self, name: str, *, holder: str) -> None:
        await self._connection.execute(
            update(refresh_tokens)
            .where(refresh_tokens.c.name == name, refresh_tokens.c.holder == holder)
            .values(holder="", lease_until=None)
        )
