"""Slack asks for time: what was approved is carried out meanwhile, and what was to be posted comes later, once."""

from __future__ import annotations

import asyncio

import pytest

from bot import courier
from bot.courier import AT_ONCE
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import PATIENCE, Stage

NEVER = 3600
"""Seconds: no test takes so long."""
CARDS = AT_ONCE + 2


async def asks_for_many(stage: Stage) -> list[str]:
    """More than there are places for their cards; the ids of the requests."""
    asked = []
    for customer in stage.partner_center.customers[-CARDS:]:
        view = await story.continues(stage.ana, customer.domain)
        assert (await stage.ana.submit()).ok
        asked.append(story.draft_of(view))
    return asked


def times_throttled(stage: Stage) -> int:
    return sum(e.method == "chat.postMessage" and e.status == "429" for e in stage.slack.exchanges)


async def takes_effect_while_cards_wait(stage: Stage) -> None:
    """A suspension is approved when Slack has asked for time more often than there are places."""
    fraud = await story.asks(stage, reason="Fraud")
    suspended = asyncio.Event()
    stage.partner_center.on_change(lambda: suspended.set() if fraud.at_microsoft == "suspended" else None)
    for method in ("chat.postMessage", "chat.update", "conversations.open"):
        stage.slack.rate_limit(method, times=1000, retry_after=NEVER)
    await asks_for_many(stage)
    await stage.slack.workspace.news.until(lambda: times_throttled(stage) >= AT_ONCE)
    assert (await stage.ben.click(fraud.card, "Approve")).ok
    async with asyncio.timeout(PATIENCE):
        await suspended.wait()


async def test_what_was_approved_takes_effect_while_more_cards_than_places_wait(set_stage: SetStage):
    stage = await set_stage()
    await takes_effect_while_cards_wait(stage)
    # Nor do those that wait hold places that other posts could have.
    await stage.slack.workspace.news.until(lambda: times_throttled(stage) >= CARDS)


async def test_it_takes_effect_although_all_places_of_posts_are_held(
    monkeypatch: pytest.MonkeyPatch, set_stage: SetStage
):
    monkeypatch.setattr(courier, "WAITS", NEVER)
    monkeypatch.setattr(courier, "DRAIN_SECONDS", 0)  # until after the stage is gone: they do not end
    stage = await set_stage()
    await takes_effect_while_cards_wait(stage)
    assert times_throttled(stage) == AT_ONCE


async def test_every_card_comes_once_when_the_time_is_over(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier, "WAITS", 0.0)  # a second is long here
    stage = await set_stage()
    stage.slack.rate_limit("chat.postMessage", times=CARDS // 2, retry_after=1)
    asked = await asks_for_many(stage)

    def posted() -> list[str]:
        said = [m["text"] for m in stage.slack.messages(story.APPROVALS) if not m["ephemeral"]]
        return [request for text in said for request in asked if request in text]

    await stage.slack.workspace.news.until(lambda: set(posted()) == set(asked))
    async with asyncio.timeout(PATIENCE):
        while not await stage.app.core.courier.is_idle():
            await asyncio.sleep(0)
    assert sorted(posted()) == sorted(asked)
