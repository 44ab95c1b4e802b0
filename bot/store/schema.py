"""The schema: which version a database has, which ones this release knows, and the way to the newest."""

from __future__ import annotations

import logging
from importlib import resources

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from bot.domain.errors import Unavailable
from bot.store.store import sync_url, tune_sqlite

MIGRATION_LOCK = 0x4261636B  # any number, as long as it is always this one
MIGRATIONS = resources.files("bot.store") / "migrations"

log = logging.getLogger(__name__)


def migrate(url: str) -> bool:
    """Bring our tables to the current schema; return whether anything changed.

    Any number of processes may do it at once. A schema of a newer release is left as it is: while it is rolled out
    ours must be able to start again beside it. Raises Unavailable when the database cannot be reached.
    """
    engine = create_engine(sync_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        tune_sqlite(engine)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            before, known = version_of(connection), versions()
            if before == known[0]:
                return False
            if before is not None and before not in known:
                log.warning("the database has the schema %s of a newer release", before)
                return False
            _upgrade(connection)
            return True
    except OperationalError as error:
        raise Unavailable("database", type(error).__name__, detail=str(error.orig)[:300]) from error
    finally:
        engine.dispose()


def version_of(connection: Connection) -> str | None:
    """The version of the tables there; None: there are none of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def versions() -> list[str]:
    """Those this release knows, newest first: a migration's file bears the name of its version, then a word."""
    files = (MIGRATIONS / "versions").iterdir()
    names = (file.name.partition("_")[0] for file in files if file.name.endswith(".py"))
    return sorted((name for name in names if name.isdigit()), reverse=True)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # a sixth of a second that few starts need
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
