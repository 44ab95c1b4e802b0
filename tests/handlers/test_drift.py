"""What was changed outside Backstop: one card however often it is noticed, and who may say what to it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.services.drift import MOST_CARDS
from handlers.drift import show_drift
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, Transport

PREMIUM = "Microsoft 365 Business Premium"
SUSPENDED, RESUMED = "Suspended outside Backstop", "Resumed outside Backstop"


async def refreshes(stage: Stage) -> None:
    await stage.app.core.backstop.customers.refresh()


def cards(stage: Stage) -> list[story.Json]:
    return [m for m in stage.slack.messages(story.APPROVALS) if "outside Backstop:" in m["text"]]


async def noticed(stage: Stage, name: str = PREMIUM, *, of: str = "Contoso") -> story.Json:
    """Somebody suspends it in the portal; the card, once Backstop has read it."""
    held = stage.partner_center.customer(of).subscription(name)
    stage.partner_center.suspend_outside(held.id, "CustomerCancellation")
    await refreshes(stage)
    return await stage.slack.message_appears(
        story.APPROVALS, lambda m: SUSPENDED in m["text"] and name in m["text"]
    )


async def shows(stage: Stage, card: story.Json, said: str) -> story.Json:
    return await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == card["ts"] and said in story.words(m)
    )


def drift_id(card: story.Json) -> str:
    return str(story.element(card, "drift_adopt")["value"])


async def test_the_card_tells_what_is_known_and_what_follows(set_stage: SetStage):
    stage = await set_stage()
    stage.partner_center.faults.add(status=403, path_contains="auditrecords", times=None)
    card = await noticed(stage)
    said = story.lines(card)
    assert f"*{PREMIUM}* of *Contoso Ltd* was suspended, and not through Backstop" in said
    assert "between <!date^" in said
    assert "CustomerCancellation" in said
    assert "at the earliest" in said
    assert stage.partner_center.customer("Contoso").subscription(PREMIUM).id in said
    assert story.buttons(card) == ["Adopt", "Explain"]


async def test_the_activity_log_tells_the_very_moment(set_stage: SetStage):
    stage = await set_stage()
    card = await noticed(stage)
    said = story.lines(card)
    assert "between <!date^" not in said
    assert "at the earliest" not in said
    last = stage.app.core.backstop.digests.today() + timedelta(days=90)
    assert stage.app.desk.texts.day(last) in said


async def test_it_is_posted_once_however_often_and_by_whomever_it_is_noticed(set_stage: SetStage):
    stage = await set_stage()
    await noticed(stage)
    await asyncio.gather(refreshes(stage), refreshes(stage), stage.app.core.backstop.customers.reread())
    await asyncio.gather(*(stage.app.core.backstop.drifts.tell() for _ in range(3)))
    (card,) = cards(stage)
    await asyncio.gather(*(show_drift(stage.app.desk, drift_id(card)) for _ in range(3)))
    assert len(cards(stage)) == 1


async def test_adopting_asks_for_a_reason_and_the_card_says_who(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    card = await noticed(stage)
    assert (await stage.ben.click(card, "Adopt")).ok
    form = await stage.ben.modal_appears(callback_id="drift_adopt_form")
    assert drift_id(card) in story.words(form)
    assert "reason" in ((await stage.ben.submit()).body or {})["errors"]
    await stage.ben.choose("reason", "Fraud")
    stage.ben.type("note", "Reported by <the bank>")
    assert (await stage.ben.submit()).ok

    adopted = await shows(stage, card, "Adopted by <@U0BEN>")
    assert "Reason: Fraud" in story.words(adopted)
    assert "Reported by &lt;the bank&gt;" in story.words(adopted)
    assert story.buttons(adopted) == []
    assert stage.ben.modal() is None
    assert await audited(stage, "drift:adopted") == [("U0BEN", drift_id(card))]
    assert stage.partner_center.writes == []


async def test_explaining_wants_a_sentence(set_stage: SetStage):
    stage = await set_stage()
    card = await noticed(stage)
    assert (await stage.ana.click(card, "Explain")).ok
    await stage.ana.modal_appears(callback_id="drift_explain_form")
    stage.ana.type("explanation", "   ")
    assert "explanation" in ((await stage.ana.submit()).body or {})["errors"]
    stage.ana.type("explanation", "Their admin did it")
    assert (await stage.ana.submit()).ok

    explained = await shows(stage, card, "Explained by <@U0ANA>")
    assert "Their admin did it" in story.words(explained)
    assert story.buttons(explained) == []
    assert await audited(stage, "drift:explained") == [("U0ANA", drift_id(card))]


async def test_without_a_right_one_is_refused_alone(set_stage: SetStage):
    stage = await set_stage()
    card = await noticed(stage)
    for button in ("Adopt", "Explain"):
        assert (await stage.eve.click(card, button)).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS")
    assert stage.eve.modal() is None
    assert story.buttons(cards(stage)[0]) == ["Adopt", "Explain"]
    assert await audited(stage, "access:refused") == [
        ("U0EVE", "drift_adopt"),
        ("U0EVE", "drift_explain"),
    ]


async def test_the_second_to_decide_hears_who_was_first(set_stage: SetStage):
    stage = await set_stage()
    card = await noticed(stage)
    for who in (stage.ana, stage.ben):
        assert (await who.click(card, "Explain")).ok
        await who.modal_appears(callback_id="drift_explain_form")
        who.type("explanation", "It was me")
    stage.slack.fail("chat.update", error="fatal_error", times=9)  # so that the card keeps its buttons
    assert (await stage.ana.submit()).ok
    assert (await stage.ben.submit()).ok
    await story.modal_says(stage.ben, "<@U0ANA> has already explained this")

    await stage.ana.wait_for(
        lambda: any("U0ANA" in str(c) for c in story.calls(stage, "chat.update")) or None
    )
    story.slack_recovers(stage)
    assert (await stage.mei.click(card, "Adopt")).ok
    await story.is_told(stage.mei, "<@U0ANA>")
    assert stage.mei.modal() is None
    await shows(stage, card, "Explained by <@U0ANA>")


async def test_once_changed_back_the_card_says_so_and_the_change_back_has_its_own(set_stage: SetStage):
    stage = await set_stage()
    card = await noticed(stage)
    stage.partner_center.resume_outside(stage.partner_center.customer("Contoso").subscription(PREMIUM).id)
    await refreshes(stage)
    over = await shows(stage, card, "It is over")
    assert story.buttons(over) == []
    back = await stage.slack.message_appears(story.APPROVALS, lambda m: RESUMED in m["text"])
    assert "is active again" in story.words(back)
    assert story.buttons(back) == ["Adopt", "Explain"]


async def test_what_backstop_does_itself_has_no_such_card(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage, customer="lamna", subscription="Office")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    for _ in range(2):
        await refreshes(stage)
    await stage.app.core.backstop.drifts.tell()
    await noticed(stage)  # whose card would come after any other
    assert len(cards(stage)) == 1


async def test_of_many_at_once_twenty_have_a_card_and_the_rest_a_line(set_stage: SetStage):
    stage = await set_stage()
    held = [
        s
        for customer in stage.partner_center.customers
        if customer.relationship == "reseller"
        for s in customer.subscriptions
        if s.status == "active" and s.kind.value in ("legacy seat", "new commerce")
    ][: MOST_CARDS + 6]
    for subscription in held:
        stage.partner_center.change(subscription.id, status="suspended")
    await refreshes(stage)
    await stage.slack.message_appears(story.APPROVALS, lambda _: len(cards(stage)) >= MOST_CARDS)
    await stage.slack.message_appears(story.APPROVALS, lambda _: sum(more(stage)) >= 6)
    for _ in range(2):
        await refreshes(stage)
        await stage.app.core.backstop.drifts.tell()
    assert len(cards(stage)) == MOST_CARDS
    assert sum(more(stage)) == 6


def more(stage: Stage) -> list[int]:
    """How many each line stands for; usually it is one line, but readings may meet."""
    lines = [m["text"] for m in stage.slack.messages(story.APPROVALS) if "more subscription" in m["text"]]
    assert all("`/csp status`" in line for line in lines)
    return [int(line.split()[0]) for line in lines]


async def audited(stage: Stage, tag: str) -> list[tuple[str, str]]:
    """By whom and about what, under that tag."""
    async with stage.app.core.store.read() as tx:
        return [(e.by, e.subject) async for e in tx.audit.since() if e.tag == tag]
