"""What stands in a pack: everything in a complete one, and nobody's name or words in a redacted one."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC
from decimal import Decimal

import pytest

from bot.domain.action import Reason
from bot.domain.audit import GENESIS, AuditEvent, AuditTag, chained
from bot.domain.case import Judged, Step, Ticked, Verdict
from bot.domain.evidence import verify
from bot.domain.evidence_material import LEFT_OUT, CaseFile, Material
from bot.domain.evidence_parts import compose
from bot.domain.evidence_zip import MANIFEST
from bot.domain.glass import BreakGlass
from bot.domain.matter import Check, Evidence, Matter, TicketKind, TicketSeverity, about
from bot.domain.people import PersonId
from bot.domain.receivables import OpenItem
from bot.domain.request import Outcome, Result
from bot.domain.signal import Rule, Severity, Signal
from bot.domain.ticket import HandOver, Ticket, TicketId, VendorNote, VendorState, Way
from tests.builders import (
    CONTOSO,
    DAY,
    HOUR,
    a_customer,
    a_letter,
    a_request,
    a_subscription,
    a_target,
    an_action,
    ana,
    ben,
    noon,
    settled,
)

SECRET = "Zorro"
"""In everything that somebody wrote, and in every name."""
MAIL = f"{SECRET}@contoso.example"
EVERYTHING = tuple(Evidence)


def a_ticket() -> Ticket:
    """Filed, answered, resolved and closed."""
    matter = Matter(
        TicketKind.FRAUD,
        TicketSeverity.CRITICAL,
        title=f"{SECRET} title",
        description=f"{SECRET}\ndescription",
        tried=SECRET,
        checked=(Check.HEALTH,),
        contact=f"{SECRET}, +49 30 1234567",
        quoted=SECRET,
        link=f"https://slack.example/{SECRET}",
    )
    what = about(
        a_customer(name=SECRET, domain=f"{SECRET}.example"), a_subscription(name=SECRET, offer_id="offer-1")
    )
    mailed = HandOver(Way.EMAIL, MAIL)
    ticket = Ticket(TicketId("T-TEST000001"), ana.id, noon, origin="C-TEST000001").fill_in(
        matter, what, subject=SECRET, text=f"{SECRET} draft", portal="", hand_over=mailed, by=ana
    )
    ticket = ticket.confirm(by=ana, at=noon, approvals_needed=1, time_to_live=DAY)
    ticket = ticket.approve(by=ben, at=noon + HOUR).claim(holder="w", at=noon + HOUR)
    ticket = ticket.handed_over(at=noon + HOUR).file("2412345", by=ana.id, at=noon + 2 * HOUR)
    notes = (VendorNote(SECRET, MAIL, noon + 3 * HOUR),)
    ticket = ticket.heard(VendorState("2412345", "open", notes), at=noon + 3 * HOUR)
    ticket = ticket.resolve(by=ana, at=noon + 4 * HOUR, how=SECRET)
    return ticket.close(by=ana, at=noon + 5 * HOUR, language="de", text_hash="f" * 64)


def a_trail() -> tuple[AuditEvent, ...]:
    facts: list[tuple[str, AuditTag, str, dict[str, object]]] = [
        (
            "R-1",
            AuditTag.REQUEST_PLACED,
            ana.id,
            {"customer": CONTOSO, "customer_name": SECRET, "note": SECRET},
        ),
        (
            "R-1",
            AuditTag.REQUEST_DENIED,
            ben.id,
            {"why": SECRET, "reason": MAIL, "subscriptions": {"s-1": SECRET}},
        ),
        ("R-1", AuditTag.REQUEST_STARTED, "backstop", {"attempt": 1}),
        ("C-1", AuditTag.CASE_REPORTED, ana.id, {"words": SECRET, "reason": f"a {SECRET}"}),
    ]
    chain: list[AuditEvent] = []
    for seq, (subject, tag, by, said) in enumerate(facts, start=1):
        previous = chain[-1].hash if chain else GENESIS
        chain.append(
            chained(seq=seq, at=noon, tag=tag, subject=subject, by=by, facts=said, previous=previous)
        )
    return tuple(chain)


def a_case() -> CaseFile:
    report = Signal(
        Rule.REPORT, "r", noon, 60, {"by": ana.id, "words": SECRET, "day": noon.date()}, ("report V1",)
    )
    alert = Signal(
        Rule.FRAUD_EVENT,
        "f",
        noon,
        80,
        {"type": "CryptoMining", "name": f"{SECRET} mines", "hits": 3},
        ("fraud event 5f2c", f"/subscriptions/x/resourceGroups/{SECRET}"),
        Severity.HIGH,
    )
    spend = Signal(Rule.SPEND_SPIKE, "s", noon, 45, {"amount": Decimal("12.50"), "currency": "EUR"})
    return CaseFile(
        "C-TEST000001",
        noon,
        (("fraud_event", 80),),
        (report, alert, spend),
        (Judged(Verdict.FRAUD, ben.id, noon + HOUR, SECRET),),
        (Ticked(Step.MFA, ana.id, noon + HOUR),),
    )


def material() -> Material:
    action = an_action(customer_name=SECRET, note=SECRET)
    asked = a_request(action=action, targets=[a_target(name=SECRET)], policy_note=SECRET)
    executing = asked.approve(by=ben, at=noon + HOUR).claim(at=noon + HOUR, holder="w", lease=HOUR)
    failed = Outcome(error="rejected", reason="800002", correlation_id="0a1b2c3d")
    done = settled(executing, Result.FAILED, outcome=failed, at=noon + HOUR)
    letter = a_letter(customer_name=SECRET, to=MAIL, subject=SECRET, body=SECRET)
    sent = letter.copied(by=ana, at=noon + HOUR, zone=UTC)
    item = OpenItem(
        customer=SECRET,
        customer_code=SECRET,
        document_number="2026/1001",
        issue_date=noon.date() - 40 * DAY,
        due_date=noon.date() - 10 * DAY,
        currency="EUR",
        total=Decimal("119.00"),
        open_amount=Decimal("19.00"),
    )
    ticket = a_ticket()
    return Material(
        about=ticket.id,
        customer_id=CONTOSO,
        ticket=ticket,
        tickets=(ticket,),
        requests=(done,),
        letters=(sent,),
        items=(item, replace(item, document_number=f"{SECRET} & Sons")),
        books_as_of=noon.date(),
        cases=(a_case(),),
        trail=a_trail(),
    )


def packed(*parts: Evidence, redacted: bool = False) -> dict[str, bytes]:
    made = compose(material(), parts or EVERYTHING, redacted=redacted, at=noon, by=ana.id)
    archive = zipfile.ZipFile(io.BytesIO(made.content))
    return {name: archive.read(name) for name in archive.namelist()}


def test_twice_the_same_is_the_same_to_the_byte():
    for redacted in (False, True):
        one, two = (compose(material(), EVERYTHING, redacted=redacted, at=noon, by=ana.id) for _ in range(2))
        assert one == two


def test_a_complete_one_has_everything_and_every_entry_gives_its_own_hash_again():
    made = compose(material(), EVERYTHING, redacted=False, at=noon, by=ana.id)
    verified = verify(made.content)
    assert verified.ok
    assert (verified.by_content, verified.by_place) == (4, 0)
    files = packed()
    assert set(files) == {
        *("audit.jsonl", "draft.txt", "invoices.json", "manifest.json", "notices.json"),
        *("requests.json", "signals.json", "ticket.json", "timeline.txt"),
    }
    for name in set(files) - {MANIFEST}:
        assert SECRET in files[name].decode(), name
    assert LEFT_OUT not in "".join(content.decode() for content in files.values())


def test_a_redacted_one_has_nobodys_name_address_or_words():
    for name, content in packed(redacted=True).items():
        words = content.decode()
        for hidden in (SECRET, "contoso.example", "1234567", ana.id, ben.id):
            assert hidden not in words, (hidden, name)


def test_a_redacted_one_keeps_what_microsoft_finds_the_matter_by():
    files = packed(redacted=True)
    ticket, signals = json.loads(files["ticket.json"]), json.loads(files["signals.json"])
    assert (ticket["number"], ticket["customer"], ticket["offer"]) == ("2412345", CONTOSO, "offer-1")
    (request,) = json.loads(files["requests.json"])["requests"]
    (target,) = request["subscriptions"]
    assert target["id"] == a_subscription().id
    assert target["outcome"]["correlation_id"] == "0a1b2c3d"
    _, alert, spend = signals["cases"][0]["signals"]
    assert alert["look_up"] == ["fraud event 5f2c", LEFT_OUT]
    assert alert["facts"] == {"type": "CryptoMining", "name": LEFT_OUT, "hits": 3}
    assert spend["facts"] == {"amount": "12.50", "currency": "EUR"}
    items = json.loads(files["invoices.json"])["open"]
    assert [(item["document"], item["open"]) for item in items] == [
        ("2026/1001", "19.00"),
        (LEFT_OUT, "19.00"),
    ]
    (letter,) = json.loads(files["notices.json"])["notices"]
    assert letter["text_sha256"] == material().letters[0].text_hash
    manifest = json.loads(files[MANIFEST])
    assert manifest["redacted"] is True
    assert any("mail addresses" in each for each in manifest["left_out"])
    assert any("tenant" in each for each in manifest["kept"])


def test_a_person_has_the_same_pseudonym_in_the_whole_pack():
    files = packed(redacted=True)
    opened_by = json.loads(files["ticket.json"])["opened_by"]
    assert opened_by == json.loads(files["requests.json"])["requests"][0]["requested_by"]
    assert opened_by == json.loads(files["audit.jsonl"].splitlines()[0])["by"]
    assert opened_by == json.loads(files[MANIFEST])["made_by"]
    decided = json.loads(files["requests.json"])["requests"][0]["decisions"][0]["by"]
    assert {opened_by, decided} == {"person-1", "person-2"}


def test_a_redacted_entry_keeps_its_place_and_one_with_nothing_to_hide_its_content():
    verified = verify(compose(material(), EVERYTHING, redacted=True, at=noon, by=ana.id).content)
    assert verified.ok
    assert (verified.by_content, verified.by_place, verified.by_manifest) == (1, 3, 0)
    lines = [json.loads(line) for line in packed(redacted=True)["audit.jsonl"].splitlines()]
    assert [line.get("redacted") for line in lines] == [True, True, None, True]
    assert [line["hash"] for line in lines] == [event.hash for event in a_trail()]
    assert lines[0]["facts"] == {"customer": CONTOSO}
    assert lines[1]["facts"] == {"reason": LEFT_OUT, "subscriptions": ["s-1"]}


def test_the_timeline_tells_what_happened_in_order_one_line_each():
    _, _, *lines = packed()["timeline.txt"].decode().splitlines()
    moments = [line[:19].strip() for line in lines]
    assert moments == sorted(moments)
    told = "\n".join(lines)
    for said in (
        "2026-10-14           |  invoice issued  |  2026/1001",
        "request placed  |  R-TEST000001  |  by U0ANA  |  suspend, non_payment, 1 subscription(s)",
        "ticket filed  |  T-TEST000001  |  by U0ANA  |  number 2412345",
        "notice copied  |  L-TEST000001",
        "signal fraud_event  |  C-TEST000001  |  80 points",
        "case judged fraud  |  C-TEST000001  |  by U0BEN  |  Zorro",
        "customer informed",
    ):
        assert said in told


@pytest.mark.parametrize("part", Evidence)
def test_a_part_that_was_not_chosen_is_not_in_it(part: Evidence):
    files = packed(*(other for other in Evidence if other is not part))
    names = {"timeline": "timeline.txt", "audit": "audit.jsonl"}
    assert names.get(part, f"{part.value}.json") not in files
    assert json.loads(files[MANIFEST])["parts"] == [p.value for p in Evidence if p is not part]


def test_the_timeline_tells_nothing_of_what_was_not_chosen():
    words = packed(Evidence.TIMELINE, Evidence.NOTICES)["timeline.txt"].decode()
    assert "L-TEST000001" in words
    assert not any(other in words for other in ("R-TEST000001", "C-TEST000001", "2026/1001"))


def test_a_line_of_the_timeline_stays_one_line_whatever_anybody_wrote():
    said = Judged(Verdict.FRAUD, PersonId("U0BEN"), noon, "one\ntwo\r\n\x1b[2Jthree\u2028four")
    shown = replace(material(), cases=(replace(a_case(), signals=(), said=(said,)),))
    made = compose(shown, [Evidence.TIMELINE, Evidence.SIGNALS], redacted=False, at=noon, by=ana.id)
    text = zipfile.ZipFile(io.BytesIO(made.content)).read("timeline.txt").decode()
    (line,) = [line for line in text.splitlines() if "judged" in line]
    assert line.endswith("one two [2Jthree four")


def test_a_broken_glass_is_told_as_one_and_its_reason_only_in_a_complete_pack():
    fraud = a_request(action=an_action(reason=Reason.FRAUD))
    broken = fraud.break_glass(BreakGlass(frozenset({ana.id})), by=ana, at=noon, why=f"{SECRET} " * 5)
    shown = replace(material(), requests=(broken,))
    for redacted in (False, True):
        made = compose(shown, EVERYTHING, redacted=redacted, at=noon, by=ana.id)
        files = zipfile.ZipFile(io.BytesIO(made.content))
        lines = files.read("timeline.txt").decode().splitlines()
        (line,) = [line for line in lines if "let act by breaking the glass" in line]
        (asked,) = json.loads(files.read("requests.json"))["requests"]
        assert [said["verdict"] for said in asked["decisions"]] == ["break-glass"]
        assert (SECRET in line) is (SECRET in str(asked["decisions"])) is not redacted


def test_half_a_character_does_not_stop_it():
    shown = replace(material(), ticket=replace(a_ticket(), text="half \ud800 of it"))
    assert verify(compose(shown, EVERYTHING, redacted=False, at=noon, by=ana.id).content).ok
