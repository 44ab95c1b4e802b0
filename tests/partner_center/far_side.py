"""The far side of the wire: answers by a script, and a sleep that takes no time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
Reply = Callable[[httpx.Request], httpx.Response] | Exception


def reply(status: int = 200, body: object = None, **headers: str) -> Reply:
    """An answer as Microsoft sends it: with a byte order mark, where there is a body."""
    content = b"" if body is None else b"\xef\xbb\xbf" + json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=content)


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


class Sleeps(list[float]):
    """Stands for `asyncio.sleep`: takes no time and remembers how long it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
