"""What the sandbox Partner Center knows of a customer and their subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """How a subscription is sold; it decides what may be done to it and how its JSON looks."""

    LEGACY_SEAT = "legacy seat"
    LEGACY_AZURE = "legacy Azure"
    NEW_COMMERCE = "new commerce"
    AZURE_PLAN = "Azure plan"
    MARKETPLACE = "marketplace"
    SOFTWARE = "software"
    RESERVATION = "reservation"

    @property
    def is_legacy(self) -> bool:
        return self in {Kind.LEGACY_SEAT, Kind.LEGACY_AZURE}

    @property
    def is_metered(self) -> bool:
        return self in {Kind.LEGACY_AZURE, Kind.AZURE_PLAN}


@dataclass(frozen=True, kw_only=True)
class AzureSubscription:
    """An Azure subscription inside an Azure plan (an `azureEntitlement`)."""

    id: str
    name: str
    status: str = "active"
    cancelled_at: datetime | None = None
    """When its cancellation was accepted; it goes on showing as active for a while."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A subscription; `version` grows with every change and is what an etag stands for."""

    id: str
    kind: Kind
    offer_id: str
    name: str
    nickname: str = ""
    quantity: int = 1
    status: str = "active"
    created_at: datetime
    term_end: datetime | None = None
    term_duration: str | None = None
    billing_cycle: str = "monthly"
    auto_renew: bool = True
    is_trial: bool = False
    parent_id: str | None = None
    publisher: str | None = None
    partner_id: str | None = None
    order_id: str
    suspension_reasons: tuple[str, ...] = ()
    suspended_at: datetime | None = None
    azure_subscriptions: tuple[AzureSubscription, ...] = ()
    version: int = 1
    changed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """The person Partner Center names in a customer's billing profile."""

    first_name: str
    last_name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A customer with everything they bought; `id` is their tenant."""

    id: str
    name: str
    domain: str
    contact: Contact
    country: str
    city: str
    culture: str = "en-US"
    relationship: str = "reseller"
    subscriptions: tuple[Subscription, ...] = ()

    def subscription(self, name: str) -> Subscription:
        """The one subscription of that name; LookupError when there is none or several."""
        found = [s for s in self.subscriptions if s.name == name]
        if len(found) != 1:
            raise LookupError(f"{self.name} has {len(found)} subscriptions named {name!r}")
        return found[0]
