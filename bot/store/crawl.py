"""The queue of the crawl: whose subscriptions have yet to be read, who reads them now, and how it last went."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId
from bot.store.tables import crawl, crawls, customers, subscriptions

GONE: Final = "gone"
"""Microsoft knows the customer no longer, or nothing of it."""
_ONE: Final = "mirror"
"""There is one crawl at a time."""
_INSERTS: Final[Mapping[str, Any]] = MappingProxyType(
    {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
)


class Why(IntEnum):
    """Why a customer is to be read; the smaller go first."""

    RISK = 0
    CHANGED = 1
    NEW = 2
    ALL = 3
    AGE = 4


class Kind(StrEnum):
    """What a crawl reads, besides the list of all customers."""

    ALL = "all"
    """Everybody."""
    CHANGES = "changes"
    """Whom the activity log names."""
    AGES = "ages"
    """Some who were read longest ago: nobody tells what has changed."""


@dataclass(frozen=True, slots=True)
class Run:
    """The crawl under way, in however many processes."""

    id: str
    kind: Kind
    begun_at: datetime
    listed_at: datetime | None
    """Set once the list of customers was read to its end."""
    trouble: str = ""
    """Why it last broke off; empty while it goes on."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait to be read, how many of them nobody reads now, and how many could not be read."""

    all: int
    free: int
    failed: int


class Crawl:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    # The queue

    async def want(self, ids: Collection[str], why: Why, *, at: datetime) -> None:
        """Have these read; who reads one of them at this moment does not count, it reads what was before."""
        if not ids:
            return
        insert = self._upsert(crawl)
        await self._connection.execute(
            insert.on_conflict_do_update(
                index_elements=["customer_id"],
                set_={name: insert.excluded[name] for name in ("why", "wanted_at", "holder", "lease_until")},
            ),
            _rows(ids, why, at),
        )

    async def want_listed(self, ids: Collection[str], *, run: Run, at: datetime) -> None:
        """Have these read, as far as they were not yet in this crawl, and do not wait for it."""
        if not ids:
            return
        await self.want_new(ids, at=at, why=Why.ALL)
        waits = crawl.c.why.is_not(None) & (crawl.c.wanted_at >= run.begun_at)
        due = (
            select(crawl.c.customer_id)
            .where(crawl.c.customer_id.in_(ids), crawl.c.read_in != run.id, ~waits)
            .order_by(crawl.c.customer_id)
            .with_for_update()
        )
        await self._connection.execute(
            update(crawl)
            .where(crawl.c.customer_id.in_(due))
            .values(why=Why.ALL, wanted_at=at, holder="", lease_until=None)
        )

    async def want_new(self, ids: Collection[str], *, at: datetime, why: Why = Why.NEW) -> None:
        """Have those read who never were, nor wait for it."""
        if ids:
            await self._connection.execute(
                self._upsert(crawl).on_conflict_do_nothing(index_elements=["customer_id"]),
                _rows(ids, why, at),
            )

    async def want_failed(self, *, at: datetime) -> None:
        """Try those again who could not be read."""
        failed = (
            select(crawl.c.customer_id)
            .where(crawl.c.failed != "", crawl.c.why.is_(None))
            .with_for_update(skip_locked=True)
        )
        await self._connection.execute(
            update(crawl).where(crawl.c.customer_id.in_(failed)).values(why=Why.AGE, wanted_at=at)
        )

    async def want_oldest(self, *, before: datetime, most: int, at: datetime) -> None:
        """Have so many read who were last read before that moment, the oldest first."""
        oldest = (
            select(crawl.c.customer_id)
            .where(crawl.c.why.is_(None), crawl.c.read_at < before)
            .order_by(crawl.c.read_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        await self._connection.execute(
            update(crawl).where(crawl.c.customer_id.in_(oldest)).values(why=Why.AGE, wanted_at=at)
        )

    async def claim(self, *, holder: str, now: datetime, until: datetime, most: int) -> list[CustomerId]:
        """Some to read until then; whom somebody else holds is left to them while their time lasts."""
        columns = crawl.c
        free = or_(columns.lease_until.is_(None), columns.lease_until <= now)
        first = (
            select(columns.customer_id)
            .where(columns.why.is_not(None), free)
            .order_by(columns.why, columns.wanted_at, columns.customer_id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        taken = await self._connection.execute(
            update(crawl)
            .where(columns.customer_id.in_(first), columns.why.is_not(None), free)
            .values(holder=holder, lease_until=until)
            .returning(columns.customer_id)
        )
        return [CustomerId(id) for id in taken.scalars()]

    async def lock_held(self, *, holder: str) -> None:
        """Before several statements change what one holds: all do so in one order, lest two wait for each other."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            held = select(crawl.c.customer_id).where(self._held(holder)).order_by(crawl.c.customer_id)
            await self._connection.execute(held.with_for_update())

    async def renew(self, *, holder: str, until: datetime) -> None:
        """Hold what one holds until then."""
        await self._connection.execute(update(crawl).where(self._held(holder)).values(lease_until=until))

    async def release(self, *, holder: str) -> None:
        """Leave to others what one holds."""
        await self.lock_held(holder=holder)
        await self._connection.execute(
            update(crawl).where(self._held(holder)).values(holder="", lease_until=None)
        )
        await self._connection.execute(
            update(crawls).where(crawls.c.holder == holder).values(holder="", lease_until=None)
        )

    async def holders(self) -> set[str]:
        """Everybody who holds some customers, or the list of them; the dead too."""
        held = select(crawl.c.holder).where(crawl.c.why.is_not(None), crawl.c.holder != "").distinct()
        lists = select(crawls.c.holder).where(crawls.c.holder != "")
        return {
            holder for query in (held, lists) for holder in (await self._connection.execute(query)).scalars()
        }

    async def read(self, ids: Collection[str], *, holder: str, at: datetime, run_id: str) -> None:
        """These were read, at that moment; whoever is wanted again meanwhile goes on waiting."""
        if ids:
            await self._connection.execute(
                update(crawl)
                .where(crawl.c.customer_id.in_(ids), crawl.c.holder == holder)
                .values({**_OVER, "read_at": at, "read_in": run_id, "failed": ""})
            )

    async def failed(self, id: str, why: str, *, holder: str, run_id: str) -> None:
        """This one could not be read, and is not tried again in this crawl."""
        await self._connection.execute(
            update(crawl)
            .where(crawl.c.customer_id == id, crawl.c.holder == holder)
            .values({**_OVER, "read_in": run_id, "failed": why[:64]})
        )

    async def waiting(self, *, now: datetime) -> Waiting:
        columns = crawl.c
        wanted = columns.why.is_not(None)
        free = or_(columns.lease_until.is_(None), columns.lease_until <= now)
        failed = columns.failed.not_in(("", GONE))
        counts = [
            (
                await self._connection.execute(select(func.count()).select_from(crawl).where(*which))
            ).scalar_one()
            for which in ([wanted], [wanted, free], [failed])
        ]
        return Waiting(*map(int, counts))

    async def oldest(self) -> datetime | None:
        """When the one was read who was read longest ago; None where somebody never was.

        Who could not be read is counted as that, and not here.
        """
        could = crawl.c.failed == ""
        never = select(crawl.c.customer_id).where(crawl.c.read_at.is_(None), could).limit(1)
        if (await self._connection.execute(never)).one_or_none():
            return None
        first = select(crawl.c.read_at).where(could).order_by(crawl.c.read_at).limit(1)
        return (await self._connection.execute(first)).scalar_one_or_none()

    async def forget_older(self, than: datetime, *, most: int) -> int:
        """Drop so many customers whom a list read to its end no longer showed, and what they have; how many it were."""
        older = select(customers.c.id).where(customers.c.as_of < than).order_by(customers.c.id).limit(most)
        gone = list((await self._connection.execute(older.with_for_update())).scalars())
        if gone:
            await self._connection.execute(delete(subscriptions).where(subscriptions.c.customer_id.in_(gone)))
            await self._connection.execute(delete(crawl).where(crawl.c.customer_id.in_(gone)))
            await self._connection.execute(delete(customers).where(customers.c.id.in_(gone)))
        return len(gone)

    async def forget_gone(self) -> int:
        """Drop, after the list was read to its end, whoever is gone, and what is not ours any more."""
        gone = select(crawl.c.customer_id).where(crawl.c.failed == GONE, crawl.c.why.is_(None))
        await self._connection.execute(delete(subscriptions).where(subscriptions.c.customer_id.in_(gone)))
        dropped = await self._connection.execute(delete(customers).where(customers.c.id.in_(gone)))
        others = select(customers.c.id).where(func.lower(customers.c.relationship) != "reseller")
        await self._connection.execute(delete(subscriptions).where(subscriptions.c.customer_id.in_(others)))
        known = select(customers.c.id).where(
            or_(customers.c.relationship.is_(None), func.lower(customers.c.relationship) == "reseller")
        )
        await self._connection.execute(delete(crawl).where(crawl.c.customer_id.not_in(known)))
        return int(dropped.rowcount)

    # The crawl

    async def run(self) -> Run | None:
        row = (await self._connection.execute(select(crawls))).one_or_none()
        return _run(row) if row else None

    async def begin(self, run: Run, *, instead_of: Run | None = None) -> Run:
        """Make it the crawl under way; where there is another one than should be replaced, that one."""
        if instead_of:
            await self._connection.execute(delete(crawls).where(crawls.c.id == instead_of.id))
        new = {
            "name": _ONE,
            "id": run.id,
            "kind": run.kind,
            "begun_at": run.begun_at,
            "listed_at": None,
            "holder": "",
            "lease_until": None,
            "trouble": "",
        }
        await self._connection.execute(
            self._upsert(crawls).values(new).on_conflict_do_nothing(index_elements=["name"])
        )
        return _run((await self._connection.execute(select(crawls))).one())

    async def may_list(self, run: Run, *, holder: str, now: datetime, until: datetime) -> bool:
        """Be the only one who reads the list of customers, until then; also to go on being it."""
        free = or_(crawls.c.lease_until.is_(None), crawls.c.lease_until <= now, crawls.c.holder == holder)
        taken = await self._connection.execute(
            update(crawls)
            .where(crawls.c.id == run.id, crawls.c.listed_at.is_(None), free)
            .values(holder=holder, lease_until=until)
        )
        return bool(taken.rowcount == 1)

    async def listed(self, run: Run, *, at: datetime) -> None:
        await self._connection.execute(
            update(crawls).where(crawls.c.id == run.id).values(listed_at=at, holder="", lease_until=None)
        )

    async def goes_on(self, run: Run) -> None:
        """Somebody takes it up again."""
        await self._connection.execute(
            update(crawls).where(crawls.c.id == run.id, crawls.c.trouble != "").values(trouble="")
        )

    async def broke_off(self, run: Run, why: str, *, holder: str) -> None:
        """Say so, and leave it to whoever comes next."""
        await self._connection.execute(update(crawls).where(crawls.c.id == run.id).values(trouble=why[:64]))
        await self._connection.execute(
            update(crawls)
            .where(crawls.c.id == run.id, crawls.c.holder == holder)
            .values(holder="", lease_until=None)
        )

    async def end(self, run: Run) -> bool:
        """Of all who took part, one is told True."""
        ended = await self._connection.execute(delete(crawls).where(crawls.c.id == run.id))
        if ended.rowcount == 1 and self._connection.dialect.name == "postgresql":
            # Until its own daemon comes round, Postgres takes tables just filled for empty: finding takes seconds.
            await self._connection.execute(text("ANALYZE customers, subscriptions"))
        return bool(ended.rowcount == 1)

    def _held(self, holder: str) -> Any:
        return crawl.c.why.is_not(None) & (crawl.c.holder == holder)

    def _upsert(self, table: Any) -> Any:
        return _INSERTS[self._connection.dialect.name](table)


_OVER: Final[Mapping[str, Any]] = MappingProxyType(
    {"why": None, "wanted_at": None, "holder": "", "lease_until": None}
)


def _rows(ids: Iterable[str], why: Why, at: datetime) -> list[dict[str, Any]]:
    row = {"read_at": None, "read_in": "", "failed": "", "holder": "", "lease_until": None}
    return [row | {"customer_id": id, "why": why, "wanted_at": at} for id in sorted(ids)]


def _run(row: Row[Any]) -> Run:
    return Run(row.id, Kind(row.kind), row.begun_at, row.listed_at, row.trouble)
