"""Know, without a clock, that somebody else's transaction has come up against ours."""

from __future__ import annotations

from sqlalchemy import text

from bot.store import Tx


async def until_somebody_waits(tx: Tx) -> None:
    """On Postgres until another's insert waits for what we wrote; on SQLite it waits before it begins."""
    while tx.connection.dialect.name == "postgresql":
        waiting = await tx.connection.execute(
            text(
                "SELECT count(*) FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
        )
        if waiting.scalar_one():
            return
