"""Approvers are reminded of what waits for their word: at half of its time, and once more near its end."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.people import PersonId
from bot.sandbox.slack import Player
from bot.sandbox.slack.exchanges import Exchange
from bot.texts import for_locale
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

HOUR = timedelta(hours=1)


def reminders(who: Player) -> list[story.Json]:
    """Each in the approver's own language; nothing else is messaged to them here."""
    missing = (
        for_locale(who.person.locale)("reminder", at="", channel="").partition(".")[0].partition("。")[0]
    )
    return [m for m in who.dms() if missing in story.words(m)]


async def reminded(who: Player, times: int) -> None:
    await who.wait_for(lambda: len(reminders(who)) >= times or None)


async def sweeps(stage: Stage) -> None:
    await stage.app.core.backstop.requests.sweep()


async def test_approvers_who_have_not_spoken_are_reminded_twice_and_not_more(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_approvers=("S0APPROVERS", "U0ANA"))
    asked = await story.asks(stage)

    await sweeps(stage)
    clock.moves(12 * HOUR)
    await sweeps(stage)
    await sweeps(stage)
    await reminded(stage.ben, 1)
    await reminded(stage.mei, 1)
    clock.moves(10 * HOUR)
    await sweeps(stage)
    await reminded(stage.ben, 2)
    await reminded(stage.mei, 2)

    assert len(reminders(stage.ben)) == 2
    assert asked.id in reminders(stage.ben)[0]["text"]
    assert reminders(stage.ana) == []  # her own request
    assert reminders(stage.eve) == []


async def test_whom_slack_did_not_let_us_tell_are_told_a_little_later(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_escalation_channel="C0BILLING")
    asked = await story.asks(stage)
    clock.moves(22 * HOUR)
    before = len(refused(stage))
    stage.slack.fail("chat.postMessage", error="restricted_action", times=3)
    await sweeps(stage)
    await stage.slack.workspace.news.until(lambda: len(refused(stage)) - before == 3, timeout=10)

    clock.moves(HOUR / 6)
    await sweeps(stage)
    await reminded(stage.ben, 1)
    await reminded(stage.mei, 1)
    await stage.slack.message_appears("csp-billing", lambda m: asked.id in m["text"] and not m["ephemeral"])


def refused(stage: Stage) -> list[Exchange]:
    return [e for e in stage.slack.exchanges if e.method == "chat.postMessage" and not e.response["ok"]]


async def test_who_has_approved_is_left_in_peace(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_approvals_suspend=2)
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    clock.moves(12 * HOUR)
    await sweeps(stage)
    await reminded(stage.mei, 1)
    assert reminders(stage.ben) == []


async def test_nobody_is_reminded_of_what_was_decided_meanwhile(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock)
    asked = await story.asks(stage)
    clock.moves(12 * HOUR)
    requests = stage.app.core.backstop.requests
    ben = await stage.app.desk.people.who_clicked({"user": {"id": PersonId("U0BEN")}})
    await requests.deny(asked.id, by=ben, why="paid yesterday")
    await sweeps(stage)
    await asked.is_messaged("paid yesterday")
    assert reminders(stage.mei) == []


async def test_near_its_end_a_second_channel_hears_of_it_once(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_escalation_channel="C0BILLING")
    asked = await story.asks(stage)
    clock.moves(13 * HOUR)
    await sweeps(stage)
    await reminded(stage.ben, 1)
    assert escalated(stage, asked) == []

    clock.moves(9 * HOUR)
    await sweeps(stage)
    told = await stage.slack.message_appears(
        "csp-billing", lambda m: asked.id in m["text"] and not m["ephemeral"]
    )
    assert "<#C0APPROVALS>" in story.words(told)
    await sweeps(stage)
    await reminded(stage.mei, 2)
    assert len(escalated(stage, asked)) == 1


def escalated(stage: Stage, asked: story.Asked) -> list[story.Json]:
    messages = stage.slack.messages("csp-billing")
    return [m for m in messages if asked.id in m["text"] and not m["ephemeral"]]
