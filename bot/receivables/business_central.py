"""Receivables from Dynamics 365 Business Central, over its API v2.0.

learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Final
from urllib.parse import quote

from bot.domain.errors import Rejected
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.fields import (
    MOST_ROWS,
    Row,
    amount,
    currency,
    day,
    is_open,
    needed,
    open_of_total,
    rejected,
    text,
)
from bot.receivables.gathering import Gathering
from bot.receivables.json_reads import JsonReads, NotJson, Pace, decode, http_client, listed
from bot.receivables.live import SYSTEM, Snapshot
from bot.receivables.notes import Code
from bot.receivables.parties import Party, as_tenant
from bot.receivables.sign_in import Grant, SignIn

BASE_URL: Final = "https://api.businesscentral.dynamics.com"
AUTHORITY: Final = "https://login.microsoftonline.com"

_OPEN: Final = {"$filter": "status eq 'Open'"}
_CLOSED: Final = frozenset(
    {"", "_x0020_", "Draft", "In Review", "In_x0020_Review", "Paid", "Canceled", "Corrective"}
)
"""States of a document that is not owed, or not yet; names with a blank are escaped in some versions."""
_SHOWS: Final = (
    "number", "status", "billToCustomerNumber", "billToName", "dueDate", "currencyCode",
    "totalAmountIncludingTax", "remainingAmount",
)  # fmt: skip
MOST_PAGES: Final = 10_000
_NEVER: Final = date(1, 1, 1)
"""Business Central's empty date."""


class BusinessCentral:
    """One company of one environment. The Entra tenant is the partner's own, never a customer's.

    Not shown by these resources, and therefore unknown here: disputes, instalments, and payments that were
    posted but applied to no invoice. A credit memo counts in full until it is applied in full.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        environment: str,
        company_id: str,
        client_id: str,
        client_secret: str,
        client_state: str | None = None,
        source_id: str = "business-central",
        base_url: str = BASE_URL,
        authority: str = AUTHORITY,
        pace: Pace | None = None,
    ) -> None:
        """`client_state` is the secret our webhook subscription was made with."""
        pace = pace or Pace()
        base_url = base_url.rstrip("/")
        self._source_id = source_id
        self._company = (
            f"{base_url}/v2.0/{quote(tenant_id, safe='')}/{quote(environment, safe='')}"
            f"/api/v2.0/companies({quote(company_id, safe='')})"
        )
        self._client_state = client_state
        self._sign_in = SignIn(
            Grant(
                token_url=f"{authority.rstrip('/')}/{quote(tenant_id, safe='')}/oauth2/v2.0/token",
                client_id=client_id,
                client_secret=client_secret,
                scope=f"{base_url}/.default",
            ),
            http=http_client(),
            now=pace.now,
        )
        self._http = http_client()
        self._reads = JsonReads(
            home=base_url,
            http=self._http,
            pace=pace,
            hide=self._sign_in.without_secrets,
            sign_in=self._sign_in,
        )
        self._local_currency: str | None = None

    @property
    def source_id(self) -> str:
        return self._source_id

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        local = await self._local()
        domains = _own_domains(await self._all("customers", {"$select": "number,website"}))
        # Credits first: one applied to an invoice while we read may be seen twice, but never not at all.
        credits = await self._all("salesCreditMemos", _OPEN)
        invoices = await self._all("salesInvoices", _OPEN)
        gathering = Gathering(self._source_id, as_of=as_of, shows=_SHOWS)
        for noun, rows, read in (
            ("sales credit memo", credits, _credit_memo),
            ("sales invoice", invoices, _invoice),
        ):
            for row in rows:
                party = _party(row, domains) if isinstance(row, Mapping) else None
                at = f"{noun} {text(row, 'number')}" if isinstance(row, Mapping) else noun
                gathering.read(at, row, party, partial(read, party=party, local=local, as_of=as_of))
        return gathering.snapshot()

    async def check(self) -> None:
        await self._local()
        for entity in ("customers", "salesCreditMemos", "salesInvoices"):
            reply = await self._reads.get(f"{self._company}/{entity}", params={"$top": "1"})
            listed(reply.value, "value")

    async def close(self) -> None:
        await self._sign_in.close()
        await self._http.aclose()

    def verify_event(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether every notification in the body carries our `clientState`; there is no signature.

        learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/dynamics-subscriptions
        """
        if not self._client_state:
            return False
        try:
            value = decode(body)
        except NotJson:
            return False
        notifications = value.get("value") if isinstance(value, Mapping) else None
        if not isinstance(notifications, list) or not notifications:
            return False
        return all([_carries(notification, self._client_state) for notification in notifications])

    async def _local(self) -> str:
        """The company's own currency, which documents in it do not name; read once."""
        if self._local_currency is None:
            reply = await self._reads.get(f"{self._company}/companyInformation")
            found = [
                text(row, "currencyCode") for row in listed(reply.value, "value") if isinstance(row, Mapping)
            ]
            if len(found) != 1:
                raise Rejected(system=SYSTEM, reason="unexpected-answer")
            self._local_currency = found[0].upper()
        return self._local_currency

    async def _all(self, entity: str, params: Mapping[str, str]) -> list[object]:
        """Every row of every page; one page that cannot be read leaves nothing of it."""
        prefer = {"Prefer": "odata.maxpagesize=1000"}
        reply = await self._reads.get(f"{self._company}/{entity}", params=params, headers=prefer)
        rows = listed(reply.value, "value")
        followed: set[str] = set()
        while link := _next(reply.value):
            if link in followed:
                raise Rejected(system=SYSTEM, reason="paging-loop")
            followed.add(link)
            reply = await self._reads.get(link, headers=prefer)
            rows += listed(reply.value, "value")
            if len(rows) > MOST_ROWS or len(followed) > MOST_PAGES:
                raise Rejected(system=SYSTEM, reason="too-many-rows")
        return rows


def _next(value: object) -> str | None:
    link = value.get("@odata.nextLink") if isinstance(value, Mapping) else None
    if link is not None and not isinstance(link, str):
        raise Rejected(system=SYSTEM, reason="bad-link")
    return link


def _carries(notification: object, secret: str) -> bool:
    given = notification.get("clientState") if isinstance(notification, Mapping) else None
    told = given if isinstance(given, str) else ""
    return hmac.compare_digest(told.encode("utf-8", "surrogatepass"), secret.encode())


def _own_domains(customers: list[object]) -> dict[str, str]:
    """The domain of each customer number whose website is a plain host name and nobody else's.

    A domain that several customers give would make one debtor of them.
    """
    by_number = {
        text(row, "number"): domain
        for row in customers
        if isinstance(row, Mapping) and (domain := _plain_host(text(row, "website")))
    }
    owners = Counter(by_number.values())
    return {number: domain for number, domain in by_number.items() if owners[domain] == 1}


def _plain_host(website: str) -> str | None:
    host = website.casefold().removeprefix("www.")
    return as_tenant(host) if "." in host else None


def _party(row: Row, domains: Mapping[str, str]) -> Party | None:
    """Who is billed, which may be another than who was sold to."""
    number = text(row, "billToCustomerNumber")
    return Party(text(row, "billToName") or number, number, domains.get(number, "")) if number else None


def _invoice(row: Row, *, party: Party | None, local: str, as_of: date) -> OpenItem | None:
    if not is_open(text(row, "status"), open_status="Open", closed=_CLOSED):
        return None
    code = currency(row, "currencyCode", local=local)
    # Calculated by Business Central, so that its filter does not know it.
    left = amount(row, "remainingAmount", code)
    if left <= 0:
        return None
    total = amount(row, "totalAmountIncludingTax", code)
    debtor = _named(party)
    return OpenItem(
        customer=debtor.name,
        tenant=debtor.tenant or None,
        customer_code=debtor.code,
        document_number=_number(row),
        kind=ItemKind.INVOICE,
        issue_date=_day(row, "invoiceDate", as_of),
        due_date=needed(_day(row, "dueDate", as_of), "dueDate"),
        currency=code,
        total=total,
        open_amount=open_of_total(left, total, "remainingAmount"),
    )


def _credit_memo(row: Row, *, party: Party | None, local: str, as_of: date) -> OpenItem | None:
    if not is_open(text(row, "status"), open_status="Open", closed=_CLOSED):
        return None
    code = currency(row, "currencyCode", local=local)
    total = amount(row, "totalAmountIncludingTax", code)
    left = amount(row, "remainingAmount", code) if row.get("remainingAmount") is not None else total
    if left <= 0:
        return None
    debtor = _named(party)
    issued = _day(row, "creditMemoDate", as_of)
    return OpenItem(
        customer=debtor.name,
        tenant=debtor.tenant or None,
        customer_code=debtor.code,
        document_number=_number(row),
        kind=ItemKind.CREDIT_NOTE,
        issue_date=issued,
        due_date=needed(issued or _day(row, "dueDate", as_of), "creditMemoDate"),
        currency=code,
        total=-total,
        open_amount=-open_of_total(left, total, "remainingAmount"),
    )


def _named(party: Party | None) -> Party:
    if party is None:
        raise rejected(
            Code.MISSING_CUSTOMER, "The document names no bill-to customer.", "billToCustomerNumber"
        )
    return party


def _number(row: Row) -> str:
    number = text(row, "number")
    if not number:
        raise rejected(Code.MISSING_NUMBER, "The document has no number.", "number")
    return number


def _day(row: Row, name: str, as_of: date) -> date | None:
    if row.get(name) == _NEVER.isoformat():
        return None
    return day(row, name, as_of=as_of)
