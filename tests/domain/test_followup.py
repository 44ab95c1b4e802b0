"""Snooze, promise to pay and owner: what may be said, by whom, and what ends it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.domain.errors import BackstopError, Invalid, NotPermitted, PromisedBefore
from bot.domain.followup import SNOOZE_DAYS, check_promise, check_snooze, has_worsened
from bot.domain.people import Person
from bot.domain.policy import Debt, Exit, Exposure
from tests.builders import ana, ben, boss, eve

TODAY = date(2026, 11, 23)
TERMS = Exit(promise_days=14, promise_times=1)


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


@pytest.mark.parametrize("days", [1, SNOOZE_DAYS])
def test_an_operator_may_snooze_until(days: int):
    check_snooze(in_days(days), "waits for a credit", by=ana, on=TODAY)


@pytest.mark.parametrize(
    ("days", "why", "by", "refusal", "at"),
    [
        pytest.param(7, "because", eve, NotPermitted, "", id="by somebody without the right"),
        pytest.param(7, "because", ben, NotPermitted, "", id="by an approver alone"),
        pytest.param(0, "because", ana, Invalid, "date", id="until today"),
        pytest.param(-1, "because", ana, Invalid, "date", id="until yesterday"),
        pytest.param(SNOOZE_DAYS + 1, "because", ana, Invalid, "date", id="for too long"),
        pytest.param(7, "  ", ana, Invalid, "note", id="without a reason"),
    ],
)
def test_no_snooze(days: int, why: str, by: Person, refusal: type[BackstopError], at: str):
    with pytest.raises(refusal) as raised:
        check_snooze(in_days(days), why, by=by, on=TODAY)
    assert getattr(raised.value, "at", "") == at


@pytest.mark.parametrize(
    ("days", "made", "by"),
    [
        pytest.param(0, 0, ana, id="the first, for today"),
        pytest.param(14, 0, ana, id="the first, as late as allowed"),
        pytest.param(3, 1, ben, id="the second, by an approver"),
        pytest.param(3, 5, boss, id="the sixth, by somebody with both rights"),
    ],
)
def test_a_promise_may_be_recorded(days: int, made: int, by: Person):
    check_promise(in_days(days), made, TERMS, by=by, on=TODAY)


@pytest.mark.parametrize(
    ("days", "made", "by", "refusal"),
    [
        pytest.param(3, 0, eve, NotPermitted, id="by somebody without a right"),
        pytest.param(3, 1, ana, PromisedBefore, id="the second, by an operator"),
        pytest.param(-1, 0, ana, Invalid, id="for yesterday"),
        pytest.param(15, 0, ana, Invalid, id="later than the policy lets"),
        pytest.param(15, 0, boss, Invalid, id="later than the policy lets, by an approver too"),
    ],
)
def test_no_promise(days: int, made: int, by: Person, refusal: type[BackstopError]):
    with pytest.raises(refusal):
        check_promise(in_days(days), made, TERMS, by=by, on=TODAY)


def test_a_policy_without_promises_leaves_them_to_approvers():
    terms = Exit(promise_times=0)
    with pytest.raises(PromisedBefore):
        check_promise(in_days(1), 0, terms, by=ana, on=TODAY)
    check_promise(in_days(1), 0, terms, by=ben, on=TODAY)


def owing(**amounts: str) -> Exposure:
    return {currency: Debt(Decimal(amount), 40) for currency, amount in amounts.items()}


@pytest.mark.parametrize(
    ("now", "worse"),
    [
        pytest.param(owing(EUR="100"), False, id="as much"),
        pytest.param(owing(EUR="99.99"), False, id="less"),
        pytest.param({}, False, id="nothing"),
        pytest.param(owing(EUR="100.01"), True, id="more"),
        pytest.param(owing(EUR="50", USD="1"), True, id="another currency besides"),
    ],
)
def test_a_snooze_ends_when_more_is_overdue(now: Exposure, worse: bool):
    assert has_worsened({"EUR": Decimal("100")}, now) is worse
