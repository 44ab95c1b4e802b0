"""Drift: what counts as a change by somebody else, what is ours, and who may say what to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.customer import Known, SubscriptionId, SubscriptionStatus
from bot.domain.drift import SETTLES, Acts, DriftStatus, has_changed
from bot.domain.errors import DriftSettled, NotPermitted
from bot.domain.people import Person
from bot.domain.request import ActionRequest, RequestId, Result
from tests.builders import DAY, HOUR, a_drift, a_request, a_subscription, a_target, ana, ben, boss, eve, noon

S = SubscriptionStatus
BASE = SubscriptionId("base")
OWN = a_subscription().id
ADD_ON = a_subscription(parent_id=BASE, status=S.SUSPENDED, status_word="suspended")
SUSPENDED = replace(ADD_ON, parent_id=None)
ACTIVE = a_subscription()


@pytest.mark.parametrize(
    ("earlier", "now", "changed"),
    [
        pytest.param(S.ACTIVE, S.SUSPENDED, True, id="suspended"),
        pytest.param(S.SUSPENDED, S.ACTIVE, True, id="resumed"),
        pytest.param(S.PENDING, S.SUSPENDED, True, id="suspended before it began"),
        pytest.param(S.EXPIRED, S.SUSPENDED, True, id="suspended after it ended"),
        pytest.param(S.SUSPENDED, S.SUSPENDED, False, id="still suspended"),
        pytest.param(S.ACTIVE, S.ACTIVE, False, id="still active"),
        pytest.param(S.PENDING, S.ACTIVE, False, id="begun"),
        pytest.param(S.SUSPENDED, S.EXPIRED, False, id="its term ended"),
        pytest.param(S.SUSPENDED, S.DELETED, False, id="deleted"),
        pytest.param(S.SUSPENDED, S.UNKNOWN, False, id="become what nobody knows"),
        pytest.param(None, S.SUSPENDED, False, id="seen for the first time"),
        pytest.param(S.UNKNOWN, S.SUSPENDED, False, id="nobody knows what it was"),
        pytest.param(S.NONE, S.SUSPENDED, False, id="it had no status"),
    ],
)
def test_what_is_a_change(earlier: S | None, now: S, changed: bool):
    assert has_changed(earlier, now) is changed


def suspended_by_us(at: datetime, id: str = "R-1") -> ActionRequest:
    done = [a_target(subscription_id=s, result=Result.DONE, ended_at=at) for s in (OWN, BASE)]
    return a_request(id=RequestId(id), targets=done)


@pytest.mark.parametrize(
    ("acts", "ours"),
    [
        pytest.param(Acts({}, {}), False, id="nothing was done"),
        pytest.param(Acts({OWN: suspended_by_us(noon)}, {}), True, id="suspended since"),
        pytest.param(Acts({BASE: suspended_by_us(noon)}, {}), True, id="its base suspended since"),
        pytest.param(Acts({OWN: suspended_by_us(noon - SETTLES)}, {}), True, id="just before, not yet shown"),
        pytest.param(Acts({OWN: suspended_by_us(noon - DAY)}, {}), False, id="suspended long before"),
        pytest.param(Acts({}, {OWN: noon}), False, id="resumed since"),
        pytest.param(Acts({}, {}, frozenset({(Verb.SUSPEND, OWN)})), True, id="about to be suspended"),
        pytest.param(Acts({}, {}, frozenset({(Verb.SUSPEND, BASE)})), True, id="its base about to be"),
        pytest.param(Acts({}, {}, frozenset({(Verb.RESUME, OWN)})), False, id="about to be resumed"),
        pytest.param(
            Acts({SubscriptionId("other"): suspended_by_us(noon)}, {}), False, id="something else suspended"
        ),
    ],
)
def test_what_explains_a_suspension(acts: Acts, ours: bool):
    assert acts.explain(ADD_ON, since=noon) is ours


@pytest.mark.parametrize(
    ("acts", "ours"),
    [
        pytest.param(Acts({}, {OWN: noon}), True, id="resumed since"),
        pytest.param(Acts({}, {OWN: noon - DAY}), False, id="resumed long before"),
        pytest.param(Acts({OWN: suspended_by_us(noon)}, {}), False, id="suspended since"),
        pytest.param(Acts({}, {}, frozenset({(Verb.RESUME, OWN)})), True, id="about to be resumed"),
    ],
)
def test_what_explains_a_resumption(acts: Acts, ours: bool):
    assert acts.explain(ACTIVE, since=noon) is ours


@pytest.mark.parametrize(
    ("acts", "request_id"),
    [
        pytest.param(Acts({OWN: suspended_by_us(noon)}, {}), "R-1", id="its own"),
        pytest.param(Acts({BASE: suspended_by_us(noon)}, {}), "R-1", id="its base's"),
        pytest.param(
            Acts({OWN: suspended_by_us(noon), BASE: suspended_by_us(noon - HOUR, "R-2")}, {}),
            "R-2",
            id="the earlier of two",
        ),
        pytest.param(Acts({OWN: suspended_by_us(noon)}, {OWN: noon + HOUR}), None, id="lifted by us"),
        pytest.param(
            Acts({BASE: suspended_by_us(noon)}, {BASE: noon + HOUR}), "R-1", id="its base resumed without it"
        ),
        pytest.param(
            Acts({BASE: suspended_by_us(noon)}, {OWN: noon + HOUR}), None, id="its base's, lifted for it"
        ),
        pytest.param(
            Acts({OWN: suspended_by_us(noon), BASE: suspended_by_us(noon + DAY, "R-2")}, {OWN: noon + HOUR}),
            "R-2",
            id="its own lifted, its base's later",
        ),
        pytest.param(Acts({}, {OWN: noon}), None, id="none"),
    ],
)
def test_under_which_suspension_of_ours_it_stands(acts: Acts, request_id: str | None):
    found = acts.suspension_of(ADD_ON)
    assert (found.id if found else None) == request_id


@pytest.mark.parametrize(
    ("became", "acts", "ended"),
    [
        pytest.param(S.SUSPENDED, Acts({}, {OWN: noon + HOUR}), True, id="we resumed it"),
        pytest.param(S.SUSPENDED, Acts({}, {OWN: noon - HOUR}), False, id="we had resumed it before"),
        pytest.param(S.SUSPENDED, Acts({OWN: suspended_by_us(noon + HOUR)}, {}), False, id="as it was"),
        pytest.param(S.ACTIVE, Acts({OWN: suspended_by_us(noon + HOUR)}, {}), True, id="we suspended it"),
    ],
)
def test_our_opposite_ends_it(became: S, acts: Acts, ended: bool):
    assert acts.ended(a_drift(became=became)) is ended


@pytest.mark.parametrize("by", [pytest.param(p, id=p.id) for p in (ana, ben, boss)])
def test_who_may_ask_or_approve_may_decide(by: Person):
    adopted = a_drift().adopt(by=by, at=noon + HOUR, reason=Reason.FRAUD, note="stolen card")
    assert (adopted.status, adopted.by, adopted.at) == (DriftStatus.ADOPTED, by.id, noon + HOUR)
    assert (adopted.reason, adopted.note) == (Reason.FRAUD, "stolen card")
    explained = a_drift().explain(by=by, at=noon + HOUR, note="by the customer")
    assert (explained.status, explained.by, explained.reason) == (DriftStatus.EXPLAINED, by.id, None)


def test_nobody_else_may():
    with pytest.raises(NotPermitted):
        a_drift().adopt(by=eve, at=noon, reason=Reason.FRAUD)
    with pytest.raises(NotPermitted):
        a_drift().explain(by=eve, at=noon, note="I know")


@pytest.mark.parametrize(
    ("settled", "why", "first"),
    [
        pytest.param(a_drift().adopt(by=ana, at=noon, reason=Reason.MISUSE), "adopted", ana.id, id="adopted"),
        pytest.param(a_drift().explain(by=ben, at=noon, note="x"), "explained", ben.id, id="explained"),
        pytest.param(a_drift().over(at=noon), "over", None, id="over"),
    ],
)
def test_a_second_decision_is_told_who_was_first(settled, why: str, first: str | None):
    with pytest.raises(DriftSettled) as refusal:
        settled.adopt(by=boss, at=noon, reason=Reason.FRAUD)
    assert (refusal.value.why, refusal.value.by) == (why, first)
    with pytest.raises(DriftSettled):
        settled.explain(by=boss, at=noon, note="y")


def test_who_decided_stays_when_it_is_over():
    over = a_drift().adopt(by=ana, at=noon, reason=Reason.FRAUD).over(at=noon + DAY)
    assert (over.status, over.by, over.at, over.reason) == (DriftStatus.OVER, ana.id, noon, Reason.FRAUD)
    assert a_drift().over(at=noon + DAY).at == noon + DAY


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        pytest.param(noon - HOUR, True, id="between the two readings"),
        pytest.param(noon - DAY - SETTLES, True, id="just before it still showed otherwise"),
        pytest.param(noon - DAY - SETTLES - timedelta(seconds=1), False, id="an earlier suspension"),
        pytest.param(noon + HOUR, False, id="a later one"),
    ],
)
def test_the_moment_the_log_tells_is_kept_where_it_can_be_meant(told: datetime, kept: bool):
    dated = a_drift().dated(told)
    assert dated.since == ((told, Known.TOLD) if kept else (noon - DAY, Known.NOT_BEFORE))


def test_without_an_earlier_reading_or_a_log_nobody_knows():
    unknown = a_drift(not_before=None)
    assert unknown.since == (None, Known.UNKNOWN)
    assert unknown.dated(noon - 60 * DAY).since == (noon - 60 * DAY, Known.TOLD)
