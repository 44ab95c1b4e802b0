"""The clock a suspension starts: who is told of the data that is going to be deleted, when, and how often."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from bot.services import jobs
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

PREMIUM = "Microsoft 365 Business Premium"  # a legacy seat: 90 days
LIVES = timedelta(days=90)


def told(messages: list[story.Json]) -> list[str]:
    return [m["text"] for m in messages if PREMIUM in m["text"] and ("deleted" in m["text"])]


async def dawns(stage: Stage, day: date) -> None:
    """That morning's job."""
    await stage.app.core.courier.post(jobs.warn_of_deletion(datetime.combine(day, time(8), UTC)))


async def hear(stage: Stage, times: int) -> None:
    """Wait until the requester and the channel were told so often."""
    await stage.ana.wait_for(lambda: len(told(stage.ana.dms())) >= times or None)
    await stage.slack.message_appears(
        "csp-approvals", lambda _: len(told(stage.slack.messages("csp-approvals"))) >= times
    )


async def suspended(stage: Stage) -> date:
    """Contoso's legacy seats, suspended today; the day after which their data is gone."""
    asked = await story.asks(stage, subscription="Premium")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    return stage.app.core.backstop.digests.today() + LIVES


async def test_channel_and_requester_hear_of_each_warning_once(set_stage: SetStage):
    stage = await set_stage()
    deadline = await suspended(stage)

    for count, left in enumerate((30, 14, 7, 3, 1, -1), start=1):
        for day in (left + 1, left, left):  # the day before, the day, and the same day again
            await dawns(stage, deadline - timedelta(days=day))
        await hear(stage, count)

    assert len(told(stage.ana.dms())) == 6
    in_channel = told(stage.slack.messages("csp-approvals"))
    assert len(in_channel) == 6
    assert "in 30 days" in in_channel[0]
    assert "in 1 day" in in_channel[4]
    assert "may be deleted already" in in_channel[5]


async def test_whoever_was_away_is_told_once_and_the_nearest(set_stage: SetStage):
    stage = await set_stage()
    deadline = await suspended(stage)
    await dawns(stage, deadline - timedelta(days=5))
    await stage.ana.wait_for(lambda: told(stage.ana.dms()) or None)
    assert ["in 5 days" in text for text in told(stage.ana.dms())] == [True]


async def test_a_resumption_stops_the_clock(set_stage: SetStage):
    stage = await set_stage()
    await suspended(stage)
    asked = await story.asks(stage, stage.ana, subscription="Premium", command="/csp-resume")
    await asked.shows("Done")
    counting = await stage.app.core.backstop.digests.countdowns()
    assert "Contoso Ltd" not in [c.customer.name for c in counting if c.customer]
