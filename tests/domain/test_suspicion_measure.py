"""The rules against a labelled history: most planted fraud is found within a week, and honest customers are left alone.

`python -m tests.benchmarks.suspicion` measures the same on more, and by seed.
"""

from __future__ import annotations

from functools import cache

import pytest

from bot.domain.signal import RuleBook
from tests.benchmarks.fraud_history import (
    LEFT_OUT,
    OF_AZURE,
    SHAPES,
    WITHOUT_LOG,
    History,
    as_21vianet_has_it,
    history,
)
from tests.benchmarks.suspicion import Measure, measure

DAYS = 150
SEED = 20261125


@cache
def histories() -> list[History]:
    return history(seed=SEED, customers=140, days=DAYS, frauds=0.4)


@cache
def everything() -> Measure:
    return measure(histories(), days=DAYS)


@cache
def in_china() -> Measure:
    seen = [as_21vianet_has_it(h) for h in histories() if all(f.shape in WITHOUT_LOG for f in h.frauds)]
    return measure(seen, days=DAYS)


def test_the_history_has_what_it_is_to_be_measured_by():
    assert everything().planted.keys() == SHAPES.keys()
    assert all(n >= 4 for n in everything().planted.values())
    honest = {name for h in histories() if not h.frauds for name, _ in h.events}
    assert {"project", "renewal", "true-up", "hiring"} <= honest
    assert any(h.past.spent for h in histories())
    assert any(h.past.owed for h in histories())


def test_planted_fraud_is_found_within_a_week():
    assert everything().recall >= 0.9, everything().missed


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_is_overlooked(shape: str):
    assert everything().recall_of(shape) >= 0.7


def test_honest_customers_are_left_alone():
    assert everything().false_per_500 <= 1


def test_where_there_are_only_orders_quantities_and_books():
    assert in_china().planted.keys() == set(WITHOUT_LOG)
    assert not in_china().planted.keys() & OF_AZURE
    assert in_china().recall >= 0.9, in_china().missed
    assert in_china().false_per_500 <= 1


def test_the_same_seed_writes_the_same_history():
    assert history(seed=7, customers=5, days=60) == history(seed=7, customers=5, days=60)
    assert history(seed=7, customers=5, days=60) != history(seed=8, customers=5, days=60)


class TestTheMeasureItself:
    """A measure that could not fail would measure nothing."""

    @pytest.fixture
    def few(self) -> list[History]:
        return history(seed=3, customers=20, days=130, shapes=[*LEFT_OUT], frauds=0.5)

    def test_rules_that_never_speak_find_nothing(self, few):
        found = measure(few, days=130, book=RuleBook(case_from=2000))
        assert (found.recall, found.false_cases) == (0, [])
        assert len(found.missed) == found.planted.total()

    def test_rules_that_always_speak_accuse_the_honest(self, few):
        found = measure(few, days=130, book=RuleBook(case_from=1))
        assert found.false_per_500 > 1
