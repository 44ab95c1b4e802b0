"""localstripe, somebody else's Stripe, in an environment and a process of its own on 127.0.0.1.

It is GPL: a tool for tests, never imported. The environment is made once, under `.cache/`.
"""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

VERSION = "1.15.10"
CACHE = Path(__file__).parents[2] / ".cache"

# Its own command listens on every interface and keeps its books in a fixed file; here it does neither.
_RUN = """
import asyncio
from aiohttp import web
from localstripe import resources, server

async def run():
    runner = web.AppRunner(server.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.sleep(300)

resources.Store.dump_to_disk = lambda store: None
asyncio.run(run())
"""


class NotInstalled(Exception):
    """It cannot be had here, most often because there is no package index."""


def python() -> Path:
    """The interpreter of an environment with localstripe in it."""
    home = CACHE / f"localstripe-{VERSION}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "localstripe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests may run in several processes
        if not home.exists():
            with TemporaryDirectory(dir=CACHE) as made:
                _install(Path(made) / "venv")
                (Path(made) / "venv").rename(home)
    return home / "bin" / "python"


def _install(home: Path) -> None:
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", f"localstripe=={VERSION}"]
    for command in ([sys.executable, "-m", "venv", str(home)], pip):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=180)
        except (OSError, subprocess.SubprocessError) as error:
            raise NotInstalled(f"localstripe {VERSION} cannot be installed: {error}") from error


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Its address while it runs."""
    process = await asyncio.create_subprocess_exec(
        python(), "-c", _RUN, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        port = await asyncio.wait_for(process.stdout.readline(), timeout=30)
        if not port:
            raise NotInstalled(f"localstripe {VERSION} does not start")
        yield f"http://127.0.0.1:{port.decode().strip()}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
