"""What changed since it was confirmed is left alone, and asked for anew."""

from __future__ import annotations

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage


async def overtaken(stage: Stage) -> story.Json:
    """The card of a request whose subscription changed between *Confirm* and *Approve*."""
    asked = await story.asks(stage, note="third reminder")
    stage.partner_center.change(asked.subscription_id, quantity=7)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    card = await asked.shows("Since it was confirmed its status, quantity or term has changed.")
    assert (asked.writes, asked.at_microsoft) == (0, "active")
    return card


async def test_it_is_shown_as_it_is_now_and_asked_for_anew(set_stage: SetStage):
    stage = await set_stage()
    card = await overtaken(stage)
    assert story.buttons(card) == ["Confirm again"]

    assert (await stage.ana.click(card, "Confirm again")).ok
    view = await story.modal_says(stage.ana, "third reminder")
    assert "*Quantity*\n7" in story.words(view)
    assert (await stage.ana.submit()).ok

    new = story.draft_of(view)
    again = await stage.slack.message_appears(
        story.APPROVALS, lambda m: new in m["text"] and "Approve" in story.buttons(m)
    )
    async with stage.app.core.store.read() as tx:
        placed = (await tx.audit.of(new))[0]
    assert placed.facts["instead_of"] in card["text"]
    assert (await stage.ben.click(again, "Approve")).ok
    await stage.slack.message_appears(
        story.APPROVALS, lambda m: new in m["text"] and m["text"].startswith("Done")
    )
    assert len(stage.partner_center.writes) == 1


async def test_who_may_not_ask_does_not_ask_anew(set_stage: SetStage):
    stage = await set_stage()
    card = await overtaken(stage)
    assert (await stage.eve.click(card, "Confirm again")).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", since=card["ts"])
    assert stage.eve.modal() is None
    assert await story.requests(stage) == {}


async def test_the_first_request_stays_as_it_ended(set_stage: SetStage):
    stage = await set_stage()
    card = await overtaken(stage)
    assert (await stage.ana.click(card, "Confirm again")).ok
    view = await story.modal_says(stage.ana, "third reminder")
    assert (await stage.ana.submit()).ok
    assert await story.requests(stage) == {Status.PENDING: 1}
    assert story.draft_of(view) not in card["text"]
