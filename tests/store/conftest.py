"""Databases with our schema; several stores on one database stand for several replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from bot import store as database
from bot.store import Store
from tests.builders import noon

OpenStore = Callable[[], Store]


@pytest.fixture
def migrated_url(database_url: str) -> str:
    database.migrate(database_url)
    return database_url


@pytest.fixture
async def open_store(migrated_url: str) -> AsyncIterator[OpenStore]:
    """Another store on the same database; it is always noon. Closed after the test."""
    async with AsyncExitStack() as ends:

        def another() -> Store:
            opened = Store(migrated_url, now=lambda: noon)
            ends.push_async_callback(opened.close)
            return opened

        yield another


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture
def replicas(open_store: OpenStore) -> tuple[Store, Store]:
    return open_store(), open_store()
