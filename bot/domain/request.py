"""A request: who asked for an action, who decided, what may happen next. Four eyes live here.

pending ──enough approvals──> approved ──claimed──> executing ──┬─> done
   ├─> denied | withdrawn | expired   └─> withdrawn             ├─> failed     (a definite no, for one at least)
                                                                └─> unknown    (nobody can tell yet)
pending ──somebody breaks the glass──> approved
unknown ──somebody has it looked into again──> approved
failed ──somebody has it tried again──> approved

It may be about several subscriptions of one customer: each is a `Target` with a result of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID, uuid5

from bot.domain.action import Action, Verb, must_be_cancellable
from bot.domain.collection import Gone, Ground
from bot.domain.customer import Subscription, SubscriptionId, quantity_in
from bot.domain.errors import (
    AlreadyApproved,
    AlreadyDecided,
    CannotWait,
    NothingToRetry,
    NotPermitted,
    OwnRequest,
    RequestExpired,
    TooManyAtOnce,
)
from bot.domain.glass import LEAST, REASON, BreakGlass, must_break, words
from bot.domain.people import Person, PersonId, Right

RequestId = NewType("RequestId", str)

MOST_TARGETS = 100
"""So many subscriptions one request may be about."""


NO_GROUND: Final = Ground()


class Status(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def is_open(self) -> bool:
        """Something will still happen, or a person has to look."""
        return not self.is_final


_FINAL = frozenset({Status.DONE, Status.FAILED, Status.DENIED, Status.EXPIRED, Status.WITHDRAWN})


class Reminder(StrEnum):
    """How much of its time to live a request has waited when its approvers are reminded."""

    HALF = "half"
    LAST = "last"


_REMIND_AFTER = ((Reminder.LAST, 0.9), (Reminder.HALF, 0.5))


def reminder_due(asked_at: datetime, expires_at: datetime, *, at: datetime) -> Reminder | None:
    """The reminder that is due of what waits from one moment to the other; only the latest counts."""
    if at >= expires_at:
        return None
    waited = (at - asked_at) / (expires_at - asked_at)
    return next((reminder for reminder, share in _REMIND_AFTER if waited >= share), None)


class Verdict(StrEnum):
    APPROVE = "approve"
    DENY = "deny"
    BREAK_GLASS = "break-glass"
    """In place of all approvals that were missing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's word on a request."""

    verdict: Verdict
    by: PersonId
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `reason` and `correlation_id` are Microsoft's, for whoever has to ask there."""

    changed: bool = False
    """False when the subscription already was as wanted."""
    confirmed: bool = True
    """False when Microsoft accepted it but the read-back did not show it yet."""
    dry_run: bool = False
    error: str = ""
    """The key of the error's words; empty when it went well."""
    reason: str = ""
    correlation_id: str = ""
    deletes_on: date | None = None
    """Of a suspension: the day after which the data is gone; None where nobody knows."""


CHANGED_SINCE_CONFIRMED = "changed-since-confirmed"
"""The reason of an outcome where nothing was done: what was confirmed is not what is there now."""

CALLED_OFF = "called-off"
"""The error of an outcome where nothing was done: what it stood on is gone, or somebody stopped it."""


class Result(StrEnum):
    """What became of one target."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """One subscription in a request: as it was confirmed, and what came of it."""

    subscription_id: SubscriptionId
    name: str
    """As it was shown to the person who confirmed."""
    seen: str
    """Its fingerprint as it was confirmed."""
    ms_request_id: str
    """The `MS-RequestId` of the write, the same however often it must be sent."""
    parent_id: SubscriptionId | None = None
    """The subscription an add-on belongs to, or the plan an Azure subscription is in."""
    result: Result = Result.OPEN
    outcome: Outcome | None = None
    """While open: what Microsoft accepted and does not show yet."""
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    sendings: int = 0
    """Attempts, the one under way included, in which the write may have been sent."""

    @property
    def quantity(self) -> int | None:
        """As it was shown to the person who confirmed; None for unknown."""
        return quantity_in(self.seen)

    @property
    def must_be_confirmed_again(self) -> bool:
        return self.outcome is not None and self.outcome.reason == CHANGED_SINCE_CONFIRMED

    @property
    def may_be_retried(self) -> bool:
        return self.result is Result.FAILED and not (self.must_be_confirmed_again or self.was_called_off)

    @property
    def was_called_off(self) -> bool:
        return self.outcome is not None and self.outcome.error == CALLED_OFF

    @property
    def may_have_been_sent(self) -> bool:
        """Whether a write may have gone out: what came of it is to be looked at, whatever becomes of the request."""
        return self.sendings > 0 or self.was_accepted

    @property
    def may_have_been_sent_before(self) -> bool:
        """The same of a target under way: by an attempt before this one, which is counted already."""
        return self.sendings > 1 or self.was_accepted

    @property
    def was_accepted(self) -> bool:
        """Microsoft said yes, and only the effect is still to be seen."""
        return self.outcome is not None and self.outcome.changed and not self.outcome.confirmed

    def again(self) -> Target:
        """As before it was tried. A definite answer has used the request id up; the next follows from it, so
        that whoever repeats the retry repeats the same write.
        learn.microsoft.com/partner-center/developer/test-and-debug
        """
        following = str(uuid5(UUID(self.ms_request_id), "retry"))
        return replace(
            self,
            ms_request_id=following,
            result=Result.OPEN,
            outcome=None,
            begun_at=None,
            ended_at=None,
            sendings=0,
        )

    def begun(self, *, at: datetime) -> Target:
        """Under way once more; until its end is known, the write may have been sent."""
        if self.result is not Result.OPEN:
            return self
        return replace(self, begun_at=self.begun_at or at, sendings=self.sendings + 1)


def target_of(subscription: Subscription, *, ms_request_id: str) -> Target:
    """The subscription as it is confirmed now."""
    return Target(
        subscription_id=subscription.id,
        name=subscription.name,
        seen=subscription.fingerprint,
        ms_request_id=ms_request_id,
        parent_id=subscription.parent_id,
    )


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """The life of one request. Every method returns the next state or refuses by type."""

    id: RequestId
    action: Action
    targets: tuple[Target, ...]
    """At least one; no subscription twice."""
    status: Status
    requested_by: PersonId
    placed_at: datetime
    expires_at: datetime
    approvals_needed: int
    policy_note: str = ""
    """Which rule of the billing policy held or was broken when it was confirmed."""
    undo: timedelta = timedelta(0)
    """How long an approved request waits before it acts."""
    not_before: datetime | None = None
    """Asked for at a certain time; however early it is approved, it waits until then."""
    decisions: tuple[Decision, ...] = ()
    acts_at: datetime | None = None
    """Set once approved: not before this moment."""
    over_daily_limit: bool = False
    """Whether it waits because enough was suspended that day."""
    outside_hours: bool = False
    """Whether it waits because the billing policy has nobody cut off at that time."""
    closed_by: PersonId | None = None
    """Who withdrew it."""
    gone: Gone | None = None
    """Why it was called off by itself."""
    closed_at: datetime | None = None
    round: int = 0
    """How often somebody had it looked into, or tried, again."""
    attempt: int = 0
    """Of this round."""
    lease_until: datetime | None = None
    """While executing: until then nobody else may take it over."""
    holder: str = ""
    """The worker that holds the lease, or held it last."""
    version: int = 0
    """Grows with every save; a save on an older version is refused by the store."""
    dry_run: bool = field(default=False)
    """Decided when it was placed and shown on every card."""
    ground: Ground = NO_GROUND
    """What it stood on when it was confirmed; only what is about non-payment stands on something."""
    debtors: tuple[str, ...] = ()
    """The customer's keys in the books then: with these it is read again."""

    @classmethod
    def place(
        cls,
        request_id: RequestId,
        action: Action,
        targets: Sequence[Target],
        *,
        by: Person,
        at: datetime,
        time_to_live: timedelta,
        approvals_needed: int,
        undo: timedelta,
        not_before: datetime | None = None,
        policy_note: str = "",
        dry_run: bool = False,
        ground: Ground = NO_GROUND,
        debtors: Sequence[str] = (),
    ) -> ActionRequest:
        """A new request. One that needs no approval is approved at once.

        Raises TooManyAtOnce, CannotWait where something urgent is put off, and CannotBeCancelled.
        """
        by.must(Right.OPERATE)
        if not 1 <= len({t.subscription_id for t in targets}) == len(targets) <= MOST_TARGETS:
            raise TooManyAtOnce(len(targets), MOST_TARGETS)
        if not_before and not action.may_wait:
            raise CannotWait
        if action.verb is Verb.CANCEL_AZURE:
            must_be_cancellable(action.reason)
        request = cls(
            id=request_id,
            action=action,
            targets=tuple(targets),
            status=Status.PENDING,
            requested_by=by.id,
            placed_at=at,
            expires_at=at + time_to_live,
            approvals_needed=max(approvals_needed, action.verb.least_approvals),
            policy_note=policy_note,
            undo=undo if action.waits_to_be_undone else timedelta(0),
            not_before=not_before,
            dry_run=dry_run,
            ground=ground if action.is_for_debt else NO_GROUND,
            debtors=tuple(debtors),
        )
        return request._approved(at) if request.approvals_needed <= 0 else request

    def approve(self, *, by: Person, at: datetime) -> ActionRequest:
        """Add one approval; enough of them, from different people, make the request ready to run."""
        self._must_be_decidable(by=by, at=at)
        if any(d.by == by.id for d in self.decisions):
            raise AlreadyApproved(self.id)
        decisions = (*self.decisions, Decision(Verdict.APPROVE, by=by.id, at=at))
        decided = replace(self, decisions=decisions)
        enough = len({d.by for d in decisions}) >= self.approvals_needed
        return decided._approved(at) if enough else decided

    def deny(self, *, by: Person, at: datetime, why: str) -> ActionRequest:
        """One approver's no ends it."""
        self._must_be_decidable(by=by, at=at)
        decision = Decision(Verdict.DENY, by=by.id, at=at, why=why)
        return replace(self, status=Status.DENIED, decisions=(*self.decisions, decision), closed_at=at)

    def break_glass(self, rule: BreakGlass | None, *, by: Person, at: datetime, why: str) -> ActionRequest:
        """Let it act without the approvals it lacks, whoever asked for it: for a fraud at night, told to everybody.

        Raises GlassKept where the rule does not let them, and Invalid for a reason that says too little.
        """
        self.must_be_breakable(rule, by=by, at=at)
        said = words(why, REASON, least=LEAST)
        decision = Decision(Verdict.BREAK_GLASS, by=by.id, at=at, why=said)
        return replace(self, decisions=(*self.decisions, decision))._approved(at)

    def must_be_breakable(self, rule: BreakGlass | None, *, by: Person, at: datetime) -> None:
        """Raise what `break_glass` would, but for its reason."""
        must_break(rule, self.id, self.action, by)
        self._must_wait(at=at)

    def withdraw(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester takes it back while it waits for approval."""
        by.must_belong()
        if by.id != self.requested_by:
            raise NotPermitted("withdraw")
        if self.status is not Status.PENDING:
            raise self._already_decided()
        return replace(self, status=Status.WITHDRAWN, closed_by=by.id, closed_at=at)

    def cancel(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester or an approver stops an approved request inside its undo window."""
        by.must_belong()
        if by.id != self.requested_by and Right.APPROVE not in by.rights:
            raise NotPermitted(Right.APPROVE)
        if self.status is not Status.APPROVED:
            raise self._already_decided()
        if not self._has_done_anything:
            return replace(self, status=Status.WITHDRAWN, closed_by=by.id, closed_at=at)
        # Tried before: what came of it then stays, and of what may have been sent nobody knows.
        stopped = Outcome(confirmed=False, error=CALLED_OFF, reason="cancelled")
        targets = tuple(
            replace(
                t,
                result=Result.UNKNOWN if t.may_have_been_sent else Result.FAILED,
                outcome=t.outcome if t.was_accepted else stopped,
                ended_at=at,
            )
            if t.result is Result.OPEN
            else t
            for t in self.targets
        )
        return replace(self, targets=targets, closed_by=by.id)._ended(at)

    def call_off(self, now: Ground, *, at: datetime) -> ActionRequest | None:
        """End it where what it stood on is gone; None where it may go on.

        Where something was done, or may have been, it goes on with `gone` set: what is open is then only looked at.
        """
        if self.gone or self.status not in (Status.PENDING, Status.APPROVED, Status.EXECUTING):
            return None
        gone = self.ground.gone(now)
        return self.called_off(gone, at=at) if gone else None

    def called_off(self, gone: Gone, *, at: datetime) -> ActionRequest:
        """As `call_off`, where it is known that it must not be done any more."""
        if self._has_done_anything:
            return replace(self, gone=gone)
        targets = tuple(replace(t, result=Result.OPEN, outcome=None, ended_at=None) for t in self.targets)
        return replace(
            self, targets=targets, status=Status.WITHDRAWN, gone=gone, closed_at=at, lease_until=None
        )

    def look_again(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester or an approver has an open outcome looked into once more; it stays approved as it was.

        After another time to live it is only looked at: what was right then may not be now.
        """
        self._must_have_a_say(by)
        if self.status is not Status.UNKNOWN or self.closed_at is None:
            raise self._already_decided()
        is_late = at >= self.closed_at + (self.expires_at - self.placed_at)
        # What Microsoft accepted is only looked at; the write keeps its id, so that a repeat stays harmless.
        reopened = tuple(
            replace(t, result=Result.OPEN, ended_at=None, outcome=t.outcome if t.was_accepted else None)
            if t.result is Result.UNKNOWN
            else t
            for t in self.targets
        )
        return replace(
            self,
            targets=reopened,
            status=Status.APPROVED,
            acts_at=at,
            attempt=0,
            round=self.round + 1,
            closed_at=None,
            gone=self.gone or (Gone.TOO_LATE if is_late else None),
        )

    def retry(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester or an approver has what failed tried again; what was approved stays approved.

        Not after another time to live: what was true then may not be now. And not where the subscription
        changed since it was confirmed: that has to be asked for anew.
        """
        self._must_have_a_say(by)
        if self.status is not Status.FAILED or self.closed_at is None:
            raise self._already_decided()
        until = self.closed_at + (self.expires_at - self.placed_at)
        if at >= until:
            raise RequestExpired(self.id, until)
        if not any(t.may_be_retried for t in self.targets):
            raise NothingToRetry(self.id)
        targets = tuple(t.again() if t.may_be_retried else t for t in self.targets)
        return replace(
            self,
            targets=targets,
            status=Status.APPROVED,
            acts_at=at,
            attempt=0,
            round=self.round + 1,
            closed_at=None,
            closed_by=None,
        )

    def expire(self, *, at: datetime) -> ActionRequest:
        """Nobody decided in time."""
        if self.status is not Status.PENDING or at < self.expires_at:
            raise self._already_decided()
        return replace(self, status=Status.EXPIRED, closed_at=at)

    def reminder(self, *, at: datetime) -> Reminder | None:
        """The reminder that its approvers should have had by now, if any; only the latest counts."""
        return reminder_due(self.placed_at, self.expires_at, at=at) if self.status is Status.PENDING else None

    def is_due(self, *, at: datetime) -> bool:
        """Approved, and the undo window is over."""
        return self.status is Status.APPROVED and self.acts_at is not None and at >= self.acts_at

    def is_abandoned(self, *, at: datetime) -> bool:
        """Executing, but whoever did it has not been heard of for a whole lease."""
        return self.status is Status.EXECUTING and self.lease_until is not None and at >= self.lease_until

    def claim(self, *, at: datetime, lease: timedelta, holder: str) -> ActionRequest:
        """Start to act, or take over from somebody who died; whoever saves this first may act."""
        if not (self.is_due(at=at) or self.is_abandoned(at=at)):
            raise self._already_decided()
        return replace(
            self,
            targets=tuple(t.begun(at=at) for t in self.targets),
            status=Status.EXECUTING,
            attempt=self.attempt + 1,
            lease_until=at + lease,
            holder=holder,
            over_daily_limit=False,
            outside_hours=False,
        )

    def postpone(self, *, until: datetime) -> ActionRequest:
        """Leave it approved, but not before a later moment: the daily limit is reached."""
        if self.status is not Status.APPROVED:
            raise self._already_decided()
        return replace(self, acts_at=until, over_daily_limit=True, outside_hours=False)

    def keep_hours(self, *, until: datetime) -> ActionRequest:
        """Leave it approved, but not before a later moment: nobody is cut off for non-payment now."""
        if self.status is not Status.APPROVED:
            raise self._already_decided()
        return replace(self, acts_at=until, outside_hours=True, over_daily_limit=False)

    def go_on(self, *, at: datetime) -> ActionRequest:
        """Wait for the daily limit no longer: it was lifted. The request was due before it had to wait."""
        if self.status is not Status.APPROVED or not self.over_daily_limit:
            raise self._already_decided()
        return replace(self, acts_at=at, over_daily_limit=False)

    def wait(self, *, until: datetime, unsent: Collection[SubscriptionId] = ()) -> ActionRequest:
        """Stay executing, and let nobody take over before that moment.

        `unsent` are those of which the attempt that ends now is known to have sent nothing.
        """
        if self.status is not Status.EXECUTING:
            raise self._already_decided()
        targets = tuple(
            replace(t, sendings=t.sendings - 1)
            if t.result is Result.OPEN and t.subscription_id in unsent  # what is settled was told then
            else t
            for t in self.targets
        )
        return replace(self, targets=targets, lease_until=until)

    def settle(
        self,
        subscription: SubscriptionId,
        result: Result,
        outcome: Outcome,
        *,
        at: datetime,
        unsent: bool = False,
    ) -> ActionRequest:
        """Write down what came of one target; the last one ends the request.

        With `Result.OPEN`: Microsoft accepted it, and it does not show yet. What is settled stays as it is. `unsent`
        is as for `wait`.
        """
        if self.status is not Status.EXECUTING:
            raise self._already_decided()
        ended = None if result is Result.OPEN else at
        targets = tuple(
            replace(t, result=result, outcome=outcome, ended_at=ended, sendings=t.sendings - unsent)
            if t.subscription_id == subscription and t.result is Result.OPEN
            else t
            for t in self.targets
        )
        settled = replace(self, targets=targets)
        return settled if settled.open_targets else settled._ended(at)

    @property
    def open_targets(self) -> tuple[Target, ...]:
        return tuple(t for t in self.targets if t.result is Result.OPEN)

    def done_at(self, subscription: SubscriptionId) -> datetime | None:
        """When it was done to that subscription, if it was."""
        ended = (
            t.ended_at for t in self.targets if t.subscription_id == subscription and t.result is Result.DONE
        )
        return next(ended, None)

    @property
    def waves(self) -> tuple[tuple[Target, ...], ...]:
        """The open targets in the order in which they must be acted on: a base before its add-ons.

        Microsoft resumes no add-on before its base (error 27009) and suspends it along with its base.
        """
        ours = {t.subscription_id for t in self.targets}
        first = tuple(t for t in self.open_targets if t.parent_id not in ours)
        then = tuple(t for t in self.open_targets if t.parent_id in ours)
        return tuple(wave for wave in (first, then) if wave)

    @property
    def must_be_confirmed_again(self) -> bool:
        """Something was left alone because it is no longer what was confirmed."""
        return self.status is Status.FAILED and any(t.must_be_confirmed_again for t in self.targets)

    @property
    def may_be_retried(self) -> bool:
        return self.status is Status.FAILED and any(t.may_be_retried for t in self.targets)

    @property
    def approvals(self) -> tuple[Decision, ...]:
        return tuple(d for d in self.decisions if d.verdict is Verdict.APPROVE)

    @property
    def denial(self) -> Decision | None:
        return next((d for d in self.decisions if d.verdict is Verdict.DENY), None)

    @property
    def broken_glass(self) -> Decision | None:
        return next((d for d in self.decisions if d.verdict is Verdict.BREAK_GLASS), None)

    @property
    def _has_done_anything(self) -> bool:
        """Whether Microsoft answered for any target, or may have been asked to change it."""
        return any(t.may_have_been_sent or t.result in (Result.DONE, Result.FAILED) for t in self.targets)

    def _ended(self, at: datetime) -> ActionRequest:
        """With the results that all its targets have."""
        results = {t.result for t in self.targets}
        status = (
            Status.UNKNOWN
            if Result.UNKNOWN in results
            else Status.FAILED
            if Result.FAILED in results
            else Status.DONE
        )
        return replace(self, status=status, lease_until=None, closed_at=at)

    def _approved(self, at: datetime) -> ActionRequest:
        acts_at = max(at + self.undo, self.not_before or at)
        return replace(self, status=Status.APPROVED, acts_at=acts_at)

    def _must_have_a_say(self, by: Person) -> None:
        """Raise NotPermitted unless it is the requester, who still may ask, or an approver."""
        if by.id == self.requested_by and Right.OPERATE in by.rights:
            return
        by.must(Right.APPROVE)

    def _must_be_decidable(self, *, by: Person, at: datetime) -> None:
        by.must(Right.APPROVE)
        self._must_wait(at=at)
        if by.id == self.requested_by:
            raise OwnRequest(self.id)

    def _must_wait(self, *, at: datetime) -> None:
        if self.status is not Status.PENDING:
            raise self._already_decided()
        if at >= self.expires_at:
            raise RequestExpired(self.id, self.expires_at)

    def _already_decided(self) -> AlreadyDecided:
        last = self.decisions[-1].by if self.decisions else self.closed_by
        return AlreadyDecided(self.id, self.status, last)
