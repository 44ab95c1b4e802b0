"""The `Procfile` under honcho: `release`, then `web` and `worker` side by side, and all of it ends when told to."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import SlackSandbox
from tests.program import PATIENCE, UP, environment, settings_of
from tests.stage import free_port, slack_sandbox

ROOT = Path(__file__).parents[2]
PATIENT = f"""
import honcho.manager
from honcho.command import main
honcho.manager.KILL_WAIT = {PATIENCE}
main()
"""
"""Honcho, which otherwise kills after five seconds: whether all of it ends by itself is asked here, not how soon."""


class Honcho:
    """One call of it, with the project's Procfile."""

    def __init__(self, *arguments: str, settings: dict[str, str], cwd: Path) -> None:
        self._arguments = arguments
        self._environment = environment(**settings, PYTHONPATH=str(ROOT))
        # `backstop`, as it stands in the Procfile, is the one beside our Python.
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{self._environment['PATH']}"
        self._cwd = cwd
        self.said = ""

    async def __aenter__(self) -> Honcho:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PATIENT, "--app-root", str(self._cwd)),
            *("--procfile", str(ROOT / "Procfile"), *self._arguments),
            env=self._environment,
            cwd=self._cwd,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return self

    async def says(self, *words: str) -> None:
        """Wait until some line has each of these words, in any order."""
        assert self._process.stdout
        missing = set(words)
        async with asyncio.timeout(PATIENCE):
            while missing:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"it ended: {self.said}"
                self.said += line
                missing -= {word for word in missing if all(part in line for part in word.split("|"))}

    async def ends(self, number: signal.Signals | None = None) -> int:
        if number:
            self._process.send_signal(number)
        async with asyncio.timeout(2 * PATIENCE):
            rest, _ = await self._process.communicate()
        self.said += rest.decode()
        assert self._process.returncode is not None
        return self._process.returncode

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            await self.ends(signal.SIGTERM)


@asynccontextmanager
async def sandboxes() -> AsyncIterator[tuple[SlackSandbox, PartnerCenterSandbox]]:
    async with AsyncExitStack() as ends:
        slack, partner_center = slack_sandbox(), PartnerCenterSandbox(now=utc_now)
        for each in (slack, partner_center):
            await each.start()
            ends.push_async_callback(each.stop)
        yield slack, partner_center


async def test_the_procfile_runs_and_ends(postgres_url: str, tmp_path: Path):
    port = free_port()
    async with sandboxes() as (slack, partner_center), aiohttp.ClientSession() as session:
        settings = settings_of(slack, partner_center, database_url=postgres_url, port=port)
        async with Honcho("start", "release", settings=settings, cwd=tmp_path) as release:
            assert await release.ends() == 0, release.said
        assert "release.1 | " in release.said

        async with Honcho(
            "start", "--port", str(port), "web", "worker", settings=settings, cwd=tmp_path
        ) as crew:
            await crew.says(f"web.1|{UP}|port {port}", f"worker.1|{UP}|port {port + 100}")
            for each in (port, port + 100):
                async with session.get(f"http://127.0.0.1:{each}/readyz") as answer:
                    assert (answer.status, (await answer.json())["ok"]) == (200, True)
            slack.events_url = f"http://127.0.0.1:{port}/slack/events"
            assert (await slack.person("ana").command("/csp help")).ok
            assert await crew.ends(signal.SIGTERM) == 128 + signal.SIGTERM, crew.said
            for each in (port, port + 100):
                with pytest.raises(aiohttp.ClientConnectorError):
                    await session.get(f"http://127.0.0.1:{each}/healthz")
    for word in ("Traceback", "SIGKILL"):
        assert word not in crew.said
    assert "web.1 stopped" in crew.said
    assert "worker.1 stopped" in crew.said
