"""Customers and subscriptions: who may be acted on, what a person was shown, and how long data is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.customer import (
    Cloud,
    Countdown,
    Known,
    SubscriptionKind,
    SubscriptionStatus,
    can_be_resumed,
    can_be_suspended,
    deletion_deadline,
    most_urgent_first,
    must_be_suspendable,
    quantity_in,
)
from bot.domain.errors import CannotBeSuspended, NotOurCustomer
from tests.builders import a_customer, a_subscription

SUSPENDED_ON = date(2026, 11, 23)
SOON = datetime(2026, 12, 1, tzinfo=UTC)
LATE = datetime(2028, 12, 1, tzinfo=UTC)

K = SubscriptionKind
GLOBAL, CHINA, US_GOVERNMENT = Cloud


@pytest.mark.parametrize(
    ("cloud", "kind", "term_end", "deadline"),
    [
        pytest.param(GLOBAL, K.LEGACY_SEAT, None, date(2027, 2, 21), id="legacy: 90 days"),
        pytest.param(GLOBAL, K.LEGACY_SEAT, LATE, date(2027, 2, 21), id="legacy: 90 days, before its end"),
        pytest.param(GLOBAL, K.LEGACY_SEAT, SOON, SOON.date(), id="legacy: its end, when that is sooner"),
        pytest.param(GLOBAL, K.LEGACY_AZURE, None, date(2027, 2, 21), id="legacy Azure: 90 days"),
        pytest.param(US_GOVERNMENT, K.LEGACY_SEAT, None, date(2027, 2, 21), id="US Government: as global"),
        pytest.param(GLOBAL, K.NEW_COMMERCE_SEAT, LATE, LATE.date(), id="new commerce: the end of its term"),
        pytest.param(GLOBAL, K.NEW_COMMERCE_SEAT, None, None, id="new commerce without a known term"),
        pytest.param(US_GOVERNMENT, K.NEW_COMMERCE_SEAT, LATE, LATE.date(), id="the same in US Government"),
        pytest.param(GLOBAL, K.AZURE_PLAN, None, None, id="Azure plan: nobody says"),
        pytest.param(GLOBAL, K.AZURE_PLAN, LATE, None, id="Azure plan: not its end either"),
        pytest.param(GLOBAL, K.MARKETPLACE, LATE, None, id="marketplace: nobody says"),
        pytest.param(GLOBAL, K.SOFTWARE, LATE, None, id="software: nobody says"),
        pytest.param(GLOBAL, K.UNKNOWN, None, None, id="a kind nobody knows"),
        *(
            pytest.param(CHINA, kind, LATE, date(2027, 1, 22), id=f"21Vianet: 60 days ({kind})")
            for kind in (K.LEGACY_SEAT, K.LEGACY_AZURE, K.NEW_COMMERCE_SEAT)
        ),
        *(
            pytest.param(CHINA, kind, LATE, None, id=f"21Vianet: nobody says ({kind})")
            for kind in (K.AZURE_PLAN, K.MARKETPLACE, K.SOFTWARE, K.UNKNOWN)
        ),
        pytest.param(US_GOVERNMENT, K.UNKNOWN, LATE, None, id="a kind nobody knows, anywhere"),
        pytest.param(CHINA, K.LEGACY_SEAT, SOON, SOON.date(), id="21Vianet: its end, when that is sooner"),
    ],
)
def test_when_data_is_deleted(
    cloud: Cloud, kind: SubscriptionKind, term_end: datetime | None, deadline: date | None
):
    subscription = a_subscription(kind=kind, term_end=term_end)
    assert deletion_deadline(subscription, suspended_on=SUSPENDED_ON, cloud=cloud) == deadline


@pytest.mark.parametrize(
    ("relationship", "may"),
    [
        pytest.param("reseller", True, id="reseller"),
        pytest.param("Reseller", True, id="in whatever case"),
        pytest.param(None, True, id="the list does not say"),
        pytest.param("advisor", False, id="advisor"),
        pytest.param("", False, id="an empty word"),
    ],
)
def test_who_may_be_acted_on(relationship: str | None, may: bool):
    assert a_customer(relationship=relationship).may_be_acted_on is may


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": SubscriptionStatus.SUSPENDED, "status_word": "suspended"}, id="status"),
        pytest.param({"status_word": "pendingTransfer"}, id="a status word nobody knows"),
        pytest.param({"quantity": 121}, id="quantity"),
        pytest.param({"term": "P3Y"}, id="term"),
        pytest.param({"term_end": LATE}, id="end of term"),
    ],
)
def test_the_fingerprint_changes_with(change: dict[str, Any]):
    assert a_subscription(**change).fingerprint != a_subscription().fingerprint


@pytest.mark.parametrize("quantity", [1, 120, 0, None])
def test_the_fingerprint_tells_the_quantity_that_was_shown(quantity: int | None):
    assert quantity_in(a_subscription(quantity=quantity).fingerprint) == quantity


@pytest.mark.parametrize(
    "fingerprint", ["", "active", "active|", "active|many|P1Y|None", "active|²|P1Y|None"]
)
def test_of_what_else_may_be_kept_it_tells_none(fingerprint: str):
    assert quantity_in(fingerprint) is None


def test_the_fingerprint_does_not_change_with_the_case_of_microsofts_words():
    assert a_subscription(status_word="Active").fingerprint == a_subscription().fingerprint


@pytest.mark.parametrize("kind", [K.MARKETPLACE, K.SOFTWARE])
def test_a_kind_without_a_documented_suspension_is_refused(kind: SubscriptionKind):
    with pytest.raises(CannotBeSuspended):
        must_be_suspendable(a_subscription(kind=kind), of=a_customer())


@pytest.mark.parametrize(
    ("change", "suspend", "resume"),
    [
        pytest.param({}, True, False, id="active"),
        pytest.param(
            {"kind": K.AZURE_PLAN}, True, False, id="an Azure plan: Microsoft looks for what runs in it"
        ),
        pytest.param({"kind": K.SOFTWARE}, False, False, id="software"),
        pytest.param({"kind": K.MARKETPLACE}, False, False, id="marketplace"),
        pytest.param({"status": SubscriptionStatus.SUSPENDED}, False, True, id="suspended"),
        pytest.param({"status": SubscriptionStatus.PENDING}, False, False, id="pending"),
        pytest.param({"status": SubscriptionStatus.EXPIRED}, False, False, id="expired"),
    ],
)
def test_what_can_be_done_now(change: dict[str, Any], suspend: bool, resume: bool):
    subscription, ours, not_ours = a_subscription(**change), a_customer(), a_customer(relationship="advisor")
    assert can_be_suspended(subscription, of=ours) is suspend
    assert can_be_resumed(subscription, of=ours, base=None) is resume
    assert not can_be_suspended(subscription, of=not_ours)
    assert not can_be_resumed(subscription, of=not_ours, base=None)


def test_an_add_on_can_be_resumed_once_its_base_runs():
    suspended = a_subscription(status=SubscriptionStatus.SUSPENDED)
    assert not can_be_resumed(suspended, of=a_customer(), base=suspended)
    assert can_be_resumed(suspended, of=a_customer(), base=a_subscription())


def test_a_kind_nobody_knows_is_left_to_microsoft_to_refuse():
    must_be_suspendable(a_subscription(kind=K.UNKNOWN), of=a_customer())


@pytest.mark.parametrize("status", [s for s in SubscriptionStatus if s is not SubscriptionStatus.ACTIVE])
def test_only_an_active_subscription_is_suspended(status: SubscriptionStatus):
    with pytest.raises(CannotBeSuspended):
        must_be_suspendable(a_subscription(status=status), of=a_customer())


def test_nobody_elses_customer_is_suspended():
    with pytest.raises(NotOurCustomer):
        must_be_suspendable(a_subscription(), of=a_customer(relationship="advisor"))


def test_the_shorter_of_two_ends_is_told_even_on_the_very_day():
    same_day = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    subscription = a_subscription(kind=K.LEGACY_SEAT, term_end=same_day)
    assert deletion_deadline(subscription, suspended_on=SUSPENDED_ON, cloud=GLOBAL) == SUSPENDED_ON
    later = a_subscription(kind=K.LEGACY_SEAT, term_end=same_day + timedelta(days=90))
    assert deletion_deadline(later, suspended_on=SUSPENDED_ON, cloud=GLOBAL) == date(2027, 2, 21)


@pytest.mark.parametrize(
    ("kind", "cloud", "deadline"),
    [
        pytest.param(K.LEGACY_SEAT, Cloud.GLOBAL, None, id="days after a day nobody knows"),
        pytest.param(K.LEGACY_SEAT, Cloud.CHINA, None, id="likewise at 21Vianet"),
        pytest.param(K.NEW_COMMERCE_SEAT, Cloud.GLOBAL, LATE.date(), id="the term ends when it ends"),
    ],
)
def test_what_somebody_else_suspended_is_deleted(kind: SubscriptionKind, cloud: Cloud, deadline: date | None):
    subscription = a_subscription(kind=kind, term_end=LATE)
    assert deletion_deadline(subscription, suspended_on=None, cloud=cloud) == deadline


def test_what_is_not_known_is_the_most_urgent():
    later, sooner, unknown = (
        Countdown(a_subscription(), a_customer(), deadline)
        for deadline in (date(2027, 3, 1), date(2027, 1, 1), None)
    )
    assert most_urgent_first([later, sooner, unknown]) == (unknown, sooner, later)


@pytest.mark.parametrize(
    ("days_left", "warning"),
    [
        (31, None),
        (30, 30),
        (15, 30),
        (14, 14),
        (8, 14),
        (7, 7),
        (3, 3),
        (2, 3),
        (1, 1),
        (0, 1),
        (-1, 0),
        (-99, 0),
    ],
)
def test_the_warning_people_should_have_had(days_left: int, warning: int | None):
    deadline = SUSPENDED_ON + timedelta(days=days_left)
    countdown = Countdown(a_subscription(), a_customer(), deadline, asked_by="U0ANA")
    assert countdown.warning(on=SUSPENDED_ON) == warning


@pytest.mark.parametrize(
    ("days", "suspended_on", "deadline"),
    [
        pytest.param({K.LEGACY_SEAT: 30}, SUSPENDED_ON, date(2026, 12, 23), id="the operator's number"),
        pytest.param({}, SUSPENDED_ON, None, id="no number"),
        pytest.param({K.LEGACY_SEAT: 30}, None, None, id="days after a day nobody knows"),
    ],
)
def test_the_days_are_the_operators(days: dict[K, int], suspended_on: date | None, deadline: date | None):
    given = {GLOBAL: days}
    assert (
        deletion_deadline(a_subscription(), suspended_on=suspended_on, cloud=GLOBAL, days=given) == deadline
    )


def test_a_number_for_new_commerce_counts_beside_its_term():
    days = {GLOBAL: {K.NEW_COMMERCE_SEAT: 30}}

    def ends(term_end: datetime, suspended_on: date | None = SUSPENDED_ON) -> date | None:
        subscription = a_subscription(kind=K.NEW_COMMERCE_SEAT, term_end=term_end)
        return deletion_deadline(subscription, suspended_on=suspended_on, cloud=GLOBAL, days=days)

    assert ends(LATE) == date(2026, 12, 23)
    assert ends(SOON) == SOON.date()
    assert ends(LATE, None) is None


@pytest.mark.parametrize(
    ("known", "term_end", "earliest"),
    [
        pytest.param(Known.NOT_BEFORE, None, True, id="counted from when it was last seen active"),
        pytest.param(Known.NOT_BEFORE, LATE, True, id="and before its term ends"),
        pytest.param(Known.NOT_BEFORE, SOON, False, id="its term ends when it ends"),
        pytest.param(Known.TOLD, None, False, id="counted from a moment somebody told"),
        pytest.param(Known.OURS, None, False, id="counted from what Backstop did"),
    ],
)
def test_a_deadline_that_may_be_later_says_so(known: Known, term_end: datetime | None, earliest: bool):
    countdown = Countdown(a_subscription(term_end=term_end), a_customer(), SOON.date(), known=known)
    assert countdown.is_at_earliest is earliest
    assert not Countdown(a_subscription(), a_customer(), None, known=known).is_at_earliest


def test_of_a_day_nobody_knows_nobody_is_warned():
    assert Countdown(a_subscription(), a_customer(), None).warning(on=SUSPENDED_ON) is None
