"""What tests ask for by name: databases, and the stage with everything on it."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot import courier, store
from bot.app import Application
from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.store.store import sync_url
from tests import postgres, tryton
from tests.handlers.story import Clock
from tests.patient_loop import PatientLoop
from tests.stage import Stage, Transport, settings_for, slack_sandbox

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
SetStage = Callable[..., Awaitable[Stage]]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str | None]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str | None) -> str | None:
    """The name of a database with the current schema: copying it is quicker than migrating."""
    if postgres_server is None:
        return None
    url = postgres.new_database(postgres_server)
    store.migrate(url)
    courier.migrate(sync_url(url))
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the current schema: copying it is quicker than migrating."""
    file = tmp_path_factory.mktemp("template") / "backstop.db"
    store.migrate(f"sqlite:///{file}")
    courier.migrate(sync_url(f"sqlite:///{file}"))
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}"


@pytest.fixture
def postgres_url(postgres_server: str | None, postgres_template: str | None) -> str:
    if postgres_server is None:
        pytest.skip("no Postgres server is installed, and TEST_POSTGRES_URL names none")
    return postgres.new_database(postgres_server, template=postgres_template)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; on SQLite always, on Postgres where there is one."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """How Slack reaches the bot."""
    transport: Transport = request.param
    return transport


@pytest.fixture
async def set_stage(sqlite_url: str) -> AsyncIterator[SetStage]:
    """Build the stage, `set_stage(transport=…, **settings)`; all of it is stopped after the test.

    The mirror is filled when it is handed over. `now` is the application's clock.
    """
    async with AsyncExitStack() as ends:

        async def build(
            *,
            transport: Transport = "socket",
            database_url: str = sqlite_url,
            now: Any = utc_now,
            partner_center: PartnerCenterSandbox | None = None,
            without_blocks: frozenset[str] = frozenset(),
            **settings: Any,
        ) -> Stage:
            if not (now is utc_now or isinstance(now, Clock)):  # whose time of day is its own
                settings.setdefault("backstop_timezone", "UTC")
            far_side = partner_center or PartnerCenterSandbox(now=utc_now)
            await far_side.start()
            ends.push_async_callback(far_side.stop)
            slack = slack_sandbox(without_blocks=without_blocks)
            await slack.start()
            ends.push_async_callback(slack.stop)
            app = Application(
                settings_for(slack, far_side, database_url=database_url, transport=transport, **settings),
                now=now,
            )
            ends.push_async_callback(app.stop)
            await app.start()
            if transport == "socket":
                await slack.app_connects()
            await app.core.backstop.customers.refresh_if_old()
            return Stage(slack, far_side, app)

        yield build


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


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """What is measured in seconds of the product's own is not to depend on how busy the machine is."""
    return {"patient": PatientLoop}


LONGEST = ("survival", "journey", "test_suspicious_command.py", "test_command_line.py", "test_demo.py")
"""Files and directories that take a minute and more, each with several programs, or with a browser beside one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread what takes longest among what mostly waits: all of it at once would only be in its own way.

    What comes last is short, so that of several workers none is left alone at the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    long = [path for path in files if set(path.parts).intersection(LONGEST)]
    rest = [path for path in files if path not in long]
    long.sort(key=lambda path: "survival" not in path.parts)
    rest.sort(key=lambda path: "handlers" not in path.parts)
    apart = len(rest) // (3 * len(long) or 1)
    order: list[Path] = []
    for place, path in enumerate(long):
        order += [path, *rest[place * apart : (place + 1) * apart]]
    order += rest[len(long) * apart :]
    items[:] = [item for path in order for item in files[path]]


def pytest_collection_finish() -> None:
    """Never look through it for garbage again: with twelve thousand tests that takes more than a second each time."""
    gc.collect()
    gc.freeze()
