"""What gives way beneath: a locked database, a full disk, a clock that jumps. Nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import pytest

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.story import Clock
from tests.stage import Stage

DAY = timedelta(days=1)
TWO_PAGES = 8192


def file_of(stage: Stage) -> str:
    return stage.app.settings.database_url.removeprefix("sqlite:///")


@asynccontextmanager
async def locked(stage: Stage) -> AsyncIterator[None]:
    """Somebody else writes to the file, and takes their time."""
    other = sqlite3.connect(file_of(stage), isolation_level=None, timeout=60, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # whoever writes now is on this event loop
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def full() -> Iterator[None]:
    """No file takes what lies behind its first pages."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (TWO_PAGES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_click_waits_for_a_database_that_is_locked(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
):
    stage = await set_stage()
    asked = await story.asks(stage)
    monkeypatch.setattr(stage.slack._delivery, "ack_seconds", 0.3)
    async with locked(stage):
        assert not (await stage.ben.click(asked.card, "Approve")).ok
        assert await asked.status() is Status.PENDING
    await asked.shows("Done")
    assert asked.writes == 1
    assert len(await asked.audited("request:approved")) == 1
    await asked.is_messaged("Done")


async def test_a_disk_that_is_full_is_told_and_a_click_works_again_afterwards(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    with full():
        assert (await stage.ben.click(asked.card, "Approve")).ok
        await asked.is_told(stage.ben, stage.app.desk.texts("error-unanswered"))
        assert await asked.status() is Status.PENDING
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    assert asked.writes == 1
    assert len(await asked.audited("request:approved")) == 1


@pytest.mark.parametrize("jump", [-3 * DAY, -timedelta(seconds=30), timedelta(hours=1)], ids=str)
async def test_a_clock_that_jumps_does_nothing_twice(set_stage: SetStage, jump: timedelta):
    clock = Clock()
    stage = await set_stage(now=clock)
    asked = await story.asks(stage)
    clock.moves(jump)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    clock.moves(-jump)
    await stage.app.core.backstop.requests.sweep()
    assert (await asked.status(), asked.writes) == (Status.DONE, 1)
    await asked.is_messaged("Done")
    assert len(asked.cards()) == 1
    async with stage.app.core.store.read() as tx:
        assert (await tx.audit.verify()).ok


async def test_a_clock_that_runs_ahead_lets_requests_expire_and_not_come_back(set_stage: SetStage):
    clock = Clock()
    stage = await set_stage(now=clock)
    asked = await story.asks(stage)
    clock.moves(2 * DAY)
    await stage.app.core.backstop.requests.sweep()
    await asked.shows("Expired")
    clock.moves(-2 * DAY)
    await stage.app.core.backstop.requests.sweep()
    assert await asked.status() is Status.EXPIRED
    assert asked.writes == 0
