"""The rules of suspicion: each has a past that it must speak of, and others, much alike, that it must not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.case import score
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.observation import (
    Observation,
    Operation,
    OrderLine,
    OrderPlaced,
    Owed,
    Past,
    QuantityChanged,
    Reported,
    Source,
    Spent,
    VendorAlert,
)
from bot.domain.people import PersonId
from bot.domain.signal import THRESHOLDS, Rule, RuleBook, RuleTerms, Severity
from bot.domain.suspicion import RULES, signals
from tests.domain.suspicious import (
    ANA,
    BERLIN,
    NOON,
    SUSPICIOUS,
    ago,
    alert,
    azure,
    change,
    event,
    found,
    new_customer,
    operation,
    order,
    owed,
    past,
    weekly,
)

BOOK = RuleBook()


def test_every_rule_is_kept_somewhere():
    assert sorted(rule for rules in RULES for rule in rules) == sorted(Rule)
    assert THRESHOLDS.keys() == set(Rule)


@pytest.mark.parametrize("rule", Rule)
def test_it_speaks(rule: Rule):
    spoken = found(rule, *SUSPICIOUS[rule])
    assert spoken
    for signal in spoken:
        assert 0 < signal.points <= 1.5 * BOOK.points(rule)
        assert signal.at <= NOON
        assert signal.facts
        assert signal.key.startswith(f"{rule}:")


@pytest.mark.parametrize("rule", Rule)
def test_it_is_switched_off(rule: Rule):
    book = RuleBook(rules={rule: RuleTerms(enabled=False)})
    assert found(rule, *SUSPICIOUS[rule], book=book) == []


@pytest.mark.parametrize("rule", Rule)
def test_its_points_are_set(rule: Rule):
    book = RuleBook(rules={rule: RuleTerms(points=BOOK.points(rule) * 2)})
    before, after = (found(rule, *SUSPICIOUS[rule], book=b)[-1].points for b in (BOOK, book))
    assert abs(after - 2 * before) <= 1


WEAK = {Rule.SPEND_WITHOUT_BUDGET, Rule.OFF_HOURS, Rule.ADMIN_OPERATION, Rule.PROFILE_CHANGE}


@pytest.mark.parametrize("rule", Rule)
def test_alone_it_makes_a_case_or_is_meant_not_to(rule: Rule):
    is_case = score(found(rule, *SUSPICIOUS[rule]), at=NOON, book=BOOK) >= BOOK.case_from
    assert is_case == (rule not in WEAK)


@pytest.mark.parametrize(
    ("rule", "name"),
    [(rule, name) for rule in (Rule.SEAT_JUMP, Rule.LARGE_FIRST_ORDER, Rule.TRIAL_BURST) for name in THRESHOLDS[rule]],
)
def test_a_threshold_that_is_out_of_reach_silences(rule: Rule, name: str):
    if name == "days":
        pytest.skip("a longer time finds no less")
    book = RuleBook(rules={rule: RuleTerms(thresholds={name: Decimal(10**6)})})
    assert found(rule, *SUSPICIOUS[rule], book=book) == []


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        pytest.param(Rule.SEAT_JUMP, weekly(), id="a few seats a week"),
        pytest.param(Rule.SEAT_JUMP, [*weekly(), change(ago(1), 400, 60, name="Teams")], id="fewer seats"),
        pytest.param(
            Rule.SEAT_JUMP, [*weekly(), change(ago(1), 0, 400, name="T", is_trial=True)], id="a trial's seats"
        ),
        pytest.param(
            Rule.SEAT_JUMP, [*weekly(), change(ago(1), 900, 990, name="Teams")], id="a tenth more of a large one"
        ),
        pytest.param(
            Rule.SEAT_JUMP,
            [*(change(ago(20 * n), 1000, 1000 + 200 + n, name=f"P{n}") for n in range(1, 7)), change(ago(1), 0, 260)],
            id="who always takes hundreds",
        ),
        pytest.param(
            Rule.SEAT_JUMP,
            [change(ago(200), 0, 500), *weekly()],
            id="what was there when watching began",
        ),
        pytest.param(Rule.ORDER_BURST, weekly(), id="an order a week"),
        pytest.param(
            Rule.ORDER_BURST,
            [order(ago(day, hours=n / 4), 2, id=f"{day}-{n}") for day in range(1, 60) for n in range(6)],
            id="six orders every day",
        ),
        pytest.param(
            Rule.ORDER_BURST,
            [
                order(ago(30 * month, hours=n / 4), 2, id=f"{month}-{n}")
                for month in range(5)
                for n in range(7 if month else 8)
            ],
            id="seven at the end of each month, now eight",
        ),
        pytest.param(Rule.NEW_CUSTOMER_ORDERS, new_customer(order(ago(9)), order(ago(5))), id="two orders"),
        pytest.param(
            Rule.NEW_CUSTOMER_ORDERS,
            [order(ago(9 - n), 8) for n in range(6)],
            id="known only since a few days",
        ),
        pytest.param(
            Rule.NEW_CUSTOMER_ORDERS,
            [*weekly(), *new_customer(*(order(ago(9 - n), 8, id=f"n{n}") for n in range(6)))],
            id="an old customer added again",
        ),
        pytest.param(Rule.LARGE_FIRST_ORDER, new_customer(order(ago(9), 30)), id="thirty seats"),
        pytest.param(
            Rule.LARGE_FIRST_ORDER,
            [change(ago(20), 80, 85), order(ago(9), 300)],
            id="the first order of somebody who has subscriptions",
        ),
        pytest.param(Rule.TRIAL_BURST, [*weekly(), order(ago(3), 0, trials=2)], id="two trials"),
        pytest.param(
            Rule.TRIAL_BURST,
            [order(ago(14 * n + 1), 0, trials=4) for n in range(8)],
            id="a demonstrator with four trials every other week",
        ),
        pytest.param(Rule.SPEND_OVER_BUDGET, azure(lambda at: 20, budget=Decimal(1000)), id="within budget"),
        pytest.param(Rule.SPEND_OVER_BUDGET, azure(lambda at: 20), id="no budget"),
        pytest.param(Rule.SPEND_SPIKE, azure(lambda at: 60 + at.day % 5), id="as ever"),
        pytest.param(
            Rule.SPEND_SPIKE, azure(lambda at: 20 if at.weekday() >= 5 else 400), id="less on weekends"
        ),
        pytest.param(
            Rule.SPEND_SPIKE, azure(lambda at: 900 if at.weekday() == 6 else 60), id="a batch every Sunday"
        ),
        pytest.param(
            Rule.SPEND_SPIKE,
            azure(lambda at: 900 if (at + timedelta(days=2)).month != at.month else 100, days=120),
            id="a batch every end of a month",
        ),
        pytest.param(
            Rule.SPEND_SPIKE, azure(lambda at: 100 * 1.012 ** (at - ago(100)).days), id="slow growth"
        ),
        pytest.param(
            Rule.SPEND_SPIKE,
            azure(lambda at: 80 if ago(24) < at < ago(6) else 300),
            id="back from the holidays",
        ),
        pytest.param(Rule.SPEND_SPIKE, azure(lambda at: 30 if at > ago(2) else 2), id="fifteen times of little"),
        pytest.param(
            Rule.SPEND_SPIKE,
            azure(lambda at: 2500 if at > ago(2) else 100, currency="JPY"),
            id="a few yen",
        ),
        pytest.param(
            Rule.SPEND_WITHOUT_BUDGET, azure(lambda at: 20, budget=Decimal(10**6)), id="there is a budget"
        ),
        pytest.param(Rule.SPEND_WITHOUT_BUDGET, azure(lambda at: 1), id="hardly any spend"),
        pytest.param(Rule.OFF_HOURS, weekly(), id="at noon"),
        pytest.param(
            Rule.OFF_HOURS,
            [
                *(order(ago(7 * week, hours=12), 5) for week in range(1, 20)),
                operation(ago(1), "create_order"),
            ][1:],
            id="none at night",
        )
        if False
        else pytest.param(
            Rule.OFF_HOURS,
            [
                QuantityChanged(ANA, ago(2, hours=10), SubscriptionId("s"), "E3", 5, 9, ago(3)),
                *weekly(),
            ],
            id="a reading at night of what happened sometime since yesterday",
        ),
        pytest.param(
            Rule.OFF_HOURS, [*weekly(), operation(ago(2, hours=10), "get_customer_usage")], id="somebody only read"
        ),
        pytest.param(Rule.ADMIN_OPERATION, [operation(ago(1), "update_order")], id="an everyday operation"),
        pytest.param(
            Rule.ADMIN_OPERATION, [operation(ago(1), "create_partner_user", status="failed")], id="one that failed"
        ),
        pytest.param(Rule.PROFILE_CHANGE, [operation(ago(1), "get_customer_profile")], id="a look at it"),
        pytest.param(Rule.OVERDUE_AND_GROWING, [*weekly(), *owed(range(20), oldest=10)], id="buys as usual"),
        pytest.param(
            Rule.OVERDUE_AND_GROWING,
            [*weekly(), *owed(range(5), oldest=1), *(order(ago(3 - n), 60) for n in range(3))],
            id="a few days late",
        ),
        pytest.param(
            Rule.OVERDUE_AND_GROWING,
            [*weekly(), *(order(ago(3 - n), 60) for n in range(3))],
            id="grows, and pays",
        ),
        pytest.param(Rule.FRAUD_EVENT, [event(is_test=True)], id="a test"),
        pytest.param(Rule.FRAUD_EVENT, [event(status="Resolved")], id="resolved"),
        pytest.param(Rule.SECURITY_ALERT, [alert(is_test=True)], id="a test alert"),
        pytest.param(Rule.SECURITY_ALERT, [alert(status="RESOLVED")], id="a resolved alert"),
        pytest.param(Rule.REPORT, weekly(), id="nobody said anything"),
    ],
)
def test_it_keeps_silent(rule: Rule, seen: Sequence[Observation]):
    assert [(s.at, dict(s.facts)) for s in found(rule, *seen)] == []
