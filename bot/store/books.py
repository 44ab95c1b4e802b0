"""The partner's open items as imported, with their history: what was open on which day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.receivables import ItemKind, OpenItem
from bot.store.tables import imports, open_items

AT_ONCE: Final = 1000
"""So many items are read or written between two moments at which others may go on: clicks wait for an answer."""
CHANGE_LOCK: Final = 0x426F6F6B  # any number, as long as it is always this one


@dataclass(frozen=True, slots=True)
class Import:
    """One export that was applied. `as_of` is the day it speaks for."""

    file: str
    sha256: str
    mode: str
    as_of: date
    applied_at: datetime
    rejected: int
    """Rows that could not be read."""
    incomplete: frozenset[str] = frozenset()
    """The customer keys of those rows: what these owe is not known for sure."""


class Books:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open_on(self, day: date | None = None) -> list[OpenItem]:
        """The items open on that day as the imports told; None for the latest state."""
        query = select(open_items.c.item)
        if day is None:
            query = query.where(open_items.c.valid_to.is_(None))
        else:
            query = query.where(
                open_items.c.valid_from <= day,
                or_(open_items.c.valid_to.is_(None), open_items.c.valid_to > day),
            )
        found: list[OpenItem] = []
        rows = await self._connection.stream(query.order_by(open_items.c.id))
        async for part in rows.partitions(AT_ONCE):
            found += [_item(row.item) for row in part]
        return found

    async def party_keys(self) -> list[str]:
        """The customer keys of whoever has something open in the latest state."""
        query = select(open_items.c.party_key).where(open_items.c.valid_to.is_(None)).distinct()
        return list((await self._connection.execute(query)).scalars())

    async def open_of(self, party_key: str) -> list[OpenItem]:
        """What one party has open in the latest state."""
        query = (
            select(open_items.c.item)
            .where(open_items.c.party_key == party_key, open_items.c.valid_to.is_(None))
            .order_by(open_items.c.id)
        )
        return [_item(row.item) for row in (await self._connection.execute(query)).all()]

    async def add(self, items: Iterable[OpenItem], *, on: date) -> None:
        """Open these from that day on."""
        rows = [
            {
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
        keys = [
            {"k": item.customer_key, "n": item.document_number, "i": item.instalment, "d": on}
            for item in items
        ]
        same = (
            (open_items.c.party_key == bindparam("k"))
            & (open_items.c.document_number == bindparam("n"))
            & (open_items.c.instalment == bindparam("i"))
            & open_items.c.valid_to.is_(None)
        )
        begun_then = delete(open_items).where(same, open_items.c.valid_from >= bindparam("d"))
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            await self._connection.execute(begun_then, part)
            await self._connection.execute(
                update(open_items).where(same).values(valid_to=bindparam("d")), part
            )

    async def lock(self) -> None:
        """Keep whoever else wants to change the books waiting until our transaction ends."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({CHANGE_LOCK})"))

    async def state(self) -> str:
        """What changes with every import, and with nothing else."""
        newest = await self._connection.execute(select(func.max(imports.c.id)))
        return str(newest.scalar_one() or 0)

    async def applied(self, sha256: str, *, as_of: date) -> datetime | None:
        """When that very file was last applied for that very day."""
        query = select(func.max(imports.c.applied_at)).where(
            imports.c.sha256 == sha256, imports.c.as_of == as_of
        )
        at: datetime | None = (await self._connection.execute(query)).scalar_one()
        return at

    async def record(self, applied: Import) -> None:
        await self._connection.execute(
            insert(imports).values(
                file=applied.file,
                sha256=applied.sha256,
                mode=applied.mode,
                as_of=applied.as_of,
                applied_at=applied.applied_at,
                rejected=applied.rejected,
                incomplete=sorted(applied.incomplete),
            )
        )

    async def last_import(self, *, on: date | None = None) -> Import | None:
        """The newest import that speaks for that day or one before it."""
        query = select(imports).order_by(imports.c.as_of.desc(), imports.c.id.desc()).limit(1)
        if on is not None:
            query = query.where(imports.c.as_of <= on)
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Import(
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


def _item(facts: dict[str, Any]) -> OpenItem:
    return OpenItem(
        customer=facts["customer"],
        tenant=facts["tenant"],
        customer_code=facts["customer_code"],
        document_number=facts["document_number"],
        instalment=facts["instalment"],
        kind=ItemKind(facts["kind"]),
        issue_date=_day(facts["issue_date"]),
        due_date=date.fromisoformat(facts["due_date"]),
        currency=facts["currency"],
        total=Decimal(facts["total"]) if facts["total"] is not None else None,
        open_amount=Decimal(facts["open_amount"]),
        disputed=facts["disputed"],
        promise_to_pay=_day(facts["promise_to_pay"]),
        dunning_blocked=facts["dunning_blocked"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
