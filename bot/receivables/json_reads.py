"""Asking an accounting system over HTTP: reads only, a few tries, bodies with an end, no token for strangers."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Protocol

import httpx

from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Throttled, Unavailable, Upstream
from bot.receivables.live import SYSTEM

log = logging.getLogger(__name__)

MORE_TRIES: Final = 3
LONGEST_WAIT: Final = 120.0
"""Seconds. Asked to stay away for longer, we tell the caller instead of holding the reading."""
LONGEST_ANSWER: Final = 120.0
"""Seconds from the question to the last byte; a drop every few seconds is not an answer."""
LARGEST_BODY: Final = 32 * 1024 * 1024

_LOOPBACK: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_LONGEST_DETAIL: Final = 200
_WORD: Final = re.compile(r"[\w.:-]{1,80}", re.ASCII)


def http_client() -> httpx.AsyncClient:
    """A client for one vendor's hosts; the proxy of the environment is used, but never for loopback."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=30.0),
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=30.0),
        mounts=dict.fromkeys(_LOOPBACK),
    )


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something is tried again, and how time passes between two tries."""

    more_tries: int = MORE_TRIES
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


class NotJson(ValueError):
    """What came is not what was announced; most often it was cut off."""


def decode(body: bytes) -> object:
    """The value of a JSON text; fractions as exact `Decimal`, money never passes through a float."""
    try:
        value: object = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NotJson("not JSON") from error
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def is_of(home: str, url: httpx.URL) -> bool:
    """Whether the address is at the same scheme, host and port, with no user in it."""
    there = httpx.URL(home)
    same = (url.scheme, url.host, url.port) == (there.scheme, there.host, there.port)
    return same and not url.userinfo


async def sent(http: httpx.AsyncClient, request: httpx.Request) -> tuple[httpx.Response, bytes | None]:
    """The response and its body, which is None when it is larger than anything we ask for."""
    # A redirect would carry our token along.
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LARGEST_BODY:
                return response, None
        return response, bytes(body)
    finally:
        await response.aclose()


@dataclass(frozen=True, slots=True)
class Reply:
    body: bytes = field(repr=False)
    value: object
    """The body as JSON."""
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Trouble:
    error: Upstream
    retry_after: float = 0.0


class SignsIn(Protocol):
    """Who has the access token."""

    async def bearer(self) -> str: ...

    async def another(self, spent: str) -> str:
        """A token in place of one that was refused."""
        ...


class FixedKey:
    """An API key in the place of an access token; there is no other one to be had."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def bearer(self) -> str:
        return self._key

    async def another(self, spent: str) -> str:
        raise SignInFailed(system=SYSTEM, reason="401", status=HTTPStatus.UNAUTHORIZED)


class JsonReads:
    """Asks one host, again where that helps; raises `Upstream` for what is left of the trouble."""

    def __init__(
        self,
        *,
        home: str,
        http: httpx.AsyncClient,
        pace: Pace,
        hide: Callable[[str], str],
        sign_in: SignsIn | None = None,
    ) -> None:
        """`hide` takes our secrets out of what the far side says, should it say them back."""
        self._home = home
        self._http = http
        self._pace = pace
        self._hide = hide
        self._sign_in = sign_in

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Read one address of the host, given absolute or relative to it."""
        named = {"Accept": "application/json", **(headers or {})}  # Xero speaks XML unless asked
        address = self._address(url)
        if params:
            pairs = params.items() if isinstance(params, Mapping) else params
            address = address.copy_merge_params(httpx.QueryParams(tuple(pairs)))
        request = self._http.build_request("GET", address, headers=named)
        tries = 0
        while isinstance(outcome := await self._once(request), _Trouble):
            passes = isinstance(outcome.error, Unavailable)
            if tries == self._pace.more_tries or not passes or outcome.retry_after > LONGEST_WAIT:
                raise outcome.error
            await self._pace.sleep(outcome.retry_after + 2**tries * (1 + self._pace.jitter()) / 2)
            tries += 1
        return outcome

    def _address(self, url: str) -> httpx.URL:
        try:
            address = httpx.URL(self._home).join(url)
            ours = is_of(self._home, address)
        except (httpx.InvalidURL, ValueError):
            raise Rejected(system=SYSTEM, reason="bad-link") from None
        if not ours:
            raise Rejected(system=SYSTEM, reason="foreign-host")
        return address

    async def _once(self, request: httpx.Request) -> Reply | _Trouble:
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                outcome = await self._answer(request)
        except TimeoutError:
            outcome = _Trouble(Unavailable(system=SYSTEM, reason="timeout"))
        except httpx.RequestError as error:
            reason = "timeout" if isinstance(error, httpx.TimeoutException) else "no-connection"
            outcome = _Trouble(Unavailable(system=SYSTEM, reason=reason, detail=type(error).__name__))
        except Upstream as error:  # from signing in
            outcome = _Trouble(error)
        if isinstance(outcome, _Trouble):
            log.warning("GET %s: %s %s", request.url.path, outcome.error.code, outcome.error.reason)
        return outcome

    async def _answer(self, request: httpx.Request) -> Reply | _Trouble:
        if self._sign_in is None:
            return self._understood(*await sent(self._http, request))
        bearer = await self._sign_in.bearer()
        request.headers["Authorization"] = f"Bearer {bearer}"
        response, body = await sent(self._http, request)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            bearer = await self._sign_in.another(bearer)
            request.headers["Authorization"] = f"Bearer {bearer}"
            response, body = await sent(self._http, request)
        return self._understood(response, body)

    def _understood(self, response: httpx.Response, body: bytes | None) -> Reply | _Trouble:
        if body is None:
            return _Trouble(Rejected(system=SYSTEM, reason="too-large", status=response.status_code))
        try:
            value = decode(body)
        except NotJson:
            if response.status_code == HTTPStatus.OK:
                return _Trouble(Unavailable(system=SYSTEM, reason="not-json", status=HTTPStatus.OK))
            value = None
        if response.status_code == HTTPStatus.OK:
            return Reply(body, value, response.headers)
        asked = seconds_to_wait(response.headers.get("Retry-After"), now=self._pace.now())
        return _Trouble(self._refusal(response.status_code, value), asked)

    def _refusal(self, status: int, value: object) -> Upstream:
        said, detail = _code_and_words(value)
        said = self._hide(said)
        return _kind(status)(
            system=SYSTEM,
            reason=said if _WORD.fullmatch(said) else str(status),
            status=status,
            detail=self._hide(detail)[:_LONGEST_DETAIL],
        )


_BY_STATUS: Final[Mapping[int, type[Upstream]]] = {
    HTTPStatus.UNAUTHORIZED: SignInFailed,
    HTTPStatus.FORBIDDEN: AccessDenied,
    HTTPStatus.REQUEST_TIMEOUT: Unavailable,
    HTTPStatus.CONFLICT: Unavailable,
    HTTPStatus.TOO_MANY_REQUESTS: Throttled,
}


def _kind(status: int) -> type[Upstream]:
    """What a status means to a reader; a success that is not 200 and a redirect are not what was asked for."""
    return _BY_STATUS.get(status, Unavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Rejected)


def _code_and_words(value: object) -> tuple[str, str]:
    """Find code and description: OData and Stripe nest them in `error`, Xero says `Title` or `Type`."""
    if not isinstance(value, Mapping):
        return "", ""
    inner = value.get("error")
    said = inner if isinstance(inner, Mapping) else value
    code = next((said[key] for key in ("code", "type", "Type", "Title") if said.get(key)), "")
    words = next((said[key] for key in ("message", "Message", "Detail") if said.get(key)), "")
    return str(code), str(words)


def seconds_to_wait(retry_after: str | None, *, now: datetime) -> float:
    """The seconds `Retry-After` asks for, given in seconds or as a date; 0 when it does not say."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def listed(value: object, key: str) -> list[object]:
    """The list an answer holds; one without it says nothing, least of all that nothing is open."""
    rows = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(rows, list):
        raise Rejected(system=SYSTEM, reason="unexpected-answer")
    return rows
