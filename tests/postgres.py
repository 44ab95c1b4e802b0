"""A Postgres server for the tests: the one in TEST_POSTGRES_URL, else one started here, else none."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg

START_SECONDS = 60
FAST = signal.SIGINT
"""Ends every session, and does not wait for clients to leave."""
IMMEDIATE = signal.SIGQUIT
"""Falls over: the next start recovers from the log."""


IN_HASTE = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""Its data is thrown away."""


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are, if they are installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return installed[0].parent if installed else None


class Server:
    """On loopback, with its data and its port for as long as the object lives; it may stop and start again."""

    def __init__(self, found: Path, home: Path, *, durable: bool) -> None:
        self._found = found
        self._home = home
        self._port = _free_port()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._as_postgres: list[str | Path] = []
        if not os.geteuid():  # the server refuses to run as root
            self._as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(home, "postgres", "postgres")

    @property
    def url(self) -> str:
        return f"postgresql://backstop@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        """An empty data directory."""
        subprocess.run(
            [
                *(*self._as_postgres, self._found / "initdb", "-D", self._data),
                *("-U", "backstop", "-A", "trust", "-E", "UTF8"),
            ],
            check=True,
            capture_output=True,
            timeout=START_SECONDS,
            cwd=self._home,
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(*self._as_postgres, self._found / "postgres", "-D", self._data),
                *("-p", str(self._port), "-k", self._home),
                *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
                *(() if self._durable else IN_HASTE),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._home,
        )
        _wait(self.url, self._process)

    def stop(self, how: signal.Signals = FAST) -> None:
        process, self._process = self._process, None
        if process:
            process.send_signal(how)
            process.wait(timeout=START_SECONDS)

    @property
    def _data(self) -> Path:
        return self._home / "data"


@contextmanager
def own_server(found: Path, *, durable: bool = True) -> Iterator[Server]:
    """A server that runs; stopped at the end, and its data deleted."""
    home = Path(tempfile.mkdtemp(prefix="backstop-postgres-"))
    made = Server(found, home, durable=durable)
    try:
        made.create()
        made.start()
        yield made
    finally:
        made.stop(IMMEDIATE)  # what is thrown away need not be written down first
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def server() -> Iterator[str | None]:
    """The address of a server on loopback; None where none is installed. Stopped at the end."""
    given = os.environ.get("TEST_POSTGRES_URL")
    found = binaries()
    if given or found is None:
        yield given
        return
    with own_server(found, durable=False) as made:
        yield made.url


def new_database(server_url: str, *, template: str | None = None) -> str:
    """A database of its own on that server, empty or a copy of another; its address."""
    name = f"test_{uuid4().hex[:12]}"
    copy = f' TEMPLATE "{template}"' if template else ""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"{copy}'.encode())
    return f"{server_url.rpartition('/')[0]}/{name}"


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers; psycopg itself waits on the socket, the loop only covers the refusals before."""
    for _ in range(START_SECONDS * 10):
        if process.poll() is not None:
            raise RuntimeError(f"postgres ended with {process.returncode}")
        try:
            psycopg.connect(url, connect_timeout=1).close()
        except psycopg.OperationalError:
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise RuntimeError("postgres did not start")


def _free_port() -> int:
    """Below those the kernel gives to clients: while a server is down, one of them could take its port."""
    for port in random.sample(range(15000, 30000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")
