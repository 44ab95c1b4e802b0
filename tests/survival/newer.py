"""The next release, as far as a rolling upgrade can tell: another application version, and one more migration."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bot import courier, store
from bot.__main__ import main
from bot.store.schema import MIGRATION_LOCK
from bot.store.store import sync_url


def migrate(url: str) -> None:
    """Bring the tables to our schema; any number of processes may do it at once."""
    store.migrate(url)
    ours = str(resources.files("bot.store") / "migrations")
    config = Config()
    config.set_main_option("script_location", ours)
    config.set_main_option("path_separator", "os")
    added = Path(__file__).parent / "next_release"
    config.set_main_option("version_locations", os.pathsep.join([f"{ours}/versions", str(added)]))
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


if __name__ == "__main__":
    migrate(os.environ["DATABASE_URL"])
    courier.VERSION = "next"
    main(sys.argv[1:])
