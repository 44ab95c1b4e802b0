"""Letters in the database. Every save is a conditional UPDATE: of two workers that claim a letter one wins."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId
from bot.domain.errors import Conflict, NotFound
from bot.domain.letter import Letter, LetterId, LetterKind, LetterStatus
from bot.domain.people import PersonId
from bot.store.tables import letters, posts


class Letters:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def add(self, letter: Letter) -> None:
        await self._connection.execute(insert(letters).values(_row(letter) | {"saved_at": self._now()}))

    async def get(self, letter_id: str, *, to_change: bool = True) -> Letter:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(letters).where(letters.c.id == letter_id)
        found = (
            await self._connection.execute(query.with_for_update() if to_change else query)
        ).one_or_none()
        if found is None:
            raise NotFound("letter", letter_id)
        return _letter(found)

    async def save(self, letter: Letter) -> None:
        """Write the next state. Raises Conflict when somebody saved since it was read."""
        changed = await self._connection.execute(
            update(letters)
            .where(letters.c.id == letter.id, letters.c.version == letter.version)
            .values(_row(letter) | {"version": letter.version + 1, "saved_at": self._now()})
        )
        if changed.rowcount != 1:
            raise Conflict("database", "changed-meanwhile")

    async def recorded(self, customers: Collection[CustomerId]) -> dict[CustomerId, tuple[Letter, ...]]:
        """What each of these was told, sent or copied, oldest first; nothing for whom was told nothing."""
        found = await self._many(
            select(letters)
            .where(
                letters.c.customer_id.in_(customers),
                letters.c.status.in_((LetterStatus.SENT, LetterStatus.COPIED)),
            )
            .order_by(letters.c.sent_at, letters.c.id)
        )
        told: dict[CustomerId, tuple[Letter, ...]] = {}
        for letter in found:
            told[letter.customer_id] = (*told.get(letter.customer_id, ()), letter)
        return told

    async def of(self, customer_id: CustomerId) -> list[Letter]:
        """All there ever were to a customer, whatever came of them, but for drafts; oldest first."""
        return await self._many(
            select(letters)
            .where(letters.c.customer_id == customer_id, letters.c.status != LetterStatus.DRAFT)
            .order_by(letters.c.written_at, letters.c.id)
        )

    async def warnings(self, *, on: date) -> dict[str, tuple[date, ...]]:
        """On which days, up to that one, a warning to them was recorded as sent; by tenant id in lower case.

        What failed, is under way or nobody knows of does not count.
        """
        found = await self._connection.execute(
            select(letters.c.customer_id, letters.c.recorded_on)
            .where(
                letters.c.kind.in_([kind for kind in LetterKind if kind.is_warning]),
                letters.c.status.in_((LetterStatus.SENT, LetterStatus.COPIED)),
                letters.c.recorded_on <= on,
            )
            .distinct()
        )
        warned: dict[str, set[date]] = {}
        for customer_id, day in found:
            warned.setdefault(str(customer_id).lower(), set()).add(day)
        return {tenant: tuple(sorted(days)) for tenant, days in warned.items()}

    async def begun_by(self, holder: str) -> list[Letter]:
        """What that worker began to send, and nobody knows what came of it."""
        return await self._under_way(letters.c.claimed_at.is_not(None), letters.c.holder == holder)

    async def abandoned(self, *, before: datetime) -> list[Letter]:
        """Begun before that moment, and still without a result."""
        return await self._under_way(letters.c.claimed_at < before)

    async def unclaimed(self, *, before: datetime) -> list[Letter]:
        """Asked for before that moment, and no worker has begun."""
        return await self._under_way(letters.c.claimed_at.is_(None), letters.c.asked_at < before)

    async def untold(self, *, since: datetime, until: datetime) -> list[Letter]:
        """Those that came to a result in that span, of which their writers have not heard."""
        told = exists().where(posts.c.key == "letter:" + letters.c.id + ":" + letters.c.status)
        results = (LetterStatus.SENT, LetterStatus.FAILED, LetterStatus.UNKNOWN)
        return await self._many(
            select(letters).where(
                letters.c.status.in_(results),
                letters.c.saved_at >= since,
                letters.c.saved_at <= until,
                ~told,
            )
        )

    async def forget_drafts(self, *, before: datetime) -> None:
        """Delete what was drafted before that moment and never confirmed."""
        await self._connection.execute(
            delete(letters).where(letters.c.status == LetterStatus.DRAFT, letters.c.written_at < before)
        )

    async def _under_way(self, *conditions: ColumnElement[bool]) -> list[Letter]:
        return await self._many(
            select(letters)
            .where(letters.c.status == LetterStatus.SENDING, *conditions)
            .order_by(letters.c.asked_at)
            .with_for_update()
        )

    async def _many(self, query: Any) -> list[Letter]:
        return [_letter(row) for row in (await self._connection.execute(query)).all()]


def _row(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "kind": letter.kind,
        "customer_id": letter.customer_id,
        "customer_name": letter.customer_name,
        "language": letter.language,
        "to": letter.to,
        "subject": letter.subject,
        "body": letter.body,
        "stage": letter.stage,
        "written_by": letter.written_by,
        "written_at": letter.written_at,
        "status": letter.status,
        "asked_at": letter.asked_at,
        "claimed_at": letter.claimed_at,
        "holder": letter.holder,
        "sent_at": letter.sent_at,
        "recorded_on": letter.recorded_on,
        "error": letter.error,
        "reason": letter.reason,
        "version": letter.version,
    }


def _letter(row: Row[Any]) -> Letter:
    r = row._mapping
    return Letter(
        id=LetterId(r["id"]),
        kind=LetterKind(r["kind"]),
        customer_id=CustomerId(r["customer_id"]),
        customer_name=r["customer_name"],
        language=r["language"],
        to=r["to"],
        subject=r["subject"],
        body=r["body"],
        stage=r["stage"],
        written_by=PersonId(r["written_by"]),
        written_at=r["written_at"],
        status=LetterStatus(r["status"]),
        asked_at=r["asked_at"],
        claimed_at=r["claimed_at"],
        holder=r["holder"],
        sent_at=r["sent_at"],
        recorded_on=r["recorded_on"],
        error=r["error"],
        reason=r["reason"],
        version=r["version"],
    )
