"""How many calls may be on their way at once: fewer after Microsoft asks for patience, more again in quiet."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

QUIET: Final = timedelta(seconds=10)
"""After so long without being throttled there may be one call more."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Throttle:
    """What one process learned of Microsoft's patience, for the others to know."""

    limit: int
    at: datetime
    until: datetime | None = None
    """Until when nobody should call."""


class Pace:
    """Slots for calls. Whoever has somebody waiting for it goes before all that nobody waits for."""

    def __init__(
        self, most: int, *, now: Callable[[], datetime], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._most = most
        self._limit = most
        self._now = now
        self._sleep = sleep
        self._on_the_way = 0
        self._hurried = deque[asyncio.Future[None]]()
        self._unhurried = deque[asyncio.Future[None]]()
        self._changed_at: datetime | None = None
        self._throttled: Throttle | None = None
        self._pause: Throttle | None = None

    @property
    def limit(self) -> int:
        """How many may be on their way now."""
        return self._limit

    @property
    def throttled(self) -> Throttle | None:
        """The last time Microsoft asked for patience, here or where `hear` was told of; None: never."""
        return self._throttled

    @asynccontextmanager
    async def slot(self, *, unhurried: bool = False) -> AsyncIterator[int]:
        """Wait for a turn, and for the end of a pause. Gives the limit under which the call goes out."""
        while True:
            await self._sit_out()
            await self._enter(self._unhurried if unhurried else self._hurried)
            if self._pause is None:
                break
            self._leave()
        try:
            yield self._limit
        finally:
            self._leave()

    def slow_down(self, under: int, *, wait: float | None) -> None:
        """A call that went out under that limit was throttled; `wait` seconds nobody should call.

        Of all that were on their way together, the first halves the limit.
        """
        now = self._now()
        until = now + timedelta(seconds=wait) if wait else None
        if under <= self._limit:
            self._limit = max(1, self._limit // 2)
            self._changed_at = until or now
            log.warning("Partner Center throttles: %s calls at once from now on", self._limit)
        self._throttled = Throttle(self._limit, now, until)
        if until and (self._pause is None or self._pause.until is None or self._pause.until < until):
            self._pause = self._throttled

    def go_on(self) -> None:
        """A call was answered."""
        if self._changed_at is None:
            return
        now = self._now()
        if now - self._changed_at >= QUIET:
            self._limit += 1
            self._changed_at = now if self._limit < self._most else None
            self._let_in()

    def hear(self, told: Throttle) -> None:
        """What another process learned. What it learned before our own last time is no news."""
        if self._throttled and told.at <= self._throttled.at:
            return
        now = self._now()
        self._throttled = told
        # As it would have grown by now.
        quiet_since = told.until or told.at
        limit = min(self._most, told.limit + int(max(timedelta(0), now - quiet_since) / QUIET))
        if limit < self._limit:
            self._limit, self._changed_at = limit, max(now, quiet_since)
        if told.until and told.until > now:
            self._pause = told

    def waited(self, seconds: float, *, since: datetime) -> None:
        """Somebody has waited so long since then: what of a pause was shorter is over."""
        pause = self._pause
        if pause and pause.until and pause.until <= since + timedelta(seconds=seconds):
            self._pause = None

    async def _sit_out(self) -> None:
        while pause := self._pause:
            left = (pause.until - self._now()).total_seconds() if pause.until else 0.0
            if left > 0:
                await self._sleep(left)
            if self._pause is pause:
                self._pause = None

    async def _enter(self, line: deque[asyncio.Future[None]]) -> None:
        if self._on_the_way < self._limit and not (self._hurried or line):
            self._on_the_way += 1
            return
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # it had its turn and does not take it
            elif turn in line:
                line.remove(turn)
            raise

    def _leave(self) -> None:
        self._on_the_way -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._on_the_way < self._limit and (line := self._hurried or self._unhurried):
            turn = line.popleft()
            if not turn.done():
                self._on_the_way += 1
                turn.set_result(None)
