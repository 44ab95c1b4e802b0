"""A ticket as Azure gets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.matter import Matter, Problem, TicketKind, TicketSeverity
from bot.domain.people import PersonId
from bot.domain.ticket import Ticket, TicketId, TicketStatus

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
SERVICE = "/providers/Microsoft.Support/services/f3dc5421-79ef-1efa-41a5-42bf3cbb52c6"
ABUSE = f"{SERVICE}/problemClassifications/other-security-fraud-or-abuse-question"
ANA = "Ana Berg <support@partner.example> +49 30 1234"


def a_ticket(**fields: Any) -> Ticket:
    """`fields` are those of `Matter`."""
    matter = Matter(
        TicketKind.FRAUD,
        TicketSeverity.MODERATE,
        "Mining in a customer's subscription",
        "It mines.",
        problem=Problem(SERVICE, "Subscription management", ABUSE, "Other security question"),
    )
    return Ticket(
        TicketId("T-23456789AB"),
        opened_by=PersonId("U0ANA"),
        drafted_at=noon,
        channel="C1",
        status=TicketStatus.OPEN,
        matter=replace(matter, **fields),
        subject="Mining",
        text="It mines.\nPlease help.",
    )
