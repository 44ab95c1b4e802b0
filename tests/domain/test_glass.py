"""Breaking the glass: who may, for what, with which words; and who reviews it, and when it comes up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.errors import (
    AlreadyDecided,
    BackstopError,
    GlassKept,
    GlassReviewed,
    Invalid,
    NotPermitted,
    Outsider,
    RequestExpired,
)
from bot.domain.glass import LEAST, MOST, BreakGlass, BrokenGlass, Finding, right_of
from bot.domain.people import Outside, Person, Right
from bot.domain.request import ActionRequest, Decision, Status, Verdict
from tests.builders import DAY, HOUR, a_request, ada, an_action, ana, ben, boss, eve, ida, mei, noon

WHY = "Card fraud: 400 new seats in ten minutes"
RULE = BreakGlass(frozenset({ana.id, boss.id, "S0NIGHT"}))
BERLIN = ZoneInfo("Europe/Berlin")
GUEST = Person(boss.id, outside=Outside.GUEST)
AT_NIGHT = replace(ben, groups=frozenset({"S0NIGHT"}))


def a_fraud(reason: Reason = Reason.FRAUD, verb: Verb = Verb.SUSPEND, **fields: Any) -> ActionRequest:
    return a_request(action=an_action(reason=reason, verb=verb), **fields)


def broken(request: ActionRequest, by: Person = ana, **other: Any) -> ActionRequest:
    given: dict[str, Any] = {"rule": RULE, "by": by, "at": noon, "why": WHY}
    return request.break_glass(**(given | other))


@pytest.mark.parametrize("by", [ana, boss, AT_NIGHT], ids=["own", "somebody else's", "by their group"])
@pytest.mark.parametrize("reason", [Reason.FRAUD, Reason.MISUSE])
def test_whom_the_policy_names_lets_it_act_at_once(by: Person, reason: Reason):
    request = broken(a_fraud(reason, approvals_needed=2).approve(by=mei, at=noon), by)
    assert (request.status, request.acts_at) == (Status.APPROVED, noon)
    assert request.broken_glass == Decision(Verdict.BREAK_GLASS, by.id, noon, WHY)
    assert [decision.by for decision in request.approvals] == [mei.id]


@pytest.mark.parametrize(
    ("request_", "other", "refusal"),
    [
        pytest.param(a_fraud(), {"rule": None}, GlassKept("", "switched-off"), id="no rule"),
        pytest.param(a_fraud(Reason.NON_PAYMENT), {}, GlassKept("", "reason"), id="a debt"),
        pytest.param(a_fraud(Reason.CUSTOMER_REQUEST), {}, GlassKept("", "reason"), id="a wish"),
        pytest.param(a_fraud(verb=Verb.RESUME), {}, GlassKept("", "action"), id="a resumption"),
        pytest.param(a_fraud(verb=Verb.CANCEL_AZURE), {}, GlassKept("", "action"), id="a cancellation"),
        pytest.param(a_fraud(), {"by": mei}, GlassKept("", "not-named"), id="not named"),
        pytest.param(
            a_fraud(Reason.MISUSE),
            {"rule": replace(RULE, reasons=frozenset({Reason.FRAUD}))},
            GlassKept("", "reason"),
            id="another reason than the policy's",
        ),
        pytest.param(
            a_fraud(Reason.NON_PAYMENT),
            {"rule": replace(RULE, reasons=frozenset(Reason))},
            GlassKept("", "reason"),
            id="a debt, whatever a rule says",
        ),
        pytest.param(
            a_fraud(), {"by": replace(ana, rights=frozenset())}, NotPermitted("approve"), id="named alone"
        ),
        pytest.param(a_fraud(), {"by": replace(ida, id=ana.id)}, NotPermitted("approve"), id="an auditor"),
        pytest.param(a_fraud(), {"by": replace(ada, id=ana.id)}, NotPermitted("approve"), id="an admin"),
        pytest.param(a_fraud(), {"by": GUEST}, Outsider("guest"), id="a guest"),
        pytest.param(a_fraud(), {"at": noon + DAY}, RequestExpired("", noon), id="too late"),
        pytest.param(
            a_fraud().deny(by=ben, at=noon, why=""), {}, AlreadyDecided("", "denied"), id="denied before"
        ),
        pytest.param(broken(a_fraud()), {"by": boss}, AlreadyDecided("", "approved"), id="broken before"),
        pytest.param(a_fraud(), {"why": " \n "}, Invalid("glass_reason", "missing"), id="no reason"),
        pytest.param(
            a_fraud(),
            {"why": "fraud" + " " * LEAST},
            Invalid("glass_reason", "too-short"),
            id="hardly a reason",
        ),
        pytest.param(a_fraud(), {"why": "x" * (MOST + 1)}, Invalid("glass_reason", "too-long"), id="a novel"),
    ],
)
def test_nobody_else_nothing_else_and_not_without_a_reason(
    request_: ActionRequest, other: dict[str, Any], refusal: BackstopError
):
    with pytest.raises(type(refusal)) as refused:
        broken(request_, **other)
    for fact in ("why", "right", "reason", "at"):
        assert getattr(refused.value, fact, None) == getattr(refusal, fact, None)


def test_an_approver_breaks_it_by_the_right_to_approve_and_who_may_only_ask_by_that():
    assert [right_of(p) for p in (ana, boss, ben, eve)] == [
        Right.OPERATE,
        Right.APPROVE,
        Right.APPROVE,
        Right.APPROVE,
    ]


def a_broken_glass(**fields: Any) -> BrokenGlass:
    given: dict[str, Any] = {
        "request_id": "R-TEST000001",
        "by": boss.id,
        "reason": WHY,
        "at": noon,
        "requested_by": ana.id,
    }
    return BrokenGlass(**(given | fields))


def test_another_approver_reviews_it_once():
    reviewed = a_broken_glass().review(Finding.NOT_JUSTIFIED, " Ben was awake ", by=ben, at=noon + HOUR)
    assert reviewed.reviewed is not None
    assert (reviewed.reviewed.finding, reviewed.reviewed.note) == (Finding.NOT_JUSTIFIED, "Ben was awake")
    assert (reviewed.reviewed.by, reviewed.touched_at) == (ben.id, noon + HOUR)
    with pytest.raises(GlassReviewed):
        reviewed.review(Finding.JUSTIFIED, "No", by=mei, at=noon + HOUR)


@pytest.mark.parametrize(
    ("by", "note", "refusal"),
    [
        pytest.param(boss, "Fine", NotPermitted, id="who broke it"),
        pytest.param(replace(mei, id=ana.id), "Fine", NotPermitted, id="who asked"),
        pytest.param(eve, "Fine", NotPermitted, id="without the right"),
        pytest.param(replace(ana, id=eve.id), "Fine", NotPermitted, id="an operator"),
        pytest.param(ben, "  ", Invalid, id="without a note"),
    ],
)
def test_no_review_by(by: Person, note: str, refusal: type[BackstopError]):
    with pytest.raises(refusal):
        a_broken_glass().review(Finding.JUSTIFIED, note, by=by, at=noon)


@pytest.mark.parametrize(
    ("at", "is_due"),
    [
        (noon, False),
        (datetime(2026, 11, 23, 23, tzinfo=BERLIN), False),
        (datetime(2026, 11, 24, 8, 59, tzinfo=BERLIN), False),
        (datetime(2026, 11, 24, 9, tzinfo=BERLIN), True),
        (datetime(2026, 11, 24, 23, 59, tzinfo=BERLIN), True),
        (datetime(2026, 11, 25, 3, tzinfo=BERLIN), False),
        (datetime(2026, 12, 24, 9, tzinfo=BERLIN), True),
    ],
)
def test_it_comes_up_from_nine_oclock_of_each_day_after(at: datetime, is_due: bool):
    glass = a_broken_glass()
    assert glass.must_be_reminded_of(at, zone=BERLIN) is is_due
    reviewed = glass.review(Finding.JUSTIFIED, "Fine", by=ben, at=noon)
    assert not reviewed.must_be_reminded_of(at, zone=BERLIN)


def test_what_was_broken_before_dawn_comes_up_that_very_day_and_what_was_just_broken_does_not():
    nine = datetime(2026, 11, 24, 9, tzinfo=BERLIN)
    assert a_broken_glass(at=nine - 6 * HOUR).must_be_reminded_of(nine, zone=BERLIN)
    assert not a_broken_glass(at=nine - timedelta(minutes=59)).must_be_reminded_of(nine, zone=BERLIN)
