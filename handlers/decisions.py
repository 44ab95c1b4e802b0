"""*Approve*, *Deny*, *Withdraw*, *Cancel*, *Look again* and *Try again*: check, write, acknowledge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import CodeNeeded, Invalid
from handlers import authenticator, cards, errors, ids, notices
from handlers.desk import Desk
from handlers.listeners import Listeners
from handlers.views import authenticator as authenticator_views
from handlers.views import blocks, forms
from handlers.views.request_card import headline


def register(listen: Listeners, desk: Desk) -> None:
    requests = desk.backstop.requests
    for action_id, use_case in (
        (ids.WITHDRAW, requests.withdraw),
        (ids.CANCEL, requests.cancel),
        (ids.LOOK_AGAIN, requests.look_again),
        (ids.RETRY, requests.retry),
    ):
        listen.action(action_id)(partial(clicked, desk, use_case))
    listen.action(ids.APPROVE)(partial(approve, desk))
    listen.view(ids.APPROVE_CODE)(partial(approve_with_code, desk))
    listen.action(ids.DENY)(partial(ask_why, desk))
    listen.view(ids.DENY_REASON)(partial(deny, desk))


async def clicked(
    desk: Desk, use_case: Callable[..., Awaitable[object]], ack: AsyncAck, body: dict[str, Any]
) -> None:
    """One click, one use case; the right is read at this moment and the rule is the domain's."""
    request_id = _request_id(body)
    draw = partial(notices.drawn, desk, request_id)
    with cards.brought_up_to_date(desk, body, notices.card_key(request_id), draw):
        await use_case(request_id, by=await desk.people.who_clicked(body))
    await ack()  # what was acknowledged is already in the database


async def approve(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Add the approval, or ask for the code without which it does not count."""
    request_id, requests = _request_id(body), desk.backstop.requests
    draw = partial(notices.drawn, desk, request_id)
    with cards.brought_up_to_date(desk, body, notices.card_key(request_id), draw):
        person = await desk.people.who_clicked(body)
        try:
            await requests.approve(request_id, by=person)
        except CodeNeeded:
            await desk.backstop.authenticators.ask(request_id, by=person)
            texts = desk.texts_for(person)
            about = headline(await requests.get(request_id), texts)
            form = authenticator_views.code_form(request_id, about, texts)
            desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.APPROVE))
    await ack()  # what was acknowledged is already in the database


async def approve_with_code(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The code and the approval are taken together, or neither is; the right is read at this moment."""
    person = await desk.people.who_clicked(body)
    code = authenticator.given_code(body)
    await desk.backstop.requests.approve(body["view"]["private_metadata"], by=person, code=code)
    await ack()


async def ask_why(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Ask for the reason, if a no would count now; the right is read again when the reason is sent."""
    person = await desk.people.who_clicked(body)
    request = await desk.backstop.requests.may_decide(_request_id(body), by=person)
    await ack()
    texts = desk.texts_for(person)
    view = forms.deny_form(request.id, headline(request, texts), texts)
    desk.after_ack(errors.opened(desk, body, person, view, attempted=ids.DENY))


async def deny(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    why = body["view"]["state"]["values"][ids.DENY_REASON][ids.DENY_REASON].get("value") or ""
    if not str(why).strip():
        raise Invalid(ids.DENY_REASON, "missing")
    await desk.backstop.requests.deny(
        body["view"]["private_metadata"],
        by=await desk.people.who_clicked(body),
        why=str(why).strip()[: blocks.NOTE],
    )
    await ack()


def _request_id(body: dict[str, Any]) -> str:
    return str(body["actions"][0].get("value") or "")
