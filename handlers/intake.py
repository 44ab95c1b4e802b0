"""A receivables export shared in Slack: fetched, shown for what it would do, and applied or discarded by a click."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import BackstopError, Invalid, NotFound, NotPermitted, Outsider, Rejected
from bot.domain.money import MINOR_UNITS
from bot.domain.preview import Preview, PreviewStatus, Reading
from bot.receivables.detect import LARGEST_FILE
from bot.texts import Texts, for_locale
from handlers import cards, errors, files, ids, slack
from handlers.cards import Drawing
from handlers.desk import Desk, call
from handlers.files import CannotFetch
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import blocks
from handlers.views import intake as views

EVENTS: Final = ("file_shared",)
"""It alone: with `files:read` it tells of files in direct messages and in channels, so no message has to be read."""
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it Excel takes a CSV file for one of the last century."""

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.event("file_shared")(partial(receive, desk))
    listen.action(ids.APPLY_EXPORT)(partial(apply, desk))
    listen.action(ids.DISCARD_EXPORT)(partial(discard, desk))
    listen.action(ids.EXPORT_SETTINGS)(partial(ask, desk))
    listen.view(ids.EXPORT_SETTINGS_FORM)(partial(read_as, desk))


# Taking it in


async def receive(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Remember a file that was shared with us or in the overdue channel; a worker fetches it.

    Of files we shared ourselves Slack tells as well; Bolt leaves those out.
    """
    event: dict[str, Any] = body["event"]
    channel, file_id = slack.place(body), str(event.get("file_id") or "")
    if not (file_id and _is_ours(desk, channel)):
        await ack()
        return
    try:
        await desk.backstop.previews.receive(
            file_id=file_id,
            event=str(body.get("event_id") or file_id),
            channel=channel,
            by=await desk.people.who_clicked(body),
        )
    except (NotPermitted, Outsider) as refusal:
        desk.after_ack(_refuse(desk, body, refusal, file_id))
    await ack()


async def _refuse(desk: Desk, body: dict[str, Any], refusal: NotPermitted | Outsider, file_id: str) -> None:
    """Tell them which right is missing; but people may go on talking in pictures."""
    channel = slack.place(body)
    try:
        file = await files.look_up(desk.client, file_id, channel=channel)
        if file.is_talk and not _is_direct(channel):
            return
    except (CannotFetch, BackstopError) as error:
        log.info("%s: %s", file_id, error)
    person = await desk.people.who_looks(body)
    words = await errors.words_for(desk, refusal, person=person, attempted="file_shared")
    await errors.tell(desk, body, words)


async def fetch_export(desk: Desk, preview_id: str) -> None:
    """Fetch the file, with the limits on its way; what is in the way for good is said on its card."""
    previews = desk.backstop.previews
    preview = await previews.get(preview_id)
    if preview.status is not PreviewStatus.RECEIVED:
        return
    try:
        file = await files.look_up(desk.client, preview.file_id, channel=preview.channel)
        if file.is_talk and not _is_direct(preview.channel):
            await previews.is_no_export(preview_id)
            return
        if file.thread_ts is None and await previews.fetch_later(preview):
            return
        content = await files.download(desk.client, file, most=LARGEST_FILE)
    except CannotFetch as error:
        known = error.file
        await previews.cannot_be_fetched(
            preview_id,
            error.refusal,
            file=known.name if known else "",
            thread_ts=known.thread_ts if known else None,
        )
        return
    await previews.fetched(preview_id, content, file=file.name, thread_ts=file.thread_ts)


# Showing it


async def show_preview(desk: Desk, preview_id: str) -> None:
    """Post the card in the file's thread, or redraw it as things stand; then the rows that could not be read."""
    preview = await desk.backstop.previews.get(preview_id)
    if preview.status is PreviewStatus.RECEIVED:
        return
    draw = partial(_drawn, desk, preview_id)
    await cards.show(desk, _key(preview_id), draw, channel=preview.channel, thread_ts=preview.thread_ts)
    await _attach_rejects(desk, preview)


async def _attach_rejects(desk: Desk, preview: Preview) -> None:
    """As a file in the thread, once for each reading."""
    previews, posts = desk.backstop.previews, desk.backstop.posts
    report, card = await previews.report(preview.id), await posts.find(_key(preview.id))
    if not report or card is None or card.ts is None:
        return
    thread, texts = preview.thread_ts or card.ts, await _texts(desk, preview)

    async def send() -> tuple[str, str]:
        answer = await call(
            desk.client.files_upload_v2,
            channel=preview.channel,
            thread_ts=thread,
            filename=texts("import-rejects-file"),
            title=texts("import-rejects-title", file=blocks.harmless(preview.file)),
            content=BYTE_ORDER_MARK + report,
        )
        return preview.channel, str(answer["files"][0]["id"])

    key = f"{_key(preview.id)}:rejects:{preview.seal}"
    try:
        await posts.at_least_once(key, send, channel=preview.channel)
    except Rejected as error:  # the card counts them in any case
        log.warning("the rejects of %s could not be attached: %s", preview.id, error.reason)
        await previews.report_is_given(preview.id)
        return
    attached = await posts.find(key)
    if attached and attached.ts:
        await previews.report_is_given(preview.id)


# What people say to it


@dataclass(frozen=True, slots=True)
class Clicked:
    """What a button of the card is bound to: the preview, the file's hash, and how it was read and compared."""

    id: str
    sha256: str
    seal: str

    @classmethod
    def read(cls, value: str) -> Clicked:
        try:
            preview_id, sha256, seal = value.split(":")
        except ValueError:
            raise NotFound("preview", value) from None
        return cls(preview_id, sha256, seal)


async def apply(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The right is read at this click, and it counts for nothing but what the card shows."""
    clicked = _clicked(body)
    person = await desk.people.who_clicked(body)
    with cards.brought_up_to_date(desk, body, _key(clicked.id), partial(_drawn, desk, clicked.id)):
        await desk.backstop.previews.apply(clicked.id, by=person, sha256=clicked.sha256, seal=clicked.seal)
    await ack()  # what was acknowledged is already in the database


async def discard(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    clicked = _clicked(body)
    person = await desk.people.who_clicked(body)
    with cards.brought_up_to_date(desk, body, _key(clicked.id), partial(_drawn, desk, clicked.id)):
        await desk.backstop.previews.discard(clicked.id, by=person)
    await ack()


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Show how it was read, to be changed; the right is read again when the form is sent."""
    clicked = _clicked(body)
    person = await desk.people.who_clicked(body)
    with cards.brought_up_to_date(desk, body, _key(clicked.id), partial(_drawn, desk, clicked.id)):
        preview = await desk.backstop.previews.may_decide(clicked.id, by=person, seal=clicked.seal)
    await ack()
    view = views.settings_form(preview, desk.texts_for(person))
    desk.after_ack(errors.opened(desk, body, person, view, attempted=ids.EXPORT_SETTINGS_FORM))


async def read_as(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Have it read as the form says; a new preview takes the old one's place."""
    view = body["view"]
    clicked = Clicked.read(str(view.get("private_metadata") or ""))
    person = await desk.people.who_clicked(body)
    preview = await desk.backstop.previews.may_decide(clicked.id, by=person, seal=clicked.seal)
    reading = _reading(view, preview, today=desk.backstop.previews.today())
    last = await desk.backstop.receivables.last_file()
    if last and last.as_of > reading.as_of:
        day = desk.texts_for(person).day(last.as_of)
        raise Invalid(ids.EXPORT_AS_OF, "older-than-books", {"day": day})
    await desk.backstop.previews.read_as(clicked.id, reading, by=person, seal=clicked.seal)
    await ack()


def _reading(view: dict[str, Any], preview: Preview, *, today: date) -> Reading:
    """What was filled in. Raises Invalid under the field that is wrong, or missing where it was asked for."""
    try:
        as_of = date.fromisoformat(str(given(view, ids.EXPORT_AS_OF).get("selected_date") or ""))
    except ValueError:
        raise Invalid(ids.EXPORT_AS_OF, "missing") from None
    if as_of > today:
        raise Invalid(ids.EXPORT_AS_OF, "in-the-future")
    currency = str(given(view, ids.EXPORT_CURRENCY).get("value") or "").strip().upper()
    if currency and currency not in MINOR_UNITS:
        raise Invalid(ids.EXPORT_CURRENCY, "no-currency")
    order = chosen(view, ids.EXPORT_DATE_ORDER)
    asked = preview.refusal.code if preview.refusal else ""
    if asked == "missing_currency" and not currency:
        raise Invalid(ids.EXPORT_CURRENCY, "missing")
    if asked == "ambiguous_date_order" and order not in ("DMY", "MDY"):
        raise Invalid(ids.EXPORT_DATE_ORDER, "missing")
    return Reading(
        as_of=as_of,
        mode="merge" if chosen(view, ids.EXPORT_MODE) == "merge" else "snapshot",
        currency=currency or None,
        date_order="DMY" if order == "DMY" else "MDY" if order == "MDY" else None,
    )


def _clicked(body: dict[str, Any]) -> Clicked:
    return Clicked.read(str(body["actions"][0].get("value") or ""))


def _is_direct(channel: str) -> bool:
    return channel.startswith("D")


def _is_ours(desk: Desk, channel: str) -> bool:
    """A message to the app, or the channel where the books are talked about."""
    return _is_direct(channel) or (bool(channel) and channel == desk.channels.overdue)


def _key(preview_id: str) -> str:
    return f"import:{preview_id}"


async def _texts(desk: Desk, preview: Preview) -> Texts:
    """In a direct message the person's own language."""
    if not _is_direct(preview.channel):
        return desk.texts
    return for_locale(await desk.people.language_of(preview.shared_by), default=desk.language)


async def _drawn(desk: Desk, preview_id: str) -> Drawing:
    """Its card as it is now, or NotFound."""
    preview = await desk.backstop.previews.get(preview_id)
    texts = await _texts(desk, preview)
    said = blocks.escaped(views.headline(preview, texts))
    return Drawing(preview.version, said, views.preview_card(preview, texts))
