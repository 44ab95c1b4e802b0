"""The daily posts: claimed per digest, channel and day, then posted; the pages of a long one, and its files."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond

from bot.domain.digest import Banner, OverdueDigest, is_late
from bot.domain.errors import NotFound, Rejected, Upstream
from bot.domain.people import Person
from bot.services.digests import overdue_key
from handlers import aging_chart, digest_files, errors, ids
from handlers.desk import Desk, call
from handlers.listeners import Listeners
from handlers.views import blocks
from handlers.views import digests as views
from handlers.views.translated import Card, offered

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.NEXT_PAGE)(partial(turn, desk, by=1))
    listen.action(ids.PREVIOUS_PAGE)(partial(turn, desk, by=-1))


async def post_overdue(desk: Desk, day: str) -> bool:
    """Post the overdue digest of that day (ISO) to its channel, unless it was; whether it was posted now."""
    channel = desk.channels.overdue
    if channel is None:
        log.warning("the overdue digest has no channel: set BACKSTOP_OVERDUE_CHANNEL")
        return False
    digest = await desk.backstop.digests.overdue(on=date.fromisoformat(day))
    digest = await _told_if_late(desk, digest, channel, posted_at=desk.backstop.now())

    # Drawn before it is claimed: a claim is for what Slack may have taken.
    text, body = views.summary(digest, desk.texts), _for_all(desk, digest)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=text, blocks=body, unfurl_links=False
        )
        return str(answer["channel"]), str(answer["ts"])

    key = overdue_key(channel, digest.on)
    posted = await desk.backstop.posts.once(key, post, channel=channel)
    if digest.on == desk.backstop.digests.today():
        await desk.backstop.digests.record(on=digest.on)
    if digest.debtors:
        await _attach_files(desk, key, digest)
    return posted


async def redraw_overdue(desk: Desk, day: str) -> None:
    """Show in the posted digest of that day what was said about a customer since; nothing where none was posted."""
    channel, on = desk.channels.overdue, date.fromisoformat(day)
    post = await desk.backstop.posts.find(overdue_key(channel, on)) if channel else None
    if channel is None or post is None or post.ts is None:
        return
    digest = await desk.backstop.digests.overdue(on=on)
    digest = await _told_if_late(desk, digest, channel, posted_at=post.claimed_at)
    await call(
        desk.client.chat_update,
        channel=post.channel,
        ts=post.ts,
        text=views.summary(digest, desk.texts),
        blocks=_for_all(desk, digest),
    )


def _for_all(desk: Desk, digest: OverdueDigest) -> list[blocks.Block]:
    """As it stands in the channel."""
    return offered(views.overdue(digest, desk.texts), Card.OVERDUE, digest.on.isoformat(), desk.texts)


async def say_overdue_is_late(desk: Desk, day: str) -> None:
    """Tell the approvals channel, once, that the digest of that day has not been posted although it is due."""
    approvals, channel, on = desk.channels.approvals, desk.channels.overdue, date.fromisoformat(day)
    due = desk.overdue_due()
    if approvals is None or channel is None or due is None or due.date() != on:
        return
    if not await desk.backstop.digests.is_missing(channel, due):
        return
    texts = desk.texts
    facts = {"day": texts.day(on), "due": _clock(due), "channel": blocks.channel(channel)}
    said = texts.mrkdwn("overdue-late", **facts)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage,
            channel=approvals,
            text=said,
            blocks=[blocks.section(f"⚠ {said}")],
        )
        return str(answer["channel"]), str(answer["ts"])

    await desk.backstop.posts.once(f"late:{overdue_key(channel, on)}", post, channel=approvals)


async def turn(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond, *, by: int) -> None:
    """Show the next page to whoever clicked; the post in the channel stays as it is for the others."""
    person = await desk.people.who_looks(body)
    person.must_read()
    value = str(body["actions"][0].get("value") or "")
    day, _, page = value.partition(":")
    try:
        on, number = date.fromisoformat(day), int(page) + by
    except ValueError:
        raise NotFound("page", value) from None
    await ack()
    work = _show(desk, body, person, respond, on, number)
    desk.after_ack(errors.behind_ack(desk, body, person, work, respond, attempted=ids.NEXT_PAGE))


async def _show(
    desk: Desk, body: dict[str, Any], person: Person, respond: AsyncRespond, on: date, page: int
) -> None:
    texts = desk.texts_for(person)
    digest = await desk.backstop.digests.overdue(on=on)
    words, shown = views.summary(digest, texts), views.overdue(digest, texts, page=page)
    ephemeral = bool((body.get("container") or {}).get("is_ephemeral"))
    await errors.tell(desk, body, words, respond, shown=shown, replaces=ephemeral)


async def _told_if_late(
    desk: Desk, digest: OverdueDigest, channel: str, *, posted_at: datetime
) -> OverdueDigest:
    """The digest, saying so where it was posted late. A first digest ever was not waited for."""
    due = desk.overdue_due()
    if due is None or due.date() != digest.on or not is_late(due, posted_at):
        return digest
    if not await desk.backstop.digests.posted_before(channel, digest.on):
        return digest
    facts = {"due": _clock(due), "posted": _clock(posted_at.astimezone(due.tzinfo))}
    return replace(digest, banners=(*digest.banners, Banner("late", facts)))


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M")


async def _attach_files(desk: Desk, key: str, digest: OverdueDigest) -> None:
    """The chart and the whole list in the thread, each once; the digest does not fail with them."""
    posted = await desk.backstop.posts.find(key)
    if posted is None or posted.ts is None:
        return
    texts, name = desk.texts, f"overdue-{digest.on.isoformat()}"
    words = aging_chart.in_words(digest.totals, texts)
    if not await _drawn_by_slack(desk, f"chart:{key}", posted.channel, posted.ts, digest, words):
        try:
            picture = await asyncio.to_thread(aging_chart.picture, digest.totals, texts)
        except Exception:
            log.exception("the aging chart could not be drawn; the digest goes without it")
            picture = None
        if picture:
            chart = {
                "content": picture,
                "filename": f"{name}-aging.png",
                "title": texts("chart-title", day=texts.day(digest.on)),
                "alt_txt": blocks.shortened(words, aging_chart.ALT_TEXT),
            }
            await _attach(desk, f"chart:{key}", posted.channel, posted.ts, [chart], words)
    csv = await asyncio.to_thread(digest_files.as_csv, digest, texts)
    xlsx = await asyncio.to_thread(digest_files.as_xlsx, digest, texts)
    title = texts("overdue-file", day=texts.day(digest.on))
    lists = [
        {"content": xlsx, "filename": f"{name}.xlsx", "title": f"{title} (XLSX)"},
        {"content": csv, "filename": f"{name}.csv", "title": f"{title} (CSV)"},
    ]
    await _attach(desk, f"list:{key}", posted.channel, posted.ts, lists, title)


async def _drawn_by_slack(
    desk: Desk, key: str, channel: str, ts: str, digest: OverdueDigest, words: str
) -> bool:
    """Whether Slack draws the chart itself, or may; False where a picture is wanted, as for a Slack that cannot yet."""
    charts = aging_chart.native(digest.totals, desk.texts) if desk.native_charts else None
    if charts is None:
        return False
    shown = [*charts, blocks.verbatim(words)]

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, thread_ts=ts, text=words, blocks=shown
        )
        return channel, str(answer["ts"])

    try:
        await desk.backstop.posts.once(key, post, channel=channel)
    except Rejected as error:
        log.info("Slack takes no chart: %s", error.reason)
        return error.reason != "invalid_blocks"
    except Upstream as error:
        log.warning("the chart could not be posted: %s", error.reason)
    return True


async def _attach(
    desk: Desk, key: str, channel: str, ts: str, files: list[dict[str, Any]], comment: str
) -> None:
    async def upload() -> tuple[str, str]:
        await call(
            desk.client.files_upload_v2,
            channel=channel,
            thread_ts=ts,
            initial_comment=comment,
            file_uploads=files,
        )
        return channel, ts

    try:
        await desk.backstop.posts.once(key, upload, channel=channel)
    except Upstream as error:
        log.warning("%s could not be attached: %s", files[0]["filename"], error.reason)
