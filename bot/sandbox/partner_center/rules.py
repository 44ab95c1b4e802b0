"""What Partner Center demands of an update, and which updates it does not allow.

https://learn.microsoft.com/partner-center/developer/suspend-a-subscription
https://learn.microsoft.com/partner-center/developer/cancel-an-azure-subscription
https://learn.microsoft.com/partner-center/developer/error-codes
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.partner_center import bodies
from bot.sandbox.partner_center.activity import Record
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.errors import ApiError, invalid
from bot.sandbox.partner_center.records import AzureSubscription, Customer, Kind, Subscription

# What an update may set besides the status, and the field of `Subscription` it stands for.
_SETTABLE: dict[str, tuple[str, type]] = {
    "friendlyname": ("nickname", str),
    "quantity": ("quantity", int),
    "autorenewenabled": ("auto_renew", bool),
    "partnerid": ("partner_id", str),
}
STOPS_AFTER = timedelta(minutes=10)
_STATUS_WORDS = {"active", "suspended", "deleted", "expired", "pending", "disabled", "none"}


def check_etag(held: Subscription, if_match: str | None) -> None:
    """Demand the current etag, in quotes, where there is one, and none where there is none."""
    current = bodies.etag(held)
    if not current:
        if if_match is not None:
            raise invalid("If-Match was sent for a resource without an etag", "If-Match")
        return
    if if_match is None:
        raise invalid("If-Match is missing", "If-Match")
    quoted = re.fullmatch(r'"([^"]*)"', if_match)
    if quoted is None:
        raise invalid("If-Match is not one etag in quotes", "If-Match")
    if quoted[1] != current:
        raise ApiError(400, 2055, "Etag is no longer valid.")


def changes_asked_for(customer: Customer, held: Subscription, sent: Any) -> dict[str, Any]:
    """The fields of `Subscription` the sent resource would change; it must be the whole resource.

    A field that is left out is refused here: in earnest it would be reset in silence.
    """
    resource = _by_lower_key(sent)
    known = _by_lower_key(bodies.subscription(customer, held))
    missing = [key for key in known if key not in resource and key != "links"]
    if missing:
        raise invalid("the whole resource is required", *missing)
    changes: dict[str, Any] = {}
    for key, value in resource.items():
        if key in {"links", "attributes"} or _same(key, value, known.get(key)):
            continue
        if key == "status":
            changes["status"] = _status(value)
        elif key in _SETTABLE:
            field, kind = _SETTABLE[key]
            if type(value) is not kind:
                raise invalid(f"not a {kind.__name__}", key)
            changes[field] = value
        else:
            raise invalid("this cannot be changed", key)
    return changes


def check_allowed(
    customer: Customer, held: Subscription, changes: dict[str, Any], *, at: datetime, grace: timedelta
) -> None:
    """Refuse what Partner Center refuses; `grace` is how long a suspended legacy offer can be resumed."""
    if held.status == "deleted":
        raise ApiError(400, 2011, f"Subscription with ID {held.id} and deleted status can't be updated.")
    if held.status == "suspended" and changes.keys() - {"status"}:
        if "quantity" in changes:
            raise ApiError(400, 2001, "Subscription quantity can't be changed while it is suspended.")
        raise ApiError(400, 800091, "Can't update a subscription with suspended status.")
    if "status" in changes:
        _check_status(customer, held, changes["status"], at=at, grace=grace)


def carry_out(
    directory: Directory, held: Subscription, changes: dict[str, Any], at: datetime, *, by_app: bool
) -> tuple[Subscription, tuple[str, ...]]:
    """Make the changes and what follows from them, and log them; also gives the ids of the add-ons that went along."""
    add_ons: tuple[str, ...] = ()
    customer, _ = directory.owner(held.id)
    if changes.get("status") == "suspended":
        going = [s for s in customer.subscriptions if s.parent_id == held.id and s.status == "active"]
        for add_on in going:
            carry_out(directory, add_on, {"status": "suspended"}, at, by_app=by_app)
        add_ons = tuple(add_on.id for add_on in going)
    after = directory.change(held.id, changed_at=at, **changes, **_consequences(held, changes, at))
    directory.log.keep(Record(at=at, customer=customer, before=held, after=after, by_app=by_app))
    return after, add_ons


def check_reason(sent: Any) -> None:
    """Demand the one reason for which an Azure subscription can be cancelled."""
    given = _by_lower_key(sent)
    if given.keys() != {"cancellationreason"} or not isinstance(given["cancellationreason"], str):
        raise ApiError(400, 800002, "Input is invalid: one cancellationReason is required.")
    if given["cancellationreason"].lower() != "compromise":
        raise ApiError(400, 900307, "The cancellation reason is not supported.")


def cancel(directory: Directory, plan: Subscription, child: AzureSubscription, at: datetime) -> None:
    """Accept a cancellation; the Azure subscription stops ten minutes later."""
    if child.status != "active":
        raise ApiError(400, 800040, f"Asset status can't be changed to inactive from {child.status}.")
    if child.cancelled_at is not None:
        raise ApiError(409, 800060, "The Azure subscription is being cancelled already.")
    _change_child(directory, plan.id, child.id, cancelled_at=at)
    directory.later(at + STOPS_AFTER, lambda: _change_child(directory, plan.id, child.id, status="inactive"))


def _change_child(directory: Directory, plan_id: str, child_id: str, **fields: Any) -> None:
    _, plan = directory.owner(plan_id)
    kept = tuple(replace(c, **fields) if c.id == child_id else c for c in plan.azure_subscriptions)
    directory.change(plan_id, azure_subscriptions=kept)


def _consequences(held: Subscription, changes: dict[str, Any], at: datetime) -> dict[str, Any]:
    match changes.get("status"):
        case "suspended" if held.kind.is_legacy:
            return {"suspended_at": at, "suspension_reasons": ("CustomerCancellation",)}
        case "suspended":
            # New commerce switches automatic renewal off and leaves it so after a resume.
            return {"suspended_at": at, "auto_renew": False}
        case "active":
            return {"suspended_at": None, "suspension_reasons": ()}
        case _:
            return {}


def _check_status(
    customer: Customer, held: Subscription, wanted: str, *, at: datetime, grace: timedelta
) -> None:
    if held.kind in {Kind.SOFTWARE, Kind.RESERVATION}:
        raise ApiError(400, 800042, "Not supported.")
    if (held.status, wanted) not in {("active", "suspended"), ("suspended", "active")}:
        raise _forbidden(held, wanted)
    if wanted == "suspended":
        if any(child.status == "active" for child in held.azure_subscriptions):
            raise ApiError(
                403,
                900115,
                "Azure plan can't be moved to suspended state since you have one or more Azure Subscriptions"
                " in the active state.",
            )
        return
    if held.term_end is not None and at >= held.term_end:
        raise _forbidden(held, wanted)
    if held.kind.is_legacy and held.suspended_at is not None and at >= held.suspended_at + grace:
        raise _forbidden(held, wanted)
    base = next((s for s in customer.subscriptions if s.id == held.parent_id), None)
    if base is not None and base.status != "active":
        raise ApiError(
            409, 27009, "Can't enable a child subscription, when the parent subscription isn't Active."
        )


def _forbidden(held: Subscription, wanted: str) -> ApiError:
    return ApiError(400, 800040, f"Asset status can't be changed to {wanted} from {held.status}.")


def _status(value: Any) -> str:
    word = str(value).lower()
    if word not in _STATUS_WORDS:
        raise invalid("unknown status", "status")
    return word


def _by_lower_key(resource: Any) -> dict[str, Any]:
    """Keys are read whatever their case; the same key twice in different case is no resource."""
    if not isinstance(resource, dict):
        raise invalid("the body is not a resource")
    lowered = {key.lower(): value for key, value in resource.items()}
    if len(lowered) != len(resource):
        raise invalid("a field is given twice")
    return lowered


def _same(key: str, sent: Any, known: Any) -> bool:
    if key in {"id", "entitlementid", "status"} and isinstance(sent, str) and isinstance(known, str):
        return sent.lower() == known.lower()
    return bool(sent == known)
