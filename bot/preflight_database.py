"""The part of `backstop check` about the database: whether it is there, ours, and of this release."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bot.amiss import Amiss, Doubtful
from bot.store import schema
from bot.store.store import async_url


async def look(database_url: str) -> str:
    """What DATABASE_URL leads to. Nothing is written there, and no file made."""
    url = _database_url(database_url)
    name = _database_name(url)
    if url.get_backend_name() == "sqlite":
        if not _exists(url):
            return Doubtful(f"{name} does not exist yet; the first start creates it")
        url = _for_reading(url)
    current, known = await _version(url, name), schema.versions()
    if current is None:
        return Doubtful(f"{name} has no tables yet; the first start creates them")
    if current not in known:
        raise Amiss(
            f"{name} was migrated by a newer release (schema {current})",
            "Install that release or a later one.",
        )
    if current != known[0]:
        return Doubtful(f"{name} has the old schema {current}; the next start brings it up to date")
    return f"{name}, schema {current}"


async def schema_is_current(database_url: str) -> bool:
    url = _database_url(database_url)
    if url.get_backend_name() == "sqlite":
        if not _exists(url):
            return False
        url = _for_reading(url)
    return await _version(url, _database_name(url)) == schema.versions()[0]


def _database_url(url: str) -> URL:
    try:
        parsed = async_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or not parsed.database or parsed.database == ":memory:":
        raise Amiss(
            "DATABASE_URL cannot be used",
            "Set it to sqlite:///path/to/file.db or postgresql://user:password@host/name.",
        )
    return parsed


def _database_name(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database}"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL {url.host or 'localhost'}{port}/{url.database}"


def _exists(url: URL) -> bool:
    """Whether the file is there; if not, whether it could be made is looked at, too."""
    path = Path(url.database or "")
    if path.exists():
        return True
    if not path.parent.is_dir():
        raise Amiss(f"the directory {path.parent} does not exist", "Create it, or correct DATABASE_URL.")
    if not os.access(path.parent, os.W_OK):
        raise Amiss(
            f"{path.parent} cannot be written to", "Give the user that runs Backstop the right to it."
        )
    return False


def _for_reading(url: URL) -> URL:
    """A file that is there, opened so that not even its journal mode changes."""
    path = Path(url.database or "")
    if not path.is_file():
        raise Amiss(f"{path} is not a file", "Set DATABASE_URL to sqlite:///path/to/file.db.")
    if not os.access(path, os.R_OK | os.W_OK):
        raise Amiss(f"{path} cannot be read and written", "Give the user that runs Backstop the right to it.")
    return url.set(database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"})


async def _version(url: URL, name: str) -> str | None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(schema.version_of)
            tables = await connection.run_sync(lambda conn: inspect(conn).get_table_names())
    except (DBAPIError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise Amiss(
            f"{name} cannot be reached or read ({str(cause).strip().partition(chr(10))[0]})",
            "Check DATABASE_URL, and that the database is running and is Backstop's.",
        ) from error
    finally:
        await engine.dispose()
    if found is None and tables:
        raise Amiss(
            f"{name} holds tables of something else",
            "Name a database of Backstop's own in DATABASE_URL.",
        )
    return found
