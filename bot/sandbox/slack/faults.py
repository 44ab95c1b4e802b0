"""Trouble on demand: rate limits, failing methods, answers that come late, broken or not at all."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimited:
    """HTTP 429 instead of an answer."""

    retry_after: int


@dataclass(frozen=True)
class Failing:
    """An answer with `ok: false`; nothing is done."""

    error: str


@dataclass(frozen=True)
class Broken:
    """HTTP 500 instead of an answer; nothing is done."""


@dataclass(frozen=True)
class Slow:
    """The call is carried out, and answered only after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class LosingAnswer:
    """The call is carried out, but the connection breaks before the answer."""


Fault = RateLimited | Failing | Broken | Slow | LosingAnswer


class Faults:
    """Faults wait in line, one for each coming call of a method."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def add(self, method: str, fault: Fault, times: int) -> None:
        self._waiting[method].extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        waiting = self._waiting.get(method)
        return waiting.popleft() if waiting else None

    def clear(self) -> None:
        self._waiting.clear()
