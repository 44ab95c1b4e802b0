"""The running product: its processes, which are killed, and the ledger they leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

from sqlalchemy import Row, Select, create_engine, select
from sqlalchemy.pool import NullPool

from bot.domain.request import Status
from bot.store.store import sync_url
from bot.store.tables import audit, posts, requests, targets
from tests.program import Program


class Crew:
    """Whoever waits for `up` waits until all of the processes run."""

    def __init__(self, *programs: Program) -> None:
        self.programs = programs
        """Those that run, or are about to run again."""
        self._up = asyncio.Event()
        self._ends = AsyncExitStack()

    async def __aenter__(self) -> Crew:
        await self._begin(self.programs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._ends.__aexit__(kind, error, trace)

    async def up(self) -> None:
        await self._up.wait()

    @asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """All of them run, but none can work for the moment."""
        self._up.clear()
        yield
        self._up.set()

    async def lose(
        self,
        victims: Sequence[Program],
        *,
        early: Sequence[float] = (),
        after_each: Callable[[], object] = lambda: None,
    ) -> None:
        """Kill these at once and start them again, killed anew after each of `early` seconds.

        `after_each` is called while they are dead.
        """
        self._up.clear()
        for seconds in (*early, None):
            for victim in victims:
                await victim.kill()
            after_each()
            for victim in victims:
                await victim.start()
            if seconds is not None:
                await asyncio.sleep(seconds)
        await self._come_up(victims)

    async def join(self, *programs: Program) -> None:
        """Let these run beside the others."""
        await self._begin(programs)
        self.programs = (*self.programs, *programs)

    async def lose_for_ever(self, *victims: Program) -> None:
        """Kill these at once; they never come back."""
        for victim in victims:
            await victim.kill()
        self._part_with(victims)

    async def dismiss(self, *programs: Program) -> list[int]:
        """Ask these to stop while the others go on; their exit codes."""
        codes = await asyncio.gather(*(program.terminate() for program in programs))
        self._part_with(programs)
        return codes

    async def stop(self) -> list[int]:
        """Ask all of them to stop; their exit codes."""
        return await asyncio.gather(*(program.terminate() for program in self.programs))

    def _part_with(self, gone: Sequence[Program]) -> None:
        self.programs = tuple(program for program in self.programs if program not in gone)

    async def _begin(self, programs: Sequence[Program]) -> None:
        for program in programs:
            await self._ends.enter_async_context(program)
            await program.start()
        await self._come_up(programs)

    async def _come_up(self, programs: Sequence[Program]) -> None:
        for program in programs:
            await program.comes_up()
        self._up.set()


@dataclass(frozen=True)
class Ledger:
    """What the product wrote down; only read."""

    url: str

    def statuses(self) -> dict[str, Status]:
        return {row.id: Status(row.status) for row in self._rows(select(requests.c.id, requests.c.status))}

    def requests(self) -> Sequence[Row[Any]]:
        """Every request as it stands, each with its one subscription."""
        return self._rows(select(requests, targets).join(targets, targets.c.request_id == requests.c.id))

    def trail(self) -> Sequence[Row[Any]]:
        """Of every entry of the audit trail who did it, and what."""
        return self._rows(select(audit.c.by, audit.c.tag, audit.c.subject).order_by(audit.c.seq))

    def results(self) -> dict[str, str]:
        """Of each request the message with its result: `claimed` was posted, or died on the way."""
        rows = self._rows(select(posts.c.key, posts.c.state).where(posts.c.key.startswith("result:")))
        return {row.key.removeprefix("result:"): row.state for row in rows}

    def on_their_way(self) -> set[tuple[str, datetime]]:
        """The posts of which nobody knows whether Slack has them, by key and by when they were begun."""
        rows = self._rows(select(posts.c.key, posts.c.claimed_at).where(posts.c.state == "claimed"))
        return {(row.key, row.claimed_at) for row in rows}

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        engine = create_engine(sync_url(self.url), poolclass=NullPool)
        try:
            with engine.connect() as connection:
                return connection.execute(query).all()
        finally:
            engine.dispose()
