"""*In my language*: who sees a card reads it in the language of their Slack; nothing can be done with the copy."""

from __future__ import annotations

import pytest

from handlers.views import blocks
from handlers.views.translated import TURNS, Card, offered
from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_ENGLISH = "In my language (Deutsch, 中文)"


async def test_an_approver_reads_the_card_in_their_own_language_and_decides_on_the_card(
    shared: Stage, customer: str
):
    asked = await story.asks(shared, customer=customer)
    assert (await shared.mei.click(asked.card, IN_ENGLISH)).ok
    copy = await asked.is_told(shared.mei, "仅供您查看的副本")
    assert asked.id in story.words(copy)
    assert "待审批" in story.words(copy)
    assert list(story.elements(copy)) == []
    assert (await shared.ana.click(asked.card, "Withdraw")).ok
    over = await asked.shows("Withdrawn")
    assert list(story.elements(over)) == []


async def test_who_reads_the_language_of_the_channel_is_told_so(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    assert (await shared.ana.click(asked.card, IN_ENGLISH)).ok
    told = await asked.is_told(shared.ana, "This is in your language already")
    assert asked.id not in story.words(told)
    assert (await shared.ana.click(asked.card, "Withdraw")).ok


async def test_the_digests_are_read_in_ones_own_language_too(shared: Stage):
    today = shared.app.core.backstop.digests.today().isoformat()
    for card, said in ((Card.OVERDUE, "überfällig"), (Card.SUSPICIOUS, "noch nichts angesehen")):
        posted = await has_posted(shared, card, today)
        assert (await shared.eve.click(posted, IN_ENGLISH)).ok
        copy = await story.is_told(shared.eve, "Eine Kopie nur für Sie", since=posted["ts"])
        assert said in story.words(copy)
        assert {e["action_id"] for e in story.elements(copy)} <= TURNS


@pytest.mark.parametrize(
    ("card", "id", "said"),
    [
        (Card.REQUEST, "R-GONE000001", "Diese Anfrage gibt es nicht mehr"),
        (Card.OVERDUE, "yesterday", "Diese Schaltfläche ist nicht mehr gültig"),
        ("horoscope", "today", "Diese Schaltfläche ist nicht mehr gültig"),
    ],
)
async def test_of_what_is_gone_the_person_is_told_that_it_is(shared: Stage, card: Card, id: str, said: str):
    posted = await has_posted(shared, card, id)
    assert (await shared.eve.click(posted, IN_ENGLISH)).ok
    await story.is_told(shared.eve, said, since=posted["ts"])


async def has_posted(stage: Stage, card: Card, id: str) -> story.Json:
    """A message of ours with the button for that card on it."""
    row = blocks.actions(blocks.button("…", "anything", "x"))
    body = offered([blocks.section("…"), row], card, id, stage.app.desk.texts)
    answer = await stage.app.desk.client.chat_postMessage(channel="C0APPROVALS", text="…", blocks=body)
    return await stage.slack.message_appears(story.APPROVALS, lambda m: m["ts"] == answer["ts"])
