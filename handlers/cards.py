"""A card: a message posted once, and redrawn until it shows the newest state of what it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import NotFound
from handlers.desk import Desk, call
from handlers.views import blocks


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a card shows of one version of its thing."""

    version: int
    said: str
    """The headline, escaped: for notifications, and where blocks are not shown."""
    body: list[blocks.Block]


Draw = Callable[[], Awaitable[Drawing]]
"""Draws the thing as it is now; raises NotFound where there is none."""


async def show(desk: Desk, key: str, draw: Draw, *, channel: str, thread_ts: str | None = None) -> None:
    """Post the card, or redraw it; somebody may change the thing meanwhile, so until what is shown is what is.

    It is posted in a thread where one is given.
    Of one process only one draws it at a time: else an older drawing could arrive last.
    """
    lock = desk.drawing[key]
    async with lock:
        await _show(desk, key, draw, channel=channel, thread_ts=thread_ts)
    if not lock.locked():
        desk.drawing.pop(key, None)


async def _show(desk: Desk, key: str, draw: Draw, *, channel: str, thread_ts: str | None) -> None:
    posts, first = desk.backstop.posts, await draw()

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage,
            channel=channel,
            thread_ts=thread_ts,
            text=first.said,
            blocks=first.body,
            unfurl_links=False,
        )
        return str(answer["channel"]), str(answer["ts"])

    if await posts.at_least_once(key, post, channel=channel):
        await posts.drawn(key, version=first.version)
    while (posted := await posts.find(key)) and posted.ts:
        drawing = await draw()
        if posted.drawn == drawing.version:
            return
        await _update(desk, drawing, channel=posted.channel, ts=posted.ts)
        await posts.drawn(key, version=drawing.version)


async def redraw(desk: Desk, key: str, draw: Draw) -> None:
    """Draw the card once more though its thing is as it was: a time that it names has come."""
    lock = desk.drawing[key]
    async with lock:  # else what somebody drew before that time could arrive last
        posted = await desk.backstop.posts.find(key)
        if posted and posted.ts:
            await _update(desk, await draw(), channel=posted.channel, ts=posted.ts)
    if not lock.locked():
        desk.drawing.pop(key, None)


@contextmanager
def brought_up_to_date(desk: Desk, body: dict[str, Any], key: str, draw: Draw) -> Iterator[None]:
    """Whatever comes of the click, its message is brought up to date: it may be a second copy of the card.

    The card itself is redrawn by the job that follows from what the click changed. Not so of a refused click: its
    message showed what is not any more, whatever we noted, as of two processes that draw at once the older drawing
    may reach Slack last.
    """
    refused = True
    try:
        yield
        refused = False
    finally:
        channel, ts = (body.get("channel") or {}).get("id"), (body.get("message") or {}).get("ts")
        if channel and ts:
            desk.after_ack(_redraw(desk, key, draw, channel=str(channel), ts=str(ts), is_behind=refused))


async def _redraw(desk: Desk, key: str, draw: Draw, *, channel: str, ts: str, is_behind: bool) -> None:
    """Bring a message up to date, unless it is the card and somebody else does."""
    posted = await desk.backstop.posts.find(key)
    if not is_behind and posted and posted.ts == ts:
        return
    try:
        drawing = await draw()
    except NotFound:
        return
    await _update(desk, drawing, channel=channel, ts=ts)


async def _update(desk: Desk, drawing: Drawing, *, channel: str, ts: str) -> None:
    await call(desk.client.chat_update, channel=channel, ts=ts, text=drawing.said, blocks=drawing.body)
