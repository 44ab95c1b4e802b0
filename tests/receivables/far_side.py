"""The far side of an accounting system: a little HTTP server with books in it, on 127.0.0.1.

Each system has a driver of the same shape: `invoice`, `pay`, `credit`, `fail_next_page`, `source`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Self

from aiohttp import web

from bot.receivables.json_reads import MORE_TRIES, Pace

noon = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
today = noon.date()
ISSUED = date(2026, 9, 1)

Trouble = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class Clock:
    def __init__(self) -> None:
        self.time = noon

    def __call__(self) -> datetime:
        return self.time


class Sleeps(list[float]):
    """Stands for `asyncio.sleep`: takes no time and remembers how long it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@dataclass
class Document:
    """An invoice, or a credit, in the books of the far side."""

    kind: str
    party: str
    number: str
    currency: str
    total: Decimal
    open: Decimal
    due: date | None = None
    issued: date = ISSUED
    says: dict[str, Any] = field(default_factory=dict)
    """Fields of the row that are otherwise than the driver would write them."""


def answer(status: int, body: object = None, **headers: str) -> Trouble:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def send(_request: web.Request, _body: bytes) -> web.StreamResponse:
        text = "" if body is None else json.dumps(body)
        return web.Response(status=status, text=text, headers=named, content_type="application/json")

    return send


async def torn(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole and hang up in the middle."""
    response = web.StreamResponse()
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def halved(_request: web.Request, body: bytes) -> web.StreamResponse:
    """A cut-off body that looks complete on the wire."""
    return web.Response(body=body[: len(body) // 2], content_type="application/json")


def json_of(value: object) -> str:
    """JSON in which a Decimal is written digit for digit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{json_of(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_of, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


class FarSide:
    """What the three have in common: parties, documents, and trouble on demand."""

    secrets: tuple[str, ...] = ()
    """What must never be seen in a log, an error or a repr; tokens by the beginning they share."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sleeps = Sleeps()
        self.documents: dict[str, Document] = {}
        self.asked: list[web.Request] = []
        self.page_size = 2
        self.extra_rows: list[object] = []
        """Rows that no driver would write, at the end of the invoices."""
        self.on_answer: Callable[[int], None] = lambda _: None
        """Called before each answer with its number: books may change while they are read."""
        self._script: deque[Trouble | None] = deque()
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        self.routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def source(self, **options: Any) -> Any:
        """The source that reads these books, with plain values of ours or the ones given."""
        raise NotImplementedError

    @property
    def credentials(self) -> tuple[str, ...]:
        """What is sent to this far side, so that it can say it back."""
        raise NotImplementedError

    def routes(self, app: web.Application) -> None:
        raise NotImplementedError

    @property
    def pace(self) -> Pace:
        return Pace(now=self.clock, sleep=self.sleeps, jitter=lambda: 1.0)

    def invoice(
        self, party: str, number: str, due: date | None, currency: str, total: str | Decimal, **says: Any
    ) -> Document:
        return self._add("invoice", party, number, currency, Decimal(total), due=due, says=says)

    def credit(self, party: str, number: str, currency: str, amount: str | Decimal, **says: Any) -> Document:
        return self._add("credit", party, number, currency, Decimal(amount), says=says)

    def pay(self, number: str, amount: str | Decimal) -> None:
        document = self.documents[number]
        document.open -= Decimal(amount)

    def _add(
        self, kind: str, party: str, number: str, currency: str, total: Decimal, **more: Any
    ) -> Document:
        document = Document(kind, party, number, currency, total, total, **more)
        self.documents[number] = document
        return document

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents.values() if document.kind == kind]

    def fail_next_page(self, status: int = 500, *, pages_before: int = 0) -> None:
        """From that page on nothing is answered, until all tries are used up."""
        self.then(*[None] * pages_before, *[answer(status)] * (MORE_TRIES + 1))

    def then(self, *troubles: Trouble | None) -> None:
        """Answer the next questions so; None answers as usual."""
        self._script.extend(troubles)

    async def send(self, request: web.Request, value: object) -> web.StreamResponse:
        self.asked.append(request)
        body = json_of(value).encode()
        trouble = self._script.popleft() if self._script else None
        if trouble is not None:
            return await trouble(request, body)
        if request.headers.get("Accept") != "application/json":
            return web.Response(text="<Response/>", content_type="application/xml")
        return web.Response(body=body, content_type="application/json")
