"""Records drawn as Partner Center's JSON, with the oddities its real answers have.

The oddities: ids change their case between one answer and another, dates are written in two ways, fields
without a value are left out, and an updated legacy seat comes back with every key capitalised.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bot.sandbox.partner_center.records import AzureSubscription, Customer, Kind, Subscription

Json = dict[str, Any]

NO_END = "9999-12-14T00:00:00Z"


def collection(items: Iterable[Json], links: Json | None = None) -> Json:
    """A list of things; `totalCount` counts this page only, as it does where paging is by token."""
    listed = list(items)
    links = {"links": links} if links else {}
    return {"totalCount": len(listed), "items": listed, **links, "attributes": {"objectType": "Collection"}}


def link(uri: str, headers: Mapping[str, str] | None = None) -> Json:
    """A link; its `uri` is relative to `/v1`."""
    listed = [{"key": key, "value": value} for key, value in (headers or {}).items()]
    return {"uri": uri, "method": "GET", "headers": listed}


def customer_in_list(customer: Customer) -> Json:
    """A customer as the list shows them: thin, the tenant in capitals."""
    return {
        "id": customer.id,
        "companyProfile": {
            "tenantId": customer.id.upper(),
            "domain": customer.domain,
            "companyName": customer.name,
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "relationshipToPartner": customer.relationship,
        "attributes": {"objectType": "Customer"},
    }


def customer_in_full(customer: Customer) -> Json:
    return {
        "id": customer.id,
        "commerceId": customer.id[::-1].replace("-", ""),
        "companyProfile": company_profile(customer),
        "billingProfile": billing_profile(customer),
        "relationshipToPartner": customer.relationship,
        "allowDelegatedAccess": customer.relationship == "reseller",
        "customDomains": [customer.domain],
        "links": {"self": link(f"/customers/{customer.id}")},
        "attributes": {"objectType": "Customer"},
    }


def company_profile(customer: Customer) -> Json:
    return {
        "tenantId": customer.id,
        "domain": customer.domain,
        "companyName": customer.name,
        "address": {"country": customer.country, "city": customer.city},
        "email": customer.contact.email,
        "links": {"self": link(f"/customers/{customer.id}/profiles/company")},
        "attributes": {"objectType": "CustomerCompanyProfile"},
    }


def billing_profile(customer: Customer) -> Json:
    contact = customer.contact
    return {
        "id": customer.id,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "email": contact.email,
        "culture": customer.culture,
        "language": customer.culture.partition("-")[0],
        "companyName": customer.name,
        "defaultAddress": {
            "country": customer.country,
            "city": customer.city,
            "firstName": contact.first_name,
            "lastName": contact.last_name,
        },
        "links": {"self": link(f"/v1/customers/{customer.id}/profiles/billing")},
        "attributes": {"etag": "-4242348048554929329", "objectType": "CustomerBillingProfile"},
    }


def subscription(customer: Customer, held: Subscription, *, shouting: bool = False) -> Json:
    """A subscription without the fields that have no value; `shouting` writes legacy ids in capitals."""
    return {key: value for key, value in _fields(customer, held, shouting).items() if value is not None}


def updated_subscription(customer: Customer, held: Subscription) -> Json:
    """A subscription as the answer to a PATCH: that of a legacy seat has capitalised keys and its nulls."""
    if held.kind is not Kind.LEGACY_SEAT:
        return subscription(customer, held)
    fields = _fields(customer, held, shouting=False)
    kept = {k: v for k, v in fields.items() if v is not None or k in {"parentSubscriptionId", "partnerId"}}
    updated: Json = capitalised(kept)
    return updated


def order(customer: Customer, bought: Subscription) -> Json:
    """The order of a single subscription."""
    return _order(customer, bought.order_id, [bought])


def etag(held: Subscription) -> str:
    """What stands for this version of a legacy offer; empty for all others, which have none."""
    if not held.kind.is_legacy:
        return ""
    return base64.b64encode(json.dumps({"id": held.id, "version": held.version}).encode()).decode()


def azure_entitlements(plan: Subscription) -> Json:
    return collection(azure_entitlement(plan, child) for child in plan.azure_subscriptions)


def azure_entitlement(plan: Subscription, child: AzureSubscription) -> Json:
    return {"id": child.id, "friendlyName": child.name, "status": child.status, "subscriptionId": plan.id}


def orders(customer: Customer) -> Json:
    """All orders of a customer; what is not a subscription has a line without `subscriptionId`."""
    bought: dict[str, list[Subscription]] = {}
    for held in customer.subscriptions:
        bought.setdefault(held.order_id, []).append(held)
    return collection(_order(customer, order_id, lines) for order_id, lines in bought.items())


def _order(customer: Customer, order_id: str, bought: list[Subscription]) -> Json:
    return {
        "id": order_id,
        "referenceCustomerId": customer.id.upper(),
        "billingCycle": bought[0].billing_cycle,
        "currencyCode": "CNY" if customer.country == "CN" else "USD",
        "totalPrice": sum(0.0 if held.is_trial else 12.5 * held.quantity for held in bought),
        "transactionType": "UserPurchase",
        "lineItems": [_order_line(number, held) for number, held in enumerate(bought)],
        "creationDate": _moment(bought[0].created_at, bought[0].kind),
        "status": "completed",
        "links": {"self": link(f"/customers/{customer.id}/orders/{quote(order_id)}")},
        "attributes": {"objectType": "Order"},
    }


def _order_line(number: int, held: Subscription) -> Json:
    is_subscription = held.kind not in {Kind.SOFTWARE, Kind.RESERVATION}
    line = {
        "lineItemNumber": number,
        "offerId": held.offer_id,
        "subscriptionId": held.id if is_subscription else None,
        "parentSubscriptionId": held.parent_id,
        "friendlyName": held.nickname or held.name,
        "quantity": held.quantity,
        "termDuration": held.term_duration,
        "transactionType": "New",
    }
    return {key: value for key, value in line.items() if value is not None}


def _fields(customer: Customer, held: Subscription, shouting: bool) -> Json:
    subscription_id = held.id.upper() if shouting and held.kind.is_legacy else held.id
    shown_reasons = list(held.suspension_reasons) if held.kind.is_legacy else []
    marketplace = held.kind is Kind.MARKETPLACE
    return {
        "id": subscription_id,
        "entitlementId": subscription_id if held.kind.is_legacy else None,
        "offerId": held.offer_id,
        "offerName": held.name,
        "friendlyName": held.nickname or held.name,
        "productType": None if held.kind.is_legacy else _PRODUCT_TYPES[held.kind],
        "quantity": held.quantity,
        "unitType": _unit(held.kind),
        "parentSubscriptionId": held.parent_id,
        "hasPurchasableAddons": False,
        "creationDate": _moment(held.created_at, held.kind),
        "effectiveStartDate": _moment(held.created_at, held.kind),
        "commitmentEndDate": _moment(held.term_end, held.kind) if held.term_end else NO_END,
        "status": held.status,
        "suspensionReasons": shown_reasons or None,
        "autoRenewEnabled": held.auto_renew,
        "isTrial": held.is_trial,
        "billingType": "usage" if held.kind.is_metered else "license",
        "billingCycle": held.billing_cycle,
        "termDuration": held.term_duration,
        "refundOptions": None if held.kind.is_legacy else [],
        "isMicrosoftProduct": None if held.kind.is_legacy else not marketplace,
        "publisherName": held.publisher,
        "actions": ["Cancel", "Edit"] if held.kind.is_legacy else None,
        "attentionNeeded": False if held.kind.is_legacy else None,
        "actionTaken": False if held.kind.is_legacy else None,
        "partnerId": held.partner_id,
        "contractType": "subscription",
        "links": _links(customer, held, subscription_id),
        "orderId": held.order_id,
        "attributes": {"etag": etag(held), "objectType": "Subscription"},
    }


_PRODUCT_TYPES = {
    Kind.NEW_COMMERCE: {"id": "OnlineServicesNCE", "displayName": "Online Services"},
    Kind.AZURE_PLAN: {"id": "Azure", "displayName": "Azure"},
    Kind.MARKETPLACE: {"id": "SaaS", "displayName": "SaaS"},
    Kind.SOFTWARE: {"id": "Software", "displayName": "Software"},
    Kind.RESERVATION: {"id": "AzureReservation", "displayName": "Azure Reservation"},
}


def _unit(kind: Kind) -> str:
    if kind.is_metered:
        return "Usage-based"
    return "Licenses" if kind.is_legacy else "License(s)"


def _links(customer: Customer, held: Subscription, subscription_id: str) -> Json:
    links = {"self": link(f"/customers/{customer.id}/subscriptions/{subscription_id}")}
    if held.kind.is_legacy:
        return {"offer": link(f"/offers/{held.offer_id}?country={customer.country}"), **links}
    product, sku, _ = held.offer_id.split(":")
    at = f"?country={customer.country}"
    return {
        "product": link(f"/products/{product}{at}"),
        "sku": link(f"/products/{product}/skus/{sku}{at}"),
        **links,
    }


def _moment(at: datetime, kind: Kind) -> str:
    """Legacy offers say `Z` and milliseconds, new commerce an offset and seven digits."""
    if kind.is_legacy:
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}0+00:00"


def capitalised(value: Any) -> Any:
    """The same with every key capitalised."""
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: capitalised(inner) for key, inner in value.items()}
    return [capitalised(inner) for inner in value] if isinstance(value, list) else value
