"""The daily posts: claimed per digest, channel and day, then posted; and the pages of a long one."""

from __future__ import annotations

import csv
import io
import logging
from datetime import date
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.domain.digest import OverdueDigest
from bot.domain.errors import Upstream
from bot.receivables.reject_report import safe_cell
from bot.texts import Texts
from handlers import ids
from handlers.desk import Desk, call
from handlers.views import blocks
from handlers.views import digests as views

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    app.action(ids.NEXT_PAGE)(partial(turn, desk, by=1))
    app.action(ids.PREVIOUS_PAGE)(partial(turn, desk, by=-1))


async def post_overdue(desk: Desk, day: str) -> bool:
    """Post the overdue digest of that day (ISO) to its channel, unless it was; whether it was posted now."""
    channel = desk.channels.overdue
    if channel is None:
        log.warning("the overdue digest has no channel: set BACKSTOP_OVERDUE_CHANNEL")
        return False
    digest = await desk.backstop.digests.overdue(on=date.fromisoformat(day))

    # Drawn before it is claimed: a claim is for what Slack may have taken.
    text, body = views.summary(digest, desk.texts), views.overdue(digest, desk.texts)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=text, blocks=body, unfurl_links=False
        )
        return str(answer["channel"]), str(answer["ts"])

    key = overdue_key(channel, digest.on)
    posted = await desk.backstop.posts.once(key, post, channel=channel)
    if digest.on == desk.backstop.digests.today():
        await desk.backstop.digests.record(on=digest.on)
    if posted and len(digest.debtors) > views.PAGE:
        await _attach_list(desk, key, digest)
    return posted


def overdue_key(channel: str, day: date) -> str:
    """One post per digest, channel and day."""
    return f"digest:overdue:{channel}:{day.isoformat()}"


async def turn(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond, *, by: int) -> None:
    """Show the next page to whoever clicked; the post in the channel stays as it is for the others."""
    person = await desk.people.who_looks(body)
    day, _, page = str(body["actions"][0].get("value") or "").partition(":")
    await ack()
    texts = desk.texts_for(person)
    digest = await desk.backstop.digests.overdue(on=date.fromisoformat(day))
    ephemeral = bool((body.get("container") or {}).get("is_ephemeral"))
    await respond(
        response_type="ephemeral",
        replace_original=ephemeral,
        text=views.summary(digest, texts),
        blocks=views.overdue(digest, texts, page=int(page) + by),
    )


async def _attach_list(desk: Desk, key: str, digest: OverdueDigest) -> None:
    """The whole list as a file in the thread; the digest does not fail with it."""
    posted = await desk.backstop.posts.find(key)
    if posted is None or posted.ts is None:
        return
    try:
        await call(
            desk.client.files_upload_v2,
            channel=posted.channel,
            thread_ts=posted.ts,
            filename=f"overdue-{digest.on.isoformat()}.csv",
            title=desk.texts("overdue-file", day=desk.texts.day(digest.on)),
            content=as_csv(digest, desk.texts),
        )
    except Upstream as error:
        log.warning("the list could not be attached: %s", error.reason)


def as_csv(digest: OverdueDigest, texts: Texts) -> str:
    """A line per customer and currency; text that a spreadsheet would take for a formula is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        texts(f"column-{name}")
        for name in ("customer", "tenant", "currency", "overdue", "open", "disputed", "days", "stage")
    )
    for debtor in digest.debtors:
        for currency, balance in debtor.party.balances.items():
            writer.writerow(
                [
                    safe_cell(blocks.harmless(debtor.party.customer)),
                    safe_cell(debtor.customer.id if debtor.customer else debtor.party.tenant or ""),
                    currency,
                    balance.overdue,
                    balance.open,
                    balance.disputed,
                    debtor.party.oldest_days,
                    debtor.standing.stage.id if debtor.standing.stage else "",
                ]
            )
    return out.getvalue()
