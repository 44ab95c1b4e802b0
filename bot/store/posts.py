"""What we posted in Slack and where: claimed before it is sent, so that nothing is posted twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import posts


@dataclass(frozen=True, slots=True)
class Post:
    """`ts` is None until Slack has answered; a claim without `ts` may or may not have been posted."""

    key: str
    channel: str
    ts: str | None
    claimed_at: datetime
    drawn: int | None = None
    """The version of the request the post shows."""


class Posts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(
        self,
        key: str,
        *,
        channel: str,
        at: datetime,
        holder: str = "",
    ) -> bool:
        """Whether the caller is the one who may post it; only the first is.

        `holder` is a worker that may post it again after its own death (`give_back`).
        """
        if await self.find(key):
            return False
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(
                    insert(posts).values(
                        key=key,
                        state="claimed",
                        channel=channel,
                        claimed_at=at,
                        holder=holder,
                    )
                )
        except IntegrityError:
            return False
        return True

    async def reclaim(self, key: str, *, at: datetime, before: datetime, holder: str = "") -> bool:
        """Take over a claim that was made before that moment and never came to a post."""
        changed = await self._connection.execute(
            update(posts)
            .where(posts.c.key == key, posts.c.state == "claimed", posts.c.claimed_at < before)
            .values(claimed_at=at, holder=holder)
        )
        return bool(changed.rowcount == 1)

    async def sent(self, key: str, *, channel: str, ts: str) -> None:
        await self._connection.execute(
            update(posts).where(posts.c.key == key).values(state="sent", channel=channel, ts=ts)
        )

    async def drawn(self, key: str, *, version: int) -> None:
        """The post now shows that version of what it is about."""
        await self._connection.execute(_DRAWN, {"of": key, "drawn": version})

    async def release(self, key: str) -> None:
        """Give a claim back after Slack definitely refused the post."""
        await self._connection.execute(posts.delete().where(posts.c.key == key, posts.c.state == "claimed"))

    async def give_back(self, holder: str) -> None:
        """Give back what this worker claimed before it died; some of it may have been posted."""
        await self._connection.execute(
            posts.delete().where(posts.c.holder == holder, posts.c.state == "claimed")
        )

    async def find(self, key: str) -> Post | None:
        row = (await self._connection.execute(_FIND, {"of": key})).one_or_none()
        return _post(row) if row else None

    async def keys(self, prefix: str) -> list[str]:
        """The keys of what was posted that begin so."""
        query = select(posts.c.key).where(
            posts.c.key.startswith(prefix, autoescape=True), posts.c.state == "sent"
        )
        return list((await self._connection.execute(query)).scalars())

    async def latest(self, prefix: str) -> Post | None:
        """The newest post whose key begins so."""
        query = (
            select(posts)
            .where(posts.c.key.startswith(prefix, autoescape=True), posts.c.state == "sent")
            .order_by(posts.c.claimed_at.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return _post(row) if row else None


# Put together once: every card takes these.
_FIND = select(posts).where(posts.c.key == bindparam("of"))
_DRAWN = update(posts).where(posts.c.key == bindparam("of"))


def _post(row: Row[Any]) -> Post:
    return Post(row.key, row.channel, row.ts, row.claimed_at, row.drawn)
