"""`/csp-ticket`, the message shortcut and the buttons that open a ticket: its form, from wherever it is begun."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.action import Reason, Verb
from bot.domain.customer import Customer, CustomerId, Subscription, SubscriptionId
from bot.domain.matter import (
    MOST_DESCRIPTION,
    About,
    Matter,
    Problem,
    TicketKind,
    TicketSeverity,
    about,
    shown,
)
from bot.domain.people import Person, Right
from bot.domain.request import ActionRequest, Result
from bot.domain.ticket import Ticket
from handlers import asking, ids, slack, ticket_review
from handlers.command import Command, Shortcut
from handlers.desk import Desk, call, open_modal
from handlers.filled import chosen
from handlers.listeners import Listeners
from handlers.views import blocks, forms, ticket_draft, ticket_form
from handlers.views.ticket_form import Prefill

COMMAND = Command(
    name="/csp-ticket",
    usage="[customer or subscription]",
    about="help-ticket",
    example="/csp-ticket contoso",
    right=Right.OPERATE,
)
SHORTCUT = Shortcut(
    callback_id=ids.TICKET_SHORTCUT,
    name="Open ticket",
    about="Draft a service request from what a message says",
    on_message=True,
)

_KIND_OF: Final = {
    Reason.NON_PAYMENT: TicketKind.NON_PAYMENT,
    Reason.FRAUD: TicketKind.FRAUD,
    Reason.MISUSE: TicketKind.FRAUD,
    Reason.CUSTOMER_REQUEST: TicketKind.SERVICE,
}


def register(listen: Listeners, desk: Desk) -> None:
    listen.command(COMMAND.name)(partial(open_form, desk))
    listen.action(ids.HOME_TICKET)(partial(open_form, desk))
    listen.message_shortcut(ids.TICKET_SHORTCUT)(partial(open_for_message, desk))
    listen.action(ids.OPEN_TICKET)(partial(open_for_row, desk))
    listen.action(ids.OPEN_TICKET_FOR_FRAUD)(partial(open_for_case, desk))
    listen.options(ids.TICKET_CUSTOMER)(partial(suggest_customers, desk))
    listen.options(ids.TICKET_SUBSCRIPTION)(partial(suggest_subscriptions, desk))
    listen.options(ids.TICKET_AZURE)(partial(suggest_azure, desk))
    listen.options(ids.TICKET_SERVICE)(partial(suggest_services, desk))
    listen.options(ids.TICKET_PROBLEM)(partial(suggest_problems, desk))
    listen.action(ids.TICKET_CUSTOMER)(partial(choose_customer, desk))
    listen.action(ids.TICKET_SUBSCRIPTION)(partial(choose_subscription, desk))
    listen.action(ids.TICKET_SERVICE)(partial(choose_service, desk))
    listen.view(ids.TICKET_FORM)(partial(ticket_review.review, desk))
    listen.view(ids.TICKET_CONFIRMATION)(partial(ticket_review.confirm, desk))


# Where it begins.


async def open_form(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """From the command: keep a draft, acknowledge, then show the form."""
    person = await desk.people.who_clicked(body)
    words = shown(str(body.get("text") or "")).strip()
    draft = await desk.backstop.tickets.begin(
        by=person, channel=str(body.get("channel_id") or ""), sought=words
    )
    await ack()
    _go_on(desk, body, _show_for_words(desk, person, draft, words, body["trigger_id"]))


async def open_for_message(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """From a message: its text goes along whole, and the way back to it."""
    person = await _operator(desk, body)
    message = body.get("message") or {}
    channel = slack.place(body)
    # Slack escapes three characters in the text of a message; whoever reads it at Microsoft sees what was written.
    said = shown(_unescaped(str(message.get("text") or "")))[:MOST_DESCRIPTION]
    ts = str(message.get("ts") or "")
    link = await ticket_review.message_link(desk, channel, ts) if channel and ts else ""
    draft = await desk.backstop.tickets.begin(
        by=person, channel=channel, matter=_begun(TicketKind.SERVICE, quoted=said, link=link)
    )
    await ack()
    _go_on(desk, body, _show(desk, person, draft, body["trigger_id"]))


async def open_for_row(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """From a row of the overdue digest, or from the card of a request."""
    person = await _operator(desk, body)
    value = str(body["actions"][0].get("value") or "")
    if not value.startswith("R-"):
        await _open_prefilled(desk, ack, body, person, CustomerId(value), TicketKind.NON_PAYMENT)
        return
    request = await desk.backstop.requests.get(value)
    await _open_prefilled(
        desk,
        ack,
        body,
        person,
        request.action.customer_id,
        _KIND_OF[request.action.reason],
        origin=request.id,
        subscription_id=_concerned(request),
    )


async def open_for_case(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """From a row of the suspicious-activity digest, or from the alert of a case."""
    person = await _operator(desk, body)
    case_id = str(body["actions"][0].get("value") or "").partition(":")[0]
    case = (await desk.backstop.cases.get(case_id)).case
    await _open_prefilled(desk, ack, body, person, case.customer_id, TicketKind.FRAUD, origin=case.id)


async def _open_prefilled(
    desk: Desk,
    ack: AsyncAck,
    body: dict[str, Any],
    person: Person,
    customer_id: CustomerId,
    kind: TicketKind,
    *,
    origin: str = "",
    subscription_id: SubscriptionId | None = None,
) -> None:
    draft = await desk.backstop.tickets.begin(
        by=person,
        channel=slack.place(body),
        origin=origin,
        about=About(customer_id=customer_id, subscription_id=subscription_id),
        matter=_begun(kind),
    )
    await ack()
    _go_on(desk, body, _show(desk, person, draft, body["trigger_id"]))


# What is offered, and what a choice leads to.


async def suggest_customers(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    draft = await _draft_of(desk, body)
    typed = str(body.get("value") or "").strip() or draft.sought
    await ack(options=await asking.fitting_customers(desk, typed))


async def suggest_subscriptions(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    draft = await _draft_of(desk, body)
    texts = desk.texts_for(await desk.people.who_looks(body))
    customer_id = chosen(body["view"], ids.TICKET_CUSTOMER) or draft.about.customer_id
    if not customer_id:
        await ack(options=[])
        return
    found = await desk.backstop.customers.subscriptions(CustomerId(customer_id))
    fitting = asking.fitting_subscriptions(found, str(body.get("value") or ""), texts)
    fitting.sort(key=lambda s: s.name)
    await ack(options=forms.options(forms.subscription_option(s, texts) for s in fitting))


async def suggest_azure(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The Azure subscriptions inside the plan that was chosen, live."""
    draft = await _draft_of(desk, body)
    plan = await _subscription(desk, draft)
    running = await desk.backstop.customers.azure_children(plan) if plan else ()
    found = [(child.id, child.name) for child in running]
    await ack(options=ticket_form.resource_options(found, str(body.get("value") or "")))


async def suggest_services(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    await _draft_of(desk, body)
    found = await desk.backstop.support.azure_services()
    await ack(options=ticket_form.resource_options(found, str(body.get("value") or "")))


async def suggest_problems(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    draft = await _draft_of(desk, body)
    service = await ticket_review.chosen_service(desk, draft, chosen(body["view"], ids.TICKET_SERVICE))
    found = await desk.backstop.support.azure_problems(service[0]) if service else ()
    await ack(options=ticket_form.resource_options(found, str(body.get("value") or "")))


async def choose_customer(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Another customer was chosen: remember whose subscriptions to offer, and forget the one chosen before."""
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    option = body["actions"][0].get("selected_option") or {}
    what = About(customer_id=CustomerId(str(option.get("value") or "").lower()) or None)
    draft = await desk.backstop.tickets.remember(asking.draft_id(body), by=person, about=what)
    await ack()
    _go_on(desk, body, _show_again(desk, person, draft, body["view"]))


async def choose_subscription(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """A subscription of Azure's has more to be said about."""
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    draft = await desk.backstop.tickets.draft(asking.draft_id(body), by=person)
    option = body["actions"][0].get("selected_option") or {}
    subscription_id = SubscriptionId(str(option.get("value") or "").lower()) or None
    customer_id = chosen(body["view"], ids.TICKET_CUSTOMER) or draft.about.customer_id
    what = About(
        customer_id=CustomerId(customer_id) if customer_id else None, subscription_id=subscription_id
    )
    draft = await desk.backstop.tickets.remember(draft.id, by=person, about=what)
    await ack()
    _go_on(desk, body, _show_again(desk, person, draft, body["view"]))


async def choose_service(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Remember it: its problems are what is offered next."""
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    draft = await desk.backstop.tickets.draft(asking.draft_id(body), by=person)
    option = body["actions"][0].get("selected_option") or {}
    service = await ticket_review.chosen_service(desk, draft, str(option.get("value") or ""))
    problem = Problem(service[0], service[1], "", "") if service else None
    matter = replace(draft.matter or _begun(TicketKind.SERVICE), problem=problem)
    await desk.backstop.tickets.remember(draft.id, by=person, matter=matter)
    await ack()


# The form.


async def _show_for_words(desk: Desk, person: Person, draft: Ticket, words: str, trigger: str) -> None:
    """Open the form at once (a trigger lives three seconds), and fill it when the customer is found."""
    if not words:
        await _show(desk, person, draft, trigger)
        return
    texts, found = desk.texts_for(person), await desk.backstop.customers.find(words)
    if found.customers:
        view = await _form_for(desk, person, draft, found.customers, found.subscription)
        await open_modal(desk, trigger, view)
        return
    searching = texts.mrkdwn("form-searching", words=blocks.name(words))
    first = ticket_form.ticket_form(draft.id, replace(_prefill(desk, draft), hint=searching), texts)
    opened = await call(desk.client.views_open, trigger_id=trigger, view=first)
    live = await desk.backstop.customers.search(words)
    view = await _form_for(desk, person, draft, live, None)
    await call(desk.client.views_update, view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=view)


async def _form_for(
    desk: Desk,
    person: Person,
    draft: Ticket,
    found: tuple[Customer, ...],
    subscription: Subscription | None,
) -> blocks.View:
    """One match fills the form; several offer a choice; none says so."""
    texts = desk.texts_for(person)
    customer, hint = asking.recognised(found, draft.sought, texts)
    if customer:
        what = about(customer, subscription)
        draft = await desk.backstop.tickets.remember(draft.id, by=person, about=what)
    prefill = _prefill(desk, draft, customer, subscription if customer else None)
    return ticket_form.ticket_form(draft.id, replace(prefill, hint=hint), texts)


async def _show(desk: Desk, person: Person, draft: Ticket, trigger: str) -> None:
    customer = await _customer(desk, draft)
    prefill = _prefill(desk, draft, customer, await _subscription(desk, draft))
    await open_modal(desk, trigger, ticket_form.ticket_form(draft.id, prefill, desk.texts_for(person)))


async def _show_again(desk: Desk, person: Person, draft: Ticket, view: dict[str, Any]) -> None:
    """The form as it now has to be. What was filled in stays: Slack keeps it by the ids of block and action."""
    customer = await _customer(desk, draft)
    prefill = _prefill(desk, draft, customer, await _subscription(desk, draft))
    if kind := chosen(view, ids.TICKET_KIND):
        prefill = replace(prefill, kind=TicketKind(kind))
    title = ticket_review.typed(view, ids.TICKET_TITLE)
    block = ticket_review.block_in(view, ids.TICKET_TITLE)
    if block != ticket_form.block_of(ids.TICKET_TITLE, title):  # somebody has changed it: it stays theirs
        prefill = replace(prefill, title=title)
    form = ticket_form.ticket_form(draft.id, prefill, desk.texts_for(person))
    await call(desk.client.views_update, view_id=view["id"], hash=view["hash"], view=form)


def _prefill(
    desk: Desk, draft: Ticket, customer: Customer | None = None, subscription: Subscription | None = None
) -> Prefill:
    """What is known before anything is filled in. A short message is there to be edited, a long one goes along."""
    tickets, matter = desk.backstop.tickets, draft.matter
    said = matter.quoted if matter else ""
    return Prefill(
        cloud=desk.backstop.cloud,
        customer=customer,
        subscription=subscription,
        kind=matter.kind if matter else TicketKind.SERVICE,
        title=_title(draft, customer),
        description=said if len(said) <= ticket_form.DESCRIPTION else "",
        brought=len(said) if ticket_review.goes_along(said) else 0,
        contact=tickets.rules.contact,
        asks_azure=ticket_review.asks_azure(desk),
    )


def _title(draft: Ticket, customer: Customer | None) -> str:
    """What to call it, where a button says what it is about; else whoever writes it knows better."""
    matter = draft.matter
    if customer is None or matter is None or matter.quoted or matter.link or draft.sought:
        return ""
    return ticket_draft.title_for(matter.kind, customer.name)


def _unescaped(text: str) -> str:
    """docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _begun(kind: TicketKind, *, quoted: str = "", link: str = "") -> Matter:
    return Matter(kind, TicketSeverity.MODERATE, title="", description="", quoted=quoted, link=link)


def _concerned(request: ActionRequest) -> SubscriptionId | None:
    """The one subscription it went wrong with, where it is one; of an Azure subscription the plan it is in."""
    wrong = [t for t in request.targets if t.result in (Result.FAILED, Result.UNKNOWN)] or request.targets
    if len(wrong) != 1:
        return None
    (target,) = wrong
    return target.parent_id if request.action.verb is Verb.CANCEL_AZURE else target.subscription_id


async def _operator(desk: Desk, body: dict[str, Any]) -> Person:
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    return person


async def _draft_of(desk: Desk, body: dict[str, Any]) -> Ticket:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    return await desk.backstop.tickets.draft(asking.draft_id(body), by=person)


async def _customer(desk: Desk, draft: Ticket) -> Customer | None:
    customer_id = draft.about.customer_id
    return await desk.backstop.customers.customer(customer_id) if customer_id else None


async def _subscription(desk: Desk, draft: Ticket) -> Subscription | None:
    """The one that was chosen, as it is known; None where it is not known any more."""
    what = draft.about
    if what.customer_id is None or what.subscription_id is None:
        return None
    owned = await desk.backstop.customers.subscriptions(what.customer_id)
    return next((s for s in owned if s.id == what.subscription_id), None)


def _go_on(desk: Desk, body: dict[str, Any], work: Any) -> None:
    desk.after_ack(asking.answering(desk, body, work, attempted=ids.TICKET_FORM))
