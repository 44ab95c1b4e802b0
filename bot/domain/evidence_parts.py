"""What stands in an evidence pack, complete or redacted. Whoever the pack is for reads it: the keys are English."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from bot.domain.audit import AuditEvent
from bot.domain.evidence import Entry, Label, Pack, as_json, pack
from bot.domain.evidence_material import LEFT_OUT, CaseFile, Material, Veil
from bot.domain.evidence_timeline import timeline
from bot.domain.letter import Letter
from bot.domain.matter import Evidence
from bot.domain.receivables import OpenItem
from bot.domain.request import ActionRequest, Decision, Target
from bot.domain.ticket import Ticket

Document = dict[str, object]

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
        Evidence.TIMELINE: ("timeline.txt", timeline),
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


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
