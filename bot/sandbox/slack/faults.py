"""Trouble on demand: rate limits, failing methods and answers that get lost."""

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
class LosingAnswer:
    """The call is carried out, but the connection breaks before the answer."""


Fault = RateLimited | Failing | LosingAnswer


class Faults:
    """Faults wait in line, one for each coming call of a method."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def add(self, method: str, fault: Fault, times: int) -> None:
        self._waiting[method].extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        waiting = self._waiting.get(method)
        return waiting.popleft() if waiting else None
