"""An httpx client whose reads go through aiohttp: nearly all that is sent are reads, and they compute less there.

Httpcore looks at all of its connections several times for each call, and with many of them that grows with the square;
httpx's issue 3215 tells that it stays so.
What changes something goes through httpcore: it tells for certain whether a request was sent before its connection
was lost, and on that hangs whether it may be sent again. So does what goes through a proxy of the environment.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
from yarl import URL


class QuickReads(httpx.AsyncClient):
    """As its base in everything else, but that no cookies are kept; `verify` is a context, for both ways to share."""

    @property
    def cookies(self) -> httpx.Cookies:
        return _NONE

    @cookies.setter
    def cookies(self, _: object) -> None:
        raise NotImplementedError

    # Takes only what httpx gives, by name.
    def _init_transport(  # type: ignore[override]
        self, **given: Any
    ) -> httpx.AsyncBaseTransport:
        others, verify = super()._init_transport(**given), given.get("verify")
        if given.get("transport") is not None or not isinstance(verify, ssl.SSLContext):
            return others
        return _Reads(others, verify=verify, limits=given["limits"])


class _NoCookies(httpx.Cookies):
    """Looking for them takes a tenth of a call, and no API of Microsoft's needs them."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


_NONE = _NoCookies()


class _Reads(httpx.AsyncBaseTransport):
    """Sends what reads by itself, and the rest through another."""

    def __init__(
        self, others: httpx.AsyncBaseTransport, *, verify: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._others = others
        self._verify = verify
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET" or "content-length" in request.headers:
            return await self._others.handle_async_request(request)
        if self._session is None:
            self._session = self._open()
        limits = request.extensions.get("timeout", {})
        with _told_as_httpx(request):
            answer = await self._session.get(
                URL(str(request.url), encoded=True),
                headers=[
                    (name.decode("ascii"), value.decode("utf-8")) for name, value in request.headers.raw
                ],
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=limits.get("pool"),
                    sock_connect=limits.get("connect"),
                    sock_read=limits.get("read"),
                ),
            )
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode("utf-8")}
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=_Body(answer, request), extensions=extensions
        )

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()
        await self._others.aclose()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limits.max_connections or 0,
            keepalive_timeout=self._limits.keepalive_expiry,
            ssl=self._verify,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )


class _Body(httpx.AsyncByteStream):
    """What is answered. What is not read to its end costs its connection."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_as_httpx(self._request):
            async for part in self._answer.content.iter_any():
                yield part

    async def aclose(self) -> None:
        self._answer.close()


@contextmanager
def _told_as_httpx(request: httpx.Request) -> Iterator[None]:
    """Of what aiohttp raises, httpx's word for it."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except aiohttp.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error), request=request) from error
    except (
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientPayloadError,
        aiohttp.ClientResponseError,
    ) as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(str(error), request=request) from error
