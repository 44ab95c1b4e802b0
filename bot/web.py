"""PORT: `/slack/events` for HTTP mode, `/healthz` and `/readyz` for whoever keeps us running."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

MOST_BYTES = 2 * 1024 * 1024
Check = Callable[[], Awaitable[bool]]

log = logging.getLogger(__name__)


class Web:
    """A small HTTP server. `checks` name what must hold to be ready."""

    def __init__(self, *, app: AsyncApp | None, checks: Mapping[str, Check]) -> None:
        self._app = app
        self._checks = checks
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int, *, host: str) -> None:
        """Listen. Raises OSError when the port is taken."""
        server = web.Application(client_max_size=MOST_BYTES)
        server.router.add_get("/healthz", self._healthz)
        server.router.add_get("/readyz", self._readyz)
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

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        held = {name: await _holds(check) for name, check in self._checks.items()}
        return web.json_response(
            {"ok": all(held.values()), "checks": held}, status=200 if all(held.values()) else 503
        )


async def _holds(check: Check) -> bool:
    try:
        return await check()
    except Exception as error:
        log.warning("not ready: %s", type(error).__name__)
        return False
