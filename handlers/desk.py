"""What every handler is given: the use cases, who people are, and the way to Slack."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import texts
from bot.domain.errors import BackstopError, Unavailable
from bot.domain.people import Person
from bot.measures import Timing
from bot.services import Backstop
from bot.texts import Texts
from handlers import slack
from handlers.people import People
from handlers.views.blocks import View

log = logging.getLogger(__name__)

T = TypeVar("T")
DRAIN_SECONDS = 10.0
LONGEST_WAIT = 0.2
"""Seconds for which what follows an ack waits at most for others': somebody looks at the screen."""
ACK_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds, by which acks are counted; Slack waits three."""


@dataclass(frozen=True, slots=True)
class Channels:
    approvals: str | None
    overdue: str | None
    escalation: str | None = None
    """Where a request is told of that nobody decides."""
    suspicious: str | None = None
    tickets: str | None = None
    audit: str | None = None
    """Where the audit trail's anchor is posted."""


class Acks:
    """Acks come first: of many clicks at once, what each brings begins when all of them are acknowledged."""

    def __init__(self) -> None:
        self._owed = 0
        self.times = Timing(ACK_BOUNDS)
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __enter__(self) -> None:
        """For as long as Slack waits for one."""
        self._owed += 1
        self._quiet.clear()

    def __exit__(self, *_: object) -> None:
        self._owed -= 1
        if not self._owed:
            self._quiet.set()

    async def quiet(self) -> None:
        """Return when no ack is owed, or after a while."""
        if self._owed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._quiet.wait()


@dataclass(frozen=True)
class Desk:
    backstop: Backstop
    people: People
    client: AsyncWebClient
    channels: Channels
    language: str
    """Of channel posts; a person's own replies follow their Slack."""
    native_charts: bool = False
    """Whether Slack is to draw charts; pictures are made where it cannot."""
    overdue_due: Callable[[], datetime | None] = lambda: None
    """When the newest overdue digest of the last 24 hours was due, in the partner's zone; None: it was not."""
    drawing: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By card: whoever draws it holds its lock."""
    acks: Acks = field(default_factory=Acks)
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def texts(self) -> Texts:
        return texts.in_language(self.language)

    def texts_for(self, person: Person) -> Texts:
        return texts.for_locale(person.locale, default=self.language)

    def after_ack(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on once Slack has its answer. For what may be lost without harm: views and hints, never a decision."""
        task = asyncio.create_task(self._logged(work))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self.acks.quiet()
            await work
        except BackstopError as error:
            log.warning("after the ack: %s %s", error.code, getattr(error, "reason", ""))
        except Exception:
            log.exception("after the ack")

    async def drain(self) -> None:
        """Let what was begun after an ack come to its end, within a limit."""
        if self._later:
            await asyncio.wait(self._later, timeout=DRAIN_SECONDS)


async def open_modal(desk: Desk, trigger: str, view: View) -> None:
    """The trigger of a click is good for three seconds. docs.slack.dev/surfaces/modals"""
    await call(desk.client.views_open, trigger_id=trigger, view=view)


async def call(method: Callable[..., Awaitable[T]], **arguments: Any) -> T:
    """One call of Slack's Web API; raises only our own errors."""
    try:
        return await method(**arguments)
    except SlackApiError as error:
        raise slack.translated(error) from error
    except slack.UNREACHABLE as error:
        raise Unavailable("slack", type(error).__name__) from error
    except AttributeError as error:  # what Slack's client makes of an answer that is no JSON object
        raise Unavailable("slack", "unreadable") from error
