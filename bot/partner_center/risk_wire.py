"""JSON → what was seen of a customer: orders, the activity log, Azure spend, and Microsoft's own alerts; no I/O.

What is missing or unknown is left empty or kept as it came. Only what is no object, or cannot be placed at all (an
order or a record without a moment, spend without a customer), is `Unreadable`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.numbers import get_territory_currencies

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.observation import Operation, OrderLine, OrderPlaced, Source, Spent, VendorAlert
from bot.partner_center.fields import Fields, Unreadable, decode, encode, text

CONTENT: Final = "content-"
"""So begins an id of our own making, which Microsoft does not know."""
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(days=1)
_MOST: Final = 10**9
_MOST_MONEY: Final = Decimal(10) ** 15
_LONGEST_ID: Final = 200
_TRIAL: Final = re.compile(r"\btrial\b", re.IGNORECASE)
_NOBODY_ORDERED: Final = frozenset({"systempurchase", "systembilling"})
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def order(raw: object, *, customer: CustomerId, now: datetime) -> OrderPlaced | None:
    """An order; None for one that Microsoft's system made by itself, as it does to renew and to bill.

    No page tells which field marks a trial; a line is one that says so, or has the word in its name.
    learn.microsoft.com/partner-center/developer/order-resources
    """
    fields = _object(raw)
    if fields.word("transactionType") in _NOBODY_ORDERED:
        return None
    id, at = fields.text("id"), _seen(fields, now, "creationDate")
    if id is None or at is None:
        raise Unreadable("an order without id or moment")
    total = _money(fields, "totalPrice")
    return OrderPlaced(
        customer_id=CustomerId(customer.lower()),
        at=at,
        order_id=id[:_LONGEST_ID],
        lines=tuple(_order_line(Fields(line)) for line in fields.each("lineItems")),
        status=fields.text("status") or "",
        total=total,
        currency=_currency(fields) or None,
    )


def _order_line(line: Fields) -> OrderLine:
    name = line.text("friendlyName") or line.text("offerName") or line.text("offerId") or ""
    says_so = line.truth("isTrial") or "trial" in line.word("transactionType")
    return OrderLine(
        name=name,
        offer_id=line.text("offerId") or "",
        quantity=_count(line, "quantity") or 0,
        is_trial=bool(says_so or _TRIAL.search(name)),
    )


def operation(raw: object, *, now: datetime) -> Operation:
    """A record of the activity log, one that failed too.

    learn.microsoft.com/partner-center/developer/auditing-resources
    """
    fields = _object(raw)
    at = _seen(fields, now, "operationDate")
    if at is None:
        raise Unreadable("a record without a moment")
    customer = fields.word("customerId")
    application = fields.text("applicationId")
    return Operation(
        customer_id=CustomerId(customer) if customer not in ("", fields.word("partnerId")) else None,
        at=at,
        id=_short(fields.text("id")) or content_id(raw),
        operation=_known(fields.text("operationType")),
        status=_known(fields.text("operationStatus")),
        by=fields.text("userPrincipalName") or (f"application {application}" if application else ""),
        resource=_resource(fields),
    )


_TOLD: Final = ("subscriptionname", "subscriptionname-0", "subscriptionid", "orderid", "userprincipalname")
_NAMED: Final = ("friendlyName", "displayName", "userPrincipalName", "companyName", "name", "id")


def _resource(fields: Fields) -> str:
    """Kind and name of what it was about, as far as the record tells; its JSON inside strings may be broken."""
    pairs = [Fields(pair) for pair in fields.each("customizedData")]
    told = {pair.word("key"): pair.text("value") for pair in pairs}
    name = next((told[key] for key in _TOLD if told.get(key)), None)
    if name is None:
        values = (_inside(fields.raw(which)) for which in ("resourceNewValue", "resourceOldValue"))
        named = (value.text(key) for value in values for key in _NAMED)
        name = next(filter(None, named), None)
    return " ".join(filter(None, (fields.text("resourceType"), name)))[:_LONGEST_ID]


def spent(raw: object, *, now: datetime) -> Spent:
    """What one customer's usage comes to; a budget of nothing is none.

    learn.microsoft.com/partner-center/developer/get-a-customer-usage-summary
    """
    fields = _object(raw)
    customer, amount = fields.word("resourceId") or fields.word("id"), _money(fields, "totalCost")
    if not customer or amount is None:
        raise Unreadable("spend of nobody, or of nothing")
    budget = _money(fields.inner("budget"), "amount")
    return Spent(
        customer_id=CustomerId(customer),
        at=_seen(fields, now, "lastModifiedDate") or now,
        amount=amount,
        currency=_currency(fields),
        budget=budget if budget is not None and budget > 0 else None,
    )


def fraud_event(raw: object, *, now: datetime) -> VendorAlert:
    """A fraud event, of the first model or the second.

    learn.microsoft.com/partner-center/developer/get-fraud-events
    """
    fields = _object(raw)
    alert = _alert(fields, now=now, last=_LAST_OF_EVENT, first=_FIRST_OF_EVENT)
    one = fields.text("resourceName") or fields.text("entityName")
    return replace(
        alert,
        id=_short(fields.text("eventId")) or content_id(raw, without=_VOLATILE),
        source=Source.FRAUD_EVENTS,
        type=fields.text("eventType") or "",
        status=_known(fields.text("eventStatus")),
        name=fields.text("displayName") or fields.text("serviceName") or "",
        hits=_count(fields, "hitCount") or 1,
        resources=alert.resources or ((one,) if one else ()),
    )


def security_alert(raw: object, *, now: datetime) -> VendorAlert:
    """A partner security alert of Microsoft Graph.

    learn.microsoft.com/graph/api/resources/partner-security-partnersecurityalert
    """
    fields = _object(raw)
    return replace(
        _alert(fields, now=now, last=_LAST_OF_ALERT, first=_FIRST_OF_ALERT),
        id=_short(fields.text("id")) or content_id(raw, without=_VOLATILE),
        source=Source.SECURITY_ALERTS,
        type=fields.text("alertType") or "",
        status=_known(fields.text("status")),
        name=fields.text("displayName") or "",
    )


_LAST_OF_EVENT: Final = ("lastObserved", "lastOccurrence", "eventTime", "firstObserved", "firstOccurrence")
_FIRST_OF_EVENT: Final = ("firstObserved", "firstOccurrence", "eventTime")
_LAST_OF_ALERT: Final = ("lastObservedDateTime", "detectedDateTime", "firstObservedDateTime")
_FIRST_OF_ALERT: Final = ("firstObservedDateTime", "detectedDateTime")


def _alert(fields: Fields, *, now: datetime, last: Iterable[str], first: Iterable[str]) -> VendorAlert:
    """What both kinds have under the same names."""
    subscription = fields.word("subscriptionId")
    at, since = _seen(fields, now, *last) or now, _seen(fields, now, *first)
    return VendorAlert(
        customer_id=CustomerId(fields.word("customerTenantId")),
        at=at,
        id="",
        source=Source.FRAUD_EVENTS,
        type="",
        severity=_known(fields.text("severity")),
        confidence=_known(fields.text("confidenceLevel")),
        subscription_id=SubscriptionId(subscription) if subscription else None,
        description=fields.text("description") or "",
        first_at=min(since, at) if since else None,
        resources=_resources(fields.raw("affectedResources")),
        is_test=fields.truth("isTest") or False,
    )


def _resources(value: object) -> tuple[str, ...]:
    """Their names; given as a list, or as a list in JSON inside a string, whose items are objects or names."""
    if isinstance(value, str):
        value = _parsed(value)
    listed = value if isinstance(value, list) else []
    named = (
        text(item) or Fields(item).text("azureResourceId") or Fields(item).text("resourceId")
        for item in listed
    )
    return tuple(dict.fromkeys(filter(None, named)))


_VOLATILE: Final = frozenset(
    {
        *("hitcount", "eventstatus", "status", "resolvedreason", "resolvedon", "resolvedby", "activitylogs"),
        *("resolvedondatetime", "lastoccurrence", "lastobserved", "lastobserveddatetime", "links"),
    }
)


def content_id(raw: object, *, without: frozenset[str] = frozenset()) -> str:
    """An id for what came without one: the same content has the same, whatever the order of its fields."""
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if str(key).lower() not in without}
    canonical = json.dumps(json.loads(encode(raw), parse_float=str), sort_keys=True)
    return f"{CONTENT}{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"


def _object(raw: object) -> Fields:
    if not isinstance(raw, Mapping):
        raise Unreadable("not an object")
    return Fields(raw)


def _inside(value: object) -> Fields:
    return Fields(_parsed(value) if isinstance(value, str) else value)


def _parsed(value: str) -> object:
    try:
        return decode(value.encode("utf-8", "replace"))
    except Unreadable:
        return None


def _seen(fields: Fields, now: datetime, *names: str) -> datetime | None:
    """The first of these moments that can have been: not a sentinel, not long before Azure, not to come."""
    for name in names:
        at = fields.moment(name)
        if at is not None and _EARLIEST <= at <= now + _CLOCKS_DIFFER:
            return at
    return None


def _known(word: str | None) -> str:
    """Microsoft's word in lower case, for comparing; what is not a word stays as it came."""
    if word is None:
        return ""
    return word.lower() if _WORD.fullmatch(word) else word


def _short(id: str | None) -> str | None:
    return id if id is None or len(id) <= _LONGEST_ID else None


def _count(fields: Fields, name: str) -> int | None:
    count = fields.number(name)
    return int(count) if count is not None and 0 <= count <= _MOST else None


def _money(fields: Fields, name: str) -> Decimal | None:
    amount = fields.number(name)
    return amount if amount is not None and abs(amount) < _MOST_MONEY else None


def _currency(fields: Fields) -> str:
    """The currency's code; by the region of a locale (`fr-FR`) where only that came; empty where neither tells."""
    code = (fields.text("currencyCode") or fields.text("currencyLocale") or "").strip()
    if _CURRENCY.fullmatch(code.upper()):
        return code.upper()
    try:
        territory = Locale.parse(code, sep="-").territory
    except (ValueError, TypeError, UnknownLocaleError):
        return ""
    if territory is None:
        return ""
    tenders = get_territory_currencies(territory)
    return str(tenders[0]) if len(tenders) == 1 else ""
