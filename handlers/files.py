"""A file somebody shared: what Slack says of it, and its bytes. Nothing is fetched from anywhere but Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Rejected, Throttled, Unavailable
from bot.domain.preview import FileRefusal
from handlers import slack
from handlers.desk import call

PATIENCE: Final = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=30)
BLOCK: Final = 64 * 1024
_TALK: Final = ("image/", "video/", "audio/", "application/pdf")


class CannotFetch(Exception):
    """The file will not be had, however often one tries."""

    def __init__(self, code: str, file: SharedFile | None = None, *, detail: str = "") -> None:
        super().__init__(code)
        self.refusal = FileRefusal(code, detail)
        self.file = file


@dataclass(frozen=True, slots=True)
class SharedFile:
    """As Slack describes it (docs.slack.dev/reference/objects/file-object)."""

    name: str
    mimetype: str
    size: int
    url: str
    """Where its bytes are; empty for a file that is not kept at Slack."""
    thread_ts: str | None
    """The message it was shared with, or the one that message answers; None while Slack does not say."""

    @property
    def is_talk(self) -> bool:
        """Whether people share such a file to look at, rather than to have it read."""
        return self.mimetype.startswith(_TALK)


async def look_up(client: AsyncWebClient, file_id: str, *, channel: str) -> SharedFile:
    """What Slack says of a file that was shared in that channel. Raises CannotFetch, and our own errors."""
    try:
        answer = await call(client.files_info, file=file_id)
    except Rejected as error:
        if error.reason in ("file_not_found", "file_deleted"):
            raise CannotFetch("gone") from error
        if error.reason == "missing_scope":
            raise CannotFetch("no-scope") from error
        raise
    file: dict[str, Any] = answer["file"]
    is_kept = not file.get("is_external") and file.get("mode") not in ("external", "tombstone")
    return SharedFile(
        name=str(file.get("name") or file.get("title") or file_id),
        mimetype=str(file.get("mimetype") or ""),
        size=int(file.get("size") or 0),
        # Not url_private: Slack answers that with a redirect to another host for some kinds of file.
        url=str(file.get("url_private_download") or "") if is_kept else "",
        thread_ts=_thread(file, channel),
    )


async def download(client: AsyncWebClient, file: SharedFile, *, most: int) -> bytes:
    """The bytes, at most so many. Raises CannotFetch, Throttled or Unavailable (system `slack`)."""
    if not file.url:
        raise CannotFetch("not-at-slack", file)
    if not slack.is_slacks(file.url, client.base_url):
        raise CannotFetch("strange-address", file)
    if file.size > most:
        raise _too_large(file, most)
    headers = {"Authorization": f"Bearer {client.token}"}
    try:
        async with (
            _session(client) as session,
            session.get(
                file.url,
                headers=headers,
                allow_redirects=False,  # nobody else gets the token
                proxy=client.proxy,
                timeout=PATIENCE,
            ) as answer,
        ):
            _check(answer, file)
            content = bytearray()
            async for block in answer.content.iter_chunked(BLOCK):
                content += block
                if len(content) > most:  # whatever was said of its size
                    raise _too_large(file, most)
            return bytes(content)
    except slack.UNREACHABLE as error:
        raise Unavailable("slack", type(error).__name__) from error


def _too_large(file: SharedFile, most: int) -> CannotFetch:
    detail = f"The file has more than {most // 2**20} MB; export a smaller part."
    return CannotFetch("too_large", file, detail=detail)


def _check(answer: aiohttp.ClientResponse, file: SharedFile) -> None:
    """Slack answers with its sign-in page, or leads there, where the token may not read files."""
    if answer.status == 429:
        raise Throttled("slack", "ratelimited", 429)
    if answer.status == 404:
        raise CannotFetch("gone", file)
    if answer.status >= 500:
        raise Unavailable("slack", "files", answer.status)
    is_page = answer.content_type == "text/html" and file.mimetype != "text/html"
    if answer.status != 200 or is_page:
        raise CannotFetch("no-scope", file)


def _thread(file: dict[str, Any], channel: str) -> str | None:
    """The newest place in that channel where it was shared."""
    shares: dict[str, Any] = file.get("shares") or {}
    posts = [post for kind in ("public", "private") for post in (shares.get(kind) or {}).get(channel, ())]
    if not posts:
        return None
    newest = max(posts, key=lambda post: str(post.get("ts")))
    return str(newest.get("thread_ts") or newest["ts"])


@asynccontextmanager
async def _session(client: AsyncWebClient) -> AsyncIterator[aiohttp.ClientSession]:
    """The client's own where it has one."""
    if client.session is not None:
        yield client.session
        return
    async with aiohttp.ClientSession() as session:
        yield session
