"""A real Tryton for the tests: installed and seeded once, in an environment and in processes of its own.

Tryton is under the GPL, its client library proteus under the LGPL. They are tools of the tests: nothing of
ours imports them, and the two scripts that do (`tryton_seed.py`, `tryton_act.py`) run in their environment only.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "tryton"
SEED = Path(__file__).with_name("tryton_seed.py")
ACT = Path(__file__).with_name("tryton_act.py")
PACKAGES = tuple(f"{name}~=8.2.0" for name in ("trytond", "proteus", *(
    f"trytond-account-{module}" for module in ("invoice", "dunning")
)))  # fmt: skip
DATABASE = "ar"
INSTALL_SECONDS = 300
PATIENCE = 120
"""Seconds; for anything its own programs are asked to do."""


class NotInstalled(Exception):
    """Tryton cannot be had here; the text says why."""


@dataclass(frozen=True)
class Seeded:
    """A seeded database that nobody serves; to be copied."""

    database: Path
    key: str


@dataclass(frozen=True)
class Server:
    """A running server and the key that opens its REST routes."""

    url: str
    key: str
    database: Path

    def act(self, *words: str) -> None:
        """Do something in it as its users would: see `tryton_act.py`."""
        home = self.database.parent
        _run(_program("python"), ACT, home / "trytond.conf", DATABASE, *words, cwd=home)


def seeded() -> Seeded:
    """The seeded database, made where it is missing. Raises `NotInstalled` where pip cannot get Tryton."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
        fingerprint = hashlib.sha256(SEED.read_bytes() + _installed().encode()).hexdigest()[:12]
        home = CACHE / f"seeded-{fingerprint}"
        if not home.exists():
            _seed(home)
    return Seeded(home / f"{DATABASE}.sqlite", (home / "key").read_text("ascii"))


@contextmanager
def server(books: Seeded) -> Iterator[Server]:
    """Serve a copy of the books on loopback; stopped by its own process id at the end."""
    home = Path(tempfile.mkdtemp(prefix="backstop-tryton-"))
    port = _free_port()
    _configure(home, port)
    database = home / books.database.name
    shutil.copy(books.database, database)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [_program("trytond"), "-c", home / "trytond.conf", "-d", DATABASE],
            stdout=log,
            stderr=log,
            cwd=home,
            env=_environment(),
        )
    try:
        _wait(port, process, home / "server.log")
        yield Server(f"http://127.0.0.1:{port}", books.key, database)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
        shutil.rmtree(home, ignore_errors=True)


def _program(name: str) -> Path:
    return CACHE / "venv" / "bin" / name


def _environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | more


def _install() -> None:
    done = CACHE / "venv" / "installed"
    if done.exists() and done.read_text() == _installed():
        return
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", CACHE / "venv"],
            check=True, capture_output=True, timeout=INSTALL_SECONDS,
        )  # fmt: skip
        subprocess.run(
            [_program("python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES],
            check=True, capture_output=True, timeout=INSTALL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"installing Tryton took more than {error.timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NotInstalled(f"Tryton could not be installed: {said[-1] if said else error}") from error
    done.write_text(_installed())


def _installed() -> str:
    return " ".join(PACKAGES)


def _seed(home: Path) -> None:
    """Make the database in a folder beside, so that one half made is never taken for whole."""
    work = Path(tempfile.mkdtemp(prefix="seeding-", dir=CACHE))
    try:
        config = _configure(work, 0)
        (work / f"{DATABASE}.sqlite").touch()
        (work / "password").write_text("admin\n")
        admin = (_program("trytond-admin"), "-c", config, "-d", DATABASE)
        _run(
            *admin, "--all", "--email", "admin@example.test", "-p",
            cwd=work, TRYTONPASSFILE=str(work / "password"),
        )  # fmt: skip
        _run(*admin, "-u", "account_invoice", "account_dunning", "--activate-dependencies", cwd=work)
        _run(_program("python"), SEED, config, DATABASE, work / "key", cwd=work)
        work.rename(home)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _configure(home: Path, port: int) -> Path:
    config = home / "trytond.conf"
    config.write_text(
        f"[database]\nuri = sqlite://\npath = {home}\n[web]\nlisten = 127.0.0.1:{port}\n", "utf-8"
    )
    return config


def _run(*command: str | Path, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=_environment(**environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers what version it is; the wait on the process covers the refusals before."""
    ask = b'{"id": 1, "method": "common.server.version", "params": []}'
    for _ in range(PATIENCE * 10):
        if process.poll() is not None:
            raise RuntimeError(f"trytond ended with {process.returncode}: {log.read_text()[-2000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("POST", "/rpc/", ask, {"Content-Type": "application/json"})
            if b"8.2" in connection.getresponse().read():
                return
        except OSError:
            pass
        finally:
            connection.close()
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("trytond did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
