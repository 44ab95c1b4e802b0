"""What was changed outside Backstop: its card in the approvals channel, *Adopt* and *Explain*."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.action import Reason
from bot.domain.customer import SubscriptionStatus
from bot.domain.drift import Drift
from bot.domain.errors import Invalid, NotFound
from handlers import ids
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.views import blocks
from handlers.views import drift as views


def register(app: AsyncApp, desk: Desk) -> None:
    app.action(ids.ADOPT)(partial(ask, desk, form=views.adopt_form))
    app.action(ids.EXPLAIN)(partial(ask, desk, form=views.explain_form))
    app.view(ids.ADOPT_FORM)(partial(adopt, desk))
    app.view(ids.EXPLAIN_FORM)(partial(explain, desk))


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, form: views.Form) -> None:
    """Show the form, if a word would count now; the right is read again when the form is sent."""
    clicked = str(body["actions"][0].get("value") or "")
    person = await desk.people.who_clicked(body)
    try:
        drift = await desk.backstop.drifts.may_decide(clicked, by=person)
    finally:
        _redraw_clicked(desk, body, clicked)
    await ack()
    view = form(drift, desk.texts_for(person))
    desk.after_ack(_open(desk, body["trigger_id"], view))


async def adopt(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    try:
        reason = Reason(chosen(body["view"], ids.REASON))
    except ValueError:
        raise Invalid(ids.REASON, "missing") from None
    note = str(given(body["view"], ids.NOTE).get("value") or "").strip()[: blocks.NOTE]
    person = await desk.people.who_clicked(body)
    await desk.backstop.drifts.adopt(body["view"]["private_metadata"], by=person, reason=reason, note=note)
    await ack()


async def explain(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    note = str(given(body["view"], ids.EXPLANATION).get("value") or "").strip()[: blocks.NOTE]
    if not note:
        raise Invalid(ids.EXPLANATION, "missing")
    person = await desk.people.who_clicked(body)
    await desk.backstop.drifts.explain(body["view"]["private_metadata"], by=person, note=note)
    await ack()


async def show_drift(desk: Desk, drift_id: str) -> None:
    """Post the card, once, or redraw it until it shows the newest state; for a drift without one, nothing."""
    channel, posts, drifts = desk.channels.approvals, desk.backstop.posts, desk.backstop.drifts
    key, drift = f"drift:{drift_id}", await drifts.get(drift_id)
    if channel is None or not await drifts.has_card(drift_id):
        return
    first, body = drift, await _card(desk, drift)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage,
            channel=channel,
            text=blocks.escaped(views.headline(first, desk.texts)),
            blocks=body,
            unfurl_links=False,
        )
        return str(answer["channel"]), str(answer["ts"])

    if await posts.at_least_once(key, post, channel=channel):
        await posts.drawn(key, version=first.version)
    # Somebody may decide while we draw; draw until what is shown is what is.
    while (posted := await posts.find(key)) and posted.ts:
        drift = await drifts.get(drift_id)
        if posted.drawn == drift.version:
            return
        await _draw(desk, drift, channel=posted.channel, ts=posted.ts)
        await posts.drawn(key, version=drift.version)


async def tell_more_drifts(desk: Desk, line: str) -> None:
    """Tell in one line, once, of those for which there was no card left."""
    channel = desk.channels.approvals
    many = await desk.backstop.drifts.in_line(line)
    if channel is None or not many:
        return
    said = desk.texts.count("drift-more", many)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=said, blocks=[blocks.section(said)]
        )
        return str(answer["channel"]), str(answer["ts"])

    await desk.backstop.posts.once(f"drifts:{line}", post, channel=channel)


async def _card(desk: Desk, drift: Drift) -> list[blocks.Block]:
    digests = desk.backstop.digests
    counts = drift.became is SubscriptionStatus.SUSPENDED
    countdown = await digests.countdown_of(drift.subscription_id) if counts else None
    return views.drift_card(drift, countdown, desk.texts, on=digests.today())


async def _draw(desk: Desk, drift: Drift, *, channel: str, ts: str) -> None:
    await call(
        desk.client.chat_update,
        channel=channel,
        ts=ts,
        text=blocks.escaped(views.headline(drift, desk.texts)),
        blocks=await _card(desk, drift),
    )


def _redraw_clicked(desk: Desk, body: dict[str, Any], drift_id: str) -> None:
    """The message that was clicked may be a second copy of the card, or one that missed a redraw."""
    channel, ts = (body.get("channel") or {}).get("id"), (body.get("message") or {}).get("ts")
    if channel and ts:
        desk.after_ack(_redraw(desk, drift_id, channel=str(channel), ts=str(ts)))


async def _redraw(desk: Desk, drift_id: str, *, channel: str, ts: str) -> None:
    try:
        drift = await desk.backstop.drifts.get(drift_id)
    except NotFound:
        return
    posted = await desk.backstop.posts.find(f"drift:{drift_id}")
    if posted and posted.ts == ts and posted.drawn == drift.version:
        return
    await _draw(desk, drift, channel=channel, ts=ts)


async def _open(desk: Desk, trigger: str, view: blocks.View) -> None:
    await call(desk.client.views_open, trigger_id=trigger, view=view)
