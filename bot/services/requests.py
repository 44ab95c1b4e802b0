"""Requests: place, approve, deny, withdraw, cancel, expire. Load, decide, save, tell: one transaction each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from bot.courier import Courier
from bot.domain.action import Action, Reason, Verb, approvals_to_resume, must_be_cancellable
from bot.domain.audit import AuditTag, change
from bot.domain.collection import Gone, Ground
from bot.domain.confirmation import must_be_newest
from bot.domain.customer import Customer, CustomerId, SubscriptionId, SubscriptionStatus
from bot.domain.errors import (
    AlreadyWaiting,
    BackstopError,
    BooksUnsure,
    CodeNeeded,
    Invalid,
    NotFound,
)
from bot.domain.glass import LEAST, REASON, BrokenGlass, right_of, words
from bot.domain.people import Person, Right
from bot.domain.request import NO_GROUND, ActionRequest, RequestId, Status, Target
from bot.domain.stamps import StampReport, stamps
from bot.services import jobs
from bot.services.day import Grounds
from bot.services.new_id import new_id, new_nonce, nonce_of
from bot.services.reach import Reach
from bot.services.step_up import FIELD, Authenticators
from bot.store import Store, Tx, drafts
from bot.store.drafts import Draft

STRANDED_AFTER = timedelta(seconds=60)
"""An approved request nobody has begun for so long has lost its job."""
SLOW_AFTER = 1.0
"""Seconds after which a card is drawn though what was approved is not done: until then nobody wonders."""
LOOK_BACK = timedelta(days=2)
"""How far back the sweep looks for cards and answers that never reached Slack."""
DRAFTS_LIVE = timedelta(days=2)


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
        reach: Reach,
        authenticators: Authenticators,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._grounds = grounds
        self._reach = reach
        self._authenticators = authenticators
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
            id=new_id("R"),
            person=by.id,
            verb=verb,
            channel=channel,
            created_at=self._now(),
            customer_id=customer_id,
            form=form or {},
            nonce=new_nonce(),
        )
        await self._store.write(drafts.addition(draft))
        return draft

    async def draft(self, draft_id: str, *, by: Person) -> Draft:
        """That person's own draft, or NotFound."""
        async with self._store.read() as tx:
            return await tx.drafts.get(draft_id, person=by.id)

    async def change_draft(self, draft_id: str, *, by: Person, **changes: Any) -> Draft:
        async with self._store.begin() as tx:
            draft = replace(await tx.drafts.get(draft_id, person=by.id, to_change=True), **changes)
            await tx.drafts.save(draft)
        return draft

    async def begin_confirmation(self, draft_id: str, *, by: Person, click: str = "") -> Draft:
        """*Continue*: whatever was worked out before, or still is, does not count any more.

        `click` is what no other click has in common with this one. Delivered again it begins nothing new: what the
        person was shown goes on counting.

        Raises NotFound where a request was made of the draft already, as for one that is not theirs.
        """
        async with self._store.begin() as tx:
            draft = await tx.drafts.get(draft_id, person=by.id, to_change=True)
            if await _placed(tx, draft_id):
                raise NotFound("draft", draft_id)
            nonce = nonce_of(draft_id, click) if click else new_nonce()
            if nonce != draft.nonce:
                draft = replace(draft, nonce=nonce, confirmed=None)
                await tx.drafts.save(draft)
        return draft

    async def newest(self, draft_id: str, nonce: str, *, by: Person) -> Draft:
        """That person's own draft. Raises ConfirmationOutdated where they have pressed *Continue* anew since."""
        draft = await self.draft(draft_id, by=by)
        must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
        return draft

    async def waiting_for(
        self, verb: Verb, subscriptions: Collection[SubscriptionId]
    ) -> dict[SubscriptionId, RequestId]:
        """For which of these the very thing is asked for already, and in which request."""
        async with self._store.read() as tx:
            return await tx.requests.waiting_for(verb, subscriptions)

    async def confirmable(self, draft_id: str, nonce: str, confirmed: Confirmed, *, by: Person) -> Draft:
        """Keep what the confirmation is going to show, before it is shown.

        Raises BeyondRights where the policy limits who may ask, and this is outside; ConfirmationOutdated where
        *Continue* was pressed anew while this was read.
        """
        if not confirmed.debtors:
            about = Customer(confirmed.customer_id, confirmed.customer_name, None)
            confirmed = replace(confirmed, debtors=await self._reach.debtors(about))
        async with self._store.read() as tx:
            draft = await tx.drafts.get(draft_id, person=by.id)
            must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
            await self._may_ask(tx, draft, confirmed, by=by)
        kept = _CONFIRMED.dump_python(confirmed, mode="json")
        async with self._store.begin() as tx:
            draft = replace(await self._newest_to_change(tx, draft_id, nonce, by=by), confirmed=kept)
            await tx.drafts.save(draft)
        return draft

    async def blocked(self, draft_id: str, nonce: str, kept: dict[str, Any], *, by: Person) -> Draft:
        """Remember what the person is shown instead of a confirmation. Raises ConfirmationOutdated as `confirmable`."""
        async with self._store.begin() as tx:
            draft = await self._newest_to_change(tx, draft_id, nonce, by=by)
            draft = replace(draft, form=draft.form | kept)
            await tx.drafts.save(draft)
        return draft

    async def approvals_needed(
        self, verb: Verb, subscriptions: Collection[SubscriptionId], *, by_policy: int = 0
    ) -> int:
        """How many approvals a request would need now; `by_policy` is what the billing policy asks for."""
        async with self._store.read() as tx:
            return await self._approvals_needed(tx, verb, subscriptions, by_policy=by_policy)

    async def place(self, draft_id: str, nonce: str, *, by: Person) -> ActionRequest:
        """Turn a confirmed draft into a request. A second *Confirm* of the same confirmation changes nothing.

        Raises NotPermitted, BeyondRights, AlreadyWaiting; NotFound for a draft that is not theirs or never confirmed;
        ConfirmationOutdated for any confirmation but the one that shows what would be placed.
        """
        async with self._store.begin() as tx:
            draft = await self._newest_to_change(tx, draft_id, nonce, by=by)
            if placed := await _placed(tx, draft_id):
                return placed
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
            await self._may_ask(tx, draft, shown, by=by)
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
                **change(None, request.status),
            )
            await self._pass_on(tx, request)
        return request

    async def _newest_to_change(self, tx: Tx, draft_id: str, nonce: str, *, by: Person) -> Draft:
        """As `newest`; and until our transaction ends nobody presses *Continue* anew."""
        draft = await tx.drafts.get(draft_id, person=by.id, to_change=True)
        must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
        return draft

    async def _may_ask(self, tx: Tx, draft: Draft, shown: Confirmed, *, by: Person) -> None:
        await self._reach.must_reach(
            tx,
            Right.OPERATE,
            by=by,
            request_id=draft.id,
            channel=draft.channel,
            reason=shown.reason,
            customer_id=shown.customer_id,
            debtors=shown.debtors,
        )

    async def _may_decide(self, tx: Tx, request: ActionRequest, right: Right, *, by: Person) -> None:
        await self._reach.must_reach(
            tx,
            right,
            by=by,
            request_id=request.id,
            channel=by.channel,
            reason=request.action.reason,
            customer_id=request.action.customer_id,
            debtors=request.debtors,
        )

    async def approve(self, request_id: str, *, by: Person, code: str | None = None) -> ActionRequest:
        """Add an approval. What is owed is read again first: a request whose debt was paid meanwhile is called off.

        Raises BeyondRights where the policy limits what they may approve, and this is outside. Raises CodeNeeded where
        it wants a code for this and there is none; Invalid for a wrong one, NotEnrolled and TooManyCodes. Raises
        BooksUnsure where the books have become too old, or lost rows, since it was confirmed.
        """
        return await self._with_code(self._approve, request_id, by=by, code=code)

    async def _approve(self, request_id: str, *, by: Person, code: str | None) -> ActionRequest:
        async with self._store.begin() as tx:
            before = await tx.requests.get(request_id)
            request = before.approve(by=by, at=self._now())
            await self._may_decide(tx, request, Right.APPROVE, by=by)
            return await self._let_through(tx, before, request, AuditTag.REQUEST_APPROVED, by=by, code=code)

    async def may_break_glass(self, request_id: str, *, by: Person) -> tuple[ActionRequest, bool]:
        """The request, if this person could break the glass now, and whether with a code; else the refusal."""
        async with self._store.read() as tx:
            request = await tx.requests.get(request_id, to_change=False)
            request.must_be_breakable(self._reach.break_glass, by=by, at=self._now())
            await self._may_decide(tx, request, right_of(by), by=by)
            return request, await self._reach.needs_code(tx, request)

    async def break_glass(
        self, request_id: str, *, by: Person, why: str, code: str | None = None
    ) -> ActionRequest:
        """Let a suspension act on one person's word. Everybody is told, and a review is due from then on.

        Raises GlassKept, and Invalid for a reason that says too little; else as `approve`: of what that holds to,
        only the other approvals are left out.
        """
        words(why, REASON, least=LEAST)  # a code is not to be tried for a form that cannot count
        return await self._with_code(partial(self._break_glass, why=why), request_id, by=by, code=code)

    async def _break_glass(self, request_id: str, *, by: Person, code: str | None, why: str) -> ActionRequest:
        async with self._store.begin() as tx:
            before, at = await tx.requests.get(request_id), self._now()
            request = before.break_glass(self._reach.break_glass, by=by, at=at, why=why)
            await self._may_decide(tx, request, right_of(by), by=by)
            said = request.decisions[-1].why
            facts = {"why": said, "own": by.id == request.requested_by}
            tag = AuditTag.REQUEST_GLASS_BROKEN
            request = await self._let_through(tx, before, request, tag, by=by, code=code, **facts)
            broken = BrokenGlass(request.id, by.id, said, at, request.requested_by)
            await tx.glasses.add(broken)
            await self._courier.send(tx.connection, jobs.tell_glass(broken))
        return request

    async def _with_code(
        self, step: Callable[..., Awaitable[ActionRequest]], request_id: str, *, by: Person, code: str | None
    ) -> ActionRequest:
        """A code that was given counts as a try whatever comes of the step, and a wrong one is remembered."""
        if code is None:
            return await step(request_id, by=by, code=None)
        by = await self._authenticators.count(request_id, by=by)
        try:
            return await step(request_id, by=by, code=code)
        except Invalid as error:
            if error.at == FIELD:
                await self._authenticators.was_wrong(request_id, by=by)
            raise

    async def _let_through(
        self,
        tx: Tx,
        before: ActionRequest,
        request: ActionRequest,
        tag: AuditTag,
        *,
        by: Person,
        code: str | None,
        **facts: object,
    ) -> ActionRequest:
        """Keep a yes, with its code where the policy wants one; what has lost its ground meanwhile is called off."""
        needs_code = await self._reach.needs_code(tx, request)
        if needs_code and code is None:
            raise CodeNeeded(request.id)
        if code is not None:
            await self._authenticators.spend(tx, code, by=by)
        called_off = request.call_off(await self._grounds(tx, request), at=self._now())
        if called_off and called_off.gone is Gone.UNSURE:
            raise BooksUnsure(request.id)
        if called_off is None:
            await tx.requests.save(request)
        facts = {
            "approvals": len(request.approvals),
            "needed": request.approvals_needed,
            **facts,
            **({"code": True} if code is not None else {}),
            **change(before.status, request.status),
        }
        await tx.audit.append(tag, request.id, by=by.id, **facts)
        if called_off:
            return await self._call_off(tx, request, called_off)
        await self._pass_on(tx, request, has_a_card=True)
        return request

    async def _call_off(self, tx: Tx, before: ActionRequest, request: ActionRequest) -> ActionRequest:
        facts = change(before.status, request.status)
        await tx.requests.save(request)
        await tx.audit.append(AuditTag.REQUEST_CALLED_OFF, request.id, why=request.gone, **facts)
        await self._pass_on(tx, request)
        return request

    async def deny(self, request_id: str, *, by: Person, why: str) -> ActionRequest:
        return await self._changed(
            request_id,
            lambda request, at: request.deny(by=by, at=at, why=why),
            AuditTag.REQUEST_DENIED,
            by=by,
            why=why,
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
        decide: Callable[[ActionRequest, datetime], ActionRequest],
        tag: AuditTag,
        *,
        by: Person,
        **facts: object,
    ) -> ActionRequest:
        """Load, let the domain decide, save, tell: one transaction."""
        async with self._store.begin() as tx:
            before = await tx.requests.get(request_id)
            request = decide(before, self._now())
            await tx.requests.save(request)
            facts |= change(before.status, request.status)
            await tx.audit.append(tag, request.id, by=by.id, **facts)
            await self._pass_on(tx, request)
        return request

    async def _approvals_needed(
        self, tx: Tx, verb: Verb, subscriptions: Collection[SubscriptionId], *, by_policy: int
    ) -> int:
        if verb is Verb.SUSPEND:
            return max(self.rules.approvals_suspend, by_policy)
        if verb is Verb.RESUME:
            reasons = [r.action.reason for r in (await tx.requests.last_suspensions(subscriptions)).values()]
            reasons += [r.action.reason for r in await tx.requests.perhaps_suspended(subscriptions)]
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

    async def waiting(self) -> int:
        """How many wait for a decision."""
        async with self._store.read() as tx:
            return (await tx.requests.counts()).get(Status.PENDING, 0)

    async def open(self, *, limit: int = 50) -> list[ActionRequest]:
        """Those that are not over, oldest first."""
        async with self._store.read() as tx:
            return await tx.requests.open(limit=limit)

    async def about(self, customer_id: CustomerId, *, since: datetime) -> list[ActionRequest]:
        """All that was asked for about a customer since that moment, whatever became of it, oldest first."""
        async with self._store.read() as tx:
            return [r for r in await tx.requests.placed_since(since) if r.action.customer_id == customer_id]

    async def stamps(self, *, since: datetime, until: datetime) -> StampReport:
        """How approvals were given from one moment up to the other."""
        async with self._store.read() as tx:
            placed = await tx.requests.placed_since(since - self.rules.time_to_live)
        return stamps(placed, since=since, until=until)

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
        for request in await self._groundless(at):
            await self._look_again(request)
        async with self._store.begin() as tx:
            for request in await tx.requests.expired(at=at):
                expired = request.expire(at=at)
                await tx.requests.save(expired)
                facts = change(request.status, expired.status)
                await tx.audit.append(AuditTag.REQUEST_EXPIRED, expired.id, **facts)
                await self._pass_on(tx, expired)
            for request in await tx.requests.stranded(at=at, grace=STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.execute(request))
            for request in await tx.requests.pending():
                reminder = request.reminder(at=at)
                if reminder and not await tx.posts.find(reminder_key(request.id, reminder)):
                    await self._courier.send(tx.connection, jobs.remind(request, reminder, at=at))
            since, until = at - LOOK_BACK, at - STRANDED_AFTER
            for request in await tx.requests.behind(since=since, until=until):
                await self._courier.send(tx.connection, jobs.show_request(request))
            for request in await tx.requests.untold(since=since, until=until):
                await self._courier.send(tx.connection, jobs.tell_result(request))
            await tx.drafts.forget_before(at - DRAFTS_LIVE)

    async def _groundless(self, at: datetime) -> list[ActionRequest]:
        """Those of the pending that have nothing to stand on any more.

        Only read: what each stands on takes several queries, and every click waits for whoever writes meanwhile.
        """
        async with self._store.read() as tx:
            pending = [r for r in await tx.requests.pending() if r.ground.owes and r.expires_at > at]
            return [r for r in pending if _is_groundless(r.call_off(await self._grounds(tx, r), at=at))]

    async def _look_again(self, request: ActionRequest) -> None:
        """Call it off, if that is still so."""
        async with self._store.begin() as tx:
            newest = await tx.requests.get(request.id)
            if newest.status is not Status.PENDING:
                return  # decided meanwhile
            called_off = newest.call_off(await self._grounds(tx, newest), at=self._now())
            if called_off and _is_groundless(called_off):
                await self._call_off(tx, newest, called_off)

    async def _pass_on(self, tx: Tx, request: ActionRequest, *, has_a_card: bool = False) -> None:
        """What follows from the new state, in the very transaction that made it.

        The card of what acts at once is drawn when that is done, and a moment later if it takes long, or if Slack did
        not take the drawing: to draw it before would only hold up what was approved.
        """
        if request.acts_at and not request.status.is_final:
            wait = max(0.0, (request.acts_at - self._now()).total_seconds())
            await self._courier.send(tx.connection, jobs.execute(request, delay=wait))
            if has_a_card and not wait:
                await self._courier.send(tx.connection, jobs.show_request(request, delay=SLOW_AFTER))
                return
        await self._courier.send(tx.connection, jobs.show_request(request))
        if request.status.is_final:
            await self._courier.send(tx.connection, jobs.tell_result(request))


def reminder_key(request_id: str, reminder: str) -> str:
    """Of the post that says that everybody was reminded."""
    return f"reminder:{request_id}:{reminder}"


def _is_groundless(called_off: ActionRequest | None) -> bool:
    """Where the books are only not sure, the next import may tell."""
    return called_off is not None and called_off.gone is not Gone.UNSURE


async def _placed(tx: Tx, draft_id: str) -> ActionRequest | None:
    """The request that was made of that draft."""
    try:
        return await tx.requests.get(draft_id, to_change=False)
    except NotFound:
        return None
