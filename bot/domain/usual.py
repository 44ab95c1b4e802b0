"""What is usual: robust figures of a past that may hold a burst, a holiday or a fraud of its own."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

NORMAL: float = 1.4826
"""The standard deviation of normal noise whose median absolute deviation is 1."""
LEAST_SPREAD: float = 0.35
"""Of amounts, as a logarithm: however alike the past was, a third more or less is not remarkable."""


def median(values: Iterable[float]) -> float:
    """0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(values: Sequence[float], middle: float) -> float:
    """As a standard deviation, but a few wild values do not move it."""
    return NORMAL * median(abs(value - middle) for value in values)


def usual_most(amounts: Sequence[float], *, width: float) -> float:
    """The most that would not surprise after these, as amounts vary: by factors. 0 of nothing.

    However wildly they vary, about twice the largest is a surprise.
    """
    if not amounts:
        return 0.0
    logs = [math.log1p(max(0.0, amount)) for amount in amounts]
    middle = median(logs)
    # Of one or two amounts nobody knows how much they vary
    doubt = 1 + 1 / len(logs)
    most = middle + width * doubt * max(spread(logs, middle), LEAST_SPREAD)
    return min(math.expm1(min(most, 50.0)), 2 * doubt * max(amounts))


def usual_count(rate: float, *, width: float) -> float:
    """The most that would not surprise where so many come on average, as independent events do."""
    return rate + width * math.sqrt(rate + 0.25)


def nth_highest(values: Iterable[float], n: int) -> float:
    """0 where there are fewer: what happened only once or twice is not yet a habit."""
    ordered = sorted(values, reverse=True)
    return ordered[n - 1] if len(ordered) >= n else 0.0


def stretches(found: Iterable[T], day: Callable[[T], date], *, gap: int, longest: int) -> list[list[T]]:
    """Put together what is no more than `gap` days apart, at most `longest` days in one. `found` is in order."""
    made: list[list[T]] = []
    for each in found:
        if (
            made
            and (day(each) - day(made[-1][-1])).days <= gap
            and (day(each) - day(made[-1][0])).days < longest
        ):
            made[-1].append(each)
        else:
            made.append([each])
    return made


class Daily:
    """Amounts by day, whose sum over any days is found at once."""

    def __init__(self, amounts: Mapping[int, int]) -> None:
        self.days = sorted(amounts)
        self._upto = [0, *accumulate(amounts[day] for day in self.days)]

    def between(self, first: int, last: int) -> int:
        """Of those days, both included."""
        if last < first:
            return 0
        return self._upto[bisect_right(self.days, last)] - self._upto[bisect_left(self.days, first)]

    def windows(self, before: int, *, width: int, days: int) -> list[int]:
        """Windows of so many days side by side, back from the day before; empty ones are 0."""
        return [self.between(end - width + 1, end) for end in range(before - 1, before - days, -width)]
