"""Showing what has to be read first: within Slack's patience at once, else in a view that waits and is filled later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import ConfirmationOutdated, Rejected, Unavailable, Upstream
from bot.domain.people import Person
from handlers import errors
from handlers.desk import Desk, call
from handlers.views.blocks import View
from handlers.views.errors import view as refusal

PATIENCE_SECONDS: Final = 1.2
"""So long Slack waits for our ack while we read live; after it the person sees that we are still reading."""
PUSHED_WITHIN: Final = (0.1, 0.3, 1.0, 2.0)
"""Seconds between the tries to fill a view that Slack may still be pushing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A view that is shown while something is read. Its `external_id` is how it is found again."""

    view: View
    person: Person
    attempted: str
    """What the person is at, for the log and the audit trail."""

    @property
    def id(self) -> str:
        return str(self.view["external_id"])


async def newest(reading: Awaitable[View], still: Callable[[], Awaitable[object]]) -> View:
    """What is read, whatever comes of it, unless `still` raises that the person has asked for something else since."""
    try:
        view = await reading
    except Exception:
        await still()
        raise
    await still()
    return view


async def push(desk: Desk, ack: AsyncAck, reading: Awaitable[View], waiting: Waiting) -> None:
    """Acknowledge a form with the view that follows it. Raises what `reading` raises in time, before the ack."""
    read = asyncio.ensure_future(reading)
    await asyncio.wait({read}, timeout=PATIENCE_SECONDS)
    if read.done():
        await ack(response_action="push", view=read.result())
        return
    await ack(response_action="push", view=waiting.view)
    desk.after_ack(fill_when_read(desk, read, waiting))


async def show(
    desk: Desk,
    reading: Awaitable[View],
    waiting: Waiting,
    method: Callable[..., Awaitable[Any]],
    trigger: str,
) -> None:
    """Open a view at once (a trigger lives three seconds), and fill it when what it says is read."""
    read = asyncio.ensure_future(reading)
    try:
        await call(method, trigger_id=trigger, view=waiting.view)
    except BaseException:
        read.cancel()
        raise
    await fill_when_read(desk, read, waiting)


async def fill_when_read(desk: Desk, reading: Awaitable[View], waiting: Waiting) -> None:
    try:
        view = await reading
    except ConfirmationOutdated:
        log.info("nobody waits any more: *Continue* was pressed anew")
        return
    except Exception as error:
        words = await errors.words_for(desk, error, person=waiting.person, attempted=waiting.attempted)
        view = refusal(words, desk.texts_for(waiting.person))
    try:
        await _fill(desk, waiting.id, view)
    except Upstream as error:
        words = await errors.words_for(desk, error, person=waiting.person, attempted=waiting.attempted)
        await errors.tell(desk, {"user": {"id": waiting.person.id}}, words)


async def _fill(desk: Desk, external_id: str, view: View) -> None:
    """Show it where the person waits. Slack knows that view only once it has taken in our ack.

    What Slack could not do at one moment it may do at the next. Raises Upstream where it never could.
    """
    trouble: Upstream | None = None
    for pause in PUSHED_WITHIN:
        try:
            await call(desk.client.views_update, external_id=external_id, view=view)
        except (Rejected, Unavailable) as error:
            if isinstance(error, Rejected) and error.reason != "not_found":
                raise
            trouble = error
            await asyncio.sleep(pause)
        else:
            return
    if isinstance(trouble, Unavailable):
        raise trouble
    log.info("nobody waits any more: the form was closed")
