"""How far rights reach: within one of the grants, or not at all; what is not known is beyond every amount."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.action import Reason
from bot.domain.capability import Cloud
from bot.domain.errors import BeyondRights, NotPermitted
from bot.domain.people import Person, Right
from bot.domain.reach import About, Grant, must_reach
from tests.builders import ben, eve, mei

EUR_5000 = {"EUR": Decimal("5000.00")}
NON_PAYMENT = frozenset({Reason.NON_PAYMENT})


def about(**fields: Any) -> About:
    given: dict[str, Any] = {
        "request_id": "R-TEST000001",
        "channel": "C0APPROVALS",
        "cloud": Cloud.GLOBAL,
        "reason": Reason.NON_PAYMENT,
        "overdue": {"EUR": Decimal("1200.00")},
    }
    return About(**(given | fields))


def approve(**limits: Any) -> Grant:
    return Grant(Right.APPROVE, **limits)


def refused(grants: list[Grant], person: Person, what: About) -> BeyondRights | None:
    try:
        must_reach(grants, Right.APPROVE, person, what)
    except BeyondRights as error:
        return error
    return None


def test_without_any_grant_of_that_right_it_reaches_everywhere():
    assert refused([], ben, about(overdue=None)) is None
    assert refused([Grant(Right.OPERATE, who=frozenset({"U0"}))], ben, about()) is None


@pytest.mark.parametrize(
    ("grant", "otherwise", "why"),
    [
        (approve(reasons=NON_PAYMENT), {"reason": Reason.FRAUD}, "reason"),
        (approve(clouds=frozenset({Cloud.GLOBAL})), {"cloud": Cloud.CHINA}, "cloud"),
        (approve(channels=frozenset({"C0APPROVALS"})), {"channel": "C0GENERAL"}, "channel"),
        (approve(channels=frozenset({"C0APPROVALS"})), {"channel": ""}, "channel"),
        (approve(up_to=EUR_5000), {"overdue": {"EUR": Decimal("5000.01")}}, "amount"),
        (
            approve(up_to=EUR_5000),
            {"overdue": {"EUR": Decimal("1"), "USD": Decimal("0.01")}},
            "amount",
        ),
        (approve(up_to=EUR_5000), {"overdue": None}, "amount-unknown"),
        (approve(who=frozenset({"U0MEI", "S0LEADS"})), {}, "nothing"),
    ],
)
def test_each_limit_lets_in_what_is_within_and_names_what_is_not(
    grant: Grant, otherwise: dict[str, Any], why: str
):
    inside = replace(grant, who=None)
    assert refused([inside], ben, about()) is None
    error = refused([grant], ben, replace(about(), **otherwise))
    assert error is not None
    assert error.why == why


def test_the_very_amount_is_within_and_so_is_owing_nothing():
    limited = [approve(up_to=EUR_5000)]
    assert refused(limited, ben, about(overdue=EUR_5000)) is None
    assert refused(limited, ben, about(overdue={})) is None


def test_a_grant_is_for_a_person_or_for_the_groups_they_are_in():
    grants = [approve(who=frozenset({"U0BEN", "S0LEADS"}))]
    assert refused(grants, ben, about()) is None
    assert refused(grants, mei, about()) is not None
    assert refused(grants, replace(mei, groups=frozenset({"S0LEADS"})), about()) is None


def test_one_grant_must_let_it_in_whole_two_halves_do_not():
    grants = [approve(reasons=NON_PAYMENT, up_to=EUR_5000), approve(reasons=frozenset({Reason.FRAUD}))]
    assert refused(grants, ben, about(reason=Reason.FRAUD, overdue=None)) is None
    error = refused(grants, ben, about(overdue={"EUR": Decimal("9000")}))
    assert error is not None
    assert error.why == "amount"
    assert error.scope == (
        "may = approve, reasons = non_payment, up_to = EUR 5000.00 | may = approve, reasons = fraud"
    )


def test_a_grant_gives_nobody_a_right():
    with pytest.raises(NotPermitted):
        must_reach([approve(who=frozenset({eve.id}))], Right.APPROVE, eve, about())
