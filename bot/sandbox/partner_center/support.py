"""What the sandbox's support desks know: service requests of Partner Center, and tickets of Azure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.partner_center.records import Contact, Customer


@dataclass(frozen=True)
class Note:
    """`name` is an Azure message's own; a note of Partner Center has none."""

    text: str
    by: str
    at: datetime
    name: str = ""


@dataclass(kw_only=True)
class ServiceRequest:
    """One that a person has filed in the portal."""

    number: str
    title: str
    description: str
    severity: str
    contact: Contact
    customer: Customer | None
    created_at: datetime
    changed_at: datetime
    closed_at: datetime | None = None
    status: str = "open"
    notes: list[Note] = field(default_factory=list)


@dataclass(kw_only=True)
class AzureTicket:
    """One opened through Azure Resource Manager; `sent` is what it was opened with."""

    name: str
    subscription_id: str
    number: str
    sent: dict[str, Any]
    created_at: datetime
    changed_at: datetime
    status: str = "Open"
    notes: list[Note] = field(default_factory=list)

    @property
    def title(self) -> str:
        return str(self.sent["title"])


@dataclass
class Operation:
    """An Azure ticket on its way: it is there after so many looks."""

    ticket: AzureTicket
    looks: int


ENGINEER = "Microsoft Support"
ANSWERED_AFTER = timedelta(minutes=1)
FIRST_ANSWER = "Thank you for contacting Microsoft support. We are looking into it and will write here again."


@dataclass
class SupportDesk:
    """Everything that was filed or opened, by its number or name."""

    requests: dict[str, ServiceRequest] = field(default_factory=dict)
    tickets: dict[tuple[str, str], AzureTicket] = field(default_factory=dict)
    """By subscription and name, both in lower case."""
    operations: dict[str, Operation] = field(default_factory=dict)
    takes_any_number: bool = False
    """Where there is no portal to file one in, as in the demo: a number somebody asks about was filed just now, and
    whoever looks again a minute later finds that an engineer has answered."""
    looks_until_done: int = 0
    """How often has to be asked what became of an Azure ticket; with none it is there at once."""

    def next_number(self) -> str:
        return str(616_122_292_874_576 + len(self.requests) + len(self.tickets) + len(self.operations))

    def asked_about(self, number: str, *, at: datetime, contact: Contact) -> ServiceRequest | None:
        """The one of that number, if there is one."""
        if not self.takes_any_number:
            return self.requests.get(number)
        found = self.requests.get(number) or self.file(
            number=number, title="Filed in the portal", at=at, contact=contact
        )
        if at >= found.created_at + ANSWERED_AFTER and not any(n.by == ENGINEER for n in found.notes):
            self.answer(found, FIRST_ANSWER, by=ENGINEER, status=None, at=at)
        return found

    def file(
        self,
        *,
        number: str | None = None,
        title: str,
        at: datetime,
        customer: Customer | None = None,
        description: str = "",
        severity: str = "moderate",
        contact: Contact,
    ) -> ServiceRequest:
        number = number or self.next_number()
        filed = ServiceRequest(
            number=number,
            title=title,
            description=description or title,
            severity=severity,
            contact=contact,
            customer=customer,
            created_at=at,
            changed_at=at,
        )
        self.requests[number] = filed
        return filed

    def answer(
        self,
        thing: ServiceRequest | AzureTicket,
        text: str | None,
        *,
        by: str,
        status: str | None,
        at: datetime,
        name: str = "",
    ) -> None:
        """Write on it, or set its status, as either side may."""
        if text is not None:
            thing.notes.append(Note(text, by, at, name))
        if status is not None:
            thing.status = status
        if isinstance(thing, ServiceRequest):
            thing.closed_at = at if thing.status == "closed" else None
        thing.changed_at = at
