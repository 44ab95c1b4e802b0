"""How every action is asked for: a form, a confirmation that says what will happen, and only then a request.

What the confirmation says of one action is with that action: `handlers.suspend`, `handlers.resume`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.customer import (
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)
from bot.domain.errors import BackstopError, Invalid, NotFound, Rejected
from bot.domain.people import Person, Right
from bot.domain.request import Reason, Verb
from bot.services.requests import Confirmed
from bot.store.drafts import Draft
from bot.texts import Texts
from handlers import errors, ids
from handlers.desk import Desk, call
from handlers.views import blocks, forms
from handlers.views.errors import view as refusal

PATIENCE_SECONDS = 1.2
"""So long Slack waits for our ack while we read live; after it the person sees that we are still reading."""
PUSHED_WITHIN = (0.1, 0.3, 1.0, 2.0)
"""Seconds between the tries to fill a view that Slack may still be pushing."""
LEAST_OF_AN_ID = 6
"""From so many characters on, what is typed may be part of an id."""

_FITTING = {Verb.SUSPEND: SubscriptionStatus.ACTIVE, Verb.RESUME: SubscriptionStatus.SUSPENDED}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in, and which block a refusal of the subscription belongs under."""

    customer_id: CustomerId
    subscription_id: SubscriptionId
    subscription_block: str
    reason: Reason
    note: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a confirmation shows: `confirmed` is kept, and a request is placed from it; `draw` makes the view."""

    confirmed: Confirmed
    draw: Callable[[str, Texts], blocks.View]


Review = Callable[[Desk, Filled], Awaitable[Shown]]
"""Reads live what one action would do. Raises what stands in its way."""


def register(app: AsyncApp, desk: Desk) -> None:
    app.options(ids.CUSTOMER)(partial(suggest_customers, desk))
    app.options(ids.SUBSCRIPTION)(partial(suggest_subscriptions, desk))
    app.action(ids.CUSTOMER)(partial(choose_customer, desk))


async def open_form(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, verb: Verb) -> None:
    """From a command or a global shortcut: keep a draft, acknowledge, then show the form."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    words = str(body.get("text") or "").strip()
    draft = await desk.backstop.requests.begin_draft(
        verb, by=person, channel=str(body.get("channel_id") or ""), form={"words": words}
    )
    await ack()
    desk.after_ack(_answering(desk, body, _show_form(desk, person, draft, words, body["trigger_id"])))


async def open_prefilled(
    desk: Desk, ack: AsyncAck, body: dict[str, Any], *, verb: Verb, reason: Reason | None = None
) -> None:
    """From a button beside a customer: the same form, with the customer filled in."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    customer_id = str(body["actions"][0].get("value") or "")
    channel = str((body.get("channel") or {}).get("id") or "")
    draft = await desk.backstop.requests.begin_draft(
        verb, by=person, channel=channel, customer_id=CustomerId(customer_id), form={"words": ""}
    )
    await ack()
    desk.after_ack(_answering(desk, body, _show_prefilled(desk, person, draft, reason, body["trigger_id"])))


async def suggest_customers(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    typed = str(body.get("value") or "").strip()
    if not typed:
        draft = await desk.backstop.requests.draft(_draft_id(body), by=person)
        typed = str(draft.form.get("words") or "")
    found = await desk.backstop.customers.search(typed)
    if not found and typed:
        found = await desk.backstop.customers.search("")
    await ack(options=forms.options(forms.customer_option(c) for c in found if c.may_be_acted_on))


async def suggest_subscriptions(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    draft = await desk.backstop.requests.draft(_draft_id(body), by=person)
    customer_id = _chosen(body["view"], ids.CUSTOMER) or draft.customer_id
    if not customer_id:
        await ack(options=[])
        return
    texts = desk.texts_for(person)
    typed = str(body.get("value") or "").casefold().split()
    found = await desk.backstop.customers.subscriptions(CustomerId(customer_id))
    matching = [s for s in found if all(_has(s, word, texts) for word in typed)]
    # Those it can be done to come first; the others stay visible, so that nobody wonders where they went.
    matching.sort(key=lambda s: (s.status is not _FITTING[draft.verb], s.name))
    await ack(options=forms.options(forms.subscription_option(s, texts) for s in matching))


def _has(subscription: Subscription, word: str, texts: Texts) -> bool:
    """Whether that word is in what the option shows, or in an id: short words are in many ids by chance."""
    option = forms.subscription_option(subscription, texts)
    shown = f"{option['text']['text']} {option['description']['text']} {subscription.name}"
    ids_ = f"{subscription.id} {subscription.offer_id or ''}"
    return word in shown.casefold() or (len(word) >= LEAST_OF_AN_ID and word in ids_.casefold())


async def choose_customer(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Another customer was chosen: remember whose subscriptions to offer, and forget the one chosen before."""
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    option = body["actions"][0].get("selected_option") or {}
    customer_id = CustomerId(str(option.get("value") or ""))
    draft = await desk.backstop.requests.change_draft(
        _draft_id(body), by=person, customer_id=customer_id or None
    )
    await ack()
    desk.after_ack(_answering(desk, body, _show_customer(desk, person, draft, body["view"])))


async def review(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, of: Review) -> None:
    """*Continue*: read live and show what will happen. Nothing is requested yet."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    texts = desk.texts_for(person)
    filled = _filled(body["view"])
    draft = await desk.backstop.requests.draft(_draft_id(body), by=person)
    reading = asyncio.ensure_future(of(desk, filled))
    await asyncio.wait({reading}, timeout=PATIENCE_SECONDS)
    if reading.done():
        view = await _confirmation(desk, person, draft, reading.result())
        await ack(response_action="push", view=view)
        return
    waiting = forms.wait_view(
        texts(f"title-{draft.verb}"), texts("reading-live"), texts, external_id=draft.id
    )
    await ack(response_action="push", view=waiting)
    desk.after_ack(_show_when_read(desk, person, draft, reading))


async def place(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Confirm*: now it is a request."""
    person = await desk.people.who_clicked(body)
    request = await desk.backstop.requests.place(_draft_id(body), by=person)
    await ack(response_action="clear")
    draft = await desk.backstop.requests.draft(request.id, by=person)
    texts = desk.texts_for(person)
    where = desk.channels.approvals
    said = texts.mrkdwn(
        "placed-waits" if request.approvals_needed else "placed-acts",
        id=request.id,
        channel=blocks.channel(where) if where else texts("approvals-channel"),
    )
    about = {"user": {"id": person.id}, "channel": {"id": draft.channel}}
    desk.after_ack(errors.tell(desk, about, said))


def _filled(view: dict[str, Any]) -> Filled:
    """What was filled in. Raises Invalid under the field that is missing."""
    subscription_block = next(
        (b for b in view["state"]["values"] if b.startswith(ids.SUBSCRIPTION)), ids.SUBSCRIPTION
    )
    customer, subscription = _chosen(view, ids.CUSTOMER), _chosen(view, ids.SUBSCRIPTION)
    if not customer:
        raise Invalid(ids.CUSTOMER, "missing")
    if not subscription:
        raise Invalid(subscription_block, "missing")
    try:
        reason = Reason(_chosen(view, ids.REASON))
    except ValueError:
        raise Invalid(ids.REASON, "missing") from None
    note = _input(view, ids.NOTE).get("value") or ""
    return Filled(
        CustomerId(customer.lower()),
        SubscriptionId(subscription.lower()),
        subscription_block,
        reason,
        str(note).strip()[: blocks.NOTE],
    )


async def live(desk: Desk, filled: Filled) -> tuple[Customer, Subscription]:
    """Customer and subscription as Partner Center has them now; what it does not know is told under its field."""
    try:
        return await desk.backstop.customers.live(filled.customer_id, filled.subscription_id)
    except NotFound as error:
        field = filled.subscription_block if error.what == "subscription" else ids.CUSTOMER
        raise Invalid(field, f"no-such-{error.what}") from error


def to_confirm(
    filled: Filled,
    customer: Customer,
    subscription: Subscription,
    *,
    policy_note: str = "",
    approvals_needed: int,
) -> Confirmed:
    """What a request is placed from, once somebody presses *Confirm*."""
    return Confirmed(
        customer_id=customer.id,
        customer_name=customer.name,
        subscription_id=subscription.id,
        subscription_name=subscription.name,
        reason=filled.reason.value,
        note=filled.note,
        seen=subscription.fingerprint,
        policy_note=policy_note,
        approvals_needed=approvals_needed,
    )


async def _confirmation(desk: Desk, person: Person, draft: Draft, shown: Shown) -> blocks.View:
    """Keep what is going to be shown, then draw it."""
    await desk.backstop.requests.confirmable(draft.id, asdict(shown.confirmed), by=person)
    return shown.draw(draft.id, desk.texts_for(person))


async def _show_when_read(desk: Desk, person: Person, draft: Draft, reading: asyncio.Future[Shown]) -> None:
    try:
        view = await _confirmation(desk, person, draft, await reading)
    except Exception as error:
        words = await errors.words_for(desk, error, person=person, attempted=ids.SUSPEND_FORM)
        view = refusal(words, desk.texts_for(person))
    await _fill_waiting(desk, draft, view)


async def _fill_waiting(desk: Desk, draft: Draft, view: blocks.View) -> None:
    """Show it where the person waits. Slack knows that view only once it has taken in our ack."""
    for pause in PUSHED_WITHIN:
        try:
            await call(desk.client.views_update, external_id=draft.id, view=view)
        except Rejected as error:
            if error.reason != "not_found":
                raise
            await asyncio.sleep(pause)
        else:
            return
    log.info("nobody waits any more: the form was closed")


async def _show_form(desk: Desk, person: Person, draft: Draft, words: str, trigger: str) -> None:
    """Open the form at once (a trigger lives three seconds), and fill it when the customer is found."""
    texts = desk.texts_for(person)
    if not words:
        await call(
            desk.client.views_open, trigger_id=trigger, view=forms.action_form(draft.verb, draft.id, texts)
        )
        return
    found = await desk.backstop.customers.find(words)
    if found.customers:
        view = await _form_for(desk, person, draft, words, found.customers, found.subscription)
        await call(desk.client.views_open, trigger_id=trigger, view=view)
        return
    first = forms.action_form(
        draft.verb, draft.id, texts, hint=texts.mrkdwn("form-searching", words=blocks.name(words))
    )
    opened = await call(desk.client.views_open, trigger_id=trigger, view=first)
    live = await desk.backstop.customers.search(words)
    view = await _form_for(desk, person, draft, words, live, None)
    await call(desk.client.views_update, view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=view)


async def _form_for(
    desk: Desk,
    person: Person,
    draft: Draft,
    words: str,
    found: tuple[Customer, ...],
    subscription: Subscription | None,
) -> blocks.View:
    """One match fills the form; several offer a choice; none says so."""
    texts = desk.texts_for(person)
    ours = [c for c in found if c.may_be_acted_on]
    if len(ours) != 1:
        key = "form-several" if ours else "form-nobody"
        hint = texts.mrkdwn(key, n=texts.number(len(ours)), words=blocks.name(words))
        return forms.action_form(draft.verb, draft.id, texts, hint=hint)
    customer = ours[0]
    await desk.backstop.requests.change_draft(draft.id, by=person, customer_id=customer.id)
    return forms.action_form(
        draft.verb,
        draft.id,
        texts,
        customer=customer,
        subscription=subscription or await _only_one(desk, draft.verb, customer),
        hint=texts.mrkdwn("form-matched", words=blocks.name(words), customer=blocks.name(customer.name)),
    )


async def _show_prefilled(
    desk: Desk, person: Person, draft: Draft, reason: Reason | None, trigger: str
) -> None:
    customer = await desk.backstop.customers.customer(draft.customer_id or "")
    view = forms.action_form(
        draft.verb,
        draft.id,
        desk.texts_for(person),
        customer=customer,
        subscription=await _only_one(desk, draft.verb, customer),
        reason=reason,
    )
    await call(desk.client.views_open, trigger_id=trigger, view=view)


async def _show_customer(desk: Desk, person: Person, draft: Draft, view: dict[str, Any]) -> None:
    customer = await desk.backstop.customers.customer(draft.customer_id) if draft.customer_id else None
    chosen = _chosen(view, ids.REASON)
    form = forms.action_form(
        draft.verb,
        draft.id,
        desk.texts_for(person),
        customer=customer,
        subscription=await _only_one(desk, draft.verb, customer) if customer else None,
        reason=Reason(chosen) if chosen else None,
    )
    await call(desk.client.views_update, view_id=view["id"], hash=view["hash"], view=form)


async def _only_one(desk: Desk, verb: Verb, customer: Customer) -> Subscription | None:
    """The customer's one subscription it can be done to, when there is no choice to make."""
    owned = await desk.backstop.customers.subscriptions(customer.id)
    fitting = [s for s in owned if s.status is _FITTING[verb]]
    return fitting[0] if len(fitting) == 1 else None


async def _answering(desk: Desk, body: dict[str, Any], work: Any) -> None:
    """Do it; when it cannot be done, tell the person why."""
    try:
        await work
    except Exception as error:
        if isinstance(error, BackstopError) and getattr(error, "reason", "") == "hash_conflict":
            log.info("the form changed meanwhile")  # a newer update is on its way already
            return
        person = await desk.people.who_clicked(body)
        words = await errors.words_for(desk, error, person=person, attempted=ids.SUSPEND_FORM)
        await errors.tell(desk, body, words)


def _draft_id(body: dict[str, Any]) -> str:
    return str(body["view"].get("private_metadata") or "")


def _chosen(view: dict[str, Any], action_id: str) -> str:
    option = _input(view, action_id).get("selected_option") or {}
    return str(option.get("value") or "")


def _input(view: dict[str, Any], action_id: str) -> dict[str, Any]:
    """The state of an input, whichever block it stands in."""
    for block in (view.get("state") or {}).get("values", {}).values():
        if action_id in block:
            return dict(block[action_id] or {})
    return {}
