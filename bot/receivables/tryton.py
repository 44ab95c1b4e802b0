"""Tryton (series 8.2) as a source: its REST protocol, with the key of a user application and nothing else.

Paging goes by id, not by offset: an invoice that is paid while we read would move all later ones up, and one
of them would be missed and taken for paid.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import date
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from bot.domain.errors import AccessDenied, Rejected
from bot.receivables.fields import MOST_ROWS
from bot.receivables.gathering import Gathering
from bot.receivables.json_reads import FixedKey, JsonReads, Pace
from bot.receivables.live import SYSTEM, Snapshot
from bot.receivables.tryton_books import INVOICE_FIELDS, LINE_FIELDS, MissingField, TrytonBooks, check_fields

Record = Mapping[str, object]
Domain = list[object]

PAGE_SIZE: Final = 200
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

# Credit notes are out invoices with negative amounts. Draft, validated, paid and cancelled ones are other states.
_INVOICES: Final[Domain] = [["type", "=", "out"]]
_OPEN_INVOICES: Final[Domain] = [*_INVOICES, ["state", "=", "posted"]]
_OPEN_LINES: Final[Domain] = [
    ["account.type.receivable", "=", True],
    ["reconciliation", "=", None],
    ["move_state", "=", "posted"],
    ["party", "!=", None],
]


class Tryton:
    """Open invoices, credit notes and payments on account of one Tryton database."""

    def __init__(
        self,
        *,
        url: str,
        database: str,
        key: str,
        http: httpx.AsyncClient,
        identifier_type: str | None = None,
        company: int | None = None,
        page_size: int = PAGE_SIZE,
        pace: Pace | None = None,
    ) -> None:
        """`http` is closed with it. Raises ValueError for an address the key must not be sent to.

        `identifier_type` is the type of the party identifiers that hold a tenant id or domain; None: those
        without a type. `company` is the id of one company, where the key's user may see several.
        """
        address = urlsplit(url)
        if address.scheme != "https" and address.hostname not in _LOOPBACK:
            raise ValueError("the key would travel in the open: the address must begin with https://")
        self._models = f"{url.rstrip('/')}/{quote(database, safe='')}/rest/model"
        self._http = http
        self._reads = JsonReads(
            home=url,
            http=http,
            pace=pace or Pace(),
            hide=lambda said: said.replace(key, "***"),
            sign_in=FixedKey(key),
        )
        self._identifier_type = identifier_type
        self._company = company
        self._page_size = page_size

    @property
    def source_id(self) -> str:
        return "tryton"

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        """Read everything or raise: a page that fails leaves nothing of the others.

        Invoices come before the lines of the ledger. A payment booked in between is then on both, which can
        only make the party owe less than it does.
        """
        gathering = Gathering(self.source_id, as_of=as_of)
        books = TrytonBooks(gathering, as_of=as_of, identifier_type=self._identifier_type)
        empty = True
        async for record in self._all("account.invoice", _OPEN_INVOICES, INVOICE_FIELDS):
            books.take_invoice(record)
            empty = False
        async for record in self._all("account.move.line", _OPEN_LINES, LINE_FIELDS):
            books.take_line(record)
        if empty:
            await self.check()
        return gathering.snapshot()

    async def check(self) -> None:
        """Raise unless the key opens the door and its user sees invoices, with every field we need.

        Tryton leaves out what the user may not see, without a word: a user of another company reads an empty
        list, which must not pass for books in which everybody has paid.
        """
        invoices = await self._page("account.invoice", _INVOICES, INVOICE_FIELDS, size=1)
        if not invoices:
            raise AccessDenied(SYSTEM, "no-invoices")
        await self._page("account.move.line", _OPEN_LINES, LINE_FIELDS, size=1)

    async def close(self) -> None:
        await self._http.aclose()

    async def _all(self, model: str, domain: Domain, fields: tuple[str, ...]) -> AsyncIterator[Record]:
        last, count = 0, 0
        while page := await self._page(model, [*domain, ["id", ">", last]], fields, size=self._page_size):
            count += len(page)
            if count > MOST_ROWS:
                raise Rejected(SYSTEM, "too-many-rows")
            for record in page:
                number = record["id"]
                if not isinstance(number, int) or number <= last:
                    raise Rejected(SYSTEM, "unexpected-answer", detail=f"{model}: not in the order of ids")
                last = number
                yield record

    async def _page(self, model: str, domain: Domain, fields: tuple[str, ...], *, size: int) -> list[Record]:
        context: dict[str, str] = {}
        if self._company is not None:
            domain = [*domain, ["company", "=", self._company]]
            context["X-Tryton-Context"] = _encoded({"company": self._company})
        reply = await self._reads.get(
            f"{self._models}/{model}",
            params=[
                ("d", _encoded(domain)),
                ("o", _encoded([["id", "ASC"]])),
                ("s", str(size)),
                *(("f", field) for field in fields),
            ],
            headers=context,
        )
        answer = reply.value
        if not isinstance(answer, list) or not all(isinstance(record, dict) for record in answer):
            raise Rejected(SYSTEM, "unexpected-answer", detail=f"{model}: not a list of records")
        try:
            for record in answer:
                check_fields(record, ("id", *fields))
        except MissingField as missing:
            raise AccessDenied(SYSTEM, "missing-field", detail=f"{model}: {missing}") from None
        return answer


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode("ascii")
