"""Sending: what every request carries, how many at a time, how long, and when it is sent again."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx

from bot import tracing
from bot.domain.errors import BackstopError, NotFound, Rejected, Throttled, Unavailable, Upstream
from bot.partner_center.answers import Answer, Sought, Trouble, decipher
from bot.partner_center.pace import Pace
from bot.partner_center.quick_reads import QuickReads
from bot.partner_center.routes import template

log = logging.getLogger(__name__)

MORE_TRIES: Final = 3
LONGEST_WAIT: Final = 120.0
"""Seconds. Asked to stay away for longer, we tell the caller instead of holding the call."""
LONGEST_ANSWER: Final = 120.0
"""Seconds from the question to the last byte; a drop every few seconds is not an answer."""
LARGEST_BODY: Final = 32 * 1024 * 1024
MOST_CONNECTIONS: Final = 80
"""More than PARTNER_CENTER_MAX_CONCURRENCY may be: what paces the calls is `Pace`, not the lack of a connection."""

# Httpcore tries to import it at every lock it makes, nine times a request; where it is not there, each looks through
# the whole path in vain and takes longer than the rest of the call. None says at once that it is not there.
if find_spec("sniffio") is None:
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

_LOOPBACK: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")


def http_client(*, auth: httpx.Auth | None = None) -> httpx.AsyncClient:
    """A client for Microsoft's hosts. The caller closes it.

    The environment is trusted: a proxy and its certificates are how a server in a company reaches the
    internet. Loopback addresses never go through the proxy.
    """
    return QuickReads(
        auth=auth,
        verify=_trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        timeout=httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=30.0),
        limits=httpx.Limits(
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS,
            keepalive_expiry=30.0,
        ),
        mounts=dict.fromkeys(_LOOPBACK),
    )


@cache
def _trusted(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    """Whom httpx trusts in this environment, read once: there are some hundred certificates, and several clients."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is meant; what every request carries is added when it is sent."""

    method: str
    url: str
    sought: Sought
    correlation_id: str
    """One for all the requests that answer one question of the caller."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    request_id: UUID = field(default_factory=uuid4)
    """Makes a write count once, however often it is sent."""
    unhurried: bool = False
    """Nobody waits for it: calls that somebody waits for go first."""
    as_user: bool = False
    """Needs App+User; where nobody has signed in, the application asks for itself and is refused."""
    auth: httpx.Auth | None = field(default=None, repr=False)
    """Who signs in for this call alone, instead of whoever does so for all."""


class Exchange:
    """Sends calls, a few at a time."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        max_concurrency: int,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
        locale: str,
        as_user: httpx.AsyncClient | None = None,
        longest_answer: float = LONGEST_ANSWER,
    ) -> None:
        """`as_user` is signed in as App+User."""
        self._longest_answer = longest_answer
        self._http = http
        self._as_user = as_user or http
        self.pace = Pace(max_concurrency, now=now, sleep=sleep)
        self.answered = Counter[str]()
        """How often each kind of answer came: `2xx`, …, `throttled`, or `none`, also when nobody could be signed in."""
        self._now = now
        self._sleep = sleep
        self._jitter = jitter
        self._locale = locale

    async def read(self, call: Call) -> Answer:
        """Send a call that may be sent twice, again where that helps; raise what is left of the trouble."""
        tries = 0
        while isinstance(outcome := await self.once(call), Trouble):
            if tries == MORE_TRIES or not outcome.passes or not await self.wait(outcome, tries):
                raise outcome.error
            tries += 1
        return outcome

    async def wait(self, trouble: Trouble, tries: int) -> bool:
        """Wait before trying again, as asked and then some; False, at once, when asked for too long.

        learn.microsoft.com/partner-center/developer/api-throttling-guidance
        """
        asked = trouble.retry_after or 0.0
        if asked > LONGEST_WAIT:
            return False
        await self.rest(asked + 2**tries * (1 + self._jitter()) / 2)
        return True

    async def rest(self, seconds: float) -> None:
        """Let that time pass; who has done so does not sit it out once more when it calls again."""
        since = self._now()
        await self._sleep(seconds)
        self.pace.waited(seconds, since=since)

    async def once(self, call: Call) -> Answer | Trouble:
        """Send a call one time; a slot is held only while it is on its way."""
        with tracing.call(
            call.method,
            call.url,
            template=template,
            correlation_id=call.correlation_id,
            request_id=call.request_id,
        ) as span:
            outcome = await self._answer(call, span)
            if isinstance(outcome, Trouble):
                span.failed(outcome.error.code)
        self.answered[_kind(outcome)] += 1
        if isinstance(outcome, Trouble):
            error = outcome.error
            why = f"{error.code} {error.reason}" if isinstance(error, Upstream) else error.code
            path = urlsplit(call.url).path
            log.warning("%s %s: %s, correlation id %s", call.method, path, why, call.correlation_id)
        return outcome

    async def _answer(self, call: Call, span: tracing.Span) -> Answer | Trouble:
        http = self._as_user if call.as_user else self._http
        request = http.build_request(call.method, call.url, headers=self._headers(call), content=call.body)
        try:
            async with (
                self.pace.slot(unhurried=call.unhurried) as under,
                asyncio.timeout(self._longest_answer),
            ):
                # A redirect would carry our token along.
                auth = call.auth or httpx.USE_CLIENT_DEFAULT
                response = await http.send(request, auth=auth, stream=True, follow_redirects=False)
                span.answered(response.status_code)
                try:
                    body = await _bounded(response)
                finally:
                    await response.aclose()
        except BackstopError as error:  # from signing in; what was asked for did not happen
            if isinstance(error, Upstream) and not error.correlation_id:
                return Trouble(
                    replace(error, correlation_id=call.correlation_id)
                )  # others may share the error
            return Trouble(error)
        except (httpx.RequestError, TimeoutError) as error:
            return _no_answer(error, call)
        if body is None:
            too_large = Rejected(
                reason="too-large", status=response.status_code, correlation_id=call.correlation_id
            )
            return Trouble(too_large, effect_open=True)
        outcome = decipher(
            response.status_code,
            response.headers,
            body,
            correlation_id=call.correlation_id,
            sought=call.sought,
            now=self._now(),
        )
        if isinstance(outcome, Answer):
            self.pace.go_on()
        elif isinstance(outcome.error, Throttled):
            wait = outcome.retry_after
            # Asked to stay away for longer than that, each call is told so instead of being held.
            self.pace.slow_down(under, wait=wait if wait is None or wait <= LONGEST_WAIT else None)
        return outcome

    def _headers(self, call: Call) -> dict[bytes, bytes]:
        """learn.microsoft.com/partner-center/developer/headers."""
        headers = {
            "Accept": "application/json",
            "MS-RequestId": str(call.request_id),
            "MS-CorrelationId": call.correlation_id,
            "MS-Contract-Version": "v1",
            "MS-PartnerCenter-Application": "Backstop",
            "X-Locale": self._locale,
            **({"Content-Type": "application/json"} if call.body is not None else {}),
            **call.headers,
        }
        return {name.encode(): value.encode() for name, value in headers.items()}


def _kind(outcome: Answer | Trouble) -> str:
    if isinstance(outcome, Answer):
        return "2xx"
    error = outcome.error
    if isinstance(error, Throttled):
        return "throttled"
    if isinstance(error, NotFound):
        return "4xx"
    status = error.status if isinstance(error, Upstream) else None
    return f"{status // 100}xx" if status else "none"


async def _bounded(response: httpx.Response) -> bytes | None:
    """The body, or None when it is larger than anything we ask for."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def _no_answer(error: httpx.RequestError | TimeoutError, call: Call) -> Trouble:
    is_late = isinstance(error, httpx.TimeoutException | TimeoutError)
    reason = "timeout" if is_late else "no-connection"
    return Trouble(
        Unavailable(reason=reason, correlation_id=call.correlation_id, detail=type(error).__name__),
        effect_open=not isinstance(error, _NEVER_SENT),
    )
