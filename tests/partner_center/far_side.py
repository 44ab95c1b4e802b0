"""The far side of the wire: answers by a script, and a sleep that takes no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
Reply = Callable[[httpx.Request], httpx.Response] | Exception


def reply(status: int = 200, body: object = None, **headers: str) -> Reply:
    """An answer as Microsoft sends it: with a byte order mark, where there is a body."""
    content = b"" if body is None else b"\xef\xbb\xbf" + json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=content)


async def drops() -> AsyncIterator[bytes]:
    """A body that goes on coming, drop by drop, and never ends."""
    while True:
        yield b" "
        await asyncio.sleep(0.001)


def drips(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=drops())


def refusal(status: int, code: int | str, **headers: str) -> Reply:
    return reply(status, {"code": code, "description": "no", "data": [], "source": "PartnerFD"}, **headers)


class FarSide:
    """Answers each method and path by a script, whose last line repeats; keeps every request."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._scripts: dict[tuple[str, str], list[Reply]] = {}

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._scripts[method, path] = list(replies)

    def sent(self, method: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == method]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        script = self._scripts[request.method, request.url.raw_path.decode().partition("?")[0]]
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, Exception):
            raise said
        return said(request)


Act = Callable[[Any, httpx.Request], httpx.Response]
"""What a written thing makes of a write."""


def say(said: Any) -> Act:
    """Answer so, or raise it, whatever was written."""

    def act(_thing: Any, request: httpx.Request) -> httpx.Response:
        if isinstance(said, Exception):
            raise said
        response: httpx.Response = said(request)
        return response

    return act


class Written:
    """One thing at Microsoft. What becomes of each write is a script, whose last line repeats; looks are answered
    by `looks` first, then by its body."""

    writes_by: tuple[str, str]
    """Method and path of a write."""
    path: str
    body: Any

    def __init__(self, *acts: Act, looks: tuple[Any, ...] = ()) -> None:
        self.acts = list(acts)
        self.looks = list(looks)
        self.requests: list[httpx.Request] = []

    @property
    def writes(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == self.writes_by[0]]

    @property
    def methods(self) -> str:
        return " ".join(request.method for request in self.requests)

    @property
    def ids(self) -> list[UUID]:
        """The request ids of the writes."""
        return [UUID(request.headers["MS-RequestId"]) for request in self.writes]

    def is_looked_at(self) -> None:
        """Before its body is shown."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        method, path = self.writes_by
        if request.method == method:
            assert request.url.path == path
            act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
            return act(self, request)
        assert request.url.path == self.path
        self.is_looked_at()
        look = self.looks.pop(0) if self.looks else None
        return say(look)(self, request) if look else httpx.Response(200, json=self.body)


class Sleeps(list[float]):
    """Stands for `asyncio.sleep`: takes no time and remembers how long it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
