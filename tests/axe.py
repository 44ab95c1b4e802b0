"""axe-core for the tests: one version, fetched once from the npm registry and checked; none of it is in the package."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""Of the package, as the registry gives it in `dist.integrity`."""

FETCH_SECONDS = 120


class NotFetched(Exception):
    """axe-core cannot be had here; the text says why."""


def script() -> str:
    """axe-core's source. Raises `NotFetched` where npm cannot get it, ValueError where it is not the one we know."""
    CACHE.mkdir(exist_ok=True)
    package = CACHE / f"axe-core-{VERSION}.tgz"
    with (CACHE / "axe-core.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.exists():
            _fetch(package)
    return _checked(package)


def _fetch(package: Path) -> None:
    """Into a folder beside, so that a package half fetched is never taken for whole."""
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=package.parent) as work:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", work],
                check=True, capture_output=True, timeout=FETCH_SECONDS,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise NotFetched("npm is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise NotFetched(f"fetching axe-core took more than {error.timeout:.0f} s") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NotFetched(f"axe-core could not be fetched: {said[-1] if said else error}") from error
        (Path(work) / package.name).rename(package)


def _checked(package: Path) -> str:
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode("ascii")
    if digest != SHA512:
        raise ValueError(f"{package} is not axe-core {VERSION} as it was published: its SHA-512 is {digest}")
    with tarfile.open(package) as files:
        source = files.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode("utf-8")
