"""The billing policies that were in force, one after the other: what restarts fall back on, and the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import policies


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """The text of a policy file as it was when it came into force."""

    seq: int
    version: str
    text: str
    since: datetime
    host: str
    """Where it was read first."""


class Policies:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def newest(self) -> KeptPolicy | None:
        """The one that came into force last, wherever that was."""
        query = select(policies).order_by(policies.c.seq.desc()).limit(1)
        row = (await self._connection.execute(query)).one_or_none()
        return _kept(row) if row else None

    async def all(self) -> list[KeptPolicy]:
        """From the first to the newest."""
        rows = await self._connection.execute(select(policies).order_by(policies.c.seq))
        return [_kept(row) for row in rows]

    async def add(self, policy: KeptPolicy) -> bool:
        """Whether it could be added: not when another process added one of that number meanwhile."""
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(
                    insert(policies).values(
                        seq=policy.seq,
                        version=policy.version,
                        text=policy.text,
                        since=policy.since,
                        host=policy.host,
                    )
                )
        except IntegrityError:
            return False
        return True


def _kept(row: Row[Any]) -> KeptPolicy:
    return KeptPolicy(row.seq, row.version, row.text, row.since, row.host)
