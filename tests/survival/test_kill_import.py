"""kill -9 between a dropped export and its card, and between *Apply* and the books: nothing is lost or done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.core import utc_now
from bot.sandbox.slack import SlackSandbox
from bot.store import Store
from tests.survival.world import World, world

CHANNEL = "csp-overdue"
ROWS = 3000
Json = dict[str, Any]


def an_export() -> bytes:
    """Large enough for a kill to meet it half-read or half-written."""
    rows = (f"Firm {n},f{n}.example,{n},2026-10-01,EUR,5.00" for n in range(ROWS))
    return "\n".join(["Customer,Tenant ID,Invoice No,Due Date,Currency,Balance", *rows]).encode()


async def card_says(slack: SlackSandbox, said: str) -> Json:
    return await slack.message_appears(CHANNEL, lambda m: said in str(m.get("blocks")), timeout=60)


async def seen(slack: SlackSandbox, method: str) -> None:
    """Wait until the app has made that call."""
    await slack.workspace.news.until(lambda: any(e.method == method for e in slack.exchanges), timeout=30)


async def killed_and_started(around: World, program: Any) -> Any:
    await program.kill()
    again = around.program("run", name=f"{program.name}+", BACKSTOP_OVERDUE_CHANNEL="C0OVERDUE")
    await again.start()
    await again.comes_up()
    await around.slack.app_connects(timeout=30)
    return again


@pytest.mark.parametrize("first", ["files.info", "files-pri"])
async def test_an_export_is_shown_once_and_applied_once(sqlite_url: str, tmp_path: Path, first: str):
    async with world(sqlite_url, stock=1, cwd=tmp_path) as around:
        slack = around.slack
        program = around.program("run", BACKSTOP_OVERDUE_CHANNEL="C0OVERDUE")
        await program.start()
        try:
            await program.comes_up()
            await slack.app_connects(timeout=30)
            shared = await slack.person("ana").upload("open.csv", an_export(), channel=CHANNEL)
            assert shared.ok
            await seen(slack, first)
            program = await killed_and_started(around, program)
            card = await card_says(slack, "export_apply")

            assert (await slack.person("ana").click(card, "Apply")).ok
            program = await killed_and_started(around, program)
            await card_says(slack, "The books say now what the file says")
            assert "Traceback" not in program.stderr
        finally:
            await program.kill()

    cards = [m for m in slack.messages(CHANNEL) if "Receivables export" in str(m.get("blocks"))]
    assert len(cards) == 1
    store = Store(sqlite_url, now=utc_now)
    try:
        async with store.read() as tx:
            assert len(await tx.books.open_on()) == ROWS
            assert await tx.books.state() == "1", "imported once"
            verified = await tx.audit.verify()
            assert (verified.ok, verified.count) == (True, await count(tx))
    finally:
        await store.close()


async def count(tx: Any) -> int:
    return len([event async for event in tx.audit.since()])
