"""What every handler is given: the use cases, who people are, and the way to Slack."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import texts
from bot.domain.errors import Unavailable
from bot.domain.people import Person
from bot.services import Backstop
from bot.texts import Texts
from handlers import slack
from handlers.people import People
from handlers.views.blocks import View

log = logging.getLogger(__name__)

T = TypeVar("T")
DRAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Channels:
    approvals: str | None
    overdue: str | None
    escalation: str | None = None
    """Where a request is told of that nobody decides."""
    suspicious: str | None = None
    tickets: str | None = None


@dataclass(frozen=True)
class Desk:
    backstop: Backstop
    people: People
    client: AsyncWebClient
    channels: Channels
    language: str
    """Of channel posts; a person's own replies follow their Slack."""
    overdue_due: Callable[[], datetime | None] = lambda: None
    """When the newest overdue digest of the last 24 hours was due, in the partner's zone; None: it was not."""
    drawing: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By card: whoever draws it holds its lock."""
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
            await work
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
