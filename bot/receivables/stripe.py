"""Receivables from Stripe Billing, through Stripe's own client (the optional extra `stripe`).

docs.stripe.com/api/invoices
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.domain.errors import Invalid
from bot.domain.money import MINOR_UNITS
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.fields import (
    Row,
    currency,
    exact,
    in_range,
    inner,
    is_open,
    needed,
    rejected,
    text,
)
from bot.receivables.gathering import Gathering
from bot.receivables.json_reads import JsonReads, Pace, http_client
from bot.receivables.live import Snapshot
from bot.receivables.notes import Code
from bot.receivables.parties import Party, as_tenant

BASE_URL: Final = "https://api.stripe.com"
TENANT_KEY: Final = "csp_tenant_id"
"""The key in a customer's metadata."""

_CLOSED: Final = frozenset({"draft", "paid", "void", "uncollectible"})
_ENDED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})
"""Disputes that are over; one in any other state, known or not, is not."""
_SHOWS: Final = (
    "number", "status", "customer_name", "collection_method", "due_date", "currency", "amount_due",
    "amount_remaining",
)  # fmt: skip
# docs.stripe.com/currencies#special-cases: ISK and UGX have no decimals but are written with two; the ariary
# has fifths but is written with none.
_DIGITS: Final[Mapping[str, int]] = {**MINOR_UNITS, "ISK": 2, "UGX": 2, "MGA": 0}


class Stripe:
    """One Stripe account; a restricted key that reads invoices, their payments, customers and disputes is enough.

    There is no due date where Stripe charges by itself: it is due some days of grace after it was finalised.
    Stripe knows no instalments and no promises; a dispute is known of what has been paid in part.
    """

    def __init__(
        self,
        *,
        api_key: str,
        zone: ZoneInfo,
        grace_days: int,
        webhook_secret: str | None = None,
        source_id: str = "stripe",
        base_url: str = BASE_URL,
        pace: Pace | None = None,
    ) -> None:
        """`zone` is the partner's: it makes days of Stripe's moments. Raises `Invalid` without the extra."""
        self._wire = _wire()
        self._zone = zone
        self._grace = timedelta(days=grace_days)
        self._webhook_secret = webhook_secret
        self._source_id = source_id
        self._http = http_client()
        reads = JsonReads(
            home=base_url,
            http=self._http,
            pace=pace or Pace(),
            hide=lambda said: said.replace(api_key, "***"),
        )
        self._client = self._wire.connect(api_key, base_url=base_url, reads=reads)

    @property
    def source_id(self) -> str:
        return self._source_id

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        expand = ["data.customer.cash_balance", "data.customer.invoice_credit_balance"]
        asked = {"status": "open", "limit": 100, "expand": expand}
        invoices = [row async for row in self._wire.every(self._client.v1.invoices.list_async(asked))]
        gathering = Gathering(self._source_id, as_of=as_of, shows=_SHOWS)
        seen: set[str] = set()
        for row in invoices:
            party = _party(row)
            at = f"invoice {_number(row)}"
            disputed = await self._is_disputed(row)
            read = partial(self._item, party=party, disputed=disputed, as_of=as_of)
            gathering.read(at, row, party, read)
            if party and party.code not in seen:
                seen.add(party.code)
                self._of_customer(inner(row, "customer"), party, gathering, as_of)
        return gathering.snapshot()

    async def check(self) -> None:
        await self._wire.page(self._client.v1.invoices.list_async({"status": "open", "limit": 1}))

    async def close(self) -> None:
        await self._http.aclose()

    def greeting(self, query: Mapping[str, str]) -> str | None:
        """Stripe tries nothing."""
        return None

    def verify_event(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Check `Stripe-Signature`, docs.stripe.com/webhooks#verify-events."""
        if not self._webhook_secret:
            return False
        header = headers.get("Stripe-Signature")
        return bool(self._wire.is_signed(self._client, body, header, self._webhook_secret))

    async def _is_disputed(self, invoice: Row) -> bool:
        """Whether the customer disputes a payment of an invoice that is paid in part.

        An invoice of which nothing is paid has nothing to dispute, and one that is paid is not open.
        """
        paid = invoice.get("amount_paid")
        if not isinstance(paid, int) or paid <= 0 or invoice.get("status") != "open":
            return False
        asked = {"invoice": text(invoice, "id"), "limit": 100}
        payments = [p async for p in self._wire.every(self._client.v1.invoice_payments.list_async(asked))]
        for of in (inner(payment, "payment") for payment in payments):
            for kind in ("payment_intent", "charge"):
                if (id := text(of, kind)) and await self._has_dispute({kind: id, "limit": 100}):
                    return True
        return False

    async def _has_dispute(self, asked: Mapping[str, Any]) -> bool:
        disputes = self._wire.every(self._client.v1.disputes.list_async(asked))
        return any([text(dispute, "status") not in _ENDED async for dispute in disputes])

    def _of_customer(self, customer: Row, party: Party, gathering: Gathering, as_of: date) -> None:
        """What the customer object says besides: a tenant that is none, and money that pays no invoice yet."""
        named = text(inner(customer, "metadata"), TENANT_KEY)
        if named and not party.tenant:
            message = f"The customer's {TENANT_KEY} is neither a tenant id nor a domain; correct it."
            gathering.warn(f"customer {party.code}", Code.BAD_TENANT, message, column=TENANT_KEY)
        for what, kind, amounts in (
            ("cash balance", ItemKind.PAYMENT_ON_ACCOUNT, _cash(customer)),
            ("credit balance", ItemKind.ADJUSTMENT, _credit(customer)),
        ):
            for code, minor in amounts.items():
                number = f"{party.code} {what} {code.upper()}"
                row = {**customer, "number": number, "currency": code, "amount_remaining": minor}
                read = partial(self._balance, party=party, kind=kind, as_of=as_of)
                gathering.read(f"customer {number}", row, party, read)

    def _item(self, row: Row, *, party: Party | None, disputed: bool, as_of: date) -> OpenItem | None:
        if not is_open(text(row, "status"), open_status="open", closed=_CLOSED):
            return None
        code = currency(row, "currency")
        left = _money(row, "amount_remaining", code)
        if left <= 0:
            return None
        whole = _money(row, "amount_due", code)
        if left > whole:
            message = f"{left} remaining is more than {whole} due; look at the invoice."
            raise rejected(Code.INCONSISTENT_AMOUNTS, message, "amount_remaining")
        if party is None:
            raise rejected(Code.MISSING_CUSTOMER, "The invoice names no customer.", "customer")
        number = _number(row)
        if not number:
            raise rejected(Code.MISSING_NUMBER, "The invoice has neither number nor id.", "number")
        finalised = self._day(inner(row, "status_transitions"), "finalized_at", as_of)
        return OpenItem(
            customer=party.name,
            tenant=party.tenant or None,
            customer_code=party.code,
            document_number=number,
            kind=ItemKind.INVOICE,
            issue_date=self._day(row, "effective_at", as_of) or finalised,
            due_date=needed(self._due(row, finalised, as_of), "due_date"),
            currency=code,
            total=_money(row, "total", code),
            open_amount=left,
            disputed=disputed,
        )

    def _due(self, row: Row, finalised: date | None, as_of: date) -> date | None:
        due = self._day(row, "due_date", as_of)
        if due is None and finalised and text(row, "collection_method") == "charge_automatically":
            return finalised + self._grace
        return due

    def _balance(self, row: Row, *, party: Party, kind: ItemKind, as_of: date) -> OpenItem | None:
        code = currency(row, "currency")
        left = _money(row, "amount_remaining", code)
        if left <= 0:  # below zero Stripe adds it to the next invoice: owed, but not yet
            return None
        # A balance has no date and, being a credit, no age; the customer's own is the same at every reading.
        since = needed(self._day(row, "created", as_of), "created")
        return OpenItem(
            customer=party.name,
            tenant=party.tenant or None,
            customer_code=party.code,
            document_number=text(row, "number"),
            kind=kind,
            due_date=since,
            currency=code,
            open_amount=-left,
        )

    def _day(self, row: Row, name: str, as_of: date) -> date | None:
        value = row.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**11:
            raise rejected(Code.BAD_DATE, "That is no moment; look at the invoice.", name)
        found = datetime.fromtimestamp(value, UTC).astimezone(self._zone).date()
        return in_range(found, as_of=as_of, name=name)


def _wire() -> ModuleType:
    """Our side of the client, imported only when Stripe is asked for."""
    try:
        from bot.receivables import stripe_wire
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "stripe":
            raise
        raise Invalid("stripe", "extra-not-installed") from None
    return stripe_wire


def _party(invoice: Row) -> Party | None:
    """The customer of an invoice: the object where it came along, else just its id."""
    customer = inner(invoice, "customer")
    code = text(customer, "id") or text(invoice, "customer")
    name = text(customer, "name") or text(invoice, "customer_name") or text(customer, "email") or code
    tenant = as_tenant(text(inner(customer, "metadata"), TENANT_KEY)) or ""
    return Party(name, code, tenant) if code else None


def _number(invoice: Row) -> str:
    return text(invoice, "number") or text(invoice, "id")


def _cash(customer: Row) -> Row:
    """Money the customer has sent that was matched to nothing yet, by currency."""
    return inner(inner(customer, "cash_balance"), "available")


def _credit(customer: Row) -> Row:
    """Credit for the customer's next invoices, by currency; `balance` says the same with the sign reversed."""
    by_currency = inner(customer, "invoice_credit_balance")
    balance = customer.get("balance")
    if by_currency or not isinstance(balance, int) or not balance:
        return by_currency
    return {text(customer, "currency"): -balance}


def _money(row: Row, name: str, code: str) -> Decimal:
    """Stripe's whole number of smallest units as money."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise rejected(Code.BAD_AMOUNT, "That is no whole number of smallest units.", name)
    return exact(Decimal(value).scaleb(-_DIGITS[code]), code, name)
