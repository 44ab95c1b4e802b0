"""One statement in a transaction of its own on SQLite, for what an ack waits for.

SQLAlchemy's asynchronous SQLite driver changes threads eight times for it, which after a moment's idling costs
more than the write itself; this changes once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, Engine, Executable


class SingleWrites:
    """A thread of its own with a connection of its own. One statement at a time: the caller sees to that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread: ThreadPoolExecutor | None = None
        self._connection: Connection | None = None

    async def write(self, statement: Executable) -> None:
        """Carry it out; when this returns it is on the disk. Raises SQLAlchemy's errors."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="single-writes")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, statement)

    def _write(self, statement: Executable) -> None:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            self._connection.execute(statement)

    async def close(self) -> None:
        """Let go of the database; a later write opens it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()
