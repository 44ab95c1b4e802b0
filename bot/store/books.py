"""The partner's open items by source, with their history: what was open on which day.

Each source is kept by itself: what one says opens and closes nothing of another's. Whoever asks without naming one
is told of all, and of how sure that is by the one of which least is known.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Row,
    Text,
    and_,
    cast,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.receivables import FILE, UNKNOWN_PARTY, OpenItem
from bot.store.readings import Outcome, Readings
from bot.store.tables import imports, open_items

MERGE: Final = "merge"
"""The mode of an import that told a part of what is open: whom it does not name, it says nothing of."""
RETIRED: Final = "retired"
"""The mode of an import with which a source ended: a person said that it is not read any more."""
AT_ONCE: Final = 1000
"""So many items are read or written between two moments at which others may go on: clicks wait for an answer."""
_ITEMS: Final = TypeAdapter(list[OpenItem])
CHANGE_LOCK: Final = 0x426F6F6B  # any number, as long as it is always this one


@dataclass(frozen=True, slots=True)
class Import:
    """One export, or one reading of a live source, that was applied. `as_of` is the day it speaks for."""

    file: str
    """Empty for a live source."""
    sha256: str
    mode: str
    as_of: date
    applied_at: datetime
    rejected: int
    """Rows that could not be read."""
    incomplete: frozenset[str] = frozenset()
    """The customer keys of those rows: what these owe is not known for sure."""
    source: str = FILE
    newest_at: datetime | None = None
    """Where more than one make up the books: when the last of them was applied."""

    @property
    def changed_at(self) -> datetime:
        """When the books were last brought up to date with anything."""
        return self.newest_at or self.applied_at

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read, and nothing waits for a person."""
        return not (self.rejected or self.incomplete)


class Part:
    """Some rows of the books as they are stored."""

    def __init__(self, rows: Sequence[Row[str, str, bool, bool]]) -> None:
        self._rows = rows

    def items(self) -> list[OpenItem]:
        return _items((source, facts) for source, facts, _, _ in self._rows)

    def of_both(self) -> Iterator[tuple[OpenItem, bool, bool]]:
        """Each item, whether it is open on the day, and whether it was on the other one."""
        for (_, _, is_open, was_open), item in zip(self._rows, self.items(), strict=True):
            yield item, is_open, was_open


def _open_on(day: date | None) -> ColumnElement[bool]:
    columns = open_items.c
    if day is None:
        return columns.valid_to.is_(None)
    return and_(columns.valid_from <= day, or_(columns.valid_to.is_(None), columns.valid_to > day))


class Books:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open_on(self, day: date | None = None, *, source: str | None = None) -> list[OpenItem]:
        """The items open on that day as the sources told; None for the latest state."""
        return [item async for part in self.parts_on(day, source=source) for item in part.items()]

    async def parts_on(
        self, day: date | None = None, *, or_on: date | None = None, source: str | None = None
    ) -> AsyncIterator[Part]:
        """The same in parts that are not unpacked yet; with `or_on` also what was open on that earlier day."""
        columns = open_items.c
        # As text: many at once are decoded much faster, and whoever takes a part may do so beside the event loop.
        is_open, was_open = _open_on(day), _open_on(or_on) if or_on else false()
        query = select(columns.source, cast(columns.item, Text), is_open, was_open).where(
            or_(is_open, was_open)
        )
        if source is not None:
            query = query.where(columns.source == source)
        rows = await self._connection.stream(query.order_by(columns.id))
        async for part in rows.partitions(AT_ONCE):
            yield Part(part)

    async def party_keys(self) -> list[str]:
        """The customer keys of whoever has something open in the latest state."""
        query = select(open_items.c.party_key).where(open_items.c.valid_to.is_(None)).distinct()
        return list((await self._connection.execute(query)).scalars())

    async def open_of(self, party_key: str) -> list[OpenItem]:
        """What one party has open in the latest state."""
        query = (
            select(open_items.c.source, cast(open_items.c.item, Text))
            .where(open_items.c.party_key == party_key, open_items.c.valid_to.is_(None))
            .order_by(open_items.c.id)
        )
        return _items((source, facts) for source, facts in await self._connection.execute(query))

    async def add(self, items: Iterable[OpenItem], *, on: date) -> None:
        """Open these from that day on."""
        rows = [
            {
                "source": item.source,
                "party_key": item.customer_key,
                "document_number": item.document_number,
                "instalment": item.instalment,
                "valid_from": on,
                "valid_to": None,
                "item": _facts(item),
            }
            for item in items
        ]
        for start in range(0, len(rows), AT_ONCE):
            await self._connection.execute(insert(open_items), rows[start : start + AT_ONCE])

    async def end(self, items: Iterable[OpenItem], *, on: date) -> None:
        """From that day on these are no longer as they were; what began that very day was never so."""
        keys = {(item.source, item.customer_key, item.document_number, item.instalment) for item in items}
        parties = sorted({party for _, party, _, _ in keys})
        for start in range(0, len(parties), AT_ONCE):
            await self._end_of(parties[start : start + AT_ONCE], keys, on)

    async def _end_of(
        self, parties: Sequence[str], keys: Container[tuple[str, str, str, int]], on: date
    ) -> None:
        # By id and many at once: a database that has not counted its rows lately finds each by its key so slowly that
        # fifty thousand take minutes.
        columns = open_items.c
        query = select(
            columns.id, columns.source, columns.party_key, columns.document_number, columns.instalment
        )
        found = await self._connection.execute(
            query.where(columns.party_key.in_(parties), columns.valid_to.is_(None))
        )
        ids = [id_ for id_, *key in found if tuple(key) in keys]
        for start in range(0, len(ids), AT_ONCE):
            some = columns.id.in_(ids[start : start + AT_ONCE])
            await self._connection.execute(delete(open_items).where(some, columns.valid_from >= on))
            await self._connection.execute(update(open_items).where(some).values(valid_to=on))

    async def lock(self) -> None:
        """Keep whoever else wants to change the books waiting until our transaction ends."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({CHANGE_LOCK})"))

    async def state(self) -> str:
        """What changes with every import of a file, and with nothing else."""
        newest = await self._connection.execute(
            select(func.max(imports.c.id)).where(imports.c.source == FILE)
        )
        return str(newest.scalar_one() or 0)

    async def version(self) -> tuple[datetime | None, int | None]:
        """What changes whenever the books do: with every import, every reading, and every source that is retired."""
        newest = await self._connection.execute(
            select(func.max(imports.c.applied_at), func.max(imports.c.id))
        )
        at, id = newest.one()
        return at, id

    async def applied(self, sha256: str, *, as_of: date) -> datetime | None:
        """When that very file was last applied for that very day."""
        query = select(func.max(imports.c.applied_at)).where(
            imports.c.sha256 == sha256, imports.c.as_of == as_of
        )
        at: datetime | None = (await self._connection.execute(query)).scalar_one()
        return at

    async def record(self, applied: Import) -> None:
        """Of a live source only the day's last reading is kept: there may be one an hour."""
        if applied.source != FILE:
            same_day = (imports.c.source == applied.source) & (imports.c.as_of == applied.as_of)
            await self._connection.execute(delete(imports).where(same_day))
        await self._connection.execute(
            insert(imports).values(
                source=applied.source,
                file=applied.file,
                sha256=applied.sha256,
                mode=applied.mode,
                as_of=applied.as_of,
                applied_at=applied.applied_at,
                rejected=applied.rejected,
                incomplete=sorted(applied.incomplete),
            )
        )

    async def last_import_of(self, source: str, *, on: date | None = None) -> Import | None:
        """The newest of that source that speaks for that day or one before it."""
        query = (
            select(imports)
            .where(imports.c.source == source)
            .order_by(imports.c.as_of.desc(), imports.c.id.desc())
            .limit(1)
        )
        if on is not None:
            query = query.where(imports.c.as_of <= on)
        row = (await self._connection.execute(query)).one_or_none()
        return _import(row) if row else None

    async def last_imports(self, *, on: date | None = None) -> list[Import]:
        """How sure each source is that is not retired, the oldest first.

        A part of what is open says nothing of the rest: with the parts that came after it, the last whole export is
        as old as it was, and what it could not read is still not known. Where there were only parts, the first counts.
        """
        sources = (await self._connection.execute(select(imports.c.source).distinct())).scalars().all()
        found = [last for source in sources if (last := await self._with_parts(source, on=on))]
        in_use = [last for last in found if last.mode != RETIRED]
        return sorted(in_use, key=lambda last: (last.as_of, last.applied_at, last.source))

    async def _with_parts(self, source: str, *, on: date | None) -> Import | None:
        last = await self.last_import_of(source, on=on)
        if last is None or last.mode != MERGE:
            return last
        query = select(imports).where(imports.c.source == source).order_by(imports.c.as_of, imports.c.id)
        if on is not None:
            query = query.where(imports.c.as_of <= on)
        since: list[Import] = []
        for row in (await self._connection.execute(query)).all():
            applied = _import(row)
            since = [*since, applied] if applied.mode == MERGE else [applied]
        if since[0].mode == RETIRED:  # read once more, in parts
            del since[0]
        return replace(
            since[0],
            rejected=sum(each.rejected for each in since),
            incomplete=frozenset().union(*(each.incomplete for each in since)),
            newest_at=last.applied_at if len(since) > 1 else None,
        )

    async def last_import(self, *, on: date | None = None) -> Import | None:
        """How sure the books are on that day (default: now): the oldest of the sources' newest imports, with the doubts
        of them all.

        A reading that is held, since it would close too much, makes everybody doubtful until a person has looked.
        """
        last = await self.last_imports(on=on)
        if not last:
            return None
        doubtful = {key for each in last for key in each.incomplete}
        troubles = await Readings(self._connection).troubles(on=on)
        if any(trouble.outcome is Outcome.HELD for trouble in troubles):
            doubtful.add(UNKNOWN_PARTY)
        newest = max(each.changed_at for each in last)
        return replace(
            last[0],
            rejected=sum(each.rejected for each in last),
            incomplete=frozenset(doubtful),
            newest_at=newest if newest != last[0].applied_at else None,
        )


def _import(row: Row[Any]) -> Import:
    return Import(
        source=row.source,
        file=row.file,
        sha256=row.sha256,
        mode=row.mode,
        as_of=row.as_of,
        applied_at=row.applied_at,
        rejected=row.rejected,
        incomplete=frozenset(row.incomplete),
    )


def _facts(item: OpenItem) -> dict[str, Any]:
    return {
        "customer": item.customer,
        "tenant": item.tenant,
        "customer_code": item.customer_code,
        "document_number": item.document_number,
        "instalment": item.instalment,
        "kind": item.kind.value,
        "issue_date": item.issue_date.isoformat() if item.issue_date else None,
        "due_date": item.due_date.isoformat(),
        "currency": item.currency,
        "total": str(item.total) if item.total is not None else None,
        "open_amount": str(item.open_amount),
        "disputed": item.disputed,
        "promise_to_pay": item.promise_to_pay.isoformat() if item.promise_to_pay else None,
        "dunning_blocked": item.dunning_blocked,
    }


def _items(rows: Iterable[tuple[str, str]]) -> list[OpenItem]:
    """What sources told, each with its facts as they are stored: all at once, for that takes half the time."""
    return _ITEMS.validate_json(f"[{','.join(_with_source(source) + facts[1:] for source, facts in rows)}]")


@lru_cache(maxsize=64)
def _with_source(source: str) -> str:
    """How the facts begin when their source stands among them."""
    return f'{{"source":{json.dumps(source)},'
