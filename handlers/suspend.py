"""`/csp-suspend`: what a suspension will do, and whether the billing policy calls for it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bot.domain.action import Reason, Verb, must_be_cancellable
from bot.domain.customer import (
    Customer,
    Subscription,
    SubscriptionKind,
    SubscriptionStatus,
    must_be_suspendable,
)
from bot.domain.errors import CannotBeCancelled, OutOfScope
from bot.domain.people import Right
from bot.domain.policy import BillingPolicy, Stage
from handlers import asking, ids
from handlers.asking import Blocked, Shown
from handlers.command import Command, Shortcut
from handlers.desk import Desk
from handlers.filled import Filled
from handlers.listeners import Listeners
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


def register(listen: Listeners, desk: Desk) -> None:
    open_form = partial(asking.open_form, desk, verb=Verb.SUSPEND)
    listen.command(COMMAND.name)(open_form)
    listen.shortcut(ids.SUSPEND_SHORTCUT)(open_form)
    listen.action(ids.HOME_SUSPEND)(open_form)
    listen.action(ids.SUSPEND_CUSTOMER)(
        partial(asking.open_prefilled, desk, verb=Verb.SUSPEND, reason=Reason.NON_PAYMENT)
    )
    listen.action(ids.SUSPEND_FOR_FRAUD)(
        partial(asking.open_prefilled, desk, verb=Verb.SUSPEND, reason=Reason.FRAUD)
    )
    listen.action(ids.SUSPEND_AGAIN)(partial(asking.ask_again, desk, of=review))
    listen.view(ids.SUSPEND_FORM)(partial(asking.review, desk, of=review))
    listen.view(ids.SUSPEND_CONFIRMATION)(partial(asking.place, desk))


async def review(desk: Desk, form: Filled) -> Shown | Blocked:
    """Everything the confirmation says, read live. Raises what stands in the way."""
    backstop, alone = desk.backstop, form.is_about_one
    is_for_debt = form.reason is Reason.NON_PAYMENT
    running: list[confirmation.Running] = []

    async def fits(customer: Customer, subscription: Subscription) -> None:
        must_be_suspendable(subscription, of=customer)
        stage = _stage(backstop.policy, customer, desk) if is_for_debt and not alone else None
        if stage and stage.scope.broken_by([subscription]):
            raise OutOfScope(subscription.kind)
        found = await _running(desk, subscription)
        if alone:
            running.extend(found)
        else:
            must_be_suspendable(subscription, of=customer, running=[child.name for child in found])

    customer, found, left_out = await asking.live(desk, Verb.SUSPEND, form, fits)
    if running:
        return _blocked(desk, form, found[0], running)
    not_before = asking.not_before(desk, form)
    # What goes along with its base needs no write of its own.
    chosen = {s.id for s in found}
    subscriptions = tuple(s for s in found if s.parent_id not in chosen)
    along = tuple(s.name for s in found if s.parent_id in chosen)
    judged = await backstop.digests.judge(customer) if is_for_debt else None
    stage = _stage(judged.policy, customer, desk) if judged else None
    broken = stage.scope.broken_by(subscriptions) if stage else ()
    holds, note = verdict(judged.standing if judged else None, form.reason, desk.texts, broken=broken)
    time_to_live = backstop.requests.rules.time_to_live
    if stage and stage.expires_hours:
        time_to_live = min(time_to_live, timedelta(hours=stage.expires_hours))
    asked = confirmation.Asking(
        customer=customer,
        subscriptions=subscriptions,
        reason=form.reason,
        note=form.note,
        approvals_needed=await backstop.requests.approvals_needed(
            Verb.SUSPEND,
            [s.id for s in subscriptions],
            by_policy=stage.approvals if stage else 0,
        ),
        time_to_live=time_to_live,
        dry_run=backstop.requests.rules.dry_run,
        approvals_channel=desk.channels.approvals,
        left_out=left_out,
    )
    begins = not_before.astimezone(backstop.zone).date() if not_before else backstop.digests.today()
    what = confirmation.Consequences(
        cloud=backstop.cloud,
        deadlines=tuple(backstop.digests.deadline(s, begins) for s in subscriptions),
        policy_note=note,
        holds=holds,
        undo=backstop.requests.rules.undo_window * (0 if form.reason.is_urgent else 1),
        add_ons=await _add_ons(desk, subscriptions[0]) if alone else along,
        not_before=not_before,
        zone=backstop.zone.key,
        over_limit=backstop.limits.most if len(subscriptions) > backstop.limits.most else None,
    )
    mark = {True: "policy-holds-plain", False: "policy-broken-plain", None: "policy-silent-plain"}[holds]
    confirmed = asking.to_confirm(
        asked, policy_note=desk.texts(mark, note=note), not_before=not_before, judged=judged
    )
    return Shown(confirmed, partial(confirmation.suspend_confirmation, asked, what))


def _stage(policy: BillingPolicy, customer: Customer, desk: Desk) -> Stage | None:
    """The stage of the billing policy by which this customer is suspended today."""
    return policy.suspend_stage_for(customer.id, on=desk.backstop.digests.today())


async def _add_ons(desk: Desk, base: Subscription) -> tuple[str, ...] | None:
    if base.parent_id:
        return ()
    found = await desk.backstop.customers.add_ons(base)
    if found is None:
        return None
    return tuple(s.name for s in found if s.status is SubscriptionStatus.ACTIVE)


async def _running(desk: Desk, subscription: Subscription) -> list[confirmation.Running]:
    """What runs in it, if it is an Azure plan."""
    if subscription.kind is not SubscriptionKind.AZURE_PLAN:
        return []
    children = await desk.backstop.customers.azure_children(subscription)
    return [confirmation.Running(child.id, child.name) for child in children if child.is_active]


def _blocked(desk: Desk, form: Filled, plan: Subscription, running: list[confirmation.Running]) -> Blocked:
    why_not: CannotBeCancelled | None = None
    try:
        must_be_cancellable(form.reason, switched_on=desk.backstop.requests.rules.cancels_azure)
    except CannotBeCancelled as error:
        why_not = error
    kept = {"plan": plan.id, "reason": form.reason.value, "note": form.note}
    return Blocked(partial(confirmation.azure_blocked, plan, running, why_not=why_not), kept)
