"""People, moments and things the tests speak of; every field has a default."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.domain.action import Action, Reason, Verb
from bot.domain.customer import (
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.domain.drift import Drift, DriftId
from bot.domain.letter import Letter, LetterId, LetterKind
from bot.domain.matter import Matter, TicketKind, TicketSeverity, about
from bot.domain.people import Person, PersonId, Right
from bot.domain.preview import Finding, Owed, Preview, PreviewId, PreviewStatus, Reading
from bot.domain.request import ActionRequest, Outcome, RequestId, Result, Target
from bot.domain.ticket import HandOver, Ticket, TicketId, TicketStatus

noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ana = Person(PersonId("U0ANA"), frozenset({Right.OPERATE}), "en-US")
ben = Person(PersonId("U0BEN"), frozenset({Right.APPROVE}), "en-US")
mei = Person(PersonId("U0MEI"), frozenset({Right.APPROVE}), "zh-CN")
eve = Person(PersonId("U0EVE"), frozenset(), "de-DE")
ida = Person(PersonId("U0IDA"), frozenset({Right.AUDIT}), "en-US")
ada = Person(PersonId("U0ADA"), frozenset({Right.ADMINISTER}), "en-US")
boss = Person(PersonId("U0BOSS"), frozenset({Right.OPERATE, Right.APPROVE}), "en-US")

CONTOSO = CustomerId("11111111-2222-4333-8444-555555555555")


def a_customer(**fields: Any) -> Customer:
    given: dict[str, Any] = {
        "id": CONTOSO,
        "name": "Contoso Ltd",
        "domain": "contoso.onmicrosoft.com",
        "relationship": "reseller",
    }
    return Customer(**(given | fields))


def a_subscription(**fields: Any) -> Subscription:
    given: dict[str, Any] = {
        "id": SubscriptionId("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
        "customer_id": CONTOSO,
        "name": "Microsoft 365 E3",
        "status": SubscriptionStatus.ACTIVE,
        "status_word": "active",
        "kind": SubscriptionKind.LEGACY_SEAT,
        "quantity": 120,
    }
    return Subscription(**(given | fields))


def an_action(**fields: Any) -> Action:
    given: dict[str, Any] = {
        "verb": Verb.SUSPEND,
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "reason": Reason.NON_PAYMENT,
        "note": "",
    }
    return Action(**(given | fields))


def a_target(**fields: Any) -> Target:
    given: dict[str, Any] = {
        "subscription_id": a_subscription().id,
        "name": "Microsoft 365 E3",
        "seen": a_subscription().fingerprint,
        "ms_request_id": "00000000-0000-4000-8000-000000000001",
    }
    return Target(**(given | fields))


def targets(count: int) -> list[Target]:
    """Several subscriptions of one customer."""
    return [
        a_target(
            subscription_id=SubscriptionId(f"aaaaaaaa-bbbb-4ccc-8ddd-{number:012}"),
            name=f"Product {number}",
            ms_request_id=f"00000000-0000-4000-8000-{number:012}",
        )
        for number in range(1, count + 1)
    ]


def a_request(*, by: Person = ana, at: datetime = noon, **fields: Any) -> ActionRequest:
    """A request as `place` makes it; `fields` are the arguments of `place`."""
    given: dict[str, Any] = {
        "time_to_live": DAY,
        "approvals_needed": 1,
        "undo": timedelta(0),
    }
    action = fields.pop("action", None) or an_action()
    about = fields.pop("targets", None) or [a_target()]
    request_id = RequestId(fields.pop("id", "R-TEST000001"))
    return ActionRequest.place(request_id, action, about, by=by, at=at, **(given | fields))


def settled(
    request: ActionRequest, *results: Result, outcome: Outcome | None = None, at: datetime = noon
) -> ActionRequest:
    """What came of an executing request: of each target in turn, the last result for all that are left."""
    for number, target in enumerate(request.targets):
        result = results[min(number, len(results) - 1)]
        request = request.settle(target.subscription_id, result, outcome or Outcome(), at=at)
    return request


def came_of(request: ActionRequest) -> Outcome:
    """What came of a request about one subscription."""
    (target,) = request.targets
    assert target.outcome is not None
    return target.outcome


def a_drift(**fields: Any) -> Drift:
    """Contoso's E3, read as active a day ago and as suspended at noon."""
    given: dict[str, Any] = {
        "id": DriftId("D-TEST000001"),
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "subscription_id": a_subscription().id,
        "subscription_name": "Microsoft 365 E3",
        "became": SubscriptionStatus.SUSPENDED,
        "seen_at": noon,
        "not_before": noon - DAY,
    }
    return Drift(**(given | fields))


def a_letter(*, by: Person = ana, at: datetime = noon, **fields: Any) -> Letter:
    """A warning as `write` makes it; `fields` are the arguments of `write`."""
    given: dict[str, Any] = {
        "kind": LetterKind.WARN,
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "language": "en",
        "to": "billing@contoso.example",
        "subject": "Overdue payment",
        "body": "Dear Sir or Madam,\n\nPlease pay.",
        "stage": "warn",
    } | fields
    letter_id = LetterId(given.pop("id", "L-TEST000001"))
    return Letter.write(letter_id, given.pop("kind"), by=by, at=at, **given)


def a_finding(**fields: Any) -> Finding:
    """Twelve open items of which two are new and one has changed; three would close."""
    given: dict[str, Any] = {
        "accepted": 12,
        "skipped": 4,
        "duplicates": 1,
        "not_open": 2,
        "rejected": 0,
        "new": 2,
        "changed": 1,
        "unchanged": 9,
        "closed": 3,
        "kept": 0,
        "owed": (
            Owed("EUR", Decimal("8300.00"), Decimal("5000.00"), Decimal(0)),
            Owed("USD", Decimal("19230.50"), Decimal("19230.50"), Decimal("250.00")),
        ),
        "shrinks_by": 8,
        "books": "7",
        "rules": "policy-1 UTC",
    }
    return Finding(**(given | fields))


def a_preview(**fields: Any) -> Preview:
    """Ana's export, shared in the overdue channel at noon, read, and waiting for a word."""
    given: dict[str, Any] = {
        "id": PreviewId("P-TEST000001"),
        "channel": "C0OVERDUE",
        "file_id": "F0EXPORT",
        "shared_by": ana.id,
        "shared_at": noon,
        "reading": Reading(as_of=noon.date()),
        "file": "open-invoices.csv",
        "sha256": "3f2a9c" + "0" * 58,
        "size": 2048,
        "thread_ts": "1795435200.000100",
        "status": PreviewStatus.OPEN,
        "finding": a_finding(),
    }
    return Preview(**(given | fields))


def a_matter(**fields: Any) -> Matter:
    given: dict[str, Any] = {
        "kind": TicketKind.SERVICE,
        "severity": TicketSeverity.MODERATE,
        "title": "Mail does not arrive",
        "description": "Since this morning nothing arrives.",
        "contact": "Ana Berg <support@partner.example> +49 30 1234",
    }
    return Matter(**(given | fields))


def a_draft_ticket(*, by: Person = ana, matter: Matter | None = None, **fields: Any) -> Ticket:
    """A ticket whose confirmation is shown; `fields` are those of `Ticket.fill_in`."""
    given: dict[str, Any] = {
        "what": about(a_customer(), a_subscription()),
        "subject": "Mail does not arrive",
        "text": "The draft.",
        "portal": "https://partner.microsoft.com/dashboard",
        "hand_over": HandOver(),
    }
    ticket = Ticket(TicketId("T-TEST000001"), opened_by=by.id, drafted_at=noon, channel="C0")
    return ticket.fill_in(matter or a_matter(), by=by, **(given | fields))


def a_ticket(status: TicketStatus = TicketStatus.OPEN, *, approvals: int = 0, **fields: Any) -> Ticket:
    """A ticket that has come so far, all at noon; `fields` are those of `a_draft_ticket`."""
    draft = a_draft_ticket(**fields)
    needed = approvals or (status in _UNDECIDED)
    ticket = draft.confirm(by=ana, at=noon, approvals_needed=int(needed), time_to_live=DAY)
    match status:
        case TicketStatus.DRAFT:
            return draft
        case TicketStatus.DENIED:
            return ticket.deny(by=ben, at=noon, why="Try the admin centre first.")
        case TicketStatus.EXPIRED:
            return ticket.expire(at=noon + DAY)
        case TicketStatus.WITHDRAWN:
            return ticket.withdraw(by=ana, at=noon)
    steps: dict[TicketStatus, Callable[[Ticket], Ticket]] = {
        TicketStatus.FILED: lambda t: t.file("2611230040001234", by=ana.id, at=noon),
        TicketStatus.RESOLVED: lambda t: t.resolve(by=ana, at=noon, how="A connector was mended."),
        TicketStatus.CLOSED: lambda t: t.close(by=ana, at=noon, language="en", text_hash="0" * 64),
    }
    for change in steps.values():
        ticket = ticket if ticket.status is status else change(ticket)
    return ticket


_UNDECIDED = (TicketStatus.PENDING, TicketStatus.DENIED, TicketStatus.EXPIRED, TicketStatus.WITHDRAWN)
