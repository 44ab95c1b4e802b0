"""Decisions under the operator's own rules: undo window, quorum, expiry; and clicks nobody made."""

from __future__ import annotations

import asyncio
from functools import partial

from bot.domain.request import Status
from bot.sandbox.slack import Player
from handlers.asking import Carried
from tests.builders import DAY, HOUR, ana
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.story import Clock


async def test_inside_the_undo_window_it_can_still_be_cancelled(set_stage: SetStage):
    stage = await set_stage(backstop_undo_window="PT1H")
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    approved = await asked.shows("Until then it can be cancelled.")
    assert story.buttons(approved) == ["Cancel"]

    assert (await stage.eve.click(approved, "Cancel")).ok
    await asked.is_told(stage.eve, "BACKSTOP_APPROVERS")
    assert (await stage.ana.click(approved, "Cancel")).ok

    withdrawn = await asked.shows("Withdrawn")
    assert story.buttons(withdrawn) == []
    await asked.is_messaged("Taken back by <@U0ANA>")
    assert asked.writes == 0


async def test_fraud_does_not_wait_for_the_undo_window(set_stage: SetStage):
    stage = await set_stage(backstop_undo_window="PT1H")
    asked = await story.asks(stage, reason="Fraud")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    assert asked.at_microsoft == "suspended"


async def test_two_approvals_are_two_people_also_when_they_click_at_once(set_stage: SetStage):
    stage = await set_stage(backstop_approvals_suspend=2)
    asked = await story.asks(stage)
    assert "2 approvals are missing." in story.words(asked.card)

    assert (await stage.ben.click(asked.card, "Approve")).ok
    half = await asked.shows("1 approval is missing.")
    assert "Approved by <@U0BEN>" in story.words(half)
    assert await asked.status() is Status.PENDING
    assert asked.writes == 0

    acks = await asyncio.gather(stage.ben.click(half, "Approve"), stage.mei.click(half, "Approve"))
    assert [ack.ok for ack in acks] == [True, True]
    done = await asked.shows("Done")
    assert "<@U0BEN>" in story.words(done)
    assert "<@U0MEI>" in story.words(done)
    assert await asked.refusals() in ([("U0BEN", "already-approved")], [("U0BEN", "already-decided")])
    assert asked.writes == 1


async def test_two_first_approvals_at_once_are_both_counted(set_stage: SetStage):
    stage = await set_stage(backstop_approvals_suspend=2)
    asked = await story.asks(stage)
    await asyncio.gather(stage.ben.click(asked.card, "Approve"), stage.mei.click(asked.card, "Approve"))
    await asked.shows("Done")
    assert asked.writes == 1


async def test_where_no_approval_is_needed_confirm_acts(set_stage: SetStage):
    stage = await set_stage(backstop_approvals_suspend=0)
    await story.continues(stage.ana, subscription="E3")
    assert "No approval is needed." in story.words(story.top(stage.ana))
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "needs no approval", channel="csp-billing")
    await stage.slack.message_appears(story.APPROVALS, lambda m: m["text"].startswith("Done"))
    assert len(stage.partner_center.writes) == 1


async def test_who_comes_too_late_is_told_and_the_request_expires(set_stage: SetStage):
    clock = Clock()
    stage = await set_stage(now=clock)
    asked = await story.asks(stage)
    clock.moves(DAY + HOUR)

    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_told(stage.ben, "expired <!date^")
    await stage.app.core.backstop.requests.sweep()

    expired = await asked.shows("Expired")
    assert story.buttons(expired) == []
    await asked.is_messaged("Nobody decided until")
    assert asked.writes == 0


async def test_a_dry_run_says_so_everywhere_and_writes_nothing(set_stage: SetStage):
    stage = await set_stage(backstop_dry_run=True)
    asked = await story.asks(stage)
    assert "*Dry run.*" in story.words(asked.card)
    await story.continues(stage.ana, "fourthcoffee")
    assert "*Dry run.*" in story.words(story.top(stage.ana))

    assert (await stage.ben.click(asked.card, "Approve")).ok

    done = await asked.shows("Done")
    assert "Dry run: it would have been suspended. Nothing was changed." in story.words(done)
    await asked.is_messaged("Dry run")
    assert asked.writes == 0
    assert not [r for r in stage.partner_center.requests if r.method not in ("GET", "POST")]


async def test_without_books_the_policy_says_that_it_does_not_know(set_stage: SetStage):
    stage = await set_stage()
    view = await story.continues(stage.ana, subscription="E3")
    texts = stage.app.desk.texts
    assert texts("policy-silent", note=texts("rule-no-books")) in story.words(view)


async def test_an_unknown_request_id_is_refused(set_stage: SetStage):
    stage = await set_stage(transport="http")
    asked = await story.asks(stage)
    await stage.eve.click(asked.card, "Approve")
    click = story.delivered(stage, "block_actions")
    click["user"]["id"] = "U0BEN"
    click["response_url"] = ""
    for forged in ("R-2222222222", "", "'; DROP TABLE requests; --", "R-" + "9" * 1900):
        told = _told_of_no_such(stage.ben)
        click["actions"][0]["value"] = forged
        status, _ = await story.forges(stage, click)
        assert status == 200
        await stage.ben.wait_for(partial(_told_once_more, stage.ben, told))
    assert await asked.status() is Status.PENDING


def _told_once_more(who: Player, before: int) -> bool:
    return _told_of_no_such(who) > before


def _told_of_no_such(who: Player) -> int:
    seen = (m["text"] for m in who.messages(story.APPROVALS) if m["ephemeral"])
    return sum("There is no such request any more." in text for text in seen)


async def test_somebody_elses_draft_can_neither_be_filled_in_nor_confirmed(set_stage: SetStage):
    stage = await set_stage(transport="http", backstop_operators=("U0ANA", "U0BEN"))
    await story.continues(stage.ana, subscription="E3")
    await story.continues(stage.ben, "fourthcoffee")
    theirs = story.top(stage.ana)["private_metadata"]
    filled_in = story.delivered(stage, "view_submission")

    for view in (filled_in["view"], story.top(stage.ben)):
        forged = filled_in | {"view": view | {"private_metadata": theirs}}
        status, answer = await story.forges(stage, forged)
        assert status == 200
        assert "This form is not valid any more." in answer

    assert await story.requests(stage) == {}
    assert (await stage.ana.submit()).ok
    assert "Contoso" in story.words(await stage.slack.message_appears(story.APPROVALS))
    _, answer = await story.forges(stage, forged)  # nor once it is a request
    assert "This form is not valid any more." in answer


async def test_a_draft_whose_confirmation_was_never_shown_is_not_placed(set_stage: SetStage):
    stage = await set_stage(transport="http")
    stage.partner_center.faults.add(status=404, method="GET", path_contains="/subscriptions/")
    await story.continues(stage.ana, subscription="E3")
    submission = story.delivered(stage, "view_submission")
    submission["view"]["callback_id"] = "suspend_confirmation"
    draft = await stage.app.core.backstop.requests.draft(story.draft_of(submission["view"]), by=ana)
    told = {
        draft.id: "is not up to date any more",
        str(Carried.of(draft)): "This form is not valid any more.",
    }

    for carried, why in told.items():
        submission["view"]["private_metadata"] = carried
        _, answer = await story.forges(stage, submission)
        assert why in answer

    assert await story.requests(stage) == {}
