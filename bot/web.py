"""PORT: `/slack/events` for HTTP mode, `/receivables/{source}/events` for accounting systems that tell of payments,
`/partner-center/events` for what Microsoft tells of, `/healthz`, `/readyz` and `/metrics` for whoever keeps us running.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.domain.errors import Unavailable

MOST_BYTES = 2 * 1024 * 1024
LARGEST_SSL_CHECK = 1024
LONGEST_STAMP = 12
MOST_ANSWERS = 256
"""So many of the last answers to Slack are known, for requests that come again."""
LARGEST_EVENT = 256 * 1024
LARGEST_OF_PARTNER_CENTER = 64 * 1024
EVENT_SECONDS = 4.0
"""For the whole of an event: the least patient vendor waits five."""
CHECK_SECONDS = 5.0
"""For each check of `/readyz`: what does not answer for so long does not hold."""
ENDS_WITHIN = 10.0
"""For a request that is under way at a stop; who sends its body more slowly is cut off."""
Check = Callable[[], Awaitable[bool]]
Hear = Callable[[str, Mapping[str, str], Mapping[str, str], bytes], Awaitable[tuple[int, str]]]
"""Source, query, headers and raw body of an event; status and text to answer with."""
IsNew = Callable[[str], Awaitable[bool]]
"""Whether a signature has not been seen yet, by anybody; from then on it has."""
HearPartnerCenter = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Headers and raw body of an event; status to answer with."""

Tell = Callable[[], Awaitable[tuple[bytes, str]]]
"""Something to read, and its content type."""

log = logging.getLogger(__name__)


class Web:
    """A small HTTP server. `checks` name what must hold to be ready."""

    def __init__(
        self,
        *,
        app: AsyncApp | None,
        checks: Mapping[str, Check],
        signing_secret: str = "",
        is_new: IsNew | None = None,
        events: Hear | None = None,
        partner_center: HearPartnerCenter | None = None,
        metrics: Tell | None = None,
    ) -> None:
        self._app = app
        self._signatures = SignatureVerifier(signing_secret) if signing_secret else None
        self._is_new = is_new
        self._answers: OrderedDict[str, tuple[int, str | None, str]] = OrderedDict()
        self._checks = checks
        self._hear = events
        self._hear_partner_center = partner_center
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int, *, host: str) -> None:
        """Listen. Raises OSError when the port is taken."""
        server = web.Application(client_max_size=MOST_BYTES)
        server.router.add_get("/healthz", self._healthz)
        server.router.add_get("/readyz", self._readyz)
        if self._metrics:
            server.router.add_get("/metrics", partial(self._tell, self._metrics))
        if self._hear:
            server.router.add_post("/receivables/{source}/events", partial(self._event, self._hear))
        if self._hear_partner_center:
            hear = partial(self._partner_center_event, self._hear_partner_center)
            server.router.add_post("/partner-center/events", hear)
        if self._app:
            server.router.add_post("/slack/events", self._slack)
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=ENDS_WITHIN)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer what is under way, within a limit, then close."""
        if self._runner:
            await self._runner.cleanup()

    async def _slack(self, request: web.Request) -> web.Response:
        """What is not signed is not even parsed; Bolt would parse first."""
        if self._app is None:
            return web.Response(status=404)
        body, signature = await request.read(), request.headers.get("X-Slack-Signature", "")
        if not self._is_signed(request, body):
            is_check = len(body) <= LARGEST_SSL_CHECK and b"ssl_check=1" in body.split(b"&")
            # docs.slack.dev/interactivity/implementing-slash-commands: whether our certificate is good, and no more.
            return web.Response() if is_check else web.Response(status=401, text="the request is not signed")
        try:
            asked = await to_bolt_request(request)
            if await self._came_before(signature, asked.body):
                return self._said_before(signature)
            answer = await to_aiohttp_response(await self._app.async_dispatch(asked))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # Listeners answer for themselves; what gets here is a body that is not what Slack sends.
            log.exception("a request could not be read")
            return web.Response(status=400, text="the request cannot be read")
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("reference %s: a request of Slack failed", reference)
            return web.Response(status=500, text=f"reference {reference}")
        self._answers[signature] = answer.status, answer.text, answer.content_type
        while len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    def _said_before(self, signature: str) -> web.Response:
        """What the first of several equal requests was answered; another replica does not know it."""
        if signature not in self._answers:
            return web.Response(status=409, text="this very request came before")
        status, text, content_type = self._answers[signature]
        return web.Response(status=status, text=text, content_type=content_type)

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        """Whether Slack's signature is over this body, and no more than five minutes old or early."""
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        is_stamp = stamp.isascii() and stamp.isdigit() and len(stamp) <= LONGEST_STAMP
        if not (self._signatures and is_stamp and signature.isascii()):
            return False
        try:
            return bool(self._signatures.is_valid(body, stamp, signature))
        except UnicodeDecodeError:  # what Slack sends is text
            return False

    async def _came_before(self, signature: str, body: Mapping[str, object]) -> bool:
        """Whether somebody sends again what Slack sent once: that gets the answer of then, and is not acted on.

        Slack itself repeats nothing but events, under the same signature if it is quick, and whoever hears those takes
        them once anyway; options are only looked at. Without a database nothing can be done twice.
        """
        if (
            self._is_new is None
            or "event" in body
            or body.get("type") in ("block_suggestion", "url_verification")
        ):
            return False
        try:
            return not await self._is_new(signature)
        except Unavailable:
            return False

    async def _event(self, hear: Hear, request: web.Request) -> web.Response:
        """Whoever it is from is shown by a signature alone, so nothing is read of it before that is checked."""
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                body = await _bounded(request, LARGEST_EVENT)
                if body is None:
                    return web.Response(status=413)
                source = request.match_info["source"]
                status, text = await hear(source, request.query, request.headers, body)
        except (TimeoutError, Unavailable) as error:
            log.warning("an event waits to be sent again: %s", type(error).__name__)
            return web.Response(status=503)
        if not text:
            return web.Response(status=status)
        return web.Response(status=status, text=text, headers={"X-Content-Type-Options": "nosniff"})

    async def _partner_center_event(self, hear: HearPartnerCenter, request: web.Request) -> web.Response:
        """Like `_event`; Microsoft sends an event ten times until somebody takes it."""
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                body = await _bounded(request, LARGEST_OF_PARTNER_CENTER)
                return web.Response(status=400 if body is None else await hear(request.headers, body))
        except TimeoutError:
            log.warning("an event of Partner Center waits to be sent again: no time")
        except Exception:
            log.exception("an event of Partner Center could not be taken in")
        return web.Response(status=503)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        held = dict(zip(self._checks, await asyncio.gather(*map(_holds, self._checks.values())), strict=True))
        return web.json_response(
            {"ok": all(held.values()), "checks": held}, status=200 if all(held.values()) else 503
        )

    async def _tell(self, tell: Tell, _request: web.Request) -> web.Response:
        body, content_type = await tell()
        return web.Response(body=body, headers={"Content-Type": content_type})


async def _bounded(request: web.Request, most: int) -> bytes | None:
    """The body, or None when it is larger than any event is."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


async def _holds(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except Exception as error:
        log.warning("not ready: %s", type(error).__name__)
        return False
