"""Who owes: the customer cells of a row, and the tenant the accounts name for them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bot.domain.free_mail import FREE_MAIL
from bot.domain.receivables import FILE, customer_key
from bot.receivables.cells import clean

_GUID: Final = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z]", re.IGNORECASE)
_TENANT_DOMAIN: Final = re.compile(
    r"[a-z0-9-]+\.(?:onmicrosoft\.(?:com|us|de)|partner\.onmschina\.cn)", re.IGNORECASE
)
_TAGGED: Final = re.compile(rf"\bcsp:\s*{_GUID.pattern}", re.IGNORECASE)


class Party(NamedTuple):
    """Who a row belongs to, as the accounts say it."""

    name: str
    code: str = ""
    tenant: str = ""

    @property
    def key(self) -> str:
        """The same key the party's open items have, in a file."""
        return self.key_in(FILE)

    def key_in(self, source: str) -> str:
        """The same key the party's open items have in that source."""
        return customer_key(source, tenant=self.tenant, code=self.code, name=self.name)


def as_tenant(text: str) -> str | None:
    """Take a tenant id or a domain; None for anything else and for a mail provider's domain."""
    if match := _GUID.fullmatch(text):
        return match[1]
    if _DOMAIN.fullmatch(text) and text.casefold() not in FREE_MAIL:
        return text
    return None


def tagged_tenant(reference: str) -> str | None:
    """Take the tenant id out of a reference such as `csp:33333333-0000-…`."""
    match = _TAGGED.search(clean(reference))
    return match[1] if match else None


def named_by_tenant(name: str) -> str | None:
    """Take a customer's name for a tenant where it is one beyond doubt; `booking.com` is a company too."""
    if match := _GUID.fullmatch(name):
        return match[1]
    return name if _TENANT_DOMAIN.fullmatch(name) else None


def with_known_tenants(parties: set[Party]) -> dict[Party, Party]:
    """Give a party without a tenant the one that other rows of the same customer name, if it is just one.

    A program that notes the tenant on one invoice only must not split its customer into two debtors.
    """
    tenants: dict[tuple[str, str], set[str]] = {}
    for party in parties:
        if party.tenant:
            tenants.setdefault((party.code, party.name.casefold()), set()).add(party.tenant)
    resolved: dict[Party, Party] = {}
    for party in parties:
        known = tenants.get((party.code, party.name.casefold()), set())
        if not party.tenant and len({tenant.casefold() for tenant in known}) == 1:
            resolved[party] = party._replace(tenant=min(known))
        else:
            resolved[party] = party
    return resolved
