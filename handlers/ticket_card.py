"""The card of a ticket and the reminders about it: what Slack is told after something happened."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from bot.domain.errors import Upstream
from bot.domain.people import PersonId, Right
from bot.domain.ticket import Nudge, Stage, Ticket, TicketStatus, Way
from bot.services.tickets import nudge_key
from bot.texts import Texts, for_locale
from handlers import cards
from handlers.cards import Draw, Drawing
from handlers.desk import Desk, call
from handlers.notices import message
from handlers.views import blocks
from handlers.views import ticket_card as views
from handlers.views import ticket_nudge as nudges
from handlers.views.translated import Card, offered

FOR_GOOD: Final = 0
"""The version of an approval card that nothing is going to change any more; no ticket that waits has it."""

log = logging.getLogger(__name__)


async def show_ticket(desk: Desk, ticket_id: str) -> None:
    """Post its cards or redraw them, put the draft into their threads, and tell the opener what matters, once.

    Where approvals are given it has a card of its own; the one that is worked with comes once enough have approved.
    """
    ticket = await desk.backstop.tickets.get(ticket_id)
    if ticket.status is TicketStatus.DRAFT:
        return
    channels = desk.channels
    if ticket.approvals_needed > 0 and channels.approvals:
        key, draw = approval_key(ticket_id), partial(approval_drawn, desk, ticket_id)
        await cards.show(desk, key, draw, channel=channels.approvals)
        await _attach(
            desk, ticket, key, f"ticket-draft-to-approve:{ticket_id}", "ticket-card-file-to-approve"
        )
    where = workplace(desk)
    if ticket.opened_at and where:
        key, draw = card_key(ticket_id), partial(drawn, desk, ticket_id)
        await cards.show(desk, key, draw, channel=where)
        await _attach(desk, ticket, key, f"ticket-draft:{ticket_id}", "ticket-card-file")
    await _tell_opener(desk, ticket)


async def nudge_ticket(desk: Desk, ticket_id: str, nudge: str, key: str) -> None:
    """Remind whoever has to do the next step, once, and only if it is due still."""
    backstop = desk.backstop
    ticket = await backstop.tickets.get(ticket_id)
    due = ticket.due(
        at=backstop.now(), zone=backstop.zone, calendar=backstop.policy.calendar, cloud=backstop.cloud
    )
    if due is None or (due.nudge.value, due.key) != (nudge, key):
        return
    post = nudge_key(ticket, due.nudge, due.key)
    if await backstop.posts.find(post):
        return
    if due.nudge is Nudge.DECIDE:
        await _remind_approvers(desk, ticket, post)
        return
    if due.nudge is Nudge.ANSWER:
        await _say_overdue(desk, ticket, post)
    texts = await _texts_of(desk, ticket.opened_by)
    said, body = nudges.to_opener(
        ticket,
        due.nudge,
        texts,
        channel=workplace(desk),
        response_due=backstop.tickets.response_due(ticket),
        is_followed=backstop.support.is_followed(ticket),
    )
    await backstop.posts.once(
        post, partial(message, desk, ticket.opened_by, said, body), channel=ticket.opened_by
    )


def card_key(ticket_id: str) -> str:
    return f"ticket:{ticket_id}"


def approval_key(ticket_id: str) -> str:
    return f"ticket-approval:{ticket_id}"


def workplace(desk: Desk) -> str | None:
    """Where tickets are worked on."""
    return desk.channels.tickets or desk.channels.approvals


async def drawn(desk: Desk, ticket_id: str) -> Drawing:
    """The card that is worked with, as it is now, or NotFound."""
    ticket = await desk.backstop.tickets.get(ticket_id)
    return _drawn(desk, ticket, Card.TICKET)


def _drawn(desk: Desk, ticket: Ticket, card: Card) -> Drawing:
    body = views.ticket_card(ticket, desk.texts, known(desk, ticket))
    said = views.line(ticket, desk.texts)
    return Drawing(ticket.version, said, offered(body, card, ticket.id, desk.texts))


async def approval_drawn(desk: Desk, ticket_id: str) -> Drawing:
    """The card where approvals are given; once there are enough, it says where the ticket goes on."""
    ticket, where = await desk.backstop.tickets.get(ticket_id), workplace(desk)
    if ticket.opened_at is None or where is None:
        return _drawn(desk, ticket, Card.TICKET_APPROVAL)
    said, body = views.line(ticket, desk.texts), views.approved_card(ticket, desk.texts, channel=where)
    return Drawing(FOR_GOOD, said, offered(body, Card.TICKET_APPROVAL, ticket.id, desk.texts))


async def clicked_card(desk: Desk, ticket_id: str, body: dict[str, Any]) -> tuple[str, Draw]:
    """Which of its two cards a click came from: the key, and how to draw it."""
    key, ts = approval_key(ticket_id), (body.get("message") or {}).get("ts")
    post = await desk.backstop.posts.find(key)
    if post is not None and post.ts == ts:
        return key, partial(approval_drawn, desk, ticket_id)
    return card_key(ticket_id), partial(drawn, desk, ticket_id)


def known(desk: Desk, ticket: Ticket) -> views.Known:
    tickets = desk.backstop.tickets
    return views.Known(
        at=desk.backstop.now(),
        cloud=desk.backstop.cloud,
        is_followed=desk.backstop.support.is_followed(ticket),
        response_due=tickets.response_due(ticket),
    )


async def _attach(desk: Desk, ticket: Ticket, card: str, key: str, words: str) -> None:
    """The whole draft in the card's thread, once; the card does not fail with it."""
    post, texts = await desk.backstop.posts.find(card), desk.texts
    if post is None or post.ts is None:
        return
    whole = f"{ticket.subject}\n\n{ticket.text}".encode("utf-8", "replace")
    file = {
        "content": whole,
        "filename": f"{ticket.id}.txt",
        "title": texts("ticket-card-file-title", id=ticket.id),
    }

    async def upload() -> tuple[str, str]:
        await call(
            desk.client.files_upload_v2,
            channel=post.channel,
            thread_ts=post.ts,
            initial_comment=texts.mrkdwn(words, id=ticket.id),
            file_uploads=[file],
        )
        return post.channel, str(post.ts)

    try:
        await desk.backstop.posts.once(key, upload, channel=post.channel)
    except Upstream as error:
        log.warning("the draft of %s could not be attached: %s", ticket.id, error.reason)


async def _tell_opener(desk: Desk, ticket: Ticket) -> None:
    what = _news(ticket)
    if what is None:
        return
    texts = await _texts_of(desk, ticket.opened_by)
    said, body = nudges.news(ticket, texts, known(desk, ticket), channel=workplace(desk))
    send = partial(message, desk, ticket.opened_by, said, body)
    await desk.backstop.posts.once(f"ticket-told:{ticket.id}:{what}", send, channel=ticket.opened_by)


def _news(ticket: Ticket) -> str | None:
    """What its opener did not do themselves and has to know; each attempt to hand it over can fail anew."""
    over = ticket.hand_over
    match ticket.status:
        case TicketStatus.DENIED | TicketStatus.EXPIRED:
            return ticket.status.value
        case TicketStatus.OPEN if over.stage in (Stage.FAILED, Stage.UNKNOWN):
            return f"{over.stage.value}-{over.attempt}"
        case TicketStatus.OPEN if ticket.approvals_needed > 0:
            return "approved"
        case TicketStatus.FILED if over.way is Way.AZURE and over.stage is Stage.DONE:
            return "opened"
        case _:
            return None


async def _remind_approvers(desk: Desk, ticket: Ticket, post: str) -> None:
    """Everybody whose word is missing; the plain key comes last, for it says that all were told."""
    spoken = {ticket.opened_by, *(decision.by for decision in ticket.decisions)}
    where, failed = desk.channels.approvals or "", None
    for approver in sorted(await desk.people.holders(Right.APPROVE) - spoken):
        said, body = nudges.to_approver(ticket, await _texts_of(desk, PersonId(approver)), channel=where)
        send = partial(message, desk, approver, said, body)
        try:
            await desk.backstop.posts.once(f"{post}:{approver}", send, channel=approver)
        except Upstream as error:  # the others must still hear of it
            log.warning("no reminder of %s to %s: %s", ticket.id, approver, error.reason)
            failed = error
    if failed is not None:
        raise failed

    async def all_told() -> tuple[str, str]:
        return where, ""

    await desk.backstop.posts.once(post, all_told, channel=where)


async def _say_overdue(desk: Desk, ticket: Ticket, post: str) -> None:
    """In the thread of the card, and on the card itself: nothing but the time has changed since it was drawn."""
    card = await desk.backstop.posts.find(card_key(ticket.id))
    due = desk.backstop.tickets.response_due(ticket)
    if card is None or card.ts is None or due is None:
        return
    at, who = blocks.moment(due), blocks.person(ticket.opened_by)
    said = f"⚠ {desk.texts.mrkdwn('ticket-nudge-overdue', at=at, who=who)}"

    async def answer() -> tuple[str, str]:
        sent = await call(
            desk.client.chat_postMessage,
            channel=card.channel,
            thread_ts=card.ts,
            text=said,
            blocks=[blocks.section(said)],
        )
        return str(sent["channel"]), str(sent["ts"])

    try:
        if await desk.backstop.posts.once(f"{post}:thread", answer, channel=card.channel):
            await cards.redraw(desk, card_key(ticket.id), partial(drawn, desk, ticket.id))
    except Upstream as error:  # its opener must still hear of it
        log.warning("nothing in the thread of %s: %s", ticket.id, error.reason)


async def _texts_of(desk: Desk, person: PersonId) -> Texts:
    return for_locale(await desk.people.language_of(person), default=desk.language)
