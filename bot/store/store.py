"""Opens the database and hands out transactions; a `Tx` is one transaction and all the tables in it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.domain.errors import Unanswered, Unavailable
from bot.store.audit import AuditTrail
from bot.store.authenticators import Authenticators
from bot.store.books import Books
from bot.store.cases import Cases
from bot.store.collections import Collections
from bot.store.crawl import Crawl
from bot.store.drafts import Drafts
from bot.store.drifts import Drifts
from bot.store.glasses import Glasses
from bot.store.letters import Letters
from bot.store.limits import Limits
from bot.store.mappings import Mappings
from bot.store.marks import Marks
from bot.store.mirror import Mirror
from bot.store.observations import Observations
from bot.store.owners import Owners
from bot.store.policies import Policies
from bot.store.posts import Posts
from bot.store.previews import Previews
from bot.store.readings import Readings
from bot.store.refresh_tokens import RefreshTokens
from bot.store.requests import Requests
from bot.store.single import SingleWrites, Write
from bot.store.tickets import Tickets

SQLITE_BUSY_MS = 30_000
CONNECT_SECONDS = "6"
PING_SECONDS = 5.0
CLOSE_SECONDS = 5.0
KEEP_SECONDS = 60.0
KEEP_PAUSE = 0.5
MOST_WORKERS = 1000

log = logging.getLogger(__name__)


class Tx:
    """One transaction; everything done through it is kept together or not at all."""

    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self.connection = connection
        self._now = now

    @cached_property
    def requests(self) -> Requests:
        return Requests(self.connection)

    @cached_property
    def collections(self) -> Collections:
        return Collections(self.connection)

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.connection)

    @cached_property
    def drafts(self) -> Drafts:
        return Drafts(self.connection)

    @cached_property
    def posts(self) -> Posts:
        return Posts(self.connection)

    @cached_property
    def audit(self) -> AuditTrail:
        return AuditTrail(self.connection, self._now)

    @cached_property
    def mirror(self) -> Mirror:
        return Mirror(self.connection)

    @cached_property
    def crawl(self) -> Crawl:
        return Crawl(self.connection)

    @cached_property
    def observations(self) -> Observations:
        return Observations(self.connection)

    @cached_property
    def cases(self) -> Cases:
        return Cases(self.connection)

    @cached_property
    def books(self) -> Books:
        return Books(self.connection)

    @cached_property
    def readings(self) -> Readings:
        return Readings(self.connection)

    @cached_property
    def refresh_tokens(self) -> RefreshTokens:
        return RefreshTokens(self.connection)

    @cached_property
    def previews(self) -> Previews:
        return Previews(self.connection, self._now)

    @cached_property
    def marks(self) -> Marks:
        return Marks(self.connection)

    @cached_property
    def mappings(self) -> Mappings:
        return Mappings(self.connection)

    @cached_property
    def policies(self) -> Policies:
        return Policies(self.connection)

    @cached_property
    def authenticators(self) -> Authenticators:
        return Authenticators(self.connection)

    @cached_property
    def glasses(self) -> Glasses:
        return Glasses(self.connection)

    @cached_property
    def owners(self) -> Owners:
        return Owners(self.connection)

    @cached_property
    def drifts(self) -> Drifts:
        return Drifts(self.connection, self._now)

    @cached_property
    def tickets(self) -> Tickets:
        return Tickets(self.connection, self._now)

    @cached_property
    def letters(self) -> Letters:
        return Letters(self.connection, self._now)


class Store:
    """The one way to the database."""

    def __init__(self, url: str, *, now: Callable[[], datetime]) -> None:
        self.url = async_url(url)
        self._now = now
        self._engine = _engine(self.url)
        self._name = ""
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._name_lock: AsyncConnection | None = None
        # Writers of one process queue here instead of in SQLite's busy handler, which sleeps up to 100 ms.
        self._writer = asyncio.Lock() if self.is_sqlite else None
        # Those that may wait queue here first, so that there is never more than one of them before anybody else.
        self._may_wait = asyncio.Lock() if self.is_sqlite else None
        self._single = SingleWrites(_sync_sqlite(url), self._writer) if self._writer else None

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def begin(self, *, unhurried: bool = False) -> AsyncIterator[Tx]:
        """A transaction that writes: committed at the end, rolled back when anything is raised.

        On SQLite, which has one writer, those `unhurried` take turns among themselves: an ack waits for one of them at
        most, however many there are.

        Raises Unavailable (system `database`) when the database cannot be reached, and Unanswered when it went away
        during the commit.
        """
        first: AbstractAsyncContextManager[Any] = (self._may_wait if unhurried else None) or nullcontext()
        then: AbstractAsyncContextManager[Any] = self._writer or nullcontext()
        async with first, then, self._connection(writes=True) as tx:
            yield tx

    async def keep(self, work: Callable[[Tx], Awaitable[object]]) -> None:
        """Write down what has happened already: while the database is away, try again for a minute.

        `work` must do no harm when repeated, since a commit may be kept though its answer was lost. Raises as `begin`.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + KEEP_SECONDS
        while True:
            try:
                async with self.begin() as tx:
                    await work(tx)
                return
            except Unavailable:
                if clock() >= until:
                    raise
            await asyncio.sleep(KEEP_PAUSE)

    async def write(self, one: Write) -> None:
        """Carry out one statement in a transaction of its own, the quickest way: an ack may be waiting for it.

        Raises Unavailable (system `database`) when the database cannot be reached.
        """
        if self._single is None:
            async with self.begin() as tx:
                await tx.connection.execute(one.statement, one.row)
            return
        with _told_as_unavailable():
            await self._single.write(one)

    async def claim(self, one: Write) -> bool:
        """Like `write`; False where a row with that key is there already, whoever was quicker."""
        try:
            await self.write(one)
        except IntegrityError:
            return False
        return True

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A transaction that only reads; it never waits for a writer on SQLite."""
        async with self._connection(writes=False) as tx:
            yield tx

    @asynccontextmanager
    async def _connection(self, *, writes: bool) -> AsyncIterator[Tx]:
        with self._in_use(), _told_as_unavailable():
            async with self._engine.connect() as connection:
                await connection.execution_options(backstop_writes=writes)
                async with connection.begin() as transaction:
                    yield Tx(connection, self._now)
                    if writes:
                        with _told_as_unavailable(Unanswered):
                            await transaction.commit()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def worker_name(self, host: str) -> str:
        """A name that no other living worker bears: the host's, with an ordinal that is free again after a death.

        Postgres keeps it by an advisory lock for as long as its connection lives. Asked again, this looks whether
        it does; if not, the name is taken anew, or another one where somebody was quicker.
        """
        if self.is_sqlite:
            return f"{host}-0"  # it has one worker anyway
        if self._name_lock and await _answers(self._name_lock):
            return self._name
        await self._let_go_of_name()
        with _told_as_unavailable():
            self._name_lock = await self._engine.connect()
            try:
                self._name = await _free_name(self._name_lock, host, rather=self._name)
            except BaseException:
                await self._let_go_of_name()
                raise
        return self._name

    async def _let_go_of_name(self) -> None:
        lock, self._name_lock = self._name_lock, None
        if lock:
            await lock.invalidate()  # back in the pool, a session that lives after all would go on holding it
            await lock.close()

    async def ping(self) -> None:
        """Raise Unavailable unless the database answers."""
        async with self.read() as tx:
            await tx.connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Let transactions that are under way come to their end, within a limit, and let go of the database."""
        await self._let_go_of_name()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._unused.wait()
        if self._single:
            await self._single.close()
        await self._engine.dispose()


async def _free_name(connection: AsyncConnection, host: str, *, rather: str) -> str:
    """The first name of that host that is free, or rather this one; it is this session's from now on."""
    names = {f"{host}-{ordinal}": ordinal for ordinal in range(MOST_WORKERS)}
    for name in sorted(names, key=lambda name: (name != rather, names[name])):
        taken = await connection.execute(
            text("SELECT pg_try_advisory_lock(hashtext(:host), :ordinal)"),
            {"host": host, "ordinal": names[name]},
        )
        await connection.commit()
        if taken.scalar_one():
            return name
    raise Unavailable("database", "too-many-workers")


async def _answers(connection: AsyncConnection) -> bool:
    """Whether the session is still there."""
    try:
        async with asyncio.timeout(PING_SECONDS):
            await connection.execute(text("SELECT 1"))
            await connection.commit()
    except (DBAPIError, OSError, TimeoutError):
        return False
    return True


@contextmanager
def _told_as_unavailable(kind: type[Unavailable] = Unavailable) -> Iterator[None]:
    """No error of the driver leaves this room when it means that the database is not there."""
    try:
        yield
    except (OperationalError, OSError) as error:
        raise kind("database", type(error).__name__) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise kind("database", type(error).__name__) from error
        raise


def _sync_sqlite(url: str) -> Engine:
    """For single statements: SQLite wraps each in a transaction of its own, so none is begun."""
    engine = create_engine(sync_url(url), hide_parameters=True)
    _set_pragmas(engine)
    return engine


def async_url(url: str) -> URL:
    """The URL with our driver: `sqlite:///…` and `postgresql://…` are what an operator writes.

    Raises ValueError for any other database.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            # A server that takes the connection and says nothing would be waited for without end.
            patience = {"connect_timeout": CONNECT_SECONDS, **parsed.query}
            return parsed.set(drivername="postgresql+psycopg", query=patience)
        case other:
            raise ValueError(f"{other} is not supported")


def sync_url(url: str) -> URL:
    """The same database for a library that wants a blocking driver."""
    parsed = async_url(url)
    return parsed.set(drivername="sqlite") if parsed.get_backend_name() == "sqlite" else parsed


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        return create_async_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=5
        )
    engine = create_async_engine(
        url, hide_parameters=True, pool_size=15, max_overflow=0, connect_args={"factory": _LetsGo}
    )
    tune_sqlite(engine.sync_engine)
    return engine


class _LetsGo(sqlite3.Connection):
    """Closed while rows are not fetched, SQLite keeps its locks until nothing refers to their cursor any more.

    A task that is broken off has one in its traceback: everybody else would wait for the next look for garbage.
    sqlite.org/c3ref/close.html, on sqlite3_close_v2.
    """

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


def tune_sqlite(engine: Any) -> None:
    _set_pragmas(engine)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A DEFERRED transaction that turns writer fails at once with "database is locked".
        writes = connection.get_execution_options().get("backstop_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_pragmas(engine: Any) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"busy_timeout={SQLITE_BUSY_MS}",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
