"""The buttons on the card of a ticket: what can be done now, the next step first."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.domain.ticket import Stage, Ticket, TicketStatus, Way
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block

MOST_URL = 3000


def buttons(ticket: Ticket, texts: Texts, *, is_followed: bool) -> list[Block]:
    """Once it is over nothing is left but the evidence."""
    match ticket.status:
        case TicketStatus.PENDING:
            made = _decide(ticket, texts)
        case TicketStatus.OPEN:
            made = _hand_over(ticket, texts)
        case TicketStatus.FILED:
            made = _follow(ticket, texts, is_followed=is_followed)
        case TicketStatus.RESOLVED:
            made = _end(ticket, texts, is_followed=is_followed)
        case _:
            made = []
    return [*made, _button(ids.EVIDENCE, "evidence-button", ticket, texts)]


def portal_link(ticket: Ticket) -> str:
    """Where a person files it; only an address that is guarded gets onto a button."""
    try:
        address = urlsplit(ticket.portal)
    except ValueError:
        return ""
    fits = address.scheme == "https" and address.hostname and len(ticket.portal) <= MOST_URL
    return ticket.portal if fits else ""


def _decide(ticket: Ticket, texts: Texts) -> list[Block]:
    sure = blocks.confirm_dialog(
        texts("ticket-card-approve-title"),
        texts(
            "ticket-card-approve-confirm",
            title=_short(ticket.matter.title if ticket.matter else "", 80),
            customer=_short(ticket.about.customer_name, 60) or texts("ticket-card-nobody"),
        ),
        texts("approve"),
        texts("cancel"),
    )
    return [
        _button(ids.TICKET_APPROVE, "approve", ticket, texts, style="primary", confirm=sure),
        _button(ids.TICKET_DENY, "deny", ticket, texts, style="danger"),
        _button(ids.TICKET_WITHDRAW, "withdraw", ticket, texts),
    ]


def _hand_over(ticket: Ticket, texts: Texts) -> list[Block]:
    """While a worker is at it nobody else should be."""
    stage, made = ticket.hand_over.stage, []
    if stage is Stage.UNKNOWN:
        made += [_said(ids.TICKET_ARRIVED, "arrived", ticket, texts)]
        made += [_said(ids.TICKET_LOST, "lost", ticket, texts)]
    if stage is Stage.FAILED:
        made.append(_button(ids.TICKET_AGAIN, "ticket-step-again", ticket, texts))
    if stage in (None, Stage.FAILED):
        made += _portal(ticket, texts)
    if stage not in (Stage.DUE, Stage.CLAIMED):
        made.append(_button(ids.TICKET_FILED, "ticket-step-filed", ticket, texts, style="primary"))
    made.append(_button(ids.TICKET_COPY, "ticket-step-copy", ticket, texts))
    if ticket.may_be_withdrawn:
        made.append(_button(ids.TICKET_WITHDRAW, "withdraw", ticket, texts))
    return made


def _follow(ticket: Ticket, texts: Texts, *, is_followed: bool) -> list[Block]:
    made = [_button(ids.TICKET_RESOLVED, "ticket-step-resolved", ticket, texts, style="primary")]
    made += _portal(ticket, texts)
    if is_followed:
        if not ticket.dry_run:
            made.append(_button(ids.TICKET_NOTE, "ticket-step-note", ticket, texts))
        made.append(_button(ids.TICKET_LOOK, "ticket-step-look", ticket, texts))
    elif ticket.answered_at is None:
        made.append(_button(ids.TICKET_ANSWERED, "ticket-step-answered", ticket, texts))
    if ticket.hand_over.way is not Way.AZURE or ticket.hand_over.stage is not Stage.DONE:
        made.append(_button(ids.TICKET_FILED, "ticket-step-number", ticket, texts))
    return made


def _end(ticket: Ticket, texts: Texts, *, is_followed: bool) -> list[Block]:
    made = [_button(ids.TICKET_INFORMED, "ticket-step-informed", ticket, texts, style="primary")]
    is_closed_there = ticket.vendor is not None and ticket.vendor.is_closed
    if is_followed and not is_closed_there and not ticket.dry_run:
        sure = blocks.confirm_dialog(
            texts("ticket-step-close-there"),
            texts("ticket-step-close-there-sure", number=_short(ticket.number, 40)),
            texts("confirm"),
            texts("cancel"),
        )
        made.append(_button(ids.TICKET_CLOSE_THERE, "ticket-step-close-there", ticket, texts, confirm=sure))
    return made


def _portal(ticket: Ticket, texts: Texts) -> list[Block]:
    if not (link := portal_link(ticket)):
        return []
    return [_button(ids.TICKET_PORTAL, "ticket-step-portal", ticket, texts) | {"url": link}]


def _said(action_id: str, what: str, ticket: Ticket, texts: Texts) -> Block:
    """What somebody found who looked; it is kept on record."""
    key = f"ticket-step-{what}"
    sure = blocks.confirm_dialog(
        texts(key), texts("ticket-step-sure", id=ticket.id), texts("confirm"), texts("cancel")
    )
    return _button(action_id, key, ticket, texts, confirm=sure)


def _button(
    action_id: str,
    key: str,
    ticket: Ticket,
    texts: Texts,
    *,
    style: str | None = None,
    confirm: Block | None = None,
) -> Block:
    """A screen reader says of which ticket: a channel has many cards with the same words on their buttons."""
    said = texts(key)
    about = _short(ticket.about.customer_name, 30) or ticket.id
    label = texts("ticket-step-label", button=said, about=about)
    return blocks.button(said, action_id, ticket.id, style=style, confirm=confirm, label=label)


def _short(outside: str, limit: int) -> str:
    return blocks.shortened(blocks.harmless(outside), limit)
