"""The far side of Stripe: the lists of its API version 2026-10-28.endive that are asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.receivables.stripe import Stripe

from .far_side import Document, FarSide

KEY = "rk_test_canary_51Backstop"
WEBHOOK_SECRET = "whsec_canary"
BERLIN = ZoneInfo("Europe/Berlin")
DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3, "MGA": 0}


class StripeSide(FarSide):
    secrets = (KEY, WEBHOOK_SECRET)

    def __init__(self) -> None:
        super().__init__()
        self.customers: dict[str, dict[str, Any]] = {}
        self.payments: list[dict[str, Any]] = []
        self.disputes: list[dict[str, Any]] = []
        self.says_of_page: dict[str, Any] = {}
        """Fields of every page that are otherwise."""

    def source(self, **options: Any) -> Stripe:
        given: dict[str, Any] = {
            "api_key": KEY,
            "zone": BERLIN,
            "grace_days": 7,
            "webhook_secret": WEBHOOK_SECRET,
            "base_url": self.url,
            "pace": self.pace,
        }
        return Stripe(**(given | options))

    @property
    def credentials(self) -> tuple[str, ...]:
        return (KEY,)

    def customer(self, party: str, **says: Any) -> dict[str, Any]:
        known = self.customers.setdefault(
            party,
            {
                "id": f"cus_{len(self.customers) + 1:04}",
                "object": "customer",
                "name": party,
                "email": None,
                "created": _moment(date(2026, 1, 1)),
                "currency": None,
                "balance": 0,
                "metadata": {},
                "cash_balance": None,
                "invoice_credit_balance": {},
            },
        )
        known.update(says)
        return known

    def credit(self, party: str, number: str, currency: str, amount: str | Decimal, **says: Any) -> Document:
        """Credit without a document: it is the customer's balance, which has a name but no number."""
        customer = self.customer(party)
        balances = customer["invoice_credit_balance"]
        before = balances.get(currency.lower(), 0)
        customer["invoice_credit_balance"] = {
            **balances,
            currency.lower(): before + _minor(Decimal(amount), currency),
        }
        return Document("credit", party, number, currency, Decimal(amount), Decimal(amount))

    def dispute_payment_of(self, number: str, status: str = "needs_response") -> None:
        intent = f"pi_{number}"
        self.payments.append(
            {
                "id": f"inpay_{number}",
                "object": "invoice_payment",
                "invoice": f"in_{number}",
                "payment": {"type": "payment_intent", "payment_intent": intent},
            }
        )
        self.disputes.append(
            {"id": f"dp_{number}", "object": "dispute", "payment_intent": intent, "status": status}
        )

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/{list}", self._list)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given != KEY:
            refusal = {"error": {"type": "invalid_request_error", "message": f"Invalid API Key: {given}"}}
            return web.json_response(refusal, status=401)
        self.on_answer(len(self.asked))
        rows = self._rows(request)
        after = request.query.get("starting_after")
        ids = [row.get("id") for row in rows if isinstance(row, dict)]
        if after in ids:
            rows = rows[ids.index(after) + 1 :]
        size = min(int(request.query.get("limit", "10")), self.page_size)
        value = {
            "object": "list",
            "url": request.path,
            "has_more": len(rows) > size,
            "data": rows[:size],
            **self.says_of_page,
        }
        return await self.send(request, value)

    def _rows(self, request: web.Request) -> list[Any]:
        query = request.query
        if request.match_info["list"] == "invoice_payments":
            return [row for row in self.payments if row["invoice"] == query["invoice"]]
        if request.match_info["list"] == "disputes":
            return [row for row in self.disputes if row.get("payment_intent") == query.get("payment_intent")]
        expanded = any(value.startswith("data.customer") for key, value in query.items() if "expand" in key)
        rows = [self._invoice(document, expanded) for document in self.of_kind("invoice")]
        wanted = [row for row in rows if query.get("status") in (None, row["status"])]
        return wanted + self.extra_rows

    def _invoice(self, document: Document, expanded: bool) -> dict[str, Any]:
        customer = self.customer(document.party)
        total, left = (_minor(amount, document.currency) for amount in (document.total, document.open))
        row = {
            "id": f"in_{document.number}",
            "object": "invoice",
            "number": document.number,
            "status": "open" if document.open > 0 else "paid",
            "customer": customer if expanded else customer["id"],
            "customer_name": document.party,
            "collection_method": "send_invoice" if document.due else "charge_automatically",
            "currency": document.currency.lower(),
            "due_date": _moment(document.due) if document.due else None,
            "effective_at": None,
            "status_transitions": {"finalized_at": _moment(document.issued)},
            "total": total,
            "amount_due": total,
            "amount_paid": total - left,
            "amount_remaining": max(left, 0),
        }
        return {**row, **document.says}


def _moment(day: date) -> int:
    """The last second of a day in Berlin, which by UTC is still that day and by Tokyo the next."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN) + timedelta(days=1)
    return int(midnight.astimezone(UTC).timestamp()) - 1


def _minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(DIGITS.get(currency.upper(), 2)))
