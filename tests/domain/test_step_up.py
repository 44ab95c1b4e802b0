"""Codes for approvals: which need one, who may set an authenticator up, and how often somebody may try."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.errors import MayNotEnrol, NotEnrolled, NotPermitted, TooManyCodes
from bot.domain.people import Person, Right
from bot.domain.step_up import MOST_TRIES, OPEN_FOR, TRIES_WITHIN, Authenticator, StepUp
from tests.builders import ada, an_action, ana, ben, boss, ida, mei, noon

SECOND = timedelta(seconds=1)
OVER = StepUp(over={"EUR": Decimal("20000")})
OPENED = Authenticator.opened(ben.id, by=ada, at=noon)
ENROLLED = OPENED.begun("sealed", by=ben, at=noon).enrolled(7, by=ben, at=noon)


@pytest.mark.parametrize(
    ("step_up", "overdue", "needed"),
    [
        (OVER, {"EUR": Decimal("20000")}, False),
        (OVER, {"EUR": Decimal("20000.01")}, True),
        (OVER, {"EUR": Decimal("1"), "USD": Decimal("1")}, True),
        (OVER, {}, False),
        (OVER, None, True),
        (StepUp(reasons=frozenset({Reason.NON_PAYMENT})), {}, True),
        (StepUp(reasons=frozenset({Reason.FRAUD})), None, False),
        (StepUp(actions=frozenset({Verb.SUSPEND})), {}, True),
        (StepUp(actions=frozenset({Verb.CANCEL_AZURE})), None, False),
    ],
)
def test_what_needs_a_code(step_up: StepUp, overdue: dict[str, Decimal] | None, needed: bool):
    assert step_up.is_needed(an_action(), overdue) is needed


@pytest.mark.parametrize("by", [ana, ben, ida, boss], ids=lambda by: by.id)
def test_only_an_admin_lets_somebody_set_one_up(by: Person):
    with pytest.raises(NotPermitted):
        Authenticator.opened(mei.id, by=by, at=noon)


def test_nobody_lets_themselves_not_even_an_admin():
    with pytest.raises(NotPermitted):
        Authenticator.opened(ada.id, by=ada, at=noon)


def test_it_is_set_up_by_whose_it_is_while_it_is_open_and_once():
    just_in_time, too_late = noon + OPEN_FOR - SECOND, noon + OPEN_FOR
    assert OPENED.begun("sealed", by=ben, at=just_in_time).secret == "sealed"
    for by, at in ((mei, noon), (ben, too_late)):
        with pytest.raises(MayNotEnrol) as refused:
            OPENED.begun("sealed", by=by, at=at)
        assert refused.value.why == "not-opened"
        with pytest.raises(MayNotEnrol):
            replace(OPENED, secret="sealed").enrolled(1, by=by, at=at)
    with pytest.raises(MayNotEnrol) as again:
        ENROLLED.begun("other", by=ben, at=noon)
    assert again.value.why == "enrolled"
    with pytest.raises(MayNotEnrol):
        ENROLLED.enrolled(9, by=ben, at=noon)


def test_who_may_neither_ask_nor_approve_sets_none_up():
    asks = replace(ben, rights=frozenset({Right.OPERATE}))  # and may be one who breaks the glass
    assert OPENED.begun("sealed", by=asks, at=noon).secret == "sealed"
    for rights in (frozenset[Right](), frozenset({Right.AUDIT, Right.ADMINISTER})):
        with pytest.raises(NotPermitted):
            OPENED.begun("sealed", by=replace(ben, rights=rights), at=noon)


def test_one_that_is_not_set_up_gives_no_code():
    for begun in (OPENED, OPENED.begun("sealed", by=ben, at=noon)):
        with pytest.raises(NotEnrolled):
            begun.spent(9)
        with pytest.raises(NotEnrolled):
            begun.asked("R-1", channel="C0")


@pytest.mark.parametrize("step", [6, 7])
def test_no_code_is_taken_twice_nor_an_older_one(step: int):
    with pytest.raises(ValueError, match="not newer"):
        ENROLLED.spent(step)
    assert ENROLLED.spent(8).last_step == 8


def test_after_five_tries_there_is_none_until_ten_minutes_have_passed():
    tried = ENROLLED
    for n in range(MOST_TRIES):
        tried = tried.tried(at=noon + n * SECOND)
    with pytest.raises(TooManyCodes) as refused:
        tried.tried(at=noon + TRIES_WITHIN - SECOND)
    assert refused.value.until == noon + TRIES_WITHIN
    assert tried.tried(at=noon + TRIES_WITHIN).tries == 1
    assert replace(tried, tries=MOST_TRIES).spent(8).tries == 0
