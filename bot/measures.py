"""What is counted while work is done: plain numbers, since an ack may be waiting. `bot.metrics` tells of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate


class Timing:
    """How often something took how long. `bounds` are in seconds, the smallest first."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """Of all of them together, in seconds."""

    def took(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def __iter__(self) -> Iterator[tuple[float, int]]:
        """Each bound, and how many took that long or less; the last bound is infinite."""
        return zip((*self._bounds, float("inf")), accumulate(self._counts), strict=True)
