"""Slack's Web API as a bot meets it; knows nothing of the page, nor of how payloads reach the app."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from bot.sandbox.slack.faults import Broken, Failing, LosingAnswer, RateLimited, Slow
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.posting import Refused, answer
from bot.sandbox.slack.web_api import chat, directory, files, view_methods
from bot.sandbox.slack.web_api.calls import Call, Method

Json = dict[str, Any]

METHODS: dict[str, Method] = {**chat.METHODS, **view_methods.METHODS, **directory.METHODS, **files.METHODS}


@dataclass(frozen=True)
class WebApi:
    """Serves `/api/<method>`, response URLs, upload URLs and private file URLs."""

    platform: Platform

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post("/api/{method}", self.call),
            web.get("/api/{method}", self.call),
            web.post("/{kind:commands|actions|app}/{team}/{secret}", self.respond),
            web.post("/upload/v1/{file}/{secret}", self.upload),
            web.get("/files-pri/{team}-{file}/{name}", self.download),
            web.get("/files-pri/{team}-{file}/download/{name}", self.download),
            web.get("/link/", self.platform.delivery.connect),
        ]

    async def call(self, request: web.Request) -> web.Response:
        """Answer one call; `ok` tells how it went, the status is 200 but for rate limits and where we break down."""
        started = time.perf_counter()
        name = request.match_info["method"]
        raw, arguments = await _arguments(request)
        fault = self.platform.faults.take(name)
        if isinstance(fault, RateLimited):
            result: Json = {"ok": False, "error": "ratelimited"}
            status, headers = 429, {"Retry-After": str(fault.retry_after)}
        elif isinstance(fault, Broken):
            result, status, headers = {"ok": False, "error": "internal_error"}, 500, {}
        else:
            status, headers = 200, {"x-oauth-scopes": ",".join(self.platform.app.scopes)}
            result = self._run(name, arguments, _bearer(request, arguments), fault)
        text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        lost = isinstance(fault, LosingAnswer)
        said = "answer lost" if lost else result.get("error", "ok") if status == 200 else str(status)
        self._record(name, started, str(said), raw, text)
        if lost and request.transport is not None:
            request.transport.abort()
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    async def respond(self, request: web.Request) -> web.Response:
        """Take one post to a `response_url`."""
        started = time.perf_counter()
        raw = await request.read()
        status, text = self._respond(request.match_info["secret"], raw)
        self._record("response_url", started, text, raw, text)
        return web.Response(text=text, status=status)

    async def upload(self, request: web.Request) -> web.Response:
        """Take the bytes of an announced file, raw or as a form."""
        file = self.platform.workspace.files.get(request.match_info["file"])
        if file is None or file.upload_secret != request.match_info["secret"]:
            return web.Response(status=404, text="file not found")
        if request.content_type.startswith("multipart/"):
            parts = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
            content = parts[0].file.read() if parts else b""
        else:
            content = await request.read()
        if len(content) != file.size:
            return web.Response(status=400, text=f"announced {file.size} bytes, got {len(content)}")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file's bytes; without a token that may read files Slack leads to its sign-in page."""
        started = time.perf_counter()
        app, fault = self.platform.app, self.platform.faults.take("files-pri")
        file = self.platform.workspace.files.get(request.match_info["file"])
        may_read = _bearer(request, {}) == app.bot_token and "files:read" in app.scopes
        seen = (
            file if file and file.content is not None and files.is_seen_by_app(self.platform, file) else None
        )
        answer: web.StreamResponse
        if not may_read:
            answer = web.Response(
                status=302, headers={"Location": f"{self.platform.origin}/?redir={request.path}"}
            )
        elif isinstance(fault, RateLimited):
            answer = web.Response(status=429, headers={"Retry-After": str(fault.retry_after)})
        elif fault is not None:
            answer = web.Response(status=500)
        elif seen is None:
            answer = web.Response(status=404)
        else:
            answer = web.Response(body=seen.content, content_type=seen.mimetype)
        said = f"{seen.size} bytes" if answer.status == 200 and seen else ""
        self._record("files-pri", started, str(answer.status), request.path.encode(), said)
        return answer

    def _run(self, name: str, arguments: Json, token: str, fault: object) -> Json:
        try:
            method = METHODS.get(name)
            if method is None:
                raise Refused("unknown_method", req_method=name)
            self._check_token(method, token)
            if isinstance(fault, Failing):
                raise Refused(fault.error)
            return method.run(Call(self.platform, arguments))
        except Refused as refused:
            return refused.as_json()

    def _check_token(self, method: Method, token: str) -> None:
        app = self.platform.app
        if not token:
            raise Refused("not_authed")
        if token not in (app.bot_token, app.app_token):
            raise Refused("invalid_auth")
        if (token == app.app_token) != method.is_for_app_token:
            raise Refused("not_allowed_token_type")
        if method.scopes and not set(method.scopes) & set(app.scopes):
            raise Refused("missing_scope", needed=",".join(method.scopes), provided=",".join(app.scopes))

    def _respond(self, secret: str, raw: bytes) -> tuple[int, str]:
        url = self.platform.response_urls.use(secret, at=self.platform.now())
        if isinstance(url, str):
            return 404, url
        try:
            said = json.loads(raw)
            if not isinstance(said, dict):
                return 400, "invalid_payload"
        except ValueError:
            return 400, "invalid_payload"
        channel = self.platform.workspace.channels[url.channel]
        original = channel.posts.get(url.message_ts or "")
        try:
            answer(self.platform, said, channel=channel, person=url.person, original=original)
        except Refused as refused:
            return 400, refused.error
        return 200, "ok"

    def _record(self, method: str, started: float, status: str, sent: bytes, received: str) -> None:
        self.platform.wire.record(
            at=self.platform.now(),
            direction="app → workspace",
            method=method,
            ms=(time.perf_counter() - started) * 1000,
            status=status,
            sent=sent,
            received=received,
        )


async def _arguments(request: web.Request) -> tuple[bytes, Json]:
    """Read form, JSON and multipart bodies and the query; slack_sdk uses them all."""
    query: Json = dict(request.query)
    if request.content_type == "multipart/form-data":
        fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        return json.dumps(fields).encode(), {**query, **fields}
    raw = await request.read()
    if request.content_type != "application/json":
        return raw or request.query_string.encode(), {
            **query,
            **_form(raw),
        }
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = {}
    return raw, {**query, **body} if isinstance(body, dict) else query


def _form(raw: bytes) -> Json:
    return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))


def _bearer(request: web.Request, arguments: Json) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(arguments.get("token", ""))
