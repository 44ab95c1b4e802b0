"""Reading JSON over HTTP: again where that helps, decimals exact, and no secret in whatever is raised."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Throttled, Unavailable, Upstream

log = logging.getLogger(__name__)

SYSTEM: Final = "receivables"
MORE_TRIES: Final = 3
LONGEST_WAIT: Final = 60.0
"""Seconds. Asked to stay away for longer, we tell the caller instead of holding the call."""
LARGEST_BODY: Final = 32 * 1024 * 1024
_LONGEST_DETAIL: Final = 200

_BY_STATUS: Final[Mapping[int, type[Upstream]]] = {
    HTTPStatus.UNAUTHORIZED: SignInFailed,
    HTTPStatus.FORBIDDEN: AccessDenied,
    HTTPStatus.REQUEST_TIMEOUT: Unavailable,
    HTTPStatus.TOO_MANY_REQUESTS: Throttled,
}


@dataclass(frozen=True, slots=True)
class _Trouble:
    error: Upstream
    retry_after: float = 0.0


class JsonReader:
    """Gets JSON with one bearer key, which goes to the address asked for and nowhere else."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        key: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._key = key
        self._now = now
        self._sleep = sleep
        self._jitter = jitter

    async def get(
        self, url: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
    ) -> object:
        """The value of the answer. Raises an `Upstream` error once trying again does not help."""
        tries = 0
        while isinstance(outcome := await self._once(url, params, headers or {}), _Trouble):
            error = outcome.error
            log.warning("GET %s: %s %s", urlsplit(url).path, error.code, error.reason)
            waits_too_long = outcome.retry_after > LONGEST_WAIT
            if tries == MORE_TRIES or waits_too_long or not isinstance(error, Unavailable):
                raise error
            await self._sleep(outcome.retry_after + 2**tries * (1 + self._jitter()) / 2)
            tries += 1
        return outcome

    async def _once(
        self, url: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> object | _Trouble:
        request = self._http.build_request(
            "GET",
            url,
            params=list(params),
            headers={"Accept": "application/json", **headers, "Authorization": f"Bearer {self._key}"},
        )
        try:
            # A redirect would carry our key along.
            response = await self._http.send(request, stream=True, follow_redirects=False, auth=None)
            try:
                body = await _bounded(response)
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            reason = "timeout" if isinstance(error, httpx.TimeoutException) else "no-connection"
            return _Trouble(Unavailable(SYSTEM, reason, detail=type(error).__name__))
        if body is None:
            return _Trouble(Rejected(SYSTEM, "too-large", response.status_code))
        if response.status_code != HTTPStatus.OK:
            return self._trouble(response, body)
        try:
            value: object = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, ArithmeticError, RecursionError):
            return _Trouble(Rejected(SYSTEM, "unreadable", response.status_code))
        return value

    def _trouble(self, response: httpx.Response, body: bytes) -> _Trouble:
        status = response.status_code
        kind = _BY_STATUS.get(status, Rejected if status < 500 else Unavailable)
        said = body.decode("utf-8", "replace").replace(self._key, "…")
        error = kind(SYSTEM, str(status), status, detail=said[:_LONGEST_DETAIL])
        return _Trouble(error, _seconds(response.headers.get("Retry-After"), now=self._now()))


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


async def _bounded(response: httpx.Response) -> bytes | None:
    """The body, or None when it is larger than anything we ask for."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def _seconds(retry_after: str | None, *, now: datetime) -> float:
    """The seconds `Retry-After` asks for, given in seconds or as a date; 0 when it does not say."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
