"""`backstop demo --tour` as the shell and the page see it: the story plays to its end, and goes away when told to."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.__main__ import run
from tests.journey.conftest import PATIENCE, DemoProcess
from tests.program import environment

STEPS = [
    "Sit back",
    "Who is overdue",
    "Ana presses Suspend",
    "Ana reads what would happen",
    "Ana confirms",
    "Ben approves",
    "Done",
    "Ana hears of it",
    "The customer has a question for Microsoft",
    "Ana reads the draft",
    "The ticket is open",
    "That was it",
]


@asynccontextmanager
async def touring(home: Path, pace: str) -> AsyncIterator[tuple[DemoProcess, asyncio.StreamReader]]:
    """A tour that has begun, and what it says from then on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--tour", "--pace", pace, "--no-browser", "--port", "0"),
        *("--data-dir", str(home / "data")),
        cwd=home,
        env=environment() | {"HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = await line(process.stdout)
        address = re.search(r"(http://[^/]+/)\?as=guest#tour", ready)
        assert address, f"nowhere to watch it in {ready!r}"
        yield DemoProcess(process, address[1], home, "en"), process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(said: asyncio.StreamReader) -> str:
    return (await asyncio.wait_for(said.readline(), PATIENCE)).decode().rstrip()


async def test_it_plays_to_its_end_and_says_what_to_try_next(tmp_path: Path):
    async with touring(tmp_path, "0") as (demo, said):
        assert [(await line(said))[4:] for _ in STEPS] == STEPS
        last = await line(said)
        assert last.startswith("The tour is over. Now you: ")
        assert "/csp-resume" in last
        async with aiohttp.ClientSession() as page:
            where = f"{demo.url}page/api/messages"
            async with page.get(where, params={"as": "U0GUEST", "channel": "C0TOUR"}) as answer:
                shown = (await answer.json())["messages"]
            state = f"{demo.url}page/api/partner-center"
            async with page.get(state) as answer:
                center = await answer.text()
        assert len(shown) == len(STEPS)
        assert "Non-payment" in str(shown[2]["blocks"]), "what Ana has before her eyes"
        assert "`suspended`" in shown[7]["text"]
        assert '"suspended"' in center
        assert not [e for m in shown for b in m["blocks"] for e in b.get("elements", ()) if "action_id" in e]
        assert await demo.interrupt() == 0


async def test_ctrl_c_stops_it_in_the_middle(tmp_path: Path):
    async with touring(tmp_path, "600") as (demo, said):
        assert (await line(said)).endswith("Sit back")
        assert await demo.interrupt() == 0


@pytest.mark.parametrize(
    ("pace", "says"),
    [
        pytest.param("slow", "'slow' is not a number of seconds", id="no number"),
        pytest.param("-1", "'-1' is not a number of seconds", id="backwards"),
        pytest.param("nan", "'nan' is not a number of seconds", id="not a number"),
    ],
)
def test_a_pace_that_makes_no_sense_is_refused(pace: str, says: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        run(["demo", "--tour", "--pace", pace])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_pace_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["demo", "--pace", "1", "--data-dir", str(tmp_path)]) == 2
    assert "--pace goes with --tour" in capsys.readouterr().err
