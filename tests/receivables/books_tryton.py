"""The books in a real Tryton; `tests/tryton_seed.py` has put them there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx

from bot.domain.receivables import ItemKind
from bot.receivables.json_reads import Pace
from bot.receivables.tryton import Tryton
from tests.tryton import DATABASE, Server

from .books import Doc, noon

WRONG_KEY = "0123456789abcdef" * 8


class FailsAfter(httpx.AsyncBaseTransport):
    """Lets the first requests through; then the server is out of order."""

    def __init__(self, requests: int, beyond: httpx.AsyncBaseTransport) -> None:
        self._left = requests
        self._beyond = beyond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left < 0:
            return httpx.Response(503)
        return await self._beyond.handle_async_request(request)

    async def aclose(self) -> None:
        await self._beyond.aclose()


async def at_once(_seconds: float) -> None:
    """Stands for `asyncio.sleep`."""


class TrytonBooks:
    numbers = {  # noqa: RUF012 - the numbers of the seed
        Doc.OLD: "1",
        Doc.PART_PAID: "2",
        Doc.FOREIGN: "3",
        Doc.HALVES: "4",
        Doc.CREDIT: "5",
        Doc.NOT_DUE: "6",
    }
    has_instalments = True
    has_disputes = True
    has_tenants = True
    credit_kind = ItemKind.CREDIT_NOTE

    def __init__(self, server: Server) -> None:
        self.server = server
        self.secrets = (server.key, WRONG_KEY)
        self.clients: list[httpx.AsyncClient] = []

    def source(
        self, *, locked_out: bool = False, fails_midway: bool = False, page_size: int = 3, company: int = 1
    ) -> Tryton:
        transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport()
        if fails_midway:
            transport = FailsAfter(1, transport)
        http = httpx.AsyncClient(transport=transport, timeout=60.0)
        self.clients.append(http)
        return Tryton(
            url=self.server.url,
            database=DATABASE,
            key=WRONG_KEY if locked_out else self.server.key,
            http=http,
            page_size=page_size,
            company=company,
            pace=Pace(now=lambda: noon, sleep=at_once),
        )

    async def pay(self, doc: Doc, amount: Decimal) -> None:
        await self.act("pay", self.numbers[doc], str(amount))

    async def dispute(self, doc: Doc) -> None:
        await self.act("block", self.numbers[doc])

    async def act(self, *words: str) -> None:
        await asyncio.to_thread(self.server.act, *words)


@asynccontextmanager
async def tryton_books(server: Server) -> AsyncIterator[TrytonBooks]:
    books = TrytonBooks(server)
    try:
        yield books
    finally:
        for http in books.clients:
            await http.aclose()
