"""An Azure plan is suspended only when nothing in it is active; what is compromised is cancelled, by two."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.customer import Cloud
from bot.domain.request import Status
from bot.sandbox.partner_center import PartnerCenterSandbox
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

OWNER = "Humongous Insurance"


async def blocked(stage: Stage, reason: str = "Fraud") -> story.Json:
    """*Continue* with a plan in which something runs."""
    view = await story.continues(stage.ana, OWNER, subscription="Azure plan", reason=reason, note="mining")
    assert "only when nothing in it is active" in story.words(view)
    return view


async def test_a_compromised_azure_subscription_is_cancelled_with_two_approvals(set_stage: SetStage):
    clock = story.Clock()
    far_side = PartnerCenterSandbox(now=clock)
    stage = await set_stage(now=clock, partner_center=far_side)
    view = await blocked(stage)
    assert {"Claims", "Reporting"} <= {name.strip("*") for name in story.lines(view).split("\n")}

    assert (await stage.ana.click_modal("cancel_azure", block_id=block_about(view, "Claims"))).ok
    shown = await story.modal_says(stage.ana, "because it is compromised")
    assert "Backstop cannot undo it" in story.words(shown)
    assert "2 people other than you" in story.words(shown)
    assert (await stage.ana.submit()).ok

    request_id = story.draft_of(shown)
    card = await stage.slack.message_appears(story.APPROVALS, lambda m: request_id in m["text"])
    assert (await stage.ben.click(card, "Approve")).ok
    assert stage.partner_center.writes == []
    assert (await stage.mei.click(card, "Approve")).ok
    await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == card["ts"] and "Microsoft has accepted it" in story.lines(m)
    )
    assert len(stage.partner_center.writes) == 1

    clock.moves(timedelta(minutes=11))
    await stage.app.core.backstop.execution.run(request_id)
    await stage.slack.message_appears(
        story.APPROVALS,
        lambda m: m["ts"] == card["ts"] and "The Azure subscription is cancelled." in story.lines(m),
    )
    plan = stage.partner_center.customer(OWNER).subscription("Azure plan")
    assert {c.name: c.status for c in plan.azure_subscriptions} == {
        "Claims": "inactive",
        "Reporting": "active",
    }
    assert len(stage.partner_center.writes) == 1, "what was accepted is only looked at"


@pytest.mark.parametrize("reason", ["Non-payment", "Customer request"])
async def test_for_another_reason_it_is_not_offered(set_stage: SetStage, reason: str):
    stage = await set_stage()
    view = await blocked(stage, reason)
    assert "Cancel for compromise" not in story.buttons(view)
    assert "only when it is compromised" in story.words(view)


async def test_switched_off_it_is_not_offered(set_stage: SetStage):
    stage = await set_stage(backstop_azure_cancel=False)
    view = await blocked(stage)
    assert story.buttons(view) == []
    assert "BACKSTOP_AZURE_CANCEL" in story.words(view)


async def test_on_21vianet_it_is_off_unless_asked_for(set_stage: SetStage):
    stage = await set_stage()
    off = stage.app.settings.model_copy(update={"partner_center_cloud": Cloud.CHINA})
    on = off.model_copy(update={"backstop_azure_cancel": True})
    assert (stage.app.settings.cancels_azure, off.cancels_azure, on.cancels_azure) == (True, False, True)


async def test_a_plan_with_nothing_active_is_suspended_like_any_other(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage, customer="tailspin", subscription="Azure plan", reason="Fraud")
    assert await asked.status() is Status.PENDING


def block_about(view: story.Json, name: str) -> str:
    """The block whose button is about that."""
    blocks = ((b, b.get("accessory") or {}) for b in view["blocks"])
    return next(str(b["block_id"]) for b, button in blocks if name in button.get("accessibility_label", ""))
