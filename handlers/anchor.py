"""The daily anchor: the head of the audit trail's chain, posted where nobody who reaches the database can change it."""

from __future__ import annotations

import logging
from datetime import date

from handlers.desk import Desk, call
from handlers.views import audit as views

log = logging.getLogger(__name__)


def anchor_key(channel: str, day: date) -> str:
    """One post per channel and day."""
    return f"anchor:{channel}:{day.isoformat()}"


async def post_anchor(desk: Desk, day: str) -> bool:
    """Post the anchor of that day (ISO) unless it was; whether it was posted now.

    The trail has it before Slack has: of one that Slack refused the trail tells, too, and the next try posts the same.
    """
    channel, on = desk.channels.audit, date.fromisoformat(day)
    if channel is None:
        log.warning("the audit trail's anchor has no channel: set BACKSTOP_AUDIT_CHANNEL")
        return False
    anchor = await desk.backstop.audit.anchor(on)
    if anchor is None:
        return False
    text, body = views.anchor_in_words(anchor, on, desk.texts), views.anchor(anchor, on, desk.texts)

    async def post() -> tuple[str, str]:
        answer = await call(
            desk.client.chat_postMessage, channel=channel, text=text, blocks=body, unfurl_links=False
        )
        return str(answer["channel"]), str(answer["ts"])

    return await desk.backstop.posts.once(anchor_key(channel, on), post, channel=channel)
