"""JSON ⇄ domain, without I/O: what the API answers with, as the values the rest of the program knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, TypeVar

from bot.domain.customer import (
    MPN_ID,
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.domain.letter import BillingContact
from bot.partner_center.fields import Fields, Unreadable, encode, text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AzureEntitlement:
    """An Azure subscription inside an Azure plan; an active one keeps the plan from being suspended."""

    id: str
    name: str
    status: str
    """Microsoft's word, as it is."""

    @property
    def is_active(self) -> bool:
        return self.status.lower() == "active"


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """What the activity log says of an update: the status with which it left a subscription, and when."""

    subscription_id: SubscriptionId
    status: SubscriptionStatus
    """Active or suspended."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a collection."""

    values: tuple[T, ...]
    broken: int
    """How many items could not be read and were left out."""
    has_next: bool = False
    """False at the end. `totalCount` says nothing: it differs from the number of items in recordings."""
    next_uri: str | None = None
    continuation_token: str | None = None
    """Set for seek paging: the next page is asked for with this, whether there is a `next_uri` or not."""


def page(raw: object, read: Callable[[object], T]) -> Page[T]:
    """A page from a collection or a bare array; an item that cannot be read does not spoil the others."""
    items = _items(raw)
    values = _readable(items, read)
    links = Fields(raw).inner("links")
    next_link = links.inner("next")
    return Page(
        values=values,
        broken=len(items) - len(values),
        has_next="next" in links,
        next_uri=next_link.text("uri"),
        continuation_token=_continuation_token(next_link) or Fields(raw).text("continuationToken"),
    )


def graph_page(raw: object, read: Callable[[object], T]) -> Page[T]:
    """A page of Microsoft Graph: learn.microsoft.com/graph/paging."""
    fields = Fields(raw)
    if not isinstance(fields.raw("value"), list):
        raise Unreadable("not a collection")
    items = fields.each("value")
    values = _readable(items, read)
    return linked(Page(values=values, broken=len(items) - len(values)), fields.text("@odata.nextLink"))


def linked(page: Page[T], uri: str | None) -> Page[T]:
    """The page of a list whose next one is told by its address alone; None at the end."""
    return replace(page, has_next=uri is not None, next_uri=uri)


def _readable(items: list[object], read: Callable[[object], T]) -> tuple[T, ...]:
    values = []
    for item in items:
        try:
            values.append(read(item))
        except Unreadable:
            continue
    return tuple(values)


def _items(raw: object) -> list[object]:
    if isinstance(raw, list):
        return raw
    fields = Fields(raw)
    if (
        "items" in fields
        or "totalCount" in fields
        or fields.inner("attributes").word("objectType") == "collection"
    ):
        return fields.each("items")
    raise Unreadable("not a collection")


def _continuation_token(link: Fields) -> str | None:
    headers = map(Fields, link.each("headers"))
    return next((h.text("value") for h in headers if h.word("key") == "ms-continuationtoken"), None)


def customer(raw: object) -> Customer:
    """A customer, from a list or by itself; the id is the one thing that must be there."""
    fields = Fields(raw)
    id = _id(fields)
    profile = fields.inner("companyProfile")
    domain = profile.text("domain")
    return Customer(
        id=CustomerId(id),
        name=profile.text("companyName") or domain or id,
        domain=domain,
        relationship=fields.text("relationshipToPartner"),
    )


def billing_contact(raw: object) -> BillingContact:
    """Whom a billing profile names; every field may be missing without delegated rights on the customer.

    `culture` (`zh-CN`) says more than `language` (`zh`), where it is there.
    """
    if not isinstance(raw, Mapping):
        raise Unreadable("not a billing profile")
    fields = Fields(raw)
    return BillingContact(
        email=fields.text("email"),
        first_name=fields.text("firstName"),
        last_name=fields.text("lastName"),
        language=fields.text("culture") or fields.text("language"),
    )


def subscription(raw: object, *, customer: CustomerId) -> Subscription:
    """A subscription; a status or a kind that nobody knows is `UNKNOWN`, never an error."""
    fields = Fields(raw)
    id = _id(fields)
    parent = fields.text("parentSubscriptionId")
    return Subscription(
        id=SubscriptionId(id),
        customer_id=CustomerId(customer.lower()),
        name=fields.text("friendlyName") or fields.text("offerName") or id,
        status=_status(fields.word("status")),
        status_word=fields.text("status") or "",
        kind=_kind(fields),
        offer_id=fields.text("offerId"),
        quantity=_quantity(fields),
        unit=fields.text("unitType"),
        is_trial=fields.truth("isTrial") or False,
        parent_id=SubscriptionId(parent.lower()) if parent else None,
        term=fields.text("termDuration"),
        term_end=fields.moment("commitmentEndDate"),
        suspension_reasons=tuple(filter(None, map(text, fields.each("suspensionReasons")))),
        auto_renew=fields.truth("autoRenewEnabled"),
        order_id=fields.text("orderId"),
        publisher=fields.text("publisherName"),
        mpn_id=_mpn_id(fields.text("partnerId")),
    )


def _mpn_id(word: str | None) -> str | None:
    """None for what is no such number: elsewhere `partnerId` is the partner's tenant."""
    return word if word and MPN_ID.fullmatch(word) else None


def azure_entitlement(raw: object) -> AzureEntitlement:
    fields = Fields(raw)
    id = _id(fields)
    return AzureEntitlement(id=id, name=fields.text("friendlyName") or id, status=fields.text("status") or "")


def one_azure_entitlement(raw: object, *, id: str) -> AzureEntitlement:
    """The one that was asked for. Refuses one without a status too: it must not pass for a stopped one."""
    found = azure_entitlement(raw)
    if found.id != id.lower() or not found.status:
        raise Unreadable("an answer about something else, or without a status")
    return found


_TOLD_IN_THE_LOG: Final = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.SUSPENDED})


def status_record(raw: object, *, customer: CustomerId) -> StatusRecord | None:
    """What a record of the activity log says of a subscription's status; None when it says nothing of it.

    learn.microsoft.com/partner-center/developer/auditing-resources
    """
    fields = Fields(raw)
    if fields.word("operationType") != "update_subscription" or fields.word("operationStatus") != "succeeded":
        return None
    if fields.word("customerId") not in ("", customer.lower()):
        return None
    pairs = map(Fields, fields.each("customizedData"))
    told = {pair.word("key"): pair.text("value") or "" for pair in pairs}
    status = _status(told.get("status", "").lower())
    if status not in _TOLD_IN_THE_LOG:
        return None
    id, at = told.get("subscriptionid"), fields.moment("operationDate")
    if not id or at is None:
        raise Unreadable("an update of nobody knows what, or when")
    return StatusRecord(SubscriptionId(id.lower()), status, at)


def _id(fields: Fields) -> str:
    id = fields.text("id")
    if id is None:
        raise Unreadable("no id")
    return id.lower()


def _status(word: str) -> SubscriptionStatus:
    try:
        return SubscriptionStatus(word)
    except ValueError:
        return SubscriptionStatus.UNKNOWN


_MOST_SEATS: Final = 10**9


def _quantity(fields: Fields) -> int | None:
    quantity = fields.number("quantity")
    return int(quantity) if quantity is not None and 0 <= quantity <= _MOST_SEATS else None


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEGACY_AZURE = re.compile(r"ms-azr-(0145p|0146p|usgov-.+)")
_PRODUCT_SKU_AVAILABILITY = re.compile(r"[^:]+:[^:]+:[^:]+")
_AZURE_PLAN_PRODUCT = "dzh318z0bps6"


def _kind(fields: Fields) -> SubscriptionKind:
    """The kind, where everything that marks it is there; in doubt `UNKNOWN`, of which no consequence is told.

    The marks: learn.microsoft.com/partner-center/developer/subscription-resources and create-azure-plan.
    """
    offer, product = fields.word("offerId"), fields.inner("productType").word("id")
    is_license, has_term = fields.word("billingType") == "license", bool(fields.word("termDuration"))
    if fields.truth("isMicrosoftProduct") is False:
        return SubscriptionKind.MARKETPLACE
    if "software" in product or "reserv" in product:
        return SubscriptionKind.SOFTWARE
    if offer.startswith(_AZURE_PLAN_PRODUCT) or fields.word("offerName") == "azure plan":
        return SubscriptionKind.AZURE_PLAN
    if _LEGACY_AZURE.fullmatch(offer):
        return SubscriptionKind.LEGACY_AZURE
    if is_license and has_term and _PRODUCT_SKU_AVAILABILITY.fullmatch(offer):
        return SubscriptionKind.NEW_COMMERCE_SEAT
    if is_license and not has_term and _GUID.fullmatch(offer):
        return SubscriptionKind.LEGACY_SEAT
    return SubscriptionKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class Resource:
    """A subscription together with all that Microsoft said about it, as a write has to send it back."""

    raw: dict[str, object]
    subscription: Subscription

    @classmethod
    def read(cls, raw: object, *, customer: CustomerId, id: SubscriptionId) -> Resource:
        """Refuses an answer about another subscription than the one asked for."""
        found = subscription(raw, customer=customer)
        if not isinstance(raw, dict) or found.id != id.lower():
            raise Unreadable("an answer about something else")
        return cls(raw=raw, subscription=found)

    @property
    def if_match(self) -> str | None:
        """The etag, quoted as the header wants it; None where there is none or an empty one."""
        etag = Fields(self.raw).inner("attributes").text("etag")
        return etag if etag is None or etag.endswith('"') else f'"{etag}"'

    def with_status(self, status: SubscriptionStatus) -> bytes:
        """The body of a PATCH: everything as it came, but another status and no links.

        Fields that are left out may be reset; Microsoft wants the full resource:
        learn.microsoft.com/partner-center/developer/suspend-a-subscription
        """
        body = {key: value for key, value in self.raw.items() if key.lower() != "links"}
        key = next((key for key in body if key.lower() == "status"), "status")
        return encode(body | {key: status.value})

    def differs_from(self, earlier: Resource) -> bool:
        """Whether anything else than the etag and the links has changed."""
        return _substance(self.raw) != _substance(earlier.raw)


_VOLATILE: Final = frozenset({"links", "attributes", "actions"})


def _substance(raw: dict[str, object]) -> object:
    return _folded({key: value for key, value in raw.items() if key.lower() not in _VOLATILE})


def _folded(value: object) -> object:
    """Make what Microsoft writes in several ways comparable: case, and null for absent."""
    if isinstance(value, dict):
        return {key.lower(): _folded(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_folded(inner) for inner in value]
    return value.casefold() if isinstance(value, str) else value
