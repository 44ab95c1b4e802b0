"""From a click in Slack to the request at Partner Center there is one id, and the audit trail has it too."""

from __future__ import annotations

from uuid import UUID

from bot.domain.audit import AuditEvent
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Transport


async def test_what_follows_from_a_click_has_its_id_as_far_as_microsoft(
    set_stage: SetStage, transport: Transport
):
    stage = await set_stage(transport=transport)
    asked = await story.asks(stage)
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")
    async with stage.app.core.store.read() as tx:
        trail = {str(event.tag): event for event in await tx.audit.of(asked.id)}
    placed, approved = _id(trail["request:placed"]), _id(trail["request:approved"])
    assert placed != approved, "two clicks"
    assert _id(trail["request:started"]) == _id(trail["request:finished"]) == approved
    (patch,) = [r for r in stage.partner_center.requests if r.method == "PATCH"]
    assert patch.headers["MS-CorrelationId"] == approved
    assert patch.headers["MS-RequestId"] != approved
    assert str(UUID(approved)) == approved, "Microsoft takes GUIDs only"


async def test_what_nobody_clicked_has_none_and_its_requests_have_their_own(set_stage: SetStage):
    stage = await set_stage()
    async with stage.app.core.store.read() as tx:
        assert not [e async for e in tx.audit.since() if e.by == "backstop" and "correlation_id" in e.facts]
    pages = [r.headers["MS-CorrelationId"] for r in stage.partner_center.requests if r.method == "GET"]
    assert len(set(pages)) > 1


def _id(event: AuditEvent) -> str:
    return str(event.facts["correlation_id"])
