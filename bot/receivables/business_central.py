"""Receivables from Dynamics 365 Business Central, over its API v2.0.

learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
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
from bot.receivables.notes import Code, RowRejected
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
_LONGEST_TOKEN: Final = 2048
_RATES_MOVE: Final = Decimal("0.10")
_NEVER: Final = date(1, 1, 1)
"""Business Central's empty date."""


class BusinessCentral:
    """One company of one environment. The Entra tenant is the partner's own, never a customer's.

    Not shown by these resources, and therefore unknown here: disputes, instalments, and payments that were
    posted but applied to no invoice. Of the last, only the customer's balance tells: where it is not what the
    documents come to, the customer is in doubt. A credit memo counts in full until it is applied in full.
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
        customers = await self._all("customers", {"$select": "number,displayName,website"})
        domains = _own_domains(customers)
        # Credits first: one applied to an invoice while we read may be seen twice, but never not at all.
        credits = await self._all("salesCreditMemos", _OPEN)
        invoices = await self._all("salesInvoices", _OPEN)
        # The balances last: what is paid meanwhile then makes a difference, and no harm.
        balances = await self._all("customerFinancialDetails", {"$select": "number,balance"})
        gathering = Gathering(self._source_id, as_of=as_of, shows=_SHOWS)
        ledger = _Ledger(local, {p.code: p for row in customers if (p := _customer(row, domains))})
        for noun, rows, read in (
            ("sales credit memo", credits, _credit_memo),
            ("sales invoice", invoices, _invoice),
        ):
            for row in rows:
                party = _party(row, domains) if isinstance(row, Mapping) else None
                at = f"{noun} {text(row, 'number')}" if isinstance(row, Mapping) else noun
                reading = partial(read, party=party, local=local, as_of=as_of)
                gathering.read(at, row, party, partial(ledger.counted, party=party, read=reading))
        rates = await self._rates(as_of) if ledger.is_in_several_currencies else {}
        for party, error in ledger.differences(balances, rates):
            gathering.reject(f"customer {party.code}", party, error, ())
        return gathering.snapshot()

    async def _rates(self, as_of: date) -> dict[str, Decimal]:
        """What one unit of each foreign currency is worth in the company's own on that day."""
        newest: dict[str, tuple[date, Decimal]] = {}
        for row in await self._all("currencyExchangeRates", {}):
            if not isinstance(row, Mapping) or text(row, "relationalCurrencyCode"):
                continue
            since = _day(row, "startingDate", as_of) or _NEVER
            units, worth = row.get("exchangeRateAmount"), row.get("relationalExchangeRateAmount")
            if since > as_of or not isinstance(units, int | Decimal) or not isinstance(worth, int | Decimal):
                continue
            code = text(row, "currencyCode").upper()
            if units > 0 and worth > 0 and since >= newest.get(code, (_NEVER, Decimal(0)))[0]:
                newest[code] = (since, Decimal(worth) / Decimal(units))
        return {code: rate for code, (_, rate) in newest.items()}

    async def check(self) -> None:
        await self._local()
        for entity in ("customers", "salesCreditMemos", "salesInvoices", "customerFinancialDetails"):
            reply = await self._reads.get(f"{self._company}/{entity}", params={"$top": "1"})
            listed(reply.value, "value")

    async def close(self) -> None:
        await self._sign_in.close()
        await self._http.aclose()

    def greeting(self, query: Mapping[str, str]) -> str | None:
        """Said back when a subscription is made or renewed."""
        token = query.get("validationToken")
        return token if token and len(token) <= _LONGEST_TOKEN else None

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


class _Ledger:
    """What the documents of each customer come to, beside the balance that Business Central keeps of it.

    The balance is in the company's own currency, at the rates of the days of posting; documents in another one are
    compared at today's rate, so that a tenth is left open for rates that moved.
    learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/resources/dynamics_customerfinancialdetail
    """

    def __init__(self, local: str, customers: Mapping[str, Party]) -> None:
        self._local = local
        self._parties = dict(customers)
        self._sums: dict[str, dict[str, Decimal]] = {}
        self._unread: set[str] = set()

    def counted(
        self, row: Row, *, party: Party | None, read: Callable[[Row], OpenItem | None]
    ) -> OpenItem | None:
        code = party.code if party else ""
        try:
            item = read(row)
        except RowRejected:
            self._unread.add(code)  # said already, and there is nothing to compare
            raise
        if item is not None and party is not None:
            self._parties[code] = party
            sums = self._sums.setdefault(code, {})
            sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.open_amount
        return item

    @property
    def is_in_several_currencies(self) -> bool:
        return any(set(sums) - {self._local} for sums in self._sums.values())

    def differences(
        self, balances: list[object], rates: Mapping[str, Decimal]
    ) -> Iterator[tuple[Party, RowRejected]]:
        """The customers whose balance is not what their documents come to, with the words for it."""
        told: dict[str, Row] = {text(row, "number"): row for row in balances if isinstance(row, Mapping)}
        for number in sorted((self._sums.keys() | told.keys()) - self._unread):
            party = self._parties.get(number)
            if party is None:
                continue
            try:
                balance = amount(told.get(number, {}), "balance", self._local)
            except RowRejected as error:
                yield party, error
                continue
            sums = self._sums.get(number, {})
            if (sums or balance > 0) and not self._agree(sums, balance, rates):
                yield party, rejected(Code.BALANCE_DIFFERS, self._words(sums, balance), "balance")

    def _agree(self, sums: Mapping[str, Decimal], balance: Decimal, rates: Mapping[str, Decimal]) -> bool:
        if not set(sums) - {self._local}:
            return sum(sums.values(), Decimal(0)) == balance
        worth = {self._local: Decimal(1), **rates}
        if not sums.keys() <= worth.keys():
            return False
        estimate = sum((left * worth[code] for code, left in sums.items()), Decimal(0))
        return abs(estimate - balance) <= _RATES_MOVE * max(abs(estimate), abs(balance))

    def _words(self, sums: Mapping[str, Decimal], balance: Decimal) -> str:
        documents = " and ".join(f"{left} {code}" for code, left in sorted(sums.items())) or "nothing"
        return (
            f"The open documents come to {documents}, the customer's balance is {balance} {self._local}; "
            "look for a payment that is posted but not applied."
        )


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


def _customer(row: object, domains: Mapping[str, str]) -> Party | None:
    number = text(row, "number") if isinstance(row, Mapping) else ""
    if not isinstance(row, Mapping) or not number:
        return None
    return Party(text(row, "displayName") or number, number, domains.get(number, ""))


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
