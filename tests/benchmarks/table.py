"""Figures of a run, and the table they are printed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """Milliseconds of each, in any order, and the seconds all of them took together."""

    milliseconds: Sequence[float]
    seconds: float

    def quantile(self, part: float) -> float:
        """The smallest that so many are not above."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds


def table(rows: Sequence[tuple[str, Figures]]) -> str:
    """A line for each row."""
    lines = [f"{'':58}{'p50 ms':>9}{'p99 ms':>9}{'per s':>9}{'n':>7}"]
    for name, figures in rows:
        p50, p99 = figures.quantile(0.5), figures.quantile(0.99)
        n = len(figures.milliseconds)
        lines.append(f"{name:58}{p50:9.2f}{p99:9.2f}{figures.per_second:9.0f}{n:7}")
    return "\n".join(lines)
