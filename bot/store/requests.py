"""Requests in the database. Every save is a conditional UPDATE: one row changed wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import AlreadyDecided, AlreadyWaiting, NotFound
from bot.domain.people import PersonId
from bot.domain.request import (
    Action,
    ActionRequest,
    Decision,
    Outcome,
    Reason,
    RequestId,
    Status,
    Verb,
    Verdict,
)
from bot.store.tables import posts, requests

COUNT_LOCK = 0x436F756E  # any number, as long as it is always this one


class Requests:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, request: ActionRequest) -> None:
        """Keep a new request. Raises AlreadyWaiting when the same thing is being asked for already."""
        waiting = await self.open_for(request.action.verb, request.action.subscription_id)
        if waiting:
            raise AlreadyWaiting(waiting.id)
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(insert(requests).values(_row(request)))
        except IntegrityError as error:  # somebody placed it between our look and our insert
            first = await self.open_for(request.action.verb, request.action.subscription_id)
            raise AlreadyWaiting(first.id if first else request.id) from error

    async def get(self, request_id: str, *, to_change: bool = True) -> ActionRequest:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(requests).where(requests.c.id == request_id)
        if to_change:
            query = query.with_for_update()
        found = (await self._connection.execute(query)).one_or_none()
        if found is None:
            raise NotFound("request", request_id)
        return _request(found)

    async def save(self, request: ActionRequest) -> None:
        """Write the next state. Raises AlreadyDecided when somebody saved since it was read."""
        row = _row(request) | {"version": request.version + 1}
        changed = await self._connection.execute(
            update(requests)
            .where(requests.c.id == request.id, requests.c.version == request.version)
            .values(row)
        )
        if changed.rowcount != 1:
            raise AlreadyDecided(request.id, request.status)

    async def open_for(self, verb: Verb, subscription: SubscriptionId) -> ActionRequest | None:
        query = select(requests).where(requests.c.open_key == f"{verb}:{subscription}")
        found = (await self._connection.execute(query)).one_or_none()
        return _request(found) if found else None

    async def last_suspensions(
        self, subscriptions: Collection[SubscriptionId]
    ) -> dict[SubscriptionId, ActionRequest]:
        """For each of these that we ever suspended, the newest request that did."""
        found = await self._many(
            select(requests)
            .where(
                requests.c.subscription_id.in_(subscriptions),
                requests.c.verb == Verb.SUSPEND,
                requests.c.status == Status.DONE,
                requests.c.dry_run.is_(False),
            )
            .order_by(requests.c.closed_at)
        )
        return {request.action.subscription_id: request for request in found}

    async def open(self, *, limit: int = 50) -> list[ActionRequest]:
        """Those that are not over yet, oldest first."""
        return await self._many(
            select(requests).where(requests.c.status.in_(_OPEN)).order_by(requests.c.placed_at).limit(limit)
        )

    async def counts(self) -> dict[Status, int]:
        """How many there are of each open status."""
        query = (
            select(requests.c.status, func.count())
            .where(requests.c.status.in_(_OPEN))
            .group_by(requests.c.status)
        )
        return {Status(status): n for status, n in (await self._connection.execute(query)).all()}

    async def expired(self, *, at: datetime, limit: int = 100) -> list[ActionRequest]:
        """Pending past their time to live, but for those another replica's sweep is at."""
        return await self._many(
            select(requests)
            .where(requests.c.status == Status.PENDING, requests.c.expires_at <= at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def pending(self, *, limit: int = 200) -> list[ActionRequest]:
        """Those that wait for a decision, oldest first."""
        return await self._many(
            select(requests)
            .where(requests.c.status == Status.PENDING)
            .order_by(requests.c.placed_at)
            .limit(limit)
        )

    async def stranded(self, *, at: datetime, grace: timedelta, limit: int = 100) -> list[ActionRequest]:
        """Approved long enough ago that somebody should have acted, or executing past their lease."""
        return await self._many(
            select(requests)
            .where(
                or_(
                    (requests.c.status == Status.APPROVED) & (requests.c.acts_at <= at - grace),
                    (requests.c.status == Status.EXECUTING) & (requests.c.lease_until <= at),
                )
            )
            .limit(limit)
        )

    async def renew(self, request_id: str, *, holder: str, until: datetime) -> None:
        """Keep a lease; the request itself stays as it is, so its version does, too."""
        await self._connection.execute(
            update(requests)
            .where(
                requests.c.id == request_id,
                requests.c.status == Status.EXECUTING,
                requests.c.holder == holder,
            )
            .values(lease_until=until)
        )

    async def held_by(self, holder: str) -> list[ActionRequest]:
        """Those this worker was at when it was last heard of."""
        return await self._many(
            select(requests).where(requests.c.status == Status.EXECUTING, requests.c.holder == holder)
        )

    async def behind(self, *, since: datetime, until: datetime, limit: int = 50) -> list[ActionRequest]:
        """Requests placed in that span whose card is missing or shows an older state."""
        card = posts.c.key == "card:" + requests.c.id
        return await self._many(
            select(requests)
            .outerjoin(posts, card)
            .where(requests.c.placed_at >= since, requests.c.placed_at <= until)
            .where(or_(posts.c.drawn.is_(None), posts.c.drawn < requests.c.version))
            .limit(limit)
        )

    async def untold(self, *, since: datetime, until: datetime, limit: int = 50) -> list[ActionRequest]:
        """Requests that ended in that span and whose requester was not told."""
        told = exists().where(posts.c.key == "result:" + requests.c.id)
        return await self._many(
            select(requests)
            .where(requests.c.status.in_(_FINAL))
            .where(requests.c.closed_at >= since, requests.c.closed_at <= until, ~told)
            .limit(limit)
        )

    async def suspended_since(self, since: datetime) -> int:
        """Suspensions that were begun since that moment, whatever came of them; dry runs do not count.

        Whoever counts next waits until our transaction ends: of many at once none slips past a limit.
        """
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({COUNT_LOCK})"))
        query = select(func.count()).where(
            requests.c.verb == Verb.SUSPEND,
            requests.c.dry_run.is_(False),
            requests.c.attempt > 0,
            requests.c.acts_at >= since,
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def _many(self, query: Any) -> list[ActionRequest]:
        rows: Sequence[Row[Any]] = (await self._connection.execute(query)).all()
        return [_request(row) for row in rows]


_OPEN = [status for status in Status if status.is_open]
_FINAL = [status for status in Status if status.is_final]


def _row(request: ActionRequest) -> dict[str, Any]:
    action = request.action
    return {
        "id": request.id,
        "verb": action.verb,
        "customer_id": action.customer_id,
        "customer_name": action.customer_name,
        "subscription_id": action.subscription_id,
        "subscription_name": action.subscription_name,
        "reason": action.reason,
        "note": action.note,
        "status": request.status,
        "requested_by": request.requested_by,
        "placed_at": request.placed_at,
        "expires_at": request.expires_at,
        "approvals_needed": request.approvals_needed,
        "seen": request.seen,
        "ms_request_id": request.ms_request_id,
        "policy_note": request.policy_note,
        "undo_seconds": int(request.undo.total_seconds()),
        "dry_run": request.dry_run,
        "decisions": _decisions(request.decisions),
        "acts_at": request.acts_at,
        "over_daily_limit": request.over_daily_limit,
        "closed_by": request.closed_by,
        "closed_at": request.closed_at,
        "attempt": request.attempt,
        "lease_until": request.lease_until,
        "holder": request.holder,
        "outcome": asdict(request.outcome) if request.outcome else None,
        "version": request.version,
        "open_key": f"{action.verb}:{action.subscription_id}" if request.status.is_open else None,
    }


def _decisions(decisions: Iterable[Decision]) -> list[dict[str, str]]:
    return [{"verdict": d.verdict.value, "by": d.by, "at": d.at.isoformat(), "why": d.why} for d in decisions]


def _request(row: Row[Any]) -> ActionRequest:
    r = row._mapping
    return ActionRequest(
        id=RequestId(r["id"]),
        action=Action(
            verb=Verb(r["verb"]),
            customer_id=CustomerId(r["customer_id"]),
            customer_name=r["customer_name"],
            subscription_id=SubscriptionId(r["subscription_id"]),
            subscription_name=r["subscription_name"],
            reason=Reason(r["reason"]),
            note=r["note"],
        ),
        status=Status(r["status"]),
        requested_by=PersonId(r["requested_by"]),
        placed_at=r["placed_at"],
        expires_at=r["expires_at"],
        approvals_needed=r["approvals_needed"],
        seen=r["seen"],
        ms_request_id=r["ms_request_id"],
        policy_note=r["policy_note"],
        undo=timedelta(seconds=r["undo_seconds"]),
        dry_run=r["dry_run"],
        decisions=tuple(
            Decision(Verdict(d["verdict"]), PersonId(d["by"]), datetime.fromisoformat(d["at"]), d["why"])
            for d in r["decisions"]
        ),
        acts_at=r["acts_at"],
        over_daily_limit=r["over_daily_limit"],
        closed_by=PersonId(r["closed_by"]) if r["closed_by"] else None,
        closed_at=r["closed_at"],
        attempt=r["attempt"],
        lease_until=r["lease_until"],
        holder=r["holder"],
        outcome=Outcome(**r["outcome"]) if r["outcome"] else None,
        version=r["version"],
    )
