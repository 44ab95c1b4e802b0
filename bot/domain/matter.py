"""What a ticket is about: the kind and the severity, the customer it concerns, and what somebody wrote of it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from bot.domain.customer import Cloud, Customer, CustomerId, Subscription, SubscriptionId, SubscriptionKind
from bot.domain.errors import Invalid

MOST_TITLE, MOST_DESCRIPTION, MOST_TRIED, MOST_CONTACT = 150, 40_000, 3000, 300
"""Characters. A form of Slack takes 3,000 at a time; a message brought along may have 40,000."""


class TicketKind(StrEnum):
    NON_PAYMENT = "non_payment"
    FRAUD = "fraud"
    """Or misuse."""
    BILLING = "billing"
    """A billing dispute."""
    SERVICE = "service"
    PARTNER_CENTER = "partner_center"
    """A problem of the partner's own, with Partner Center: it may be about no customer."""


class TicketSeverity(StrEnum):
    """Microsoft's own: learn.microsoft.com/partner-center/report-problems-on-behalf-of-a-customer"""

    CRITICAL = "critical"
    MODERATE = "moderate"
    MINIMAL = "minimal"

    @property
    def letter(self) -> str:
        return {"critical": "A", "moderate": "B", "minimal": "C"}[self]


_FIRST_RESPONSE: Final = {
    TicketSeverity.CRITICAL: timedelta(hours=2),
    TicketSeverity.MODERATE: timedelta(hours=4),
    TicketSeverity.MINIMAL: timedelta(hours=8),
}


def first_response(severity: TicketSeverity, cloud: Cloud) -> timedelta | None:
    """How long Microsoft takes to answer at first, as published for Global, break/fix, in English; None elsewhere."""
    return _FIRST_RESPONSE[severity] if cloud is Cloud.GLOBAL else None


class Check(StrEnum):
    """What is done before anybody escalates: inappropriate escalations lead to a remediation plan."""

    HEALTH = "health"
    """Service health was looked at."""
    SELF_HELP = "self_help"
    """The admin centre and its self-help were tried."""


class Evidence(StrEnum):
    """What goes into the evidence pack."""

    TIMELINE = "timeline"
    REQUESTS = "requests"
    """Who asked, who approved, what came of it."""
    NOTICES = "notices"
    """What the customer was told."""
    INVOICES = "invoices"
    SIGNALS = "signals"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Problem:
    """Azure's own classification of it: resource ids, with the names they were chosen by."""

    service_id: str
    service_name: str
    classification_id: str
    classification_name: str


@dataclass(frozen=True, slots=True)
class About:
    """What a ticket is about, as it was read when it was drafted."""

    customer_id: CustomerId | None = None
    customer_name: str = ""
    domain: str = ""
    subscription_id: SubscriptionId | None = None
    subscription_name: str = ""
    subscription_kind: SubscriptionKind | None = None
    subscription_status: str = ""
    """Microsoft's own word."""
    offer_id: str = ""
    order_id: str = ""
    azure_id: SubscriptionId | None = None
    """The Azure subscription it is about, as Azure Resource Manager knows it; inside an Azure plan, one of several."""


NOTHING: Final = About()
"""Of a ticket that is about no customer, or not yet."""


def about(customer: Customer | None, subscription: Subscription | None) -> About:
    if customer is None:
        return NOTHING
    plain = About(customer.id, customer.name, customer.domain or "")
    if subscription is None:
        return plain
    return replace(
        plain,
        subscription_id=subscription.id,
        subscription_name=subscription.name,
        subscription_kind=subscription.kind,
        subscription_status=subscription.status_word,
        offer_id=subscription.offer_id or "",
        order_id=subscription.order_id or "",
    )


@dataclass(frozen=True, slots=True)
class Matter:
    """What somebody filled in."""

    kind: TicketKind
    severity: TicketSeverity
    title: str
    description: str
    tried: str = ""
    checked: tuple[Check, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    contact: str = ""
    """Whom Microsoft may call: the partner's person."""
    quoted: str = ""
    """The message it follows from, whole."""
    link: str = ""
    """The way to that message."""
    problem: Problem | None = None

    def checked_over(self) -> Matter:
        """With every text fit to be kept. Raises Invalid under the field that will not do."""
        title = " ".join(shown(self.title).split())
        cleaned = replace(
            self,
            title=title,
            description=shown(self.description).strip("\n"),
            tried=shown(self.tried).strip("\n"),
            contact=" ".join(shown(self.contact).split()),
            quoted=shown(self.quoted).strip("\n"),
        )
        for name, text, most in (
            ("title", cleaned.title, MOST_TITLE),
            ("description", cleaned.description, MOST_DESCRIPTION),
            ("tried", cleaned.tried, MOST_TRIED),
            ("contact", cleaned.contact, MOST_CONTACT),
        ):
            if len(text) > most:
                raise Invalid(name, "too-long", {"most": str(most)})
        if not cleaned.title:
            raise Invalid("title", "missing")
        if not (cleaned.description.strip() or cleaned.quoted.strip()):
            raise Invalid("description", "missing")
        return cleaned

    @property
    def left_unchecked(self) -> tuple[Check, ...]:
        """What was not done before; only a problem of a service has a health and a self-help to look at."""
        if self.kind not in (TicketKind.SERVICE, TicketKind.PARTNER_CENTER):
            return ()
        return tuple(check for check in Check if check not in self.checked)


def shown(text: str) -> str:
    """All of it, with control characters as their pictures: nothing is lost, and nothing is obeyed.

    Marks of writing direction stay: whoever writes Hebrew or Arabic needs them, and they end with their line.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_picture(c) for c in lines)


def _picture(c: str) -> str:
    code = ord(c)
    if c in "\n\t" or (code >= 0x20 and code != 0x7F and not 0x80 <= code <= 0x9F and not _is_lone(c)):
        return c
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _is_lone(c: str) -> bool:
    """Half of a surrogate pair: no database and no mail can keep it."""
    return unicodedata.category(c) == "Cs"
