"""Single statements on SQLite, for what an ack waits for: each kept as soon as it is written, many at once together.

SQLAlchemy's asynchronous SQLite driver changes threads eight times for one, which after a moment's idling costs more
than the write itself; this changes once. And the disk is waited for once for all that came meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError

TURNS = 8
"""So often the event loop comes round without another write before those that wait are carried out."""
LONGEST = 0.01
"""Seconds for which a write waits at most for others."""


@dataclass(frozen=True, slots=True)
class Write:
    """A statement and the row it is about. Of many at once those with the very same statement are the quickest."""

    statement: Executable
    row: Mapping[str, Any]


class SingleWrites:
    """A thread of its own with a connection of its own; `writer` is held while it writes."""

    def __init__(self, engine: Engine, writer: asyncio.Lock) -> None:
        self._engine = engine
        self._writer = writer
        self._thread: ThreadPoolExecutor | None = None
        self._connection: Connection | None = None
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._working: asyncio.Task[None] | None = None

    async def write(self, one: Write) -> None:
        """Carry it out; when this returns it is on the disk. Raises SQLAlchemy's errors."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        """Until nothing waits any more."""
        try:
            while self._waiting:
                await self._all_that_come()
                async with self._writer:
                    taken, self._waiting = self._waiting, []
                    await self._carry_out(taken)
        finally:
            self._working = None

    async def _all_that_come(self) -> None:
        """Wait a moment, and on while more come: writing beside a busy event loop takes several times as long."""
        clock = asyncio.get_running_loop().time
        ends, known, turns = clock() + LONGEST, len(self._waiting), 0
        while turns < TURNS and clock() < ends:
            await asyncio.sleep(0)
            turns = turns + 1 if len(self._waiting) == known else 0
            known = len(self._waiting)

    async def _carry_out(self, taken: list[tuple[Write, asyncio.Future[None]]]) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="single-writes")
        writes = [one for one, _ in taken]
        errors: Sequence[BaseException | None]
        try:
            errors = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, writes)
        except BaseException as error:
            errors = [error] * len(taken)
        for (_, done), failed in zip(taken, errors, strict=True):
            if done.done():  # whoever asked has gone away
                continue
            if failed:
                done.set_exception(failed)
            else:
                done.set_result(None)

    def _write(self, writes: Sequence[Write]) -> list[SQLAlchemyError | None]:
        """What came of each. Where one of several fails, every one is tried by itself."""
        if len(writes) > 1 and self._together(writes) is None:
            return [None] * len(writes)
        return [self._together([one]) for one in writes]

    def _together(self, writes: Sequence[Write]) -> SQLAlchemyError | None:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                if len(writes) > 1:  # one alone is a transaction of its own
                    self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                for statement, alike in groupby(writes, key=lambda one: one.statement):
                    self._connection.execute(statement, [one.row for one in alike])
        except SQLAlchemyError as error:
            return error
        return None

    async def close(self) -> None:
        """Let go of the database; a later write opens it again."""
        if self._working is not None:
            await self._working
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()
