"""Requests: who may do what to one, in which status and when; and that nothing acts without four eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.action import Reason
from bot.domain.errors import (
    AlreadyApproved,
    AlreadyDecided,
    NotPermitted,
    OwnRequest,
    Refused,
    RequestExpired,
)
from bot.domain.people import Person, PersonId, Right
from bot.domain.request import ActionRequest, Outcome, Reminder, Result, Status
from tests.builders import (
    DAY,
    HOUR,
    a_request,
    a_target,
    an_action,
    ana,
    ben,
    boss,
    came_of,
    eve,
    mei,
    noon,
    settled,
)

MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=45)
ola = Person(PersonId("U0OLA"), frozenset({Right.OPERATE}))  # another operator

Verb = Callable[[ActionRequest], ActionRequest]


def claimed(request: ActionRequest, *, at: datetime = noon, holder: str = "one") -> ActionRequest:
    return request.claim(at=at, lease=LEASE, holder=holder)


def finished(status: Status) -> ActionRequest:
    return settled(claimed(a_request().approve(by=ben, at=noon)), Result(status.value))


IN_STATUS: dict[Status, Callable[[], ActionRequest]] = {
    Status.PENDING: a_request,
    Status.APPROVED: lambda: a_request().approve(by=ben, at=noon),
    Status.EXECUTING: lambda: claimed(a_request().approve(by=ben, at=noon)),
    Status.DONE: lambda: finished(Status.DONE),
    Status.FAILED: lambda: finished(Status.FAILED),
    Status.UNKNOWN: lambda: finished(Status.UNKNOWN),
    Status.DENIED: lambda: a_request().deny(by=ben, at=noon, why="paid yesterday"),
    Status.EXPIRED: lambda: a_request().expire(at=noon + DAY),
    Status.WITHDRAWN: lambda: a_request().withdraw(by=ana, at=noon),
}

VERBS: dict[str, Verb] = {
    "approve": lambda r: r.approve(by=mei, at=noon),
    "deny": lambda r: r.deny(by=mei, at=noon, why=""),
    "withdraw": lambda r: r.withdraw(by=ana, at=noon),
    "cancel": lambda r: r.cancel(by=ana, at=noon),
    "look again": lambda r: r.look_again(by=ana, at=noon),
    "expire": lambda r: r.expire(at=noon + DAY),
    "claim": lambda r: claimed(r, holder="two"),
    "postpone": lambda r: r.postpone(until=noon + DAY),
    "wait": lambda r: r.wait(until=noon + HOUR),
    "settle": lambda r: settled(r, Result.DONE),
    "retry": lambda r: r.retry(by=ana, at=noon),
    "go on": lambda r: r.go_on(at=noon),
}

ALLOWED: dict[tuple[str, Status], Status] = {
    ("approve", Status.PENDING): Status.APPROVED,
    ("deny", Status.PENDING): Status.DENIED,
    ("withdraw", Status.PENDING): Status.WITHDRAWN,
    ("cancel", Status.APPROVED): Status.WITHDRAWN,
    ("look again", Status.UNKNOWN): Status.APPROVED,
    ("expire", Status.PENDING): Status.EXPIRED,
    ("claim", Status.APPROVED): Status.EXECUTING,
    ("postpone", Status.APPROVED): Status.APPROVED,
    ("wait", Status.EXECUTING): Status.EXECUTING,
    ("settle", Status.EXECUTING): Status.DONE,
    ("retry", Status.FAILED): Status.APPROVED,
}
"""Everything that is not in here is refused."""


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_status_does_what_the_table_says(verb: str, status: Status):
    request = IN_STATUS[status]()
    becomes = ALLOWED.get((verb, status))
    if becomes is None:
        with pytest.raises(AlreadyDecided) as refusal:
            VERBS[verb](request)
        assert refusal.value.status == status
    else:
        assert VERBS[verb](request).status is becomes


@pytest.mark.parametrize("status", Status)
def test_the_builders_of_this_table_reach_the_status_they_are_named_after(status: Status):
    assert IN_STATUS[status]().status is status


@pytest.mark.parametrize("decide", [pytest.param(VERBS["approve"], id="approve"), VERBS["deny"]])
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PENDING])
def test_a_decision_that_comes_second_leaves_the_first_as_it_was(decide: Verb, status: Status):
    request = IN_STATUS[status]()
    with pytest.raises(AlreadyDecided):
        decide(request)
    assert request == IN_STATUS[status]()


DECISIONS: dict[str, Callable[[ActionRequest, Person, datetime], ActionRequest]] = {
    "approve": lambda r, by, at: r.approve(by=by, at=at),
    "deny": lambda r, by, at: r.deny(by=by, at=at, why=""),
}


class TestWho:
    @pytest.mark.parametrize(
        ("by", "at", "refusal"),
        [
            pytest.param(ana, noon, NotPermitted, id="the requester, who may only operate"),
            pytest.param(eve, noon, NotPermitted, id="somebody without any right"),
            pytest.param(ola, noon, NotPermitted, id="another operator"),
            pytest.param(ben, noon + DAY, RequestExpired, id="an approver who came at the last moment"),
            pytest.param(ben, noon + 2 * DAY, RequestExpired, id="an approver who came far too late"),
        ],
    )
    @pytest.mark.parametrize("decide", DECISIONS)
    def test_no_decision_from(self, decide: str, by: Person, at: datetime, refusal: type[Exception]):
        with pytest.raises(refusal):
            DECISIONS[decide](a_request(by=ana), by, at)

    @pytest.mark.parametrize("decide", DECISIONS)
    def test_the_requester_does_not_decide_even_with_the_right_to(self, decide: str):
        with pytest.raises(OwnRequest):
            DECISIONS[decide](a_request(by=boss), boss, noon)

    def test_a_decision_a_moment_before_the_end_counts(self):
        late = noon + DAY - timedelta(microseconds=1)
        assert a_request().approve(by=ben, at=late).status is Status.APPROVED

    @pytest.mark.parametrize(
        "by", [ben, eve, ola, boss], ids=["an approver", "anybody", "an operator", "boss"]
    )
    def test_nobody_but_the_requester_withdraws(self, by: Person):
        with pytest.raises(NotPermitted):
            a_request(by=ana).withdraw(by=by, at=noon)

    def test_a_requester_who_lost_the_right_may_still_withdraw(self):
        withdrawn = a_request(by=ana).withdraw(by=Person(ana.id), at=noon)
        assert (withdrawn.status, withdrawn.closed_by, withdrawn.closed_at) == (
            Status.WITHDRAWN,
            ana.id,
            noon,
        )

    @pytest.mark.parametrize(
        "by", [ana, ben, mei, boss], ids=["requester", "approver", "another approver", "boss"]
    )
    def test_an_approved_request_is_cancelled_by(self, by: Person):
        approved = a_request(undo=HOUR).approve(by=ben, at=noon)
        cancelled = approved.cancel(by=by, at=noon + MINUTE)
        assert (cancelled.status, cancelled.closed_by) == (Status.WITHDRAWN, by.id)

    @pytest.mark.parametrize("by", [eve, ola], ids=["somebody without any right", "another operator"])
    def test_an_approved_request_is_not_cancelled_by(self, by: Person):
        with pytest.raises(NotPermitted):
            a_request(undo=HOUR).approve(by=ben, at=noon).cancel(by=by, at=noon)

    @pytest.mark.parametrize(
        "by", [ben, eve], ids=["an approver who may not operate", "somebody without any right"]
    )
    def test_no_request_is_placed_by(self, by: Person):
        with pytest.raises(NotPermitted):
            a_request(by=by)


class TestQuorum:
    def test_two_approvals_come_from_two_people(self):
        request = a_request(approvals_needed=2)
        once = request.approve(by=ben, at=noon)
        twice = once.approve(by=mei, at=noon + HOUR)
        assert [once.status, twice.status] == [Status.PENDING, Status.APPROVED]
        assert [d.by for d in twice.approvals] == [ben.id, mei.id]

    def test_one_person_twice_is_refused(self):
        once = a_request(approvals_needed=2).approve(by=ben, at=noon)
        with pytest.raises(AlreadyApproved):
            once.approve(by=ben, at=noon + HOUR)

    def test_the_undo_window_begins_with_the_last_approval(self):
        once = a_request(approvals_needed=2, undo=MINUTE).approve(by=ben, at=noon)
        twice = once.approve(by=mei, at=noon + HOUR)
        assert (once.acts_at, twice.acts_at) == (None, noon + HOUR + MINUTE)

    def test_one_no_is_enough_whoever_said_yes_before(self):
        denied = a_request(approvals_needed=2).approve(by=ben, at=noon).deny(by=mei, at=noon, why="they paid")
        assert denied.status is Status.DENIED
        assert denied.denial is not None
        assert (denied.denial.by, denied.denial.why) == (mei.id, "they paid")

    def test_an_approver_may_change_their_mind_to_no_while_others_are_awaited(self):
        assert (
            a_request(approvals_needed=2).approve(by=ben, at=noon).deny(by=ben, at=noon, why="").status
            is Status.DENIED
        )

    def test_what_needs_no_approval_is_approved_when_it_is_placed(self):
        request = a_request(approvals_needed=0, undo=MINUTE)
        assert (request.status, request.acts_at, request.decisions) == (Status.APPROVED, noon + MINUTE, ())

    def test_the_refusal_names_who_was_first(self):
        with pytest.raises(AlreadyDecided) as refusal:
            a_request().approve(by=ben, at=noon).approve(by=mei, at=noon)
        assert (refusal.value.status, refusal.value.by) == (Status.APPROVED, ben.id)


class TestWhenItActs:
    @pytest.mark.parametrize(
        ("reason", "waits"),
        [
            pytest.param(Reason.NON_PAYMENT, 2 * MINUTE, id="non-payment waits"),
            pytest.param(Reason.CUSTOMER_REQUEST, 2 * MINUTE, id="the customer's wish waits"),
            pytest.param(Reason.FRAUD, timedelta(0), id="fraud acts at once"),
            pytest.param(Reason.MISUSE, timedelta(0), id="misuse acts at once"),
        ],
    )
    def test_the_undo_window(self, reason: Reason, waits: timedelta):
        request = a_request(action=an_action(reason=reason), undo=2 * MINUTE)
        assert request.approve(by=ben, at=noon + HOUR).acts_at == noon + HOUR + waits

    def test_nothing_is_claimed_inside_the_undo_window(self):
        approved = a_request(undo=2 * MINUTE).approve(by=ben, at=noon)
        with pytest.raises(AlreadyDecided):
            claimed(approved, at=noon + 2 * MINUTE - timedelta(microseconds=1))
        assert claimed(approved, at=noon + 2 * MINUTE).status is Status.EXECUTING

    def test_who_claims_holds_it_for_a_lease(self):
        one = claimed(a_request().approve(by=ben, at=noon))
        assert (one.attempt, one.holder, one.lease_until) == (1, "one", noon + LEASE)

    def test_nobody_takes_over_while_the_lease_runs(self):
        one = claimed(a_request().approve(by=ben, at=noon))
        with pytest.raises(AlreadyDecided):
            claimed(one, at=noon + LEASE - timedelta(microseconds=1), holder="two")

    def test_an_abandoned_one_is_taken_over(self):
        one = claimed(a_request().approve(by=ben, at=noon))
        two = claimed(one, at=noon + LEASE, holder="two")
        assert (two.attempt, two.holder, two.lease_until) == (2, "two", noon + 2 * LEASE)

    def test_a_write_that_is_repeated_keeps_its_request_id(self):
        one = claimed(a_request().approve(by=ben, at=noon))
        assert claimed(one, at=noon + LEASE).targets[0].ms_request_id == a_target().ms_request_id

    def test_waiting_keeps_others_away_until_then(self):
        waiting = claimed(a_request().approve(by=ben, at=noon)).wait(until=noon + HOUR)
        with pytest.raises(AlreadyDecided):
            claimed(waiting, at=noon + HOUR - MINUTE)
        assert claimed(waiting, at=noon + HOUR).attempt == 2

    def test_a_postponed_request_waits_for_its_new_time(self):
        later = a_request().approve(by=ben, at=noon).postpone(until=noon + DAY)
        assert (later.is_due(at=noon + DAY - MINUTE), later.is_due(at=noon + DAY)) == (False, True)

    def test_it_says_what_holds_it_back_now_and_nothing_that_did_before(self):
        approved = a_request().approve(by=ben, at=noon)
        at_night = approved.postpone(until=noon + DAY).keep_hours(until=noon + 2 * DAY)
        assert (at_night.over_daily_limit, at_night.outside_hours) == (False, True)
        over_the_limit = at_night.postpone(until=noon + 3 * DAY)
        assert (over_the_limit.over_daily_limit, over_the_limit.outside_hours) == (True, False)

    def test_of_what_is_settled_it_is_not_said_again_that_nothing_was_sent(self):
        begun = claimed(claimed(a_request().approve(by=ben, at=noon)), at=noon + LEASE)
        (target, *_) = begun.targets
        settled = begun.settle(
            target.subscription_id, Result.OPEN, Outcome(error="unavailable"), at=noon, unsent=True
        )
        assert [t.sendings for t in begun.targets + settled.targets] == [2, 1]
        looked_at = replace(
            settled, targets=tuple(replace(t, result=Result.UNKNOWN) for t in settled.targets)
        )
        waiting = looked_at.wait(until=noon + DAY, unsent={target.subscription_id})
        assert [t.may_have_been_sent for t in waiting.targets] == [True]

    def test_an_approved_request_that_nobody_began_is_cancelled_even_after_its_window(self):
        approved = a_request(undo=MINUTE).approve(by=ben, at=noon)
        assert approved.cancel(by=ana, at=noon + HOUR).status is Status.WITHDRAWN

    def test_what_began_is_not_cancelled(self):
        with pytest.raises(AlreadyDecided):
            claimed(a_request().approve(by=ben, at=noon)).cancel(by=ana, at=noon)

    def test_the_end_lets_go_of_the_lease(self):
        done = finished(Status.DONE)
        assert (done.lease_until, done.closed_at, came_of(done)) == (None, noon, Outcome())


@pytest.mark.parametrize("status", Status)
def test_only_what_nobody_waits_for_any_more_is_final(status: Status):
    leads_somewhere = {before for verb, before in ALLOWED if verb != "retry"}
    assert status.is_open is (status in leads_somewhere)


STEPS = DECISIONS | {
    "withdraw": lambda r, by, at: r.withdraw(by=by, at=at),
    "cancel": lambda r, by, at: r.cancel(by=by, at=at),
    "claim": lambda r, _, at: claimed(r, at=at),
    "settle": lambda r, _, at: settled(r, Result.DONE, at=at),
    "fail": lambda r, _, at: settled(r, Result.FAILED, at=at),
    "retry": lambda r, by, at: r.retry(by=by, at=at),
    "look again": lambda r, by, at: r.look_again(by=by, at=at),
}


@given(
    needed=st.integers(1, 3),
    requester=st.sampled_from([ana, boss]),
    walk=st.lists(
        st.tuples(
            st.sampled_from([*STEPS, "approve", "approve"]),
            st.sampled_from([ana, ben, mei, boss, eve, ola]),
            st.integers(0, 26),
        ),
        max_size=12,
    ),
)
def test_whatever_people_try_nothing_acts_without_enough_others_who_may_approve(
    needed: int, requester: Person, walk: list[tuple[str, Person, int]]
):
    request: Any = a_request(by=requester, approvals_needed=needed)
    for name, by, hours in walk:
        try:
            request = STEPS[name](request, by, noon + hours * HOUR)
        except Refused:
            continue
        if request.status in (Status.APPROVED, Status.EXECUTING, Status.DONE):
            approvers = {d.by for d in request.approvals}
            assert len(approvers) >= needed
            assert approvers <= {ben.id, mei.id, boss.id} - {requester.id}
            assert all(d.at < request.expires_at for d in request.approvals)


@pytest.mark.parametrize(
    ("waited", "reminder"),
    [
        pytest.param(0.49, None, id="before half of its time"),
        pytest.param(0.5, Reminder.HALF, id="half of its time"),
        pytest.param(0.89, Reminder.HALF, id="before nine tenths"),
        pytest.param(0.9, Reminder.LAST, id="nine tenths"),
        pytest.param(1.0, None, id="expired"),
    ],
)
def test_approvers_are_reminded_after(waited: float, reminder: Reminder | None):
    assert a_request(at=noon, time_to_live=DAY).reminder(at=noon + waited * DAY) is reminder


def test_nobody_is_reminded_of_what_is_decided():
    request = a_request(at=noon, time_to_live=DAY).approve(by=ben, at=noon)
    assert request.reminder(at=noon + 0.95 * DAY) is None


def test_nothing_expires_before_its_time():
    with pytest.raises(AlreadyDecided):
        a_request(at=noon, time_to_live=DAY).expire(at=noon + DAY - MINUTE)
