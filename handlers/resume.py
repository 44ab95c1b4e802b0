"""`/csp-resume`: what a resumption will do, and who suspended it and why."""

from __future__ import annotations

from functools import partial

from slack_bolt.async_app import AsyncApp

from bot.domain.customer import Subscription, must_be_resumable
from bot.domain.people import Right
from bot.domain.request import Verb, approvals_to_resume
from handlers import asking, ids
from handlers.asking import Filled, Shown
from handlers.command import Command
from handlers.desk import Desk
from handlers.views import confirmation

COMMAND = Command(
    name="/csp-resume",
    usage="[customer or subscription]",
    about="help-resume",
    example="/csp-resume contoso",
    right=Right.OPERATE,
)


def register(app: AsyncApp, desk: Desk) -> None:
    app.command(COMMAND.name)(partial(asking.open_form, desk, verb=Verb.RESUME))
    app.view(ids.RESUME_FORM)(partial(asking.review, desk, of=review))
    app.view(ids.RESUME_CONFIRMATION)(partial(asking.place, desk))


async def review(desk: Desk, filled: Filled) -> Shown:
    """Everything the confirmation says, read live. Raises what stands in the way."""
    backstop = desk.backstop
    customer, subscription = await asking.live(desk, filled)
    base: Subscription | None = None
    if subscription.parent_id:
        _, base = await backstop.customers.live(customer.id, subscription.parent_id)
    must_be_resumable(subscription, of=customer, base=base)
    suspension = await backstop.requests.last_suspension(subscription.id)
    suspended_for = suspension.action.reason if suspension else None
    rules = backstop.requests.rules
    what = confirmation.Resumption(
        customer=customer,
        subscription=subscription,
        reason=filled.reason,
        note=filled.note,
        suspension=suspension,
        approvals_needed=approvals_to_resume(rules.approvals_resume, suspended_for=suspended_for),
        time_to_live=rules.time_to_live,
        dry_run=rules.dry_run,
        approvals_channel=desk.channels.approvals,
    )
    confirmed = asking.to_confirm(filled, customer, subscription, approvals_needed=what.approvals_needed)
    return Shown(confirmed, partial(confirmation.resume_confirmation, what))
