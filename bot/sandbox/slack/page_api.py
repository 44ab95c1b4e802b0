"""The protocol of the sandbox's page: what one person sees, and what they do (same origin, loopback only)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.interactions import Interactions
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Channel, Person, Post

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MESSAGES = 100
PING_SECONDS = 15
RECONNECT_MS = 500
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CONTENT_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "txt": "text/plain",
}


class Refusal(Exception):
    """A request of the page that cannot be carried out: a 4xx with its error, and where it helps why."""

    def __init__(self, status: int, error: str, *detail: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer: Json = {"ok": False, "error": error, **({"detail": detail} if detail else {})}


async def said_in(request: web.Request) -> Json:
    """What the page posted."""
    said: Any = None
    if request.content_type == "application/json":
        with suppress(ValueError):
            said = json.loads(await request.read())
    if not isinstance(said, dict):
        raise Refusal(400, "invalid_json")
    return said


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep other sites out (DNS rebinding, cross-site posts) and let nothing but our own files run."""
    if request.path != "/" and not request.path.startswith("/page/"):
        return await handler(request)
    try:
        if not _is_loopback(request.host):
            raise Refusal(403, "forbidden_host")
        if request.method != "GET" and request.headers.get("Origin") != f"http://{request.host}":
            raise Refusal(403, "forbidden_origin")
        response = await handler(request)
    except Refusal as refusal:
        response = web.json_response(refusal.answer, status=refusal.status)
    if not response.prepared:
        response.headers.update(_SECURITY_HEADERS)
    return response


_SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class PageApi:
    """Shows one person their workspace, and acts for them through `Interactions`.

    `moves`: whether somebody can put the clock forward. `world` is another one after each start: nothing a page
    remembers of an earlier one is there any more.
    """

    platform: Platform
    interactions: Interactions
    moves: bool = False
    world: str = field(default_factory=lambda: secrets.token_hex(8))

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self.index),
            web.get("/page/api/state", self.state),
            web.get("/page/api/messages", self.messages),
            web.get("/page/api/stream", self.stream),
            web.get("/page/api/file/{file}", self.file),
            web.post("/page/api/command", self.command),
            web.post("/page/api/say", self.say),
            web.post("/page/api/upload", self.upload),
            web.post("/page/api/click", self.click),
            web.post("/page/api/suggest", self.suggest),
            web.post("/page/api/submit", self.submit),
            web.post("/page/api/close", self.close),
            web.post("/page/api/shortcut", self.shortcut),
            web.post("/page/api/home", self.home),
            web.post("/page/api/read", self.read),
            web.get("/page/{file:.+}", self.static),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        return _static("index.html")

    async def static(self, request: web.Request) -> web.Response:
        return _static(request.match_info["file"])

    async def state(self, request: web.Request) -> web.Response:
        workspace, app = self.platform.workspace, self.platform.app
        me = self._newcomer(request.query.get("as", ""))
        return web.json_response(
            {
                "workspace": {"id": workspace.id, "name": workspace.name},
                "front": workspace.front,
                "me": me.id,
                "people": [_person_json(person) for person in workspace.people.values()],
                "channels": [
                    _channel_json(channel, me)
                    for channel in workspace.channels.values()
                    if me.id in channel.members
                ],
                "groups": [{"id": group.id, "handle": group.handle} for group in workspace.groups.values()],
                "commands": [
                    {key: known.get(key, "") for key in ("command", "description", "usage_hint")}
                    for known in app.commands
                ],
                "shortcuts": [
                    {key: known.get(key, "") for key in ("name", "type", "callback_id", "description")}
                    for known in app.shortcuts
                ],
                "app": {
                    "id": app.id,
                    "name": app.name,
                    "bot_user_id": app.bot_user_id,
                    "home_tab": app.has_home_tab,
                    "connected": self.platform.delivery.is_connected,
                },
                "modal": [self.platform.view_json(view) for view in self.platform.views.stack(me.id)],
                "now": self.platform.now().timestamp(),
                "moves": self.moves,
                "world": self.world,
            }
        )

    async def messages(self, request: web.Request) -> web.Response:
        me = self._person(request.query.get("as"))
        channel = self._channel(me, request.query.get("channel"))
        thread, before = request.query.get("thread_ts"), request.query.get("before")
        shown = [
            post
            for post in channel.seen_by(me.id)
            if (thread in (post.ts, post.message.get("thread_ts")) if thread else not post.is_in_thread)
            and (before is None or post.ts < before)
        ]
        if channel.is_dm and not thread and not before:
            self.platform.delivery.later(self.interactions.open_messages(me))
        latest = [_message_json(post) for post in shown[-MESSAGES:]]
        return web.json_response({"messages": latest, "more": len(shown) > MESSAGES})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events for one person, until they go away or the sandbox stops."""
        me = self._person(request.query.get("as"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_SECURITY_HEADERS})
        await response.prepare(request)
        watcher = self.platform.workspace.news.watch(me.id, wire=request.query.get("wire") == "1")
        numbers = count(1)
        try:
            await response.write(f"retry: {RECONNECT_MS}\n\n".encode())
            while True:
                try:
                    event = await asyncio.wait_for(watcher.queue.get(), PING_SECONDS)
                except TimeoutError:
                    await response.write(b": ping\n\n")
                    continue
                if event is None:
                    return response
                data = json.dumps(self._event_json(event), ensure_ascii=False)
                await response.write(f"id: {next(numbers)}\ndata: {data}\n\n".encode())
        except ConnectionError:
            return response
        finally:
            self.platform.workspace.news.unwatch(watcher)

    async def file(self, request: web.Request) -> web.Response:
        me = self._person(request.query.get("as"))
        file = self.platform.workspace.files.get(request.match_info["file"])
        channels = self.platform.workspace.channels
        if file is None or file.content is None or not any(me.id in channels[c].members for c in file.shares):
            raise Refusal(404, "file_not_found")
        response = web.Response(body=file.content)
        response.content_type = file.mimetype
        response.headers["Content-Disposition"] = "attachment"
        return response

    async def command(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        channel = self._channel(me, said.get("channel"))
        return _ack(await self.interactions.command(me, channel, str(said.get("text", ""))))

    async def say(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        channel, text = self._channel(me, said.get("channel")), str(said.get("text", "")).strip()
        if not text:
            raise Refusal(400, "no_text")
        return _ack(await self.interactions.say(me, channel, text, said.get("thread_ts")))

    async def upload(self, request: web.Request) -> web.Response:
        """Share a file; the parts besides it are `as`, `channel`, and where wanted `thread_ts` and `text`."""
        try:
            form = await request.post()
        except web.HTTPRequestEntityTooLarge:
            raise Refusal(413, "file_too_large") from None
        me = self._person(form.get("as"))
        channel, file = self._channel(me, form.get("channel")), form.get("file")
        if not isinstance(file, web.FileField):
            raise Refusal(400, "no_file")
        ack = await self.interactions.upload(
            me,
            channel,
            name=file.filename,
            mimetype=file.content_type,
            content=file.file.read(),
            text=str(form.get("text") or "").strip(),
            thread_ts=str(form.get("thread_ts") or "") or None,
        )
        return _ack(ack)

    async def click(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        action = said.get("action")
        if not isinstance(action, dict):
            raise Refusal(400, "no_action")
        if "view_id" in said:
            view = self._view(me, said["view_id"])
            return _ack(await self.interactions.click_view(me, view, action, said.get("state")))
        return _ack(await self.interactions.click_message(me, self._post(me, said), action))

    async def suggest(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        place = self._view(me, said["view_id"]) if "view_id" in said else self._post(me, said)
        ack = await self.interactions.suggest(
            me, place, str(said.get("action_id")), str(said.get("value", "")), said.get("block_id")
        )
        return _ack(ack, **(ack.body or {} if ack.ok else {}))

    async def submit(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        ack = await self.interactions.submit(me, self._view(me, said.get("view_id")), said.get("state"))
        body = ack.body or {}
        facts = {"errors": body["errors"]} if body.get("response_action") == "errors" and ack.ok else {}
        return _ack(ack, response_action=body.get("response_action"), **facts)

    async def close(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        view = self._view(me, said.get("view_id"))
        return _ack(await self.interactions.close(me, view, everything=said.get("all") is True))

    async def shortcut(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        post = self._post(me, said) if said.get("ts") else None
        return _ack(await self.interactions.shortcut(me, str(said.get("callback_id")), post))

    async def home(self, request: web.Request) -> web.Response:
        _, me = await self._said(request)
        ack = await self.interactions.open_home(me)
        home = self.platform.views.homes.get(me.id)
        return _ack(ack, view=self.platform.view_json(home) if home else None)

    async def read(self, request: web.Request) -> web.Response:
        said, me = await self._said(request)
        channel = self._channel(me, said.get("channel"))
        channel.read_up_to[me.id] = max((post.ts for post in channel.seen_by(me.id)), default="")
        return web.json_response({"ok": True})

    async def _said(self, request: web.Request) -> tuple[Json, Person]:
        said = await said_in(request)
        return said, self._person(said.get("as"))

    def _newcomer(self, name: str) -> Person:
        """Whom to play at first: the person of this id or handle, else the first there is."""
        workspace = self.platform.workspace
        person = workspace.person(name)
        return workspace.humans[0] if person is None or person.is_bot else person

    def _person(self, name: object) -> Person:
        person = self.platform.workspace.people.get(str(name))
        if person is None or person.is_bot:
            raise Refusal(403, "unknown_person")
        return person

    def _channel(self, me: Person, name: object) -> Channel:
        channel = self.platform.workspace.channels.get(str(name))
        if channel is None or me.id not in channel.members:
            raise Refusal(404, "channel_not_found")
        return channel

    def _post(self, me: Person, said: Json) -> Post:
        post = self._channel(me, said.get("channel")).posts.get(str(said.get("ts")))
        if post is None or post.only_for not in (None, me.id):
            raise Refusal(404, "message_not_found")
        return post

    def _view(self, me: Person, view_id: object) -> View:
        view = self.platform.views.find(view_id=str(view_id))
        if view is None or view.person != me.id:
            raise Refusal(404, "view_not_found")
        return view

    def _event_json(self, event: Json) -> Json:
        match event["type"]:
            case "message" | "message_changed" | "message_deleted":
                return {
                    "type": event["type"],
                    "channel": event["channel"],
                    "message": _message_json(event["post"]),
                }
            case "views":
                return {"type": "views", "stack": [self.platform.view_json(view) for view in event["stack"]]}
            case "home":
                return {"type": "home", "view": self.platform.view_json(event["view"])}
            case _:
                return event


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _static(name: str) -> web.Response:
    """One of the page's own files, at whatever depth, but never outside its folder."""
    parts = name.split("/")
    if any(not part or part.startswith(".") for part in parts):
        raise Refusal(404, "not_found")
    kind = CONTENT_TYPES.get(name.rpartition(".")[2])
    file = files("bot.sandbox").joinpath("page", *parts)
    if kind is None or not file.is_file():
        raise Refusal(404, "not_found")
    charset = "utf-8" if kind.startswith("text/") or kind.endswith("json") else None
    return web.Response(body=file.read_bytes(), content_type=kind, charset=charset)


def _ack(ack: Ack, **facts: Any) -> web.Response:
    """What came of it. A refusal by the app is an answer too: 200, so that the console shows only our own faults."""
    answer: Json = {"ok": ack.ok, **facts}
    if not ack.ok:
        answer["error"] = ack.error
        if ack.detail:
            answer["detail"] = list(ack.detail)
    return web.json_response(answer)


def _message_json(post: Post) -> Json:
    message = post.as_seen()
    for file in message.get("files", ()):
        file["url"] = f"/page/api/file/{file['id']}"
    if not message["ephemeral"]:
        del message["ephemeral"]
    return message


def _person_json(person: Person) -> Json:
    return {
        "id": person.id,
        "name": person.name,
        "handle": person.handle,
        "role": person.role,
        "locale": person.locale,
        "tz": person.tz,
        "is_bot": person.is_bot,
    }


def _channel_json(channel: Channel, me: Person) -> Json:
    shown: Json = {
        "id": channel.id,
        "name": channel.name,
        "topic": channel.topic,
        "kind": "dm" if channel.is_dm else "channel",
        "unread": channel.unread_by(me.id),
        "last_ts": max((post.ts for post in channel.seen_by(me.id)), default=None),
    }
    if channel.is_dm:
        shown["with"] = next(member for member in channel.members if member != me.id)
    return shown
