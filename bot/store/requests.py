"""Requests in the database. Every save is a conditional UPDATE: one row changed wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, String, bindparam, case, cast, exists, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.action import Action, Reason, Verb
from bot.domain.collection import Gone, Ground
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import AlreadyDecided, AlreadyWaiting, NotFound
from bot.domain.people import PersonId
from bot.domain.request import ActionRequest, Decision, Outcome, RequestId, Result, Status, Target, Verdict
from bot.store.tables import posts, requests, targets

COUNT_LOCK = 0x436F756E  # any number, as long as it is always this one

Json = dict[str, Any]


class Requests:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._kept: dict[RequestId, list[Json]] = {}
        """The rows of the targets as they are in the database, of each request read or kept through this."""

    async def add(self, request: ActionRequest) -> None:
        """Keep a new request. Raises AlreadyWaiting when the same thing is being asked for already."""
        rows = _target_rows(request)
        if waiting := await self._waiting(rows):
            raise AlreadyWaiting(waiting)
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(insert(requests).values(_row(request)))
                await self._connection.execute(insert(targets), rows)
        except IntegrityError as error:  # somebody placed it between our look and our insert
            raise AlreadyWaiting(await self._waiting(rows) or request.id) from error
        self._kept[request.id] = rows

    async def get(self, request_id: str, *, to_change: bool = True) -> ActionRequest:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        found = await self._many(_ONE_TO_CHANGE if to_change else _ONE, {"of": request_id})
        if not found:
            raise NotFound("request", request_id)
        return found[0]

    async def save(self, request: ActionRequest) -> None:
        """Write the next state. Raises AlreadyDecided when somebody saved since it was read.

        Raises AlreadyWaiting when it opens again and somebody else asks for the same by now.
        """
        row = _row(request) | {"version": request.version + 1}
        changed = await self._connection.execute(_SAVE, row | {"of": request.id, "as_read": request.version})
        if changed.rowcount != 1:
            raise AlreadyDecided(request.id, request.status)
        before, after = self._kept.get(request.id, []), _target_rows(request)
        differing = [row for row in after if row not in before]
        if not differing:
            return
        held = {row["open_key"] for row in before}
        opens = any(row["open_key"] not in held for row in differing if row["open_key"])
        try:
            # Only a key that opens can be another's by now; Postgres gives up a transaction after an error.
            async with self._connection.begin_nested() if opens else nullcontext():
                for row in differing:
                    await self._connection.execute(
                        _SAVE_TARGET, row | {"of": request.id, "at": row["position"]}
                    )
        except IntegrityError as error:
            raise AlreadyWaiting(await self._waiting(differing) or request.id) from error
        self._kept[request.id] = after

    async def under_way(
        self, subscriptions: Collection[SubscriptionId]
    ) -> frozenset[tuple[Verb, SubscriptionId]]:
        """What is being done to these, or may have been sent and is not settled; a dry run is nothing."""
        query = (
            select(requests.c.verb, targets.c.subscription_id)
            .join(targets, targets.c.request_id == requests.c.id)
            .where(
                targets.c.subscription_id.in_(subscriptions),
                targets.c.open_key.is_not(None),
                or_(requests.c.status.in_(_AT_MICROSOFT), targets.c.sendings > 0),
                requests.c.dry_run.is_(False),
            )
        )
        found = (await self._connection.execute(query)).all()
        return frozenset((Verb(verb), SubscriptionId(id)) for verb, id in found)

    async def waiting_for(
        self, verb: Verb, subscriptions: Collection[SubscriptionId]
    ) -> dict[SubscriptionId, RequestId]:
        """For which of these the very thing is asked for already, and in which request."""
        keys = [_open_key(verb, id) for id in subscriptions]
        query = select(targets.c.subscription_id, targets.c.request_id).where(targets.c.open_key.in_(keys))
        return {
            SubscriptionId(id): RequestId(request)
            for id, request in (await self._connection.execute(query)).all()
        }

    async def _waiting(self, rows: list[Json]) -> str | None:
        """The request that holds the key of one of these targets."""
        keys = [row["open_key"] for row in rows]
        query = select(targets.c.request_id).where(targets.c.open_key.in_(keys)).limit(1)
        return (await self._connection.execute(query)).scalar()

    async def last_suspensions(
        self, subscriptions: Collection[SubscriptionId]
    ) -> dict[SubscriptionId, ActionRequest]:
        """For each of these that we ever suspended, the newest request that did."""
        query = (
            select(targets.c.subscription_id, targets.c.request_id)
            .join(requests, requests.c.id == targets.c.request_id)
            .where(
                targets.c.subscription_id.in_(subscriptions),
                targets.c.result == Result.DONE,
                requests.c.verb == Verb.SUSPEND,
                requests.c.dry_run.is_(False),
            )
            .order_by(targets.c.ended_at)
        )
        newest = {row.subscription_id: row.request_id for row in (await self._connection.execute(query))}
        found = await self._many(select(requests).where(requests.c.id.in_(set(newest.values()))))
        by_id = {request.id: request for request in found}
        return {subscription: by_id[request_id] for subscription, request_id in newest.items()}

    async def perhaps_suspended(self, subscriptions: Collection[SubscriptionId]) -> list[ActionRequest]:
        """Requests that may have suspended one of these: what was sent has no end yet, or nobody knows it."""
        query = (
            select(targets.c.request_id)
            .join(requests, requests.c.id == targets.c.request_id)
            .where(
                targets.c.subscription_id.in_(subscriptions),
                targets.c.result.in_([Result.OPEN, Result.UNKNOWN]),
                targets.c.begun_at.is_not(None),
                requests.c.verb == Verb.SUSPEND,
                requests.c.dry_run.is_(False),
            )
        )
        return await self._many(select(requests).where(requests.c.id.in_(query)))

    async def is_overtaken(self, request: ActionRequest) -> bool:
        """Whether another request was begun on one of its open targets after this one was."""
        since = {t.subscription_id: t.begun_at or request.placed_at for t in request.open_targets}
        if not (request.round or any(t.begun_at for t in request.targets)):
            return False
        query = (
            select(targets.c.subscription_id, targets.c.begun_at)
            .join(requests, requests.c.id == targets.c.request_id)
            .where(
                targets.c.subscription_id.in_(since),
                targets.c.begun_at.is_not(None),
                requests.c.id != request.id,
                requests.c.dry_run.is_(False),
            )
        )
        others = (await self._connection.execute(query)).all()
        return any(begun > since[SubscriptionId(id)] for id, begun in others)

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

    async def of(self, customer_id: CustomerId) -> list[ActionRequest]:
        """All there ever were about a customer, oldest first."""
        return await self._many(
            select(requests)
            .where(requests.c.customer_id == customer_id)
            .order_by(requests.c.placed_at, requests.c.id)
        )

    async def placed_since(self, since: datetime) -> list[ActionRequest]:
        """All that were asked for since that moment, whatever became of them, oldest first."""
        return await self._many(
            select(requests).where(requests.c.placed_at >= since).order_by(requests.c.placed_at)
        )

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
        """Requests placed or ended in that span, or still open, whose card is missing or shows an older state."""
        card = posts.c.key == "card:" + requests.c.id
        is_late = or_(
            requests.c.placed_at >= since, requests.c.closed_at >= since, requests.c.status.in_(_OPEN)
        )
        return await self._many(
            select(requests)
            .outerjoin(posts, card)
            .where(is_late, requests.c.placed_at <= until)
            .where(or_(posts.c.drawn.is_(None), posts.c.drawn < requests.c.version))
            .limit(limit)
        )

    async def untold(self, *, since: datetime, until: datetime, limit: int = 50) -> list[ActionRequest]:
        """Requests that ended in that span, known how or not, and whose requester was not told."""
        again = case((requests.c.round > 0, ":" + cast(requests.c.round, String)), else_="")
        kind = case((requests.c.status == Status.UNKNOWN, "unknown:"), else_="result:")
        told = exists().where(posts.c.key == kind + requests.c.id + again)
        return await self._many(
            select(requests)
            .where(requests.c.status.in_([*_FINAL, Status.UNKNOWN]))
            .where(requests.c.closed_at >= since, requests.c.closed_at <= until, ~told)
            .limit(limit)
        )

    async def waiting_for_the_limit(self) -> list[ActionRequest]:
        """Approved, due, and held back because enough was suspended that day."""
        return await self._many(
            select(requests)
            .where(requests.c.status == Status.APPROVED, requests.c.over_daily_limit.is_(True))
            .order_by(requests.c.placed_at)
            .with_for_update(skip_locked=True)
        )

    async def suspended_since(self, since: datetime) -> int:
        """Subscriptions whose suspension was begun since that moment, whatever came of it; no dry runs.

        Whoever counts next waits until our transaction ends: of many at once none slips past a limit.
        """
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            await self._connection.execute(text(f"SELECT pg_advisory_xact_lock({COUNT_LOCK})"))
        query = (
            select(func.count())
            .select_from(targets.join(requests, requests.c.id == targets.c.request_id))
            .where(
                requests.c.verb == Verb.SUSPEND,
                requests.c.dry_run.is_(False),
                targets.c.begun_at >= since,
            )
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def _many(self, query: Any, values: Json | None = None) -> list[ActionRequest]:
        rows: Sequence[Row[Any]] = (await self._connection.execute(query, values)).all()
        if not rows:
            return []
        theirs: dict[str, list[Json]] = {row.id: [] for row in rows}
        parts = await self._connection.execute(_TARGETS, {"of": list(theirs)})
        for part in parts.mappings():
            theirs[part["request_id"]].append(dict(part))
        self._kept |= {RequestId(id): parts for id, parts in theirs.items()}
        return [_request(row, theirs[row.id]) for row in rows]


# Put together once: that takes longer than to carry them out, and an approval waits for these.
_ONE = select(requests).where(requests.c.id == bindparam("of"))
_ONE_TO_CHANGE = _ONE.with_for_update()
_TARGETS = (
    select(targets)
    .where(targets.c.request_id.in_(bindparam("of", expanding=True)))
    .order_by(targets.c.position)
)
_SAVE = update(requests).where(requests.c.id == bindparam("of"), requests.c.version == bindparam("as_read"))
_SAVE_TARGET = update(targets).where(
    targets.c.request_id == bindparam("of"), targets.c.position == bindparam("at")
)

_OPEN = [status for status in Status if status.is_open]
_FINAL = [status for status in Status if status.is_final]
_AT_MICROSOFT = [Status.EXECUTING, Status.UNKNOWN]


def _open_key(verb: Verb, subscription: SubscriptionId) -> str:
    return f"{verb}:{subscription}"


def _row(request: ActionRequest) -> Json:
    action = request.action
    return {
        "id": request.id,
        "verb": action.verb,
        "customer_id": action.customer_id,
        "customer_name": action.customer_name,
        "reason": action.reason,
        "note": action.note,
        "status": request.status,
        "requested_by": request.requested_by,
        "placed_at": request.placed_at,
        "expires_at": request.expires_at,
        "approvals_needed": request.approvals_needed,
        "policy_note": request.policy_note,
        "undo_seconds": int(request.undo.total_seconds()),
        "not_before": request.not_before,
        "dry_run": request.dry_run,
        "decisions": _decisions(request.decisions),
        "acts_at": request.acts_at,
        "over_daily_limit": request.over_daily_limit,
        "outside_hours": request.outside_hours,
        "ground": asdict(request.ground),
        "debtors": list(request.debtors),
        "gone": request.gone,
        "closed_by": request.closed_by,
        "closed_at": request.closed_at,
        "round": request.round,
        "attempt": request.attempt,
        "lease_until": request.lease_until,
        "holder": request.holder,
        "version": request.version,
    }


def _target_rows(request: ActionRequest) -> list[Json]:
    return [_target_row(request, position, target) for position, target in enumerate(request.targets)]


def _target_row(request: ActionRequest, position: int, target: Target) -> Json:
    waits = request.status.is_open and target.result in (Result.OPEN, Result.UNKNOWN)
    return {
        "request_id": request.id,
        "position": position,
        "subscription_id": target.subscription_id,
        "name": target.name,
        "parent_id": target.parent_id,
        "seen": target.seen,
        "ms_request_id": target.ms_request_id,
        "result": target.result.value,
        "outcome": _outcome_row(target.outcome) if target.outcome else None,
        "begun_at": target.begun_at,
        "ended_at": target.ended_at,
        "sendings": target.sendings,
        "open_key": _open_key(request.action.verb, target.subscription_id) if waits else None,
    }


def _outcome_row(outcome: Outcome) -> Json:
    day = outcome.deletes_on
    return asdict(outcome) | {"deletes_on": day.isoformat() if day else None}


def _outcome(row: Json) -> Outcome:
    day = row.get("deletes_on")
    return Outcome(**(row | {"deletes_on": date.fromisoformat(day) if day else None}))


def _target(row: Json) -> Target:
    return Target(
        subscription_id=SubscriptionId(row["subscription_id"]),
        name=row["name"],
        seen=row["seen"],
        ms_request_id=row["ms_request_id"],
        parent_id=SubscriptionId(row["parent_id"]) if row["parent_id"] else None,
        result=Result(row["result"]),
        outcome=_outcome(row["outcome"]) if row["outcome"] else None,
        begun_at=row["begun_at"],
        ended_at=row["ended_at"],
        sendings=row["sendings"],
    )


def _decisions(decisions: Iterable[Decision]) -> list[Json]:
    return [
        {"verdict": d.verdict.value, "by": d.by, "at": d.at.isoformat(), "why": d.why}
        # A release from before anybody could break the glass may run beside us: it takes this for an approval.
        | ({"verdict": Verdict.APPROVE.value, "glass": True} if d.verdict is Verdict.BREAK_GLASS else {})
        for d in decisions
    ]


def _decision(row: Json) -> Decision:
    verdict = Verdict.BREAK_GLASS if row.get("glass") else Verdict(row["verdict"])
    return Decision(verdict, PersonId(row["by"]), datetime.fromisoformat(row["at"]), row["why"])


def _request(row: Row[Any], parts: Iterable[Json]) -> ActionRequest:
    r = row._mapping
    return ActionRequest(
        id=RequestId(r["id"]),
        action=Action(
            verb=Verb(r["verb"]),
            customer_id=CustomerId(r["customer_id"]),
            customer_name=r["customer_name"],
            reason=Reason(r["reason"]),
            note=r["note"],
        ),
        targets=tuple(map(_target, parts)),
        status=Status(r["status"]),
        requested_by=PersonId(r["requested_by"]),
        placed_at=r["placed_at"],
        expires_at=r["expires_at"],
        approvals_needed=r["approvals_needed"],
        policy_note=r["policy_note"],
        undo=timedelta(seconds=r["undo_seconds"]),
        not_before=r["not_before"],
        dry_run=r["dry_run"],
        decisions=tuple(map(_decision, r["decisions"])),
        acts_at=r["acts_at"],
        over_daily_limit=r["over_daily_limit"],
        outside_hours=r["outside_hours"],
        ground=Ground(**(r["ground"] or {})),
        debtors=tuple(r["debtors"] or ()),
        gone=Gone(r["gone"]) if r["gone"] else None,
        closed_by=PersonId(r["closed_by"]) if r["closed_by"] else None,
        closed_at=r["closed_at"],
        round=r["round"],
        attempt=r["attempt"],
        lease_until=r["lease_until"],
        holder=r["holder"],
        version=r["version"],
    )
