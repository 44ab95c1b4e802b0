"""`backstop demo` as the shell sees it: it comes up, it goes away, it leaves nothing, and it stands alone."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.journey.conftest import PATIENCE, DemoProcess, started

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_ctrl_c_ends_it_in_order_and_only_its_data_is_left(demo: DemoProcess):
    assert await demo.interrupt() == 0
    assert demo.process.stdout is not None
    assert await demo.process.stdout.read() == b"The sandbox is closed: the next start begins afresh.\n"
    left = {path.relative_to(demo.home).parts[0] for path in demo.home.rglob("*") if path.is_file()}
    assert left == {"data"}
    assert all(path.name.startswith("backstop-demo") for path in (demo.home / "data").iterdir())


@pytest.mark.parametrize("home", ["its own", "the same"])
async def test_a_second_one_says_in_one_line_what_is_in_its_way(home: str, demo: DemoProcess):
    place, port = (demo.home, 0) if home == "the same" else (demo.home / "second", urlsplit(demo.url).port)
    second = await started(place, port=port or 0)
    said, complained = await asyncio.wait_for(second.communicate(), PATIENCE)
    assert (second.returncode, said) == (2, b"")
    [line] = complained.decode().splitlines()
    assert line.startswith("backstop: ")
    assert "--port" in line
    assert demo.process.returncode is None
