"""Rubber stamps: what is too fast, who always approves whom, and what is neither."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.request import ActionRequest, RequestId
from bot.domain.stamps import FEWEST, HASTY, Hasty, Pair, stamps
from tests.builders import DAY, HOUR, a_request, ana, ben, boss, mei, noon

SECOND = timedelta(seconds=1)
MONTH = {"since": noon - DAY, "until": noon + 30 * DAY}


def approved(n: int, *, asker=ana, by=ben, after: timedelta = HOUR) -> ActionRequest:
    return a_request(id=f"R-{n}", by=asker, at=noon).approve(by=by, at=noon + after)


def test_an_approval_within_seconds_is_named_the_fastest_first():
    found = stamps(
        [approved(1, after=HASTY - SECOND), approved(2, after=SECOND), approved(3, after=HASTY)], **MONTH
    )
    assert found.approvals == 3
    assert found.hasty == (
        Hasty(RequestId("R-2"), ben.id, SECOND),
        Hasty(RequestId("R-1"), ben.id, HASTY - SECOND),
    )


def test_a_pair_is_named_from_five_approvals_on_that_are_nearly_all():
    few = [approved(n) for n in range(FEWEST - 1)]
    assert stamps(few, **MONTH).pairs == ()
    always = [*few, approved(8)]
    assert stamps(always, **MONTH).pairs == (Pair(ana.id, ben.id, FEWEST, FEWEST),)
    assert stamps([*always, approved(9, by=mei)], **MONTH).pairs == ()
    others = [approved(20 + n, asker=boss, by=mei) for n in range(FEWEST)]
    assert len(stamps([*always, *others], **MONTH).pairs) == 2


def test_only_what_was_approved_in_that_time_counts():
    given = approved(1, after=SECOND)
    denied = a_request(id="R-2", at=noon).deny(by=ben, at=noon + SECOND, why="")
    assert stamps([given, denied, a_request(id="R-3")], **MONTH).approvals == 1
    at = noon + SECOND
    assert stamps([given], since=at, until=at + SECOND).approvals == 1
    assert stamps([given], since=noon, until=at).approvals == 0
