"""What people are told about a ticket in a direct message: news of it, and what waits for them."""

from __future__ import annotations

from datetime import datetime

from bot.domain.ticket import Nudge, Stage, Ticket
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.ticket_card import Known, headline, line, progress


def news(ticket: Ticket, texts: Texts, known: Known, *, channel: str | None) -> tuple[str, list[Block]]:
    """What became of it, and what happens next; in one line, and in full."""
    said = line(ticket, texts)
    body = [
        blocks.verbatim(headline(ticket, texts)),
        blocks.section("\n".join(progress(ticket, texts, known)[1:])),
    ]
    if channel and ticket.status.is_open:
        body.append(blocks.context(texts.mrkdwn("ticket-card-where", channel=blocks.channel(channel))))
    return said, body


def to_approver(ticket: Ticket, texts: Texts, *, channel: str) -> tuple[str, list[Block]]:
    """What an approver is reminded of, and until when."""
    where = blocks.channel(channel) if channel else texts("approvals-channel")
    at = blocks.moment(ticket.expires_at) if ticket.expires_at else texts("unknown")
    return _said(ticket, texts.mrkdwn("ticket-nudge-decide", at=at, channel=where), texts)


def to_opener(
    ticket: Ticket,
    nudge: Nudge,
    texts: Texts,
    *,
    channel: str | None,
    response_due: datetime | None,
    is_followed: bool,
) -> tuple[str, list[Block]]:
    """What to do next, and where."""
    where = blocks.channel(channel) if channel else texts("approvals-channel")
    match nudge:
        case Nudge.FILE if ticket.hand_over.stage is Stage.UNKNOWN:
            todo = texts.mrkdwn("ticket-nudge-file-unknown", channel=where)
        case Nudge.FILE if ticket.hand_over.stage is Stage.DONE:
            todo = texts.mrkdwn("ticket-nudge-file-mail", channel=where)
        case Nudge.INFORM:
            todo = texts.mrkdwn("ticket-nudge-inform", channel=where)
        case Nudge.FOLLOW:
            todo = texts.mrkdwn("ticket-nudge-follow", channel=where)
        case Nudge.ANSWER:
            todo = texts.mrkdwn(
                "ticket-nudge-answer-followed" if is_followed else "ticket-nudge-answer",
                at=blocks.moment(response_due) if response_due else texts("unknown"),
                number=blocks.name(ticket.number),
                channel=where,
            )
        case _:
            todo = texts.mrkdwn("ticket-nudge-file", channel=where)
    return _said(ticket, todo, texts)


def _said(ticket: Ticket, todo: str, texts: Texts) -> tuple[str, list[Block]]:
    said = line(ticket, texts)
    return said, [blocks.verbatim(headline(ticket, texts)), blocks.section(todo)]
