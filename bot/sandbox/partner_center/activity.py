"""The activity log: what was done to subscriptions, kept as it happened and listed as Partner Center does.

https://learn.microsoft.com/partner-center/developer/get-a-record-of-partner-center-activity-by-user
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import uuid4

from bot.sandbox.partner_center import bodies, listing
from bot.sandbox.partner_center.errors import ApiError, invalid
from bot.sandbox.partner_center.records import Customer, Subscription

KEPT = timedelta(days=90)
WINDOW = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One operation: an order of `after`, or a change of `before` into it."""

    at: datetime
    customer: Customer
    before: Subscription | None
    after: Subscription
    by_app: bool
    """By the partner's application; else by somebody in the portal."""
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def resource_type(self) -> str:
        return "order" if self.before is None else "subscription"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """An operation that is about no subscription; without a customer it is about the partner itself."""

    at: datetime
    operation: str
    resource_type: str
    name: str
    customer: Customer | None = None
    by: str = "admin@partner.example"
    status: str = "succeeded"
    id: str = field(default_factory=lambda: str(uuid4()))
    has_id: bool = True
    """Microsoft leaves it out at times."""


class ActivityLog:
    """All records there are. Whoever was suspended before the beginning has one of that."""

    def __init__(self, customers: Iterable[Customer]) -> None:
        self._records: list[Record | Deed] = [
            Record(
                at=held.suspended_at,
                customer=customer,
                before=replace(held, status="active", suspended_at=None, suspension_reasons=()),
                after=held,
                by_app=False,
            )
            for customer in customers
            for held in customer.subscriptions
            if held.suspended_at is not None
        ]

    @property
    def records(self) -> list[Record | Deed]:
        """By their time, the oldest first."""
        return sorted(self._records, key=lambda record: record.at)

    def keep(self, record: Record | Deed) -> None:
        self._records.append(record)


def page(
    records: Iterable[Record | Deed],
    query: Mapping[str, str],
    token: str | None,
    *,
    most: int,
    today: date,
    draw: Callable[[Record | Deed], bodies.Json],
) -> bodies.Json:
    """One page of the records of a span of days, both ends included; `endDate` is at most 30 days later."""

    def found(asked: Mapping[str, str]) -> list[bodies.Json]:
        start, end = _span(asked, today)
        wanted = _test(asked["filter"])
        return [draw(record) for record in records if start <= record.at.date() <= end and wanted(record)]

    return listing.page(
        "/auditrecords", found, query, token, most=most, keys=("filter", "startDate", "endDate")
    )


def _span(asked: Mapping[str, str], today: date) -> tuple[date, date]:
    start = _day("startDate", asked["startDate"]) or today - WINDOW
    if start < today - KEPT:
        raise ApiError(400, 3000, "The start date is more than 90 days ago.", "startDate")
    end = _day("endDate", asked["endDate"]) or min(start + WINDOW, today)
    if not start <= end <= start + WINDOW:
        raise invalid("the end date is before the start date, or more than 30 days after it", "endDate")
    return start, end


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        raise invalid("not a date like yyyy-mm-dd", name) from error


def _test(text: str) -> Callable[[Record | Deed], bool]:
    if not text:
        return lambda record: True
    match listing.read_filter(text):
        case "companyname", value, "substring":
            return lambda record: record.customer is not None and value in record.customer.name.casefold()
        case "customerid", value, "equals":
            return lambda record: record.customer is not None and value == record.customer.id.casefold()
        case "resourcetype", value, "equals":
            return lambda record: value == record.resource_type
    raise invalid("unknown field or operator", "filter")


def body(record: Record | Deed, *, partner_id: str, app_id: str) -> bodies.Json:
    """A record as it was recorded: the resources as JSON text with capitalised keys, seven digits of a second.

    What an application does by itself has no `userPrincipalName`.
    """
    return {
        **({"id": f"{partner_id}_{record.id}"} if isinstance(record, Record) or record.has_id else {}),
        "partnerId": partner_id,
        **(
            {"customerId": record.customer.id, "customerName": record.customer.name}
            if record.customer
            else {}
        ),
        **(_of_subscription(record, app_id) if isinstance(record, Record) else _of_deed(record)),
        "originalCorrelationId": record.id,
        "operationDate": record.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{record.at.microsecond:06d}0Z",
        "attributes": {"objectType": "AuditRecord"},
    }


def _of_subscription(record: Record, app_id: str) -> bodies.Json:
    by_whom = {"applicationId": app_id} if record.by_app else {"userPrincipalName": "admin@partner.example"}
    return {
        **by_whom,
        "resourceType": record.resource_type,
        **({} if record.before is None else {"resourceOldValue": _text(record, record.before)}),
        "resourceNewValue": _text(record, record.after),
        "operationType": "create_order" if record.before is None else "update_subscription",
        "operationStatus": "succeeded",
        "customizedData": [{"key": key, "value": value} for key, value in _told(record).items()],
    }


def _of_deed(deed: Deed) -> bodies.Json:
    return {
        "userPrincipalName": deed.by,
        "resourceType": deed.resource_type,
        "resourceNewValue": json.dumps({"DisplayName": deed.name}, ensure_ascii=False),
        "operationType": deed.operation,
        "operationStatus": deed.status,
        "customizedData": [],
    }


def _text(record: Record, held: Subscription) -> str:
    drawn = bodies.order if record.before is None else bodies.subscription
    return json.dumps(bodies.capitalised(drawn(record.customer, held)), ensure_ascii=False)


def _told(record: Record) -> dict[str, str | None]:
    held = record.after
    subscription_id = held.id.upper() if held.kind.is_legacy else held.id
    name = held.nickname or held.name
    if record.before is None:
        return {
            "OrderId": held.order_id,
            "BillingCycle": held.billing_cycle.capitalize(),
            "OfferId-0": held.offer_id,
            "SubscriptionId-0": subscription_id,
            "SubscriptionName-0": name,
            "Quantity-0": str(held.quantity),
            "PartnerOnRecord-0": held.partner_id,
        }
    return {
        "SubscriptionId": subscription_id,
        "OfferId": held.offer_id,
        "SubscriptionName": name,
        "Quantity": str(held.quantity),
        "Status": held.status[:1].upper() + held.status[1:],
        "PartnerOnRecord": held.partner_id or "None",
        "ActionTaken": "False",
    }
