"""How often something took how long."""

from __future__ import annotations

from bot.measures import Timing


def test_each_bound_counts_all_that_took_as_long_or_less():
    timing = Timing((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.2, 3.0):
        timing.took(seconds)
    assert list(timing) == [(0.1, 2), (1.0, 3), (float("inf"), 4)]
    assert timing.total == 3.35


def test_nothing_has_happened_at_first():
    assert list(Timing((0.1,))) == [(0.1, 0), (float("inf"), 0)]
