"""How soon `backstop run` is ready after its start: `python -m tests.benchmarks.start`.

From the start of the process until it says that it runs, and until `/readyz` answers 200, in Socket Mode against the
sandboxes, on an empty database and on a filled one. Beside it stands the least that any such process could take: Python
alone, and Python that imports the program and ends. The best of some rounds counts. `--full` fills the database with
50,000 customers, 50,000 open items and 10,000 requests with an entry each in the audit trail.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot import store
from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.settings import Settings
from bot.start_up import migrate
from bot.store import Store
from tests import postgres
from tests.benchmarks.filled import Size, fill
from tests.program import PATIENCE, Program, environment, settings_of
from tests.stage import free_port, slack_sandbox

SMALL, FULL = Size(1_000, 1_000, 200), Size(50_000, 50_000, 10_000)
ROUNDS = 5
LOOK_EVERY = 0.005
BAR = 2.0
"""Seconds, on a filled database."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Start:
    says_so: float
    is_ready: float


def alone(code: str) -> float:
    """Seconds of a Python that does only this."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment())
    return time.perf_counter() - begun


async def started(slack: SlackSandbox, far_side: PartnerCenterSandbox, database_url: str, cwd: Path) -> Start:
    """One start, from the outside."""
    port = free_port()
    settings = settings_of(slack, far_side, database_url=database_url) | {"PORT": str(port)}
    async with Program("run", settings=settings | {"PYTHONPATH": str(ROOT)}, cwd=cwd, fresh=True) as program:
        begun = time.perf_counter()
        await program.start()
        ready = asyncio.create_task(_ready(port))
        await program.comes_up()
        says_so = time.perf_counter() - begun
        async with asyncio.timeout(PATIENCE):
            is_ready = await ready - begun
        await program.terminate()
    return Start(says_so, is_ready)


async def _ready(port: int) -> float:
    """The moment at which `/readyz` first answers 200."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return time.perf_counter()
            await asyncio.sleep(LOOK_EVERY)


async def best(database_url: str, cwd: Path) -> Start:
    far_side, slack = PartnerCenterSandbox(now=utc_now), slack_sandbox(patience=1)
    await far_side.start()
    await slack.start()
    try:
        rounds = [await started(slack, far_side, database_url, cwd) for _ in range(ROUNDS)]
    finally:
        await far_side.stop()
        await slack.stop()
    return min(rounds, key=lambda start: start.is_ready)


async def filled(database_url: str, size: Size) -> str:
    """The address of a database that has been in use."""
    migrate(Settings(_env_file=None, database_url=database_url))  # type: ignore[call-arg]  # of pydantic-settings
    store.migrate(database_url)
    db = Store(database_url, now=utc_now)
    try:
        await fill(db, size, today=utc_now().date())
    finally:
        await db.close()
    return database_url


async def main(size: Size) -> None:
    for name, code in (("Python alone", "pass"), ("Python, `import bot.app`", "import bot.app")):
        print(f"{name:44}{min(alone(code) for _ in range(ROUNDS)):9.2f}")
    print(f"{'':44}{'says so':>9}{'/readyz':>9}")
    with tempfile.TemporaryDirectory(prefix="backstop-start-") as directory, postgres.server() as server:
        cwd = Path(directory)
        databases = {"SQLite": (f"sqlite:///{cwd / 'empty.db'}", f"sqlite:///{cwd / 'filled.db'}")}
        if server:
            databases["Postgres"] = (postgres.new_database(server), postgres.new_database(server))
        for system, (empty, full) in databases.items():
            first = await best(empty, cwd)
            print(f"{f'run, {system}, empty':44}{first.says_so:9.2f}{first.is_ready:9.2f}")
            later = await best(await filled(full, size), cwd)
            print(
                f"{f'run, {system}, {size.customers} customers':44}{later.says_so:9.2f}{later.is_ready:9.2f}"
            )
            word = "holds" if later.is_ready <= BAR else "MISSED"
            print(f"  {later.is_ready:.2f} s; the bar of {BAR} s {word}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a database of 50,000 customers instead of 1,000")
    asyncio.run(main(FULL if parser.parse_args().full else SMALL))
