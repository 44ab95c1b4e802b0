"""Collection in the database: each customer's present episode, what fired in it, promises and snoozes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.collection import History, Step
from bot.domain.people import PersonId
from bot.store.tables import episodes, pauses, steps


@dataclass(frozen=True, slots=True)
class Pause:
    """A promise to pay, or somebody's word to wait. `until` is its last day."""

    tenant: str
    kind: str
    """`promise` or `snooze`."""
    until: date
    by: PersonId
    at: datetime
    note: str


class Collections:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def histories(self, *, on: date) -> dict[str, History]:
        """The episodes that were open on that day, by tenant, with what had fired by then; of who has none open, when
        the last one ended."""
        ended = await self._connection.execute(
            select(episodes.c.tenant, func.max(episodes.c.ended))
            .where(episodes.c.ended <= on)
            .group_by(episodes.c.tenant)
        )
        before: dict[str, date] = {row[0]: row[1] for row in ended}
        rows = await self._connection.execute(
            select(episodes).where(
                episodes.c.began <= on, or_(episodes.c.ended.is_(None), episodes.c.ended > on)
            )
        )
        found = {row.tenant: row for row in rows}
        fired: dict[str, list[Step]] = {}
        for row in await self._connection.execute(select(steps).where(steps.c.on <= on).order_by(steps.c.on)):
            episode = found.get(row.tenant)
            if episode is not None and row.began == episode.began:
                fired.setdefault(row.tenant, []).append(Step(row.stage, row.on))
        over = {tenant: History(before=day) for tenant, day in before.items() if tenant not in found}
        return over | {
            tenant: History(
                began=row.began,
                before=before.get(tenant),
                steps=tuple(fired.get(tenant, ())),
                cleared=row.cleared,
                overdue={c: Decimal(a) for c, a in row.overdue.items()} if row.overdue is not None else None,
            )
            for tenant, row in found.items()
        }

    async def save(self, changed: Mapping[str, tuple[History, History]], *, on: date) -> None:
        """Write down how histories went on: by tenant, before and after."""
        for tenant, (before, after) in changed.items():
            if before.began and after.began != before.began:
                await self._connection.execute(
                    update(episodes)
                    .where(episodes.c.tenant == tenant, episodes.c.began == before.began)
                    .values(ended=on)
                )
            if after.began is None:
                continue
            facts: dict[str, Any] = {
                "ended": None,  # one that ended and began on the same day goes on
                "cleared": after.cleared,
                "overdue": {c: str(a) for c, a in (after.overdue or {}).items()},
            }
            same = (episodes.c.tenant == tenant) & (episodes.c.began == after.began)
            done = await self._connection.execute(update(episodes).where(same).values(facts))
            if done.rowcount == 0:
                await self._connection.execute(
                    insert(episodes).values(tenant=tenant, began=after.began, **facts)
                )
            for step in after.steps:
                if step not in before.steps:
                    await self._connection.execute(
                        insert(steps).values(tenant=tenant, began=after.began, stage=step.stage, on=step.on)
                    )

    async def pauses(self, *, on: date) -> dict[str, tuple[Pause, ...]]:
        """Promises and snoozes that hold on that day, by tenant."""
        rows = await self._connection.execute(
            select(pauses).where(pauses.c.until >= on).order_by(pauses.c.at)
        )
        found: dict[str, tuple[Pause, ...]] = {}
        for row in rows:
            pause = Pause(row.tenant, row.kind, row.until, PersonId(row.by), row.at, row.note)
            found[row.tenant] = (*found.get(row.tenant, ()), pause)
        return found

    async def promises_since(self, tenant: str, since: date) -> int:
        """How often they promised in an episode that began on that day."""
        rows = await self._connection.execute(
            select(pauses.c.at).where(
                pauses.c.tenant == tenant, pauses.c.kind == "promise", pauses.c.until >= since
            )
        )
        return len(rows.all())

    async def add(self, pause: Pause) -> None:
        await self._connection.execute(
            insert(pauses).values(
                tenant=pause.tenant,
                kind=pause.kind,
                until=pause.until,
                by=pause.by,
                at=pause.at,
                note=pause.note,
            )
        )

    async def wake(self, tenants: Iterable[str]) -> None:
        """End the snoozes of these; their promises stand."""
        names: Collection[str] = list(tenants)
        if names:
            await self._connection.execute(
                delete(pauses).where(pauses.c.tenant.in_(names), pauses.c.kind == "snooze")
            )
