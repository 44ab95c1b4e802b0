"""Requests: place, approve, deny, withdraw, cancel, expire. Load, decide, save, tell: one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import AlreadyWaiting, BackstopError, NotFound
from bot.domain.people import Person
from bot.domain.request import Action, ActionRequest, Reason, RequestId, Status, Verb
from bot.services import jobs
from bot.store import Store, Tx, drafts
from bot.store.drafts import Draft

STRANDED_AFTER = timedelta(seconds=60)
"""An approved request nobody has begun for so long has lost its job."""
LOOK_BACK = timedelta(days=2)
"""How far back the sweep looks for cards and answers that never reached Slack."""
DRAFTS_LIVE = timedelta(days=2)
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's settings a request is born with."""

    approvals_suspend: int = 1
    approvals_resume: int = 0
    time_to_live: timedelta = timedelta(hours=24)
    undo_window: timedelta = timedelta(minutes=2)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the confirmation showed; a request is placed from this and nothing else."""

    customer_id: str
    customer_name: str
    subscription_id: str
    subscription_name: str
    reason: str
    note: str
    seen: str
    policy_note: str
    approvals_needed: int


class Requests:
    """The use cases around a request. Rights and rules are refused in the domain, by type."""

    def __init__(self, store: Store, courier: Courier, *, rules: Rules, now: Callable[[], datetime]) -> None:
        self._store = store
        self._courier = courier
        self._now = now
        self.rules = rules

    async def begin_draft(
        self,
        verb: Verb,
        *,
        by: Person,
        channel: str,
        customer_id: CustomerId | None = None,
        form: dict[str, Any] | None = None,
    ) -> Draft:
        """Keep what somebody starts to fill in. Its id will be the request's."""
        draft = Draft(
            id=_new_id(),
            person=by.id,
            verb=verb,
            channel=channel,
            created_at=self._now(),
            customer_id=customer_id,
            form=form or {},
        )
        await self._store.write(drafts.addition(draft))
        return draft

    async def draft(self, draft_id: str, *, by: Person) -> Draft:
        """That person's own draft, or NotFound."""
        async with self._store.read() as tx:
            return await tx.drafts.get(draft_id, person=by.id)

    async def change_draft(self, draft_id: str, *, by: Person, **changes: Any) -> Draft:
        async with self._store.begin() as tx:
            draft = replace(await tx.drafts.get(draft_id, person=by.id), **changes)
            await tx.drafts.save(draft)
        return draft

    async def confirmable(self, draft_id: str, confirmed: dict[str, Any], *, by: Person) -> Draft:
        """Keep what the confirmation is going to show, before it is shown."""
        return await self.change_draft(draft_id, by=by, confirmed=confirmed)

    async def place(self, draft_id: str, *, by: Person) -> ActionRequest:
        """Turn a confirmed draft into a request. A second *Confirm* of the same draft changes nothing.

        Raises NotPermitted, AlreadyWaiting, or NotFound for a draft that is not theirs or never confirmed.
        """
        async with self._store.begin() as tx:
            try:
                placed = await tx.requests.get(draft_id)
            except NotFound:
                pass
            else:
                if placed.requested_by != by.id:
                    raise NotFound("draft", draft_id)
                return placed
            draft = await tx.drafts.get(draft_id, person=by.id)
            if draft.confirmed is None:
                raise NotFound("draft", draft_id)
            shown = Confirmed(**draft.confirmed)
            request = ActionRequest.place(
                RequestId(draft.id),
                Action(
                    verb=draft.verb,
                    customer_id=CustomerId(shown.customer_id),
                    customer_name=shown.customer_name,
                    subscription_id=SubscriptionId(shown.subscription_id),
                    subscription_name=shown.subscription_name,
                    reason=Reason(shown.reason),
                    note=shown.note,
                ),
                by=by,
                at=self._now(),
                time_to_live=self.rules.time_to_live,
                approvals_needed=shown.approvals_needed,
                undo=self.rules.undo_window,
                seen=shown.seen,
                ms_request_id=str(uuid4()),
                policy_note=shown.policy_note,
                dry_run=self.rules.dry_run,
            )
            try:
                await tx.requests.add(request)
            except AlreadyWaiting as waiting:
                if waiting.request_id != request.id:
                    raise
                return await tx.requests.get(request.id)  # the same *Confirm*, taken by two replicas at once
            await tx.audit.append(
                AuditTag.REQUEST_PLACED,
                request.id,
                by=by.id,
                verb=request.action.verb.value,
                customer=shown.customer_id,
                customer_name=shown.customer_name,
                subscription=shown.subscription_id,
                subscription_name=shown.subscription_name,
                reason=shown.reason,
                note=shown.note,
                policy=shown.policy_note,
                approvals_needed=shown.approvals_needed,
                dry_run=request.dry_run,
            )
            await self._pass_on(tx, request)
        return request

    async def approve(self, request_id: str, *, by: Person) -> ActionRequest:
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).approve(by=by, at=self._now())
            await tx.requests.save(request)
            await tx.audit.append(
                AuditTag.REQUEST_APPROVED,
                request.id,
                by=by.id,
                approvals=len(request.approvals),
                needed=request.approvals_needed,
            )
            await self._pass_on(tx, request)
        return request

    async def deny(self, request_id: str, *, by: Person, why: str) -> ActionRequest:
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).deny(by=by, at=self._now(), why=why)
            await tx.requests.save(request)
            await tx.audit.append(AuditTag.REQUEST_DENIED, request.id, by=by.id, why=why)
            await self._pass_on(tx, request)
        return request

    async def withdraw(self, request_id: str, *, by: Person) -> ActionRequest:
        """Take a pending request back."""
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).withdraw(by=by, at=self._now())
            await tx.requests.save(request)
            await tx.audit.append(AuditTag.REQUEST_WITHDRAWN, request.id, by=by.id)
            await self._pass_on(tx, request)
        return request

    async def cancel(self, request_id: str, *, by: Person) -> ActionRequest:
        """Stop an approved request inside its undo window."""
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).cancel(by=by, at=self._now())
            await tx.requests.save(request)
            await tx.audit.append(AuditTag.REQUEST_CANCELLED, request.id, by=by.id)
            await self._pass_on(tx, request)
        return request

    async def look_again(self, request_id: str, *, by: Person) -> ActionRequest:
        """Have an outcome nobody knows looked into once more; what is not done yet is then done."""
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).look_again(by=by, at=self._now())
            await tx.requests.save(request)
            await tx.audit.append(AuditTag.REQUEST_REOPENED, request.id, by=by.id)
            await self._pass_on(tx, request)
        return request

    async def may_decide(self, request_id: str, *, by: Person) -> ActionRequest:
        """The request, if this person could decide on it now; else the refusal a decision would meet."""
        async with self._store.read() as tx:
            request = await tx.requests.get(request_id, to_change=False)
        request.deny(by=by, at=self._now(), why="")
        return request

    async def get(self, request_id: str) -> ActionRequest:
        async with self._store.read() as tx:
            return await tx.requests.get(request_id, to_change=False)

    async def last_suspension(self, subscription: SubscriptionId) -> ActionRequest | None:
        """The newest suspension of it that Backstop carried out; None for one it knows nothing of."""
        async with self._store.read() as tx:
            return (await tx.requests.last_suspensions([subscription])).get(subscription)

    async def open(self, *, limit: int = 50) -> list[ActionRequest]:
        """Those that are not over, oldest first."""
        async with self._store.read() as tx:
            return await tx.requests.open(limit=limit)

    async def counts(self) -> dict[Status, int]:
        """How many there are of each open status."""
        async with self._store.read() as tx:
            return await tx.requests.counts()

    async def refused(self, error: BackstopError, *, by: Person, subject: str, attempted: str) -> None:
        """Remember that somebody was told no."""
        async with self._store.begin() as tx:
            await tx.audit.append(
                AuditTag.ACCESS_REFUSED, subject, by=by.id, attempted=attempted, error=error.code
            )

    async def sweep(self) -> None:
        """Expire what nobody decided, remind of what waits long, hand out again what was left behind.

        Left behind by a worker that died, or by a Slack that did not hear.
        """
        at = self._now()
        async with self._store.begin() as tx:
            for request in await tx.requests.expired(at=at):
                expired = request.expire(at=at)
                await tx.requests.save(expired)
                await tx.audit.append(AuditTag.REQUEST_EXPIRED, expired.id)
                await self._pass_on(tx, expired)
            for request in await tx.requests.stranded(at=at, grace=STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.execute(request))
            for request in await tx.requests.pending():
                if reminder := request.reminder(at=at):
                    await self._courier.send(tx.connection, jobs.remind(request, reminder))
            since, until = at - LOOK_BACK, at - STRANDED_AFTER
            for request in await tx.requests.behind(since=since, until=until):
                await self._courier.send(tx.connection, jobs.show_request(request))
            for request in await tx.requests.untold(since=since, until=until):
                await self._courier.send(tx.connection, jobs.tell_result(request))
            await tx.drafts.forget_before(at - DRAFTS_LIVE)

    async def _pass_on(self, tx: Tx, request: ActionRequest) -> None:
        """What follows from the new state, in the very transaction that made it."""
        if request.acts_at and not request.status.is_final:
            wait = max(0.0, (request.acts_at - self._now()).total_seconds())
            await self._courier.send(tx.connection, jobs.execute(request, delay=wait))
        await self._courier.send(tx.connection, jobs.show_request(request))
        if request.status.is_final:
            await self._courier.send(tx.connection, jobs.tell_result(request))


def _new_id() -> str:
    """Short enough to say on the phone, random enough that nobody guesses one: 50 bits, no 0 O 1 I L U."""
    return "R-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
