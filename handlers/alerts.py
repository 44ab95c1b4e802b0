"""A severe case told at once: its message is posted once each time it wakes, and shows what was said of it since."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Sequence

from bot.domain.errors import NotFound, Upstream
from bot.domain.signal import Severity
from bot.domain.suspicious import CaseLine
from handlers.desk import Desk, call
from handlers.views import blocks
from handlers.views import suspicious as views

log = logging.getLogger(__name__)


async def tell_case(desk: Desk, case_id: str, said: int) -> None:
    """Tell of one case at once, with a message of its own; once for each time it wakes (`said` counts the verdicts).

    Nothing where the digest told of it, and nothing of one that was settled or is not severe any more.
    """
    channel = desk.channels.suspicious
    if channel is None:
        log.warning("a severe case has no channel: set BACKSTOP_SUSPICIOUS_CHANNEL")
        return
    key = _key(case_id, said)
    if await desk.backstop.posts.find(key):
        return
    try:
        line = await desk.backstop.cases.get(case_id)
    except NotFound:
        return
    if not line.case.is_open or line.case.severity is not Severity.HIGH or len(line.case.earlier) != said:
        return
    text, body = _drawn(desk, line)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=text, blocks=body, unfurl_links=False
        )
        return str(answer["channel"]), str(answer["ts"])

    if await desk.backstop.posts.once(key, post, channel=channel):
        await desk.backstop.posts.drawn(key, version=_mark(body))


async def told_by(desk: Desk, channel: str, ts: str, lines: Iterable[CaseLine]) -> None:
    """Take the severe cases among these for told: the message of the digest they stand in claims their keys."""

    async def there() -> tuple[str, str]:
        return channel, ts

    for line in lines:
        if line.case.severity is Severity.HIGH:
            await desk.backstop.posts.once(_key(line.case.id, len(line.case.earlier)), there, channel=channel)


async def redraw(desk: Desk, line: CaseLine) -> None:
    """The newest message of this case, where it has one of its own that does not say so yet."""
    post = await desk.backstop.posts.latest(f"case:{line.case.id}:")
    if (
        post is None or post.ts is None or post.drawn is None
    ):  # without a mark it is the digest's, not its own
        return
    text, body = _drawn(desk, line)
    if post.drawn == _mark(body):
        return
    try:
        await call(desk.client.chat_update, channel=post.channel, ts=post.ts, text=text, blocks=body)
    except Upstream as error:
        log.warning("the message of case %s could not be redrawn: %s", line.case.id, error.reason)
    else:
        await desk.backstop.posts.drawn(post.key, version=_mark(body))


def _drawn(desk: Desk, line: CaseLine) -> tuple[str, list[blocks.Block]]:
    on = desk.backstop.digests.today()
    return views.alert_summary(line, desk.texts), views.alert(line, desk.texts, on=on)


def _key(case_id: str, said: int) -> str:
    return f"case:{case_id}:{said}"


def _mark(body: Sequence[blocks.Block]) -> int:
    """By which it is known whether a message shows the same."""
    return zlib.crc32(json.dumps(body, sort_keys=True).encode()) & 0x7FFFFFFF
