"""A Slack that knows hardly any method, and speaks Socket Mode: not our sandbox, so none of its kindness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import WSMsgType, web

Json = dict[str, Any]

KNOWN = (
    "auth.test",
    "apps.connections.open",
    "users.info",
    "chat.postMessage",
    "chat.update",
    "views.open",
    "views.update",
)


class StrangeSlack:
    """Keeps what it is asked, and brings payloads as a real one would; all else is an `unknown_method`."""

    bot_token = "xoxb-strange"
    app_token = "xapp-strange"

    def __init__(self) -> None:
        self.dead_links = 0
        """So many of the next addresses for a socket lead nowhere."""
        self.deaf_links = 0
        """So many of the next connections say hello and nothing more, not even that they live."""
        self.refused = 0
        """How often somebody came to such an address."""
        self.calls: list[tuple[str, Json]] = []
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._socket: web.WebSocketResponse | None = None
        self._acks: dict[str, asyncio.Future[Json]] = {}
        self._port = 0

    async def start(self) -> None:
        server = web.Application()
        server.router.add_post("/api/{method}", self._answer)
        server.router.add_get("/api/{method}", self._answer)  # the client reads so
        server.router.add_get("/link", self._link)
        server.router.add_get("/dead", self._dead_link)
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api/"

    def made(self, method: str) -> list[Json]:
        return [arguments for called, arguments in self.calls if called == method]

    async def until(self, look: Callable[[], Any]) -> Any:
        """What `look` finds once the app has called for it."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(look)
        return look()

    async def brings(self, kind: str, payload: Json) -> Json:
        """Deliver one payload over the socket; the app's answer."""
        await self.until(lambda: self._socket)
        assert self._socket
        envelope = str(uuid4())
        self._acks[envelope] = asyncio.get_running_loop().create_future()
        frame = {"envelope_id": envelope, "type": kind, "accepts_response_payload": True, "payload": payload}
        await self._socket.send_str(json.dumps(frame))
        async with asyncio.timeout(30):
            return await self._acks[envelope]

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        answer: Json
        match method:
            case "auth.test":
                answer = {"url": "https://strange.example/", "team": "S", "user": "backstop", "bot_id": "B1"}
                answer |= {"team_id": "T1", "user_id": "U1BOT", "is_enterprise_install": False}
            case "apps.connections.open":
                is_dead, self.dead_links = self.dead_links > 0, max(0, self.dead_links - 1)
                answer = {"url": f"ws://127.0.0.1:{self._port}/{'dead' if is_dead else 'link'}"}
            case "chat.postMessage" | "chat.update":
                ts = arguments.get("ts") or f"17638000{len(self.calls):02}.000100"
                answer = {"channel": arguments["channel"], "ts": ts, "message": {"ts": ts}}
            case "views.open" | "views.update":
                view = arguments["view"]
                view = json.loads(view) if isinstance(view, str) else view
                answer = {"view": view | {"id": "V1", "hash": "1.a"}}
            case _:
                return web.json_response({"ok": False, "error": "unknown_method"})
        async with self._news:
            self.calls.append((method, arguments))
            self._news.notify_all()
        return web.json_response({"ok": True} | answer)

    async def disconnects(self, times: int = 1) -> None:
        """Tell the app so often to come back at another address, and hang up."""
        socket, self._socket = self._socket, None
        assert socket
        for _ in range(times):
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    async def sends(self, frame: str) -> None:
        """Put that on the socket, whatever it is."""
        await self.until(lambda: self._socket)
        assert self._socket
        await self._socket.send_str(frame)

    async def _dead_link(self, _request: web.Request) -> web.Response:
        async with self._news:
            self.refused += 1
            self._news.notify_all()
        return web.Response(status=404)

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        is_deaf, self.deaf_links = self.deaf_links > 0, max(0, self.deaf_links - 1)
        socket = web.WebSocketResponse(autoping=not is_deaf)
        await socket.prepare(request)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        async with self._news:
            self._socket = None if is_deaf else socket
            self._news.notify_all()
        async for frame in socket:
            if frame.type is WSMsgType.TEXT and frame.data.startswith("{"):
                answer = json.loads(frame.data)
                waiting = self._acks.get(str(answer["envelope_id"]))
                if waiting and not waiting.done():
                    waiting.set_result(answer.get("payload") or {})
        return socket


async def _arguments(request: web.Request) -> Json:
    """Slack takes JSON and forms; in a form what is nested is JSON once more."""
    body = await request.text() or request.query_string
    if request.content_type == "application/json":
        return dict(json.loads(body or "{}"))
    found: Json = {name: values[0] for name, values in parse_qs(body).items()}
    return found
