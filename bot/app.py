"""Puts the program together; the one place where things are constructed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import httpx
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import ArgumentError, DBAPIError

import handlers
from bot import courier, store
from bot.accounting import source_of
from bot.courier import AlreadyRunning, Courier, Handler
from bot.domain.errors import BackstopError, SignInFailed, Unavailable
from bot.domain.ticket import Way
from bot.mail import Mail, sender_of, server_of
from bot.microsoft import azure_of, cloud_of, events_of, graph_of, partner_center_of
from bot.partner_center.client import PartnerCenter
from bot.partner_center.graph import Graph
from bot.receivables.json_reads import Pace
from bot.scheduler import GRACE, Scheduler, latest_slot
from bot.services import Backstop, jobs
from bot.services.cases import Cases, suspicious_key
from bot.services.customers import Customers
from bot.services.digests import Digests, overdue_key
from bot.services.drift import Drifts
from bot.services.events import Events, Heard
from bot.services.evidence import EvidencePacks
from bot.services.execution import Execution
from bot.services.features import Features
from bot.services.followup import FollowUp
from bot.services.inquiries import Inquiries
from bot.services.intake import Receivables
from bot.services.letters import Letters
from bot.services.limits import Limits
from bot.services.mappings import Mappings
from bot.services.policies import Policies
from bot.services.posts import Posts
from bot.services.previews import Previews
from bot.services.requests import Requests, Rules
from bot.services.sources import Sources
from bot.services.support import Desks, Support
from bot.services.tickets import TicketRules, Tickets
from bot.services.watch import Watch
from bot.services.write_back import WriteBack
from bot.settings import BadSettings, Mode, Settings
from bot.store import Store
from bot.store.store import async_url, sync_url
from bot.web import Web
from handlers import errors
from handlers.desk import Channels, Desk, call
from handlers.digests import post_overdue, redraw_overdue, say_overdue_is_late
from handlers.drift import show_drift, tell_more_drifts
from handlers.intake import fetch_export, show_preview
from handlers.letters import tell_letter
from handlers.notices import Notices
from handlers.people import People
from handlers.suspicious import post_suspicious, redraw_suspicious, tell_case
from handlers.ticket_card import nudge_ticket, show_ticket

SWEEP_SECONDS = 30
POLICY_SECONDS = 30
"""A changed policy file is in force within this time, in every process."""
NAME_SECONDS = 5
LOOK_SECONDS = 3600
CATCH_UP = timedelta(minutes=5)
FRESH_ENOUGH = timedelta(minutes=10)
"""What was read so short a time before the digest is not read again for it."""
DIGEST_WAITS = timedelta(minutes=2)
FRESH_FOR_ACTING = timedelta(minutes=1)
ACTING_WAITS = timedelta(minutes=1)
EVERYWHERE = "0.0.0.0"  # noqa: S104  Slack, or a proxy before us, has to reach us
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


_HEARD = {Heard.TAKEN: 200, Heard.UNSIGNED: 401, Heard.UNUSABLE: 400, Heard.LATER: 503}


class StartFailed(Exception):
    """Why the program does not start: one line that says what to do."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Core:
    """The use cases over a real database and the real Partner Center; enough for the command line."""

    settings: Settings
    store: Store
    courier: Courier
    http: tuple[httpx.AsyncClient, ...]
    partner_center: PartnerCenter
    graph: Graph
    events: Events
    backstop: Backstop

    async def close(self) -> None:
        await self.courier.close()
        await self.backstop.sources.close()
        for client in self.http:
            await client.aclose()
        await self.store.close()


def migrate(settings: Settings) -> bool:
    """Bring the database to the current schema; whether anything changed. Raises StartFailed."""
    url = settings.database_url
    try:
        target = async_url(url)
        if target.get_backend_name() == "sqlite" and not target.database:
            raise ValueError("SQLite needs a file")
        changed = store.migrate(url)
        courier.migrate(sync_url(url))
    except BackstopError as error:
        detail = getattr(error, "detail", "").partition("\n")[0].strip()
        raise StartFailed(
            f"DATABASE_URL: the database cannot be reached or opened ({detail or error.code}): "
            "check the address, and that it is running"
        ) from error
    except Exception as error:  # a driver's own complaint about the address
        raise _bad_address(error) from error
    return changed


def _bad_address(error: Exception) -> StartFailed:
    return StartFailed(
        "DATABASE_URL: use sqlite:///path/to/file.db or postgresql://user:password@host/name "
        f"({type(error).__name__})"
    )


def core(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> Core:
    """Construct everything that does not talk to Slack. Raises BadSettings, StartFailed.

    Nothing is judged before `policies.begin` has put a billing policy in force.
    """
    try:
        db, post = Store(settings.database_url, now=now), Courier(sync_url(settings.database_url))
    except (ArgumentError, ValueError) as error:
        raise _bad_address(error) from error
    partner_center, clients = partner_center_of(settings, now=now, store=db)
    graph, graph_clients = graph_of(settings, now=now)
    azure, azure_clients = azure_of(settings, now=now, store=db)
    mail = mail_of(settings, now=now)
    events, event_clients = events_of(settings, db, post, now=now)
    limits = Limits(db, post, most=settings.backstop_max_suspensions_per_day, zone=settings.zone, now=now)
    features = Features(db, cloud=settings.partner_center_cloud, now=now)
    support = Support(
        db,
        post,
        features,
        Desks(partner_center, partner_center, azure, mail),
        cloud=settings.partner_center_cloud,
        now=now,
    )
    drifts = Drifts(db, post, features, suspensions=partner_center.suspensions, now=now)
    policies = Policies(
        db, settings.backstop_policy_file, zone=settings.zone, now=now, host=socket.gethostname()
    )
    digests = Digests(
        db,
        policies.in_force,
        cloud=settings.partner_center_cloud,
        zone=settings.zone,
        now=now,
        dry_run=settings.backstop_dry_run,
    )
    customers = Customers(
        db,
        partner_center,
        drifts,
        now=now,
        at_once=settings.partner_center_max_concurrency,
        features=features,
        courier=post,
    )
    watch = Watch(
        db,
        customers,
        digests,
        features,
        partner_center,
        graph,
        now=now,
        at_once=settings.partner_center_max_concurrency,
    )
    cases = Cases(
        db,
        post,
        digests,
        features,
        watch,
        policies.in_force,
        zone=settings.zone,
        now=now,
        dry_run=settings.backstop_dry_run,
    )
    backstop = Backstop(
        requests=Requests(
            db,
            post,
            rules=Rules(
                approvals_suspend=settings.backstop_approvals_suspend,
                approvals_resume=settings.backstop_approvals_resume,
                time_to_live=settings.backstop_approval_ttl,
                undo_window=settings.backstop_undo_window,
                dry_run=settings.backstop_dry_run,
                cancels_azure=settings.cancels_azure,
            ),
            grounds=digests.ground_now,
            now=now,
        ),
        execution=Execution(
            db,
            post,
            partner_center,
            limits=limits,
            deadline=digests.deadline,
            grounds=digests.ground_now,
            may_cut_off=digests.may_cut_off,
            now=now,
        ),
        limits=limits,
        customers=customers,
        digests=digests,
        receivables=Receivables(db, zone=settings.zone, now=now),
        previews=Previews(
            db, post, zone=settings.zone, rules=lambda: policies.in_force().policy.version, now=now
        ),
        sources=Sources(
            db,
            post,
            {name: source_of(name, settings, db, Pace(now=now)) for name in settings.receivables_sources},
            zone=settings.zone,
            now=now,
        ),
        posts=Posts(db, now=now),
        features=features,
        drifts=drifts,
        mappings=Mappings(db, digests, now=now),
        inquiries=Inquiries(db, customers, digests, policies.in_force, zone=settings.zone, now=now),
        policies=policies,
        followup=FollowUp(db, post, digests, in_force=policies.in_force, now=now),
        letters=Letters(
            db,
            post,
            partner_center,
            mail=mail,
            in_force=policies.in_force,
            signature=settings.backstop_mail_signature or "",
            zone=settings.zone,
            now=now,
        ),
        watch=watch,
        cases=cases,
        support=support,
        tickets=Tickets(
            db,
            post,
            takes=support.takes,
            rules=TicketRules(
                approvals=settings.backstop_approvals_ticket,
                time_to_live=settings.backstop_approval_ttl,
                dry_run=settings.backstop_dry_run,
                ways=settings.backstop_ticket_handover,
                mail_to=settings.backstop_ticket_email or "",
                contact=settings.backstop_ticket_contact or "",
                portal=(settings.partner_center_portal_url or cloud_of(settings).portal).rstrip("/"),
                partner=settings.partner_center_tenant_id or "",
            ),
            in_force=policies.in_force,
            cloud=settings.partner_center_cloud,
            zone=settings.zone,
            now=now,
        ),
        evidence=EvidencePacks(db, cases, digests, now=now),
        write_back=WriteBack(db, features, partner_center, graph, now=now, dry_run=settings.backstop_dry_run),
        cloud=settings.partner_center_cloud,
        zone=settings.zone,
        now=now,
    )
    http = (*clients, *graph_clients, *azure_clients, *event_clients)
    return Core(settings, db, post, http, partner_center, graph, events, backstop)


async def came_into_force(settings: Settings, version: str) -> datetime | None:
    """When that version of the billing policy did, last. A database that is not there, or is older, is left alone."""
    try:
        url = async_url(settings.database_url)
    except (ArgumentError, ValueError) as error:
        raise _bad_address(error) from error
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    db = Store(settings.database_url, now=utc_now)
    try:
        async with db.read() as tx:
            kept = await tx.policies.all()
    except DBAPIError as error:  # a schema from before there were any
        raise Unavailable("database", type(error).__name__) from error
    finally:
        await db.close()
    return next((k.since for k in reversed(kept) if k.version == version), None)


def mail_of(settings: Settings, *, now: Callable[[], datetime]) -> Mail | None:
    """The way to a mail server, where one is named, and whom mail is from. Raises BadSettings."""
    if settings.smtp_url is None:
        return None
    try:
        server = server_of(settings.smtp_url.get_secret_value())
    except ValueError as error:
        raise BadSettings(f"SMTP_URL: {error}") from None
    try:
        if settings.backstop_mail_from:
            return Mail(server, sender=sender_of(settings.backstop_mail_from), now=now)
    except ValueError as error:
        raise BadSettings(f"BACKSTOP_MAIL_FROM: {error}") from None
    with suppress(ValueError):  # many servers sign a mailbox in by its address
        return Mail(server, sender=sender_of(server.user), now=now)
    return None


def slack_is_here(settings: Settings) -> bool:
    """Whether Slack is a sandbox on this machine: then no proxy leads to it, and nobody else need reach us."""
    return urlsplit(settings.slack_api_url).hostname in LOOPBACK


def slack_client(settings: Settings) -> AsyncWebClient:
    token = settings.slack_bot_token
    client = AsyncWebClient(
        token=token.get_secret_value() if token else None,
        base_url=settings.slack_api_url,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=3)],
    )
    if slack_is_here(settings):
        client.proxy = None  # the SDK takes HTTPS_PROXY and does not know NO_PROXY
    return client


def desk_of(made: Core, client: AsyncWebClient) -> Desk:
    settings = made.settings
    return Desk(
        backstop=made.backstop,
        people=People(
            client,
            operators=settings.backstop_operators,
            approvers=settings.backstop_approvers,
            language=settings.backstop_locale,
            now=made.backstop.now,
        ),
        client=client,
        channels=Channels(
            settings.backstop_approvals_channel,
            settings.backstop_overdue_channel,
            settings.backstop_escalation_channel,
            settings.backstop_suspicious_channel,
            settings.tickets_channel,
        ),
        language=settings.backstop_locale,
        overdue_due=partial(_overdue_due, settings, made.backstop.now),
    )


def _overdue_due(settings: Settings, now: Callable[[], datetime]) -> datetime | None:
    """The newest time of the overdue digest within a day, where it is posted at all."""
    if settings.backstop_overdue_channel is None:
        return None
    return latest_slot(
        settings.backstop_overdue_cron, zone=settings.zone, now=now(), within=timedelta(days=1)
    )


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
        self._now = now
        self._client = slack_client(settings)
        self.desk = desk_of(self.core, self._client)
        self._worker = ""
        self._read_slot = -1
        self._scheduler = Scheduler(zone=settings.zone, now=now)
        self._socket: AsyncSocketModeHandler | None = None
        self._web: Web | None = None

    @property
    def port(self) -> int | None:
        """The port listened on, if any."""
        return self._web.port if self._web else None

    async def start(self) -> None:
        """Come up in an order in which nothing is taken in that cannot be kept. Raises StartFailed, BadPolicy."""
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
            await self._refresh(self._now().replace(minute=0, second=0, microsecond=0))
            await self._read_sources()
        app = bolt_app(self.settings, self.desk, self._client, authorized) if self._listens else None
        await self._serve(app)
        if app and self.settings.mode is Mode.SOCKET:
            await self._connect(app)

    async def stop(self) -> None:
        """Take nothing new, let what is under way come to its end, and close."""
        self._scheduler.stop()
        if self._socket:
            await self._socket.close_async()  # type: ignore[no-untyped-call]
        if self._web:
            await self._web.stop()
        await self.desk.drain()
        try:
            await self.core.close()  # jobs that still run may have something to tell Slack
        finally:
            if self._client.session:
                await self._client.session.close()

    async def _sign_in_to_slack(self) -> AuthorizeResult:
        try:
            who = await call(self._client.auth_test)
        except SignInFailed as error:
            raise StartFailed(
                f"SLACK_BOT_TOKEN: Slack refuses it ({error.reason}): copy the Bot User OAuth Token (xoxb-…) again"
            ) from error
        except BackstopError as error:
            reason = getattr(error, "reason", "") or error.code
            raise StartFailed(
                f"SLACK_API_URL: Slack does not answer at {self.settings.slack_api_url} ({reason})"
            ) from error
        return AuthorizeResult.from_auth_test_response(auth_test_response=who, bot_token=self._client.token)

    async def _start_work(self) -> None:
        notices = Notices(self.desk)
        backstop = self.core.backstop
        work: dict[str, Handler] = {
            jobs.EXECUTE: self._read_and_execute,
            jobs.SHOW_REQUEST: notices.show_request,
            jobs.TELL_RESULT: notices.tell_result,
            jobs.REMIND: notices.remind,
            jobs.SHOW_LIMIT: notices.show_limit,
            jobs.WARN_OF_DELETION: notices.warn_of_deletion,
            jobs.REDRAW_OVERDUE: partial(redraw_overdue, self.desk),
            jobs.SAY_OVERDUE_IS_LATE: partial(say_overdue_is_late, self.desk),
            jobs.POST_OVERDUE: self._read_and_post_overdue,
            jobs.POST_SUSPICIOUS: self._look_and_post_suspicious,
            jobs.REDRAW_SUSPICIOUS: partial(redraw_suspicious, self.desk),
            jobs.TELL_CASE: partial(tell_case, self.desk),
            jobs.TELL_MICROSOFT: backstop.write_back.tell,
            jobs.READ_SOURCE: backstop.sources.work,
            jobs.REFRESH_MIRROR: backstop.customers.refresh_if_old,
            jobs.REREAD_MIRROR: backstop.customers.look,
            jobs.CRAWL: backstop.customers.lend_a_hand,
            jobs.READ_RISK: self._read_risk,
            jobs.TELL_DRIFTS: backstop.drifts.tell,
            jobs.SHOW_DRIFT: partial(show_drift, self.desk),
            jobs.TELL_MORE_DRIFTS: partial(tell_more_drifts, self.desk),
            jobs.SEND_LETTER: backstop.letters.deliver,
            jobs.TELL_LETTER: partial(tell_letter, self.desk),
            jobs.FETCH_EXPORT: partial(fetch_export, self.desk),
            jobs.READ_EXPORT: backstop.previews.read,
            jobs.APPLY_EXPORT: backstop.previews.carry_out,
            jobs.SHOW_PREVIEW: partial(show_preview, self.desk),
            jobs.HAND_OVER_TICKET: backstop.support.hand_over,
            jobs.SHOW_TICKET: partial(show_ticket, self.desk),
            jobs.NUDGE_TICKET: partial(nudge_ticket, self.desk),
            jobs.READ_TICKETS: backstop.support.read,
        }
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
        await self.core.courier.start(work, executor=worker)
        if self.settings.backstop_overdue_channel:
            self._scheduler.daily(self.settings.backstop_overdue_cron, self._post_overdue)
            self._scheduler.every(SWEEP_SECONDS, self._catch_up_overdue)
        if self.settings.backstop_suspicious_channel:
            self._scheduler.daily(self.settings.backstop_suspicious_cron, self._post_suspicious)
            self._scheduler.every(LOOK_SECONDS, self._look_hourly)
            self._scheduler.every(SWEEP_SECONDS, self._catch_up_suspicious)
        if backstop.sources.names:
            self._scheduler.every(SWEEP_SECONDS, self._read_sources)
        self._scheduler.daily("30 3 * * *", self._refresh)
        self._scheduler.daily("20 * * * *", self._reread)
        self._scheduler.every(SWEEP_SECONDS, backstop.customers.crawler.sweep)
        self._scheduler.daily("0 8 * * *", self._warn_of_deletion)
        self._scheduler.every(SWEEP_SECONDS, backstop.requests.sweep)
        self._scheduler.every(SWEEP_SECONDS, backstop.drifts.sweep)
        self._scheduler.every(SWEEP_SECONDS, backstop.letters.sweep)
        self._scheduler.every(SWEEP_SECONDS, backstop.previews.sweep)
        self._scheduler.every(SWEEP_SECONDS, backstop.tickets.sweep)
        self._scheduler.every(SWEEP_SECONDS, backstop.support.sweep)
        self._scheduler.daily("*/15 * * * *", self._read_tickets)
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

    async def _read_sources(self) -> None:
        """Once an interval, whoever of all replicas comes first: the slot's number makes it one."""
        interval = self.settings.receivables_interval
        slot = int(self._now().timestamp() // interval.total_seconds())
        if self.core.backstop.sources.names and slot != self._read_slot:
            since = datetime.fromtimestamp(slot * interval.total_seconds(), UTC)
            await self.core.backstop.sources.ask_all(slot=since)
            self._read_slot = slot

    async def _read_and_post_overdue(self, day: str) -> None:
        """The digest shows what the accounting systems say now; one that does not answer delays it no longer."""
        await self.core.backstop.sources.freshen(older_than=FRESH_ENOUGH, patience=DIGEST_WAITS)
        await post_overdue(self.desk, day)

    async def _read_and_execute(self, request_id: str) -> None:
        """Whoever is to be cut off for non-payment may have paid since the accounting systems were last read."""
        backstop = self.core.backstop
        if backstop.sources.names and (await backstop.requests.get(request_id)).action.is_for_debt:
            await backstop.sources.freshen(older_than=FRESH_FOR_ACTING, patience=ACTING_WAITS)
        await backstop.execution.run(request_id)

    async def _post_overdue(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.post_overdue(slot.date(), slot=slot))

    async def _catch_up_overdue(self) -> None:
        """A digest whose job died with its worker, or that Slack refused, is tried again every five minutes.

        For an hour at first; for the rest of its day where digests have been posted before. Meanwhile people are told.
        """
        backstop, channel, now = self.core.backstop, self.settings.backstop_overdue_channel or "", self._now()
        slot = self.desk.overdue_due()
        if slot is None or slot.date() != backstop.digests.today():
            return
        key, attempt = overdue_key(channel, slot.date()), int((now - slot) / CATCH_UP)
        if not attempt:
            return
        is_missing = await backstop.digests.is_missing(channel, slot)
        if (is_missing or now - slot < GRACE) and await backstop.posts.find(key) is None:
            await self.core.courier.post(jobs.post_overdue(slot.date(), slot=slot, again=attempt))
        if is_missing and await backstop.posts.find(f"late:{key}") is None:
            await self.core.courier.post(jobs.say_overdue_is_late(slot, attempt=attempt))

    async def _look_and_post_suspicious(self, day: str) -> None:
        """The digest shows what every source says now; one that does not answer is said to be missing."""
        await self.core.backstop.watch.read()
        await post_suspicious(self.desk, day)

    async def _read_risk(self, customer: str | None) -> None:
        """Between two digests: what Microsoft found, and the customer that an event is about."""
        backstop = self.core.backstop
        if customer:
            await backstop.watch.read_customer(customer)
        await backstop.watch.alerts()
        for case in await backstop.cases.record():
            await self.core.courier.post(jobs.tell_case(case.id, len(case.earlier)))

    async def _look_hourly(self) -> None:
        """Of all replicas one does it: the hour makes their jobs one."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        await self.core.courier.post(jobs.read_risk(None, slot=hour.isoformat()))

    async def _post_suspicious(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.post_suspicious(slot.date(), slot=slot))

    async def _catch_up_suspicious(self) -> None:
        """One whose job died with its worker, or that Slack refused, is tried again every five minutes for an hour."""
        channel, now = self.settings.backstop_suspicious_channel or "", self._now()
        slot = latest_slot(
            self.settings.backstop_suspicious_cron, zone=self.settings.zone, now=now, within=GRACE
        )
        if slot is None or slot.date() != self.core.backstop.digests.today():
            return
        attempt = int((now - slot) / CATCH_UP)
        if attempt and await self.core.backstop.posts.find(suspicious_key(channel, slot.date())) is None:
            await self.core.courier.post(jobs.post_suspicious(slot.date(), slot=slot, again=attempt))

    async def _warn_of_deletion(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.warn_of_deletion(slot))

    async def _read_tickets(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.read_tickets(slot=slot.isoformat()))

    async def _refresh(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.refresh_mirror(slot=slot.isoformat()))

    async def _reread(self, slot: datetime) -> None:
        await self.core.courier.post(jobs.reread_mirror(slot=slot.isoformat()))

    async def _serve(self, app: AsyncApp | None) -> None:
        port = self.settings.http_port
        if port is None or not (self._listens or self.settings.port is not None):
            return
        http = app if self.settings.mode is Mode.HTTP else None
        self._web = Web(
            app=http,
            checks={"database": self._database_answers, "slack": self._hears_slack},
            events=self._hear,
            partner_center=self._hear_partner_center,
        )
        try:
            await self._web.start(port, host="127.0.0.1" if slack_is_here(self.settings) else EVERYWHERE)
        except OSError as error:
            raise StartFailed(
                f"PORT: {port} cannot be listened on ({os.strerror(error.errno or 0)}): "
                "choose another, or stop what uses it"
            ) from error

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
        self._socket = AsyncSocketModeHandler(app, token.get_secret_value(), web_client=self._client)
        self._socket.client.proxy = self._client.proxy
        try:
            await self._client.apps_connections_open(app_token=token.get_secret_value())
            await self._socket.connect_async()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            reason = error.response.get("error", "")
            raise StartFailed(
                f"SLACK_APP_TOKEN: Slack refuses it ({reason}): create an app-level token (xapp-…) "
                "with the scope connections:write"
            ) from error

    async def _database_answers(self) -> bool:
        await self.core.store.ping()
        return True

    async def _hears_slack(self) -> bool:
        return self._socket is None or bool(await self._socket.client.is_connected())


def bolt_app(settings: Settings, desk: Desk, client: AsyncWebClient, authorized: AuthorizeResult) -> AsyncApp:
    """Bolt with every feature registered; a click it acknowledges is in the database."""

    async def authorize(**_context: object) -> AuthorizeResult:
        return authorized

    secret = settings.slack_signing_secret
    with _only_errors("slack_bolt.AsyncApp"):  # it would warn that it has no use for our SLACK_BOT_TOKEN
        app = AsyncApp(
            name="backstop",
            client=client,
            authorize=authorize,
            signing_secret=secret.get_secret_value() if secret else "",
            request_verification_enabled=settings.mode is Mode.HTTP,
            process_before_response=True,
        )
    errors.register(app, desk)
    for feature in handlers.features():
        feature.register(app, desk)
    errors.register_rest(app, desk)
    return app


@contextmanager
def _only_errors(name: str) -> Iterator[None]:
    """Keep a library's warnings out of the log for a moment."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger = logging.getLogger(name)
    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


def check_ready_to_run(settings: Settings, *, listens: bool) -> None:
    """Raise BadSettings for a setting without which the program cannot do its work."""
    settings.need("slack_bot_token")
    if listens and settings.mode is Mode.HTTP and not settings.slack_signing_secret:
        raise BadSettings(
            "SLACK_APP_TOKEN is not set: add it for Socket Mode, or SLACK_SIGNING_SECRET for HTTP"
        )
    settings.need("partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret")
    settings.need("backstop_approvals_channel")
    for name in ("smtp_url", "backstop_ticket_email") if Way.EMAIL in settings.ticket_ways else ():
        if not getattr(settings, name):
            raise BadSettings(f"{name.upper()} is not set: add it, or have tickets not handed over by email")
    for source in settings.receivables_sources:
        settings.need_source(source)
