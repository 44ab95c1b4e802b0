"""The far side of Xero: a token endpoint that rotates, and the accounting API in the shapes Xero publishes."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from aiohttp import web

from bot.domain.errors import Unavailable
from bot.receivables.xero import Xero

from .far_side import Document, FarSide

ORGANISATION = "d1f2a3b4-0000-4000-8000-00000000c0de"
SECRET = "xero-canary-secret"
WEBHOOK_KEY = "xero-canary-webhook-key"
CREDITS = {
    "credit": ("CreditNotes", "CreditNoteID", "ACCRECCREDIT"),
    "overpayment": ("Overpayments", "OverpaymentID", "RECEIVE-OVERPAYMENT"),
    "prepayment": ("Prepayments", "PrepaymentID", "RECEIVE-PREPAYMENT"),
}


class Turn:
    def __init__(self, side: XeroSide) -> None:
        self._side = side

    @property
    def token(self) -> str:
        return self._side.stored

    async def keep(self, new: str) -> None:
        if not self._side.keeps:
            raise Unavailable(system="database")
        self._side.stored = new
        self._side.kept.append(new)
        self._side.happened.append(f"kept {new}")


class XeroSide(FarSide):
    secrets = (SECRET, WEBHOOK_KEY, "xero-canary-refresh", "xero-canary-access")

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, Any]] = {}
        self.iso_dates = False
        self.tells_pagination = True
        self.unfiltered = False
        """Filters are not obeyed."""
        self.refresh_token = "xero-canary-refresh-0"
        self.valid: set[str] = set()
        self.forms: list[dict[str, str]] = []
        self.happened: list[str] = []
        """What was kept and what was asked, in order."""
        self.stored = self.refresh_token
        """The refresh token we believe to be the current one."""
        self.kept: list[str] = []
        self.keeps = True
        self.token_answers: list[web.Response] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """The place where our refresh token is kept; it has no more of a lock than one process needs."""
        yield Turn(self)

    def source(self, **options: Any) -> Xero:
        given: dict[str, Any] = {
            "client_id": "backstop-app",
            "client_secret": SECRET,
            "refresh_tokens": self,
            "organisation_id": ORGANISATION,
            "webhook_key": WEBHOOK_KEY,
            "page_size": self.page_size,
            "base_url": self.url,
            "identity_url": self.url,
            "pace": self.pace,
        }
        return Xero(**(given | options))

    @property
    def credentials(self) -> tuple[str, ...]:
        basic = base64.b64encode(f"backstop-app:{SECRET}".encode()).decode()
        return (SECRET, basic, self.refresh_token, *self.valid)

    def contact(self, party: str, **says: Any) -> dict[str, Any]:
        number = len(self.contacts) + 1
        known = self.contacts.setdefault(
            party, {"ContactID": f"c0000000-0000-4000-8000-{number:012}", "Name": party}
        )
        known.update(says)
        return known

    def overpayment(self, party: str, number: str, currency: str, amount: str, **says: Any) -> Document:
        return self._add("overpayment", party, number, currency, Decimal(amount), says=says)

    def prepayment(self, party: str, number: str, currency: str, amount: str, **says: Any) -> Document:
        return self._add("prepayment", party, number, currency, Decimal(amount), says=says)

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/connect/token", self._token)
        app.router.add_get("/api.xro/2.0/{resource}", self._resource)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.forms.append(form)
        if self.token_answers:
            return self.token_answers.pop(0)
        basic = base64.b64encode(f"backstop-app:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.json_response({"error": "invalid_client"}, status=400)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.refresh_token = f"xero-canary-refresh-{len(self.forms)}"
        token = f"xero-canary-access-{len(self.forms)}"
        self.valid = {token}
        return web.json_response(
            {"access_token": token, "expires_in": 1800, "refresh_token": self.refresh_token}
        )

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        self.happened.append("asked")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            self.asked.append(request)
            refusal = {"Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired"}
            return web.json_response(refusal, status=401)
        if request.headers.get("xero-tenant-id") != ORGANISATION:
            return web.json_response({"Title": "Forbidden", "Status": 403}, status=403)
        self.on_answer(len(self.asked))
        resource = request.match_info["resource"]
        rows = [row for row in self._rows(resource) if self.unfiltered or _matches(row, request)]
        page, size = int(request.query["page"]), int(request.query["pageSize"])
        value: dict[str, Any] = {"Status": "OK", resource: rows[(page - 1) * size : page * size]}
        if self.tells_pagination:
            pages = -(-len(rows) // size)
            value["pagination"] = {"page": page, "pageSize": size, "pageCount": pages, "itemCount": len(rows)}
        return await self.send(request, value)

    def _rows(self, resource: str) -> list[Any]:
        if resource == "Invoices":
            return [self._invoice(document) for document in self.of_kind("invoice")] + self.extra_rows
        for kind, (name, id, type) in CREDITS.items():
            if name == resource:
                return [self._credit(document, id, type) for document in self.of_kind(kind)]
        raise web.HTTPNotFound

    def _common(self, document: Document, type: str) -> dict[str, Any]:
        return {
            "Type": type,
            "Contact": self.contact(document.party),
            "Date": self._day(document.issued),
            "CurrencyCode": document.currency,
            "Total": document.total,
            "Status": "AUTHORISED" if document.open > 0 else "PAID",
        }

    def _invoice(self, document: Document) -> dict[str, Any]:
        paid = document.total - document.open
        mine = {
            "InvoiceID": f"id-{document.number}",
            "InvoiceNumber": document.number,
            "DueDate": self._day(document.due) if document.due else None,
            "AmountDue": document.open,
            "AmountPaid": paid,
            "AmountCredited": Decimal("0.00"),
        }
        return {**self._common(document, "ACCREC"), **mine, **document.says}

    def _credit(self, document: Document, id: str, type: str) -> dict[str, Any]:
        mine: dict[str, Any] = {id: f"id-{document.number}", "RemainingCredit": document.open}
        if document.kind == "credit":
            mine["CreditNoteNumber"] = document.number
        return {**self._common(document, type), **mine, **document.says}

    def _day(self, day: date) -> str:
        if self.iso_dates:
            return f"{day.isoformat()}T00:00:00"
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return f"/Date({int(moment.timestamp() * 1000)}+0000)/"


def _matches(row: Any, request: web.Request) -> bool:
    """The part of Xero's filter language that is asked for: equality of type and status."""
    if not isinstance(row, dict):
        return True
    wanted = dict(re.findall(r'(Type|Status)=="([A-Z-]+)"', request.query.get("where", "")))
    if statuses := request.query.get("Statuses"):
        wanted["Status"] = statuses
    return all(row.get(field) == value for field, value in wanted.items())
