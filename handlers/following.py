"""The clicks on a ticket's card: decide, hand over, file, follow at Microsoft, resolve, and close with the customer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond

from bot.domain.errors import Invalid, TicketSettled
from bot.domain.people import Person, Right
from bot.domain.ticket import Ticket, TicketStatus
from bot.texts import LANGUAGES, Texts, in_language
from handlers import addressee, cards, errors, ids, slack, ticket_card
from handlers.asking import answering
from handlers.desk import Desk, call, open_modal
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import blocks, forms
from handlers.views import ticket_steps as views
from handlers.views.errors import view as refusal
from handlers.views.ticket_card import headline, vendor_status

Form = Callable[[Ticket, Texts], blocks.View]

_FIELDS = {
    "number": ids.TICKET_NUMBER,
    "resolution": ids.TICKET_RESOLUTION,
    "note": ids.TICKET_NOTE,
}
"""The blocks in which the fields of a ticket stand."""


def register(listen: Listeners, desk: Desk) -> None:
    tickets = desk.backstop.tickets
    for action_id, use_case in (
        (ids.TICKET_APPROVE, tickets.approve),
        (ids.TICKET_WITHDRAW, tickets.withdraw),
        (ids.TICKET_AGAIN, tickets.hand_over_again),
        (ids.TICKET_ARRIVED, partial(tickets.decide_hand_over, was_sent=True)),
        (ids.TICKET_LOST, partial(tickets.decide_hand_over, was_sent=False)),
        (ids.TICKET_ANSWERED, tickets.answered),
    ):
        listen.action(action_id)(partial(clicked, desk, use_case))
    listen.action(ids.TICKET_PORTAL)(acknowledge)
    listen.action(ids.TICKET_DENY)(partial(ask_why, desk))
    listen.view(ids.TICKET_DENY_REASON)(partial(deny, desk))
    for action_id, form, at in (
        (ids.TICKET_FILED, views.number_form, (TicketStatus.OPEN, TicketStatus.FILED)),
        (ids.TICKET_COPY, views.copy_form, tuple(TicketStatus)),
        (ids.TICKET_RESOLVED, views.resolved_form, (TicketStatus.FILED,)),
        (ids.TICKET_NOTE, None, (TicketStatus.FILED, TicketStatus.RESOLVED)),
    ):
        listen.action(action_id)(partial(show_form, desk, form, at))
    listen.view(ids.TICKET_COPY)(acknowledge)
    listen.view(ids.TICKET_FILED)(partial(file, desk))
    listen.view(ids.TICKET_RESOLVED)(partial(resolve, desk))
    listen.view(ids.TICKET_NOTE)(partial(note, desk))
    listen.action(ids.TICKET_LOOK)(partial(look, desk))
    listen.action(ids.TICKET_CLOSE_THERE)(partial(close_there, desk))
    listen.action(ids.TICKET_INFORMED)(partial(ask_to_inform, desk))
    listen.action(ids.TICKET_LANGUAGE)(partial(choose_language, desk))
    listen.view(ids.TICKET_INFORMED)(partial(close, desk))


async def acknowledge(ack: AsyncAck) -> None:
    """A button that is a link, and a form that only shows something: Slack tells us of them all the same."""
    await ack()


async def clicked(
    desk: Desk, use_case: Callable[..., Awaitable[object]], ack: AsyncAck, body: dict[str, Any]
) -> None:
    """One click, one use case; the right is read at this moment and the rule is the domain's."""
    ticket_id = _ticket_id(body)
    key, draw = await ticket_card.clicked_card(desk, ticket_id, body)
    with cards.brought_up_to_date(desk, body, key, draw):
        await use_case(ticket_id, by=await desk.people.who_clicked(body))
    await ack()  # what was acknowledged is already in the database


async def ask_why(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Ask for the reason, if a no would count now; the right is read again when the reason is sent."""
    person = await desk.people.who_clicked(body)
    ticket = await desk.backstop.tickets.may_decide(_ticket_id(body), by=person)
    await ack()
    texts = desk.texts_for(person)
    view = forms.deny_form(
        ticket.id,
        headline(ticket, texts),
        texts,
        title=texts("ticket-step-deny-title"),
        callback_id=ids.TICKET_DENY_REASON,
    )
    desk.after_ack(errors.opened(desk, body, person, view, attempted=ids.TICKET_DENY_REASON))


async def deny(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    why = _typed(body, ids.DENY_REASON).strip()
    if not why:
        raise Invalid(ids.DENY_REASON, "missing")
    person = await desk.people.who_clicked(body)
    await desk.backstop.tickets.deny(_kept(body)[0], by=person, why=why[: blocks.NOTE])
    await ack()


async def show_form(
    desk: Desk, form: Form | None, at: tuple[TicketStatus, ...], ack: AsyncAck, body: dict[str, Any]
) -> None:
    """Show the form of a step that is possible now; nothing is recorded yet."""
    person, ticket = await _may_see(desk, body), await desk.backstop.tickets.get(_ticket_id(body))
    key, draw = await ticket_card.clicked_card(desk, ticket.id, body)
    with cards.brought_up_to_date(desk, body, key, draw):
        _must_be(ticket, *at)
    await ack()
    texts = desk.texts_for(person)
    view = form(ticket, texts) if form else views.note_form(ticket, f"{ticket.id} {slack.place(body)}", texts)
    work = open_modal(desk, body["trigger_id"], view)
    attempted = str(body["actions"][0]["action_id"])
    desk.after_ack(errors.behind_ack(desk, body, person, work, attempted=attempted))


async def file(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*I filed it* and *Change number*: it is with Microsoft, under this number."""
    person = await desk.people.who_clicked(body)
    await _said_under_its_field(
        desk.backstop.tickets.file(_kept(body)[0], _typed(body, ids.TICKET_NUMBER), by=person)
    )
    await ack()


async def resolve(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    await _said_under_its_field(
        desk.backstop.tickets.resolve(_kept(body)[0], by=person, how=_typed(body, ids.TICKET_RESOLUTION))
    )
    await ack()


async def note(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Write a note at Microsoft; that may take longer than Slack waits, so its end is told."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    text = _typed(body, ids.TICKET_NOTE)
    if not text.strip():
        raise Invalid(ids.TICKET_NOTE, "missing")
    await ack()
    ticket_id, channel = _kept(body)
    where = {"user": body["user"], "channel": {"id": channel}}

    async def write() -> None:
        await desk.backstop.support.note(ticket_id, text, by=person, id=str(body["view"]["id"]))
        await errors.tell(desk, where, desk.texts_for(person).mrkdwn("ticket-step-noted", id=ticket_id))

    desk.after_ack(errors.behind_ack(desk, where, person, write(), attempted=ids.TICKET_NOTE))


async def look(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    """*Look now*: read what Microsoft has of it, and say so."""
    person, ticket_id = await _may_see(desk, body), _ticket_id(body)
    await ack()

    async def read() -> None:
        ticket = await desk.backstop.support.look(ticket_id)
        await errors.tell(desk, body, _as_read(ticket, desk.texts_for(person)), respond)

    desk.after_ack(errors.behind_ack(desk, body, person, read(), respond, attempted=ids.TICKET_LOOK))


async def close_there(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    """*Close at Microsoft*: the ticket itself ends with the customer, not with this."""
    person, ticket_id = await desk.people.who_clicked(body), _ticket_id(body)
    person.must(Right.OPERATE)
    await ack()

    async def end() -> None:
        ticket = await desk.backstop.support.close_there(ticket_id, by=person)
        is_closed = ticket.vendor is not None and ticket.vendor.is_closed
        texts = desk.texts_for(person)
        said = texts.mrkdwn(
            "ticket-step-closed-there" if is_closed else "ticket-step-not-closed-yet", id=ticket_id
        )
        await errors.tell(desk, body, said, respond)

    desk.after_ack(errors.behind_ack(desk, body, person, end(), respond, attempted=ids.TICKET_CLOSE_THERE))


async def ask_to_inform(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Open a view at once (a trigger lives three seconds), and fill it when the customer's language is read."""
    person, ticket = await _may_see(desk, body), await desk.backstop.tickets.get(_ticket_id(body))
    key, draw = await ticket_card.clicked_card(desk, ticket.id, body)
    with cards.brought_up_to_date(desk, body, key, draw):
        _must_be(ticket, TicketStatus.RESOLVED)
    await ack()
    work = _open_words(desk, person, ticket, body["trigger_id"])
    desk.after_ack(answering(desk, body, work, attempted=ids.TICKET_INFORMED))


async def choose_language(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Another language: other words."""
    person = await _may_see(desk, body)
    await ack()
    work = _redraw_words(desk, person, body["view"])
    desk.after_ack(answering(desk, body, work, attempted=ids.TICKET_INFORMED))


async def close(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Customer informed*: only that closes a ticket."""
    person, view = await desk.people.who_clicked(body), body["view"]
    try:
        await desk.backstop.tickets.close(
            _kept(body)[0], by=person, language=_language(view, desk), words=_typed(body, ids.TICKET_WORDS)
        )
    except Invalid as error:
        raise Invalid(_block_of(view, ids.TICKET_WORDS), error.reason, error.facts) from error
    await ack()


async def _may_see(desk: Desk, body: dict[str, Any]) -> Person:
    """Whoever may ask or decide may see a form; what it records needs its own right, read when it is sent."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    return person


def _must_be(ticket: Ticket, *at: TicketStatus) -> None:
    """Refuse a step out of its order before anybody fills in a form for it; the domain refuses it again."""
    if ticket.status not in at:
        raise TicketSettled(ticket.id, ticket.status.value)


async def _said_under_its_field(step: Awaitable[object]) -> None:
    try:
        await step
    except Invalid as error:
        raise Invalid(_FIELDS.get(error.at, error.at), error.reason, error.facts) from error


def _as_read(ticket: Ticket, texts: Texts) -> str:
    if ticket.vendor is None:
        return texts.mrkdwn("ticket-step-no-news", id=ticket.id)
    return texts.mrkdwn("ticket-step-looked", status=vendor_status(ticket.vendor.status, texts), id=ticket.id)


async def _open_words(desk: Desk, person: Person, ticket: Ticket, trigger: str) -> None:
    texts = desk.texts_for(person)
    waiting = forms.wait_view(texts("ticket-step-informed"), texts("ticket-informed-reading"), texts)
    opened = await call(desk.client.views_open, trigger_id=trigger, view=waiting)
    try:
        view = await _words_form(desk, person, ticket)
    except Exception as error:
        words = await errors.words_for(desk, error, person=person, attempted=ids.TICKET_INFORMED)
        view = refusal(words, texts)
    await call(desk.client.views_update, view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=view)


async def _redraw_words(desk: Desk, person: Person, view: dict[str, Any]) -> None:
    ticket = await desk.backstop.tickets.get(str(view.get("private_metadata") or ""))
    shown = await _words_form(desk, person, ticket, language=_language(view, desk))
    await call(desk.client.views_update, view_id=view["id"], hash=view["hash"], view=shown)


async def _words_form(
    desk: Desk, person: Person, ticket: Ticket, *, language: str | None = None
) -> blocks.View:
    customer_id = ticket.about.customer_id
    contact = await addressee.contact(desk, customer_id) if customer_id else None
    theirs = addressee.language(contact)
    spoken = language or theirs or desk.language
    words = views.informed_words(
        ticket,
        in_language(spoken),
        contact=contact.name if contact else "",
        signature=desk.backstop.letters.signature,
        cloud=desk.backstop.cloud,
    )
    is_known = theirs is not None or customer_id is None
    return views.informed_form(ticket, spoken, words, desk.texts_for(person), is_theirs=is_known)


def _language(view: dict[str, Any], desk: Desk) -> str:
    language = chosen(view, ids.TICKET_LANGUAGE)
    return language if language in LANGUAGES else desk.language


def _typed(body: dict[str, Any], action_id: str) -> str:
    return str(given(body["view"], action_id).get("value") or "")


def _block_of(view: dict[str, Any], action_id: str) -> str:
    """The block in which that input stands."""
    values = view["state"]["values"].items()
    return next((str(block) for block, inputs in values if action_id in inputs), action_id)


def _kept(body: dict[str, Any]) -> tuple[str, str]:
    """The ticket a form is about, and the channel its answer goes to, where it has one."""
    ticket_id, _, channel = str(body["view"].get("private_metadata") or "").partition(" ")
    return ticket_id, channel


def _ticket_id(body: dict[str, Any]) -> str:
    return str(body["actions"][0].get("value") or "")
