"""Brings payloads to the app, over Socket Mode or signed HTTP, and waits three seconds for its word."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp import web

from bot.sandbox.slack.exchanges import Wire
from bot.sandbox.slack.installed_app import InstalledApp
from bot.sandbox.slack.news import News

Json = dict[str, Any]

ACK_SECONDS = 3.0  # https://docs.slack.dev/interactivity/handling-user-interaction
SOCKETS = 10  # https://docs.slack.dev/apis/events-api/using-socket-mode: per app
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Ack:
    """What came of something a person did.

    `error` is what they see: `timeout`, `not_delivered`, `dispatch_failed` (the app answered, but not with
    200), `unknown_command` and the like. `body` is the app's answer, `detail` what Slack found wrong with it.
    """

    ok: bool
    error: str | None = None
    body: Json | None = None
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parcel:
    """One payload on its way: `kind` is Socket Mode's word for it."""

    kind: str  # slash_commands, interactive or events_api
    payload: Json
    accepts_answer: bool

    @classmethod
    def command(cls, payload: Json) -> Parcel:
        return cls("slash_commands", payload, accepts_answer=True)

    @classmethod
    def interaction(cls, payload: Json, *, accepts_answer: bool) -> Parcel:
        return cls("interactive", payload, accepts_answer)

    @classmethod
    def event(cls, payload: Json) -> Parcel:
        return cls("events_api", payload, accepts_answer=False)

    @property
    def body(self) -> str:
        """How it goes over HTTP."""
        if self.kind == "slash_commands":
            return urlencode(self.payload)
        payload = _dumps(self.payload)
        return payload if self.kind == "events_api" else urlencode({"payload": payload})

    @property
    def name(self) -> str:
        if self.kind == "slash_commands":
            return str(self.payload["command"])
        return str(self.payload.get("event", self.payload)["type"])

    @property
    def content_type(self) -> str:
        return "application/json" if self.kind == "events_api" else FORM


@dataclass(eq=False)
class Socket:
    """One Socket Mode connection; a retired one gets nothing new but may still acknowledge."""

    ws: web.WebSocketResponse
    is_retired: bool = False


@dataclass(frozen=True)
class _Posted:
    """A request as it went out over HTTP, for those who want to replay it to the letter."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Delivery:
    """Socket Mode unless there is an `events_url`; each payload goes to one of the open sockets, in turn."""

    app: InstalledApp
    wire: Wire
    news: News
    now: Callable[[], datetime]
    events_url: str | None = None
    ack_seconds: float = ACK_SECONDS
    retry_delays: Sequence[float] = (0, 60, 300)
    sent: list[Parcel] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _sockets: list[Socket] = field(default_factory=list)
    _turn: int = 0
    _unacknowledged: dict[str, asyncio.Future[Ack]] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None
    _last_posted: _Posted | None = None
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def is_connected(self) -> bool:
        return self.events_url is not None or any(not socket.is_retired for socket in self._sockets)

    async def send(self, parcel: Parcel) -> Ack:
        """Deliver once and wait for the acknowledgement."""
        self.sent.append(parcel)
        del self.sent[:-100]
        return await self._carry(parcel, attempt=0, reason="")

    async def send_event(self, parcel: Parcel) -> Ack:
        """Deliver an event; where it is not acknowledged Slack tries up to three times more, later."""
        ack = await self.send(parcel)
        if not ack.ok and (self.events_url is not None or ack.error == "timeout"):
            self.later(self._try_again(parcel, _retry_reason(ack)))
        return ack

    async def again(self, parcel: Parcel, *, replay: bool = False) -> Ack:
        """Deliver the same payload once more; `replay` repeats the last HTTP request, signature and all."""
        if replay and self._last_posted is not None and self.events_url is not None:
            return await self._post(parcel, self.events_url, self._last_posted)
        return await self._carry(parcel, attempt=0, reason="")

    def ticket(self) -> str:
        """A one-time pass for `connect`."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one Socket Mode connection until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="unknown ticket")
        self._tickets.remove(ticket)
        ws = web.WebSocketResponse(compress=False)  # answers pings with the same data by itself
        await ws.prepare(request)
        if len(self._sockets) >= SOCKETS:
            await ws.send_str(_disconnect("too_many_websockets"))
            await ws.close()
            return ws
        socket = Socket(ws)
        self._sockets.append(socket)
        try:
            await ws.send_str(self._hello())
            self._tell_connected()
            async for frame in ws:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take_ack(frame.data)
        finally:
            self._sockets.remove(socket)
            self._tell_connected()
        return ws

    async def disconnect(self, reason: str) -> None:
        """Tell every socket to go; only after a `warning` does it still get payloads."""
        for socket in tuple(self._sockets):
            socket.is_retired = socket.is_retired or reason != "warning"
            if not socket.ws.closed:
                await socket.ws.send_str(_disconnect(reason))
            if reason == "link_disabled":
                await socket.ws.close()
        self._tell_connected()

    async def verify_url(self) -> bool:
        """Send `url_verification`, as Slack does when a request URL is entered."""
        challenge = secrets.token_hex(16)
        payload = {"type": "url_verification", "token": self.app.verification_token, "challenge": challenge}
        ack = await self._carry(Parcel.event(payload), attempt=0, reason="")
        answer = ack.body or {}
        return ack.ok and challenge in (answer.get("challenge"), answer.get("text"))

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in tuple(self._sockets):
            await socket.ws.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _carry(self, parcel: Parcel, *, attempt: int, reason: str) -> Ack:
        if self.events_url is not None:
            body = parcel.body.encode()
            headers = {"Content-Type": parcel.content_type, **self._signature(body)}
            if attempt:
                headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
            self._last_posted = _Posted(body, headers)
            return await self._post(parcel, self.events_url, self._last_posted)
        return await self._send_frame(parcel, attempt, reason)

    async def _send_frame(self, parcel: Parcel, attempt: int, reason: str) -> Ack:
        sockets = [socket for socket in self._sockets if not socket.is_retired and not socket.ws.closed]
        if not sockets:
            return Ack(False, "not_delivered")
        self._turn += 1
        socket = sockets[self._turn % len(sockets)]
        envelope: Json = {
            "envelope_id": str(uuid4()),
            "payload": parcel.payload,
            "type": parcel.kind,
            "accepts_response_payload": parcel.accepts_answer,
        }
        if parcel.kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        frame = _dumps(envelope)
        waiting: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._unacknowledged[envelope["envelope_id"]] = waiting
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.ack_seconds):
                await socket.ws.send_str(frame)
                ack = await waiting
        except TimeoutError:
            ack = Ack(False, "timeout")
        except ConnectionError:
            ack = Ack(False, "not_delivered")
        finally:
            del self._unacknowledged[envelope["envelope_id"]]
        self._record(parcel, started, ack.error or "ack", frame, _dumps(ack.body) if ack.body else "")
        return ack

    def _take_ack(self, frame: str) -> None:
        try:
            answer = json.loads(frame)
            waiting = self._unacknowledged.get(answer.get("envelope_id", ""))
        except (ValueError, AttributeError):
            return  # not an acknowledgement: Slack takes no notice either
        if waiting is not None and not waiting.done():
            payload = answer.get("payload")
            waiting.set_result(Ack(True, body=payload if isinstance(payload, dict) and payload else None))

    async def _post(self, parcel: Parcel, url: str, posted: _Posted) -> Ack:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        started = time.perf_counter()
        answer = ""
        try:
            async with (
                asyncio.timeout(self.ack_seconds),
                self._session.post(url, data=posted.body, headers=posted.headers) as response,
            ):
                answer = await response.text()
                status = str(response.status)
                no_retry = response.headers.get("X-Slack-No-Retry") == "1"
                ack = _http_ack(response.status, answer, no_retry=no_retry)
        except TimeoutError:
            status, ack = "timeout", Ack(False, "timeout")
        except aiohttp.ClientError:
            status, ack = (
                "connection failed",
                Ack(False, "not_delivered"),
            )
        self._record(parcel, started, status, posted.body, answer)
        return ack

    async def _try_again(self, parcel: Parcel, reason: str | None) -> None:
        for attempt, delay in enumerate(self.retry_delays, start=1):
            if reason is None:
                return
            await asyncio.sleep(delay)
            ack = await self._carry(parcel, attempt=attempt, reason=reason)
            if ack.ok:
                return
            reason = _retry_reason(ack)

    def later(self, work: Coroutine[Any, Any, object]) -> None:
        """Go on with something that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _signature(self, body: bytes) -> dict[str, str]:
        """Sign with the real time: https://docs.slack.dev/authentication/verifying-requests-from-slack."""
        timestamp = str(int(time.time()))
        digest = hmac.new(
            self.app.signing_secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256
        )
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest.hexdigest()}"}

    def _hello(self) -> str:
        return _dumps(
            {
                "type": "hello",
                "num_connections": len(self._sockets),
                "debug_info": {
                    "host": "applink-sandbox",
                    "build_number": 1,
                    "approximate_connection_time": 18060,
                },
                "connection_info": {"app_id": self.app.id},
            }
        )

    def _tell_connected(self) -> None:
        self.news.announce({"type": "app", "connected": self.is_connected})

    def _record(self, parcel: Parcel, started: float, status: str, sent: str | bytes, received: str) -> None:
        self.wire.record(
            at=self.now(),
            direction="workspace → app",
            method=parcel.name,
            ms=(time.perf_counter() - started) * 1000,
            status=status,
            sent=sent,
            received=received,
        )


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _disconnect(reason: str) -> str:
    return _dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}})


def _http_ack(status: int, answer: str, *, no_retry: bool) -> Ack:
    if status != 200:
        return Ack(False, "dispatch_failed", detail=("no_retry",) if no_retry else (f"http {status}",))
    if not answer:
        return Ack(True)
    try:
        body = json.loads(answer)
    except ValueError:
        return Ack(True, body={"text": answer})  # plain text is a message
    return Ack(True, body=body if isinstance(body, dict) and body else None)


def _retry_reason(ack: Ack) -> str | None:
    """Slack's reason for trying again; None where the app asked not to."""
    if "no_retry" in ack.detail:
        return None
    return {"timeout": "http_timeout", "not_delivered": "connection_failed"}.get(
        ack.error or "", "http_error"
    )
