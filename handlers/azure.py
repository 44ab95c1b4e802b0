"""*Cancel for compromise*: shut down one Azure subscription in a plan that somebody else has taken over."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.action import Reason, Verb, must_be_cancellable
from bot.domain.customer import Subscription, SubscriptionId, SubscriptionKind, SubscriptionStatus
from bot.domain.errors import CannotBeCancelled
from bot.domain.people import Right
from bot.store.drafts import Draft
from handlers import asking, ids
from handlers.asking import Carried, Shown
from handlers.desk import Desk
from handlers.listeners import Listeners
from handlers.views import confirmation


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.CANCEL_AZURE)(partial(ask, desk))
    listen.view(ids.CANCEL_AZURE_CONFIRMATION)(partial(asking.place, desk))


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """From the list of what runs in a plan: read it live, and show what a cancellation would do."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    shown = Carried.read(body["view"])
    asked_from = await desk.backstop.requests.newest(shown.draft_id, shown.nonce, by=person)
    must_be_cancellable(
        Reason(asked_from.form["reason"]), switched_on=desk.backstop.requests.rules.cancels_azure
    )
    draft = await desk.backstop.requests.begin_draft(
        Verb.CANCEL_AZURE,
        by=person,
        channel=asked_from.channel,
        customer_id=asked_from.customer_id,
        form={**asked_from.form, "child": str(body["actions"][0].get("value") or "")},
    )
    await ack()
    reading = review(desk, draft)
    desk.after_ack(
        asking.answering(
            desk, body, asking.show_reading(desk, person, draft, reading, desk.client.views_push, body)
        )
    )


async def review(desk: Desk, draft: Draft) -> Shown:
    """Everything the confirmation says, read live. Raises what stands in the way."""
    backstop = desk.backstop
    customer_id, plan_id = draft.customer_id, SubscriptionId(draft.form["plan"])
    if customer_id is None:
        raise CannotBeCancelled("not-active")
    customer, plan = await backstop.customers.live(customer_id, plan_id)
    child = await backstop.customers.azure_child(plan, SubscriptionId(draft.form["child"]))
    if not child.is_active:
        raise CannotBeCancelled("not-active")
    cancelled = Subscription(
        id=SubscriptionId(child.id),
        customer_id=customer.id,
        name=child.name,
        status=SubscriptionStatus.ACTIVE,
        status_word=child.status,
        kind=SubscriptionKind.AZURE_SUBSCRIPTION,
        parent_id=plan.id,
    )
    asked = confirmation.Asking(
        customer=customer,
        subscriptions=(cancelled,),
        reason=Reason(draft.form["reason"]),
        note=str(draft.form["note"]),
        approvals_needed=await backstop.requests.approvals_needed(Verb.CANCEL_AZURE, [cancelled.id]),
        time_to_live=backstop.requests.rules.time_to_live,
        dry_run=backstop.requests.rules.dry_run,
        approvals_channel=desk.channels.approvals,
    )
    return Shown(asking.to_confirm(asked), partial(confirmation.cancel_azure_confirmation, asked, plan.name))
