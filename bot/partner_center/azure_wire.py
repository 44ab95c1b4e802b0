"""JSON ⇄ a ticket of Azure's own, without I/O: the shapes of Microsoft.Support, api-version 2024-04-01.

github.com/Azure/azure-rest-api-specs: specification/support/resource-manager/Microsoft.Support
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from babel.core import get_global

from bot.domain.contact import contact_person
from bot.domain.errors import Rejected
from bot.domain.matter import TicketSeverity
from bot.domain.ticket import Ticket, VendorNote, VendorState
from bot.partner_center.fields import Fields, Unreadable
from bot.partner_center.service_requests import in_order, status
from bot.partner_center.wire import Page, graph_page, linked

T = TypeVar("T")

OURS: Final = "backstop-"
"""What we name begins so."""
MOST_SUBJECT: Final = 100
_LANGUAGE: Final = "en-us"
"""The language that drafts for Microsoft are written in."""


@dataclass(frozen=True, slots=True)
class AzureState:
    """A ticket as Azure has it, without what was written on it."""

    state: VendorState
    contact_email: str

    def with_notes(self, notes: list[VendorNote]) -> VendorState:
        known = self.state
        return VendorState(known.number, known.status, in_order(notes), known.changed_at)


def ticket_body(ticket: Ticket, *, contact: str, country: str, zone: ZoneInfo, at: datetime) -> bytes:
    """What opens it. Raises `Rejected` for what Microsoft demands and nobody has said.

    Nobody has consented to diagnostics, so none is given. The specification knows no longest description.
    """
    matter = ticket.matter
    if matter is None or matter.problem is None:
        raise _refused("no-problem")
    person = contact_person(matter.contact or contact)
    if person is None:
        raise _refused("no-contact")
    if not country:
        raise _refused("no-country")
    is_critical = matter.severity is TicketSeverity.CRITICAL
    if is_critical and not person.phone:
        raise _refused("no-phone")
    properties = {
        "title": matter.title,
        "description": ticket.text,
        "severity": matter.severity.value,
        "serviceId": matter.problem.service_id,
        "problemClassificationId": matter.problem.classification_id,
        "advancedDiagnosticConsent": "No",
        "contactDetails": {
            "firstName": person.first_name,
            "lastName": person.last_name,
            "preferredContactMethod": "phone" if is_critical else "email",
            "primaryEmailAddress": person.email,
            **({"phoneNumber": person.phone} if person.phone else {}),
            "preferredTimeZone": windows_zone(zone, at=at),
            "country": country,
            "preferredSupportLanguage": _LANGUAGE,
        },
    }
    return _json({"properties": properties})


def note_body(text: str, *, sender: str) -> bytes:
    """A message to Azure's support; an application has to say who sends it."""
    subject = text.strip().splitlines()[0]
    subject = subject if len(subject) <= MOST_SUBJECT else f"{subject[: MOST_SUBJECT - 1]}…"
    return _json({"properties": {"subject": subject, "body": text, "sender": sender}})


def closing_body() -> bytes:
    return _json({"status": "closed"})


def ticket_state(raw: object, *, name: str) -> AzureState:
    """Refuses an answer about another one. The number is missing until Azure has given one."""
    fields = Fields(raw)
    if fields.word("name") != name.lower():
        raise Unreadable("an answer about something else")
    told = fields.inner("properties")
    state = VendorState(
        number=told.text("supportTicketId") or "",
        status=status(told.text("status")),
        changed_at=told.moment("modifiedDate") or told.moment("createdDate"),
    )
    return AzureState(state, told.inner("contactDetails").text("primaryEmailAddress") or "")


def note(raw: object, *, contact_email: str) -> VendorNote:
    """A message on a ticket. It is ours where we named it, or where the ticket's own contact sent it.

    `communicationDirection` does not tell: in Microsoft's examples what a customer writes goes *outbound*, too.
    """
    fields = Fields(raw)
    told = fields.inner("properties")
    text, sender = told.text("body") or told.text("subject"), told.text("sender") or ""
    if text is None:
        raise Unreadable("a message that says nothing")
    is_contacts = bool(contact_email) and sender.casefold() == contact_email.casefold()
    is_ours = fields.word("name").startswith(OURS) or is_contacts
    return VendorNote(text, sender, told.moment("createdDate"), is_ours=is_ours)


def page(raw: object, read: Callable[[object], T]) -> Page[T]:
    """A page of Azure Resource Manager: as of Microsoft Graph, but for the name of its link."""
    return linked(graph_page(raw, read), Fields(raw).text("nextLink"))


def choice(raw: object) -> tuple[str, str]:
    """A service, or what can be wrong with it: its resource id and name."""
    fields = Fields(raw)
    id, name = fields.text("id"), fields.inner("properties").text("displayName")
    if id is None or name is None:
        raise Unreadable("without an id or a name")
    return id, name


def windows_zone(zone: ZoneInfo, *, at: datetime) -> str:
    """Windows' name of a time zone, or of one that keeps the same time all year; UTC where there is none."""
    if zone.key in _WINDOWS_ZONES:
        return _WINDOWS_ZONES[zone.key]
    for key, name in _WINDOWS_ZONES.items():
        if _offsets(ZoneInfo(key), at) == _offsets(zone, at):
            return name
    return "UTC"


def _offsets(zone: ZoneInfo, at: datetime) -> list[timedelta | None]:
    """How far it is from UTC, every eight days for a year from then."""
    return [(at + timedelta(days=days)).astimezone(zone).utcoffset() for days in range(0, 365, 8)]


def _zones() -> Mapping[str, str]:
    return MappingProxyType({key: name for name, key in get_global("windows_zone_mapping").items()})


_WINDOWS_ZONES: Final = _zones()


def _refused(reason: str) -> Rejected:
    return Rejected(system="azure", reason=reason)


def _json(value: object) -> bytes:
    return json.dumps(value).encode("ascii")
