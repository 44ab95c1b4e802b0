"""A request about several subscriptions: each has an end of its own, and the request ends with the last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.customer import SubscriptionId
from bot.domain.errors import (
    AlreadyDecided,
    CannotBeCancelled,
    CannotWait,
    NothingToRetry,
    NotPermitted,
    RequestExpired,
    TooManyAtOnce,
)
from bot.domain.people import Person
from bot.domain.request import CHANGED_SINCE_CONFIRMED, MOST_TARGETS, ActionRequest, Outcome, Result, Status
from tests.builders import (
    DAY,
    HOUR,
    a_request,
    a_target,
    an_action,
    ana,
    ben,
    eve,
    mei,
    noon,
    settled,
    targets,
)

LEASE = timedelta(seconds=45)
DONE, FAILED, UNKNOWN, OPEN = Result.DONE, Result.FAILED, Result.UNKNOWN, Result.OPEN
CHANGED = Outcome(confirmed=False, error="conflict", reason=CHANGED_SINCE_CONFIRMED)


def begun(count: int = 3) -> ActionRequest:
    request = a_request(targets=targets(count)).approve(by=ben, at=noon)
    return request.claim(at=noon, lease=LEASE, holder="one")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        pytest.param((DONE, DONE, DONE), Status.DONE, id="all are done"),
        pytest.param((DONE, FAILED, DONE), Status.FAILED, id="one failed"),
        pytest.param((UNKNOWN, FAILED, DONE), Status.UNKNOWN, id="one is unknown: somebody has to look"),
    ],
)
def test_it_ends_with_its_last_target_and_as_its_worst(results: tuple[Result, ...], status: Status):
    request = begun()
    for number, result in enumerate(results):
        assert request.status is Status.EXECUTING
        request = request.settle(request.targets[number].subscription_id, result, Outcome(), at=noon + HOUR)
    assert (request.status, request.closed_at, request.lease_until) == (status, noon + HOUR, None)


def test_what_is_settled_stays_so_whatever_comes_later():
    first = targets(2)[0].subscription_id
    request = begun(2).settle(first, DONE, Outcome(changed=True), at=noon)
    again = request.settle(first, FAILED, Outcome(error="rejected"), at=noon + HOUR)
    assert again.targets[0] == request.targets[0]


def test_what_microsoft_accepted_is_open_until_it_shows():
    accepted = Outcome(changed=True, confirmed=False)
    request = begun(1).settle(targets(1)[0].subscription_id, OPEN, accepted, at=noon)
    assert request.status is Status.EXECUTING
    assert [(t.was_accepted, t.ended_at) for t in request.targets] == [(True, None)]


def test_a_base_comes_before_its_add_ons_and_other_bases_beside_it():
    base, other = targets(2)
    add_on = a_target(subscription_id=SubscriptionId("add-on"), parent_id=base.subscription_id)
    elsewhere = a_target(subscription_id=SubscriptionId("x"), parent_id=SubscriptionId("not-ours"))
    request = a_request(targets=[add_on, base, elsewhere, other], approvals_needed=0)
    assert [[t.subscription_id for t in wave] for wave in request.waves] == [
        [base.subscription_id, elsewhere.subscription_id, other.subscription_id],
        [add_on.subscription_id],
    ]


@pytest.mark.parametrize(
    "about",
    [
        pytest.param([a_target(), a_target()], id="one subscription twice"),
        pytest.param(targets(MOST_TARGETS + 1), id="one too many"),
    ],
)
def test_it_is_not_placed_about(about):
    with pytest.raises(TooManyAtOnce):
        a_request(targets=about)


def test_it_counts_for_the_day_on_which_each_was_begun():
    request = settled(begun(2), FAILED).retry(by=ana, at=noon + HOUR)
    again = request.claim(at=noon + 2 * HOUR, lease=LEASE, holder="two")
    assert [t.begun_at for t in begun(2).targets] == [noon, noon]
    assert [t.begun_at for t in again.targets] == [noon + 2 * HOUR] * 2


class TestRetry:
    def test_only_what_failed_is_tried_again_under_a_new_request_id(self):
        failed = settled(begun(), DONE, FAILED, DONE)
        retried = failed.retry(by=ana, at=noon + HOUR)
        assert (retried.status, retried.acts_at, retried.attempt) == (Status.APPROVED, noon + HOUR, 0)
        assert [t.result for t in retried.targets] == [DONE, OPEN, DONE]
        changed = [
            a.ms_request_id != b.ms_request_id for a, b in zip(failed.targets, retried.targets, strict=True)
        ]
        assert changed == [False, True, False]

    def test_repeating_the_retry_repeats_the_same_write(self):
        failed = settled(begun(1), FAILED)
        one, two = failed.retry(by=ana, at=noon), failed.retry(by=ben, at=noon + HOUR)
        assert one.targets == two.targets

    @pytest.mark.parametrize(
        "by", [pytest.param(ana, id="the requester"), pytest.param(mei, id="an approver")]
    )
    def test_it_is_for(self, by: Person):
        assert settled(begun(1), FAILED).retry(by=by, at=noon).status is Status.APPROVED

    @pytest.mark.parametrize(
        "by",
        [
            pytest.param(eve, id="somebody without a right"),
            pytest.param(replace(ana, rights=frozenset()), id="a requester who may ask no more"),
        ],
    )
    def test_it_is_not_for(self, by: Person):
        with pytest.raises(NotPermitted):
            settled(begun(1), FAILED).retry(by=by, at=noon)
        with pytest.raises(NotPermitted):
            settled(begun(1), UNKNOWN).look_again(by=by, at=noon)

    def test_it_is_too_late_after_another_time_to_live(self):
        failed = settled(begun(1), FAILED)
        assert failed.retry(by=ana, at=noon + DAY - timedelta(microseconds=1))
        with pytest.raises(RequestExpired):
            failed.retry(by=ana, at=noon + DAY)

    def test_what_changed_since_it_was_confirmed_is_asked_for_anew_instead(self):
        failed = settled(begun(2), FAILED, outcome=CHANGED)
        assert (failed.must_be_confirmed_again, failed.may_be_retried) == (True, False)
        with pytest.raises(NothingToRetry):
            failed.retry(by=ana, at=noon)

    def test_what_is_done_is_not_tried_again(self):
        with pytest.raises(AlreadyDecided):
            settled(begun(2), DONE).retry(by=ana, at=noon)

    def test_each_round_is_counted_so_that_each_end_is_told(self):
        once = settled(begun(1), FAILED).retry(by=ana, at=noon)
        assert (begun(1).round, once.round) == (0, 1)


def test_looking_again_keeps_what_microsoft_accepted_so_that_nothing_is_sent_twice():
    accepted = Outcome(changed=True, confirmed=False, error="not-ready")
    silent = Outcome(confirmed=False, error="unavailable")
    request = begun(2)
    request = request.settle(request.targets[0].subscription_id, UNKNOWN, accepted, at=noon)
    request = request.settle(request.targets[1].subscription_id, UNKNOWN, silent, at=noon)
    again = request.look_again(by=ben, at=noon)
    assert [(t.result, t.was_accepted) for t in again.targets] == [(OPEN, True), (OPEN, False)]
    assert [t.ms_request_id for t in again.targets] == [t.ms_request_id for t in request.targets]


class TestAtACertainTime:
    def test_however_early_it_is_approved_it_waits_until_then(self):
        request = a_request(not_before=noon + DAY, undo=timedelta(minutes=2))
        assert request.approve(by=ben, at=noon).acts_at == noon + DAY

    def test_approved_late_it_still_has_its_undo_window(self):
        request = a_request(not_before=noon + HOUR, undo=timedelta(minutes=2))
        assert request.approve(by=ben, at=noon + 3 * HOUR).acts_at == noon + 3 * HOUR + timedelta(minutes=2)

    @pytest.mark.parametrize(
        "action",
        [
            pytest.param(an_action(reason=Reason.FRAUD), id="fraud"),
            pytest.param(an_action(reason=Reason.MISUSE), id="misuse"),
            pytest.param(an_action(verb=Verb.RESUME), id="a resumption"),
        ],
    )
    def test_it_is_not_for(self, action):
        with pytest.raises(CannotWait):
            a_request(action=action, not_before=noon + DAY)


class TestCancellingAzure:
    @pytest.mark.parametrize("asked_for", [0, 1])
    def test_two_must_approve_whatever_is_asked_for(self, asked_for: int):
        action = an_action(verb=Verb.CANCEL_AZURE, reason=Reason.FRAUD)
        request = a_request(action=action, approvals_needed=asked_for)
        assert request.approvals_needed == 2
        assert request.approve(by=ben, at=noon).status is Status.PENDING

    @pytest.mark.parametrize("reason", [Reason.NON_PAYMENT, Reason.CUSTOMER_REQUEST])
    def test_only_for_a_compromise(self, reason: Reason):
        with pytest.raises(CannotBeCancelled):
            a_request(action=an_action(verb=Verb.CANCEL_AZURE, reason=reason))


def test_what_waited_for_the_limit_goes_on_when_it_is_lifted():
    waiting = a_request().approve(by=ben, at=noon).postpone(until=noon + DAY)
    released = waiting.go_on(at=noon + HOUR)
    assert (released.over_daily_limit, released.is_due(at=noon + HOUR)) == (False, True)
