"""The sandbox's clock: it runs as any other, and can be put forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Never goes back: what has happened stays before what comes."""

    def __init__(self, real: Callable[[], datetime] = _utc_now) -> None:
        self._real = real
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return self._real() + self._ahead

    def forward(self, to: datetime) -> None:
        """Show that moment from now on. Raises ValueError for one that is over."""
        by = to - self()
        if by < timedelta(0):
            raise ValueError("a clock does not go back")
        self._ahead += by
