"""What was changed outside Backstop: its card in the approvals channel, *Adopt* and *Explain*."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.action import Reason
from bot.domain.customer import SubscriptionStatus
from bot.domain.errors import Invalid
from handlers import cards, errors, ids
from handlers.cards import Drawing
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import blocks
from handlers.views import drift as views


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.ADOPT)(partial(ask, desk, form=views.adopt_form))
    listen.action(ids.EXPLAIN)(partial(ask, desk, form=views.explain_form))
    listen.view(ids.ADOPT_FORM)(partial(adopt, desk))
    listen.view(ids.EXPLAIN_FORM)(partial(explain, desk))


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, form: views.Form) -> None:
    """Show the form, if a word would count now; the right is read again when the form is sent."""
    clicked = str(body["actions"][0].get("value") or "")
    person = await desk.people.who_clicked(body)
    with cards.brought_up_to_date(desk, body, _key(clicked), partial(_drawn, desk, clicked)):
        drift = await desk.backstop.drifts.may_decide(clicked, by=person)
    await ack()
    view = form(drift, desk.texts_for(person))
    desk.after_ack(errors.opened(desk, body, person, view, attempted=ids.EXPLAIN))


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
    channel = desk.channels.approvals
    if channel is not None and await desk.backstop.drifts.has_card(drift_id):
        await cards.show(desk, _key(drift_id), partial(_drawn, desk, drift_id), channel=channel)


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


def _key(drift_id: str) -> str:
    return f"drift:{drift_id}"


async def _drawn(desk: Desk, drift_id: str) -> Drawing:
    """Its card as it is now, or NotFound."""
    drift, digests = await desk.backstop.drifts.get(drift_id), desk.backstop.digests
    counts = drift.became is SubscriptionStatus.SUSPENDED
    countdown = await digests.countdown_of(drift.subscription_id) if counts else None
    said = blocks.escaped(views.headline(drift, desk.texts))
    return Drawing(drift.version, said, views.drift_card(drift, countdown, desk.texts, on=digests.today()))
