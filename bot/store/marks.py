"""When something last happened (a sync, for one), with a few facts about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import marks


class Marks:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def set(self, name: str, *, at: datetime, **facts: Any) -> None:
        await self._connection.execute(delete(marks).where(marks.c.name == name))
        await self._connection.execute(insert(marks).values(name=name, at=at, facts=facts))

    async def get(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        row = (await self._connection.execute(select(marks).where(marks.c.name == name))).one_or_none()
        return (row.at, row.facts) if row else None
