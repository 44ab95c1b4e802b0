"""Does what was approved. The only module that changes anything at Microsoft."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from bot.courier import Courier
from bot.domain.action import Verb
from bot.domain.audit import AuditTag, change
from bot.domain.collection import Gone
from bot.domain.customer import Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.errors import AlreadyDecided, Conflict, NotFound, NotReady, Throttled, Unavailable, Upstream
from bot.domain.request import (
    CALLED_OFF,
    CHANGED_SINCE_CONFIRMED,
    ActionRequest,
    Outcome,
    Result,
    Status,
    Target,
)
from bot.partner_center.client import NOT_SENT, PartnerCenter
from bot.services import jobs
from bot.services.day import Grounds
from bot.services.limits import Limits
from bot.store import Store, Tx

LEASE = timedelta(seconds=20)
"""Renewed while somebody acts; once it has run out somebody else may take over."""
RENEWALS = 5
"""In the time of one lease."""
SURE = 0.6
"""The part of a lease, from its last renewal on, in which its holder acts: the rest is for clocks that differ."""
TOTAL_SECONDS = 150.0
"""A write, its retries and the read-back together (`PartnerCenter.suspend`)."""
RETRY_AFTER = timedelta(seconds=30)
TRIES = 20
"""So often an outcome that is open is looked into again before a person has to."""
LOOKS = 40
"""As TRIES, for what Microsoft accepted: an Azure subscription takes about ten minutes to go down."""
AT_ONCE = 8
"""Subscriptions of one request acted on at the same time; the client of Partner Center has its own limit."""
PROGRESS_AFTER = timedelta(seconds=2)
"""Slack takes about one message a second in a channel: a card shows progress no oftener."""

Deadline = Callable[[Subscription, date | None], date | None]
"""The day after which the data of a subscription is deleted that was suspended on that day (None: nobody knows)."""

Sent = TypeVar("Sent")

_WANTED = {Verb.SUSPEND: SubscriptionStatus.SUSPENDED, Verb.RESUME: SubscriptionStatus.ACTIVE}

log = logging.getLogger(__name__)


class Execution:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        partner_center: PartnerCenter,
        *,
        limits: Limits,
        deadline: Deadline,
        grounds: Grounds,
        may_cut_off: Callable[[datetime], datetime],
        now: Callable[[], datetime],
        retry_after: timedelta = RETRY_AFTER,
        lease: timedelta = LEASE,
    ) -> None:
        self._store = store
        self._courier = courier
        self._partner_center = partner_center
        self._limits = limits
        self._deadline = deadline
        self._grounds = grounds
        self._may_cut_off = may_cut_off
        self._now = now
        self._holder = ""
        self._retry_after = retry_after
        self._lease = lease

    async def run(self, request_id: str) -> None:
        """Act on an approved request, once; of several workers that try, one gets to.

        Run again after a crash it looks at each subscription first: what already is as wanted is done, and
        a write that must be repeated carries the same `MS-RequestId`.
        """
        since = asyncio.get_running_loop().time()
        request = await self._claim(request_id)
        if request is None:
            return
        attempt = _Attempt(request, shown_at=self._now())
        try:
            await self._act_in_time(attempt, since)
        except TimeoutError:
            log.warning("%s: the lease could not be kept", request.id)
            await self._again(attempt)
        else:
            if attempt.left:
                await self._again(attempt)

    async def begin(self, worker: str) -> None:
        """Work under this name, and take up again what was under way when its last bearer died.

        On SQLite it is dead for certain (`Courier.hold`). On Postgres it may have lost its name together with its
        connection, and be alive: what it holds is taken up when its lease is over, as anybody's.
        """
        self._holder = worker
        async with self._store.begin() as tx:
            for held in await tx.requests.held_by(worker):
                at, left = self._now(), held
                if self._store.is_sqlite:
                    left = held.wait(until=at)
                    await tx.requests.save(left)
                wait = left.lease_until - at if left.lease_until else timedelta(0)
                await self._courier.send(tx.connection, jobs.execute(left, delay=_after(wait)))

    async def _act_in_time(self, attempt: _Attempt, since: float) -> None:
        """Act while the lease is known to be ours: whoever cannot renew it stops before somebody else begins.

        Raises TimeoutError then.
        """
        async with asyncio.timeout_at(since + self._lease.total_seconds() * SURE) as sure:
            renewals = asyncio.create_task(self._renew(attempt.request, sure))
            try:
                for wave in attempt.request.waves:
                    await asyncio.gather(*(self._act(attempt, target) for target in wave))
            finally:
                renewals.cancel()

    async def _renew(self, request: ActionRequest, sure: asyncio.Timeout) -> None:
        """Keep the lease, and move `sure` with it; a database that is away for a moment is asked again."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._lease.total_seconds() / RENEWALS)
            since = clock()
            try:
                is_ours = await self._renewed(request)
            except Unavailable as error:
                log.warning("%s: the lease could not be renewed: %s", request.id, error.reason)
                continue
            if sure.expired():
                return
            sure.reschedule(since + self._lease.total_seconds() * SURE if is_ours else since)

    async def _renewed(self, request: ActionRequest) -> bool:
        """Whether the request is still ours; if so, for a whole lease more."""
        until = self._now() + self._lease
        async with self._store.begin() as tx:
            is_ours = _is_same_attempt(await tx.requests.get(request.id), request)
            if is_ours:
                await tx.requests.renew(request.id, holder=request.holder, until=until)
        return is_ours

    async def _act(self, attempt: _Attempt, target: Target) -> None:
        """Act on one target, and write down what came of it; what is left open is for the next attempt."""
        async with attempt.slots:
            try:
                async with asyncio.timeout(TOTAL_SECONDS):
                    outcome = await self._outcome(attempt, target)
            except Unavailable as error:
                attempt.left[target.subscription_id] = error
            except TimeoutError:
                attempt.left[target.subscription_id] = Unavailable(reason="timeout")
            except NotFound as error:
                outcome = Outcome(confirmed=False, error=error.code)
                await self._settle(attempt, target, _no(target), outcome)
            except Upstream as error:
                is_seen = isinstance(error, Conflict) and error.reason == CHANGED_SINCE_CONFIRMED
                result = Result.FAILED if is_seen else _no(target)
                await self._settle(attempt, target, result, _failure(error))
            else:
                result = Result.FAILED if outcome.error else Result.DONE
                await self._settle(attempt, target, result, outcome)

    async def _outcome(self, attempt: _Attempt, target: Target) -> Outcome:
        request = attempt.request
        if request.action.verb is Verb.CANCEL_AZURE:
            return await self._cancelled(attempt, target)
        customer, subscription = request.action.customer_id, target.subscription_id
        if request.gone:
            return await self._seen(attempt, target, request.gone)
        if request.dry_run:
            await self._must_be_as_confirmed(request, target)
            return Outcome(dry_run=True)
        suspends = request.action.verb is Verb.SUSPEND
        write = self._partner_center.suspend if suspends else self._partner_center.resume
        # What is looked at is what the write then goes by: nothing can change between the two unseen.
        written = await attempt.sends(
            target,
            write(customer, subscription, ms_request_id=UUID(target.ms_request_id), as_confirmed=target.seen),
        )
        await self._store.keep(lambda tx: tx.mirror.put_subscription(written.subscription, at=self._now()))
        changed = written.changed or target.may_have_been_sent_before
        since = self._limits.day() if changed else None
        return Outcome(
            changed=changed,
            confirmed=written.confirmed,
            correlation_id=written.correlation_id,
            deletes_on=self._deadline(written.subscription, since) if suspends else None,
        )

    async def _seen(self, attempt: _Attempt, target: Target, gone: Gone) -> Outcome:
        """What came of it so far, where nothing may be sent any more."""
        attempt.unsent.add(target.subscription_id)
        verb = attempt.request.action.verb
        found = await self._partner_center.subscription(
            attempt.request.action.customer_id, target.subscription_id
        )
        if found.status is not _WANTED[verb]:
            return Outcome(confirmed=False, error=CALLED_OFF, reason=gone)
        await self._store.keep(lambda tx: tx.mirror.put_subscription(found, at=self._now()))
        changed = target.may_have_been_sent_before
        since = self._limits.day() if changed else None
        return Outcome(
            changed=changed,
            deletes_on=self._deadline(found, since) if verb is Verb.SUSPEND else None,
        )

    async def _cancelled(self, attempt: _Attempt, target: Target) -> Outcome:
        """Have an Azure subscription cancelled. What Microsoft accepted is only looked at from then on."""
        request, plan = attempt.request, target.parent_id or SubscriptionId("")
        if request.dry_run:
            return Outcome(dry_run=True)
        customer, child = request.action.customer_id, target.subscription_id
        if target.was_accepted and target.outcome:
            found = await self._partner_center.azure_child(customer, plan, child)
            took, accepted = not found.is_active, target.outcome
        elif request.gone:
            attempt.unsent.add(child)
            if (await self._partner_center.azure_child(customer, plan, child)).is_active:
                return Outcome(confirmed=False, error=CALLED_OFF, reason=request.gone)
            return Outcome(changed=target.may_have_been_sent_before)
        else:
            cancel = self._partner_center.cancel_azure
            written = await attempt.sends(
                target, cancel(customer, plan, child, ms_request_id=UUID(target.ms_request_id))
            )
            changed = written.sent or target.may_have_been_sent_before
            took = written.took
            accepted = Outcome(changed=changed, confirmed=False, correlation_id=written.correlation_id)
            if not took:
                await self._settle(attempt, target, Result.OPEN, accepted)
        if not took:
            raise NotReady(reason="accepted", correlation_id=accepted.correlation_id)
        return replace(accepted, confirmed=True)

    async def _must_be_as_confirmed(self, request: ActionRequest, target: Target) -> None:
        """Raise Conflict where a write would: status, quantity or term are not those that were confirmed."""
        action = request.action
        found = await self._partner_center.subscription(action.customer_id, target.subscription_id)
        if found.status is not _WANTED[action.verb] and found.fingerprint != target.seen:
            raise Conflict(reason=CHANGED_SINCE_CONFIRMED)

    async def _claim(self, request_id: str) -> ActionRequest | None:
        at = self._now()
        async with self._store.begin() as tx:
            request = await tx.requests.get(request_id)
            try:
                claimed = request.claim(at=at, lease=self._lease, holder=self._holder)
            except AlreadyDecided:
                return None  # cancelled, not due yet, or somebody else is at it
            called_off = await self._called_off(tx, request)
            if called_off and called_off.status is Status.WITHDRAWN:
                await tx.requests.save(called_off)
                await self._tell(tx, called_off)
                return None
            if called_off:  # what may have been done already is only looked at
                claimed = replace(claimed, gone=called_off.gone)
            elif await self._keeps_hours(tx, request) or await self._must_wait(tx, request):
                return None
            await tx.requests.save(claimed)
            facts = change(request.status, claimed.status)
            await tx.audit.append(AuditTag.REQUEST_STARTED, request.id, attempt=claimed.attempt, **facts)
            if len(claimed.targets) > 1:
                await self._courier.send(tx.connection, jobs.show_request(claimed))
            return claimed

    async def _called_off(self, tx: Tx, request: ActionRequest) -> ActionRequest | None:
        """What becomes of it where what it stood on is gone: they paid, say, or the policy exempts them by now."""
        if request.gone:
            return request
        at = self._now()
        called_off = request.call_off(await self._grounds(tx, request), at=at)
        if called_off is None and await tx.requests.is_overtaken(request):
            called_off = request.called_off(Gone.OVERTAKEN, at=at)
        if called_off:
            facts = change(request.status, called_off.status)
            await tx.audit.append(AuditTag.REQUEST_CALLED_OFF, request.id, why=called_off.gone, **facts)
        return called_off

    async def _keeps_hours(self, tx: Tx, request: ActionRequest) -> bool:
        """Whether the billing policy has nobody cut off now; it is then put off until that is over."""
        is_open = request.status is Status.APPROVED
        if not (is_open and request.action.is_for_debt) or any(
            t.may_have_been_sent for t in request.open_targets
        ):
            return False
        at = self._now()
        until = self._may_cut_off(at)
        if until <= at:
            return False
        waiting = request.keep_hours(until=until)
        await tx.requests.save(waiting)
        await tx.audit.append(AuditTag.REQUEST_POSTPONED, request.id, until=until.isoformat())
        delay = (until - at).total_seconds()
        await self._courier.send(tx.connection, jobs.execute(waiting, delay=delay))
        await self._courier.send(tx.connection, jobs.show_request(waiting))
        return True

    async def _must_wait(self, tx: Tx, request: ActionRequest) -> bool:
        """Whether the daily limit holds it back; it is then put off until the next day."""
        fresh = [target for target in request.open_targets if target.begun_at is None]
        if request.action.verb is not Verb.SUSPEND or request.dry_run or not fresh:
            return False
        limit = await self._limits.within(tx)
        if limit.allows(len(fresh)):
            return False
        waiting = request.postpone(until=self._limits.tomorrow())
        await tx.requests.save(waiting)
        await tx.audit.append(AuditTag.REQUEST_POSTPONED, request.id, limit=limit.most, begun=limit.begun)
        delay = (self._limits.tomorrow() - self._now()).total_seconds()
        await self._courier.send(tx.connection, jobs.execute(waiting, delay=delay))
        await self._courier.send(tx.connection, jobs.show_request(waiting))
        await self._courier.send(tx.connection, jobs.show_limit(limit.day))
        return True

    async def _settle(self, attempt: _Attempt, target: Target, result: Result, outcome: Outcome) -> None:
        """Write down what came of it; it is known, so a database that is away for a moment is waited for."""
        at = self._now()

        async def write_down(tx: Tx) -> None:
            request = await tx.requests.get(attempt.request.id)
            if not _is_same_attempt(request, attempt.request):
                log.warning("%s: no longer ours, so %s is not written down", request.id, result)
                return
            unsent = target.subscription_id in attempt.unsent
            settled = request.settle(target.subscription_id, result, outcome, at=at, unsent=unsent)
            if settled == request:
                return  # it was kept, and only the answer was lost
            await tx.requests.save(settled)
            await self._write_down(tx, request, settled, target, outcome)
            if settled.status is not Status.EXECUTING:
                await self._tell(tx, settled)
            elif at - attempt.shown_at >= PROGRESS_AFTER:
                attempt.shown_at = at
                await self._courier.send(tx.connection, jobs.show_request(settled))

        await self._store.keep(write_down)

    async def _write_down(
        self, tx: Tx, before: ActionRequest, request: ActionRequest, target: Target, outcome: Outcome
    ) -> None:
        facts: dict[str, Any] = {
            "subscription": target.subscription_id,
            "changed": outcome.changed,
            "confirmed": outcome.confirmed,
            "dry_run": outcome.dry_run,
            "error": outcome.error,
            "reason": outcome.reason,
            "correlation_id": outcome.correlation_id,
        }
        if len(request.targets) > 1:
            [settled] = [t for t in request.targets if t.subscription_id == target.subscription_id]
            facts |= {"result": settled.result.value, **change(target.result, settled.result)}
            await tx.audit.append(AuditTag.REQUEST_TARGET_SETTLED, request.id, **facts)
            facts = {name: sum(t.result is r for t in request.targets) for name, r in _COUNTED.items()}
        if request.status is not Status.EXECUTING:
            facts |= {"status": request.status.value, **change(before.status, request.status)}
            await tx.audit.append(AuditTag.REQUEST_FINISHED, request.id, **facts)

    async def _tell(self, tx: Tx, request: ActionRequest) -> None:
        await self._courier.send(tx.connection, jobs.show_request(request))
        await self._courier.send(tx.connection, jobs.tell_result(request))

    async def _again(self, attempt: _Attempt) -> None:
        """Try what is left once more after a while; after many tries stop, and say what is known.

        Microsoft's "not now" means that nothing was done. Silence means that nobody can tell: a person decides.
        """
        request = attempt.request
        for subscription, error in attempt.left.items():
            log.warning(
                "%s, %s, attempt %d: %s %s",
                request.id,
                subscription,
                request.attempt,
                error.code,
                error.reason,
            )
        async with self._store.read() as tx:
            targets = (await tx.requests.get(request.id, to_change=False)).open_targets
        for target in targets:
            error = attempt.left.get(target.subscription_id, _SILENCE)
            if request.attempt >= (LOOKS if target.was_accepted else TRIES):
                refused = isinstance(error, NotReady | Throttled) and not target.may_have_been_sent_before
                outcome = replace(_failure(error), changed=target.was_accepted)
                await self._settle(attempt, target, Result.FAILED if refused else Result.UNKNOWN, outcome)
        async with self._store.begin() as tx:
            current = await tx.requests.get(request.id)
            if not _is_same_attempt(current, request):
                return  # it is over, or whoever took over looks into it
            waiting = current.wait(until=self._now() + self._retry_after, unsent=attempt.unsent)
            await tx.requests.save(waiting)
            await self._courier.send(tx.connection, jobs.execute(waiting, delay=_after(self._retry_after)))
            await self._courier.send(tx.connection, jobs.show_request(waiting))


@dataclass
class _Attempt:
    """One worker's go at a request, and what it leaves open."""

    request: ActionRequest
    shown_at: datetime
    left: dict[str, Unavailable] = field(default_factory=dict)
    unsent: set[SubscriptionId] = field(default_factory=set)
    """Those of which it is known that nothing was sent."""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def sends(self, target: Target, write: Coroutine[Any, Any, Sent]) -> Sent:
        """What a write came to, where it says so. Its errors leave a doubt or do not, as `PartnerCenter` says."""
        try:
            return await write
        except Unavailable as error:
            if type(error) is not Unavailable or error.reason == NOT_SENT:
                self.unsent.add(target.subscription_id)
            raise


_SILENCE = Unavailable(reason="timeout")
_COUNTED = {"done": Result.DONE, "failed": Result.FAILED, "unknown": Result.UNKNOWN}


def _no(target: Target) -> Result:
    """What a definite no makes of a target: it says nothing of what an attempt before may have done."""
    return Result.UNKNOWN if target.may_have_been_sent_before else Result.FAILED


def _is_same_attempt(found: ActionRequest, request: ActionRequest) -> bool:
    """Whether nobody took over since we claimed it: then only the successor's word counts."""
    return found.status is Status.EXECUTING and (found.round, found.attempt) == (
        request.round,
        request.attempt,
    )


def _after(wait: timedelta) -> float:
    """Seconds until a lease of that length is over for certain."""
    return max(0.0, wait.total_seconds()) + 0.1


def _failure(error: Upstream) -> Outcome:
    return Outcome(
        confirmed=False, error=error.code, reason=error.reason, correlation_id=error.correlation_id
    )
