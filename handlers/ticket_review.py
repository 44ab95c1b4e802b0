"""From the form of a ticket to the ticket: what was filled in, read and checked; the draft composed; *Confirm*."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.customer import (
    Cloud,
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
)
from bot.domain.errors import BackstopError, Invalid, NotFound, TicketExists, Upstream
from bot.domain.matter import About, Check, Evidence, Matter, Problem, TicketKind, TicketSeverity, about
from bot.domain.people import Person, Right
from bot.domain.portal import portal_link
from bot.domain.request import ActionRequest
from bot.domain.ticket import Ticket, TicketStatus, Way
from handlers import asking, errors, ids, reading
from handlers.asking import Carried
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.reading import Waiting
from handlers.views import blocks, forms, ticket_draft, ticket_form
from handlers.views.ticket_draft import Background

LINK_SECONDS: Final = 1.0
LOOK_BACK: Final = timedelta(days=180)
"""How far back the draft tells what was done."""

_INPUT_OF: Final = {
    "title": ids.TICKET_TITLE,
    "description": ids.TICKET_DESCRIPTION,
    "tried": ids.TICKET_TRIED,
    "contact": ids.TICKET_CONTACT,
    "customer": ids.TICKET_CUSTOMER,
}
"""Which field of the form the domain's refusal is about."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entered:
    """What was filled in. The blocks are where a refusal of what was chosen belongs."""

    matter: Matter
    customer_id: CustomerId | None
    subscription_id: SubscriptionId | None
    subscription_block: str
    azure_id: SubscriptionId | None
    azure_block: str
    service: str
    problem: str


async def review(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Continue*: read live, compose the draft and show it. Nothing is opened yet."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    texts = desk.texts_for(person)
    tickets = desk.backstop.tickets
    form = entered(body["view"], await tickets.draft(asking.draft_id(body), by=person))
    draft = await tickets.begin_confirmation(asking.draft_id(body), by=person, click=asking.click_of(body))
    view = forms.wait_view(
        texts("ticket-form-title"), texts("ticket-form-reading"), texts, external_id=str(Carried.of(draft))
    )
    waiting = Waiting(view, person, attempted=ids.TICKET_FORM)
    still = partial(tickets.newest, draft.id, draft.nonce, by=person)
    await reading.push(desk, ack, reading.newest(_confirmation(desk, person, draft, form), still), waiting)


async def confirm(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Confirm*: now it is a ticket."""
    person = await desk.people.who_clicked(body)
    shown = Carried.read(body["view"])
    ticket = await desk.backstop.tickets.confirm(shown.draft_id, shown.nonce, by=person)
    await ack(response_action="clear")
    texts, waits = desk.texts_for(person), ticket.status is TicketStatus.PENDING
    where = desk.channels.approvals if waits else desk.channels.tickets
    nowhere = texts("approvals-channel" if waits else "ticket-confirm-tickets-channel")
    said = texts.mrkdwn(
        "ticket-confirm-waits" if waits else "ticket-confirm-opened",
        id=ticket.id,
        channel=blocks.channel(where) if where else nowhere,
    )
    place = {"user": {"id": person.id}, "channel": {"id": ticket.channel}}
    desk.after_ack(errors.tell(desk, place, said))


def goes_along(quoted: str) -> bool:
    """Whether a message goes along whole; a shorter one stands in the description, to be edited there."""
    return len(quoted) > ticket_form.DESCRIPTION


def asks_azure(desk: Desk) -> bool:
    """Whether a ticket about Azure may be opened through Azure Resource Manager."""
    opens = any(way is Way.AZURE for _, way in desk.backstop.tickets.rules.ways)
    return opens and desk.backstop.cloud is Cloud.GLOBAL


async def chosen_service(desk: Desk, draft: Ticket, value: str) -> tuple[str, str] | None:
    """The Azure service that option stands for: id and name."""
    if not value:
        return None
    known = draft.matter.problem if draft.matter else None
    if known and ticket_form.resource_value(known.service_id) == value:
        return known.service_id, known.service_name
    return _meant(await desk.backstop.support.azure_services(), value)


def _meant(found: tuple[tuple[str, str], ...], value: str) -> tuple[str, str] | None:
    return next((pair for pair in found if ticket_form.resource_value(pair[0]) == value), None)


def entered(view: dict[str, Any], draft: Ticket) -> Entered:
    """What was filled in. Raises Invalid under the field that will not do."""
    quoted = draft.matter.quoted if draft.matter else ""
    customer = chosen(view, ids.TICKET_CUSTOMER).lower()
    try:
        kind = TicketKind(chosen(view, ids.TICKET_KIND))
    except ValueError:
        raise Invalid(ids.TICKET_KIND, "missing") from None
    try:
        severity = TicketSeverity(chosen(view, ids.TICKET_SEVERITY))
    except ValueError:
        raise Invalid(ids.TICKET_SEVERITY, "missing") from None
    matter = Matter(
        kind=kind,
        severity=severity,
        title=typed(view, ids.TICKET_TITLE),
        description=typed(view, ids.TICKET_DESCRIPTION),
        tried=typed(view, ids.TICKET_TRIED),
        checked=tuple(check for check in Check if check.value in _ticked(view, ids.TICKET_CHECKS)),
        evidence=tuple(part for part in Evidence if part.value in _ticked(view, ids.TICKET_EVIDENCE)),
        contact=typed(view, ids.TICKET_CONTACT),
        quoted=quoted if goes_along(quoted) else "",
        link=draft.matter.link if draft.matter else "",
    )
    try:
        matter = matter.checked_over()
        if not customer and matter.kind is not TicketKind.PARTNER_CENTER:
            raise Invalid("customer", "missing")
    except Invalid as error:
        raise Invalid(block_in(view, _INPUT_OF[error.at]), error.reason, error.facts) from error
    return Entered(
        matter=matter,
        customer_id=CustomerId(customer) if customer else None,
        subscription_id=SubscriptionId(chosen(view, ids.TICKET_SUBSCRIPTION).lower()) or None,
        subscription_block=block_in(view, ids.TICKET_SUBSCRIPTION),
        azure_id=SubscriptionId(chosen(view, ids.TICKET_AZURE).lower()) or None,
        azure_block=block_in(view, ids.TICKET_AZURE),
        service=chosen(view, ids.TICKET_SERVICE),
        problem=chosen(view, ids.TICKET_PROBLEM),
    )


async def _confirmation(desk: Desk, person: Person, draft: Ticket, form: Entered) -> blocks.View:
    """Everything it says, read live; kept before it is shown."""
    backstop, texts = desk.backstop, desk.texts_for(person)
    (customer, subscription, is_live), of_customer = await asyncio.gather(
        _read(desk, form), _of_customer(desk, form.customer_id)
    )
    matter = replace(form.matter, problem=await _problem(desk, draft, form))
    what = replace(about(customer, subscription), azure_id=await _azure_id(desk, subscription, form))
    other = await backstop.tickets.same(matter, what)
    if other is not None:
        return await _exists(desk, person, draft, other)
    background = await _background(desk, draft, matter, what, customer)
    background = replace(background, is_live=is_live)
    languages = ticket_draft.languages_of(backstop.cloud)
    link = portal_link(
        matter.kind,
        what,
        cloud=backstop.cloud,
        base=backstop.tickets.rules.portal,
        of_customer=of_customer,
    )
    try:
        kept = await backstop.tickets.confirmable(
            draft.id,
            draft.nonce,
            matter,
            what,
            subject=ticket_draft.subject(matter, what, languages),
            text=ticket_draft.text(matter, background, languages),
            portal=link,
            by=person,
        )
    except TicketExists as error:
        return await _exists(desk, person, draft, await backstop.tickets.get(error.ticket_id))
    rules = backstop.tickets.rules
    asked = ticket_form.Asked(
        cloud=backstop.cloud,
        approvals_needed=rules.approvals,
        time_to_live=rules.time_to_live,
        dry_run=rules.dry_run,
        approvals_channel=desk.channels.approvals,
        tickets_channel=desk.channels.tickets,
        is_live=is_live,
    )
    return ticket_form.ticket_confirmation(kept, str(Carried.of(kept)), matter, asked, texts)


async def _read(desk: Desk, form: Entered) -> tuple[Customer | None, Subscription | None, bool]:
    """Both, and whether they are as Partner Center has them now.

    Where it does not answer they are as last known: that may be the very thing a ticket is about.
    """
    try:
        return *await _live(desk, form), True
    except Upstream as error:
        log.warning("a ticket is drafted from what is known: %s", error.code)
    if form.customer_id is None:
        return None, None, True
    customer = await desk.backstop.customers.customer(form.customer_id)
    owned = await desk.backstop.customers.subscriptions(customer.id)
    subscription = next((s for s in owned if s.id == form.subscription_id), None)
    if form.subscription_id and subscription is None:
        raise Invalid(form.subscription_block, "no-such-subscription")
    return customer, subscription, False


async def _live(desk: Desk, form: Entered) -> tuple[Customer | None, Subscription | None]:
    """Customer and subscription as Partner Center has them now."""
    if form.customer_id is None:
        return None, None
    try:
        if form.subscription_id is None:
            customer, _ = await desk.backstop.customers.live_all(form.customer_id)
            return customer, None
        return await desk.backstop.customers.live(form.customer_id, form.subscription_id)
    except NotFound as error:
        field = form.subscription_block if error.what == "subscription" else ids.TICKET_CUSTOMER
        raise Invalid(field, f"no-such-{error.what}") from error


async def _azure_id(desk: Desk, subscription: Subscription | None, form: Entered) -> SubscriptionId | None:
    """The Azure subscription it is about, as Azure knows it; inside a plan the one that was chosen, looked up."""
    if subscription is None or not asks_azure(desk):
        return None
    if subscription.kind is SubscriptionKind.LEGACY_AZURE:
        return subscription.id
    if subscription.kind is not SubscriptionKind.AZURE_PLAN or form.azure_id is None:
        return None
    try:
        child = await desk.backstop.customers.azure_child(subscription, form.azure_id)
    except NotFound as error:
        raise Invalid(form.azure_block, "no-such-subscription") from error
    return SubscriptionId(child.id)


async def _problem(desk: Desk, draft: Ticket, form: Entered) -> Problem | None:
    """Azure's own classification, where both halves of it were chosen."""
    if not asks_azure(desk) or not (form.service and form.problem):
        return None
    service = await chosen_service(desk, draft, form.service)
    if service is None:
        raise Invalid(ids.TICKET_SERVICE, "missing")
    found = _meant(await desk.backstop.support.azure_problems(service[0]), form.problem)
    if found is None:  # of a service that was chosen before
        raise Invalid(ids.TICKET_PROBLEM, "missing")
    return Problem(*service, *found)


async def _background(
    desk: Desk, draft: Ticket, matter: Matter, what: About, customer: Customer | None
) -> Background:
    backstop = desk.backstop
    if customer is None:
        return Background(what, backstop.tickets.rules.partner)
    asked_for = await backstop.requests.about(customer.id, since=backstop.now() - LOOK_BACK)
    return Background(
        about=what,
        partner=backstop.tickets.rules.partner,
        origin=await _origin(desk, draft, customer),
        requests=tuple(asked_for),
        overdue_since=await _overdue_since(desk, matter, customer),
        suspicious_since=await _suspicious_since(desk, draft, customer),
    )


async def _origin(desk: Desk, draft: Ticket, customer: Customer) -> ActionRequest | None:
    """The request it follows from, unless another customer was chosen since."""
    if not draft.origin.startswith("R-"):
        return None
    request = await desk.backstop.requests.get(draft.origin)
    return request if request.action.customer_id == customer.id else None


async def _overdue_since(desk: Desk, matter: Matter, customer: Customer) -> date | None:
    if matter.kind is not TicketKind.NON_PAYMENT:
        return None
    documents = (await desk.backstop.letters.situation(customer)).account.documents
    return documents[0].due_date if documents else None


async def _suspicious_since(desk: Desk, draft: Ticket, customer: Customer) -> datetime | None:
    if not draft.origin.startswith("C-"):
        return None
    try:
        case = (await desk.backstop.cases.get(draft.origin)).case
    except NotFound:  # its episode is over
        return None
    return case.first_seen if case.customer_id == customer.id else None


async def _of_customer(desk: Desk, customer_id: CustomerId | None) -> str:
    """Partner Center's own link for that customer, where it tells it in time."""
    try:
        async with asyncio.timeout(LINK_SECONDS):
            return await desk.backstop.support.portal_of(customer_id) or ""
    except TimeoutError:
        log.info("no link of the customer's own in time")
        return ""


async def _exists(desk: Desk, person: Person, draft: Ticket, other: Ticket) -> blocks.View:
    """The one that is open already, and the way to its card."""
    post = await desk.backstop.posts.find(f"ticket:{other.id}")
    if post is None or post.ts is None:
        post = await desk.backstop.posts.find(f"ticket-approval:{other.id}")
    channel = post.channel if post else desk.channels.tickets
    age = desk.backstop.now() - (other.placed_at or other.drafted_at)
    link = await message_link(desk, post.channel, post.ts) if post and post.ts else ""
    return ticket_form.ticket_exists(
        other, str(Carried.of(draft)), age, desk.texts_for(person), channel=channel, link=link
    )


async def message_link(desk: Desk, channel: str, ts: str) -> str:
    """The way to a message; nothing where Slack does not tell it in time."""
    try:
        async with asyncio.timeout(LINK_SECONDS):
            answer = await call(desk.client.chat_getPermalink, channel=channel, message_ts=ts)
    except (BackstopError, TimeoutError) as error:
        log.info("no link to a message: %s", type(error).__name__)
        return ""
    return str(answer.get("permalink") or "")


def typed(view: dict[str, Any], action_id: str) -> str:
    return str(given(view, action_id).get("value") or "")


def _ticked(view: dict[str, Any], action_id: str) -> set[str]:
    return {str(option.get("value")) for option in given(view, action_id).get("selected_options") or ()}


def block_in(view: dict[str, Any], action_id: str) -> str:
    """The id of the block an input stands in."""
    values = (view.get("state") or {}).get("values", {})
    return next((block for block in values if action_id in values[block]), action_id)
