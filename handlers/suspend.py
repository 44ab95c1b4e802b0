"""`/csp-suspend`: what a suspension will do, and whether the billing policy calls for it."""

from __future__ import annotations

from functools import partial

from slack_bolt.async_app import AsyncApp

from bot.domain.customer import deletion_deadline, must_be_suspendable
from bot.domain.people import Right
from bot.domain.policy import Standing
from bot.domain.request import Reason, Verb
from handlers import asking, ids
from handlers.asking import Filled, Shown
from handlers.command import Command, Shortcut
from handlers.desk import Desk
from handlers.views import confirmation
from handlers.views.policy import verdict

COMMAND = Command(
    name="/csp-suspend",
    usage="[customer or subscription]",
    about="help-suspend",
    example="/csp-suspend contoso",
    right=Right.OPERATE,
)
SHORTCUT = Shortcut(
    callback_id=ids.SUSPEND_SHORTCUT, name="Suspend subscription", about="Ask for a suspension"
)


def register(app: AsyncApp, desk: Desk) -> None:
    open_form = partial(asking.open_form, desk, verb=Verb.SUSPEND)
    app.command(COMMAND.name)(open_form)
    app.shortcut(ids.SUSPEND_SHORTCUT)(open_form)
    app.action(ids.SUSPEND_CUSTOMER)(
        partial(asking.open_prefilled, desk, verb=Verb.SUSPEND, reason=Reason.NON_PAYMENT)
    )
    app.view(ids.SUSPEND_FORM)(partial(asking.review, desk, of=review))
    app.view(ids.SUSPEND_CONFIRMATION)(partial(asking.place, desk))


async def review(desk: Desk, filled: Filled) -> Shown:
    """Everything the confirmation says, read live. Raises what stands in the way."""
    backstop = desk.backstop
    customer, subscription = await asking.live(desk, filled)
    must_be_suspendable(subscription, of=customer)
    standing: Standing | None = None
    if filled.reason is Reason.NON_PAYMENT:
        standing = await backstop.digests.standing_of(customer)
    holds, note = verdict(standing, filled.reason, desk.texts)
    rules = backstop.requests.rules
    stage_asks = backstop.policy.suspend_stage.approvals if backstop.policy.suspend_stage else 0
    by_policy = stage_asks if filled.reason is Reason.NON_PAYMENT else 0
    what = confirmation.Consequences(
        customer=customer,
        subscription=subscription,
        reason=filled.reason,
        note=filled.note,
        cloud=backstop.cloud,
        deadline=deletion_deadline(subscription, suspended_on=backstop.digests.today(), cloud=backstop.cloud),
        policy_note=note,
        holds=holds,
        approvals_needed=max(rules.approvals_suspend, by_policy),
        time_to_live=rules.time_to_live,
        undo=rules.undo_window * (0 if filled.reason.is_urgent else 1),
        dry_run=rules.dry_run,
        approvals_channel=desk.channels.approvals,
    )
    mark = {True: "policy-holds-plain", False: "policy-broken-plain", None: "policy-silent-plain"}[holds]
    confirmed = asking.to_confirm(
        filled,
        customer,
        subscription,
        policy_note=desk.texts(mark, note=note),
        approvals_needed=what.approvals_needed,
    )
    return Shown(confirmed, partial(confirmation.suspend_confirmation, what))
