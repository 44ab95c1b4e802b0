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


def test_debts_alone_are_never_suspicious_however_low_the_thresholds():
    lowest = {
        rule: RuleTerms(thresholds=dict.fromkeys(names, Decimal(0))) for rule, names in THRESHOLDS.items()
    }
    for watched in (None, ago(300)):
        debts = past(*owed(range(40), oldest=90), watched=watched)
        assert signals(debts, RuleBook(rules=lowest), at=NOON, zone=BERLIN) == ()


WEAK = {Rule.SPEND_WITHOUT_BUDGET, Rule.OFF_HOURS, Rule.ADMIN_OPERATION, Rule.PROFILE_CHANGE}


@pytest.mark.parametrize("rule", Rule)
def test_alone_it_makes_a_case_or_is_meant_not_to(rule: Rule):
    is_case = score(found(rule, *SUSPICIOUS[rule]), at=NOON, book=BOOK) >= BOOK.case_from
    assert is_case == (rule not in WEAK)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        *((Rule.SEAT_JUMP, name) for name in ("seats", "times", "share")),
        (Rule.LARGE_FIRST_ORDER, "seats"),
        (Rule.TRIAL_BURST, "trials"),
        *((Rule.SPEND_SPIKE, name) for name in ("amount", "times", "width")),
        *((Rule.OVERDUE_AND_GROWING, name) for name in ("oldest_days", "share")),
    ],
)
def test_a_threshold_that_is_out_of_reach_silences(rule: Rule, name: str):
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
            Rule.SEAT_JUMP,
            [*weekly(), change(ago(1), 900, 990, name="Teams")],
            id="a tenth more of a large one",
        ),
        pytest.param(
            Rule.SEAT_JUMP,
            [
                *(change(ago(20 * n), 1000, 1000 + 200 + n, name=f"P{n}") for n in range(1, 7)),
                change(ago(1), 0, 260),
            ],
            id="who always takes hundreds",
        ),
        pytest.param(
            Rule.SEAT_JUMP,
            [change(ago(200), 0, 500), *weekly()],
            id="what was there when watching began",
        ),
        pytest.param(
            Rule.SEAT_JUMP,
            [*weekly(), change(ago(3), 500, 0, name="T"), change(ago(2), 0, 500, name="T")],
            id="a subscription that one reading missed",
        ),
        pytest.param(Rule.ORDER_BURST, weekly(), id="an order a week"),
        pytest.param(
            Rule.ORDER_BURST,
            [
                *(change(ago(100), 495 + n, 500 + n, name=f"P{n}") for n in range(6)),
                *(change(ago(1, hours=n), 500 + n, 530 + n, name=f"P{n}") for n in range(6)),
            ],
            id="a true-up of six large subscriptions",
        ),
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
            azure(lambda at: 900 if (at + timedelta(days=2)).month != at.month else 100),
            id="a batch every end of a month",
        ),
        pytest.param(
            Rule.SPEND_SPIKE, azure(lambda at: 100 * 1.012 ** (at - ago(200)).days), id="slow growth"
        ),
        pytest.param(
            Rule.SPEND_SPIKE,
            azure(lambda at: 80 if ago(24) < at < ago(6) else 300),
            id="back from the holidays",
        ),
        pytest.param(
            Rule.SPEND_SPIKE, azure(lambda at: 30 if at > ago(2) else 2), id="fifteen times of little"
        ),
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
            [order(ago(7 * week, hours=12), 5) for week in range(20)],
            id="who always orders at night",
        ),
        pytest.param(
            Rule.OFF_HOURS,
            [
                QuantityChanged(ANA, ago(2, hours=10), SubscriptionId("s"), "E3", 5, 9, ago(3)),
                *weekly(),
            ],
            id="a reading at night of what happened sometime since yesterday",
        ),
        pytest.param(
            Rule.OFF_HOURS,
            [*weekly(), operation(ago(2, hours=10), "get_customer_usage")],
            id="somebody only read",
        ),
        pytest.param(Rule.ADMIN_OPERATION, [operation(ago(1), "update_order")], id="an everyday operation"),
        pytest.param(
            Rule.ADMIN_OPERATION,
            [operation(ago(1), "create_partner_user", status="failed")],
            id="one that failed",
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
    """Of the last weeks; before, its habits were not yet known."""
    assert [(s.at, dict(s.facts)) for s in found(rule, *seen) if s.at > ago(45)] == []


def test_a_first_order_says_nothing_where_watching_has_just_begun():
    seen = [order(ago(9 - n), 120) for n in range(6)]
    for rule in (Rule.NEW_CUSTOMER_ORDERS, Rule.LARGE_FIRST_ORDER):
        assert found(rule, *seen, watched=ago(12)) == []
        assert found(rule, *seen, watched=None) == []
        assert found(rule, *seen, watched=ago(60)) != []


def test_nothing_is_known_of_the_end_of_a_month_before_there_was_one():
    seen = azure(lambda at: 900 if (at + timedelta(days=2)).month != at.month else 100, days=112)
    assert found(Rule.SPEND_SPIKE, *seen, watched=ago(112)) == []


def test_a_heavy_day_of_the_week_is_known_after_two():
    seen = azure(lambda at: 900 if at.weekday() == 6 else 60, days=33)
    assert found(Rule.SPEND_SPIKE, *seen, watched=ago(33)) == []


class TestStrength:
    def test_more_seats_give_more_points(self):
        points = [
            found(Rule.SEAT_JUMP, *weekly(), change(ago(1), 60, n, name="T"))[0].points
            for n in (140, 300, 900)
        ]
        assert points == sorted(set(points))

    def test_a_new_customer_of_whom_only_a_subscription_is_seen(self):
        seen: list[Observation] = [operation(ago(3), "add_customer"), change(ago(2), 0, 300)]
        assert score(found(Rule.SEAT_JUMP, *seen), at=NOON, book=BOOK) >= BOOK.case_from

    def test_a_slow_burst_is_found_before_the_week_is_over(self):
        seen = [*weekly(), *(order(ago(6 - n, hours=h), 3, id=f"{n}-{h}") for n in range(5) for h in (0, 3))]
        assert found(Rule.ORDER_BURST, *seen, at=ago(1)) != []

    def test_many_small_orders_are_found_by_their_seats(self):
        seen = [*weekly(), *(order(ago(3 - n), 70, id=f"s{n}") for n in range(4))]
        (burst,) = found(Rule.ORDER_BURST, *seen)
        assert burst.facts["orders"] == 4
        assert burst.facts["seats"] == 280

    def test_an_order_and_its_subscription_are_one_finding(self):
        seen = [*weekly(), order(ago(120), 1), order(ago(2), 300), change(ago(2, hours=-3), 0, 300, name="T")]
        spoken = found(Rule.SEAT_JUMP, *seen)
        assert [s.points >= BOOK.case_from for s in spoken] == [False, True]

    def test_a_renewal_that_changes_no_subscription_is_no_case(self):
        spoken = found(Rule.SEAT_JUMP, *weekly(), order(ago(2), 500))
        assert score(spoken, at=NOON, book=BOOK) < BOOK.case_from

    def test_a_takeover_is_a_case(self):
        """A new credential at night, and orders after it: each alone would be weak."""
        night = ago(2, hours=10)
        seen = [*weekly(), operation(night, "add_application_credential")]
        seen += [order(night + timedelta(minutes=20 * n), 10, id=f"n{n}") for n in (1, 2, 3)]
        every = signals(past(*seen), BOOK, at=NOON, zone=BERLIN)
        assert score(every, at=NOON, book=BOOK) >= BOOK.case_from

    def test_the_same_on_the_partner_itself_is_weak_for_those_who_ordered_nothing_odd(self):
        seen = [*weekly(), operation(ago(2, hours=10), "add_application_credential", customer=None)]
        every = signals(past(*seen), BOOK, at=NOON, zone=BERLIN)
        assert 0 < score(every, at=NOON, book=BOOK) < BOOK.points(Rule.ADMIN_OPERATION) / 2

    def test_operations_near_odd_orders_count_more(self):
        credential = operation(ago(2), "add_application_credential")
        alone = found(Rule.ADMIN_OPERATION, *weekly(), credential)[-1]
        near = found(Rule.ADMIN_OPERATION, *weekly(), credential, order(ago(1, hours=12), 5))[-1]
        assert alone.key == near.key
        assert alone.points < near.points

    def test_the_earlier_in_the_month_the_worse(self):
        spoken = [
            found(
                Rule.SPEND_OVER_BUDGET,
                *(Spent(ANA, at - timedelta(days=n), Decimal(900 - n), "EUR", Decimal(600)) for n in (1, 0)),
                at=at,
            )[0].points
            for at in (NOON - timedelta(days=19), NOON - timedelta(days=10), NOON)
        ]
        assert spoken == sorted(set(spoken), reverse=True)

    @pytest.mark.parametrize(
        ("severity", "confidence", "is_worth", "severe"),
        [
            ("high", "high", 80, Severity.HIGH),
            ("HIGH", "", 70, Severity.HIGH),
            ("medium", "medium", 60, Severity.MEDIUM),
            ("low", "low", 22, Severity.LOW),
            ("informational", "medium", 15, Severity.LOW),
            ("", "", 60, Severity.MEDIUM),
            ("catastrophic", "quite", 60, Severity.MEDIUM),
        ],
    )
    def test_microsofts_words_become_points(self, severity, confidence, is_worth, severe):
        (signal,) = found(Rule.SECURITY_ALERT, alert(severity=severity, confidence=confidence))
        assert (signal.points, signal.severity) == (is_worth, severe)
        assert signal.facts["severity"] == (severity or "–")


class TestKeys:
    def test_the_same_finding_keeps_its_key_and_grows(self):
        small = [*weekly(), change(ago(1), 60, 200, name="T")]
        (before,) = found(Rule.SEAT_JUMP, *small)
        (after,) = found(Rule.SEAT_JUMP, *small, change(ago(1, hours=-3), 200, 900, name="T"))
        assert after.key == before.key
        assert after.points > before.points

    def test_a_spike_that_goes_on_is_one_finding_a_week(self):
        seen = azure(lambda at: 900 if at > ago(9.5) else 60)
        spoken = found(Rule.SPEND_SPIKE, *seen)
        assert len(spoken) == 2
        assert [s.key for s in found(Rule.SPEND_SPIKE, *seen, at=ago(4))] == [spoken[0].key]

    def test_what_happened_long_ago_is_still_told(self):
        seen = [*weekly(), change(ago(90), 60, 400, name="Teams")]
        (signal,) = found(Rule.SEAT_JUMP, *seen)
        assert signal.at == ago(90)

    def test_nothing_later_than_the_moment_is_used(self):
        for rule in Rule:
            assert found(rule, *SUSPICIOUS[rule], at=ago(150)) == found(
                rule, *(o for o in SUSPICIOUS[rule] if o.at <= ago(150)), at=ago(150)
            )


believable = st.integers(0, 70 * 24 * 60).map(lambda minutes: NOON - timedelta(minutes=minutes))
moments = st.one_of(
    believable,
    st.sampled_from(
        [
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            datetime(9998, 12, 31, 23, 59, tzinfo=UTC),
            datetime(2000, 1, 1, tzinfo=UTC),
        ]
    ),
)
numbers = st.one_of(st.integers(-5, 500), st.integers())
amounts = st.one_of(st.decimals(min_value=0, max_value=5000, places=2), st.decimals())
words = st.sampled_from(["", "high", "Active", "resolved", "create_order", "add_customer", "{x}", "‮"])
names = st.sampled_from(["E3", "E5", ""])
operations = st.sampled_from(
    [
        "add_customer",
        "create_order",
        "add_application_credential",
        "update_customer_billing_profile",
        "create_partner_user",
        "",
    ]
)


def observations(when: st.SearchStrategy[datetime]) -> st.SearchStrategy[Observation]:
    ids = st.integers(0, 12).map(str)
    line = st.builds(OrderLine, names, names, numbers, st.booleans())
    return st.one_of(
        st.builds(OrderPlaced, st.just(ANA), when, ids, st.lists(line, max_size=3).map(tuple), words),
        st.builds(
            QuantityChanged,
            st.just(ANA),
            when,
            names.map(SubscriptionId),
            names,
            numbers,
            numbers,
            st.one_of(st.none(), when),
            st.booleans(),
        ),
        st.builds(Operation, st.sampled_from([ANA, None]), when, ids, operations, words, words),
        st.builds(
            Spent,
            st.just(ANA),
            when,
            amounts,
            st.sampled_from(["EUR", "JPY", "?"]),
            st.one_of(st.none(), amounts),
        ),
        st.builds(
            VendorAlert,
            st.just(ANA),
            when,
            ids,
            st.sampled_from(Source),
            words,
            words,
            words,
            words,
            first_at=st.one_of(st.none(), when),
            hits=numbers,
            is_test=st.booleans(),
        ),
        st.builds(Reported, st.just(ANA), when, ids, st.just(PersonId("U1")), words),
        st.builds(Owed, st.just(ANA), when, st.dictionaries(st.sampled_from(["EUR", "?"]), amounts), numbers),
    )


def unsorted(seen: Sequence[Observation], watched: datetime | None) -> Past:
    """As a source that keeps no order might give it."""

    def of(kind: type) -> tuple[Observation, ...]:
        return tuple(o for o in seen if isinstance(o, kind))

    return Past(
        CustomerId("contoso"),
        orders=of(OrderPlaced),  # type: ignore[arg-type]
        quantities=of(QuantityChanged),  # type: ignore[arg-type]
        operations=of(Operation),  # type: ignore[arg-type]
        spent=of(Spent),  # type: ignore[arg-type]
        alerts=of(VendorAlert),  # type: ignore[arg-type]
        reports=of(Reported),  # type: ignore[arg-type]
        owed=of(Owed),  # type: ignore[arg-type]
        watched_since=watched,
    )


properties = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@properties
@given(st.lists(observations(moments), max_size=25), st.one_of(st.none(), moments), moments)
def test_no_observation_makes_it_fail(seen, watched, at):
    for signal in signals(unsorted(seen, watched), BOOK, at=at, zone=BERLIN):
        assert 0 <= signal.points <= 1.5 * BOOK.points(signal.rule)
        assert signal.at <= at


@properties
@given(st.lists(observations(moments), max_size=25), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(seen, chance: random.Random):
    mixed = [*seen, *seen[:5]]
    chance.shuffle(mixed)
    one, other = (signals(unsorted(each, WATCHED_FROM), BOOK, at=NOON, zone=BERLIN) for each in (seen, mixed))
    assert one == other
    assert len({s.key for s in one}) == len(one)


WATCHED_FROM = NOON - timedelta(days=150)


@properties
@given(
    st.lists(observations(believable), max_size=40), st.one_of(st.none(), believable), believable, believable
)
def test_what_was_found_stays_found_and_only_grows(seen, watched, one, other):
    earlier, later = sorted([one, other])
    whole = unsorted(seen, watched)
    before, after = (
        {s.key: s.points for s in signals(whole, BOOK, at=at, zone=BERLIN)} for at in (earlier, later)
    )
    assert before.keys() <= after.keys()
    assert all(points <= after[key] for key, points in before.items())


@pytest.mark.parametrize("rule", Rule)
def test_the_pasts_above_only_grow_too(rule: Rule):
    known: dict[str, int] = {}
    for day in range(30, -1, -1):
        now = {s.key: s.points for s in found(rule, *SUSPICIOUS[rule], at=ago(day))}
        assert known.keys() <= now.keys()
        assert all(points <= now[key] for key, points in known.items())
        known = now
