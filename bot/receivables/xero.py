"""Receivables from Xero, over its accounting API 2.0.

developer.xero.com/documentation/api/accounting. Not through Xero's own client: it makes floats of money.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from typing import Final, NamedTuple

from bot.domain.errors import Rejected, Unavailable
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.fields import (
    MOST_ROWS,
    Row,
    amount,
    currency,
    day,
    inner,
    is_open,
    iso_day,
    needed,
    open_of_total,
    rejected,
    text,
)
from bot.receivables.gathering import Gathering
from bot.receivables.json_reads import JsonReads, Pace, http_client, listed
from bot.receivables.live import SYSTEM, Snapshot
from bot.receivables.notes import Code
from bot.receivables.parties import Party, named_by_tenant, tagged_tenant
from bot.receivables.sign_in import Grant, RefreshTokens, SignIn

BASE_URL: Final = "https://api.xero.com"
IDENTITY_URL: Final = "https://identity.xero.com"

READINGS: Final = 4
"""How often a listing is read before we give up on two readings that agree."""
_MS_DATE: Final = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/", re.ASCII)
_CLOSED: Final = frozenset({"DRAFT", "SUBMITTED", "DELETED", "PAID", "VOIDED"})
_SHOWS: Final = (
    "InvoiceNumber", "CreditNoteNumber", "Type", "Status", "DueDate", "CurrencyCode", "Total", "AmountDue",
    "RemainingCredit",
)  # fmt: skip


class _Listing(NamedTuple):
    """One resource, and how its documents are named."""

    resource: str
    noun: str
    id: str
    number: str
    types: frozenset[str]
    """The customers' side; the suppliers' is in the same listing."""
    kind: ItemKind
    where: str


class _Reading(NamedTuple):
    rows: list[object]
    ids: set[str]
    pages: int
    steady: bool
    """As many as Xero counts, and none of them twice."""


_CREDITS: Final = (
    _Listing(
        "CreditNotes", "credit note", "CreditNoteID", "CreditNoteNumber", frozenset({"ACCRECCREDIT"}),
        ItemKind.CREDIT_NOTE, 'Type=="ACCRECCREDIT" AND Status=="AUTHORISED"',
    ),
    _Listing(
        "Overpayments", "overpayment", "OverpaymentID", "", frozenset({"RECEIVE-OVERPAYMENT", "AROVERPAYMENT"}),
        ItemKind.PAYMENT_ON_ACCOUNT, 'Status=="AUTHORISED"',
    ),
    _Listing(
        "Prepayments", "prepayment", "PrepaymentID", "", frozenset({"RECEIVE-PREPAYMENT", "ARPREPAYMENT"}),
        ItemKind.PAYMENT_ON_ACCOUNT, 'Status=="AUTHORISED"',
    ),
)  # fmt: skip
_INVOICES: Final = _Listing(
    "Invoices", "invoice", "InvoiceID", "InvoiceNumber", frozenset({"ACCREC"}), ItemKind.INVOICE,
    'Type=="ACCREC"',
)  # fmt: skip


class Xero:
    """One organisation. Its tenant id is Xero's own, never a customer's at Microsoft; disputes it has none."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        refresh_tokens: RefreshTokens,
        organisation_id: str,
        webhook_key: str | None = None,
        page_size: int = 200,
        source_id: str = "xero",
        base_url: str = BASE_URL,
        identity_url: str = IDENTITY_URL,
        pace: Pace | None = None,
    ) -> None:
        """Each use of the refresh token makes a new one; Xero takes the old one only for minutes after."""
        pace = pace or Pace()
        self._source_id = source_id
        self._organisation = {"xero-tenant-id": organisation_id}
        self._webhook_key = webhook_key
        self._page_size = page_size
        self._sign_in = SignIn(
            Grant(
                token_url=f"{identity_url.rstrip('/')}/connect/token",
                client_id=client_id,
                client_secret=client_secret,
                in_header=True,
            ),
            http=http_client(),
            now=pace.now,
            refresh_tokens=refresh_tokens,
        )
        self._http = http_client()
        self._reads = JsonReads(
            home=base_url,
            http=self._http,
            pace=pace,
            hide=self._sign_in.without_secrets,
            sign_in=self._sign_in,
        )

    @property
    def source_id(self) -> str:
        return self._source_id

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        # Credits first: one allocated to an invoice while we read may be seen twice, but never not at all.
        documents = [(listing, row) for listing in (*_CREDITS, _INVOICES) for row in await self._all(listing)]
        tenants = _tenants(inner(row, "Contact") for _, row in documents if isinstance(row, Mapping))
        gathering = Gathering(self._source_id, as_of=as_of, shows=_SHOWS)
        for listing, row in documents:
            party = _party(inner(row, "Contact"), tenants) if isinstance(row, Mapping) else None
            at = f"{listing.noun} {_number(row, listing)}" if isinstance(row, Mapping) else listing.noun
            gathering.read(at, row, party, partial(_item, listing=listing, party=party, as_of=as_of))
        return gathering.snapshot()

    async def check(self) -> None:
        for listing in (*_CREDITS, _INVOICES):
            reply = await self._page(listing, 1, size=1)
            listed(reply, listing.resource)

    async def close(self) -> None:
        await self._sign_in.close()
        await self._http.aclose()

    def greeting(self, query: Mapping[str, str]) -> str | None:
        """Xero tries us with signatures, right and wrong ones: `verify_event` tells them apart."""
        return None

    def verify_event(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Check `x-xero-signature` over the raw body.

        developer.xero.com/documentation/guides/webhooks/configuring-your-server
        """
        if not self._webhook_key:
            return False
        made = base64.b64encode(hmac.new(self._webhook_key.encode(), body, hashlib.sha256).digest())
        given = headers.get("x-xero-signature") or ""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), made)

    async def _all(self, listing: _Listing) -> list[object]:
        """Every document of a listing; of several pages only once two readings agree.

        Pages are numbered: one invoice paid while we read moves the next page's first onto the page before,
        and an invoice that is not seen would count as paid.
        """
        before: set[str] | None = None
        for _ in range(READINGS):
            reading = await self._once(listing)
            if reading.steady and (reading.pages == 1 or reading.ids == before):
                return reading.rows
            before = reading.ids
        raise Unavailable(system=SYSTEM, reason="changed-while-read")

    async def _once(self, listing: _Listing) -> _Reading:
        rows: list[object] = []
        ids: set[str] = set()
        counts: set[str] = set()
        page = 1
        while True:
            value = await self._page(listing, page, size=self._page_size)
            found = listed(value, listing.resource)
            pagination = inner(value, "pagination") if isinstance(value, Mapping) else {}
            counts.add(text(pagination, "itemCount"))
            rows += found
            before = len(ids)
            ids |= {_id(row, listing) or f"{page}, {place}" for place, row in enumerate(found)}
            last = _whole(pagination.get("pageCount"))
            if not found or (last is not None and page >= last):
                steady = counts <= {"", str(len(rows))} and len(ids) == len(rows)
                return _Reading(rows, ids, page, steady)
            if len(ids) == before:
                raise Rejected(system=SYSTEM, reason="paging-loop")
            if len(rows) > MOST_ROWS:
                raise Rejected(system=SYSTEM, reason="too-many-rows")
            page += 1

    async def _page(self, listing: _Listing, page: int, *, size: int) -> object:
        params = {"where": listing.where, "page": str(page), "pageSize": str(size)}
        if listing is _INVOICES:
            params |= {"Statuses": "AUTHORISED", "order": "DueDate"}
        reply = await self._reads.get(
            f"/api.xro/2.0/{listing.resource}", params=params, headers=self._organisation
        )
        return reply.value


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _id(row: object, listing: _Listing) -> str:
    return text(row, listing.id) if isinstance(row, Mapping) else ""


def _number(row: Row, listing: _Listing) -> str:
    """The number people know, else Xero's id: overpayments and prepayments have none of their own."""
    return text(row, listing.number) or text(row, listing.id)


def _tenants(contacts: Iterable[Row]) -> dict[str, str]:
    """The Microsoft tenant of each contact that names just one, on whichever document it does."""
    named: dict[str, set[str]] = {}
    for contact in contacts:
        account = text(contact, "AccountNumber")
        tenant = (
            named_by_tenant(account)
            or tagged_tenant(account)
            or tagged_tenant(text(contact, "ContactNumber"))
        )
        if tenant:
            named.setdefault(text(contact, "ContactID"), set()).add(tenant.casefold())
    return {contact: min(tenants) for contact, tenants in named.items() if len(tenants) == 1}


def _party(contact: Row, tenants: Mapping[str, str]) -> Party | None:
    code = text(contact, "ContactID")
    return Party(text(contact, "Name") or code, code, tenants.get(code, "")) if code else None


def _item(row: Row, *, listing: _Listing, party: Party | None, as_of: date) -> OpenItem | None:
    if text(row, "Type") not in listing.types:
        return None
    if not is_open(text(row, "Status"), open_status="AUTHORISED", closed=_CLOSED):
        return None
    is_invoice = listing is _INVOICES
    code = currency(row, "CurrencyCode")
    field = "AmountDue" if is_invoice else "RemainingCredit"
    left = amount(row, field, code)
    if left <= 0:
        return None
    total = amount(row, "Total", code)
    left = open_of_total(left, total, field)
    if party is None:
        raise rejected(Code.MISSING_CUSTOMER, "The document names no contact.", "Contact")
    number = _number(row, listing)
    if not number:
        raise rejected(Code.MISSING_NUMBER, "The document has neither number nor id.", listing.number)
    issued = day(row, "Date", as_of=as_of, read=xero_day)
    due = day(row, "DueDate", as_of=as_of, read=xero_day) if is_invoice else issued
    promise = day(row, "ExpectedPaymentDate", as_of=as_of, read=xero_day) if is_invoice else None
    return OpenItem(
        customer=party.name,
        tenant=party.tenant or None,
        customer_code=party.code,
        document_number=number,
        kind=listing.kind,
        issue_date=issued,
        due_date=needed(due, "DueDate" if is_invoice else "Date"),
        currency=code,
        total=total if is_invoice else -total,
        open_amount=left if is_invoice else -left,
        promise_to_pay=promise,
    )


def xero_day(value: object) -> date | None:
    """The day of `/Date(1573755038314+0000)/`, milliseconds since 1970 in UTC, or of an ISO date."""
    match = _MS_DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return iso_day(value)
    offset = match[2] or "+0000"
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    try:
        zone = timezone(timedelta(minutes=minutes if offset[0] == "+" else -minutes))
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(match[1]))
        return moment.astimezone(zone).date()
    except (ValueError, OverflowError):
        raise rejected(Code.BAD_DATE, "That is no date; correct the document.") from None
