"""From the command to a suspended subscription, over both of Slack's transports and on both databases."""

from __future__ import annotations

from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Transport


async def test_a_suspension_is_asked_for_approved_and_done(
    set_stage: SetStage, transport: Transport, database_url: str
):
    stage = await set_stage(transport=transport, database_url=database_url)
    await stage.ana.command("/csp-suspend contoso")
    await stage.ana.modal_appears()
    await stage.ana.choose("subscription", "Microsoft 365 E3 × 120")
    await stage.ana.choose("reason", "Non-payment")
    assert (await stage.ana.submit()).ok
    await story.seen(stage.ana)
    assert (await stage.ana.submit()).ok
    card = await stage.slack.message_appears("csp-approvals")

    assert (await stage.ben.click(card, "Approve")).ok

    done = await stage.slack.message_appears("csp-approvals", lambda m: m["text"].startswith("Done"))
    e3 = stage.partner_center.customer("Contoso").subscription("Microsoft 365 E3")
    assert e3.status == "suspended"
    assert "actions" not in [block["type"] for block in done["blocks"]]
    assert len(stage.partner_center.writes) == 1
