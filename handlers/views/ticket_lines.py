"""A ticket in two lines, for lists: whose, how old, how far, and what has to happen next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.ticket import Stage, Ticket, TicketStatus, Way
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks

NAME, ESCAPED = 60, 120
"""A name may grow that long by being made harmless."""


@dataclass(frozen=True, slots=True)
class OpenTicket:
    ticket: Ticket
    response_due: datetime | None = None
    """Until when Microsoft answers by its own promise."""


def ticket_lines(tickets: Iterable[OpenTicket], texts: Texts, *, at: datetime) -> list[Mrkdwn]:
    return [ticket_line(each.ticket, texts, response_due=each.response_due, at=at) for each in tickets]


def ticket_line(ticket: Ticket, texts: Texts, *, response_due: datetime | None, at: datetime) -> Mrkdwn:
    """Who and what, how far and since when; below it its id and what has to happen next."""
    about, kind = ticket.about, ticket.matter.kind if ticket.matter else None
    who = short_name(about.customer_name) if about.customer_name else texts("requests-ticket-ours")
    head = [f"*{who}*"]
    if kind is not None:
        head.append(texts(f"ticket-kind-{kind}"))
    head.append(texts(f"ticket-status-{ticket.status}"))
    head.append(age_words(ticket.placed_at or ticket.drafted_at, texts, at=at))
    foot = [f"`{blocks.escaped(ticket.id)}`"]
    if ticket.number:
        foot.append(texts.mrkdwn("requests-ticket-number", number=ticket.number))
    foot.append(next_step(ticket, texts, response_due=response_due, at=at))
    dry_run = f"*{texts('dry-run')}* " if ticket.dry_run else ""
    return Mrkdwn(f"{dry_run}{' · '.join(head)}\n{' · '.join(foot)}")


def age_words(since: datetime, texts: Texts, *, at: datetime) -> str:
    return texts("requests-age", span=texts.span(max(at - since, timedelta(0))))


def next_step(ticket: Ticket, texts: Texts, *, response_due: datetime | None, at: datetime) -> Mrkdwn:
    """What has to happen next and who does it, in one sentence; empty once nothing has to."""
    opener = blocks.person(ticket.opened_by)
    match ticket.status:
        case TicketStatus.PENDING:
            missing = max(1, ticket.approvals_needed - len(ticket.approvals))
            if ticket.expires_at is None or at >= ticket.expires_at:
                return texts.mrkdwn("requests-next-expires")
            return Mrkdwn(
                texts.count("requests-next-approval", missing, until=blocks.moment(ticket.expires_at))
            )
        case TicketStatus.OPEN:
            return texts.mrkdwn(_to_file(ticket), opener=opener)
        case TicketStatus.FILED:
            return _at_microsoft(ticket, texts, response_due=response_due, at=at)
        case TicketStatus.RESOLVED:
            return texts.mrkdwn("requests-next-inform")
        case _:
            return Mrkdwn("")


def _to_file(ticket: Ticket) -> str:
    """The key of how it comes to Microsoft, as far as its hand-over has come."""
    mail = ticket.hand_over.way is Way.EMAIL
    match ticket.hand_over.stage:
        case None:
            return "requests-next-file"
        case Stage.DUE | Stage.CLAIMED:
            return "requests-next-mailing" if mail else "requests-next-opening"
        case Stage.DONE:
            return "requests-next-number" if mail else "requests-next-number-azure"
        case Stage.FAILED:
            return "requests-next-failed"
        case Stage.UNKNOWN:
            return "requests-next-unknown"


def _at_microsoft(ticket: Ticket, texts: Texts, *, response_due: datetime | None, at: datetime) -> Mrkdwn:
    """What it waits for there."""
    if ticket.vendor and ticket.vendor.is_closed:
        return texts.mrkdwn("requests-next-closed")
    if ticket.vendor and ticket.vendor.status == "attention_needed":
        return texts.mrkdwn("requests-next-asked")
    if ticket.answered_at:
        return texts.mrkdwn("requests-next-answered", at=blocks.moment(ticket.answered_at))
    if response_due is None:
        return texts.mrkdwn("requests-next-waits")
    key = "requests-next-overdue" if at >= response_due else "requests-next-due"
    return texts.mrkdwn(key, at=blocks.moment(response_due))


def short_name(outside: str) -> Mrkdwn:
    """A name that stays short even when every character of it has to be escaped."""
    limit = NAME
    while len(said := blocks.name(outside, limit)) > ESCAPED:
        limit -= 5
    return said
