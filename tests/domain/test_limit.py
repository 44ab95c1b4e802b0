"""The daily limit: what it allows, and that it takes two approvers to lift it."""

from __future__ import annotations

from datetime import date

import pytest

from bot.domain.errors import AlreadyLifted, NotPermitted
from bot.domain.limit import DailyLimit
from tests.builders import ana, ben, boss, eve, mei

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("begun", "more", "allowed"),
    [
        pytest.param(0, 3, True, id="all at once"),
        pytest.param(2, 1, True, id="the last one"),
        pytest.param(3, 1, False, id="one too many"),
        pytest.param(2, 2, False, id="a request that does not fit as a whole waits as a whole"),
    ],
)
def test_it_allows(begun: int, more: int, allowed: bool):
    assert DailyLimit(TODAY, most=3, begun=begun).allows(more) is allowed


def test_two_approvers_lift_it_and_then_it_holds_nothing_back():
    once = DailyLimit(TODAY, most=0, begun=0).lift(by=ben)
    assert (once.is_lifted, once.lifters_missing, once.allows(1)) == (False, 1, False)
    twice = once.lift(by=mei)
    assert (twice.is_lifted, twice.lifters_missing, twice.allows(1000)) == (True, 0, True)


@pytest.mark.parametrize("by", [ana, eve])
def test_nobody_else_lifts_it(by):
    with pytest.raises(NotPermitted):
        DailyLimit(TODAY, most=1, begun=1).lift(by=by)


def test_one_person_counts_once():
    with pytest.raises(AlreadyLifted) as refusal:
        DailyLimit(TODAY, most=1, begun=1).lift(by=ben).lift(by=ben)
    assert refusal.value.by == ben.id


def test_a_third_is_told_that_it_is_lifted():
    with pytest.raises(AlreadyLifted):
        DailyLimit(TODAY, most=1, begun=1).lift(by=ben).lift(by=mei).lift(by=boss)
