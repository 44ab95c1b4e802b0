"""What a path of Microsoft's is called, whoever it is about: `/v1/customers/{id}/subscriptions/{id}`."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

ID: Final = "{id}"
WORDS: Final = frozenset(
    {
        *(
            "v1",
            "customers",
            "subscriptions",
            "addons",
            "azureEntitlements",
            "cancel",
            "orders",
            "auditrecords",
        ),
        *("profiles", "billing", "company", "usagerecords", "managedservices", "servicerequests"),
        *("fraudEvents", "subscription", "status"),
        *("beta", "security", "partner", "securityAlerts"),
        *("providers", "Microsoft.Support", "services", "problemClassifications", "supportTickets"),
        *("communications", "operationsStatus"),
    }
)
"""Every word of a path that is Microsoft's own; whatever else is in one may name somebody."""


def template(url: str) -> str:
    """Its path, with a placeholder for all that is no word of Microsoft's. The query is left out."""
    path = urlsplit(url).path
    return "/".join(part if not part or part in WORDS else ID for part in path.split("/"))
