"""Requests: place, approve, deny, withdraw, cancel, expire. Load, decide, save, tell: one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from bot.courier import Courier
from bot.domain.action import Action, Reason, Verb, approvals_to_resume, must_be_cancellable
from bot.domain.audit import AuditTag
from bot.domain.collection import Gone, Ground
from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import AlreadyWaiting, BackstopError, BooksUnsure, NotFound
from bot.domain.people import Person
from bot.domain.request import NO_GROUND, ActionRequest, RequestId, Status, Target
from bot.services import jobs
from bot.services.day import Grounds
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
    cancels_azure: bool = False
    """Whether an Azure subscription may be cancelled at all."""


@dataclass(frozen=True, slots=True)
class ConfirmedSubscription:
    """A subscription as the confirmation showed it; `seen` is its fingerprint."""

    id: SubscriptionId
    name: str
    seen: str
    parent_id: SubscriptionId | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the confirmation showed; a request is placed from this and nothing else."""

    customer_id: CustomerId
    customer_name: str
    subscriptions: tuple[ConfirmedSubscription, ...]
    reason: Reason
    note: str
    policy_note: str
    approvals_needed: int
    time_to_live: timedelta | None = None
    """Shorter than the setting, where the billing policy says so."""
    not_before: datetime | None = None
    ground: Ground = NO_GROUND
    debtors: tuple[str, ...] = ()


_CONFIRMED = TypeAdapter(Confirmed)


class Requests:
    """The use cases around a request. Rights and rules are refused in the domain, by type."""

    def __init__(
        self,
        store: Store,
        courier: Courier,
        *,
        rules: Rules,
        grounds: Grounds,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._grounds = grounds
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

    async def confirmable(self, draft_id: str, confirmed: Confirmed, *, by: Person) -> Draft:
        """Keep what the confirmation is going to show, before it is shown."""
        kept = _CONFIRMED.dump_python(confirmed, mode="json")
        return await self.change_draft(draft_id, by=by, confirmed=kept)

    async def approvals_needed(
        self, verb: Verb, subscriptions: Collection[SubscriptionId], *, by_policy: int = 0
    ) -> int:
        """How many approvals a request would need now; `by_policy` is what the billing policy asks for."""
        async with self._store.read() as tx:
            return await self._approvals_needed(tx, verb, subscriptions, by_policy=by_policy)

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
            shown = _CONFIRMED.validate_python(draft.confirmed)
            action = Action(
                verb=draft.verb,
                customer_id=shown.customer_id,
                customer_name=shown.customer_name,
                reason=shown.reason,
                note=shown.note,
            )
            if draft.verb is Verb.CANCEL_AZURE:
                must_be_cancellable(action.reason, switched_on=self.rules.cancels_azure)
            # Between *Continue* and *Confirm* somebody may have suspended it for fraud.
            needed = await self._approvals_needed(
                tx, draft.verb, [s.id for s in shown.subscriptions], by_policy=shown.approvals_needed
            )
            request = ActionRequest.place(
                RequestId(draft.id),
                action,
                [
                    Target(s.id, s.name, s.seen, ms_request_id=str(uuid4()), parent_id=s.parent_id)
                    for s in shown.subscriptions
                ],
                by=by,
                at=self._now(),
                time_to_live=min(shown.time_to_live or self.rules.time_to_live, self.rules.time_to_live),
                approvals_needed=needed,
                undo=self.rules.undo_window,
                not_before=shown.not_before,
                policy_note=shown.policy_note,
                dry_run=self.rules.dry_run,
                ground=shown.ground,
                debtors=shown.debtors,
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
                verb=action.verb.value,
                customer=action.customer_id,
                customer_name=action.customer_name,
                subscriptions={target.subscription_id: target.name for target in request.targets},
                reason=action.reason.value,
                note=action.note,
                policy=request.policy_note,
                approvals_needed=request.approvals_needed,
                not_before=shown.not_before.isoformat() if shown.not_before else None,
                instead_of=draft.form.get("instead_of"),
                dry_run=request.dry_run,
            )
            await self._pass_on(tx, request)
        return request

    async def approve(self, request_id: str, *, by: Person) -> ActionRequest:
        """Add an approval. What is owed is read again first: a request whose debt was paid meanwhile is called off.

        Raises BooksUnsure where the books have become too old, or lost rows, since it was confirmed.
        """
        async with self._store.begin() as tx:
            request = (await tx.requests.get(request_id)).approve(by=by, at=self._now())
            called_off = request.call_off(await self._grounds(tx, request), at=self._now())
            if called_off and called_off.gone is Gone.UNSURE:
                raise BooksUnsure(request.id)
            if called_off is None:
                await tx.requests.save(request)
            facts = {"approvals": len(request.approvals), "needed": request.approvals_needed}
            await tx.audit.append(AuditTag.REQUEST_APPROVED, request.id, by=by.id, **facts)
            if called_off:
                return await self._call_off(tx, called_off)
            await self._pass_on(tx, request)
        return request

    async def _call_off(self, tx: Tx, request: ActionRequest) -> ActionRequest:
        await tx.requests.save(request)
        await tx.audit.append(AuditTag.REQUEST_CALLED_OFF, request.id, why=request.gone)
        await self._pass_on(tx, request)
        return request

    async def deny(self, request_id: str, *, by: Person, why: str) -> ActionRequest:
        return await self._changed(
            request_id,
            lambda request, at: request.deny(by=by, at=at, why=why),
            AuditTag.REQUEST_DENIED,
            by=by,
            facts=lambda _: {"why": why},
        )

    async def withdraw(self, request_id: str, *, by: Person) -> ActionRequest:
        """Take a pending request back."""
        return await self._changed(
            request_id, lambda request, at: request.withdraw(by=by, at=at), AuditTag.REQUEST_WITHDRAWN, by=by
        )

    async def cancel(self, request_id: str, *, by: Person) -> ActionRequest:
        """Stop an approved request before it acts."""
        return await self._changed(
            request_id, lambda request, at: request.cancel(by=by, at=at), AuditTag.REQUEST_CANCELLED, by=by
        )

    async def look_again(self, request_id: str, *, by: Person) -> ActionRequest:
        """Have an outcome nobody knows looked into once more; what is not done yet is then done."""
        return await self._changed(
            request_id, lambda request, at: request.look_again(by=by, at=at), AuditTag.REQUEST_REOPENED, by=by
        )

    async def retry(self, request_id: str, *, by: Person) -> ActionRequest:
        """Have what failed tried again."""
        return await self._changed(
            request_id, lambda request, at: request.retry(by=by, at=at), AuditTag.REQUEST_RETRIED, by=by
        )

    async def _changed(
        self,
        request_id: str,
        change: Callable[[ActionRequest, datetime], ActionRequest],
        tag: AuditTag,
        *,
        by: Person,
        facts: Callable[[ActionRequest], dict[str, object]] = lambda _: {},
    ) -> ActionRequest:
        """Load, let the domain decide, save, tell: one transaction."""
        async with self._store.begin() as tx:
            request = change(await tx.requests.get(request_id), self._now())
            await tx.requests.save(request)
            await tx.audit.append(tag, request.id, by=by.id, **facts(request))
            await self._pass_on(tx, request)
        return request

    async def _approvals_needed(
        self, tx: Tx, verb: Verb, subscriptions: Collection[SubscriptionId], *, by_policy: int
    ) -> int:
        if verb is Verb.SUSPEND:
            return max(self.rules.approvals_suspend, by_policy)
        if verb is Verb.RESUME:
            reasons = [r.action.reason for r in (await tx.requests.last_suspensions(subscriptions)).values()]
            reasons += [
                drift.reason
                for drift in (await tx.drifts.standing(subscriptions)).values()
                if drift.became is SubscriptionStatus.SUSPENDED and drift.reason
            ]
            return max(approvals_to_resume(self.rules.approvals_resume, suspended_for=reasons), by_policy)
        return max(verb.least_approvals, by_policy)

    async def may_decide(self, request_id: str, *, by: Person) -> ActionRequest:
        """The request, if this person could decide on it now; else the refusal a decision would meet."""
        async with self._store.read() as tx:
            request = await tx.requests.get(request_id, to_change=False)
        request.deny(by=by, at=self._now(), why="")
        return request

    async def get(self, request_id: str) -> ActionRequest:
        async with self._store.read() as tx:
            return await tx.requests.get(request_id, to_change=False)

    async def open(self, *, limit: int = 50) -> list[ActionRequest]:
        """Those that are not over, oldest first."""
        async with self._store.read() as tx:
            return await tx.requests.open(limit=limit)

    async def about(self, customer_id: CustomerId, *, since: datetime) -> list[ActionRequest]:
        """All that was asked for about a customer since that moment, whatever became of it, oldest first."""
        async with self._store.read() as tx:
            return [r for r in await tx.requests.placed_since(since) if r.action.customer_id == customer_id]

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
                called_off = request.call_off(await self._grounds(tx, request), at=at)
                if called_off and called_off.gone is not Gone.UNSURE:  # the next import may tell
                    await self._call_off(tx, called_off)
                elif reminder := request.reminder(at=at):
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
