"""The real program, `python -m bot …`, as a process of its own that reads nothing but its environment.

It is forked from one that has imported it already (`tests.nursery`), unless it is to start as it does for an operator.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import SlackSandbox
from tests import nursery
from tests.daytime import zone_of_day

UP = "Backstop is running"
PATIENCE = 90.0
"""Seconds; for anything a process is asked to do at once."""


def environment(**settings: str) -> dict[str, str]:
    """These settings and what Python needs to start; nothing else of ours gets through."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | settings


def settings_of(
    slack: SlackSandbox, partner_center: PartnerCenterSandbox, *, database_url: str, port: int | None = None
) -> dict[str, str]:
    """Environment variables that lead to the two sandboxes: Socket Mode, or HTTP where there is a port."""
    way = {"SLACK_APP_TOKEN": slack.app_token} if port is None else {}
    return way | {
        "DATABASE_URL": database_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        "PARTNER_CENTER_TENANT_ID": partner_center.tenant_id,
        "PARTNER_CENTER_CLIENT_ID": partner_center.client_id,
        "PARTNER_CENTER_CLIENT_SECRET": partner_center.client_secret,
        "PARTNER_CENTER_BASE_URL": partner_center.base_url,
        "PARTNER_CENTER_AUTHORITY_URL": partner_center.authority_url,
        "GRAPH_BASE_URL": partner_center.graph_url,
        "BACKSTOP_TIMEZONE": zone_of_day(),
        "BACKSTOP_APPROVALS_CHANNEL": "C0APPROVALS",
        "BACKSTOP_AUDIT_CRON": "0 0 29 2 *",  # at no time of day a test may run at
        "BACKSTOP_OPERATORS": "S0BILLING",
        "BACKSTOP_APPROVERS": "S0APPROVERS",
        "BACKSTOP_UNDO_WINDOW": "PT0S",
    }


def carried_out(
    *arguments: str, cwd: Path, settings: Mapping[str, str] | None = None, patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """One command line, from start to end. Raises TimeoutError when it has not ended by then."""
    with tempfile.TemporaryDirectory() as kept:
        errors = Path(kept, "stderr")
        reader, writer = Pipe(duplex=False)
        process = nursery.born(
            arguments, environment=environment(**(settings or {})), cwd=cwd, out=writer, errors=errors
        )
        with reader, open(reader.fileno(), encoding="utf-8", closefd=False) as stdout:
            watch = threading.Timer(patience, process.kill)
            watch.start()
            said = stdout.read()
            wait([process.sentinel])
            watch.cancel()
        code = nursery.exit_code(process)
        if code is None or code == -signal.SIGKILL:
            raise TimeoutError(f"{arguments} did not end in {patience} seconds")
        return subprocess.CompletedProcess(arguments, code, said, errors.read_text("utf-8"))


class Program:
    """One that goes on until it is told to stop; what it says on stderr is kept in a file.

    `fresh` starts Python anew, as an operator does; so does a `module` other than the program's own.
    """

    def __init__(
        self,
        *arguments: str,
        settings: Mapping[str, str],
        cwd: Path,
        name: str = "",
        module: str = "bot",
        fresh: bool = False,
    ) -> None:
        self.name = name or arguments[0]
        self._arguments = arguments
        self._module = module
        self._fresh = fresh or module != "bot"
        self._environment = environment(**settings)
        self._cwd = cwd
        self._stderr = cwd / f"{self.name}.err"
        self._process: asyncio.subprocess.Process | Forked | None = None

    async def start(self) -> None:
        """Begin; it is not up yet."""
        if not self._fresh:
            self._process = await Forked.start(
                self._arguments, environment=self._environment, cwd=self._cwd, errors=self._stderr
            )
            return
        with self._stderr.open("ab") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, *self._arguments),
                env=self._environment,
                cwd=self._cwd,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )

    async def comes_up(self) -> None:
        """Wait until it says that it runs. Raises RuntimeError with its last words when it ended instead."""
        async with asyncio.timeout(PATIENCE):
            said = await self._stdout.readline()
        if UP not in said.decode():
            raise RuntimeError(f"{self.name} did not start: {self.stderr[-2000:]}")

    async def kill(self) -> None:
        """kill -9: no last words, no clean-up."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        return await self._end(signal.SIGTERM)

    async def ends(self) -> int:
        """Wait for its end; its exit code."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        async with asyncio.timeout(PATIENCE):
            await self._process.communicate()
        code = self._process.returncode
        self._process = None
        return -1 if code is None else code

    async def __aexit__(self, *_: object) -> None:
        if self._process:
            await self.kill()

    async def __aenter__(self) -> Program:
        return self

    @property
    def stderr(self) -> str:
        return self._stderr.read_text("utf-8", errors="replace") if self._stderr.exists() else ""

    @property
    def _stdout(self) -> asyncio.StreamReader:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.stdout

    async def _end(self, number: signal.Signals) -> int:
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)
        return await self.ends()


@dataclass(frozen=True)
class Forked:
    """What `Program` needs of a process."""

    process: ForkServerProcess
    stdout: asyncio.StreamReader
    _closing: asyncio.BaseTransport

    @classmethod
    async def start(
        cls, arguments: Sequence[str], *, environment: Mapping[str, str], cwd: Path, errors: Path
    ) -> Forked:
        reader, writer = Pipe(duplex=False)
        process = nursery.born(arguments, environment=environment, cwd=cwd, out=writer, errors=errors)
        stdout = asyncio.StreamReader()
        pipe = os.fdopen(os.dup(reader.fileno()), "rb")
        reader.close()
        closing, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stdout), pipe
        )
        return cls(process, stdout, closing)

    @property
    def returncode(self) -> int | None:
        return nursery.exit_code(self.process)

    def send_signal(self, number: int) -> None:
        if self.process.pid and self.returncode is None:
            os.kill(self.process.pid, number)

    async def communicate(self) -> None:
        """Read what it still says, and wait for its end."""
        await self.stdout.read()
        self._closing.close()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.process.sentinel)
