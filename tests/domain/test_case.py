"""Cases: the same findings give the same case, a verdict settles what it saw, and what becomes worse wakes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.case import (
    Case,
    CaseId,
    Judged,
    Memory,
    Mute,
    Recorded,
    Step,
    Verdict,
    case_of,
    check_mute,
    episodes,
    judge,
    peak,
    precision,
    score,
    tick,
)
from bot.domain.errors import Invalid, NotPermitted
from bot.domain.people import PersonId
from bot.domain.signal import Rule, RuleBook, Severity, Signal
from tests.builders import CONTOSO, DAY, HOUR, ana, ben, eve, noon

BOOK = RuleBook()
TODAY = noon.date()


def a_signal(rule: Rule = Rule.SEAT_JUMP, points: int = 45, *, at: datetime = noon, key: str = "") -> Signal:
    return Signal(rule, key or f"{rule}:{at.isoformat()}", at, points)


def seen(*signals: Signal, memory: Memory | None = None, at: datetime = noon, **asked: Any) -> Case | None:
    return case_of(
        CONTOSO, "Contoso Ltd", signals, memory or Memory(), at=at, on=at.date(), book=BOOK, **asked
    )


def found(*signals: Signal, **asked: Any) -> Case:
    case = seen(*signals, **asked)
    assert case is not None
    return case


def said_of(
    case: Case, verdict: Verdict = Verdict.LEGITIMATE, *, at: datetime = noon, **given: Any
) -> Memory:
    judged = judge(case, verdict, by=ana, at=at, **given).judged
    assert judged is not None
    return Memory(
        recorded=(Recorded(case.id, frozenset(s.key for s in case.signals)),),
        said=(judged,),
        rules={s.key: s.rule for s in case.signals},
    )


class TestScore:
    def test_counts_each_rule_once_with_its_strongest(self):
        signals = [a_signal(points=30), a_signal(points=45, key="b"), a_signal(Rule.OFF_HOURS, 15)]
        assert score(signals, at=noon, book=BOOK) == 60

    def test_forgets_what_is_older_than_it_lives(self):
        old = a_signal(at=noon - timedelta(days=BOOK.live_days))
        assert score([old], at=noon, book=BOOK) == 0
        assert score([old], at=noon - HOUR, book=BOOK) == 45

    def test_never_exceeds_a_hundred(self):
        assert score([a_signal(rule, 60) for rule in Rule], at=noon, book=BOOK) == 100

    def test_its_peak_is_what_it_was_at_its_worst(self):
        signals = [a_signal(at=noon - 20 * DAY), a_signal(Rule.ORDER_BURST, 45, at=noon - 10 * DAY)]
        assert peak(signals, book=BOOK) == 90
        apart = [signals[0], a_signal(Rule.ORDER_BURST, 45, at=noon)]
        assert peak(apart, book=BOOK) == 45

    def test_its_peak_is_the_same_for_two_of_one_moment(self):
        assert peak([a_signal(), a_signal(Rule.OFF_HOURS, 15)], book=BOOK) == 60


class TestEpisodes:
    def test_end_where_it_was_quiet(self):
        first, second = a_signal(at=noon - 40 * DAY), a_signal(at=noon - 9 * DAY)
        assert episodes([second, first], quiet_days=30) == [(first,), (second,)]
        assert episodes([second, first], quiet_days=31) == [(first, second)]


class TestCase:
    def test_there_is_none_below_the_threshold(self):
        assert seen(a_signal(points=39)) is None
        assert found(a_signal(points=40)).severity is Severity.MEDIUM

    def test_weak_signals_come_to_one_together(self):
        weak = [a_signal(Rule.OFF_HOURS, 15), a_signal(Rule.ADMIN_OPERATION, 25)]
        assert found(*weak).score == 40

    def test_it_is_the_same_whoever_looks_and_in_whatever_order(self):
        signals = [a_signal(at=noon - n * DAY, key=str(n)) for n in range(5)]
        cases = []
        for seed in range(5):
            random.Random(seed).shuffle(signals)
            cases.append(found(*signals))
        assert all(case == cases[0] for case in cases)

    def test_it_keeps_its_name_when_something_older_turns_up(self):
        case = found(a_signal(key="b"))
        memory = Memory(recorded=(Recorded(case.id, frozenset({"b"}), version=3),))
        again = found(a_signal(key="b"), a_signal(key="a", at=noon - DAY), memory=memory)
        assert (again.id, again.version, again.first_seen) == (case.id, 3, noon - DAY)

    def test_it_has_another_name_in_another_episode(self):
        then, now = a_signal(at=noon - 60 * DAY), a_signal()
        assert found(then, at=noon - 60 * DAY).id != found(then, now).id

    def test_it_ends_when_it_was_quiet_for_long(self):
        signal = a_signal(at=noon - timedelta(days=BOOK.quiet_days))
        assert seen(signal) is not None
        assert seen(signal, at=noon + HOUR) is None

    def test_it_stays_until_somebody_says_something_though_its_score_is_gone(self):
        case = found(a_signal(at=noon - 20 * DAY))
        assert (case.score, case.severity) == (0, Severity.LOW)

    def test_the_future_is_not_known(self):
        assert seen(a_signal(at=noon + HOUR)) is None

    def test_the_worst_signal_makes_it_severe_whatever_the_score(self):
        assert found(replace(a_signal(), severity=Severity.HIGH)).severity is Severity.HIGH

    def test_says_what_is_new_since_people_last_looked(self):
        case = found(a_signal(key="a", at=noon - DAY), a_signal(key="b"), since=noon - HOUR)
        assert case.new_keys == {"b"}


class TestVerdict:
    def test_settles_what_it_saw(self):
        case = found(a_signal())
        settled = found(a_signal(), memory=said_of(case))
        assert not settled.is_open
        assert settled.judged
        assert settled.judged.verdict is Verdict.LEGITIMATE

    def test_a_little_more_does_not_wake_it(self):
        memory = said_of(found(a_signal()))
        assert not found(
            a_signal(), a_signal(Rule.OFF_HOURS, 15, at=noon + HOUR), memory=memory, at=noon + DAY
        ).is_open

    def test_worse_wakes_it_and_says_what_was_said_before(self):
        memory = said_of(found(a_signal()))
        worse = found(
            a_signal(),
            a_signal(Rule.ORDER_BURST, 50, at=noon + HOUR),
            memory=memory,
            at=noon + DAY,
            since=noon,
        )
        assert (worse.is_open, worse.woke, worse.score) == (True, True, 50)
        assert worse.new_keys == {f"{Rule.ORDER_BURST}:{(noon + HOUR).isoformat()}"}

    def test_the_same_finding_with_more_points_wakes_it(self):
        memory = said_of(found(a_signal(key="a")))
        assert found(a_signal(key="a", points=60), memory=memory).is_open
        assert not found(a_signal(key="a", points=45), memory=memory).is_open

    def test_what_is_planned_says_nothing_until_its_day(self):
        until = TODAY + timedelta(days=10)
        memory = said_of(found(a_signal()), Verdict.PLANNED, until=until)
        later = a_signal(points=90, at=noon + 10 * DAY)
        assert seen(later, memory=memory, at=noon + 10 * DAY) is None
        other = a_signal(Rule.SPEND_SPIKE, 60, at=noon + DAY)
        assert found(other, memory=memory, at=noon + DAY).is_open
        after = a_signal(points=60, at=noon + 11 * DAY)
        assert found(after, memory=memory, at=noon + 11 * DAY).is_open

    @pytest.mark.parametrize(
        ("until", "reason"),
        [(TODAY, "not-after-today"), (TODAY + timedelta(days=91), "too-many-days")],
    )
    def test_a_day_that_will_not_do_is_named(self, until: date, reason: str):
        with pytest.raises(Invalid) as raised:
            judge(found(a_signal()), Verdict.PLANNED, by=ana, at=noon, until=until)
        assert (raised.value.at, raised.value.reason) == ("date", reason)

    def test_needs_a_right(self):
        with pytest.raises(NotPermitted):
            judge(found(a_signal()), Verdict.FRAUD, by=eve, at=noon)
        assert judge(found(a_signal()), Verdict.FRAUD, by=ben, at=noon).judged

    def test_fraud_begins_the_refund_window_with_the_first_signal(self):
        case = found(a_signal(at=noon - 5 * DAY))
        assert case.refund_until is None
        assert judge(case, Verdict.FRAUD, by=ana, at=noon).refund_until == date(2027, 1, 17)
        assert judge(case, Verdict.IGNORE, by=ana, at=noon).refund_until is None


class TestMute:
    def mute(self, **fields: Any) -> Mute:
        given: dict[str, Any] = {
            "id": "M-1",
            "customer_id": None,
            "rule": Rule.OFF_HOURS,
            "until": TODAY + timedelta(days=5),
            "cap": 80,
            "by": PersonId("U0BEN"),
            "at": noon - DAY,
        }
        return Mute(**(given | fields))

    def test_leaves_out_and_says_so(self):
        memory = Memory(mutes=(self.mute(),))
        case = found(a_signal(), a_signal(Rule.OFF_HOURS, 15), memory=memory)
        assert (case.score, [s.rule for s in case.hidden]) == (45, [Rule.OFF_HOURS])

    def test_of_everything_leaves_no_case(self):
        memory = Memory(mutes=(self.mute(rule=None, customer_id=CONTOSO),))
        assert seen(a_signal(), memory=memory) is None

    def test_of_somebody_else_leaves_out_nothing(self):
        memory = Memory(mutes=(self.mute(rule=None, customer_id="other"),))
        assert found(a_signal(), memory=memory).hidden == ()

    def test_ends_with_its_last_day(self):
        memory = Memory(mutes=(self.mute(rule=Rule.SEAT_JUMP, until=TODAY),))
        assert seen(a_signal(), memory=memory) is None
        assert found(a_signal(), memory=memory, at=noon + DAY)

    def test_is_over_at_its_cap(self):
        memory = Memory(mutes=(self.mute(rule=Rule.SEAT_JUMP, cap=80),))
        assert seen(a_signal(points=79), memory=memory) is None
        assert found(a_signal(points=80), memory=memory).hidden == ()

    @pytest.mark.parametrize(
        ("until", "cap", "at"),
        [
            (TODAY, 80, "date"),
            (TODAY + timedelta(days=91), 80, "date"),
            (TODAY + timedelta(days=90), 39, "cap"),
            (TODAY + timedelta(days=90), 101, "cap"),
        ],
    )
    def test_that_will_not_do_is_named(self, until: date, cap: int, at: str):
        with pytest.raises(Invalid) as raised:
            check_mute(until, cap, by=ben, on=TODAY, book=BOOK)
        assert raised.value.at == at

    def test_is_an_approvers(self):
        with pytest.raises(NotPermitted):
            check_mute(TODAY + timedelta(days=1), 80, by=ana, on=TODAY, book=BOOK)


def test_a_step_of_the_runbook_is_ticked_once():
    case = tick(found(a_signal()), Step.MFA, by=ana, at=noon)
    assert tick(case, Step.MFA, by=ben, at=noon + HOUR).ticked == case.ticked
    assert [t.by for t in case.ticked] == [ana.id]


def test_precision_counts_what_people_found_right_and_wrong_and_leaves_ignored_ones_out():
    jump, burst = frozenset({Rule.SEAT_JUMP}), frozenset({Rule.SEAT_JUMP, Rule.ORDER_BURST})
    said = [
        (Verdict.FRAUD, burst),
        (Verdict.LEGITIMATE, jump),
        (Verdict.PLANNED, jump),
        (Verdict.IGNORE, burst),
    ]
    assert [(p.rule, p.right, p.wrong) for p in precision(said)] == [
        (Rule.SEAT_JUMP, 1, 2),
        (Rule.ORDER_BURST, 1, 0),
    ]


def test_a_verdict_of_another_episode_settles_nothing_of_this_one():
    old = a_signal(at=noon - 60 * DAY, key="old")
    judged = Judged(Verdict.LEGITIMATE, ana.id, noon - 59 * DAY, keys={"old": 45})
    memory = Memory(
        recorded=(Recorded(CaseId("C-OLD"), frozenset({"old"})),), said=(judged,), rules={"old": old.rule}
    )
    now = found(old, a_signal(key="new"), memory=memory)
    assert (now.is_open, now.earlier, now.id == "C-OLD") == (True, (), False)
