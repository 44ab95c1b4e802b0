"""The sandbox as a whole: one server on loopback, started and stopped by whoever needs a Slack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.sandbox.slack.backstage_api import Backstage, BackstageApi, PartnerCenterPane
from bot.sandbox.slack.block_kit import BlockKit
from bot.sandbox.slack.delivery import ACK_SECONDS, Ack, Delivery
from bot.sandbox.slack.exchanges import Exchange, Wire
from bot.sandbox.slack.faults import Broken, Failing, Faults, LosingAnswer, RateLimited, Slow
from bot.sandbox.slack.installed_app import InstalledApp
from bot.sandbox.slack.interactions import Interactions
from bot.sandbox.slack.news import PATIENCE
from bot.sandbox.slack.page_api import PageApi, guard
from bot.sandbox.slack.permits import ResponseUrls, Triggers
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.player import Player
from bot.sandbox.slack.sample import sample_workspace
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import WebApi
from bot.sandbox.slack.workspace import Channel, Workspace

Json = dict[str, Any]

UPLOAD_LIMIT = 64 * 2**20
"""More than an app may want to take: it must be able to say so."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SlackSandbox:
    """A Slack workspace with one app in it.

    `now` is the time of messages. What the wire itself needs (trigger ids, signatures, the three seconds)
    goes by `monotonic` and the real clock: a sandbox whose clock was moved still works with real clients.
    `retry_delays` are Slack's for events nobody acknowledged; `without_blocks` names block types it does
    not know yet.
    """

    def __init__(
        self,
        *,
        workspace: Workspace | None = None,
        manifest: Json | None = None,
        events_url: str | None = None,
        partner_center: PartnerCenterPane | None = None,
        backstage: Backstage | None = None,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        ack_seconds: float = ACK_SECONDS,
        retry_delays: tuple[float, ...] = (0, 60, 300),
        without_blocks: frozenset[str] = frozenset(),
    ) -> None:
        self.workspace = workspace or sample_workspace()
        app = InstalledApp(bot_user_id=self.workspace.bot.id, manifest=manifest)
        news = self.workspace.news
        wire = Wire(news)
        self._delivery = Delivery(
            app=app,
            wire=wire,
            news=news,
            now=now,
            events_url=events_url,
            ack_seconds=ack_seconds,
            retry_delays=retry_delays,
        )
        self._platform = Platform(
            workspace=self.workspace,
            app=app,
            block_kit=BlockKit(without=without_blocks),
            views=Views(news, now),
            triggers=Triggers(monotonic),
            response_urls=ResponseUrls(),
            faults=Faults(),
            wire=wire,
            delivery=self._delivery,
            now=now,
        )
        self._interactions = Interactions(self._platform)
        self._page = PageApi(self._platform, self._interactions, moves=backstage is not None)
        self._behind = BackstageApi(self._platform, partner_center, backstage)
        self._players = {person.id: Player(person, self._interactions) for person in self.workspace.humans}
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; OSError when the port is taken."""
        server = web.Application(middlewares=[guard], client_max_size=UPLOAD_LIMIT)
        server.add_routes([*WebApi(self._platform).routes(), *self._behind.routes(), *self._page.routes()])
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, "127.0.0.1", port)
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        host, bound = self._runner.addresses[0][:2]
        self._platform.origin = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Close every connection and give the port back; harmless when it is not running."""
        self.workspace.news.close()
        await self._delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def api_url(self) -> str:
        return f"{self._platform.origin}/api/"

    @property
    def page_url(self) -> str:
        return f"{self._platform.origin}/"

    @property
    def bot_token(self) -> str:
        return self._platform.app.bot_token

    @property
    def app_token(self) -> str:
        return self._platform.app.app_token

    @property
    def signing_secret(self) -> str:
        return self._platform.app.signing_secret

    @property
    def events_url(self) -> str | None:
        """Where payloads are posted; None for Socket Mode. May be set at any time."""
        return self._delivery.events_url

    @events_url.setter
    def events_url(self, url: str | None) -> None:
        self._delivery.events_url = url

    @property
    def is_connected(self) -> bool:
        """Whether anybody is there to hear of what people do."""
        return self._delivery.is_connected

    @property
    def exchanges(self) -> list[Exchange]:
        """The latest exchanges between app and workspace, oldest first; tokens are masked."""
        return list(self._platform.wire)

    def person(self, name: str) -> Player:
        """A player for the person with this handle or id."""
        person = self.workspace.person(name)
        if person is None or person.id not in self._players:
            raise LookupError(f"nobody called {name!r} in the workspace")
        return self._players[person.id]

    def messages(self, channel: str) -> list[Json]:
        """Every message in a channel, threads and everybody's ephemeral ones included, oldest first."""
        return [post.as_seen() for post in self._channel(channel).posts.values()]

    async def message_appears(
        self,
        channel: str,
        predicate: Callable[[Json], bool] = lambda _message: True,
        *,
        timeout: float = PATIENCE,
    ) -> Json:
        """Wait for a message that fits and give the latest such; one that is there already counts."""

        def fitting() -> Json | None:
            posts = reversed(self._channel(channel).posts.values())
            return next((post.as_seen() for post in posts if predicate(post.glimpse())), None)

        return await self.workspace.news.until(fitting, timeout=timeout)

    async def app_connects(self, *, timeout: float = PATIENCE) -> None:
        """Wait until the app is there to hear of what people do."""
        await self.workspace.news.until(lambda: self.is_connected, timeout=timeout)

    async def redeliver(self, *, last: bool = True, replay: bool = False) -> Ack:
        """Deliver the last payload once more (all of them, with `last=False`), and give the last word on it.

        Over HTTP it is signed anew; `replay` repeats the last request to the letter, old signature and all.
        """
        parcels = self._delivery.sent[-1:] if last else list(self._delivery.sent)
        if not parcels:
            raise LookupError("nothing has been delivered yet")
        acks = [await self._delivery.again(parcel, replay=replay) for parcel in parcels]
        return acks[-1]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Send a `disconnect` frame: `warning`, `refresh_requested` or `link_disabled`."""
        await self._delivery.disconnect(reason)

    async def verify_events_url(self) -> bool:
        """Ask the events URL for its challenge, as Slack does when it is entered."""
        return await self._delivery.verify_url()

    def rate_limit(self, method: str, *, times: int = 1, retry_after: int = 1) -> None:
        self._platform.faults.add(method, RateLimited(retry_after), times)

    def fail(self, method: str, *, error: str = "internal_error", times: int = 1) -> None:
        self._platform.faults.add(method, Failing(error), times)

    def break_down(self, method: str, *, times: int = 1) -> None:
        self._platform.faults.add(method, Broken(), times)

    def slow(self, method: str, seconds: float, *, times: int = 1) -> None:
        """The next calls are carried out at once and answered late."""
        self._platform.faults.add(method, Slow(seconds), times)

    def lose_answer(self, method: str, *, times: int = 1) -> None:
        """The next calls are carried out, but the connection breaks before the answer."""
        self._platform.faults.add(method, LosingAnswer(), times)

    def mend(self) -> None:
        """No fault waits any longer."""
        self._platform.faults.clear()

    def put_on_wire(
        self, *, direction: str, method: str, milliseconds: float, status: str, sent: Any, received: Any
    ) -> None:
        """Show an exchange of the app's with somebody else, whose secrets are masked already."""
        self._platform.wire.record(
            at=self._platform.now(),
            direction=direction,
            method=method,
            ms=milliseconds,
            status=status,
            sent=json.dumps(sent, ensure_ascii=False),
            received=json.dumps(received, ensure_ascii=False),
        )

    def clock_moved(self) -> None:
        """Tell open pages what time it is now."""
        self.workspace.news.announce({"type": "clock", "now": self._platform.now().timestamp()})

    def partner_center_changed(self) -> None:
        """Tell open pages to look at the *Partner Center* pane's state again."""
        self.workspace.news.announce({"type": "partner_center"})

    def _channel(self, name: str) -> Channel:
        channel = self.workspace.channel(name)
        if channel is None:
            raise LookupError(f"no channel {name!r}")
        return channel
