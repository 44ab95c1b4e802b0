"""PORT: `/slack/events` for HTTP mode, `/receivables/{source}/events` for accounting systems that tell of payments,
`/partner-center/events` for what Microsoft tells of, `/healthz` and `/readyz` for whoever keeps us running.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.domain.errors import Unavailable

MOST_BYTES = 2 * 1024 * 1024
LARGEST_EVENT = 256 * 1024
LARGEST_OF_PARTNER_CENTER = 64 * 1024
EVENT_SECONDS = 4.0
"""For the whole of an event: the least patient vendor waits five."""
Check = Callable[[], Awaitable[bool]]
Hear = Callable[[str, Mapping[str, str], Mapping[str, str], bytes], Awaitable[tuple[int, str]]]
"""Source, query, headers and raw body of an event; status and text to answer with."""
HearPartnerCenter = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Headers and raw body of an event; status to answer with."""

log = logging.getLogger(__name__)


class Web:
    """A small HTTP server. `checks` name what must hold to be ready."""

    def __init__(
        self,
        *,
        app: AsyncApp | None,
        checks: Mapping[str, Check],
        events: Hear | None = None,
        partner_center: HearPartnerCenter | None = None,
    ) -> None:
        self._app = app
        self._checks = checks
        self._hear = events
        self._hear_partner_center = partner_center
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int, *, host: str) -> None:
        """Listen. Raises OSError when the port is taken."""
        server = web.Application(client_max_size=MOST_BYTES)
        server.router.add_get("/healthz", self._healthz)
        server.router.add_get("/readyz", self._readyz)
        if self._hear:
            server.router.add_post("/receivables/{source}/events", partial(self._event, self._hear))
        if self._hear_partner_center:
            hear = partial(self._partner_center_event, self._hear_partner_center)
            server.router.add_post("/partner-center/events", hear)
        if self._app:
            server.router.add_post("/slack/events", self._slack)
        self._runner = web.AppRunner(server, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer what is under way, then close."""
        if self._runner:
            await self._runner.cleanup()

    async def _slack(self, request: web.Request) -> web.Response:
        # Bolt turns a timestamp that is not a number into a 500; a forged request deserves a 401.
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not (stamp.isascii() and stamp.isdigit()):
            return web.Response(status=401, text="the request is not signed")
        if self._app is None:
            return web.Response(status=404)
        try:
            return await to_aiohttp_response(await self._app.async_dispatch(await to_bolt_request(request)))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Listeners answer for themselves; what gets here is a body that is not what Slack sends.
            log.exception("a request could not be read")
            return web.Response(status=400, text="the request cannot be read")

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
        held = {name: await _holds(check) for name, check in self._checks.items()}
        return web.json_response(
            {"ok": all(held.values()), "checks": held}, status=200 if all(held.values()) else 503
        )


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
        return await check()
    except Exception as error:
        log.warning("not ready: %s", type(error).__name__)
        return False
