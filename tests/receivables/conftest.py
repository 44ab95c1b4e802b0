"""The far sides of the live sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import tryton


@pytest.fixture(scope="session")
def tryton_seeded() -> tryton.Seeded:
    try:
        return tryton.seeded()
    except tryton.NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tryton_server(tryton_seeded: tryton.Seeded) -> Iterator[tryton.Server]:
    """A Tryton for tests that only read."""
    with tryton.server(tryton_seeded) as server:
        yield server


@pytest.fixture
def tryton_of_its_own(tryton_seeded: tryton.Seeded) -> Iterator[tryton.Server]:
    """A Tryton for a test that changes something."""
    with tryton.server(tryton_seeded) as server:
        yield server
