"""The drill of docs/operate.md: back up while it runs, lose the database, restore the copy. Nothing is done twice."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from bot import store as database
from bot.app import Application
from bot.domain.audit import AuditTag
from bot.domain.request import Status
from bot.store import Store
from handlers.anchor import post_anchor
from tests import postgres
from tests.builders import noon
from tests.conftest import SetStage
from tests.handlers import story
from tests.program import PATIENCE
from tests.stage import settings_for

DOCS = (Path(__file__).parents[2] / "docs" / "operate.md").read_text("utf-8")


def commands(word: str) -> list[str]:
    """The lines of the page that call it, as they stand there."""
    return [line.strip() for line in DOCS.splitlines() if re.match(rf"    {word} ", line)]


def carry_out(line: str, *, cwd: Path, path: str = "", **environment: str) -> None:
    subprocess.run(
        ["bash", "-c", line],
        check=True,
        cwd=cwd,
        timeout=PATIENCE,
        env={"PATH": f"{path}:/usr/bin:/bin", **environment},
    )


async def test_what_was_approved_before_the_copy_and_done_after_it_is_not_done_again(
    set_stage: SetStage, tmp_path: Path
):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_undo_window="PT1H")
    await post_anchor(stage.app.desk, "2026-11-23")
    asked = await story.asks(stage)
    await stage.ben.click(asked.card, "Approve")
    (line,) = commands("python3")
    await asyncio.to_thread(carry_out, line.replace("python3", sys.executable), cwd=tmp_path)
    assert await asked.status() is Status.APPROVED, "the copy is of a moment at which it was not begun"
    clock.moves(timedelta(hours=2))
    await stage.app.core.backstop.requests.sweep()
    await asked.shows("Done")
    assert asked.writes == 1
    await stage.app.stop()

    (tmp_path / "there").mkdir()
    copy = shutil.move(tmp_path / "backup.db", tmp_path / "there" / "backstop.db")
    url = f"sqlite:///{copy}"
    restored = Store(url, now=clock)
    async with restored.read() as tx:
        verified = await tx.audit.verify()
        assert (verified.ok, verified.held) == (True, 1)
        assert (await tx.requests.get(asked.id)).status is Status.APPROVED
    settings = settings_for(stage.slack, stage.partner_center, database_url=url, transport="socket")
    app = Application(settings, now=clock)
    try:
        await app.start()
        await app.core.backstop.requests.sweep()
        async with asyncio.timeout(PATIENCE):
            while (await app.core.backstop.requests.get(asked.id)).status is not Status.DONE:
                await asyncio.to_thread(int)
        assert asked.writes == 1, "it was found done"
        async with restored.read() as tx:
            assert (await tx.audit.verify()).ok
    finally:
        await app.stop()
        await restored.close()


async def test_a_dump_of_postgres_has_all_of_it(
    postgres_server: str | None, postgres_url: str, tmp_path: Path
):
    found = postgres.binaries()
    assert postgres_server
    assert found
    full = Store(postgres_url, now=lambda: noon)
    async with full.begin() as tx:
        for number in range(3):
            await tx.audit.append(AuditTag.REQUEST_PLACED, f"R-{number}", note="„逾期“")
        head = await tx.audit.head()
        assert head
    await full.close()

    (dump,), (restore,) = commands("pg_dump"), commands("pg_restore")
    empty = postgres.new_database(postgres_server)
    for line, url in ((dump, postgres_url), (restore, empty)):
        await asyncio.to_thread(carry_out, line, cwd=tmp_path, path=str(found), DATABASE_URL=url)
    assert database.migrate(empty) is False, "it is at the current schema"
    restored = Store(empty, now=lambda: noon)
    async with restored.read() as tx:
        verified = await tx.audit.verify([head])
    assert (verified.ok, verified.count, verified.held) == (True, 3, 1)
    await restored.close()


@pytest.mark.parametrize("word", ["python3", "pg_dump", "pg_restore"])
def test_the_page_has_each_command_once(word: str):
    assert len(commands(word)) == 1
