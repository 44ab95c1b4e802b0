"""Requests that somebody let act on their own word, and their reviews: one row a request."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.errors import NotFound
from bot.domain.glass import BrokenGlass, Finding, Review
from bot.domain.people import PersonId
from bot.store.tables import broken_glass


class Glasses:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, broken: BrokenGlass) -> None:
        await self._connection.execute(insert(broken_glass).values(_row(broken)))

    async def get(self, request_id: str, *, to_change: bool = True) -> BrokenGlass:
        """As `Requests.get`."""
        query = select(broken_glass).where(broken_glass.c.request_id == request_id)
        if to_change:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound("request", request_id)
        return _broken(row)

    async def save(self, broken: BrokenGlass) -> None:
        """Of one that was read to be changed."""
        mine = broken_glass.c.request_id == broken.request_id
        await self._connection.execute(update(broken_glass).where(mine).values(_row(broken)))

    async def unreviewed(self) -> list[BrokenGlass]:
        """Those that nobody has judged yet, oldest first."""
        query = (
            select(broken_glass)
            .where(broken_glass.c.reviewed_at.is_(None))
            .order_by(broken_glass.c.at, broken_glass.c.request_id)
        )
        return [_broken(row) for row in (await self._connection.execute(query)).all()]

    async def touched(self, *, since: datetime) -> list[BrokenGlass]:
        """Those that were broken or reviewed since that moment."""
        query = select(broken_glass).where(
            or_(broken_glass.c.at >= since, broken_glass.c.reviewed_at >= since)
        )
        return [_broken(row) for row in (await self._connection.execute(query)).all()]


def _row(broken: BrokenGlass) -> dict[str, object]:
    review = broken.reviewed
    return {
        "request_id": broken.request_id,
        "by": broken.by,
        "reason": broken.reason,
        "at": broken.at,
        "requested_by": broken.requested_by,
        "reviewed_by": review.by if review else None,
        "reviewed_at": review.at if review else None,
        "finding": review.finding.value if review else None,
        "note": review.note if review else None,
    }


def _broken(row: Row[Any]) -> BrokenGlass:
    review = None
    if row.reviewed_at is not None:
        review = Review(Finding(row.finding), row.note, PersonId(row.reviewed_by), row.reviewed_at)
    return BrokenGlass(
        row.request_id, PersonId(row.by), row.reason, row.at, PersonId(row.requested_by), review
    )
