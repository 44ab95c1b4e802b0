"""*Break glass* and *Review*: one person lets a suspension act, everybody is told, and somebody else judges it."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import CodeNeeded, Invalid, Upstream
from bot.domain.glass import BrokenGlass, Finding
from bot.domain.people import Right
from bot.domain.request import ActionRequest
from bot.texts import for_locale
from handlers import authenticator, cards, errors, ids, notices
from handlers.cards import Drawing
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import blocks
from handlers.views import glass as views

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.BREAK_GLASS)(partial(ask_why, desk))
    listen.view(ids.GLASS_FORM)(partial(break_glass, desk))
    listen.action(ids.REVIEW_GLASS)(partial(ask_finding, desk))
    listen.view(ids.GLASS_REVIEW)(partial(review, desk))


async def ask_why(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Open the form for whoever could break the glass now; all of it is asked again when the form is sent."""
    request_id = _clicked(body)
    with cards.brought_up_to_date(
        desk, body, notices.card_key(request_id), partial(notices.drawn, desk, request_id)
    ):
        person = await desk.people.who_clicked(body)
        request, needs_code = await desk.backstop.requests.may_break_glass(request_id, by=person)
        if needs_code:
            await desk.backstop.authenticators.ask(request_id, by=person)
    await ack()
    texts, everybody = desk.texts_for(person), desk.channels.approvals or ""
    form = views.glass_form(request, texts, needs_code=needs_code, everybody=everybody)
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.BREAK_GLASS))


async def break_glass(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The reason, the code and the decision are taken together, or none is; the right is read at this moment."""
    view, person = body["view"], await desk.people.who_clicked(body)
    everybody = desk.channels.approvals or ""
    # A form happens in no channel; the only card that opens this one stands here.
    person = replace(person, channel=everybody)
    request_id, why = str(view["private_metadata"]), _typed(view, ids.GLASS_REASON)
    code = authenticator.given_code(body) if ids.CODE in view["state"]["values"] else None
    try:
        await desk.backstop.requests.break_glass(request_id, by=person, why=why, code=code)
    except CodeNeeded:  # since the form was opened
        await desk.backstop.authenticators.ask(request_id, by=person)
        request = await desk.backstop.requests.get(request_id)
        texts = desk.texts_for(person)
        form = views.glass_form(request, texts, needs_code=True, everybody=everybody, reason=why)
        await ack(response_action="update", view=form)
    else:
        await ack()  # what was acknowledged is already in the database


async def ask_finding(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Open the form for whoever could review it now."""
    request_id = _clicked(body)
    with cards.brought_up_to_date(desk, body, _key(request_id), partial(_drawn, desk, request_id)):
        person = await desk.people.who_clicked(body)
        broken, request = await desk.backstop.glass.may_review(request_id, by=person)
    await ack()
    form = views.review_form(broken, request, desk.texts_for(person))
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.REVIEW_GLASS))


async def review(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    view = body["view"]
    try:
        finding = Finding(chosen(view, ids.GLASS_FINDING))
    except ValueError:
        raise Invalid(ids.GLASS_FINDING, "missing") from None
    person, note = await desk.people.who_clicked(body), _typed(view, ids.GLASS_NOTE)
    await desk.backstop.glass.review(str(view["private_metadata"]), finding, note, by=person)
    await ack()


async def tell(desk: Desk, request_id: str) -> None:
    """Post what happened, or redraw it; then tell everybody whom it concerns, each once however often this runs."""
    broken, request = await desk.backstop.glass.get(request_id)
    channel = desk.channels.approvals
    if channel is None:
        return
    await cards.show(desk, _key(request_id), partial(_drawn, desk, request_id), channel=channel)
    if broken.reviewed:
        await _message(desk, f"glass-reviewed:{request_id}", broken.by, broken, request, channel)
    if second := desk.channels.escalation:
        await _tell_second(desk, second, broken, request, channel)
    approvers = await desk.people.holders(Right.APPROVE)
    for person in sorted({*approvers, broken.by, broken.requested_by}):
        await _message(desk, f"glass:{request_id}:{person}", person, broken, request, channel)


async def remind(desk: Desk, day: str) -> None:
    """Say in the approvals channel, once a day, what still waits for its review."""
    channel, waiting = desk.channels.approvals, await desk.backstop.glass.to_be_reminded_of()
    if channel is None or not waiting:
        return
    said, body = views.reminder(waiting, desk.texts)
    send = partial(_post, desk, channel, said, body)
    await desk.backstop.posts.once(f"reviews:{channel}:{day}", send, channel=channel)


async def _tell_second(
    desk: Desk, second: str, broken: BrokenGlass, request: ActionRequest, channel: str
) -> None:
    said = blocks.escaped(views.summary(broken, request, desk.texts))
    body = views.message_to(second, broken, request, desk.texts, channel=channel)
    send = partial(_post, desk, second, said, body)
    try:
        await desk.backstop.posts.once(f"glass:{broken.request_id}:{second}", send, channel=second)
    except Upstream as error:  # the approvers must still hear of it
        log.warning("%s not told of the broken glass: %s", second, error.reason)


async def _message(
    desk: Desk, key: str, person: str, broken: BrokenGlass, request: ActionRequest, channel: str
) -> None:
    texts = for_locale(await desk.people.language_of(person), default=desk.language)
    said = blocks.escaped(views.summary(broken, request, texts))
    body = views.message_to(person, broken, request, texts, channel=channel)
    send = partial(notices.message, desk, person, said, body)
    try:
        await desk.backstop.posts.once(key, send, channel=person)
    except Upstream as error:  # the others must still hear of it
        log.warning("%s not told of the broken glass: %s", person, error.reason)


async def _post(desk: Desk, channel: str, said: str, body: list[blocks.Block]) -> tuple[str, str]:
    answer = await call(desk.client.chat_postMessage, channel=channel, text=said, blocks=body)
    return str(answer["channel"]), str(answer["ts"])


async def _drawn(desk: Desk, request_id: str) -> Drawing:
    """Its message as it is now, or NotFound."""
    broken, request = await desk.backstop.glass.get(request_id)
    said = blocks.escaped(views.summary(broken, request, desk.texts))
    return Drawing(int(broken.reviewed is not None), said, views.glass_card(broken, request, desk.texts))


def _key(request_id: str) -> str:
    return f"glass:{request_id}"


def _typed(view: dict[str, Any], action_id: str) -> str:
    return str(given(view, action_id).get("value") or "").strip()


def _clicked(body: dict[str, Any]) -> str:
    return str(body["actions"][0].get("value") or "")
