"""`/csp-resume`: what is lifted, who may, and what it takes."""

from __future__ import annotations

import pytest

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, Transport

E3 = "Microsoft 365 E3"


async def suspended(stage: Stage, reason: str = "Non-payment") -> story.Asked:
    """Contoso's E3, suspended as people do it."""
    asked = await story.asks(stage, reason=reason)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    return asked


async def resumes(stage: Stage, **filled_in: str) -> story.Asked:
    return await story.asks(stage, stage.ana, command="/csp-resume", **filled_in)


async def test_what_is_suspended_is_offered_and_resumed_without_an_approval(
    set_stage: SetStage, transport: Transport
):
    stage = await set_stage(transport=transport)
    await suspended(stage)

    form = await story.starts(stage.ana, "/csp-resume contoso")
    assert story.is_chosen(form, "subscription")  # the only one of theirs that is suspended
    assert E3 in str(form["state"]["values"])
    asked = await resumes(stage, reason="Customer request")

    await asked.shows("Done")
    assert asked.at_microsoft == "active"
    assert len(stage.partner_center.writes) == 2


@pytest.mark.parametrize("reason", ["Fraud", "Misuse"])
async def test_lifting_a_suspension_for_fraud_or_misuse_needs_an_approver(set_stage: SetStage, reason: str):
    stage = await set_stage()
    await suspended(stage, reason)

    asked = await resumes(stage, reason="Customer request")

    assert await asked.status() is Status.PENDING
    assert asked.at_microsoft == "suspended"
    assert (await stage.mei.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    assert asked.at_microsoft == "active"


async def test_the_confirmation_says_who_suspended_it_and_why(set_stage: SetStage):
    stage = await set_stage()
    first = await suspended(stage, "Misuse")
    view = await story.continues(stage.ana, subscription="E3", command="/csp-resume")
    said = story.words(view)
    assert "Misuse" in said
    assert first.id in said
    assert "<@U0ANA>" in said


async def test_a_suspension_that_was_not_ours_is_called_unknown(set_stage: SetStage):
    stage = await set_stage()
    seats = stage.partner_center.customer("Contoso").subscription("Microsoft 365 Business Premium")
    stage.partner_center.suspend_outside(seats.id, "CustomerCancellation")
    view = await story.continues(stage.ana, subscription="Premium", command="/csp-resume")
    said = story.words(view)
    assert "unknown" in said
    assert "CustomerCancellation" in said


async def test_what_is_active_is_not_resumed(set_stage: SetStage):
    stage = await set_stage()
    view = await story.continues(stage.ana, subscription="E3", command="/csp-resume")
    assert "active already" in story.words(view)
    assert stage.partner_center.writes == []


async def test_an_add_on_waits_for_the_subscription_it_belongs_to(set_stage: SetStage):
    stage = await set_stage()
    add_on = next(s for c in stage.partner_center.customers for s in c.subscriptions if s.parent_id)
    owner = next(c for c in stage.partner_center.customers if add_on in c.subscriptions)
    stage.partner_center.suspend_outside(add_on.parent_id or "")
    await stage.app.core.backstop.customers.refresh()
    view = await story.continues(stage.ana, owner.domain, subscription=add_on.id, command="/csp-resume")
    assert "resume that one first" in story.words(view)
