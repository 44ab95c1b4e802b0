"""A Postgres server for the tests: the one in TEST_POSTGRES_URL, else one started here, else none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

START_SECONDS = 60


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are, if they are installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return installed[0].parent if installed else None


@contextmanager
def server() -> Iterator[str | None]:
    """The address of a server on loopback; None where none is installed. Stopped at the end."""
    given = os.environ.get("TEST_POSTGRES_URL")
    found = binaries()
    if given or found is None:
        yield given
        return
    home = Path(tempfile.mkdtemp(prefix="backstop-postgres-"))
    port = _free_port()
    as_postgres = (
        [] if os.geteuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    )
    if as_postgres:  # the server refuses to run as root
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    subprocess.run(
        [*as_postgres, found / "initdb", "-D", data, "-U", "backstop", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
        cwd=home,
    )
    process = subprocess.Popen(
        [
            *as_postgres,
            *(found / "postgres", "-D", data, "-p", str(port), "-k", home),
            *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home,
    )
    url = f"postgresql://backstop@127.0.0.1:{port}/postgres"
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # fast: does not wait for clients to leave
        process.wait(timeout=START_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
