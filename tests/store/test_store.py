"""The database itself: its schema, its workers' names, and what is told when it cannot be reached."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event, inspect, text

from bot import courier
from bot import store as database
from bot.domain.errors import Unanswered, Unavailable
from bot.store import Store, Tx
from bot.store.store import async_url, sync_url
from bot.store.tables import is_declared, metadata
from tests import postgres
from tests.builders import noon
from tests.program import environment
from tests.proxy import Proxy
from tests.stage import free_port
from tests.store.conftest import OpenStore

MIGRATORS = 4
PATIENCE = 60
WRITE = text(
    "INSERT INTO marks (name, at, facts) VALUES ('a', '2026-01-01', '{}'), ('b', '2026-01-01', '{}') RETURNING name"
)


@pytest.fixture(params=["sqlite", "postgres"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    server: str | None = request.getfixturevalue("postgres_server")
    if server is None:
        pytest.skip("no Postgres server is installed, and TEST_POSTGRES_URL names none")
    return postgres.new_database(server)


def test_a_second_migration_changes_nothing(bare_url: str):
    assert [database.migrate(bare_url) for _ in range(3)] == [True, False, False]


def test_the_schema_of_a_newer_release_is_left_as_it_is(bare_url: str):
    database.migrate(bare_url)
    engine = create_engine(sync_url(bare_url))
    try:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
        assert database.migrate(bare_url) is False
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == "newer"
    finally:
        engine.dispose()


def test_four_processes_may_migrate_at_once(bare_url: str, tmp_path: Path):
    racing = [
        subprocess.Popen(
            [sys.executable, "-m", "bot", "migrate"],
            env=environment(DATABASE_URL=bare_url),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(MIGRATORS)
    ]
    said = [process.communicate(timeout=PATIENCE)[1] for process in racing]
    assert [process.returncode for process in racing] == [0] * MIGRATORS, said
    assert database.migrate(bare_url) is False


def test_the_migrations_lead_to_the_very_tables_the_code_uses(bare_url: str):
    database.migrate(bare_url)
    courier.migrate(sync_url(bare_url))
    engine = create_engine(sync_url(bare_url))
    try:
        with engine.connect() as connection:
            assert metadata.tables.keys() <= set(inspect(connection).get_table_names())
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_name": lambda name, kind, _: is_declared(name, kind),
                    "compare_type": True,
                },
            )
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


async def test_the_engines_own_tables_survive_our_migrations(bare_url: str):
    courier.migrate(sync_url(bare_url))
    database.migrate(bare_url)
    courier.migrate(sync_url(bare_url))
    assert database.migrate(bare_url) is False


async def test_a_write_that_is_broken_off_keeps_nobody_else_from_writing(open_store: OpenStore):
    """A stop breaks a crawl off, a time limit whatever takes too long: in the middle of a statement as well."""
    store, loop = open_store(), asyncio.get_running_loop()

    async def write() -> None:
        async with store.begin() as tx:
            connection = tx.connection.sync_connection
            assert connection is not None
            event.listen(connection, "before_cursor_execute", lambda *_: loop.call_soon(writing.cancel))
            await tx.connection.execute(WRITE)

    writing = asyncio.create_task(write())
    with pytest.raises(asyncio.CancelledError) as broken_off:
        await writing

    async with store.begin() as tx:
        assert (await tx.connection.execute(WRITE)).all()
    assert broken_off.tb, "whoever holds on to it holds on to all that it had open, rows not fetched among it"


class TestWorkersNames:
    async def test_two_living_workers_of_one_host_bear_two_names(self, open_store: OpenStore):
        one, two, elsewhere = open_store(), open_store(), open_store()
        if one.is_sqlite:
            pytest.skip("on SQLite a second worker does not start at all (see test_courier)")
        assert [await one.worker_name("host"), await two.worker_name("host")] == ["host-0", "host-1"]
        assert await elsewhere.worker_name("other") == "other-0"

    async def test_the_name_of_a_dead_worker_is_borne_again(self, open_store: OpenStore, migrated_url: str):
        dead, living, heir = open_store(), open_store(), open_store()
        assert await dead.worker_name("host") == "host-0"
        if dead.is_sqlite:
            assert await heir.worker_name("host") == "host-0"
            return
        assert await living.worker_name("host") == "host-1"
        await end_session_of(living, ordinal=0)
        assert await heir.worker_name("host") == "host-0"

    async def test_who_lost_the_session_that_kept_the_name_takes_it_anew(self, open_store: OpenStore):
        one, two, three = open_store(), open_store(), open_store()
        if one.is_sqlite:
            pytest.skip("a name on SQLite is kept by no session")
        assert [await one.worker_name("host"), await two.worker_name("host")] == ["host-0", "host-1"]
        await end_session_of(two, ordinal=0)
        await end_session_of(two, ordinal=1)
        assert await two.worker_name("host") == "host-1", "rather the old one than the first that is free"
        assert [await one.worker_name("host"), await three.worker_name("host")] == ["host-0", "host-2"]

    async def test_who_lost_the_name_to_somebody_else_takes_another(self, open_store: OpenStore):
        slow, quick = open_store(), open_store()
        if slow.is_sqlite:
            pytest.skip("on SQLite a second worker does not start at all (see test_courier)")
        assert await slow.worker_name("host") == "host-0"
        await end_session_of(quick, ordinal=0)
        assert await quick.worker_name("host") == "host-0"
        assert [await slow.worker_name("host"), await quick.worker_name("host")] == ["host-1", "host-0"]

    async def test_a_name_is_asked_for_in_vain_while_the_database_is_away_and_taken_again_later(
        self, postgres_url: str
    ):
        async with Proxy(postgres_url) as wire:
            store = Store(wire.url, now=lambda: noon)
            try:
                assert await store.worker_name("host") == "host-0"
                wire.cut()
                for _ in range(2):
                    with pytest.raises(Unavailable):
                        await store.worker_name("host")
                wire.mend()
                assert await store.worker_name("host") == "host-0"
            finally:
                await store.close()


async def end_session_of(other: Store, *, ordinal: int) -> None:
    """End the session that holds the name with that ordinal, and wait until it is gone."""
    async with other.begin() as tx:
        await tx.connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database d ON d.oid = database"
                " WHERE locktype = 'advisory' AND objid = :ordinal AND objsubid = 2"
                " AND datname = current_database()"
            ),
            {"ordinal": ordinal},
        )


class TestAnAwayDatabase:
    """One that was reached, and is cut off."""

    @pytest.fixture
    async def wire(self, postgres_url: str) -> AsyncIterator[Proxy]:
        async with Proxy(postgres_url) as wire:
            yield wire

    @pytest.fixture
    async def store(self, wire: Proxy) -> AsyncIterator[Store]:
        store = Store(wire.url, now=lambda: noon)
        await store.ping()
        yield store
        await store.close()

    async def test_a_transaction_that_is_cut_off_is_told_as_unavailable(self, wire: Proxy, store: Store):
        async def cut_in_the_middle() -> None:
            async with store.begin() as tx:
                wire.cut()
                await tx.posts.give_back("nobody")

        with pytest.raises(Unavailable) as error:
            await cut_in_the_middle()
        assert error.value.system == "database"
        wire.mend()
        await store.ping()

    async def test_when_it_goes_away_during_the_commit_nobody_claims_that_nothing_was_kept(
        self, wire: Proxy, store: Store
    ):
        async def keep() -> None:
            async with store.begin() as tx:
                await tx.posts.give_back("nobody")

        wire.cut_after(b"COMMIT")
        with pytest.raises(Unanswered):
            await keep()
        wire.mend()
        await keep()

    async def test_what_has_happened_is_written_down_once_it_is_back(self, wire: Proxy, store: Store):
        tried = asyncio.Event()

        async def write_down(tx: Tx) -> None:
            tried.set()
            await tx.posts.claim("card:R-1", channel="C0", at=noon)

        async def cut_at_first(tx: Tx) -> None:
            if not tried.is_set():
                wire.cut()
            await write_down(tx)

        keeping = asyncio.create_task(store.keep(cut_at_first))
        await tried.wait()
        wire.mend()
        await keeping
        async with store.read() as tx:
            assert await tx.posts.find("card:R-1")


class TestOutOfReach:
    async def test_a_server_that_is_not_there_is_unavailable(self):
        store = Store(f"postgresql://backstop@127.0.0.1:{free_port()}/none", now=lambda: noon)
        try:
            with pytest.raises(Unavailable) as error:
                await store.ping()
        finally:
            await store.close()
        assert error.value.system == "database"

    async def test_a_file_that_is_no_database_is_unavailable(self, tmp_path: Path):
        with pytest.raises(Unavailable):
            database.migrate(f"sqlite:///{tmp_path / 'no such directory' / 'backstop.db'}")

    @pytest.mark.parametrize(
        ("url", "driver"),
        [
            pytest.param("sqlite:///b.db", "sqlite+aiosqlite", id="SQLite"),
            pytest.param("postgresql://u:p@h/d", "postgresql+psycopg", id="Postgres"),
            pytest.param("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg", id="another driver"),
        ],
    )
    def test_an_operators_url_gets_our_driver(self, url: str, driver: str):
        assert async_url(url).drivername == driver

    def test_another_kind_of_database_is_refused(self):
        with pytest.raises(ValueError, match="mysql"):
            async_url("mysql://u:p@h/d")
