"""Drift: what was suspended or resumed outside Backstop, in the portal or by Microsoft, and what people say to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.action import Reason, Verb
from bot.domain.customer import CustomerId, Known, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.errors import DriftSettled
from bot.domain.people import Person, PersonId, Right
from bot.domain.request import ActionRequest

DriftId = NewType("DriftId", str)

SETTLES = timedelta(minutes=30)
"""So long after a change a reading may still show what was before: Microsoft promises no time."""


class DriftStatus(StrEnum):
    OPEN = "open"
    ADOPTED = "adopted"
    """Somebody took it on: it counts as suspended for their reason, or as rightly resumed."""
    EXPLAINED = "explained"
    """Somebody left a sentence for the record; whose it is stays open."""
    OVER = "over"
    """It was changed back, or something newer took its place."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One change that is not ours. `became` is what the subscription turned to: suspended or active."""

    id: DriftId
    customer_id: CustomerId
    customer_name: str
    subscription_id: SubscriptionId
    subscription_name: str
    became: SubscriptionStatus
    seen_at: datetime
    """When it was read so for the first time."""
    not_before: datetime | None = None
    """When it was last read otherwise; None where there was no such reading."""
    changed_at: datetime | None = None
    """The very moment, where Microsoft's activity log tells it."""
    words: tuple[str, ...] = ()
    """Microsoft's reasons, as they are."""
    status: DriftStatus = DriftStatus.OPEN
    by: PersonId | None = None
    """Who decided; stays when it is over."""
    at: datetime | None = None
    reason: Reason | None = None
    note: str = ""
    version: int = 0
    """Grows with every save."""

    def adopt(self, *, by: Person, at: datetime, reason: Reason, note: str = "") -> Drift:
        """Take it on as ours."""
        self.must_be_decidable(by=by)
        return replace(self, status=DriftStatus.ADOPTED, by=by.id, at=at, reason=reason, note=note)

    def explain(self, *, by: Person, at: datetime, note: str) -> Drift:
        """Keep a sentence for the record."""
        self.must_be_decidable(by=by)
        return replace(self, status=DriftStatus.EXPLAINED, by=by.id, at=at, note=note)

    def over(self, *, at: datetime) -> Drift:
        """It was changed back or superseded; who had decided what stays on it."""
        return replace(self, status=DriftStatus.OVER, at=self.at or at)

    def dated(self, changed_at: datetime) -> Drift:
        """Keep the very moment; one that this change cannot have is taken for another's and left out."""
        early = self.not_before is not None and changed_at < self.not_before - SETTLES
        return self if early or changed_at > self.seen_at else replace(self, changed_at=changed_at)

    def must_be_decidable(self, *, by: Person) -> None:
        """Raise NotPermitted, or DriftSettled with who was first."""
        if Right.APPROVE not in by.rights:
            by.must(Right.OPERATE)
        if self.status is not DriftStatus.OPEN:
            raise DriftSettled(self.id, self.status.value, self.by)

    @property
    def since(self) -> tuple[datetime | None, Known]:
        """The moment of the change as far as it is known, and how."""
        if self.changed_at is not None:
            return self.changed_at, Known.TOLD
        if self.not_before is not None:
            return self.not_before, Known.NOT_BEFORE
        return None, Known.UNKNOWN


_UNSURE = frozenset({SubscriptionStatus.UNKNOWN, SubscriptionStatus.NONE})


def has_changed(earlier: SubscriptionStatus | None, now: SubscriptionStatus) -> bool:
    """Whether it was suspended or resumed since; an earlier reading that is missing or unsure proves nothing."""
    if earlier is None or earlier in _UNSURE or earlier is now:
        return False
    resumed = earlier is SubscriptionStatus.SUSPENDED and now is SubscriptionStatus.ACTIVE
    return resumed or now is SubscriptionStatus.SUSPENDED


@dataclass(frozen=True, slots=True)
class Acts:
    """What Backstop did to some subscriptions, and what it is about to do. An add-on goes along with its base."""

    suspensions: Mapping[SubscriptionId, ActionRequest]
    """The newest that was done of each."""
    resumed: Mapping[SubscriptionId, datetime]
    """When we last resumed each."""
    under_way: frozenset[tuple[Verb, SubscriptionId]] = field(default_factory=frozenset)

    def explain(self, subscription: Subscription, *, since: datetime) -> bool:
        """Whether we made it what it is, after it was otherwise at `since`."""
        verb = Verb.SUSPEND if subscription.status is SubscriptionStatus.SUSPENDED else Verb.RESUME
        done = (self._done(verb, id) for id in _with_base(subscription))
        return self.is_under_way(verb, subscription) or any(at and at >= since - SETTLES for at in done)

    def is_under_way(self, verb: Verb, subscription: Subscription) -> bool:
        return any((verb, id) in self.under_way for id in _with_base(subscription))

    def suspension_of(self, subscription: Subscription) -> ActionRequest | None:
        """Ours, under which it stands: its own or its base's, the earlier of the two; not one that was lifted.

        An add-on is not resumed with its base, so only its own resumption lifts either.
        """
        lifted = self.resumed.get(subscription.id)
        found = [
            (at, request.id, request)
            for id in _with_base(subscription)
            if (request := self.suspensions.get(id)) and (at := request.done_at(id))
            if lifted is None or lifted <= at
        ]
        return min(found)[2] if found else None

    def under(self, subscription: Subscription, drift: Drift | None) -> ActionRequest | Drift | None:
        """Under what it stands suspended: a drift that stands tells that somebody else came after us, or before."""
        if drift and drift.became is SubscriptionStatus.SUSPENDED and not self.ended(drift):
            return drift
        return self.suspension_of(subscription)

    def ended(self, drift: Drift) -> bool:
        """Whether we did the opposite after it was seen."""
        opposite = Verb.RESUME if drift.became is SubscriptionStatus.SUSPENDED else Verb.SUSPEND
        at = self._done(opposite, drift.subscription_id)
        return at is not None and at > drift.seen_at

    def _done(self, verb: Verb, id: SubscriptionId) -> datetime | None:
        if verb is Verb.RESUME:
            return self.resumed.get(id)
        request = self.suspensions.get(id)
        return request.done_at(id) if request else None


def _with_base(subscription: Subscription) -> tuple[SubscriptionId, ...]:
    return (subscription.id, subscription.parent_id) if subscription.parent_id else (subscription.id,)
