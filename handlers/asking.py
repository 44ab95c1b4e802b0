"""How every action is asked for: a form, a confirmation that says what will happen, and only then a request.

What the confirmation says of one action is with that action: `handlers.suspend`, `handlers.resume`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.action import Reason, Verb
from bot.domain.calendar import When, business_morning, chosen_moment
from bot.domain.customer import (
    Customer,
    CustomerId,
    Subscription,
    SubscriptionStatus,
)
from bot.domain.errors import AlreadyDecided, AlreadyWaiting, BackstopError, Invalid, NotFound
from bot.domain.people import Person, Right
from bot.domain.request import NO_GROUND
from bot.domain.ticket import Ticket
from bot.services.digests import Judgement
from bot.services.requests import Confirmed, ConfirmedSubscription
from bot.store.drafts import Draft
from bot.texts import Mrkdwn, Texts
from handlers import errors, ids, reading
from handlers.desk import Desk, call, open_modal
from handlers.filled import Filled, again, chosen, filled
from handlers.listeners import Listeners
from handlers.reading import Waiting
from handlers.views import blocks, forms
from handlers.views.confirmation import Asking, LeftOut

LEAST_OF_AN_ID = 6
"""From so many characters on, what is typed may be part of an id."""

_FITTING = {Verb.SUSPEND: SubscriptionStatus.ACTIVE, Verb.RESUME: SubscriptionStatus.SUSPENDED}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a confirmation shows: `confirmed` is kept, and a request is placed from it; `draw` makes the view."""

    confirmed: Confirmed
    draw: Callable[[str, Texts], blocks.View]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a confirmation carries: of which draft it is, and of which *Continue*. Together they are its opaque id."""

    draft_id: str
    nonce: str
    """Empty where it was drawn by a release that gave none."""

    @classmethod
    def read(cls, view: dict[str, Any]) -> Carried:
        draft_id, _, nonce = str(view.get("private_metadata") or "").partition(":")
        return cls(draft_id, nonce)

    @classmethod
    def of(cls, draft: Draft | Ticket) -> Carried:
        return cls(draft.id, draft.nonce)

    def __str__(self) -> str:
        return f"{self.draft_id}:{self.nonce}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """What stands in the way, with what can be done about it; `kept` is remembered in the draft for that."""

    draw: Callable[[str, Texts], blocks.View]
    kept: dict[str, Any] = field(default_factory=dict)


Review = Callable[[Desk, Filled], Awaitable[Shown | Blocked]]
"""Reads live what one action would do. Raises what stands in its way."""


def register(listen: Listeners, desk: Desk) -> None:
    listen.options(ids.CUSTOMER)(partial(suggest_customers, desk))
    listen.options(ids.SUBSCRIPTION)(partial(suggest_subscriptions, desk))
    listen.action(ids.CUSTOMER)(partial(choose_customer, desk))
    listen.action(ids.WHEN)(partial(choose_when, desk))


async def open_form(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, verb: Verb) -> None:
    """From a command, a global shortcut or the App Home: keep a draft, acknowledge, then show the form."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    words = str(body.get("text") or "").strip()
    draft = await desk.backstop.requests.begin_draft(
        verb, by=person, channel=str(body.get("channel_id") or ""), form={"words": words}
    )
    await ack()
    desk.after_ack(answering(desk, body, _show_form(desk, person, draft, words, body["trigger_id"])))


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
    desk.after_ack(answering(desk, body, _show_prefilled(desk, person, draft, reason, body["trigger_id"])))


async def suggest_customers(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    typed = str(body.get("value") or "").strip()
    if not typed:
        draft = await desk.backstop.requests.draft(draft_id(body), by=person)
        typed = str(draft.form.get("words") or "")
    await ack(options=await fitting_customers(desk, typed))


async def fitting_customers(desk: Desk, typed: str) -> list[blocks.Option]:
    """Those of our customers that fit what was typed; where nobody does, all of them."""
    found = await desk.backstop.customers.search(typed)
    if not found and typed:
        found = await desk.backstop.customers.search("")
    return forms.options(forms.customer_option(c) for c in found if c.may_be_acted_on)


async def suggest_subscriptions(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    draft = await desk.backstop.requests.draft(draft_id(body), by=person)
    customer_id = chosen(body["view"], ids.CUSTOMER) or draft.customer_id
    if not customer_id:
        await ack(options=[])
        return
    texts = desk.texts_for(person)
    typed = str(body.get("value") or "")
    found = await desk.backstop.customers.subscriptions(CustomerId(customer_id))
    matching = fitting_subscriptions(found, typed, texts)
    asked_for = await desk.backstop.requests.waiting_for(draft.verb, [s.id for s in found])
    fits = {s.id for s in found if s.status is _FITTING[draft.verb] and s.id not in asked_for}
    # Those it can be done to come first; the others stay visible, so that nobody wonders where they went.
    matching.sort(key=lambda s: (s.id not in fits, s.name))
    offered = forms.options(
        forms.subscription_option(s, texts, is_asked_for=s.id in asked_for) for s in matching
    )
    fitting = len(fits)
    if (
        fitting > 1 and not typed.split()
    ):  # behind the single ones: nobody is to choose all of them by mistake
        offered = [*offered[: blocks.MOST_OPTIONS - 1], forms.all_option(draft.verb, fitting, texts)]
    await ack(options=offered)


def fitting_subscriptions(found: Iterable[Subscription], typed: str, texts: Texts) -> list[Subscription]:
    """Those that have every word that was typed."""
    words = typed.casefold().split()
    return [s for s in found if all(_has(s, word, texts) for word in words)]


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
        draft_id(body), by=person, customer_id=customer_id or None
    )
    await ack()
    desk.after_ack(answering(desk, body, _show_customer(desk, person, draft, body["view"])))


async def choose_when(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*At a date and time* was chosen, or given up: show the fields for it, or take them away."""
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    draft = await desk.backstop.requests.draft(draft_id(body), by=person)
    await ack()
    desk.after_ack(answering(desk, body, _show_again(desk, person, draft, body["view"])))


async def review(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, of: Review) -> None:
    """*Continue*: read live and show what will happen. Nothing is requested yet."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    form = filled(body["view"])
    draft = await desk.backstop.requests.begin_confirmation(draft_id(body), by=person, click=click_of(body))
    await reading.push(desk, ack, _drawn(desk, person, draft, of(desk, form)), _waiting(desk, person, draft))


def click_of(body: dict[str, Any]) -> str:
    """What tells one *Continue* from another, however often Slack delivers it; empty where nothing does.

    Each click has a trigger of its own. What was filled in counts as well: two that differ are never the same.
    """
    trigger = str(body.get("trigger_id") or "")
    return f"{trigger}:{json.dumps(body['view'].get('state'), sort_keys=True)}" if trigger else ""


async def ask_again(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, of: Review) -> None:
    """*Confirm again*: what was confirmed is no longer what is there, so show what is, and ask anew."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    request = await desk.backstop.requests.get(str(body["actions"][0].get("value") or ""))
    if not request.must_be_confirmed_again:
        raise AlreadyDecided(request.id, request.status, None)
    draft = await desk.backstop.requests.begin_draft(
        request.action.verb,
        by=person,
        channel=str((body.get("channel") or {}).get("id") or ""),
        customer_id=request.action.customer_id,
        form={"instead_of": request.id},
    )
    await ack()
    show = show_reading(desk, person, draft, of(desk, again(request)), desk.client.views_open, body)
    desk.after_ack(answering(desk, body, show))


async def place(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Confirm*: now it is a request."""
    person = await desk.people.who_clicked(body)
    shown = Carried.read(body["view"])
    request = await desk.backstop.requests.place(shown.draft_id, shown.nonce, by=person)
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


async def live(
    desk: Desk, verb: Verb, form: Filled, fits: Callable[[Customer, Subscription], Awaitable[None]]
) -> tuple[Customer, tuple[Subscription, ...], tuple[LeftOut, ...]]:
    """The customer and what was chosen, as Partner Center has them now; `fits` raises what is against one.

    So does a request for the very same that is open already; only when this one is placed is it certain that there is
    none. One alone that does not fit raises that; of several, what does not fit is left out, with the reason.
    """
    backstop = desk.backstop
    if form.subscriptions is not None and form.is_about_one:
        try:
            customer, subscription = await backstop.customers.live(form.customer_id, form.subscriptions[0])
        except NotFound as error:
            field = form.subscription_block if error.what == "subscription" else ids.CUSTOMER
            raise Invalid(field, f"no-such-{error.what}") from error
        await fits(customer, subscription)
        if asked_for := await backstop.requests.waiting_for(verb, [subscription.id]):
            raise AlreadyWaiting(asked_for[subscription.id])
        return customer, (subscription,), ()
    try:
        customer, found = await backstop.customers.live_all(form.customer_id)
    except NotFound as error:
        raise Invalid(ids.CUSTOMER, "no-such-customer") from error
    asked_for = await backstop.requests.waiting_for(verb, [s.id for s in found])
    fitting: list[Subscription] = []
    left_out: list[LeftOut] = []
    for subscription in found:
        if form.subscriptions is not None and subscription.id not in form.subscriptions:
            continue
        try:
            await fits(customer, subscription)
            if subscription.id in asked_for:
                raise AlreadyWaiting(asked_for[subscription.id])
        except BackstopError as error:
            left_out.append(LeftOut(subscription, error))
        else:
            fitting.append(subscription)
    if not fitting:
        raise left_out[0].why if left_out else Invalid(form.subscription_block, "no-such-subscription")
    return customer, tuple(fitting), tuple(left_out)


def to_confirm(
    asked: Asking,
    *,
    policy_note: str = "",
    not_before: datetime | None = None,
    judged: Judgement | None = None,
) -> Confirmed:
    """What a request is placed from, once somebody presses *Confirm*."""
    return Confirmed(
        customer_id=asked.customer.id,
        customer_name=asked.customer.name,
        subscriptions=tuple(
            ConfirmedSubscription(s.id, s.name, s.fingerprint, s.parent_id) for s in asked.subscriptions
        ),
        reason=asked.reason,
        note=asked.note,
        policy_note=policy_note,
        approvals_needed=asked.approvals_needed,
        time_to_live=asked.time_to_live,
        not_before=not_before,
        ground=judged.ground if judged else NO_GROUND,
        debtors=judged.debtors if judged else (),
    )


def not_before(desk: Desk, form: Filled) -> datetime | None:
    """The moment that was asked for, if any. Raises Invalid for one that is past or too far ahead."""
    backstop = desk.backstop
    if form.when is When.BUSINESS_DAY:
        return business_morning(backstop.policy.calendar, after=backstop.now(), zone=backstop.zone)
    if form.when is When.AT and form.day and form.time:
        return chosen_moment(form.day, form.time, zone=backstop.zone, now=backstop.now())
    return None


async def show_reading(
    desk: Desk,
    person: Person,
    draft: Draft,
    shown: Awaitable[Shown | Blocked],
    method: Callable[..., Awaitable[Any]],
    body: dict[str, Any],
) -> None:
    """Open a view at once, and fill it when what it says is read."""
    drawn, waiting = _drawn(desk, person, draft, shown), _waiting(desk, person, draft)
    await reading.show(desk, drawn, waiting, method, body["trigger_id"])


def _waiting(desk: Desk, person: Person, draft: Draft) -> Waiting:
    texts = desk.texts_for(person)
    title = texts(f"title-{draft.verb}")
    view = forms.wait_view(title, texts("reading-live"), texts, external_id=str(Carried.of(draft)))
    return Waiting(view, person, attempted=draft.verb)


async def _drawn(
    desk: Desk, person: Person, draft: Draft, reviewed: Awaitable[Shown | Blocked]
) -> blocks.View:
    """Keep what is going to be shown, then draw it; unless *Continue* was pressed anew meanwhile."""
    requests = desk.backstop.requests

    async def draw() -> blocks.View:
        shown = await reviewed
        if isinstance(shown, Shown):
            await requests.confirmable(draft.id, draft.nonce, shown.confirmed, by=person)
        else:
            await requests.blocked(draft.id, draft.nonce, shown.kept, by=person)
        return shown.draw(str(Carried.of(draft)), desk.texts_for(person))

    return await reading.newest(draw(), partial(requests.newest, draft.id, draft.nonce, by=person))


async def _show_form(desk: Desk, person: Person, draft: Draft, words: str, trigger: str) -> None:
    """Open the form at once (a trigger lives three seconds), and fill it when the customer is found."""
    texts = desk.texts_for(person)
    if not words:
        await open_modal(desk, trigger, forms.action_form(draft.verb, draft.id, texts))
        return
    found = await desk.backstop.customers.find(words)
    if found.customers:
        view = await _form_for(desk, person, draft, words, found.customers, found.subscription)
        await open_modal(desk, trigger, view)
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
    customer, hint = recognised(found, words, texts)
    if customer is None:
        return forms.action_form(draft.verb, draft.id, texts, hint=hint)
    await desk.backstop.requests.change_draft(draft.id, by=person, customer_id=customer.id)
    return forms.action_form(
        draft.verb,
        draft.id,
        texts,
        customer=customer,
        subscription=subscription or await _only_one(desk, draft.verb, customer),
        hint=hint,
    )


def recognised(found: Iterable[Customer], words: str, texts: Texts) -> tuple[Customer | None, Mrkdwn]:
    """Who is meant by what was typed, where it is one of ours alone; and what to say of it."""
    ours = [c for c in found if c.may_be_acted_on]
    if len(ours) != 1:
        key = "form-several" if ours else "form-nobody"
        return None, texts.mrkdwn(key, n=texts.number(len(ours)), words=blocks.name(words))
    name = blocks.name(ours[0].name)
    return ours[0], texts.mrkdwn("form-matched", words=blocks.name(words), customer=name)


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
    await open_modal(desk, trigger, view)


async def _show_customer(desk: Desk, person: Person, draft: Draft, view: dict[str, Any]) -> None:
    customer = await desk.backstop.customers.customer(draft.customer_id) if draft.customer_id else None
    only = await _only_one(desk, draft.verb, customer) if customer else None
    await _show_again(desk, person, draft, view, customer=customer, subscription=only)


async def _show_again(
    desk: Desk,
    person: Person,
    draft: Draft,
    view: dict[str, Any],
    *,
    customer: Customer | None = None,
    subscription: Subscription | None = None,
) -> None:
    """The form as it now has to be. What was filled in stays: Slack keeps it by the ids of block and action."""
    if customer is None and draft.customer_id:
        customer = await desk.backstop.customers.customer(draft.customer_id)
    reason, when = chosen(view, ids.REASON), chosen(view, ids.WHEN)
    form = forms.action_form(
        draft.verb,
        draft.id,
        desk.texts_for(person),
        customer=customer,
        subscription=subscription,
        reason=Reason(reason) if reason else None,
        when=When(when) if when else When.NOW,
        zone=desk.backstop.zone.key,
    )
    await call(desk.client.views_update, view_id=view["id"], hash=view["hash"], view=form)


async def _only_one(desk: Desk, verb: Verb, customer: Customer) -> Subscription | None:
    """The customer's one subscription it can be done to, when there is no choice to make."""
    owned = await desk.backstop.customers.subscriptions(customer.id)
    fitting = [s for s in owned if s.status is _FITTING[verb]]
    return fitting[0] if len(fitting) == 1 else None


async def answering(
    desk: Desk, body: dict[str, Any], work: Any, *, attempted: str = ids.SUSPEND_FORM
) -> None:
    """Do it; when it cannot be done, tell the person why."""
    try:
        await work
    except Exception as error:
        if isinstance(error, BackstopError) and getattr(error, "reason", "") == "hash_conflict":
            log.info("the form changed meanwhile")  # a newer update is on its way already
            return
        person = await errors.who(desk, body)
        words = await errors.words_for(desk, error, person=person, attempted=attempted)
        await errors.tell(desk, body, words)


def draft_id(body: dict[str, Any]) -> str:
    """Of a form, which carries nothing else, or of a confirmation."""
    return Carried.read(body["view"]).draft_id
