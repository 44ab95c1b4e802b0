"""*Approve*, *Deny*, *Withdraw*, *Cancel*, *Look again* and *Try again*: check, write, acknowledge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.errors import Invalid
from handlers import ids, notices
from handlers.desk import Desk, call
from handlers.views import blocks, forms
from handlers.views.request_card import headline


def register(app: AsyncApp, desk: Desk) -> None:
    requests = desk.backstop.requests
    for action_id, use_case in (
        (ids.APPROVE, requests.approve),
        (ids.WITHDRAW, requests.withdraw),
        (ids.CANCEL, requests.cancel),
        (ids.LOOK_AGAIN, requests.look_again),
        (ids.RETRY, requests.retry),
    ):
        app.action(action_id)(partial(clicked, desk, use_case))
    app.action(ids.DENY)(partial(ask_why, desk))
    app.view(ids.DENY_REASON)(partial(deny, desk))


async def clicked(
    desk: Desk, use_case: Callable[..., Awaitable[object]], ack: AsyncAck, body: dict[str, Any]
) -> None:
    """One click, one use case; the right is read at this moment and the rule is the domain's."""
    try:
        await use_case(_request_id(body), by=await desk.people.who_clicked(body))
    finally:
        _redraw_clicked(desk, body)
    await ack()  # what was acknowledged is already in the database


async def ask_why(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Ask for the reason, if a no would count now; the right is read again when the reason is sent."""
    person = await desk.people.who_clicked(body)
    request = await desk.backstop.requests.may_decide(_request_id(body), by=person)
    await ack()
    texts = desk.texts_for(person)
    view = forms.deny_form(request.id, blocks.escaped(headline(request, texts)), texts)
    desk.after_ack(_open(desk, body["trigger_id"], view))


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


def _redraw_clicked(desk: Desk, body: dict[str, Any]) -> None:
    """The message that was clicked may be a second copy of the card, or one that missed a redraw."""
    channel, ts = (body.get("channel") or {}).get("id"), (body.get("message") or {}).get("ts")
    if channel and ts:
        desk.after_ack(notices.redraw(desk, _request_id(body), channel=str(channel), ts=str(ts)))


async def _open(desk: Desk, trigger: str, view: blocks.View) -> None:
    await call(desk.client.views_open, trigger_id=trigger, view=view)
