"""Does what was approved. The only module that changes anything at Microsoft."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.customer import SubscriptionStatus
from bot.domain.errors import AlreadyDecided, Conflict, NotFound, NotReady, Throttled, Unavailable, Upstream
from bot.domain.request import ActionRequest, Outcome, Status, Verb
from bot.partner_center.client import PartnerCenter, Written
from bot.services import jobs
from bot.store import Store, Tx

LEASE = timedelta(seconds=45)
"""Renewed while somebody acts; once it has run out the sweep assumes that whoever acted is dead."""
TOTAL_SECONDS = 150.0
"""A write, its retries and the read-back together (`PartnerCenter.suspend`)."""
RETRY_AFTER = timedelta(seconds=30)
TRIES = 20
"""So often an outcome that is open is looked into again before a person has to."""

_WANTED = {Verb.SUSPEND: SubscriptionStatus.SUSPENDED, Verb.RESUME: SubscriptionStatus.ACTIVE}

log = logging.getLogger(__name__)


class Execution:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        partner_center: PartnerCenter,
        *,
        zone: ZoneInfo,
        daily_limit: int,
        now: Callable[[], datetime],
        retry_after: timedelta = RETRY_AFTER,
    ) -> None:
        self._store = store
        self._courier = courier
        self._partner_center = partner_center
        self._zone = zone
        self._daily_limit = daily_limit
        self._now = now
        self._holder = ""
        self._retry_after = retry_after

    async def run(self, request_id: str) -> None:
        """Act on an approved request, once; of several workers that try, one gets to.

        Run again after a crash it looks at the subscription first: what already is as wanted is done, and
        a write that must be repeated carries the same `MS-RequestId`.
        """
        request = await self._claim(request_id)
        if request is None:
            return
        alive = asyncio.create_task(self._stay_alive(request.id))
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                outcome = await self._act(request)
        except Unavailable as error:
            await self._again(request, error)
        except TimeoutError:
            await self._again(request, Unavailable(reason="timeout"))
        except NotFound as error:
            await self._finish(request, Outcome(confirmed=False, error=error.code), Status.FAILED)
        except Upstream as error:
            await self._finish(request, _failure(error), Status.FAILED)
        else:
            await self._finish(request, outcome, Status.DONE)
        finally:
            alive.cancel()

    async def begin(self, worker: str) -> None:
        """Work under this name, and take up again what was under way when its last bearer died.

        No two living workers bear one name (`Store.worker_name`), so no lease needs to be waited for.
        """
        self._holder = worker
        async with self._store.begin() as tx:
            for request in await tx.requests.held_by(self._holder):
                freed = request.wait(until=self._now())
                await tx.requests.save(freed)
                await self._courier.send(tx.connection, jobs.execute(freed))

    async def _stay_alive(self, request_id: str) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            async with self._store.begin() as tx:
                await tx.requests.renew(request_id, holder=self._holder, until=self._now() + LEASE)

    async def _act(self, request: ActionRequest) -> Outcome:
        action = request.action
        await self._must_be_as_confirmed(request)
        if request.dry_run:
            return Outcome(dry_run=True)
        write = self._partner_center.suspend if action.verb is Verb.SUSPEND else self._partner_center.resume
        written: Written = await write(
            action.customer_id, action.subscription_id, ms_request_id=UUID(request.ms_request_id)
        )
        async with self._store.begin() as tx:
            await tx.mirror.put_subscription(written.subscription, at=self._now())
        return Outcome(
            changed=written.changed or request.attempt > 1,
            confirmed=written.confirmed,
            correlation_id=written.correlation_id,
        )

    async def _must_be_as_confirmed(self, request: ActionRequest) -> None:
        """Raise Conflict when status, quantity or term are not those that were shown when it was confirmed.

        What already is as wanted may pass: there is nothing left to do, or we did it before we died.
        """
        action = request.action
        found = await self._partner_center.subscription(action.customer_id, action.subscription_id)
        if found.status is not _WANTED[action.verb] and found.fingerprint != request.seen:
            raise Conflict(reason="changed-since-confirmed")

    async def _claim(self, request_id: str) -> ActionRequest | None:
        at = self._now()
        async with self._store.begin() as tx:
            request = await tx.requests.get(request_id)
            try:
                claimed = request.claim(at=at, lease=LEASE, holder=self._holder)
            except AlreadyDecided:
                return None  # cancelled, not due yet, or somebody else is at it
            if request.attempt == 0 and await self._limit_reached(tx, request):
                await self._postpone(tx, request)
                return None
            await tx.requests.save(claimed)
            await tx.audit.append(AuditTag.REQUEST_STARTED, request.id, attempt=claimed.attempt)
            return await tx.requests.get(request_id)

    async def _limit_reached(self, tx: Tx, request: ActionRequest) -> bool:
        if request.action.verb is not Verb.SUSPEND or request.dry_run:
            return False
        begun = await tx.requests.suspended_since(_midnight(self._now(), self._zone))
        return begun >= self._daily_limit

    async def _postpone(self, tx: Tx, request: ActionRequest) -> None:
        """The circuit breaker: whatever went wrong, it goes wrong for so many customers a day at most."""
        at = self._now()
        waiting = request.postpone(until=_midnight(at, self._zone) + timedelta(days=1))
        await tx.requests.save(waiting)
        await tx.audit.append(AuditTag.REQUEST_POSTPONED, request.id, limit=self._daily_limit)
        delay = (_midnight(at, self._zone) + timedelta(days=1) - at).total_seconds()
        await self._courier.send(tx.connection, jobs.execute(waiting, delay=delay))
        await self._courier.send(tx.connection, jobs.show_request(waiting))

    async def _finish(self, request: ActionRequest, outcome: Outcome, status: Status) -> None:
        async with self._store.begin() as tx:
            finished = (await tx.requests.get(request.id)).finish(outcome, status=status, at=self._now())
            await tx.requests.save(finished)
            await tx.audit.append(
                AuditTag.REQUEST_FINISHED,
                request.id,
                status=status.value,
                changed=outcome.changed,
                confirmed=outcome.confirmed,
                dry_run=outcome.dry_run,
                error=outcome.error,
                reason=outcome.reason,
                correlation_id=outcome.correlation_id,
            )
            await self._courier.send(tx.connection, jobs.show_request(finished))
            await self._courier.send(tx.connection, jobs.tell_result(finished))

    async def _again(self, request: ActionRequest, error: Unavailable) -> None:
        """Try once more after a while; after many tries stop, and say what is known.

        Microsoft's "not now" means that nothing was done. Silence means that nobody can tell: a person decides.
        """
        log.warning("%s, attempt %d: %s %s", request.id, request.attempt, error.code, error.reason)
        if request.attempt >= TRIES:
            refused = isinstance(error, NotReady | Throttled)
            await self._finish(request, _failure(error), Status.FAILED if refused else Status.UNKNOWN)
            return
        async with self._store.begin() as tx:
            waiting = (await tx.requests.get(request.id)).wait(until=self._now() + self._retry_after)
            await tx.requests.save(waiting)
            delay = self._retry_after.total_seconds() + 0.1
            await self._courier.send(tx.connection, jobs.execute(waiting, delay=delay))
            await self._courier.send(tx.connection, jobs.show_request(waiting))


def _failure(error: Upstream) -> Outcome:
    return Outcome(
        confirmed=False, error=error.code, reason=error.reason, correlation_id=error.correlation_id
    )


def _midnight(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
