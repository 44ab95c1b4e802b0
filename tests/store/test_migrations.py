"""An older database is brought up to date, and nothing in it is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Inspector,
    MetaData,
    Table,
    create_engine,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.pool import NullPool

from bot import store as database
from bot.domain.receivables import FILE
from bot.domain.request import Outcome, Result, Status
from bot.store import Store, schema
from bot.store.store import sync_url
from tests.builders import CONTOSO, a_customer, came_of, noon
from tests.postgres import new_database

LATER = noon + timedelta(minutes=2)


def upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(config_for(connection), revision)


def config_for(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("bot.store") / "migrations"))
    config.attributes["connection"] = connection
    return config


def test_the_names_of_the_files_tell_the_versions_as_alembic_knows_them():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert schema.versions() == known


def a_row(number: int, status: Status, **fields: Any) -> dict[str, Any]:
    """A request as the first schema kept it."""
    row: dict[str, Any] = {
        "id": f"R-{number}",
        "verb": "suspend",
        "customer_id": "c",
        "customer_name": "Contoso Ltd",
        "subscription_id": f"s-{number}",
        "subscription_name": f"Product {number}",
        "reason": "fraud",
        "note": "„Bitte“",
        "status": status.value,
        "requested_by": "U0ANA",
        "placed_at": noon,
        "expires_at": noon + timedelta(days=1),
        "approvals_needed": 1,
        "seen": "active|120|None|None",
        "ms_request_id": f"00000000-0000-4000-8000-{number:012}",
        "policy_note": "",
        "undo_seconds": 0,
        "dry_run": False,
        "decisions": [],
        "acts_at": LATER,
        "over_daily_limit": False,
        "closed_by": None,
        "closed_at": None,
        "attempt": 0,
        "lease_until": None,
        "holder": "",
        "outcome": None,
        "version": 3,
        "open_key": f"suspend:s-{number}" if status.is_open else None,
    }
    return row | fields


async def test_requests_of_the_first_schema_have_one_target_each(database_url: str):
    engine = create_engine(sync_url(_empty(database_url)), poolclass=NullPool)
    outcome = {
        "changed": True,
        "confirmed": True,
        "dry_run": False,
        "error": "",
        "reason": "",
        "correlation_id": "c0ffee",
    }
    rows = [
        a_row(1, Status.PENDING),
        a_row(2, Status.DONE, attempt=1, outcome=outcome, closed_at=LATER),
        a_row(3, Status.EXECUTING, attempt=2, lease_until=LATER, holder="host-0"),
        a_row(4, Status.WITHDRAWN, closed_by="U0ANA", closed_at=LATER),
    ]
    with engine.begin() as connection:
        upgrade(connection, "0001")
    with engine.begin() as connection:
        old = Table("requests", MetaData(), autoload_with=connection)
        connection.execute(insert(old), [_plain(row, engine.dialect.name) for row in rows])
    engine.dispose()

    assert database.migrate(database_url) is True
    assert database.migrate(database_url) is False

    store = Store(database_url, now=lambda: noon)
    try:
        async with store.begin() as tx:
            found = {number: await tx.requests.get(f"R-{number}") for number in (1, 2, 3, 4)}
            assert [r.targets[0].result for r in found.values()] == [
                Result.OPEN,
                Result.DONE,
                Result.OPEN,
                Result.OPEN,
            ]
            assert [r.targets[0].name for r in found.values()] == [f"Product {n}" for n in found]
            assert [r.targets[0].begun_at for r in found.values()] == [None, LATER, LATER, None]
            assert [r.targets[0].sendings for r in found.values()] == [0, 0, 1, 0]
            assert came_of(found[2]) == Outcome(changed=True, correlation_id="c0ffee")
            assert (found[3].holder, found[3].version, found[3].round) == ("host-0", 3, 0)
            assert await tx.requests.suspended_since(noon) == 2
            open, settled = found[1], found[2]
            its_own, others = open.targets[0].subscription_id, settled.targets[0].subscription_id
            assert await tx.requests.waiting_for(open.action.verb, [its_own]) == {its_own: open.id}
            assert await tx.requests.waiting_for(settled.action.verb, [others]) == {}
    finally:
        await store.close()


async def test_what_was_imported_before_there_were_sources_came_from_a_file(database_url: str):
    engine = create_engine(sync_url(_empty(database_url)), poolclass=NullPool)
    day = noon.date()
    item = {
        **{"customer": "Contoso Ltd", "tenant": None, "customer_code": "7", "document_number": "INV-1"},
        **{
            "instalment": 1,
            "kind": "invoice",
            "issue_date": None,
            "due_date": "2026-10-01",
            "currency": "EUR",
        },
        **{"total": None, "open_amount": "100.00", "disputed": False, "promise_to_pay": None},
        "dunning_blocked": False,
    }
    with engine.begin() as connection:
        upgrade(connection, "0003")
    with engine.begin() as connection:
        tables = MetaData()
        items = Table("open_items", tables, autoload_with=connection)
        imports = Table("imports", tables, autoload_with=connection)
        row = {"party_key": "code:7", "document_number": "INV-1", "instalment": 1, "valid_from": day}
        connection.execute(insert(items).values(**row, item=item))
        record = {"file": "open.csv", "sha256": "", "mode": "snapshot", "as_of": day, "rejected": 0}
        at = _plain({"at": noon}, engine.dialect.name)["at"]
        connection.execute(insert(imports).values(**record, applied_at=at, incomplete=[]))
    engine.dispose()

    assert database.migrate(database_url) is True
    store = Store(database_url, now=lambda: noon)
    try:
        async with store.read() as tx:
            (found,) = await tx.books.open_on(source=FILE)
            last = await tx.books.last_import_of(FILE)
        assert (found.customer_key, found.open_amount) == ("code:7", Decimal("100.00"))
        assert last is not None
        assert (last.file, last.applied_at) == ("open.csv", noon)
    finally:
        await store.close()


async def test_customers_there_were_before_the_index_are_found_by_it(database_url: str):
    engine = create_engine(sync_url(_empty(database_url)), poolclass=NullPool)
    row = {
        "id": CONTOSO,
        "name": "Contoso Ltd",
        "domain": "contoso.example",
        "folded": "contoso ltd contoso.example",
    }
    subscription = {"customer_id": CONTOSO, "id": "s-1", "name": "E3", "status": "active"}
    with engine.begin() as connection:
        upgrade(connection, "0013")
        tables, at = MetaData(), _plain({"as_of": noon}, engine.dialect.name)
        customers = Table("customers", tables, autoload_with=connection)
        connection.execute(insert(customers).values(**row, **at))
        kept = Table("subscriptions", tables, autoload_with=connection)
        connection.execute(insert(kept).values(**subscription, **at, facts={}))
        before = _schema(connection)
    for _ in range(2):  # there, back, and there again
        assert database.migrate(database_url) is True
        store = Store(database_url, now=lambda: noon)
        async with store.read() as tx:
            assert [c.name for c in await tx.mirror.find("ontos")] == ["Contoso Ltd"]
            assert (await tx.mirror.sizes()) == (1, 1)
        await store.close()
        with engine.begin() as connection:
            command.downgrade(config_for(connection), "0013")
            assert _schema(connection) == before
            assert connection.scalars(select(customers.c.name)).all() == ["Contoso Ltd"]
            assert connection.scalars(select(kept.c.name)).all() == ["E3"]
    engine.dispose()


def test_each_step_back_and_forth_on_a_filled_database_keeps_what_both_have(database_url: str):
    """Down to 0002, which cannot be taken back: a request about several subscriptions has no older form."""
    engine = create_engine(sync_url(_empty(database_url)), poolclass=NullPool)
    shapes: dict[str, object] = {}
    with engine.begin() as connection:
        revisions = [
            script.revision
            for script in ScriptDirectory.from_config(config_for(connection)).walk_revisions()
            if script.revision != "0001"
        ][::-1]
    for revision in revisions:
        with engine.begin() as connection:
            upgrade(connection, revision)
            shapes[revision] = _schema(connection)
    with engine.begin() as connection:
        filled = _fill(connection)
        assert {"requests", "targets", "audit", "customers", "cases", "tickets", "letters"} <= filled

    for revision in revisions[-2::-1]:
        with engine.begin() as connection:
            command.downgrade(config_for(connection), revision)
            assert _schema(connection) == shapes[revision], f"back at {revision}"
            assert _filled(connection) == filled & _own_tables(connection).keys()
    first = _filled_at(engine)
    for revision in revisions[1:]:
        with engine.begin() as connection:
            upgrade(connection, revision)
            assert _schema(connection) == shapes[revision], f"forth to {revision}"
            assert first <= _filled(connection)
    engine.dispose()


async def test_where_the_role_may_not_have_the_index_customers_are_found_without_it(
    postgres_server: str | None, caplog: pytest.LogCaptureFixture
):
    if postgres_server is None:
        pytest.skip("no Postgres server is installed, and TEST_POSTGRES_URL names none")
    url = make_url(new_database(postgres_server))
    role = f"plain_{uuid4().hex[:8]}"
    engine = create_engine(sync_url(url.render_as_string(hide_password=False)), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
        connection.exec_driver_sql(f"GRANT ALL ON SCHEMA public TO {role}")
    as_them = url.set(username=role, password="plain").render_as_string(hide_password=False)
    assert database.migrate(as_them) is True
    assert "CREATE EXTENSION pg_trgm" in caplog.text
    store = Store(as_them, now=lambda: noon)
    async with store.begin() as tx:
        await tx.mirror.put_customers([a_customer()], at=noon)
        assert await tx.mirror.find("ontos") == [a_customer()]
    await store.close()
    with engine.begin() as connection:
        indexes = inspect(connection).get_indexes("customers")
        assert [index["name"] for index in indexes] == ["ix_customers_folded"]
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


def _schema(connection: Connection) -> object:
    """What there is, whichever database it is."""
    tables = inspect(connection)
    return {
        name: ([str(column) for column in tables.get_columns(name)], _indexes(tables, name))
        for name in sorted(tables.get_table_names())
    }


def _indexes(tables: Inspector, name: str) -> list[str]:
    """A condition is an object that is equal to no other; in words it is."""
    found = tables.get_indexes(name)
    options = ({k: str(v) for k, v in index.get("dialect_options", {}).items()} for index in found)
    return [str({**index, "dialect_options": said}) for index, said in zip(found, options, strict=True)]


def _own_tables(connection: Connection) -> dict[str, Table]:
    """But for what SQLite keeps for its index of names, and Alembic's own."""
    found = MetaData()
    found.reflect(connection)
    made = ("customer_names", "customer_terms", "customer_words", "alembic")
    return {table.name: table for table in found.sorted_tables if not table.name.startswith(made)}


def _fill(connection: Connection) -> set[str]:
    """A row with something in each of its columns, in every table; their names."""
    tables = _own_tables(connection)
    for table in tables.values():
        connection.execute(insert(table).values({c.name: _something(c) for c in table.columns}))
    return set(tables)


def _something(column: Column[Any]) -> object:
    # Of JSON the Python type is `object`.
    kind = column.type.python_type
    values: dict[type, object] = {
        **{str: "x", int: 1, float: 1.0, bool: True, object: {}, Decimal: Decimal(1), bytes: b"x"},
        **{datetime: noon if getattr(column.type, "timezone", False) else noon.replace(tzinfo=None)},
        date: noon.date(),
    }
    return values[kind]


def _filled(connection: Connection) -> set[str]:
    return {name for name, t in _own_tables(connection).items() if connection.execute(select(t)).first()}


def _filled_at(engine: Engine) -> set[str]:
    with engine.begin() as connection:
        return _filled(connection)


def _empty(url: str) -> str:
    """A database that was made from the current schema is emptied first."""
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)
    engine.dispose()
    return url


def _plain(row: dict[str, Any], dialect: str) -> dict[str, Any]:
    """Moments as the column of that database takes them."""
    if dialect != "sqlite":
        return row
    return {
        k: v.astimezone(UTC).replace(tzinfo=None) if isinstance(v, datetime) else v for k, v in row.items()
    }
