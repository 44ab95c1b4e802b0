"""Runs one query in a transaction that can only read, row by row, within a time; always rolled back.

PostgreSQL and SQLite are read without a thread, every other database by the blocking driver its URL names,
in a thread. No error of a driver leaves this room, and none that leaves has the password in it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol
from urllib.parse import quote, quote_plus

from sqlalchemy import Date, TextClause, bindparam, create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Unavailable, Upstream
from bot.receivables.live import SYSTEM

CONNECT_SECONDS: Final = 6
ROWS_AT_A_TIME: Final = 1000
_GRACE_SECONDS: Final = 5.0
"""How much longer we wait than the database was told to work, so that its own word comes first."""
_STEPS_BETWEEN_LOOKS: Final = 10_000
_LONGEST_DETAIL: Final = 200

_ASYNC: Final[Mapping[str, str]] = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class RowSink(Protocol):
    """Takes the columns, then row by row; what it raises ends the reading."""

    def begin(self, columns: Sequence[str]) -> None: ...

    def row(self, values: Sequence[object]) -> bool:
        """Whether more rows are wanted."""
        ...


def _first_statements(dialect: str, milliseconds: int) -> tuple[str, ...]:
    """What makes the transaction read-only and gives its statements an end, before the query is sent."""
    match dialect:
        case "postgresql":
            # postgresql.org/docs/current/sql-set-transaction.html; functions that write fail in it as well.
            return ("SET TRANSACTION READ ONLY", f"SET LOCAL statement_timeout = {milliseconds}")
        case "sqlite":
            # sqlite.org/pragma.html#pragma_query_only; besides, the file itself is opened with mode=ro.
            return ("PRAGMA query_only = ON",)
        case "mysql":
            # dev.mysql.com/doc/refman/8.4/en/commit.html and …/server-system-variables.html
            return (f"SET SESSION max_execution_time = {milliseconds}", "START TRANSACTION READ ONLY")
        case "mariadb":
            # mariadb.com/kb/en/start-transaction and …/aborting-statements
            return (f"SET SESSION max_statement_time = {milliseconds / 1000}", "START TRANSACTION READ ONLY")
        case "oracle":
            # docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/SET-TRANSACTION.html
            return ("SET TRANSACTION READ ONLY",)
        case "mssql":
            return ()  # it has no such transaction: there the account is the wall, and the rollback at the end
        case other:
            raise ValueError(f"{other} is not supported")


class SqlReader:
    """One connection for one reading: nothing is pooled, so nothing a query may have set outlives it."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Raises ValueError for an address that is none, or of a database we cannot read."""
        parsed = _parsed(url)
        self._timeout = timeout_seconds
        self._secrets = _secrets(parsed)
        self.dialect = _dialect(parsed)
        first = _first_statements(self.dialect, int(timeout_seconds * 1000))
        driver = _ASYNC.get(parsed.drivername)
        ready = _ready(parsed.set(drivername=driver) if driver else parsed)
        self._way = _WithoutThread(ready, first) if driver else _InThread(ready, first)
        self._file = Path(parsed.database or "") if self.dialect == "sqlite" else None
        if self._file:
            _stop_in_time(self._way.sync_engine, timeout_seconds)

    async def read(self, query: str, sink: RowSink, *, as_of: date) -> None:
        """Give every row to the sink. Raises an `Upstream` error when they cannot all be read."""
        statement = text(query)
        if "as_of" in statement.compile().params:
            statement = statement.bindparams(bindparam("as_of", as_of, type_=Date()))
        try:
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS + _GRACE_SECONDS):
                if self._file:
                    # Where there is nothing to open, aiosqlite leaves a thread behind that outlives the loop.
                    self._file.open("rb").close()
                await self._way.read(statement, sink)
        except TimeoutError:
            raise Unavailable(SYSTEM, "timeout") from None
        except SQLAlchemyError as error:
            self._raise(error)
        except OSError as error:
            raise Unavailable(SYSTEM, "no-connection", detail=type(error).__name__) from None

    async def close(self) -> None:
        await self._way.close()

    def _raise(self, error: SQLAlchemyError) -> NoReturn:
        """Say by type and code what went wrong; the driver's words are kept for the log, without the password."""
        original = error.orig if isinstance(error, DBAPIError) else error
        detail = str(original)
        for secret in self._secrets:
            detail = detail.replace(secret, "…")
        kind, reason = _meaning(error, original, _code(original))
        raise kind(SYSTEM, reason, detail=" ".join(detail.split())[:_LONGEST_DETAIL]) from None


class _WithoutThread:
    def __init__(self, url: URL, first: tuple[str, ...]) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
        self._first = first
        self.sync_engine = self._engine.sync_engine

    async def read(self, statement: TextClause, sink: RowSink) -> None:
        async with self._engine.connect() as connection:
            try:
                for first in self._first:
                    await connection.exec_driver_sql(first)
                await connection.execution_options(yield_per=ROWS_AT_A_TIME)
                result = await connection.stream(statement)
                try:
                    sink.begin(tuple(result.keys()))
                    async for rows in result.partitions():
                        if not all(map(sink.row, rows)):
                            break
                finally:
                    await result.close()  # `async with` would leave it open when the sink raises
            finally:
                await connection.rollback()

    async def close(self) -> None:
        await self._engine.dispose()


class _InThread:
    def __init__(self, url: URL, first: tuple[str, ...]) -> None:
        try:
            self.sync_engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
        except ImportError:
            raise ValueError(f"the driver of {url.drivername} is not installed") from None
        self._first = first
        # One thread: a query that does not end holds up the next reading instead of piling up beside it.
        self._thread = ThreadPoolExecutor(1, "receivables-sql")

    async def read(self, statement: TextClause, sink: RowSink) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._read, statement, sink)

    def _read(self, statement: TextClause, sink: RowSink) -> None:
        with self.sync_engine.connect() as connection:
            try:
                for first in self._first:
                    connection.exec_driver_sql(first)
                connection.execution_options(yield_per=ROWS_AT_A_TIME)
                with connection.execute(statement) as result:
                    sink.begin(tuple(result.keys()))
                    for rows in result.partitions():
                        if not all(map(sink.row, rows)):
                            break
            finally:
                connection.rollback()

    async def close(self) -> None:
        self.sync_engine.dispose()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _dialect(url: URL) -> str:
    name = url.get_backend_name()
    return "postgresql" if name == "postgres" else name


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.set(drivername=_ASYNC.get(parsed.drivername, parsed.drivername)).get_dialect()
        return parsed
    except (SQLAlchemyError, ValueError):  # its words may quote a part of the password
        raise ValueError("this is no address of a database") from None


def _secrets(url: URL) -> tuple[str, ...]:
    values = [
        str(url.password or ""),
        *(str(value) for name, value in url.query.items() if "pass" in name.lower()),
    ]
    return tuple(
        {form for value in values if value for form in (value, quote(value, safe=""), quote_plus(value))}
    )


def _ready(url: URL) -> URL:
    """The URL as it is opened: SQLite read-only, PostgreSQL with an end to waiting for the connection."""
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database.startswith((":memory:", "file:")):
                raise ValueError("a SQLite database must be given as the path of a file")
            path = quote(str(Path(url.database).absolute()))
            return url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
        case "postgresql":
            # A server that takes the connection and says nothing would be waited for without end.
            return url.set(query={"connect_timeout": str(CONNECT_SECONDS), **url.query})
        case _:
            return url


def _stop_in_time(engine: Engine, seconds: float) -> None:
    """SQLite knows no statement timeout; it asks us now and then whether to go on."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        end = time.monotonic() + seconds

        def is_late() -> bool:
            return time.monotonic() > end

        if hasattr(connection, "run_async"):
            connection.run_async(lambda raw: raw.set_progress_handler(is_late, _STEPS_BETWEEN_LOOKS))
        else:
            connection.set_progress_handler(is_late, _STEPS_BETWEEN_LOOKS)


def _code(original: BaseException | None) -> str:
    """SQLSTATE or SQLite's name of the error; empty where the driver has neither."""
    for name in ("sqlstate", "sqlite_errorname"):
        if value := getattr(original, name, None):
            return str(value)
    return ""


_SQLITE_PASSES: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PROTOCOL")


def _meaning(
    error: SQLAlchemyError, original: BaseException | None, code: str
) -> tuple[Callable[..., Upstream], str]:
    reason = code or type(original).__name__
    if code in {"57014", "SQLITE_INTERRUPT"}:  # query_canceled: statement_timeout
        return Unavailable, "timeout"
    if isinstance(original, sqlite3.Error):
        return (Unavailable if code.startswith(_SQLITE_PASSES) else Rejected), reason
    if code.startswith("28"):  # postgresql.org/docs/current/errcodes-appendix.html
        return SignInFailed, reason
    if code == "42501":
        return AccessDenied, reason
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or (
        isinstance(error, OperationalError | InterfaceError) and not code.startswith(("22", "25", "42"))
    ):
        return Unavailable, reason
    if isinstance(error, InvalidRequestError) and not isinstance(error, DBAPIError):
        return Rejected, "not-a-select"
    return Rejected, reason
