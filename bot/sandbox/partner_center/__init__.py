"""A small, strict Partner Center over its real protocol; no code of the client it stands against is in it."""

from __future__ import annotations

from bot.sandbox.partner_center.records import AzureSubscription, Contact, Customer, Kind, Subscription
from bot.sandbox.partner_center.samples import sample_customers
from bot.sandbox.partner_center.sandbox import PartnerCenterSandbox
from bot.sandbox.partner_center.suspects import plant, plant_past

__all__ = [
    "AzureSubscription",
    "Contact",
    "Customer",
    "Kind",
    "PartnerCenterSandbox",
    "Subscription",
    "plant",
    "plant_past",
    "sample_customers",
]
