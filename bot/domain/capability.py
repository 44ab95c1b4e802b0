"""What each of Microsoft's clouds offers, and what can be done to each kind of subscription: data, and who asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Cloud(StrEnum):
    """Which of Microsoft's clouds the partner sells from."""

    GLOBAL = "global"
    CHINA = "china"
    US_GOVERNMENT = "usgov"


class SubscriptionKind(StrEnum):
    """What a suspension means depends on this."""

    LEGACY_SEAT = "legacy_seat"
    LEGACY_AZURE = "legacy_azure"
    NEW_COMMERCE_SEAT = "new_commerce_seat"
    AZURE_PLAN = "azure_plan"
    AZURE_SUBSCRIPTION = "azure_subscription"
    """Inside an Azure plan: it can be cancelled, not suspended."""
    MARKETPLACE = "marketplace"
    SOFTWARE = "software"
    UNKNOWN = "unknown"


class Feature(StrEnum):
    """A part of Microsoft's APIs that is not there in every cloud, or not for every partner."""

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    INVOICES = "invoices"
    WEBHOOKS = "webhooks"
    AZURE_CANCEL = "azure_cancel"
    AUDIT_RECORDS = "audit_records"
    USAGE = "usage"
    BUDGET = "budget"
    SERVICE_REQUESTS = "service_requests"
    MANAGED_SERVICES = "managed_services"
    FRAUD_EVENTS = "fraud_events"
    SECURITY_ALERTS = "security_alerts"


class Support(StrEnum):
    YES = "yes"
    NO = "no"
    UNDOCUMENTED = "undocumented"
    """No page says, or two pages disagree: a call may be tried, and its refusal is no surprise."""


# Everything that is not listed is there. The clouds' own pages:
# learn.microsoft.com/partner-center/developer/developing-for-partner-center-for-microsoft-national-cloud
_ELSEWHERE: Final[Mapping[Cloud, Mapping[Feature, Support]]] = MappingProxyType(
    {
        Cloud.GLOBAL: MappingProxyType({}),
        Cloud.CHINA: MappingProxyType(
            {
                # The page of the call lists 21Vianet, the page of the cloud has no Azure there:
                # …/developer/cancel-an-azure-subscription. It is off there unless the operator switches it on.
                Feature.AZURE_CANCEL: Support.UNDOCUMENTED,
                Feature.SERVICE_REQUESTS: Support.NO,
                Feature.AUDIT_RECORDS: Support.UNDOCUMENTED,
                Feature.USAGE: Support.UNDOCUMENTED,
                Feature.BUDGET: Support.UNDOCUMENTED,
                Feature.MANAGED_SERVICES: Support.UNDOCUMENTED,
                Feature.FRAUD_EVENTS: Support.UNDOCUMENTED,
                Feature.SECURITY_ALERTS: Support.UNDOCUMENTED,
            }
        ),
        Cloud.US_GOVERNMENT: MappingProxyType(
            {
                Feature.FRAUD_EVENTS: Support.UNDOCUMENTED,
                Feature.SECURITY_ALERTS: Support.UNDOCUMENTED,
            }
        ),
    }
)


def support(feature: Feature, cloud: Cloud) -> Support:
    return _ELSEWHERE[cloud].get(feature, Support.YES)


@dataclass(frozen=True, slots=True)
class Outage:
    """A feature that cannot be used: `until` a moment when it is tried again, or for good in this cloud."""

    feature: Feature
    why: str
    """What Microsoft answered; empty where the cloud has no such thing."""
    until: datetime | None = None


def missing(cloud: Cloud) -> tuple[Outage, ...]:
    """What this cloud does not have."""
    return tuple(Outage(feature, "") for feature in Feature if support(feature, cloud) is Support.NO)


# The kinds: learn.microsoft.com/partner-center/developer/subscription-resources. What is not listed is allowed as
# far as Microsoft documents it; of a kind nobody knows, and of an Azure plan with running children, Microsoft
# itself has to say no.
OBSTACLES: Final[Mapping[tuple[str, SubscriptionKind], str]] = MappingProxyType(
    {
        ("suspend", SubscriptionKind.MARKETPLACE): "kind",
        ("suspend", SubscriptionKind.SOFTWARE): "kind",
        ("suspend", SubscriptionKind.AZURE_SUBSCRIPTION): "kind",
    }
)


def obstacle(verb: str, kind: SubscriptionKind) -> str | None:
    """Why a kind does not allow an action, as the key of a refusal's words; None where it is allowed.

    `verb` is the value of a `bot.domain.action.Verb`.
    """
    return OBSTACLES.get((verb, kind))


DeletionDays = Mapping[Cloud, Mapping[SubscriptionKind, int]]
"""How many days after a suspension Microsoft deletes the data; no number where no page gives one."""

# The 21Vianet article *Suspend a subscription* (60 days) and *Subscription lifecycle* (legacy: 90 days, the shorter
# figure; new commerce: until its term ends, so it has no number here), both at learn.microsoft.com/partner-center.
_MICROSOFTS_OWN: Final = MappingProxyType(
    {SubscriptionKind.LEGACY_SEAT: 90, SubscriptionKind.LEGACY_AZURE: 90},
)
DELETION_DAYS: Final[DeletionDays] = MappingProxyType(
    {
        Cloud.GLOBAL: _MICROSOFTS_OWN,
        Cloud.US_GOVERNMENT: _MICROSOFTS_OWN,
        Cloud.CHINA: MappingProxyType(
            {
                SubscriptionKind.LEGACY_SEAT: 60,
                SubscriptionKind.LEGACY_AZURE: 60,
                SubscriptionKind.NEW_COMMERCE_SEAT: 60,
            }
        ),
    }
)
"""What holds unless the billing policy says otherwise."""
