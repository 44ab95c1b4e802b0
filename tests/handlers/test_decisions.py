"""Approve, deny, withdraw: four eyes, one write, and an answer for everybody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.request import Status
from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_approving_asks_once_more_and_backing_out_does_nothing(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    dialog = story.element(asked.card, "approve")["confirm"]
    assert "will be suspended. Its users lose access." in dialog["text"]["text"]

    assert not (await shared.ben.click(asked.card, "Approve", confirm=False)).ok

    assert await asked.status() is Status.PENDING
    assert asked.writes == 0


async def test_the_card_tells_who_approved_when_and_what_came_of_it(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer, note="Third reminder unanswered")
    assert story.buttons(asked.card) == ["Approve", "Deny", "Withdraw"]
    assert "Third reminder unanswered" in story.words(asked.card)

    assert (await shared.ben.click(asked.card, "Approve")).ok

    done = await asked.shows("Done")
    assert story.buttons(done) == []
    assert "Approved by <@U0BEN>, <!date^" in story.words(done)
    assert "The subscription is suspended." in story.words(done)
    await asked.is_messaged("The subscription is suspended.")
    assert asked.at_microsoft == "suspended"


async def test_nobody_decides_on_their_own_request(shared: Stage, customer: str):
    asked = await story.asks(shared, shared.ben, customer=customer)

    for button in ("Approve", "Deny"):
        assert (await shared.ben.click(asked.card, button)).ok
    await asked.is_told(shared.ben, "This is your own request")
    assert await asked.refusals() == [("U0BEN", "own-request")] * 2
    assert shared.ben.modal() is None
    assert await asked.status() is Status.PENDING

    assert (await shared.mei.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    assert asked.writes == 1


async def test_without_the_right_one_is_refused_alone_and_it_is_remembered(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)

    for button in ("Approve", "Deny"):
        assert (await shared.eve.click(asked.card, button)).ok

    await asked.is_told(shared.eve, "BACKSTOP_APPROVERS")
    assert shared.eve.modal() is None
    others = [m for who in (shared.ana, shared.ben) for m in who.messages(story.APPROVALS)]
    assert not any("BACKSTOP_APPROVERS" in m["text"] for m in others)
    assert await asked.refusals() == [("U0EVE", "not-permitted")] * 2
    assert await asked.status() is Status.PENDING


async def test_denying_asks_for_a_reason_and_the_requester_hears_it(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)

    assert (await shared.ben.click(asked.card, "Deny")).ok
    form = await shared.ben.modal_appears(callback_id="deny_reason")
    assert asked.id in story.words(form)
    shared.ben.type("deny_reason", "   ")
    assert "deny_reason" in ((await shared.ben.submit()).body or {})["errors"]
    shared.ben.type("deny_reason", "They paid <today>")
    assert (await shared.ben.submit()).ok

    denied = await asked.shows("Denied")
    assert "Denied by <@U0BEN>" in story.words(denied)
    assert "They paid &lt;today&gt;" in story.words(denied)
    assert story.buttons(denied) == []
    await asked.is_messaged("They paid &lt;today&gt;")
    assert shared.ben.modal() is None
    assert asked.writes == 0


async def test_who_denies_and_is_shown_no_form_is_told(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    shared.slack.break_down("views.open")
    assert (await shared.ben.click(asked.card, "Deny")).ok
    await asked.is_told(shared.ben, "Slack does not answer at the moment")
    assert await asked.status() is Status.PENDING


async def test_only_the_requester_withdraws(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)

    assert (await shared.ben.click(asked.card, "Withdraw")).ok
    await asked.is_told(shared.ben, "Only the person who asked can withdraw")
    assert await asked.status() is Status.PENDING

    assert (await shared.ana.click(asked.card, "Withdraw")).ok
    withdrawn = await asked.shows("Withdrawn")
    assert "Taken back by <@U0ANA>" in story.words(withdrawn)
    assert story.buttons(withdrawn) == []
    assert asked.writes == 0


async def test_rights_are_read_at_the_click_not_when_the_card_was_posted(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    groups = shared.slack.workspace.groups
    before = groups["S0APPROVERS"]
    groups["S0APPROVERS"] = replace(before, members=("U0BEN",))

    assert (await shared.mei.click(asked.card, "Approve")).ok

    groups["S0APPROVERS"] = before
    await asked.is_told(shared.mei, "BACKSTOP_APPROVERS")
    assert await asked.status() is Status.PENDING


async def test_who_lost_the_right_to_ask_cannot_confirm(shared: Stage, customer: str):
    await story.continues(shared.ana, customer)
    groups = shared.slack.workspace.groups
    before = groups["S0BILLING"]
    groups["S0BILLING"] = replace(before, members=())

    assert (await shared.ana.submit()).ok

    groups["S0BILLING"] = before
    said = story.words(await story.seen(shared.ana))
    assert "BACKSTOP_OPERATORS" in said
    await story.leaves(shared.ana)


async def test_an_approval_delivered_twice_counts_once(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    assert (await shared.ben.click(asked.card, "Approve")).ok
    assert (await shared.slack.redeliver()).ok
    await asked.shows("Done")
    assert (await shared.slack.redeliver()).ok
    await asked.is_messaged("The subscription is suspended.")
    assert asked.writes == 1
    assert len(asked.messages()) == 1
    assert len(await asked.audited("request:approved")) == 1


async def test_a_confirm_delivered_twice_is_one_request(shared: Stage, customer: str):
    view = await story.continues(shared.ana, customer)
    assert (await shared.ana.submit()).ok
    again = await shared.slack.redeliver()
    assert (again.ok, again.body) == (True, {"response_action": "clear"})
    request_id = story.draft_of(view)
    await shared.slack.message_appears(story.APPROVALS, lambda m: request_id in m["text"])
    async with shared.app.core.store.read() as tx:
        assert [e.tag for e in await tx.audit.of(request_id)] == ["request:placed"]


async def test_of_two_approvers_who_click_at_once_one_wins_and_both_are_answered(
    shared: Stage, customer: str
):
    asked = await story.asks(shared, customer=customer)

    acks = await asyncio.gather(
        shared.ben.click(asked.card, "Approve"), shared.mei.click(asked.card, "Approve")
    )

    assert [ack.ok for ack in acks] == [True, True]
    await asked.shows("Done")
    [(loser, why)] = await asked.refusals()
    assert why == "already-decided"
    await asked.is_told(shared.slack.person(loser), asked.id)
    assert asked.writes == 1
    assert len(await asked.audited("request:approved")) == 1


async def test_approve_and_deny_at_once_leave_one_decision(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    assert (await shared.mei.click(asked.card, "Deny")).ok
    await shared.mei.modal_appears()
    shared.mei.type("deny_reason", "not now")

    acks = await asyncio.gather(shared.ben.click(asked.card, "Approve"), shared.mei.submit())

    assert [ack.ok for ack in acks] == [True, True]
    [(loser, why)] = await asked.refusals()
    assert why == "already-decided"
    await asked.shows("Done" if loser == "U0MEI" else "Denied")
    assert asked.writes == (1 if loser == "U0MEI" else 0)
    await story.leaves(shared.mei)


async def test_one_person_clicking_again_and_again_gives_one_approval(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    acks = await asyncio.gather(*(shared.ben.click(asked.card, "Approve") for _ in range(4)))
    assert all(ack.ok for ack in acks)
    await asked.shows("Done")
    await asked.is_told(shared.ben, f"{asked.id} is already")
    assert asked.writes == 1
    assert len(await asked.audited("request:approved")) == 1


async def test_a_second_request_for_the_same_is_refused_and_names_the_first(shared: Stage, customer: str):
    again = await story.continues(shared.ben, customer)
    asked = await story.asks(shared, customer=customer)
    assert (await shared.ben.submit()).ok
    assert f"asked for already, in request {asked.id}" in story.words(await story.seen(shared.ben))
    await story.leaves(shared.ben)
    async with shared.app.core.store.read() as tx:
        tags = [e.tag for e in await tx.audit.of(story.draft_of(again))]
    assert "request:placed" not in tags


async def test_two_people_confirming_the_same_at_once_make_one_request(shared: Stage, customer: str):
    views = [await story.continues(who, customer) for who in (shared.ana, shared.ben)]
    acks = await asyncio.gather(shared.ana.submit(), shared.ben.submit())
    assert [ack.ok for ack in acks] == [True, True]
    async with shared.app.core.store.read() as tx:
        trails = [await tx.audit.of(story.draft_of(view)) for view in views]
    assert sum(e.tag == "request:placed" for trail in trails for e in trail) == 1
    for who in (shared.ana, shared.ben):
        await story.leaves(who)


async def test_it_was_suspended_meanwhile_by_somebody_else(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    shared.partner_center.suspend_outside(asked.subscription_id)
    assert (await shared.ben.click(asked.card, "Approve")).ok
    await asked.shows("It was suspended already. Nothing was changed.")
    assert asked.writes == 0
