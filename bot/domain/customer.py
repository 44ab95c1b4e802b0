"""Customers and their subscriptions, as Partner Center knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.capability import Cloud as Cloud
from bot.domain.capability import SubscriptionKind as SubscriptionKind
from bot.domain.capability import obstacle
from bot.domain.errors import CannotBeResumed, CannotBeSuspended, NotOurCustomer, Refused

CustomerId = NewType("CustomerId", str)
"""The customer's Entra tenant GUID, in lower case."""
TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of such a GUID."""
SubscriptionId = NewType("SubscriptionId", str)
"""In lower case; a GUID today, but opaque to us."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of the partner. Names are not unique; the domain tells two of one name apart."""

    id: CustomerId
    name: str
    domain: str | None = None
    relationship: str | None = None
    """`reseller` is the only one the partner may act on; None where the list did not say."""

    @property
    def may_be_acted_on(self) -> bool:
        return self.relationship is None or self.relationship.lower() == "reseller"


class SubscriptionStatus(StrEnum):
    """The words Microsoft documents; every other word is `UNKNOWN` and shown as it came."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    PENDING = "pending"
    EXPIRED = "expired"
    DISABLED = "disabled"
    DELETED = "deleted"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription as read at a moment; only what Backstop shows or decides on."""

    id: SubscriptionId
    customer_id: CustomerId
    name: str
    status: SubscriptionStatus
    status_word: str
    """The status exactly as Microsoft wrote it."""
    kind: SubscriptionKind = SubscriptionKind.UNKNOWN
    offer_id: str | None = None
    quantity: int | None = None
    unit: str | None = None
    is_trial: bool = False
    parent_id: SubscriptionId | None = None
    """Set on an add-on: the subscription it belongs to."""
    term: str | None = None
    """ISO 8601 duration (`P1M`, `P1Y`, `P3Y`); None for legacy offers."""
    term_end: datetime | None = None
    """None when unknown or when there is no end."""
    suspension_reasons: tuple[str, ...] = ()
    """Microsoft's words, as they are."""
    auto_renew: bool | None = None
    order_id: str | None = None
    publisher: str | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when anything changes that a person was shown before confirming."""
        return f"{self.status_word.lower()}|{self.quantity}|{self.term}|{self.term_end}"


WARN_DAYS = (30, 14, 7, 3, 1)
"""So many days before its data is deleted, people are told of a suspended subscription."""


@dataclass(frozen=True, slots=True)
class Countdown:
    """A suspended subscription and the day after which its data is gone; None: unknown, so treat it as urgent."""

    subscription: Subscription
    customer: Customer | None
    deadline: date | None
    asked_by: str | None = None
    """Who asked for the suspension; None when it was not done through Backstop."""

    def warning(self, *, on: date) -> int | None:
        """Which of `WARN_DAYS` people should have heard of by that day; 0 once the deadline has passed.

        Only the nearest counts: whoever was away for a week is told once. What somebody else suspended and what
        is over by now, nobody is waiting to hear of.
        """
        if self.deadline is None:
            return None
        left = (self.deadline - on).days
        if left < 0:
            return 0 if self.asked_by else None
        return min((days for days in WARN_DAYS if left <= days), default=None)


def most_urgent_first(countdowns: Iterable[Countdown]) -> tuple[Countdown, ...]:
    """The unknown ones come first: they may be the nearest."""
    return tuple(sorted(countdowns, key=lambda c: (c.deadline is not None, c.deadline or date.min)))


def must_be_suspendable(subscription: Subscription, *, of: Customer, running: Sequence[str] = ()) -> None:
    """Raise NotOurCustomer or CannotBeSuspended, with the reason, unless it can be suspended now.

    `running` are the names of active Azure subscriptions in an Azure plan: with one of them Microsoft refuses
    (error 900115).
    """
    if not of.may_be_acted_on:
        raise NotOurCustomer(of.relationship or "none")
    if subscription.status is SubscriptionStatus.SUSPENDED:
        raise CannotBeSuspended("suspended-already")
    if subscription.status is not SubscriptionStatus.ACTIVE:
        raise CannotBeSuspended("not-active", subscription.status_word)
    if why := obstacle("suspend", subscription.kind):
        raise CannotBeSuspended(why)
    if running:
        raise CannotBeSuspended("azure-active", names=tuple(running))


def must_be_resumable(subscription: Subscription, *, of: Customer, base: Subscription | None) -> None:
    """Raise NotOurCustomer or CannotBeResumed, with the reason, unless it can be resumed now.

    `base` is the subscription an add-on belongs to: Microsoft wants that one active first (error 27009).
    """
    if not of.may_be_acted_on:
        raise NotOurCustomer(of.relationship or "none")
    if subscription.status is SubscriptionStatus.ACTIVE:
        raise CannotBeResumed("active-already")
    if subscription.status is not SubscriptionStatus.SUSPENDED:
        raise CannotBeResumed("not-suspended", subscription.status_word)
    if why := obstacle("resume", subscription.kind):
        raise CannotBeResumed(why)
    if base is not None and base.status is not SubscriptionStatus.ACTIVE:
        raise CannotBeResumed("base-first", base.status_word)


def can_be_suspended(subscription: Subscription, *, of: Customer) -> bool:
    """Whether `must_be_suspendable` has nothing against it."""
    try:
        must_be_suspendable(subscription, of=of)
    except Refused:
        return False
    return True


def can_be_resumed(subscription: Subscription, *, of: Customer, base: Subscription | None) -> bool:
    """Whether `must_be_resumable` has nothing against it."""
    try:
        must_be_resumable(subscription, of=of, base=base)
    except Refused:
        return False
    return True


def deletion_deadline(subscription: Subscription, *, suspended_on: date | None, cloud: Cloud) -> date | None:
    """The day after which Microsoft deletes the data of a subscription suspended on that day.

    `suspended_on` is None when somebody else suspended it: no API says when. A deadline of None means that
    nobody knows: show "unknown", never a guess. Sources: the 21Vianet article *Suspend a
    subscription* (60 days, whatever the kind), *Subscription lifecycle* (legacy: 90 days, the shorter
    figure; new commerce: the end of the term), both at learn.microsoft.com/partner-center.
    """
    term_end = subscription.term_end.date() if subscription.term_end else None
    if cloud is Cloud.CHINA:
        grace = timedelta(days=60)
    elif subscription.kind in (SubscriptionKind.LEGACY_SEAT, SubscriptionKind.LEGACY_AZURE):
        grace = timedelta(days=90)
    elif subscription.kind is SubscriptionKind.NEW_COMMERCE_SEAT:
        return term_end
    else:
        return None
    if suspended_on is None:
        return None
    by_grace = suspended_on + grace
    return min(by_grace, term_end) if term_end else by_grace
