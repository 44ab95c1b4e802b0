"""A digest that is not there at its time: people are told once, and what comes late says so itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from handlers.digests import post_overdue, say_overdue_is_late
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_digests import OVERDUE, files_of, post, take_in
from tests.stage import Stage

MORNING = datetime(2026, 11, 24, 8, tzinfo=UTC)
"""A Tuesday; the digest is due at nine by the clocks of Berlin."""
DEBTORS = [("Contoso Ltd", "contoso.onmicrosoft.com")]


class Calendar:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


async def opened(set_stage: SetStage, clock: Calendar, *, before: bool = True) -> Stage:
    """Started before the digest was due. Books as of the day; on Monday there was a digest, if `before`."""
    then, clock.at = clock.at, MORNING - timedelta(minutes=30)
    stage = await set_stage(
        now=clock, backstop_timezone="Europe/Berlin", backstop_overdue_cron="0 9 * * mon-fri"
    )
    today = stage.app.core.backstop.digests.today()
    if before:
        clock.at -= timedelta(days=1)
        await take_in(stage, DEBTORS, today - timedelta(days=1))
        await post(stage, today - timedelta(days=1))
        clock.at += timedelta(days=1)
    await take_in(stage, DEBTORS, today)
    clock.at = then
    return stage


def alarms(stage: Stage) -> list[story.Json]:
    return [m for m in stage.slack.messages(story.APPROVALS) if "is late" in m["text"]]


async def alarmed(stage: Stage) -> None:
    await say_overdue_is_late(stage.app.desk, "2026-11-24")


async def test_the_approvals_channel_hears_of_it_once(set_stage: SetStage):
    clock = Calendar(MORNING + timedelta(minutes=14))
    stage = await opened(set_stage, clock)
    await alarmed(stage)
    assert alarms(stage) == []
    clock.at += timedelta(minutes=2)
    for _ in range(2):
        await alarmed(stage)
    (alarm,) = alarms(stage)
    assert "was due at 09:00 and is not in <#C0OVERDUE>" in alarm["text"]

    assert (await stage.ben.command("/csp status")).ok
    status = await story.is_told(stage.ben, "Last overdue digest", channel="csp-billing")
    assert "today's is late: due at 09:00" in story.words(status)


async def test_the_sweep_tells_and_tries_again_for_the_rest_of_the_day(set_stage: SetStage):
    clock = Calendar(MORNING + timedelta(hours=3))
    stage = await opened(set_stage, clock)
    stage.slack.fail("chat.postMessage", error="not_in_channel", times=2)
    await stage.app.rounds.catch_up_overdue()
    refused = lambda: len(story.calls(stage, "chat.postMessage")) >= 3 or None  # noqa: E731
    await stage.slack.workspace.news.until(refused)
    clock.at += timedelta(minutes=5)
    await stage.app.rounds.catch_up_overdue()
    late = await stage.slack.message_appears(OVERDUE, lambda m: "Overdue on Nov 24" in story.words(m))
    assert "was due at 09:00" in story.words(late)


async def test_one_that_is_posted_late_says_so_and_nobody_is_told_any_more(set_stage: SetStage):
    clock = Calendar(MORNING + timedelta(hours=2))
    stage = await opened(set_stage, clock)
    late = await post(stage, stage.app.core.backstop.digests.today())
    assert "was due at 09:00 and was posted at 11:00" in story.words(late)
    assert late["text"].startswith("⚠")
    await alarmed(stage)
    assert alarms(stage) == []


async def test_one_in_time_says_nothing(set_stage: SetStage):
    clock = Calendar(MORNING + timedelta(minutes=2))
    stage = await opened(set_stage, clock)
    assert "late" not in story.words(await post(stage, stage.app.core.backstop.digests.today()))


async def test_the_first_digest_ever_is_not_late(set_stage: SetStage):
    """Whoever sets Backstop up in the afternoon has missed nothing."""
    clock = Calendar(MORNING + timedelta(hours=6))
    stage = await opened(set_stage, clock, before=False)
    await alarmed(stage)
    await stage.app.rounds.catch_up_overdue()
    assert alarms(stage) == []
    assert "late" not in story.words(await post(stage, stage.app.core.backstop.digests.today()))


async def test_files_that_slack_refused_are_attached_by_the_next_try(set_stage: SetStage):
    stage = await opened(set_stage, Calendar(MORNING))
    stage.slack.fail("files.getUploadURLExternal", error="not_allowed_token_type")
    today = stage.app.core.backstop.digests.today()
    posted = await post(stage, today)
    assert "overdue-2026-11-24-aging.png" not in files_of(stage, posted)
    assert not await post_overdue(stage.app.desk, today.isoformat())
    await stage.slack.message_appears(
        OVERDUE, lambda m: any("aging" in f["name"] for f in m.get("files", []))
    )
    again = await asyncio.gather(*(post_overdue(stage.app.desk, today.isoformat()) for _ in range(2)))
    assert again == [False, False]
    assert sorted(files_of(stage, posted)) == [
        f"overdue-2026-11-24{end}" for end in ("-aging.png", ".csv", ".xlsx")
    ]
