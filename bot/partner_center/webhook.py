"""Events that Partner Center sends: who they are from, and what they are about.

learn.microsoft.com/partner-center/developer/partner-center-webhooks. An event is believed about nothing but that
there is something to look at: the addresses in it are never fetched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from bot.domain.customer import TENANT_ID, CustomerId, SubscriptionId
from bot.partner_center.certificates import Certificates, Untrusted
from bot.partner_center.cloud import CloudHosts
from bot.partner_center.fields import Fields, Unreadable, decode

LARGEST: Final = 64 * 1024
ACCEPTED_FOR: Final = timedelta(days=7)
"""An event may tell of a change two days late, and is sent ten times; one that is older is sent by somebody else."""
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_TEST: Final = "test-created"
_SUBSCRIPTION: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class PartnerCenterEvent:
    """Something happened. What, only Microsoft's own answer to a call of ours can tell."""

    name: str
    """`subscription-updated`, `azure-fraud-event-detected`, …: Microsoft's word."""
    key: str
    """The same for the same event, however often and by whichever signature it comes."""
    customer_id: CustomerId | None = None
    subscription_id: SubscriptionId | None = None
    is_test: bool = False
    """Microsoft, or the operator, tries whether we can be reached."""


class Unsigned(Exception):
    """Not shown to be from Microsoft; why, as a key for the log."""


class Unusable(Exception):
    """From Microsoft, but nothing can be done with it; why, as a key for the log."""


class Webhook:
    def __init__(self, *, cloud: CloudHosts, certificates: Certificates, now: Callable[[], datetime]) -> None:
        self._cloud = cloud
        self._certificates = certificates
        self._now = now

    async def verify(self, headers: Mapping[str, str], body: bytes) -> PartnerCenterEvent:
        """The event, once its signature is checked. `headers` must find its keys in any case.

        Raises Unsigned, Unusable, or Unavailable while the certificate cannot be had.
        """
        if len(body) > LARGEST:
            raise Unusable("too-large")
        if headers.get("x-ms-signature-algorithm", "").strip().lower() != "rsa-sha256":
            raise Unsigned("algorithm")
        signature = _signature(headers)
        url = headers.get("x-ms-certificate-url", "").strip()
        try:
            await self._certificates.check(url, signature=signature, of=body)
        except Untrusted as error:
            raise Unsigned(str(error)) from None
        return self._read(body)

    def _read(self, body: bytes) -> PartnerCenterEvent:
        try:
            fields = Fields(decode(body))
        except Unreadable:
            raise Unusable("not-json") from None
        name, uri = (fields.text("EventName") or "")[:_LONGEST_NAME], fields.text("ResourceUri") or ""
        at, stamp = fields.moment("ResourceChangeUtcDate"), fields.text("ResourceChangeUtcDate") or ""
        if not name:
            raise Unusable("no-name")
        key = hashlib.sha256("\n".join((name.lower(), uri, stamp)).encode()).hexdigest()[:48]
        if (
            name.lower() == _TEST
        ):  # its address is of no resource; the published one is of a machine of Microsoft's
            return PartnerCenterEvent(name, key, is_test=True)
        if at is None:
            raise Unusable("no-moment")
        if not -_CLOCKS_DIFFER <= self._now() - at <= ACCEPTED_FOR:
            raise Unusable("too-old")
        customer, subscription = self._about(uri)
        return PartnerCenterEvent(name, key, customer, subscription)

    def _about(self, uri: str) -> tuple[CustomerId | None, SubscriptionId | None]:
        """Whom an address is about. It must be of the configured API, be it with http, as published ones are."""
        try:
            parts, home = urlsplit(uri), urlsplit(self._cloud.api)
            is_home = parts.hostname == home.hostname and parts.port in (None, home.port, 80, 443)
        except ValueError:
            is_home = False
        if not is_home or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise Unusable("foreign-address")
        path = parts.path.split("/")
        named = {key.lower(): value for key, value in pairwise(path)}
        asked = {key.lower(): value for key, value in parse_qsl(parts.query)}
        customer = named.get("customers", "").lower()
        subscription = named.get("subscriptions") or asked.get("subscriptionid") or ""
        return (
            CustomerId(customer) if TENANT_ID.fullmatch(customer) else None,
            SubscriptionId(subscription.lower()) if _SUBSCRIPTION.fullmatch(subscription) else None,
        )


def _signature(headers: Mapping[str, str]) -> bytes:
    """From `Authorization`; from `x-ms-signature`, with a scheme or without, where the registration asks for that."""
    scheme, _, coded = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "signature":
        told = headers.get("x-ms-signature", "").strip()
        scheme, _, coded = told.rpartition(" ")
        if scheme.lower() not in ("", "signature"):
            raise Unsigned("scheme")
    try:
        signature = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unsigned("no-signature") from None
    if not signature:
        raise Unsigned("no-signature")
    return signature
