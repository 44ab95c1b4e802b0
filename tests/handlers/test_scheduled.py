"""A suspension put off: to the next business day, or to a date and time by the partner's clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

BERLIN = {"backstop_timezone": "Europe/Berlin"}
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Calendar:
    """A clock that stands at a certain moment until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


async def fills_in(stage: Stage, when: str) -> None:
    await story.starts(stage.ana, "/csp-suspend contoso")
    offered = await stage.ana.suggest("subscription", "E3")
    await stage.ana.choose("subscription", offered[0])
    await stage.ana.choose("reason", "Non-payment")
    assert (await stage.ana.choose("when", when)).ok


async def confirms(stage: Stage) -> story.Asked:
    view = await story.seen(stage.ana)
    assert (await stage.ana.submit()).ok
    request_id = story.draft_of(view)
    card = await stage.slack.message_appears(story.APPROVALS, lambda m: request_id in m["text"])
    request = await stage.app.core.backstop.requests.get(request_id)
    return story.Asked(stage, stage.ana, card, request.id, request.targets[0].subscription_id)


async def test_not_before_the_next_business_day(set_stage: SetStage):
    clock = Calendar(MONDAY - timedelta(days=3))  # a Friday
    stage = await set_stage(now=clock, **BERLIN)
    await fills_in(stage, "Next business day, 09:00")
    assert (await stage.ana.submit()).ok
    assert "Nov 23, 2026, 9:00:00 AM Europe/Berlin" in story.words(await story.seen(stage.ana)).replace(
        "\u202f", " "
    )
    asked = await confirms(stage)

    assert (await stage.ben.click(asked.card, "Approve")).ok
    card = await asked.shows("Until then it can be cancelled")
    assert (await asked.status(), asked.at_microsoft) == (Status.APPROVED, "active")
    clock.at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    await stage.app.core.backstop.execution.run(asked.id)
    await asked.shows("Done")
    assert asked.at_microsoft == "suspended"
    assert story.buttons(card) == ["Cancel"]


async def test_at_a_date_and_time_by_the_partners_clocks(set_stage: SetStage):
    clock = Calendar(MONDAY)
    stage = await set_stage(now=clock, **BERLIN)
    await fills_in(stage, "At a date and time")
    await stage.ana.wait_for(lambda: "On the clocks of Europe/Berlin." in str(story.top(stage.ana)) or None)
    form = story.top(stage.ana)
    assert story.is_chosen(form, "subscription"), "what was filled in stays"
    assert story.is_chosen(form, "reason")
    await stage.ana.pick("date", "2026-11-25")
    await stage.ana.pick("time", "18:30")
    assert (await stage.ana.submit()).ok
    asked = await confirms(stage)

    request = await stage.app.core.backstop.requests.get(asked.id)
    assert request.not_before == datetime(2026, 11, 25, 17, 30, tzinfo=UTC)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    approved = await asked.shows("Until then it can be cancelled")
    assert (await stage.ben.click(approved, "Cancel")).ok
    await asked.shows("Taken back")
    clock.at = datetime(2026, 11, 26, tzinfo=UTC)
    await stage.app.core.backstop.execution.run(asked.id)
    assert (await asked.status(), asked.at_microsoft) == (Status.WITHDRAWN, "active")


async def test_a_moment_that_is_past_is_told_under_its_field(set_stage: SetStage):
    stage = await set_stage(now=Calendar(MONDAY), **BERLIN)
    await fills_in(stage, "At a date and time")
    await stage.ana.wait_for(lambda: "On the clocks of" in str(story.top(stage.ana)) or None)
    await stage.ana.pick("date", "2026-11-20")
    await stage.ana.pick("time", "09:00")
    ack = await stage.ana.submit()
    assert ack.body is not None
    assert ack.body["errors"] == {"date": "This moment is past. Please choose a later one."}


async def test_fraud_is_not_put_off(set_stage: SetStage):
    stage = await set_stage()
    await fills_in(stage, "Next business day, 09:00")
    await stage.ana.choose("reason", "Fraud")
    ack = await stage.ana.submit()
    assert ack.body is not None
    assert list(ack.body["errors"]) == ["when"]
