"""What somebody filled in: the answers of a form, read and checked field by field."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from datetime import date
from typing import Any

from bot.domain.action import Reason
from bot.domain.calendar import When
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import Invalid
from bot.domain.request import ActionRequest
from handlers import ids
from handlers.views import blocks


@dataclass(frozen=True, slots=True)
class Filled:
    """`subscriptions` is None for all it can be done to. `subscription_block` is where a refusal of one belongs."""

    customer_id: CustomerId
    subscriptions: tuple[SubscriptionId, ...] | None
    subscription_block: str
    reason: Reason
    note: str = ""
    when: When = When.NOW
    day: date | None = None
    time: datetime.time | None = None

    @property
    def is_about_one(self) -> bool:
        return self.subscriptions is not None and len(self.subscriptions) == 1


def filled(view: dict[str, Any]) -> Filled:
    """What was filled in. Raises Invalid under the field that is missing."""
    block = next((b for b in view["state"]["values"] if b.startswith(ids.SUBSCRIPTION)), ids.SUBSCRIPTION)
    customer, subscription = chosen(view, ids.CUSTOMER), chosen(view, ids.SUBSCRIPTION)
    if not customer:
        raise Invalid(ids.CUSTOMER, "missing")
    if not subscription:
        raise Invalid(block, "missing")
    try:
        reason = Reason(chosen(view, ids.REASON))
    except ValueError:
        raise Invalid(ids.REASON, "missing") from None
    when = When(chosen(view, ids.WHEN) or When.NOW)
    if when is not When.NOW and reason.is_urgent:
        raise Invalid(ids.WHEN, "urgent")
    note = given(view, ids.NOTE).get("value") or ""
    return Filled(
        customer_id=CustomerId(customer.lower()),
        subscriptions=None if subscription == ids.ALL else (SubscriptionId(subscription.lower()),),
        subscription_block=block,
        reason=reason,
        note=str(note).strip()[: blocks.NOTE],
        when=when,
        day=_day(view) if when is When.AT else None,
        time=_time(view) if when is When.AT else None,
    )


def again(request: ActionRequest) -> Filled:
    """What was asked for in a request, as far as it has to be confirmed again; at once, for its time may be past."""
    return Filled(
        customer_id=request.action.customer_id,
        subscriptions=tuple(t.subscription_id for t in request.targets if t.must_be_confirmed_again),
        subscription_block=ids.SUBSCRIPTION,
        reason=request.action.reason,
        note=request.action.note,
    )


def chosen(view: dict[str, Any], action_id: str) -> str:
    """The value of the option chosen in a select; empty when there is none."""
    option = given(view, action_id).get("selected_option") or {}
    return str(option.get("value") or "")


def given(view: dict[str, Any], action_id: str) -> dict[str, Any]:
    """The state of an input, whichever block it stands in."""
    for block in (view.get("state") or {}).get("values", {}).values():
        if action_id in block:
            return dict(block[action_id] or {})
    return {}


def _day(view: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(given(view, ids.DATE).get("selected_date") or ""))
    except ValueError:
        raise Invalid(ids.DATE, "missing") from None


def _time(view: dict[str, Any]) -> datetime.time:
    try:
        return datetime.time.fromisoformat(str(given(view, ids.TIME).get("selected_time") or ""))
    except ValueError:
        raise Invalid(ids.TIME, "missing") from None
