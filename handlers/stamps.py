"""The report on rubber stamps: for auditors and admins at any time, and in the approvals channel once a month."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from bot.domain.people import Person, Right
from handlers.desk import Desk, call
from handlers.views import blocks
from handlers.views.stamps import stamps, summary

DAYS = 30


async def show(desk: Desk, person: Person) -> list[blocks.Block]:
    """Of the last days."""
    person.must(Right.AUDIT if Right.ADMINISTER not in person.rights else Right.ADMINISTER)
    until = desk.backstop.now()
    found = await desk.backstop.requests.stamps(since=until - timedelta(days=DAYS), until=until)
    return stamps(found, desk.texts_for(person))


async def post(desk: Desk, month: str) -> None:
    """Of the month before the one that begins with that day, once; where it says nothing, nothing is posted."""
    channel, zone = desk.channels.approvals, desk.backstop.zone
    if channel is None:
        return
    until = datetime.combine(datetime.fromisoformat(month).date().replace(day=1), time(), zone)
    since = (until - timedelta(days=1)).replace(day=1)
    found = await desk.backstop.requests.stamps(since=since, until=until)
    if not found.approvals:
        return

    async def send() -> tuple[str, str]:
        said, body = summary(found, desk.texts), stamps(found, desk.texts)
        posted = await call(desk.client.chat_postMessage, channel=channel, text=said, blocks=body)
        return channel, str(posted["ts"])

    await desk.backstop.posts.once(f"stamps:{since.date()}", send, channel=channel)
