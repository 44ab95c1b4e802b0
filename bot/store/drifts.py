"""Drifts in the database, how each is told in Slack, and what of our own doings a drift is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.action import Reason, Verb
from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.drift import Drift, DriftId, DriftStatus
from bot.domain.errors import Conflict, NotFound
from bot.domain.people import PersonId
from bot.domain.request import Result
from bot.store.tables import drifts, posts, requests, targets

TELL_LOCK: Final = 0x54656C6C  # any number, as long as it is always this one
SILENT: Final = "silent"
"""It has no post of its own."""
DUE: Final = "due"
"""It has yet to be told of."""
CARD: Final = "card"
"""It has a card, posted under `drift:{id}`."""
LINE: Final = "line:"
"""It is told of together with others, in one line, posted under `drifts:{told}`."""


class Drifts:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def add(self, drift: Drift, *, told: str) -> None:
        row = _row(drift) | {"told": told, "asked": False, "saved_at": self._now()}
        await self._connection.execute(insert(drifts).values(row))

    async def get(self, drift_id: str, *, to_change: bool = True) -> Drift:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(drifts).where(drifts.c.id == drift_id)
        found = (
            await self._connection.execute(query.with_for_update() if to_change else query)
        ).one_or_none()
        if found is None:
            raise NotFound("drift", drift_id)
        return _drift(found)

    async def save(self, drift: Drift) -> None:
        """Write the next state. Raises Conflict when somebody saved since it was read."""
        changed = await self._connection.execute(
            update(drifts)
            .where(drifts.c.id == drift.id, drifts.c.version == drift.version)
            .values(_row(drift) | {"version": drift.version + 1, "saved_at": self._now()})
        )
        if changed.rowcount != 1:
            raise Conflict("database", "changed-meanwhile")

    async def standing(self, subscriptions: Collection[SubscriptionId]) -> dict[SubscriptionId, Drift]:
        """For each of these the newest that is not over."""
        found = await self._many(
            select(drifts)
            .where(drifts.c.subscription_id.in_(subscriptions), drifts.c.status != DriftStatus.OVER)
            .order_by(drifts.c.seen_at, drifts.c.id)
        )
        return {drift.subscription_id: drift for drift in found}

    # How they are told

    async def due(self, only: Collection[str] | None = None) -> list[Drift]:
        """Open ones that have yet to be told of. Who asks next waits until our transaction ends."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({TELL_LOCK})"))
        query = select(drifts).where(drifts.c.told == DUE, drifts.c.status == DriftStatus.OPEN)
        if only is not None:
            query = query.where(drifts.c.id.in_(only))
        return await self._many(query.order_by(drifts.c.seen_at, drifts.c.customer_name, drifts.c.id))

    async def are_due(self) -> bool:
        """Whether any has yet to be told of."""
        query = select(exists().where(drifts.c.told == DUE, drifts.c.status == DriftStatus.OPEN))
        return bool((await self._connection.execute(query)).scalar_one())

    async def cards(self, *, since: datetime) -> int:
        """How many that were seen since then have a card."""
        query = (
            select(func.count()).select_from(drifts).where(drifts.c.told == CARD, drifts.c.seen_at >= since)
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def is_told(self, found: Collection[Drift], told: str) -> None:
        """From now on these are told of in that way."""
        await self._connection.execute(
            update(drifts)
            .where(drifts.c.id.in_([drift.id for drift in found]))
            .values(told=told, saved_at=self._now())
        )

    async def told(self, drift_id: str) -> str | None:
        query = select(drifts.c.told).where(drifts.c.id == drift_id)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def in_line(self, told: str) -> int:
        """How many that one line stands for."""
        query = select(func.count()).select_from(drifts).where(drifts.c.told == told)
        return int((await self._connection.execute(query)).scalar_one())

    async def behind(self, *, since: datetime, until: datetime) -> list[Drift]:
        """Saved in that span, with a card that is missing or shows an older state."""
        card = posts.c.key == "drift:" + drifts.c.id
        return await self._many(
            select(drifts)
            .outerjoin(posts, card)
            .where(drifts.c.told == CARD, drifts.c.saved_at >= since, drifts.c.saved_at <= until)
            .where(or_(posts.c.drawn.is_(None), posts.c.drawn < drifts.c.version))
        )

    async def untold_lines(self, *, since: datetime, until: datetime) -> list[str]:
        """Lines of that span that never reached Slack."""
        posted = exists().where(posts.c.key == "drifts:" + drifts.c.told)
        query = (
            select(drifts.c.told)
            .where(drifts.c.told.startswith(LINE, autoescape=True), ~posted)
            .where(drifts.c.saved_at >= since, drifts.c.saved_at <= until)
            .distinct()
        )
        return list((await self._connection.execute(query)).scalars())

    # When it happened

    async def undated(self, *, since: datetime, only: Collection[str] | None = None) -> list[Drift]:
        """Suspensions seen since then of which the activity log has not been asked."""
        query = select(drifts).where(
            drifts.c.became == SubscriptionStatus.SUSPENDED,
            drifts.c.status != DriftStatus.OVER,
            drifts.c.asked.is_(False),
            drifts.c.seen_at >= since,
        )
        if only is not None:
            query = query.where(drifts.c.id.in_(only))
        return await self._many(query.order_by(drifts.c.customer_id, drifts.c.id))

    async def is_asked(self, found: Collection[Drift]) -> None:
        """The activity log has been asked about these."""
        await self._connection.execute(
            update(drifts).where(drifts.c.id.in_([drift.id for drift in found])).values(asked=True)
        )

    # What we did ourselves

    async def resumed_by_us(
        self, subscriptions: Collection[SubscriptionId]
    ) -> dict[SubscriptionId, datetime]:
        """For each of these that we ever resumed, when we last did."""
        query = (
            select(targets.c.subscription_id, func.max(targets.c.ended_at).label("ended_at"))
            .join(requests, requests.c.id == targets.c.request_id)
            .where(
                targets.c.subscription_id.in_(subscriptions),
                targets.c.result == Result.DONE,
                requests.c.verb == Verb.RESUME,
                requests.c.dry_run.is_(False),
            )
            .group_by(targets.c.subscription_id)
        )
        rows = (await self._connection.execute(query)).all()
        return {SubscriptionId(row.subscription_id): row.ended_at for row in rows if row.ended_at}

    async def asked_about(self, *, since: datetime) -> set[CustomerId]:
        """Customers about whom somebody asked for something since then."""
        query = select(requests.c.customer_id).where(requests.c.placed_at >= since).distinct()
        return {CustomerId(id) for id in (await self._connection.execute(query)).scalars()}

    async def _many(self, query: Any) -> list[Drift]:
        rows: Sequence[Row[Any]] = (await self._connection.execute(query)).all()
        return [_drift(row) for row in rows]


def _row(drift: Drift) -> dict[str, Any]:
    return {
        "id": drift.id,
        "customer_id": drift.customer_id,
        "customer_name": drift.customer_name,
        "subscription_id": drift.subscription_id,
        "subscription_name": drift.subscription_name,
        "became": drift.became,
        "seen_at": drift.seen_at,
        "not_before": drift.not_before,
        "changed_at": drift.changed_at,
        "words": list(drift.words),
        "status": drift.status,
        "by": drift.by,
        "at": drift.at,
        "reason": drift.reason,
        "note": drift.note,
        "version": drift.version,
    }


def _drift(row: Row[Any]) -> Drift:
    r = row._mapping
    return Drift(
        id=DriftId(r["id"]),
        customer_id=CustomerId(r["customer_id"]),
        customer_name=r["customer_name"],
        subscription_id=SubscriptionId(r["subscription_id"]),
        subscription_name=r["subscription_name"],
        became=SubscriptionStatus(r["became"]),
        seen_at=r["seen_at"],
        not_before=r["not_before"],
        changed_at=r["changed_at"],
        words=tuple(r["words"]),
        status=DriftStatus(r["status"]),
        by=PersonId(r["by"]) if r["by"] else None,
        at=r["at"],
        reason=Reason(r["reason"]) if r["reason"] else None,
        note=r["note"],
        version=r["version"],
    )
