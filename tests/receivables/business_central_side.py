"""The far side of Business Central: token endpoint and API v2.0, in the shapes its documentation publishes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bot.receivables.business_central import BusinessCentral

from .far_side import Document, FarSide

TENANT = "8e0ab5fe-0000-4000-8000-000000000001"
COMPANY = "5f0a8c1c-0000-4000-8000-000000000002"
SECRET = "bc-canary-secret"
CLIENT_STATE = "bc-canary-client-state"


class BusinessCentralSide(FarSide):
    secrets = (SECRET, CLIENT_STATE, "bc-canary-access")

    def __init__(self) -> None:
        super().__init__()
        self.local_currency = "EUR"
        self.customers: dict[str, dict[str, Any]] = {}
        self.forms: list[dict[str, str]] = []
        self.token_answers: list[web.Response] = []
        self.valid: set[str] = set()
        self.unapplied: dict[str, Decimal] = {}
        """By customer: payments that are posted and applied to no invoice, in the company's own currency."""
        self.rates: list[dict[str, Any]] = []
        self.next_link: str | None = None
        """Stands in the place of every link to a next page."""
        self.unfiltered = False
        """The filter on the status is not obeyed."""

    def source(self, **options: Any) -> BusinessCentral:
        given: dict[str, Any] = {
            "tenant_id": TENANT,
            "environment": "Production",
            "company_id": COMPANY,
            "client_id": "backstop-app",
            "client_secret": SECRET,
            "client_state": CLIENT_STATE,
            "base_url": self.url,
            "authority": self.url,
            "pace": self.pace,
        }
        return BusinessCentral(**(given | options))

    @property
    def credentials(self) -> tuple[str, ...]:
        return (SECRET, *self.valid)

    def customer(self, party: str, **says: Any) -> str:
        """The number of a customer; new ones are given 10000, 20000 and so on."""
        known = self.customers.setdefault(
            party,
            {
                "number": f"{(len(self.customers) + 1) * 10000}",
                "displayName": party,
                "email": "",
                "website": "",
                "taxRegistrationNumber": "",
                "blocked": "_x0020_",
            },
        )
        known.update(says)
        return str(known["number"])

    def routes(self, app: web.Application) -> None:
        app.router.add_post(f"/{TENANT}/oauth2/v2.0/token", self._token)
        prefix = f"/v2.0/{TENANT}/Production/api/v2.0/companies({COMPANY})"
        app.router.add_get(prefix + "/{entity}", self._entity)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        if self.token_answers:
            return self.token_answers.pop(0)
        if self.forms[-1].get("client_secret") != SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"bc-canary-access-{len(self.forms)}"
        self.valid = {token}
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def _entity(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            self.asked.append(request)
            return web.json_response({"error": {"code": "Unauthorized", "message": "no"}}, status=401)
        self.on_answer(len(self.asked))
        entity = request.match_info["entity"]
        rows = self._rows(entity)
        if request.query.get("$filter") == "status eq 'Open'" and not self.unfiltered:
            rows = [row for row in rows if not isinstance(row, dict) or row.get("status") == "Open"]
        start = int(request.query.get("$skiptoken", "0"))
        value: dict[str, Any] = {"@odata.context": "…", "value": rows[start : start + self.page_size]}
        if start + self.page_size < len(rows):
            query = {"aid": "FIXED", **request.query, "$skiptoken": str(start + self.page_size)}
            value["@odata.nextLink"] = self.next_link or f"{self.url}{request.path}?{urlencode(query)}"
        return await self.send(request, value)

    def _rows(self, entity: str) -> list[Any]:
        if entity == "companyInformation":
            return [{"displayName": "Partner", "currencyCode": self.local_currency}]
        if entity == "customers":
            return list(self.customers.values())
        if entity == "customerFinancialDetails":
            return [
                {"number": row["number"], "balance": self._balance(party)}
                for party, row in self.customers.items()
            ]
        if entity == "currencyExchangeRates":
            return list(self.rates)
        if entity == "salesCreditMemos":
            return [self._credit_memo(document) for document in self.of_kind("credit")]
        return [self._invoice(document) for document in self.of_kind("invoice")] + self.extra_rows

    def rate(self, currency: str, worth: str, *, units: int = 1, since: str = "2026-01-01") -> None:
        """So many units of it are worth that much in the company's own currency."""
        self.rates.append(
            {
                "currencyCode": currency,
                "startingDate": since,
                "exchangeRateAmount": units,
                "relationalCurrencyCode": "",
                "relationalExchangeRateAmount": Decimal(worth),
            }
        )

    def _balance(self, party: str) -> Decimal:
        """What the customer's ledger entries come to in the company's own currency."""
        worth = {
            row["currencyCode"]: row["relationalExchangeRateAmount"] / row["exchangeRateAmount"]
            for row in self.rates
        }
        owed = Decimal(0)
        for document in self.documents.values():
            if document.party == party:
                sign = -1 if document.kind == "credit" else 1
                owed += sign * document.open * worth.get(document.currency, 1)
        digits = {"JPY": 0, "KWD": 3}.get(self.local_currency.upper(), 2)
        return round(owed - self.unapplied.get(party, Decimal(0)), digits)

    def _common(self, document: Document) -> dict[str, Any]:
        number = self.customer(document.party)
        return {
            "id": f"id-{document.number}",
            "number": document.number,
            "dueDate": document.due.isoformat() if document.due else "0001-01-01",
            "customerNumber": "99999",
            "customerName": "Whoever was sold to",
            "billToName": document.party,
            "billToCustomerNumber": number,
            "currencyCode": "" if document.currency == self.local_currency else document.currency,
            "totalAmountIncludingTax": document.total,
            "status": "Open" if document.open > 0 else "Paid",
        }

    def _invoice(self, document: Document) -> dict[str, Any]:
        mine = {"invoiceDate": document.issued.isoformat(), "remainingAmount": max(document.open, Decimal(0))}
        return {**self._common(document), **mine, **document.says}

    def _credit_memo(self, document: Document) -> dict[str, Any]:
        return {**self._common(document), "creditMemoDate": document.issued.isoformat(), **document.says}
