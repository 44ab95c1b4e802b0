"""Customers and their subscriptions, as Partner Center knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.capability import DELETION_DAYS, DeletionDays, obstacle
from bot.domain.capability import Cloud as Cloud
from bot.domain.capability import SubscriptionKind as SubscriptionKind
from bot.domain.errors import CannotBeResumed, CannotBeSuspended, NotOurCustomer, Refused

CustomerId = NewType("CustomerId", str)
"""The customer's Entra tenant GUID, in lower case."""
TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of such a GUID."""
MPN_ID = re.compile(r"[0-9]{5,10}")
"""The form of the number a reseller has in Microsoft's partner network."""
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
    mpn_id: str | None = None
    """Of the indirect reseller it was bought through."""

    @property
    def fingerprint(self) -> str:
        """Changes when anything changes that a person was shown before confirming."""
        return f"{self.status_word.lower()}|{self.quantity}|{self.term}|{self.term_end}"


def quantity_in(fingerprint: str) -> int | None:
    """How many seats or units a person was shown before confirming; None where that was unknown."""
    _, _, rest = fingerprint.partition("|")
    quantity = rest.partition("|")[0]
    return int(quantity) if quantity.isascii() and quantity.isdigit() else None


WARN_DAYS = (30, 14, 7, 3, 1)
"""So many days before its data is deleted, people are told of a suspended subscription."""


class Known(StrEnum):
    """How it is known on which day a subscription was suspended."""

    OURS = "ours"
    """Backstop did it."""
    TOLD = "told"
    """Microsoft's activity log has the moment."""
    NOT_BEFORE = "not_before"
    """It was last seen otherwise then, so that may be too early by a while, never too late."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Countdown:
    """A suspended subscription and the day after which its data is gone; None: unknown, so treat it as urgent."""

    subscription: Subscription
    customer: Customer | None
    deadline: date | None
    asked_by: str | None = None
    """Who asked for the suspension, or took it on; None when nobody in Backstop did."""
    known: Known = Known.OURS
    episode: str = ""
    """The same as long as the subscription stays suspended: the id of what began it, where that is known."""
    for_debt: bool = False
    """Whether it was suspended for non-payment, as far as Backstop knows."""

    @property
    def is_at_earliest(self) -> bool:
        """Whether the deadline may be later than it says; the end of a term is what it is."""
        if self.known is not Known.NOT_BEFORE or self.deadline is None:
            return False
        term_end = self.subscription.term_end
        return term_end is None or self.deadline < term_end.date()

    def warning(self, *, on: date) -> int | None:
        """Which of `WARN_DAYS` people should have heard of by that day; 0 once the deadline has passed.

        Only the nearest counts: whoever was away for a week is told once.
        """
        if self.deadline is None:
            return None
        left = (self.deadline - on).days
        return 0 if left < 0 else min((days for days in WARN_DAYS if left <= days), default=None)


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


def deletion_deadline(
    subscription: Subscription,
    *,
    suspended_on: date | None,
    cloud: Cloud,
    days: DeletionDays = DELETION_DAYS,
) -> date | None:
    """The day after which Microsoft deletes the data of a subscription suspended on that day.

    `suspended_on` is None when nobody knows it. A deadline of None means that nobody knows: show "unknown", never
    a guess. New commerce outside 21Vianet lasts until its term ends, whenever it was suspended.
    """
    term_end = subscription.term_end.date() if subscription.term_end else None
    grace = days[cloud].get(subscription.kind)
    if grace is None:
        lasts = subscription.kind is SubscriptionKind.NEW_COMMERCE_SEAT and cloud is not Cloud.CHINA
        return term_end if lasts else None
    if suspended_on is None:
        return None
    by_grace = suspended_on + timedelta(days=grace)
    return min(by_grace, term_end) if term_end else by_grace
