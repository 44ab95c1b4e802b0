"""Tells whoever waits or watches that something in the workspace has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds; somebody who waits in vain should be told, but what lost its job is drawn by the sweep after a minute."""


@dataclass(eq=False)
class Watcher:
    """One open stream: the news one person may see, in order."""

    person: str
    sees_wire: bool
    queue: asyncio.Queue[dict[str, Any] | None] = field(default_factory=lambda: asyncio.Queue(maxsize=2000))


class News:
    """Announces events to open streams and wakes everybody who waits for a condition."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._sleepers: set[asyncio.Future[None]] = set()

    def announce(self, event: dict[str, Any], *, to: frozenset[str] | None = None) -> None:
        """Send an event to the people it concerns; `None` means everybody."""
        for watcher in tuple(self._watchers):
            if to is not None and watcher.person not in to:
                continue
            if event["type"] == "exchange" and not watcher.sees_wire:
                continue
            self._hand_over(watcher, event)
        self.stir()

    def stir(self) -> None:
        """Let everybody who waits for a condition look again."""
        sleepers, self._sleepers = self._sleepers, set()
        for sleeper in sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    @property
    def has_wire_watchers(self) -> bool:
        return any(watcher.sees_wire for watcher in self._watchers)

    def watch(self, person: str, *, wire: bool) -> Watcher:
        watcher = Watcher(person, sees_wire=wire)
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End every open stream."""
        for watcher in tuple(self._watchers):
            self._hand_over(watcher, None)

    async def until(self, look: Callable[[], T | None], *, timeout: float = PATIENCE) -> T:
        """Give what `look` finds as soon as that is truthy; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while True:
                if found := look():
                    return found
                sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._sleepers.add(sleeper)
                try:
                    await sleeper
                finally:
                    self._sleepers.discard(sleeper)

    def _hand_over(self, watcher: Watcher, event: dict[str, Any] | None) -> None:
        try:
            watcher.queue.put_nowait(event)
        except asyncio.QueueFull:  # a reader that stalled this long starts over with a new stream
            self._watchers.discard(watcher)
            watcher.queue = asyncio.Queue()
            watcher.queue.put_nowait(None)
