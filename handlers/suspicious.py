"""What looks wrong, told: the daily post, a severe case at once, their pages, and reports by people."""

from __future__ import annotations

import asyncio
import logging
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncRespond

from bot.domain.case import Case
from bot.domain.errors import BackstopError, Invalid, NotFound, Upstream
from bot.domain.people import Person, Right
from bot.domain.signal import Severity
from bot.domain.suspicious import SuspiciousDigest
from bot.services.cases import suspicious_key
from handlers import alerts, errors, ids, slack, spend_chart
from handlers.alerts import tell_case
from handlers.command import Shortcut
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.views import blocks, forms, triage
from handlers.views import suspicious as views
from handlers.views.translated import Card, offered

SHORTCUT = Shortcut(
    callback_id=ids.REPORT_SHORTCUT,
    name="Report a suspicion",
    about="Tell that something is wrong with a customer",
    on_message=True,
)
STILL_POSTING: Final = timedelta(minutes=1)
"""So long whoever posts the digest may be at telling which cases were in it."""
LINK_SECONDS: Final = 1.0

__all__ = ["post_suspicious", "redraw_suspicious", "register", "tell_case"]

log = logging.getLogger(__name__)


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.SUSPICIOUS_NEXT)(partial(turn, desk, by=1))
    listen.action(ids.SUSPICIOUS_PREVIOUS)(partial(turn, desk, by=-1))
    listen.message_shortcut(ids.REPORT_SHORTCUT)(partial(ask_what_is_wrong, desk))
    listen.options(ids.REPORTED_CUSTOMER)(partial(suggest_customers, desk))
    listen.view(ids.REPORT_FORM)(partial(report, desk))


async def post_suspicious(desk: Desk, day: str) -> bool:
    """Post the digest of that day (ISO) to its channel, unless it was; whether it was posted now.

    Today's cases are written down first. A severe one that stands in the digest is told by it, once and for all;
    one that came to be so later has a message of its own.
    """
    channel = desk.channels.suspicious
    if channel is None:
        log.warning("the suspicious-activity digest has no channel: set BACKSTOP_SUSPICIOUS_CHANNEL")
        return False
    on = date.fromisoformat(day)
    is_today = on == desk.backstop.digests.today()
    urgent = await desk.backstop.cases.record() if is_today else ()
    digest = await desk.backstop.cases.digest(on=on)

    # Drawn before it is claimed: a claim is for what Slack may have taken.
    text, body = views.summary(digest, desk.texts), _for_all(desk, digest)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=text, blocks=body, unfurl_links=False
        )
        return str(answer["channel"]), str(answer["ts"])

    key = suspicious_key(channel, on)
    posted = await desk.backstop.posts.once(key, post, channel=channel)
    if posted and is_today:
        told = await desk.backstop.posts.find(key)
        if told is not None and told.ts is not None:
            await alerts.told_by(desk, told.channel, told.ts, digest.cases)
    if is_today and (posted or not await _is_being_posted(desk, key)):
        for case in urgent:
            await tell_case(desk, case.id, len(case.earlier))
    await _attach_chart(desk, key, digest)
    return posted


async def redraw_suspicious(desk: Desk, day: str) -> None:
    """Show what was said of a case since, in the posted digest of that day and in the messages of single cases."""
    channel, on = desk.channels.suspicious, date.fromisoformat(day)
    if channel is None:
        return
    digest = await desk.backstop.cases.digest(on=on)
    post = await desk.backstop.posts.find(suspicious_key(channel, on))
    if post is not None and post.ts is not None:
        await call(
            desk.client.chat_update,
            channel=post.channel,
            ts=post.ts,
            text=views.summary(digest, desk.texts),
            blocks=_for_all(desk, digest),
        )
    if on == desk.backstop.digests.today():
        for line in (*digest.cases, *digest.settled):
            await alerts.redraw(desk, line)


def _for_all(desk: Desk, digest: SuspiciousDigest) -> list[blocks.Block]:
    """As it stands in the channel."""
    return offered(views.suspicious(digest, desk.texts), Card.SUSPICIOUS, digest.on.isoformat(), desk.texts)


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
    desk.after_ack(errors.behind_ack(desk, body, person, work, respond, attempted=ids.SUSPICIOUS_NEXT))


async def ask_what_is_wrong(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The form to report what a message says; only for those who may settle cases."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    await ack()
    message = body.get("message") or {}
    kept = f"{slack.place(body)} {message.get('ts') or ''}"
    form = triage.report_form(str(message.get("text") or ""), desk.texts_for(person), kept=kept)
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.REPORT_FORM))


async def suggest_customers(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    found = await desk.backstop.customers.search(str(body.get("value") or "").strip())
    await ack(options=forms.options(forms.customer_option(customer) for customer in found))


async def report(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Write it down, with the way back to the message; the same form sent twice reports once."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    view = body["view"]
    customer_id = chosen(view, ids.REPORTED_CUSTOMER)
    if not customer_id:
        raise Invalid(ids.CUSTOMER, "missing")
    words = str(given(view, ids.REPORTED_WORDS).get("value") or "").strip()[: triage.WORDS]
    channel, _, ts = str(view.get("private_metadata") or "").partition(" ")
    link = await _link(desk, channel, ts)
    case = await desk.backstop.cases.report(
        customer_id, by=person, words=words, id=str(view["id"]), link=link
    )
    await ack()
    where = {"user": body["user"], "channel": {"id": channel}}
    desk.after_ack(
        errors.behind_ack(
            desk, where, person, _reported(desk, where, person, case), attempted=ids.SUSPICIOUS_NEXT
        )
    )


async def _reported(desk: Desk, where: dict[str, Any], person: Person, case: Case | None) -> None:
    texts = desk.texts_for(person)
    if case is None:
        await errors.tell(desk, where, texts("reported-no-case"))
        return
    said = texts.mrkdwn(
        "reported", customer=views.customer_name(case, texts), severity=views.severity_words(case, texts)
    )
    await errors.tell(desk, where, said)
    if case.is_open and case.severity is Severity.HIGH:
        await tell_case(desk, case.id, len(case.earlier))


async def _link(desk: Desk, channel: str, ts: str) -> str:
    """The way to the message; nothing where Slack does not tell it in time: the words are what counts."""
    if not channel or not ts:
        return ""
    try:
        async with asyncio.timeout(LINK_SECONDS):
            answer = await call(desk.client.chat_getPermalink, channel=channel, message_ts=ts)
    except (BackstopError, TimeoutError) as error:
        log.info("no link to the message that was reported: %s", type(error).__name__)
        return ""
    return str(answer.get("permalink") or "")


async def _is_being_posted(desk: Desk, key: str) -> bool:
    """Whether somebody else posted the digest just now: which cases it told of is theirs to say."""
    post = await desk.backstop.posts.find(key)
    return post is not None and desk.backstop.now() - post.claimed_at < STILL_POSTING


async def _show(
    desk: Desk, body: dict[str, Any], person: Person, respond: AsyncRespond, on: date, page: int
) -> None:
    texts = desk.texts_for(person)
    digest = await desk.backstop.cases.digest(on=on)
    words, shown = views.summary(digest, texts), views.suspicious(digest, texts, page=page)
    ephemeral = bool((body.get("container") or {}).get("is_ephemeral"))
    await errors.tell(desk, body, words, respond, shown=shown, replaces=ephemeral)


async def _attach_chart(desk: Desk, key: str, digest: SuspiciousDigest) -> None:
    """What the worst customers spend, in the thread and once; the digest does not fail with it."""
    post = await desk.backstop.posts.find(key)
    if post is None or post.ts is None or not digest.cases:
        return
    texts = desk.texts
    try:
        panels = await asyncio.to_thread(spend_chart.panels, digest.cases, on=digest.on)
        picture = await asyncio.to_thread(spend_chart.picture, panels, texts)
    except Exception:
        log.exception("the chart of spend could not be drawn; the digest goes without it")
        return
    if picture is None:
        return
    words, comment = spend_chart.in_words(panels, texts), spend_chart.comment(panels, texts)
    file = {
        "content": picture,
        "filename": f"suspicious-{digest.on.isoformat()}-spend.png",
        "title": texts("spend-title", day=texts.day(digest.on)),
        "alt_txt": blocks.shortened(words, spend_chart.ALT_TEXT),
    }

    async def upload() -> tuple[str, str]:
        await call(
            desk.client.files_upload_v2,
            channel=post.channel,
            thread_ts=post.ts,
            initial_comment=comment,
            file_uploads=[file],
        )
        return post.channel, str(post.ts)

    try:
        await desk.backstop.posts.once(f"chart:{key}", upload, channel=post.channel)
    except Upstream as error:
        log.warning("%s could not be attached: %s", file["filename"], error.reason)
