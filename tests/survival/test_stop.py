"""SIGTERM: nothing new is begun, what is under way comes to its end, and the rest waits for the next start."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from bot.domain.request import Status
from tests.program import PATIENCE, Program
from tests.survival.crew import Crew, Ledger
from tests.survival.office import APPROVALS, Office, buttons
from tests.survival.world import world

IN_NO_HURRY = 6.0
"""Seconds Microsoft takes for the write."""


async def test_a_stop_in_the_middle_of_a_write_waits_for_its_answer(sqlite_url: str, tmp_path: Path):
    async with world(sqlite_url, stock=1, cwd=tmp_path) as around:
        slack, partner_center = around.slack, around.partner_center
        program: Program = around.program("run")
        async with Crew(program) as crew:
            (customer,) = around.customers
            await Office(slack, up=crew.up).ask(slack.person("ana"), customer)
            partner_center.faults.slow(IN_NO_HURRY, method="PATCH", path_contains="/subscriptions/")
            card = await slack.message_appears(APPROVALS, lambda message: bool(buttons(message)))
            await slack.person("ben").click(card, "Approve")
            await slack.message_appears(APPROVALS, lambda message: message["text"].startswith("In progress"))

            assert await crew.stop() == [0]

            assert set(Ledger(sqlite_url).statuses().values()) == {Status.DONE}
            assert len(partner_center.writes) == 1
            assert "Traceback" not in program.stderr

        async with Crew(program):
            await slack.message_appears(APPROVALS, lambda message: message["text"].startswith("Done"))
            await slack.person("ana").wait_for(slack.person("ana").dms)


NEVER_ENDS = """
import asyncio
from bot.commands import running

async def until_stopped():
    stopped = running.until_told_to_stop()
    print("up", flush=True)
    await stopped.wait()
    await asyncio.Event().wait()

running.ENDS_WITHIN = 0.2
asyncio.run(until_stopped())
"""


async def test_a_stop_that_something_hinders_is_over_all_the_same_and_tells_where_it_stood():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NEVER_ENDS), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE):
            await process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 1
    assert b"most recent call first" in errors
