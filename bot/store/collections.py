"""Collection in the database: each customer's present episode, what fired in it, promises and snoozes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    Executable,
    Integer,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.collection import History, Step
from bot.domain.followup import PROMISE, SNOOZE
from bot.domain.followup import Pause as Pause
from bot.domain.people import PersonId
from bot.store.tables import episodes, pauses, steps

PAUSE_LOCK = 0x50617573  # any number, as long as it is always this one


class Collections:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def histories(self, *, on: date, only: str | None = None) -> dict[str, History]:
        """The episodes that were open on that day, by tenant, with what had fired by then; of who has none open, when
        the last one ended. With `only`, of that tenant."""
        ours, theirs = ([table.c.tenant == only] if only is not None else [] for table in (episodes, steps))
        ended = await self._connection.execute(
            select(episodes.c.tenant, func.max(episodes.c.ended))
            .where(episodes.c.ended <= on, *ours)
            .group_by(episodes.c.tenant)
        )
        before: dict[str, date] = {row[0]: row[1] for row in ended}
        rows = await self._connection.execute(
            select(episodes).where(
                episodes.c.began <= on, or_(episodes.c.ended.is_(None), episodes.c.ended > on), *ours
            )
        )
        found = {row.tenant: row for row in rows}
        fired: dict[str, list[Step]] = {}
        so_far = select(steps).where(steps.c.on <= on, *theirs).order_by(steps.c.on)
        for row in await self._connection.execute(so_far):
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
                paid_on=row.paid_on,
            )
            for tenant, row in found.items()
        }

    async def save(self, changed: Mapping[str, tuple[History, History]], *, on: date) -> None:
        """Write down how histories went on: by tenant, before and after. A few statements, however many there are."""
        over: list[dict[str, Any]] = []
        begun: list[dict[str, Any]] = []
        going: list[dict[str, Any]] = []
        fired: list[dict[str, Any]] = []
        for tenant, (before, after) in changed.items():
            if before.began and after.began != before.began:
                over.append({"t": tenant, "b": before.began, "ended": on})
            if after.began is None:
                continue
            facts = {
                "t": tenant,
                "b": after.began,
                "cleared": after.cleared,
                "overdue": {c: str(a) for c, a in (after.overdue or {}).items()},
                "paid_on": after.paid_on,
            }
            (going if after.began == before.began else begun).append(facts)
            fired += [
                {"t": tenant, "b": after.began, "s": step.stage, "o": step.on}
                for step in after.steps
                if step not in before.steps
            ]
        of_episode = (episodes.c.tenant == bindparam("t")) & (episodes.c.began == bindparam("b"))
        cleared, overdue = bindparam("cleared", type_=Integer), bindparam("overdue", type_=JSON)
        await self._many(update(episodes).where(of_episode).values(ended=bindparam("ended")), over)
        paid_on = bindparam("paid_on", type_=Date)
        going_on = update(episodes).where(of_episode)
        await self._many(going_on.values(cleared=cleared, overdue=overdue, paid_on=paid_on), going)
        # One that ended earlier the same day goes on in its place.
        await self._many(delete(episodes).where(of_episode), [{"t": e["t"], "b": e["b"]} for e in begun])
        await self._many(
            insert(episodes).values(
                tenant=bindparam("t"),
                began=bindparam("b"),
                ended=None,
                cleared=cleared,
                overdue=overdue,
                paid_on=paid_on,
            ),
            begun,
        )
        same_step = (
            (steps.c.tenant == bindparam("t"))
            & (steps.c.began == bindparam("b"))
            & (steps.c.stage == bindparam("s"))
            & (steps.c.on == bindparam("o"))
        )
        await self._many(delete(steps).where(same_step), fired)
        await self._many(
            insert(steps).values(
                tenant=bindparam("t"), began=bindparam("b"), stage=bindparam("s"), on=bindparam("o")
            ),
            fired,
        )

    async def _many(self, statement: Executable, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self._connection.execute(statement, rows)

    async def pauses(self, *, on: date, only: str | None = None) -> dict[str, tuple[Pause, ...]]:
        """Promises and snoozes that hold on that day, by tenant. With `only`, of that one."""
        query = select(pauses).where(pauses.c.until >= on).order_by(pauses.c.at)
        if only is not None:
            query = query.where(pauses.c.tenant == only)
        rows = await self._connection.execute(query)
        found: dict[str, tuple[Pause, ...]] = {}
        for row in rows:
            overdue = {c: Decimal(a) for c, a in row.overdue.items()} if row.overdue is not None else None
            pause = Pause(row.tenant, row.kind, row.until, PersonId(row.by), row.at, row.note, overdue)
            found[row.tenant] = (*found.get(row.tenant, ()), pause)
        return found

    async def promises_since(self, tenant: str, since: date) -> int:
        """How often they promised in an episode that began on that day."""
        rows = await self._connection.execute(
            select(pauses.c.at).where(
                pauses.c.tenant == tenant, pauses.c.kind == PROMISE, pauses.c.until >= since
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
                overdue=None if pause.overdue is None else {c: str(a) for c, a in pause.overdue.items()},
            )
        )

    async def hold(self, tenant: str) -> None:
        """Keep others that speak of this customer waiting until our transaction ends."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock, hashtext(:tenant))"),
                {"lock": PAUSE_LOCK, "tenant": tenant},
            )

    async def wake(self, tenants: Iterable[str]) -> None:
        """End the snoozes of these; their promises stand."""
        names: Collection[str] = list(tenants)
        if names:
            await self._connection.execute(
                delete(pauses).where(pauses.c.tenant.in_(names), pauses.c.kind == SNOOZE)
            )
