"""*Evidence pack* in Slack: redacted into the thread, complete to one person alone, and it verifies."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

from bot.domain.audit import AuditTag
from bot.domain.evidence import Verified, verify
from bot.domain.matter import Evidence, Matter, TicketKind, TicketSeverity, about
from bot.domain.ticket import HandOver, Ticket, TicketId
from bot.store.tickets import addition
from handlers import ids
from handlers.desk import call
from handlers.views import blocks
from tests.builders import DAY, ana
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_suspicious import CHANNEL, an_alert, opens, post, see, staged
from tests.stage import Stage

BILLING = "csp-billing"


def zips(messages: list[story.Json]) -> list[tuple[str, story.Json]]:
    """The names of the packs in these messages, each with its message."""
    return [
        (file["name"], m) for m in messages for file in m.get("files", []) if file["name"].endswith(".zip")
    ]


def content_of(stage: Stage, name: str) -> bytes:
    file = next(f for f in stage.slack.workspace.files.values() if f.name == name)
    assert file.content is not None
    return file.content


async def makes(stage: Stage, message: story.Json, *, option: str = "", kind: str = "") -> None:
    """Open the form, choose, and press *Make it*."""
    button = ids.MORE_OF_CASE if option else ids.EVIDENCE
    await opens(stage.ana, message, button, ids.EVIDENCE_FORM, option=option or None)
    if kind:
        await stage.ana.choose(ids.EVIDENCE_REDACTED, kind)
    ack = await stage.ana.submit()
    assert ack.ok, ack


async def a_ticket(stage: Stage, *parts: Evidence) -> tuple[Ticket, story.Json]:
    """A ticket, and a message with its button."""
    matter = Matter(TicketKind.PARTNER_CENTER, TicketSeverity.MINIMAL, "Odd", "It is odd", evidence=parts)
    now = stage.app.core.backstop.now()
    draft = Ticket(TicketId("T-TEST000001"), ana.id, now).fill_in(
        matter, about(None, None), subject="S", text="Draft", portal="", hand_over=HandOver(), by=ana
    )
    ticket = draft.confirm(by=ana, at=now, approvals_needed=0, time_to_live=DAY)
    await stage.app.core.store.write(addition(ticket, at=now))
    button = blocks.button("Evidence pack", ids.EVIDENCE, ticket.id)
    await call(
        stage.app.desk.client.chat_postMessage,
        channel="C0BILLING",
        text="A ticket",
        blocks=[blocks.section("A ticket"), blocks.actions(button)],
    )
    return ticket, next(m for m in stage.slack.messages(BILLING) if m["text"] == "A ticket")


async def test_of_a_case_a_redacted_one_goes_into_the_thread(set_stage: SetStage):
    stage = await staged(set_stage)
    await see(stage, an_alert(stage))
    digest = await post(stage)
    await makes(stage, digest, option="Evidence pack")
    shared = await stage.slack.message_appears(CHANNEL, lambda m: bool(zips([m])))
    ((name, _),) = zips([shared])
    assert shared["thread_ts"] == digest["ts"]
    content = content_of(stage, name)
    verified = verify(content)
    assert verified.ok
    assert is_redacted(verified)
    said = story.words(shared)
    assert verified.manifest_sha256 in said
    assert f"backstop audit verify {name}" in said
    assert "<@U0ANA>" in said
    assert b"Contoso Ltd" not in content
    assert zips(stage.ana.dms()) == []
    (event,) = await audited(stage)
    assert event.facts["manifest_sha256"] == verified.manifest_sha256


def is_redacted(verified: Verified) -> bool:
    assert verified.label
    return verified.label.redacted


async def audited(stage: Stage) -> list[Any]:
    async with stage.app.core.store.read() as tx:
        return [e async for e in tx.audit.since() if e.tag == AuditTag.EVIDENCE_PACKED]


async def test_a_complete_one_goes_to_the_person_alone(set_stage: SetStage):
    stage = await staged(set_stage)
    await see(stage, an_alert(stage))
    await makes(stage, await post(stage), option="Evidence pack", kind="Complete, for our own files")
    message = await stage.ana.wait_for(lambda: next((m for _, m in zips(stage.ana.dms())), None))
    assert "keep it out of channels" in story.words(message)
    ((name, _),) = zips([message])
    assert b"Contoso Ltd" in content_of(stage, name)
    await story.is_told(stage.ana, "in your direct messages", channel=CHANNEL)
    assert zips(stage.slack.messages(CHANNEL)) == []


async def test_of_a_ticket_the_parts_it_asked_for_are_ticked(set_stage: SetStage):
    stage = await set_stage()
    ticket, message = await a_ticket(stage, Evidence.TIMELINE, Evidence.AUDIT)
    await makes(stage, message)
    shared = await stage.slack.message_appears(BILLING, lambda m: bool(zips([m])))
    assert shared["thread_ts"] == message["ts"]
    archive = zipfile.ZipFile(io.BytesIO(content_of(stage, zips([shared])[0][0])))
    assert archive.namelist() == ["audit.jsonl", "manifest.json", "ticket.json", "timeline.txt"]
    assert ticket.id in story.words(shared)


async def test_who_has_no_right_gets_no_form(set_stage: SetStage):
    stage = await set_stage()
    _, message = await a_ticket(stage)
    assert (await stage.eve.click(message, ids.EVIDENCE)).ok
    await story.is_told(stage.eve, "operator", channel=BILLING)
    assert stage.eve.modal() is None
    assert await audited(stage) == []


async def test_whose_right_was_taken_meanwhile_gets_no_pack(set_stage: SetStage):
    stage = await set_stage()
    _, message = await a_ticket(stage)
    await opens(stage.ana, message, ids.EVIDENCE, ids.EVIDENCE_FORM)
    groups = stage.slack.workspace.groups
    groups["S0BILLING"] = replace(groups["S0BILLING"], members=())
    await stage.ana.submit()
    await story.modal_says(stage.ana, "operator")
    assert await audited(stage) == []
    assert zips(stage.slack.messages(BILLING)) == []


async def test_where_we_may_not_post_the_redacted_one_comes_to_the_person(set_stage: SetStage):
    stage = await set_stage()
    _, message = await a_ticket(stage)
    await opens(stage.ana, message, ids.EVIDENCE, ids.EVIDENCE_FORM)
    workspace = stage.slack.workspace
    workspace.channels["C0BILLING"].members.discard(workspace.bot.id)
    assert (await stage.ana.submit()).ok
    ((name, _),) = await stage.ana.wait_for(lambda: zips(stage.ana.dms()) or None)
    assert is_redacted(verify(content_of(stage, name)))


async def test_on_a_page_only_one_person_sees_it_comes_to_that_person(set_stage: SetStage):
    """Nobody else could see a thread there."""
    stage = await staged(set_stage)
    await see(stage, an_alert(stage))
    await post(stage)
    assert (await stage.ana.command("/csp suspicious", channel=CHANNEL)).ok
    page = await stage.ana.wait_for(
        lambda: next(
            (m for m in stage.ana.messages(CHANNEL) if m["ephemeral"] and "case_more" in str(m["blocks"])),
            None,
        )
    )
    await opens(stage.ana, page, ids.MORE_OF_CASE, ids.EVIDENCE_FORM, option="Evidence pack")
    redacted, _ = story.element(story.top(stage.ana), ids.EVIDENCE_REDACTED)["options"]
    assert redacted["description"]["text"] == "Comes to you in a direct message"
    assert (await stage.ana.submit()).ok
    await stage.ana.wait_for(lambda: zips(stage.ana.dms()) or None)
    assert zips(stage.slack.messages(CHANNEL)) == []
