"""The card and the direct message reach Slack once, whatever Slack does meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.request import Outcome, Result, Status
from tests.builders import settled
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.story import Clock

LATER = timedelta(minutes=2)


async def test_a_failed_suspension_tells_the_reason_and_the_correlation_id(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    stage.partner_center.faults.add(
        status=400,
        method="PATCH",
        body={"code": 800040, "description": "not allowed", "data": [], "source": "PartnerFD"},
    )

    assert (await stage.ben.click(asked.card, "Approve")).ok

    failed = await asked.shows("Failed")
    said = story.words(failed)
    assert "Nothing was changed: Partner Center does not allow it for this subscription." in said
    assert "800040" in said
    [patch] = [r for r in stage.partner_center.requests if r.method == "PATCH"]
    assert patch.headers["MS-CorrelationId"] in said
    assert story.buttons(failed) == ["Open ticket"]
    await asked.is_messaged("800040")
    assert asked.at_microsoft == "active"


async def test_a_subscription_that_is_gone_when_it_should_act_is_a_failure_with_words(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    stage.partner_center.faults.add(status=404, path_contains="/subscriptions/", times=None)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Failed")
    await asked.is_messaged("Partner Center does not know the subscription any more.")
    assert asked.writes == 0


async def test_a_lost_answer_from_partner_center_is_one_write_and_done(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    stage.partner_center.faults.lose_answer(method="PATCH", path_contains="/subscriptions/")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    assert asked.writes == 1


async def test_slack_asks_to_slow_down_and_the_card_is_posted_once(set_stage: SetStage):
    stage = await set_stage()
    await story.continues(stage.ana, subscription="E3")
    stage.slack.rate_limit("chat.postMessage", times=2, retry_after=0)
    assert (await stage.ana.submit()).ok
    card = await stage.slack.message_appears(story.APPROVALS)
    assert (await stage.ben.click(card, "Approve")).ok
    await story.is_messaged(stage.ana, "The subscription is suspended.")
    assert len([m for m in stage.slack.messages(story.APPROVALS) if not m["ephemeral"]]) == 1


async def test_a_card_whose_answer_was_lost_is_posted_again_and_a_click_on_either_works(set_stage: SetStage):
    clock = Clock()
    stage = await set_stage(now=clock)
    await story.continues(stage.ana, subscription="E3")
    stage.slack.lose_answer("chat.postMessage")
    assert (await stage.ana.submit()).ok
    first = await stage.slack.message_appears(story.APPROVALS)
    await stage.slack.workspace.news.until(
        lambda: any(e.method == "chat.postMessage" for e in stage.slack.exchanges)
    )

    clock.moves(LATER)
    await stage.app.core.backstop.requests.sweep()
    second = await stage.slack.message_appears(story.APPROVALS, lambda m: m["ts"] != first["ts"])

    assert (await stage.ben.click(first, "Approve")).ok
    done = await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == second["ts"] and m["text"].startswith("Done")
    )
    assert story.buttons(done) == []
    orphan = await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == first["ts"] and "Approve" not in story.buttons(m)
    )
    assert "Approved by <@U0BEN>" in story.words(orphan)
    assert len(stage.partner_center.writes) == 1


async def test_a_card_slack_refused_is_posted_by_the_sweep(set_stage: SetStage):
    clock = Clock()
    stage = await set_stage(now=clock)
    view = await story.continues(stage.ana, subscription="E3")
    stage.slack.fail("chat.postMessage", error="channel_not_found")
    assert (await stage.ana.submit()).ok
    await stage.slack.workspace.news.until(lambda: story.calls(stage, "chat.postMessage"))
    assert [m for m in stage.slack.messages(story.APPROVALS) if not m["ephemeral"]] == []

    clock.moves(LATER)
    await stage.app.core.backstop.requests.sweep()

    card = await stage.slack.message_appears(story.APPROVALS)
    assert story.draft_of(view) in card["text"]
    assert (await stage.ben.click(card, "Approve")).ok
    await story.is_messaged(stage.ana, "The subscription is suspended.")


async def test_a_card_that_missed_a_redraw_decides_nothing_and_catches_up_at_the_next_click(
    set_stage: SetStage,
):
    stage = await set_stage()
    asked = await story.asks(stage)
    stage.slack.fail("chat.update", error="internal_error", times=1000)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_messaged("The subscription is suspended.")
    assert "Approve" in story.buttons(asked.cards()[0])
    story.slack_recovers(stage)

    assert (await stage.mei.click(asked.card, "Approve")).ok

    shown = await asked.shows("Done")
    assert story.buttons(shown) == []
    await asked.is_told(stage.mei, asked.id)
    assert await asked.refusals() == [("U0MEI", "already-decided")]
    assert asked.writes == 1


async def test_a_card_on_which_an_older_drawing_came_last_is_put_right_by_a_click(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    done = await asked.shows("Done")
    await asked.is_messaged("The subscription is suspended.")
    channels = stage.slack.workspace.channels.values()
    overtaken = next(channel.posts[done["ts"]] for channel in channels if channel.name == story.APPROVALS)
    stage.slack.workspace.edit(overtaken, {"text": asked.card["text"], "blocks": asked.card["blocks"]})

    assert (await stage.mei.click(asked.card, "Approve")).ok

    assert story.buttons(await asked.shows("Done")) == []
    assert asked.writes == 1


async def test_the_sweep_draws_what_is_behind_and_tells_who_was_not_told(set_stage: SetStage):
    clock = Clock()
    stage = await set_stage(now=clock)
    asked = await story.asks(stage)
    stage.slack.fail("chat.update", error="internal_error", times=1000)
    stage.slack.fail("chat.postMessage", error="restricted_action")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await stage.slack.workspace.news.until(lambda: len(story.calls(stage, "chat.postMessage")) >= 2)
    story.slack_recovers(stage)
    assert asked.messages() == []

    clock.moves(LATER)
    await story.sweeps_until(stage, asked.messages)
    await asked.shows("Done")
    assert await asked.status() is Status.DONE
    await stage.app.core.backstop.requests.sweep()
    assert len(asked.messages()) == 1


async def test_a_customers_name_calls_nobody(set_stage: SetStage):
    stage = await set_stage()
    subscription = stage.partner_center.customer("Contoso").subscription("Microsoft 365 E3")
    stage.partner_center.change(subscription.id, nickname="<!channel> *free* seats")
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    done = await asked.shows("Done")
    told = await asked.is_messaged("The subscription is suspended.")
    for message in (asked.card, done, told):
        assert "<!channel>" not in "\n".join(mrkdwn(message))
        assert "&lt;!channel&gt;" in message["text"]
    assert "*free*" not in "\n".join(mrkdwn(done)[1:])


def mrkdwn(message: story.Json) -> list[str]:
    """Every text Slack would read marks and mentions in, the one for notifications first."""
    found = [message["text"]]

    def look(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "mrkdwn":
                found.append(node["text"])
            for item in node.values():
                look(item)
        elif isinstance(node, list):
            for item in node:
                look(item)

    look(message["blocks"])
    return found


async def test_an_open_outcome_says_so_and_is_looked_into_again_by_a_click(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, backstop_undo_window="PT1H")
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Approved")
    async with stage.app.core.store.begin() as tx:  # as after twenty tries without an answer
        begun = replace(await tx.requests.get(asked.id), status=Status.EXECUTING)
        silence = Outcome(error="unavailable", confirmed=False)
        await tx.requests.save(settled(begun, Result.UNKNOWN, outcome=silence, at=clock()))
    clock.moves(timedelta(minutes=2))
    await stage.app.core.backstop.requests.sweep()
    card = await asked.shows("Nobody knows whether it took effect")

    assert (await stage.ben.click(card, "Look again")).ok

    await asked.shows("Done")
    assert asked.at_microsoft == "suspended"
    await asked.is_messaged("Done")
