"""The timeline in an evidence pack: a line for whatever happened, complete or redacted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from bot.domain.evidence_material import CaseFile, Material, Veil
from bot.domain.letter import Letter, one_line
from bot.domain.receivables import OpenItem
from bot.domain.request import ActionRequest, Decision
from bot.domain.ticket import Ticket

_Happening = tuple[datetime | date, str, str, str | None, str]
"""When, what, to what, by whom, and what there is to say."""


def timeline(material: Material, veil: Veil) -> bytes:
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
