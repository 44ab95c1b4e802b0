"""What stands in an evidence pack, complete or redacted. Whoever the pack is for reads it: the keys are English."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from bot.domain.audit import AuditEvent
from bot.domain.case import Judged, Ticked
from bot.domain.evidence import Entry, Label, Pack, as_json, pack
from bot.domain.letter import Letter, one_line
from bot.domain.matter import Evidence
from bot.domain.receivables import OpenItem
from bot.domain.request import ActionRequest, Decision, Target
from bot.domain.signal import Signal
from bot.domain.ticket import Ticket

Document = dict[str, object]

LEFT_OUT: Final = "[left out]"
WHAT_IS_LEFT_OUT: Final = (
    "names of the customer, of its domain and of its subscriptions",
    "names of people: everybody is person-1, person-2, ..., the same in the whole pack",
    "mail addresses and telephone numbers",
    "subjects and texts of notices: their SHA-256 is given",
    "the draft of the ticket: its SHA-256 is given",
    "what people wrote: titles, descriptions, notes, reasons, answers, reports",
    "words in the facts of signals and of audit entries, names of resources",
)
WHAT_IS_KEPT: Final = (
    "ids of tenant, subscriptions, offers, orders and service requests, by which Microsoft finds the matter",
    "amounts, dates and document numbers",
    "of every audit entry: number, moment, tag, subject, predecessor and hash",
)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/-]{0,79}")
"""An id, a number or a key; nothing that could be a sentence, and no mail address."""
_PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
_POINTER = re.compile(r"[a-z]{2,20}( [a-z]{2,20})? [A-Za-z0-9._:-]{1,80}")
"""Such as `order 123`; nothing with a path in it, for paths have names."""
_WORDED_FACTS: Final = frozenset({"currency", "type", "severity", "confidence"})
_PLAIN_FACTS: Final = frozenset(
    {
        *("approvals_needed", "attempt", "begun", "cap", "changed", "closes", "confirmed", "correlation_id"),
        *("customer", "decided", "deletes_on", "dry_run", "error", "instead_of", "kind", "language", "limit"),
        *(
            "manifest_sha256",
            "mute",
            "not_before",
            "number",
            "origin",
            "outcome",
            "parts",
            "reason",
            "redacted",
        ),
        *(
            "result",
            "rule",
            "rules",
            "score",
            "severity",
            "source",
            "stage",
            "status",
            "step",
            "subscription",
        ),
        *("subscriptions", "text_sha256", "unchecked", "until", "verb", "verdict", "way"),
    }
)
"""The facts of audit entries that can be kept, as far as they are codes, numbers or days."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all that was said of it."""

    id: str
    opened_at: datetime
    findings: tuple[tuple[str, int], ...]
    """Rule and points of all that was ever found, as it was recorded."""
    signals: tuple[Signal, ...]
    """What of it the rules in force find today, with the facts it rests on; the oldest first."""
    said: tuple[Judged, ...] = ()
    ticked: tuple[Ticked, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """All there is to one matter, as it was read; everything in the order of time."""

    about: str
    customer_id: str = ""
    ticket: Ticket | None = None
    tickets: tuple[Ticket, ...] = ()
    """Those about the same customer, that one among them."""
    requests: tuple[ActionRequest, ...] = ()
    letters: tuple[Letter, ...] = ()
    items: tuple[OpenItem, ...] = ()
    books_as_of: date | None = None
    cases: tuple[CaseFile, ...] = ()
    trail: tuple[AuditEvent, ...] = ()
    cut: Mapping[str, int] = field(default_factory=dict)


class Veil:
    """What lies over a redacted pack; over a complete one it hides nothing."""

    def __init__(self, *, redacted: bool) -> None:
        self.redacted = redacted
        self._people: dict[str, str] = {}

    def person(self, id: str | None) -> str | None:
        """The same pseudonym for the same person in the whole pack; what nobody clicked stays Backstop's."""
        if not id or not self.redacted or id == "backstop":
            return id
        return self._people.setdefault(id, f"person-{len(self._people) + 1}")

    def words(self, text: str | None) -> str | None:
        return LEFT_OUT if text and self.redacted else text

    def code(self, text: str | None) -> str | None:
        """A key, a number or an id stays, whatever else it should turn out to be does not."""
        if not text or not self.redacted:
            return text
        if _PERSON.fullmatch(text):
            return self.person(text)
        return text if _CODE.fullmatch(text) else LEFT_OUT

    def pointer(self, text: str) -> str:
        return text if not self.redacted or _POINTER.fullmatch(text) else LEFT_OUT


def compose(
    material: Material, parts: Collection[Evidence], *, redacted: bool, at: datetime, by: str
) -> Pack:
    """Make the pack of these parts. Raises PackTooLarge."""
    veil, chosen = Veil(redacted=redacted), tuple(part for part in Evidence if part in parts)
    shown = _only(material, chosen)
    files: dict[str, bytes] = {}
    if material.ticket:
        files["ticket.json"] = as_json(_ticket(material.ticket, veil))
        if not redacted:
            draft = f"{material.ticket.subject}\n\n{material.ticket.text}\n"
            files["draft.txt"] = draft.encode("utf-8", "replace")
    writers: Mapping[Evidence, tuple[str, Callable[[Material, Veil], bytes]]] = {
        Evidence.REQUESTS: ("requests.json", _requests),
        Evidence.NOTICES: ("notices.json", _notices),
        Evidence.INVOICES: ("invoices.json", _invoices),
        Evidence.SIGNALS: ("signals.json", _signals),
        Evidence.TIMELINE: ("timeline.txt", _timeline),
    }
    for part, (name, written) in writers.items():
        if part in chosen:
            files[name] = written(shown, veil)
    entries = [_entry(event, veil) for event in material.trail] if Evidence.AUDIT in chosen else None
    label = Label(
        about=material.about,
        customer=material.customer_id,
        made_at=at,
        made_by=veil.person(by) or "",
        redacted=redacted,
        parts=tuple(part.value for part in chosen),
        left_out=WHAT_IS_LEFT_OUT if redacted else (),
        kept=WHAT_IS_KEPT if redacted else (),
        cut=dict(material.cut),
    )
    return pack(label, files, entries)


def _only(material: Material, chosen: Collection[Evidence]) -> Material:
    """What the chosen parts have in them: the timeline tells of nothing else."""
    return replace(
        material,
        tickets=material.tickets if Evidence.REQUESTS in chosen else (),
        requests=material.requests if Evidence.REQUESTS in chosen else (),
        letters=material.letters if Evidence.NOTICES in chosen else (),
        items=material.items if Evidence.INVOICES in chosen else (),
        cases=material.cases if Evidence.SIGNALS in chosen else (),
    )


# The parts.


def _ticket(ticket: Ticket, veil: Veil) -> Document:
    matter, what, over, vendor = ticket.matter, ticket.about, ticket.hand_over, ticket.vendor
    return {
        **_ticket_in_short(ticket, veil),
        "domain": veil.words(what.domain),
        "subscription_name": veil.words(what.subscription_name),
        "subscription_kind": what.subscription_kind.value if what.subscription_kind else None,
        "subscription_status": veil.code(what.subscription_status),
        "offer": veil.code(what.offer_id),
        "order": veil.code(what.order_id),
        "azure_subscription": veil.code(what.azure_id),
        "description": veil.words(matter.description) if matter else None,
        "tried": veil.words(matter.tried) if matter else None,
        "checked": [check.value for check in matter.checked] if matter else [],
        "contact": veil.words(matter.contact) if matter else None,
        "quoted": veil.words(matter.quoted) if matter else None,
        "link": veil.words(matter.link) if matter else None,
        "draft_sha256": hashlib.sha256(
            f"{ticket.subject}\n{ticket.text}".encode("utf-8", "replace")
        ).hexdigest(),
        "hand_over": {
            "way": over.way.value,
            "to": veil.words(over.to),
            "stage": over.stage.value if over.stage else None,
            "at": _moment(over.done_at),
            "error": over.error,
            "reason": veil.code(over.reason),
        },
        "at_microsoft": vendor
        and {
            "number": veil.code(vendor.number),
            "status": veil.code(vendor.status),
            "changed_at": _moment(vendor.changed_at),
            "read_at": _moment(ticket.vendor_read_at),
            "notes": [
                {"at": _moment(n.at), "by": veil.words(n.by), "ours": n.is_ours, "text": veil.words(n.text)}
                for n in vendor.notes
            ],
        },
        "answered_at": _moment(ticket.answered_at),
        "resolution": veil.words(ticket.resolution),
        "customer_informed": {
            "at": _moment(ticket.informed_at),
            "by": veil.person(ticket.informed_by),
            "language": ticket.informed_in,
            "text_sha256": ticket.informed_hash,
        },
    }


def _ticket_in_short(ticket: Ticket, veil: Veil) -> Document:
    matter, what = ticket.matter, ticket.about
    return {
        "id": ticket.id,
        "status": ticket.status.value,
        "kind": matter.kind.value if matter else None,
        "severity": matter.severity.value if matter else None,
        "title": veil.words(matter.title) if matter else None,
        "follows_from": veil.code(ticket.origin),
        "customer": what.customer_id,
        "customer_name": veil.words(what.customer_name),
        "subscription": what.subscription_id,
        "number": veil.code(ticket.number),
        "opened_by": veil.person(ticket.opened_by),
        "placed_at": _moment(ticket.placed_at),
        "opened_at": _moment(ticket.opened_at),
        "approvals_needed": ticket.approvals_needed,
        "decisions": [_decision(decision, veil) for decision in ticket.decisions],
        "filed_at": _moment(ticket.filed_at),
        "filed_by": veil.person(ticket.filed_by),
        "resolved_at": _moment(ticket.resolved_at),
        "resolved_by": veil.person(ticket.resolved_by),
        "closed_at": _moment(ticket.closed_at),
        "dry_run": ticket.dry_run,
    }


def _requests(material: Material, veil: Veil) -> bytes:
    asked = [_request(request, veil) for request in material.requests]
    tickets = [_ticket_in_short(ticket, veil) for ticket in material.tickets]
    return as_json({"requests": asked, "tickets": tickets})


def _request(request: ActionRequest, veil: Veil) -> Document:
    action = request.action
    return {
        "id": request.id,
        "verb": action.verb.value,
        "reason": action.reason.value,
        "note": veil.words(action.note),
        "customer": action.customer_id,
        "customer_name": veil.words(action.customer_name),
        "policy": veil.words(request.policy_note),
        "status": request.status.value,
        "requested_by": veil.person(request.requested_by),
        "placed_at": _moment(request.placed_at),
        "not_before": _moment(request.not_before),
        "approvals_needed": request.approvals_needed,
        "decisions": [_decision(decision, veil) for decision in request.decisions],
        "closed_at": _moment(request.closed_at),
        "closed_by": veil.person(request.closed_by),
        "called_off": str(request.gone) if request.gone else None,
        "dry_run": request.dry_run,
        "subscriptions": [_target(target, veil) for target in request.targets],
    }


def _target(target: Target, veil: Veil) -> Document:
    came = target.outcome
    return {
        "id": target.subscription_id,
        "name": veil.words(target.name),
        "result": target.result.value,
        "begun_at": _moment(target.begun_at),
        "ended_at": _moment(target.ended_at),
        "ms_request_id": target.ms_request_id,
        "outcome": came
        and {
            "changed": came.changed,
            "confirmed": came.confirmed,
            "dry_run": came.dry_run,
            "error": came.error,
            "reason": veil.code(came.reason),
            "correlation_id": veil.code(came.correlation_id),
            "deletes_on": came.deletes_on.isoformat() if came.deletes_on else None,
        },
    }


def _decision(decision: Decision, veil: Veil) -> Document:
    return {
        "verdict": decision.verdict.value,
        "by": veil.person(decision.by),
        "at": _moment(decision.at),
        "why": veil.words(decision.why),
    }


def _notices(material: Material, veil: Veil) -> bytes:
    return as_json({"notices": [_letter(letter, veil) for letter in material.letters]})


def _letter(letter: Letter, veil: Veil) -> Document:
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "language": letter.language,
        "stage": veil.code(letter.stage),
        "status": letter.status.value,
        "written_by": veil.person(letter.written_by),
        "written_at": _moment(letter.written_at),
        "sent_at": _moment(letter.sent_at),
        "counts_from": letter.recorded_on.isoformat() if letter.recorded_on else None,
        "to": veil.words(letter.to),
        "subject": veil.words(letter.subject),
        "text": veil.words(letter.body),
        "text_sha256": letter.text_hash,
        "error": letter.error,
        "reason": veil.code(letter.reason),
    }


def _invoices(material: Material, veil: Veil) -> bytes:
    as_of = material.books_as_of.isoformat() if material.books_as_of else None
    return as_json({"as_of": as_of, "open": [_item(item, veil) for item in material.items]})


def _item(item: OpenItem, veil: Veil) -> Document:
    return {
        "document": veil.code(item.document_number),
        "instalment": item.instalment,
        "kind": item.kind.value,
        "customer_name": veil.words(item.customer),
        "customer_code": veil.words(item.customer_code),
        "issued_on": item.issue_date.isoformat() if item.issue_date else None,
        "due_on": item.due_date.isoformat(),
        "currency": item.currency,
        "total": str(item.total) if item.total is not None else None,
        "open": str(item.open_amount),
        "disputed": item.disputed,
        "promised_for": item.promise_to_pay.isoformat() if item.promise_to_pay else None,
        "blocked": item.dunning_blocked,
    }


def _signals(material: Material, veil: Veil) -> bytes:
    return as_json({"cases": [_case(case, veil) for case in material.cases]})


def _case(case: CaseFile, veil: Veil) -> Document:
    return {
        "id": case.id,
        "opened_at": _moment(case.opened_at),
        "recorded": [{"rule": rule, "points": points} for rule, points in case.findings],
        "signals": [
            {
                "rule": signal.rule.value,
                "at": _moment(signal.at),
                "points": signal.points,
                "severity": signal.severity.value,
                "facts": {name: _fact(name, value, veil) for name, value in signal.facts.items()},
                "look_up": [veil.pointer(each) for each in signal.evidence],
            }
            for signal in case.signals
        ],
        "verdicts": [
            {
                "verdict": said.verdict.value,
                "by": veil.person(said.by),
                "at": _moment(said.at),
                "until": said.until.isoformat() if said.until else None,
                "note": veil.words(said.note),
            }
            for said in case.said
        ],
        "steps_done": [
            {"step": done.step.value, "by": veil.person(done.by), "at": _moment(done.at)}
            for done in case.ticked
        ],
    }


def _fact(name: str, value: object, veil: Veil) -> object:
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if not isinstance(value, str):
        return value
    if name == "by":
        return veil.person(value)
    return veil.code(value) if name in _WORDED_FACTS else veil.words(value)


def _entry(event: AuditEvent, veil: Veil) -> Entry:
    """As it is, where nothing in it has to be left out: then its own hash can be worked out again."""
    if not veil.redacted:
        return Entry(event)
    facts = {name: _kept(value, veil) for name, value in event.facts.items() if name in _PLAIN_FACTS}
    reduced = replace(event, by=veil.person(event.by) or "", facts=facts)
    return Entry(event) if reduced == event else Entry(reduced, redacted=True)


def _kept(value: object, veil: Veil) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return veil.code(value)
    if isinstance(value, Mapping):  # ids with their names
        return [veil.code(str(key)) for key in value]
    return [_kept(each, veil) for each in value] if isinstance(value, list) else LEFT_OUT


# The timeline.

_Happening = tuple[datetime | date, str, str, str | None, str]
"""When, what, to what, by whom, and what there is to say."""


def _timeline(material: Material, veil: Veil) -> bytes:
    """A line a happening, the oldest first, every moment in UTC."""
    found = [
        *(each for request in material.requests for each in _of_request(request, veil)),
        *(each for ticket in _tickets(material) for each in _of_ticket(ticket, veil)),
        *(each for letter in material.letters for each in _of_letter(letter, veil)),
        *(each for item in material.items for each in _of_item(item, veil)),
        *(each for case in material.cases for each in _of_case(case, veil)),
    ]
    lines = [_told(happening) for happening in sorted(found, key=_order)]
    about = f"{material.about}, tenant {material.customer_id}" if material.customer_id else material.about
    return "\n".join([f"Timeline of {about} (UTC)", "", *lines, ""]).encode("utf-8", "replace")


def _tickets(material: Material) -> Iterable[Ticket]:
    others = [t for t in material.tickets if material.ticket is None or t.id != material.ticket.id]
    return [*others, *([material.ticket] if material.ticket else [])]


def _order(happening: _Happening) -> tuple[str, int, str, str]:
    """By day and moment; what has only a day comes first on it."""
    return (_when(happening[0]), 0 if isinstance(happening[0], datetime) else -1, happening[2], happening[1])


def _when(at: datetime | date) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(at, datetime) else at.isoformat()


def _told(happening: _Happening) -> str:
    at, what, subject, by, more = happening
    said = [f"{_when(at):<19}", one_line(what), one_line(subject)]
    said += [f"by {one_line(by)}"] if by else []
    said += [one_line(more)] if more else []
    return "  |  ".join(said)


def _of_request(request: ActionRequest, veil: Veil) -> Iterable[_Happening]:
    action, id = request.action, request.id
    asked = f"{action.verb.value}, {action.reason.value}, {len(request.targets)} subscription(s)"
    yield request.placed_at, "request placed", id, veil.person(request.requested_by), asked
    yield from _decided(request.decisions, "request", id, veil)
    for target in request.targets:
        if target.ended_at:
            came = target.outcome
            error = f", {came.error}" if came and came.error else ""
            said = f"{target.subscription_id}: {target.result.value}{error}"
            yield target.ended_at, f"{action.verb.value} ended", id, None, said
    if request.closed_at:
        by = veil.person(request.closed_by)
        yield request.closed_at, f"request {request.status.value}", id, by, str(request.gone or "")


def _decided(
    decisions: Sequence[Decision], what: str, id: str, veil: Veil
) -> Iterable[tuple[datetime, str, str, str | None, str]]:
    verbs = {"approve": "approved", "deny": "denied", "break-glass": "let act by breaking the glass"}
    for said in decisions:
        yield (
            said.at,
            f"{what} {verbs[said.verdict.value]}",
            id,
            veil.person(said.by),
            veil.words(said.why) or "",
        )


def _of_ticket(ticket: Ticket, veil: Veil) -> Iterable[_Happening]:
    kind = f"{ticket.matter.kind.value}, {ticket.matter.severity.value}" if ticket.matter else ""
    over, vendor, person = ticket.hand_over, ticket.vendor, veil.person
    filed = f"number {veil.code(ticket.number)}"
    happened: list[tuple[datetime | None, str, str | None, str]] = [
        (ticket.placed_at, "ticket opened", person(ticket.opened_by), kind),
        (over.done_at, "ticket handed over", None, over.way.value),
        (ticket.filed_at, "ticket filed", person(ticket.filed_by), filed),
        (ticket.answered_at, "first answer known", None, ""),
        (
            ticket.resolved_at,
            "ticket resolved",
            person(ticket.resolved_by),
            veil.words(ticket.resolution) or "",
        ),
        (ticket.informed_at, "customer informed", person(ticket.informed_by), ticket.informed_in),
        (ticket.closed_at, f"ticket {ticket.status.value}", person(ticket.closed_by), ""),
    ]
    for note in vendor.notes if vendor else ():
        said = veil.words(note.text) or ""
        happened.append((note.at, "note at Microsoft", None if note.is_ours else "the other side", said))
    yield from _decided(ticket.decisions, "ticket", ticket.id, veil)
    for at, what, by, more in happened:
        if at:
            yield at, what, ticket.id, by, more


def _of_letter(letter: Letter, veil: Veil) -> Iterable[_Happening]:
    said = f"{letter.kind.value}, {letter.language}"
    by = veil.person(letter.written_by)
    if letter.sent_at:
        yield letter.sent_at, f"notice {letter.status.value}", letter.id, by, said
    elif letter.asked_at:
        yield letter.asked_at, f"notice asked for, {letter.status.value}", letter.id, by, said


def _of_item(item: OpenItem, veil: Veil) -> Iterable[_Happening]:
    number = veil.code(item.document_number) or ""
    said = f"open {item.open_amount} {item.currency}{', disputed' if item.disputed else ''}"
    if item.issue_date:
        yield item.issue_date, f"{item.kind.value} issued", number, None, said
    yield item.due_date, f"{item.kind.value} due", number, None, said


def _of_case(case: CaseFile, veil: Veil) -> Iterable[_Happening]:
    yield case.opened_at, "case opened", case.id, None, ""
    for signal in case.signals:
        points = f"{signal.points} points"
        yield signal.at, f"signal {signal.rule.value}", case.id, None, points
    for said in case.said:
        words = veil.words(said.note) or ""
        yield said.at, f"case judged {said.verdict.value}", case.id, veil.person(said.by), words
    for done in case.ticked:
        yield done.at, f"step {done.step.value} done", case.id, veil.person(done.by), ""


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
