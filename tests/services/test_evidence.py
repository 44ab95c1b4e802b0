"""Evidence packs over a real database: what is gathered, who may, what is audited, and that it verifies."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.audit import AuditTag, change
from bot.domain.case import Verdict
from bot.domain.errors import NotFound, NotPermitted
from bot.domain.evidence import verify
from bot.domain.matter import Evidence, Matter, TicketKind, TicketSeverity, about
from bot.domain.people import Person
from bot.domain.ticket import HandOver, Ticket, TicketId
from bot.services import evidence
from bot.services.evidence import EvidencePacks, MadePack
from bot.store.tickets import addition
from tests.builders import CONTOSO, DAY, a_customer, a_letter, ana, ben, eve, noon
from tests.services.conftest import OpenWorkshop
from tests.services.test_cases import EVENT, recorded, see
from tests.services.test_digests import OTHER, a_row, know, take_in
from tests.services.workshop import Workshop

EVERYTHING = tuple(Evidence)


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    w = await workshop()
    await know(w, a_customer(), OTHER)
    await see(w, EVENT)
    return w


def packs(w: Workshop) -> EvidencePacks:
    return EvidencePacks(w.store, w.cases, w.digests, now=w.clock)


async def a_ticket(w: Workshop, *, origin: str = "", parts: Sequence[Evidence] = (), **fields: Any) -> Ticket:
    """A confirmed one."""
    matter = Matter(
        TicketKind.NON_PAYMENT, TicketSeverity.MODERATE, "They do not pay", "Since May", evidence=tuple(parts)
    )
    what = about(fields.get("customer", a_customer()), None)
    draft = Ticket(TicketId(fields.get("id", "T-TEST000001")), ana.id, noon, origin=origin)
    filled = draft.fill_in(
        matter, what, subject="Subject", text="Draft", portal="", hand_over=HandOver(), by=ana
    )
    ticket = filled.confirm(by=ana, at=noon, approvals_needed=0, time_to_live=DAY)
    await w.store.write(addition(ticket, at=noon))
    async with w.store.begin() as tx:
        facts = {"customer": CONTOSO, **change(filled.status, ticket.status)}
        await tx.audit.append(AuditTag.TICKET_OPENED, ticket.id, by=ana.id, **facts)
    return ticket


async def history(w: Workshop) -> str:
    """Contoso owes, was told, is suspected and judged; somebody else's matters go on beside it. The case's id."""
    await take_in(
        w, a_row("1001", "Contoso Ltd", CONTOSO, 45, "500.00"), a_row("2002", "Other", OTHER.id, 45, "7.00")
    )
    theirs, others = a_letter(), a_letter(id="L-OTHER00001", customer_id=OTHER.id)
    async with w.store.begin() as tx:
        for letter in (theirs, others):
            await tx.letters.add(letter)
    for letter in (theirs, others):
        await w.letters.copied(letter.id, by=ana)
    line = await recorded(w)
    await w.cases.judge(line.case.id, Verdict.FRAUD, by=ben, version=line.case.version, note="Miners")
    return line.case.id


async def make(w: Workshop, about_id: str, *, by: Person = ana, redacted: bool = False) -> MadePack:
    return await packs(w).make(about_id, EVERYTHING, redacted=redacted, by=by)


def read(made: MadePack, name: str) -> Any:
    content = zipfile.ZipFile(io.BytesIO(made.content)).read(name).decode()
    return [json.loads(line) for line in content.splitlines()] if name.endswith("l") else json.loads(content)


async def test_the_pack_of_a_case_has_all_there_is_to_its_customer_and_verifies(w: Workshop):
    case_id = await history(w)
    request = await w.placed()
    async with w.store.begin() as tx:  # the sandbox's Contoso has another id
        await tx.connection.exec_driver_sql(
            "UPDATE requests SET customer_id = ? WHERE id = ?", (CONTOSO, request.id)
        )
    made = await make(w, case_id)
    verified = verify(made.content)
    assert verified.ok
    assert verified.manifest_sha256 == made.manifest_sha256
    assert [r["id"] for r in read(made, "requests.json")["requests"]] == [request.id]
    assert [n["id"] for n in read(made, "notices.json")["notices"]] == ["L-TEST000001"]
    assert [i["document"] for i in read(made, "invoices.json")["open"]] == ["1001"]
    (case,) = read(made, "signals.json")["cases"]
    assert (case["id"], case["recorded"], case["verdicts"][0]["note"]) == (
        case_id,
        [{"rule": "fraud_event", "points": case["signals"][0]["points"]}],
        "Miners",
    )
    entries = read(made, "audit.jsonl")
    assert {e["subject"] for e in entries} == {case_id, request.id, "L-TEST000001"}
    assert verified.by_content == len(entries)


async def test_every_entry_is_that_of_the_trail(w: Workshop):
    made = await make(w, await history(w), redacted=True)
    async with w.store.read() as tx:
        trail = {event.seq: event.hash async for event in tx.audit.since()}
    for entry in read(made, "audit.jsonl"):
        assert trail[entry["seq"]] == entry["hash"]
    assert verify(made.content).ok


async def test_what_was_packed_is_audited_so_that_it_can_be_compared(w: Workshop):
    case_id = await history(w)
    made = await make(w, case_id, by=ben, redacted=True)
    event = (await w.story(case_id))[-1]
    assert (event.tag, event.by) == (AuditTag.EVIDENCE_PACKED, ben.id)
    assert event.facts == {
        "manifest_sha256": made.manifest_sha256,
        "parts": [part.value for part in Evidence],
        "redacted": True,
    }
    assert made.filename == f"evidence-{case_id}-redacted-20261123T120000Z.zip"


async def test_twice_the_same_state_gives_the_same(w: Workshop, workshop: OpenWorkshop):
    case_id = await history(w)
    assert await packs(w).gather(case_id) == await packs(await workshop()).gather(case_id)


async def test_a_case_that_is_over_can_still_be_packed(w: Workshop):
    case_id = await history(w)
    w.clock.passes(timedelta(days=60))
    with pytest.raises(NotFound):
        await w.cases.get(case_id)
    (case,) = read(await make(w, case_id), "signals.json")["cases"]
    assert [signal["rule"] for signal in case["signals"]] == ["fraud_event"]


async def test_a_ticket_brings_its_draft_and_the_case_it_follows_from(w: Workshop):
    case_id = await history(w)
    ticket = await a_ticket(w, origin=case_id)
    made = await make(w, ticket.id)
    assert read(made, "ticket.json")["title"] == "They do not pay"
    assert b"Draft" in zipfile.ZipFile(io.BytesIO(made.content)).read("draft.txt")
    assert [case["id"] for case in read(made, "signals.json")["cases"]] == [case_id]
    assert [t["id"] for t in read(made, "requests.json")["tickets"]] == [ticket.id]
    assert "ticket:opened" in {entry["tag"] for entry in read(made, "audit.jsonl")}


async def test_a_ticket_about_no_customer_has_nobodys_matters_in_it(w: Workshop):
    await history(w)
    ticket = await a_ticket(w)
    nobodys = replace(ticket, about=about(None, None))
    async with w.store.begin() as tx:
        await tx.tickets.save(nobodys)
    made = await make(w, ticket.id)
    assert read(made, "invoices.json")["open"] == read(made, "notices.json")["notices"] == []
    assert {entry["subject"] for entry in read(made, "audit.jsonl")} == {ticket.id}


async def test_what_is_too_much_is_cut_at_the_old_end_and_the_manifest_says_so(
    w: Workshop, monkeypatch: pytest.MonkeyPatch
):
    case_id = await history(w)
    monkeypatch.setattr(evidence, "MOST_ENTRIES", 2)
    made = await make(w, case_id)
    assert [entry["tag"] for entry in read(made, "audit.jsonl")] == ["case:opened", "case:judged"]
    assert read(made, "manifest.json")["cut"] == {"audit": 1}


async def test_the_ticket_says_what_is_offered_else_everything_is(w: Workshop):
    case_id = await history(w)
    chosen = await a_ticket(w, parts=[Evidence.NOTICES, Evidence.AUDIT])
    assert (await packs(w).offer(chosen.id, by=ana)).parts == (Evidence.NOTICES, Evidence.AUDIT)
    assert (await packs(w).offer(case_id, by=ben)).parts == EVERYTHING


@pytest.mark.parametrize("about_id", ["T-GONE", "C-GONE", "", "R-TEST000001"])
async def test_what_does_not_exist_is_not_packed(w: Workshop, about_id: str):
    with pytest.raises(NotFound):
        await make(w, about_id)


async def test_a_draft_is_nobodys_business(w: Workshop):
    await w.store.write(addition(Ticket(TicketId("T-DRAFT00001"), ana.id, noon), at=noon))
    with pytest.raises(NotFound):
        await make(w, "T-DRAFT00001")


async def test_who_has_no_right_learns_nothing(w: Workshop):
    case_id = await history(w)
    before = [event.tag for event in await w.story(case_id)]
    for asked in (packs(w).offer(case_id, by=eve), make(w, case_id, by=eve)):
        with pytest.raises(NotPermitted):
            await asked
    assert [event.tag for event in await w.story(case_id)] == before
