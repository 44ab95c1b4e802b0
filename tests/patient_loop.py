"""The event loop of the tests: its clock does not count the time in which the machine stood still."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable

ROUND = 0.05
"""Seconds that one round of callbacks is given; what it takes longer is not counted."""
STEP = 0.05
"""Seconds that are waited for at once: whatever the loop waits for, it goes round that often."""
LATE = 0.02
"""Seconds by which a step may be over late; what it is later is not counted."""


class PatientLoop(asyncio.SelectorEventLoop):
    """Of an answer and a time limit that both came while the machine stood still, the answer is not too late.

    The product gives Slack two seconds, say, before it tells somebody to try again. A machine with much to do may
    stand still for longer, and the test would be about the machine. However busy it is, no limit is reached before
    the loop went round some eight times for each of its seconds.
    """

    def __init__(self) -> None:
        self._waits = _Waits(time.monotonic)
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.counted()

    def close(self) -> None:
        """Hear first of what the other end closed a moment ago: else its transport is found unclosed later on."""
        if not self.is_closed():
            self.run_until_complete(_rounds(10))
        super().close()


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class _Waits(selectors.DefaultSelector):
    """Measures how long it waited, and how long nobody came to wait."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._woke: float | None = None
        """When the round of callbacks began that is under way; None while it waits."""
        self._lost = 0.0

    def counted(self) -> float:
        now = self._monotonic()
        if self._woke is not None:
            now = min(now, self._woke + ROUND)
        return now - self._lost

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        begun = self._monotonic()
        if self._woke is not None:
            self._lost += max(0.0, begun - self._woke - ROUND)
        self._woke = None
        step = None if timeout is None else min(max(0.0, timeout), STEP)
        ready = super().select(step)
        self._woke = self._monotonic()
        if step is not None:
            self._lost += max(0.0, self._woke - begun - step - LATE)
        return ready
