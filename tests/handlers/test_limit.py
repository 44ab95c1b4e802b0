"""The daily limit as people see it: what waits, who is told, and how two approvers lift it."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

SAID = "the daily limit holds the next ones back"


async def held_back(stage: Stage) -> tuple[story.Asked, story.Json]:
    """A suspension that waits because one was done today, and the message about it."""
    first = await story.asks(stage)
    assert (await stage.ben.click(first.card, "Approve")).ok
    await first.shows("Done")
    second = await story.asks(stage, subscription="Premium")
    assert (await stage.ben.click(second.card, "Approve")).ok
    await second.shows("unless two approvers lift the limit for today")
    return second, await stage.slack.message_appears(story.APPROVALS, lambda m: SAID in m["text"])


async def test_the_approvers_are_told_once_and_two_of_them_lift_it(set_stage: SetStage):
    stage = await set_stage(backstop_max_suspensions_per_day=1)
    waiting, told = await held_back(stage)
    third = await story.asks(stage, subscription="Trial")
    assert (await stage.ben.click(third.card, "Approve")).ok
    await third.shows("unless two approvers lift")
    await story.is_messaged(stage.ben, SAID)
    await story.is_messaged(stage.mei, "Zurückgehalten" if stage.mei.person.locale == "de-DE" else "上限")

    assert (await stage.ben.click(told, "Lift for today")).ok
    once = await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == told["ts"] and "wants it lifted" in story.lines(m)
    )
    assert await waiting.status() is Status.APPROVED
    assert (await stage.mei.click(once, "Lift for today")).ok
    await waiting.shows("Done")
    await third.shows("Done")
    lifted = await stage.slack.message_appears(
        story.APPROVALS,
        lambda m: m["ts"] == told["ts"] and "lifted for the rest of the day" in story.lines(m),
    )
    assert story.buttons(lifted) == []
    assert len([m for m in stage.slack.messages(story.APPROVALS) if SAID in m["text"]]) == 1
    async with stage.app.core.store.read() as tx:
        tags = [(e.tag, e.by) async for e in tx.audit.since() if e.tag.startswith("limit:")]
    assert tags == [("limit:lift-asked", "U0BEN"), ("limit:lifted", "U0MEI")]


async def test_one_person_does_not_lift_it_alone_nor_does_who_may_not(set_stage: SetStage):
    stage = await set_stage(backstop_max_suspensions_per_day=1)
    waiting, told = await held_back(stage)
    assert (await stage.ben.click(told, "Lift for today")).ok
    assert (await stage.ben.click(told, "Lift for today")).ok
    await story.is_told(stage.ben, "already", since=told["ts"])
    assert (await stage.ana.click(told, "Lift for today")).ok
    await story.is_told(stage.ana, "approve", since=told["ts"])
    assert await waiting.status() is Status.APPROVED


async def test_yesterdays_button_lifts_nothing_today(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_max_suspensions_per_day=1)
    _, told = await held_back(stage)
    clock.moves(timedelta(days=1))
    assert (await stage.ben.click(told, "Lift for today")).ok
    await story.is_told(stage.ben, "another day has begun", since=told["ts"])
    assert (await stage.app.core.backstop.limits.today()).lifted_by == ()
