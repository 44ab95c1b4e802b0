"""An httpx client whose connections do not know of each other, for many calls at once.

Httpcore's pool looks at every connection it has, several times for each call, and at each of their sockets; with
sixteen at once that is two fifths of all a call computes, and it grows with the square. Here each connection is a pool
of its own, and the one that was free last is taken: the others may run out of their keep-alive.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httpx


class LaneClient(httpx.AsyncClient):
    """As its base in everything else; `limits.max_connections` is how many lanes there may be."""

    # Both take only what httpx gives, by name, and pass it on as it is.
    def _init_transport(  # type: ignore[override]
        self, **given: Any
    ) -> httpx.AsyncBaseTransport:
        make = super()._init_transport
        if given.get("transport") is not None:
            return make(**given)
        lane, most = _of_one(given)
        return Lanes(lambda: make(**lane), most=most)

    def _init_proxy_transport(  # type: ignore[override]
        self, proxy: httpx.Proxy, **given: Any
    ) -> httpx.AsyncBaseTransport:
        make = super()._init_proxy_transport
        lane, most = _of_one(given)
        return Lanes(lambda: make(proxy, **lane), most=most)


class Lanes(httpx.AsyncBaseTransport):
    """Hands each request to a transport that has none; they are made when they are needed."""

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], *, most: int) -> None:
        self._make = make
        self._turns = asyncio.Semaphore(most)
        self._all: list[httpx.AsyncBaseTransport] = []
        self._free: list[httpx.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._turn(request)
        lane = self._free.pop() if self._free else self._new()

        def leave() -> None:
            self._free.append(lane)
            self._turns.release()

        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            leave()
            raise
        response.stream = _Body(cast(httpx.AsyncByteStream, response.stream), leave)
        return response

    async def aclose(self) -> None:
        for lane in self._all:
            await lane.aclose()

    async def _turn(self, request: httpx.Request) -> None:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._turns.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are taken", request=request) from None

    def _new(self) -> httpx.AsyncBaseTransport:
        lane = self._make()
        self._all.append(lane)
        return lane


class _Body(httpx.AsyncByteStream):
    """What is answered; when it is closed its lane is free again."""

    def __init__(self, body: httpx.AsyncByteStream, leave: Callable[[], None]) -> None:
        self._body = body
        self._leave: Callable[[], None] | None = leave

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            yield part

    async def aclose(self) -> None:
        leave, self._leave = self._leave, None
        try:
            await self._body.aclose()
        finally:
            if leave:
                leave()


def _of_one(given: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The same for a single connection, and how many there may be; all share what was read of certificates."""
    limits: httpx.Limits = given["limits"]
    verify = given.get("verify", True)
    if not isinstance(verify, ssl.SSLContext):
        verify = httpx.create_ssl_context(verify, given.get("cert"), given.get("trust_env", True))
    one = httpx.Limits(
        max_connections=1, max_keepalive_connections=1, keepalive_expiry=limits.keepalive_expiry
    )
    return {**given, "verify": verify, "cert": None, "limits": one}, limits.max_connections or 100
