"""The server on loopback: it takes every request past the faults, answers it, and keeps a log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from bot.sandbox.partner_center.api import Api, Handler, answer, refusal
from bot.sandbox.partner_center.arm_api import ArmApi
from bot.sandbox.partner_center.errors import ApiError, TokenMissing
from bot.sandbox.partner_center.faults import ChangeMeanwhile, Effect, Faults, LoseAnswer, Refuse, Slow
from bot.sandbox.partner_center.risk_api import RiskApi
from bot.sandbox.partner_center.signin import SignInError, refusal_body
from bot.sandbox.partner_center.support_api import SupportApi
from bot.sandbox.partner_center.traffic import Exchange, masked_headers, readable
from bot.sandbox.partner_center.webhooks import Webhooks

AUTHORITY = "/authority"
KEPT = 5000


@dataclass
class Server:
    """Partner Center and its sign-in service behind one port of 127.0.0.1."""

    api: Api
    risk: RiskApi
    support: SupportApi
    arm: ArmApi
    webhooks: Webhooks
    now: Callable[[], datetime]
    page: Callable[[], web.Response]
    latency: float
    faults: Faults = field(default_factory=Faults)
    requests: list[Exchange] = field(default_factory=list)
    listeners: list[Callable[[Exchange], object]] = field(default_factory=list)
    port: int | None = None
    _runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen; OSError when the port is taken."""
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self.port = runner, runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._page)
        signin = self.api.signin
        for version, grant in (("", signin.v1), ("/v2.0", signin.v2)):
            path = AUTHORITY + "/{tenant}/oauth2" + version + "/token"
            app.router.add_post(path, self._recorded(self._token(grant)))
        rooms = (self.risk, self.support, self.arm, self.api, self.webhooks)
        for method, path, handler in (route for room in rooms for route in room.routes()):
            app.router.add_route(method, path, self._recorded(handler))
        app.router.add_route("*", "/{rest:.*}", self._recorded(self.api.unknown))
        return app

    async def _page(self, _request: web.Request) -> web.Response:
        return self.page()

    def _token(self, grant: Callable[[str, dict[str, str]], dict[str, Any]]) -> Handler:
        async def token(request: web.Request) -> web.Response:
            form = {key: str(value) for key, value in (await request.post()).items()}
            try:
                return web.json_response(grant(request.match_info["tenant"], form))
            except SignInError as error:
                return web.json_response(refusal_body(error, self.now()), status=error.status)

        return token

    def _recorded(self, handler: Handler) -> Handler:
        """Wrap a call with all that is the same for each: the faults, the headers and the log."""

        async def recorded(request: web.Request) -> web.Response:
            clock = asyncio.get_running_loop().time
            begun, at = clock(), self.now()
            body = await request.read()
            await asyncio.sleep(self.latency)
            effects = self.faults.take(request.method, request.path)
            response = await self._respond(request, handler, effects)
            response.headers.update(_headers(request))
            lost = any(isinstance(effect, LoseAnswer) for effect in effects)
            await asyncio.sleep(sum(effect.seconds for effect in effects if isinstance(effect, Slow)))
            milliseconds = round((clock() - begun) * 1000, 1)
            self._keep(_exchange(request, body, response, at=at, milliseconds=milliseconds, lost=lost))
            if lost and request.transport is not None:
                request.transport.abort()
            return response

        return recorded

    def _keep(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        del self.requests[:-KEPT]
        for hear in self.listeners:
            hear(exchange)

    async def _respond(self, request: web.Request, handler: Handler, effects: list[Effect]) -> web.Response:
        for effect in effects:
            if isinstance(effect, Refuse):
                return _refused(effect)
            if isinstance(effect, ChangeMeanwhile) and "subscription" in request.match_info:
                with suppress(LookupError):  # the request is about to be refused for it
                    self.api.directory.change(request.match_info["subscription"], **effect.fields)
        try:
            return await handler(request)
        except ApiError as error:
            return refusal(error)
        except TokenMissing:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})


_BROKEN = (800003, "Unexpected service error.")
_USUAL = {
    401: (400, "Access denied."),
    403: (900150, "The supplied role doesn't have the rights to perform the requested operation."),
    404: (1000, "Not found."),
    409: (800060, "Your order is in progress. Check your order history in few minutes."),
}


def _refused(effect: Refuse) -> web.Response:
    response = _refusal_body(effect)
    response.headers.update(effect.headers)
    return response


def _refusal_body(effect: Refuse) -> web.Response:
    if isinstance(effect.body, str):
        return web.Response(status=effect.status, text=effect.body)
    if effect.body is not None:
        return answer(effect.body, effect.status)
    if effect.status == 429:
        seconds = effect.headers.get("Retry-After", "1")
        message = f"Rate limit is exceeded. Try again in {seconds} seconds."
        return answer({"statusCode": 429, "message": message}, 429)
    return refusal(ApiError(effect.status, *_USUAL.get(effect.status, _BROKEN)))


def _exchange(
    request: web.Request,
    body: bytes,
    response: web.Response,
    *,
    at: datetime,
    milliseconds: float,
    lost: bool,
) -> Exchange:
    content = response.body if isinstance(response.body, bytes) else b""
    return Exchange(
        at=at,
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers=masked_headers(request.headers),
        body=readable(body, request.content_type),
        status=response.status,
        answer=readable(content, response.content_type),
        milliseconds=milliseconds,
        lost=lost,
    )


def _headers(request: web.Request) -> dict[str, str]:
    """The headers every answer of Partner Center has; the caller's two ids come back."""
    return {
        "MS-RequestId": request.headers.get("MS-RequestId") or str(uuid4()),
        "MS-CorrelationId": request.headers.get("MS-CorrelationId") or str(uuid4()),
        "MS-CV": f"{uuid4().hex[:16]}.0",
        "MS-ServerId": "0000112E",
        "Request-Context": f"appId=cid-v1:{uuid4()}",
    }
