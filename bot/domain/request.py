"""A request: who asked for an action, who decided, what may happen next. Four eyes live here.

pending ──enough approvals──> approved ──claimed──> executing ──┬─> done
   ├─> denied | withdrawn | expired   └─> withdrawn             ├─> failed     (a definite no)
                                                                └─> unknown    (nobody can tell yet)
unknown ──somebody has it looked into again──> approved
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import (
    AlreadyApproved,
    AlreadyDecided,
    NotPermitted,
    OwnRequest,
    RequestExpired,
)
from bot.domain.people import Person, PersonId, Right

RequestId = NewType("RequestId", str)


class Verb(StrEnum):
    """What Backstop can do to a subscription."""

    SUSPEND = "suspend"
    RESUME = "resume"


class Reason(StrEnum):
    NON_PAYMENT = "non_payment"
    FRAUD = "fraud"
    MISUSE = "misuse"
    CUSTOMER_REQUEST = "customer_request"

    @property
    def is_urgent(self) -> bool:
        """Fraud and misuse act at once: every minute costs money."""
        return self in (Reason.FRAUD, Reason.MISUSE)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one subscription. The names are those shown to the person who confirmed."""

    verb: Verb
    customer_id: CustomerId
    customer_name: str
    subscription_id: SubscriptionId
    subscription_name: str
    reason: Reason
    note: str = ""

    @property
    def waits_to_be_undone(self) -> bool:
        """Only a suspension that is not urgent waits: whoever gets access back should not have to."""
        return self.verb is Verb.SUSPEND and not self.reason.is_urgent


def approvals_to_resume(asked_for: int, *, suspended_for: Reason | None) -> int:
    """How many approvals a resumption needs: at least one when fraud or misuse is to be lifted.

    `suspended_for` is None where Backstop did not suspend it, and so does not know.
    """
    urgent = suspended_for is not None and suspended_for.is_urgent
    return max(asked_for, 1 if urgent else 0)


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


class Verdict(StrEnum):
    APPROVE = "approve"
    DENY = "deny"


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


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """The life of one request. Every method returns the next state or refuses by type."""

    id: RequestId
    action: Action
    status: Status
    requested_by: PersonId
    placed_at: datetime
    expires_at: datetime
    approvals_needed: int
    seen: str
    """Fingerprint of the subscription as it was confirmed."""
    ms_request_id: str
    """The `MS-RequestId` of the write, the same however often it must be sent."""
    policy_note: str = ""
    """Which rule of the billing policy held or was broken when it was confirmed."""
    undo: timedelta = timedelta(0)
    """How long an approved request waits before it acts."""
    decisions: tuple[Decision, ...] = ()
    acts_at: datetime | None = None
    """Set once approved: not before this moment."""
    over_daily_limit: bool = False
    """Whether it waits because enough was suspended that day."""
    closed_by: PersonId | None = None
    """Who withdrew it."""
    closed_at: datetime | None = None
    attempt: int = 0
    lease_until: datetime | None = None
    """While executing: until then nobody else may take it over."""
    holder: str = ""
    """The worker that holds the lease, or held it last."""
    outcome: Outcome | None = None
    version: int = 0
    """Grows with every save; a save on an older version is refused by the store."""
    dry_run: bool = field(default=False)
    """Decided when it was placed and shown on every card."""

    @classmethod
    def place(
        cls,
        request_id: RequestId,
        action: Action,
        *,
        by: Person,
        at: datetime,
        time_to_live: timedelta,
        approvals_needed: int,
        undo: timedelta,
        seen: str,
        ms_request_id: str,
        policy_note: str = "",
        dry_run: bool = False,
    ) -> ActionRequest:
        """A new request. One that needs no approval is approved at once."""
        by.must(Right.OPERATE)
        request = cls(
            id=request_id,
            action=action,
            status=Status.PENDING,
            requested_by=by.id,
            placed_at=at,
            expires_at=at + time_to_live,
            approvals_needed=approvals_needed,
            seen=seen,
            ms_request_id=ms_request_id,
            policy_note=policy_note,
            undo=undo if action.waits_to_be_undone else timedelta(0),
            dry_run=dry_run,
        )
        return request._approved(at) if approvals_needed <= 0 else request

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

    def withdraw(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester takes it back while it waits for approval."""
        if by.id != self.requested_by:
            raise NotPermitted("withdraw")
        if self.status is not Status.PENDING:
            raise self._already_decided()
        return replace(self, status=Status.WITHDRAWN, closed_by=by.id, closed_at=at)

    def cancel(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester or an approver stops an approved request inside its undo window."""
        if by.id != self.requested_by and Right.APPROVE not in by.rights:
            raise NotPermitted(Right.APPROVE)
        if self.status is not Status.APPROVED:
            raise self._already_decided()
        return replace(self, status=Status.WITHDRAWN, closed_by=by.id, closed_at=at)

    def look_again(self, *, by: Person, at: datetime) -> ActionRequest:
        """The requester or an approver has an open outcome looked into once more; it stays approved as it was."""
        if by.id != self.requested_by and Right.APPROVE not in by.rights:
            raise NotPermitted(Right.APPROVE)
        if self.status is not Status.UNKNOWN:
            raise self._already_decided()
        return replace(self, status=Status.APPROVED, acts_at=at, outcome=None, closed_at=None)

    def expire(self, *, at: datetime) -> ActionRequest:
        """Nobody decided in time."""
        if self.status is not Status.PENDING or at < self.expires_at:
            raise self._already_decided()
        return replace(self, status=Status.EXPIRED, closed_at=at)

    def reminder(self, *, at: datetime) -> Reminder | None:
        """The reminder that its approvers should have had by now, if any; only the latest counts."""
        if self.status is not Status.PENDING or at >= self.expires_at:
            return None
        waited = (at - self.placed_at) / (self.expires_at - self.placed_at)
        return next((reminder for reminder, share in _REMIND_AFTER if waited >= share), None)

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
            status=Status.EXECUTING,
            attempt=self.attempt + 1,
            lease_until=at + lease,
            holder=holder,
            over_daily_limit=False,
        )

    def postpone(self, *, until: datetime) -> ActionRequest:
        """Leave it approved, but not before a later moment: the daily limit is reached."""
        if self.status is not Status.APPROVED:
            raise self._already_decided()
        return replace(self, acts_at=until, over_daily_limit=True)

    def wait(self, *, until: datetime) -> ActionRequest:
        """Stay executing, and let nobody take over before that moment."""
        if self.status is not Status.EXECUTING:
            raise self._already_decided()
        return replace(self, lease_until=until)

    def finish(self, outcome: Outcome, *, status: Status, at: datetime) -> ActionRequest:
        if self.status not in (Status.EXECUTING, Status.UNKNOWN):
            raise self._already_decided()
        return replace(self, status=status, outcome=outcome, lease_until=None, closed_at=at)

    @property
    def approvals(self) -> tuple[Decision, ...]:
        return tuple(d for d in self.decisions if d.verdict is Verdict.APPROVE)

    @property
    def denial(self) -> Decision | None:
        return next((d for d in self.decisions if d.verdict is Verdict.DENY), None)

    def _approved(self, at: datetime) -> ActionRequest:
        return replace(self, status=Status.APPROVED, acts_at=at + self.undo)

    def _must_be_decidable(self, *, by: Person, at: datetime) -> None:
        by.must(Right.APPROVE)
        if self.status is not Status.PENDING:
            raise self._already_decided()
        if at >= self.expires_at:
            raise RequestExpired(self.id, self.expires_at)
        if by.id == self.requested_by:
            raise OwnRequest(self.id)

    def _already_decided(self) -> AlreadyDecided:
        last = self.decisions[-1].by if self.decisions else self.closed_by
        return AlreadyDecided(self.id, self.status, last)
