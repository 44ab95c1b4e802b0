"""`/csp-resume`: what a resumption will do, and who suspended it and why."""

from __future__ import annotations

from functools import partial

from bot.domain.action import Reason, Verb
from bot.domain.customer import Customer, Subscription, must_be_resumable
from bot.domain.drift import Drift
from bot.domain.people import Right
from bot.domain.request import ActionRequest
from handlers import asking, ids
from handlers.asking import Blocked, Shown
from handlers.command import Command
from handlers.desk import Desk
from handlers.filled import Filled
from handlers.listeners import Listeners
from handlers.views import confirmation

COMMAND = Command(
    name="/csp-resume",
    usage="[customer or subscription]",
    about="help-resume",
    example="/csp-resume contoso",
    right=Right.OPERATE,
)


def register(listen: Listeners, desk: Desk) -> None:
    open_form = partial(asking.open_form, desk, verb=Verb.RESUME)
    listen.command(COMMAND.name)(open_form)
    listen.action(ids.HOME_RESUME)(open_form)
    listen.action(ids.RESUME_CUSTOMER)(partial(asking.open_prefilled, desk, verb=Verb.RESUME))
    listen.action(ids.RESUME_AGAIN)(partial(asking.ask_again, desk, of=review))
    listen.view(ids.RESUME_FORM)(partial(asking.review, desk, of=review))
    listen.view(ids.RESUME_CONFIRMATION)(partial(asking.place, desk))


async def review(desk: Desk, form: Filled) -> Shown | Blocked:
    """Everything the confirmation says, read live. Raises what stands in the way."""
    backstop = desk.backstop

    async def fits(customer: Customer, subscription: Subscription) -> None:
        base = None
        if subscription.parent_id and form.is_about_one:
            _, base = await backstop.customers.live(customer.id, subscription.parent_id)
        must_be_resumable(subscription, of=customer, base=base)

    customer, subscriptions, left_out = await asking.live(desk, Verb.RESUME, form, fits)
    lifted = await backstop.digests.lifted(subscriptions)
    for_debt = any(_is_for_debt(was) for was in lifted)
    asked = confirmation.Asking(
        customer=customer,
        subscriptions=subscriptions,
        reason=form.reason,
        note=form.note,
        approvals_needed=await backstop.requests.approvals_needed(
            Verb.RESUME,
            [s.id for s in subscriptions],
            by_policy=backstop.policy.exit.approvals if for_debt else 0,
        ),
        time_to_live=backstop.requests.rules.time_to_live,
        dry_run=backstop.requests.rules.dry_run,
        approvals_channel=desk.channels.approvals,
        left_out=left_out,
    )
    return Shown(asking.to_confirm(asked), partial(confirmation.resume_confirmation, asked, lifted))


def _is_for_debt(was: ActionRequest | Drift | None) -> bool:
    """Whether it was suspended for non-payment, as far as Backstop knows."""
    match was:
        case ActionRequest():
            return was.action.is_for_debt
        case Drift():
            return was.reason is Reason.NON_PAYMENT
        case None:
            return False
