"""When something last happened (a sync, for one), with a few facts about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.single import Write
from bot.store.tables import marks

_ADDITION = insert(marks)


def addition(name: str, *, at: datetime) -> Write:
    """How a new mark is made; see `Store.claim`."""
    return Write(_ADDITION, {"name": name, "at": at, "facts": {}})


class Marks:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def set(self, name: str, *, at: datetime, **facts: Any) -> None:
        """Of several that set it at once one is kept."""
        if await self._change(name, at, facts):
            return
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(insert(marks).values(name=name, at=at, facts=facts))
        except IntegrityError:  # somebody set it between our look and our insert
            await self._change(name, at, facts)

    async def claim(self, name: str, *, at: datetime, **facts: Any) -> bool:
        """Set it unless it is set; of several that claim it at once one is told True."""
        if await self.get(name):
            return False
        try:
            async with self._connection.begin_nested():  # as in `set`
                await self._connection.execute(insert(marks).values(name=name, at=at, facts=facts))
        except IntegrityError:
            return False
        return True

    async def lease(self, name: str, *, holder: str, now: datetime, until: datetime) -> bool:
        """Be the only one who has it until then, or for longer; False while somebody else has."""
        found = await self.get(name)
        if found is None:
            return await self.claim(name, at=until, holder=holder)
        ends, facts = found
        if ends > now and facts.get("holder") != holder:
            return False
        taken = await self._connection.execute(
            update(marks)
            .where(marks.c.name == name, marks.c.at == ends)  # unless somebody was quicker
            .values(at=until, facts={"holder": holder})
        )
        return bool(taken.rowcount == 1)

    async def let_go(self, name: str, *, holder: str) -> None:
        """End a lease; nothing happens where somebody else has taken it over."""
        found = await self.get(name)
        if found and found[1].get("holder") == holder:
            await self._connection.execute(delete(marks).where(marks.c.name == name, marks.c.at == found[0]))

    async def forget(self, prefix: str, *, before: datetime) -> None:
        """Drop every mark whose name begins so and that is older."""
        begins = marks.c.name.startswith(prefix, autoescape=True)
        await self._connection.execute(delete(marks).where(begins, marks.c.at < before))

    async def _change(self, name: str, at: datetime, facts: dict[str, Any]) -> bool:
        changed = await self._connection.execute(
            update(marks).where(marks.c.name == name).values(at=at, facts=facts)
        )
        return bool(changed.rowcount == 1)

    async def get(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        row = (await self._connection.execute(select(marks).where(marks.c.name == name))).one_or_none()
        return (row.at, row.facts) if row else None

    async def beginning(self, prefix: str) -> dict[str, tuple[datetime, dict[str, Any]]]:
        """Every mark whose name begins so, by its name."""
        query = select(marks).where(marks.c.name.startswith(prefix, autoescape=True))
        return {row.name: (row.at, row.facts) for row in (await self._connection.execute(query)).all()}
