"""Where a person files a ticket: the nearest way in the portal of that cloud, by what the ticket is about."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

from bot.domain.customer import Cloud, SubscriptionKind
from bot.domain.matter import About, TicketKind

_AZURE: Final = (SubscriptionKind.LEGACY_AZURE, SubscriptionKind.AZURE_PLAN)
_ABOUT_THE_SERVICE: Final = (TicketKind.SERVICE, TicketKind.FRAUD)
"""What Azure's own support looks into; what is owed or billed is between the partner and Microsoft."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_MOST: Final = 2000

# The admin centre of each cloud: learn.microsoft.com/microsoft-365/enterprise/view-service-health
_HEALTH: Final = {
    Cloud.GLOBAL: "https://admin.microsoft.com/#/servicehealth",
    Cloud.US_GOVERNMENT: "https://portal.office365.us/",
    Cloud.CHINA: "https://portal.partner.microsoftonline.cn/",
}


def portal_link(kind: TicketKind, what: About, *, cloud: Cloud, base: str, of_customer: str = "") -> str:
    """The link to file it under; empty where there is none that a browser may safely follow.

    `base` is the address of the cloud's portal, `of_customer` the link Partner Center itself gives for that
    customer. Pages: learn.microsoft.com/partner-center/report-problems-on-behalf-of-a-customer
    """
    if cloud is Cloud.GLOBAL and kind in _ABOUT_THE_SERVICE and what.subscription_kind in _AZURE:
        return _azure(what.domain)
    if kind is not TicketKind.PARTNER_CENTER and what.customer_id and (link := _safe(of_customer)):
        return link
    home = _safe(base.rstrip("/"))
    if not home or cloud is Cloud.CHINA:  # 21Vianet's has no address of its own for this: see `clicks`
        return home
    return f"{home}/support/csp/servicerequests/create"


def clicks(kind: TicketKind, cloud: Cloud) -> str:
    """Where to click once there, as the key of its words: `customer` or `partner`; empty where the link is enough."""
    if cloud is not Cloud.CHINA:
        return ""
    return "partner" if kind is TicketKind.PARTNER_CENTER else "customer"


def health_link(cloud: Cloud) -> str:
    """Where service health is looked at."""
    return _HEALTH[cloud]


def _azure(domain: str) -> str:
    """Azure's portal in the customer's own directory."""
    home = "https://portal.azure.com"
    return f"{home}/{quote(domain)}" if _DOMAIN.fullmatch(domain) else home


def _safe(url: str) -> str:
    """The link, if it is one that is encrypted and leads where it says; else nothing."""
    try:
        parts = urlsplit(url)
        leads_there = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return ""
    is_plain = all(c.isprintable() and c not in ' "<>\\^`{|}' for c in url)
    return url if parts.scheme == "https" and leads_there and is_plain and len(url) <= _MOST else ""
