"""The running program: it starts, listens to Slack, works, says whether it is ready, and stops."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot import tracing
from bot.core import Core, core, utc_now
from bot.courier import AlreadyRunning
from bot.domain.errors import BackstopError, Rejected, SignInFailed, Unavailable
from bot.metrics import Counted, Metrics
from bot.rounds import Rounds
from bot.scheduler import Scheduler, latest_slot
from bot.services import jobs
from bot.services.cases import suspicious_key
from bot.services.digests import overdue_key
from bot.services.events import Heard
from bot.services.signatures import Signatures
from bot.settings import Mode, Settings
from bot.slack import bolt_app, desk_of, slack_client, slack_is_here
from bot.slack_socket import SlackSocket
from bot.start_up import StartFailed, migrate
from bot.web import Check, Web
from bot.work import work_of
from handlers.desk import Desk, call
from handlers.people import Home

POLICY_SECONDS = 30
"""A changed policy file is in force within this time, in every process."""
NAME_SECONDS = 5
SOCKET_SECONDS = 5
EVERYWHERE = "0.0.0.0"  # noqa: S104  Slack, or a proxy before us, has to reach us

log = logging.getLogger(__name__)

_HEARD = {Heard.TAKEN: 200, Heard.UNSIGNED: 401, Heard.UNUSABLE: 400, Heard.LATER: 503}


class Application:
    """The running program: it listens to Slack, works off jobs, or both."""

    def __init__(
        self,
        settings: Settings,
        *,
        listens: bool = True,
        works: bool = True,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self._listens = listens
        self._works = works
        self.core = core(settings, now=now)
        self._client = slack_client(settings)
        self.desk = desk_of(self.core, self._client)
        self._signatures = Signatures(self.core.store, now=now)
        self._worker = ""
        self._scheduler = Scheduler(zone=settings.zone, now=now)
        self.rounds = Rounds(self.core, self.desk, self._signatures)
        self.metrics = metrics_of(self.core, self.desk)
        self._socket: SlackSocket | None = None
        self._web: Web | None = None

    @property
    def port(self) -> int | None:
        """The port listened on, if any."""
        return self._web.port if self._web else None

    async def start(self) -> None:
        """Come up in an order in which nothing is taken in that cannot be kept. Raises StartFailed, BadPolicy."""
        tracing.begin(cloud=self.settings.partner_center_cloud.value)
        await asyncio.to_thread(migrate, self.settings)
        await self.core.store.ping()
        await self.core.backstop.policies.begin(keeps=True)
        # Without a session of its own the SDK opens a connection, and shakes hands on it, for every single call.
        self._client.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self._client.timeout))
        authorized = await self._sign_in_to_slack()
        await self.core.courier.open()
        self._scheduler.every(POLICY_SECONDS, self.core.backstop.policies.reread)
        if self._works:
            await self._start_work()
        await self._scheduler.start()
        if self._works:
            await self.rounds.begin()
        app = bolt_app(self.settings, self.desk, self._client, authorized) if self._listens else None
        await self._serve(app)
        if app and self.settings.mode is Mode.SOCKET:
            await self._connect(app)

    async def stop(self) -> None:
        """Take nothing new, let what is under way come to its end, and close."""
        await self._scheduler.stop()
        if self._socket:
            await self._socket.close()
        if self._web:
            await self._web.stop()
        await self.desk.drain()
        try:
            await self.core.close()  # jobs that still run may have something to tell Slack
        finally:
            if self._client.session:
                await self._client.session.close()
            await asyncio.to_thread(tracing.end)

    async def catch_up(self) -> None:
        """Hand out at once what has fallen due by our clock: it may run ahead of the real one."""
        await self._scheduler.catch_up()

    async def _sign_in_to_slack(self) -> AuthorizeResult:
        try:
            who = await call(self._client.auth_test)
        except SignInFailed as error:
            raise StartFailed(
                f"SLACK_BOT_TOKEN: Slack refuses it ({error.reason}): copy the Bot User OAuth Token (xoxb-…) again"
            ) from error
        except BackstopError as error:
            raise self._slack_is_silent(error) from error
        self.desk.people.home = Home(str(who.get("team_id") or ""), str(who.get("enterprise_id") or ""))
        return AuthorizeResult.from_auth_test_response(auth_test_response=who, bot_token=self._client.token)

    def _slack_is_silent(self, error: BackstopError) -> StartFailed:
        reason = getattr(error, "reason", "") or error.code
        return StartFailed(
            f"SLACK_API_URL: Slack does not answer at {self.settings.slack_api_url} ({reason})"
        )

    async def _start_work(self) -> None:
        try:
            worker = await self.core.store.worker_name(socket.gethostname())
            self.core.courier.hold()
        except AlreadyRunning as error:
            raise StartFailed(
                f"another Backstop already works on {error}: stop it first, "
                "or use Postgres to run more than one process"
            ) from error
        # What the last bearer of the name left behind comes first: once jobs run, some of it would be our own.
        await self._begin(worker)
        work = work_of(self.core, self.desk)
        await self.core.courier.start(work, executor=worker, repeatable=jobs.REPEATABLE)
        self.rounds.go_by(self._scheduler)
        self._scheduler.every(NAME_SECONDS, self._keep_name)

    async def _begin(self, worker: str) -> None:
        """Work under this name."""
        await self.core.backstop.execution.begin(worker)
        await self.core.backstop.posts.begin(worker)
        await self.core.backstop.letters.begin(worker)
        await self.core.backstop.support.begin(worker)
        self._worker = worker

    async def _keep_name(self) -> None:
        """Take our name anew when the connection that kept it has died; another one where somebody was quicker."""
        try:
            worker = await self.core.store.worker_name(socket.gethostname())
            if worker != self._worker:
                log.warning("somebody else is %s by now; working on as %s", self._worker, worker)
                await self._begin(worker)
        except Unavailable as error:
            log.warning("the database does not answer (%s); %s waits for it", error.reason, self._worker)

    async def _serve(self, app: AsyncApp | None) -> None:
        port = self.settings.http_port
        if port is None or not (self._listens or self.settings.port is not None):
            return
        http = app if self.settings.mode is Mode.HTTP else None
        secret = self.settings.slack_signing_secret
        self._web = Web(
            app=http,
            checks=self._checks(),
            signing_secret=secret.get_secret_value() if secret else "",
            is_new=self._signatures.is_new,
            events=self._hear,
            partner_center=self._hear_partner_center,
            metrics=self.metrics.text,
        )
        try:
            await self._web.start(port, host="127.0.0.1" if slack_is_here(self.settings) else EVERYWHERE)
        except OSError as error:
            raise StartFailed(
                f"PORT: {port} cannot be listened on ({os.strerror(error.errno or 0)}): "
                "choose another, or stop what uses it"
            ) from error

    def _checks(self) -> dict[str, Check]:
        """What this process needs for its work; `/readyz` is red as long as any of it is dead."""
        checks: dict[str, Check] = {"database": self._database_answers, "scheduler": self._keeps_time}
        if self._works:
            checks["courier"] = self._takes_jobs
        if self._listens and self.settings.mode is Mode.SOCKET:
            checks["slack"] = self._hears_slack
        return checks

    async def _hear(
        self, source: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str]:
        """Status and text for an event of an accounting system."""
        heard = await self.core.backstop.sources.hear(source, query=query, headers=headers, body=body)
        if not heard.known:
            return 404, ""
        return (200, heard.answer) if heard.believed else (401, "")

    async def _hear_partner_center(self, headers: Mapping[str, str], body: bytes) -> int:
        """Status for an event of Partner Center."""
        return _HEARD[await self.core.events.hear(headers, body)]

    async def _connect(self, app: AsyncApp) -> None:
        token = self.settings.slack_app_token
        if token is None:
            return
        self._socket = SlackSocket(app, token.get_secret_value(), self._client)
        try:
            await call(self._client.apps_connections_open, app_token=token.get_secret_value())
        except (SignInFailed, Rejected) as error:
            raise StartFailed(
                f"SLACK_APP_TOKEN: Slack refuses it ({error.reason}): create an app-level token (xapp-…) "
                "with the scope connections:write"
            ) from error
        except BackstopError as error:
            raise self._slack_is_silent(error) from error
        self._scheduler.every(SOCKET_SECONDS, self._socket.look_after)
        await self._socket.connect()

    async def _database_answers(self) -> bool:
        await self.core.store.ping()
        return True

    async def _keeps_time(self) -> bool:
        return self._scheduler.is_running

    async def _takes_jobs(self) -> bool:
        async with self.core.store.read() as tx:
            return await self.core.courier.takes_jobs(tx.connection)

    async def _hears_slack(self) -> bool:
        return self._socket is not None and await self._socket.hears()


def metrics_of(made: Core, desk: Desk) -> Metrics:
    settings, now = made.settings, made.backstop.now

    def overdue() -> tuple[str, datetime] | None:
        due, channel = desk.overdue_due(), settings.backstop_overdue_channel
        return (overdue_key(channel, due.date()), due) if due and channel else None

    def suspicious() -> tuple[str, datetime] | None:
        channel = settings.backstop_suspicious_channel
        due = latest_slot(
            settings.backstop_suspicious_cron, zone=settings.zone, now=now(), within=timedelta(days=1)
        )
        return (suspicious_key(channel, due.date()), due) if due and channel else None

    async def queue() -> int:
        async with made.store.read() as tx:
            return await made.courier.waiting(tx.connection)

    return Metrics(
        made.backstop,
        Counted(
            acks=desk.acks.times,
            microsoft={"partner_center": made.partner_center.answered, "graph": made.graph.answered},
            at_once=lambda: made.partner_center.pace.limit,
        ),
        queue=queue,
        digests={"overdue": overdue, "suspicious": suspicious},
    )
