"""`backstop demo`: a sandbox Slack, a sandbox Partner Center and the very bot of production, all on loopback."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, TextIO

from pydantic import SecretStr

from bot.app import Application
from bot.core import core
from bot.domain import people
from bot.domain.customer import Cloud, CustomerId
from bot.domain.errors import BackstopError
from bot.domain.letter import LetterKind
from bot.sandbox.clock import Clock
from bot.sandbox.partner_center import PartnerCenterSandbox, plant, plant_past
from bot.sandbox.partner_center.traffic import Exchange
from bot.sandbox.post_office import PostOffice, as_message
from bot.sandbox.receivables import WARNED, Books, sample_receivables
from bot.sandbox.slack import SlackSandbox, sample_workspace
from bot.sandbox.slack.backstage_api import Impossible
from bot.sandbox.slack.workspace import Channel, Person
from bot.scheduler import next_slot
from bot.services import jobs
from bot.services.digests import overdue_key
from bot.services.letters import Written
from bot.settings import Settings
from bot.start_up import StartFailed, migrate
from handlers.manifest import manifest

PORT = 8055
WARNED_AGO = timedelta(days=20)
Language = Literal["en", "de", "zh-CN"]
LOCALES: dict[Language, str] = {"en": "en-US", "de": "de-DE", "zh-CN": "zh-CN"}
STRIDE = timedelta(hours=3)
"""The clock goes forward in steps, so that a reminder comes before what it reminds of has ended."""
SETTLES = 15.0
"""Seconds what has fallen due may take before the clock goes on: with Partner Center out of order it may never end."""
TICK = 20.0
BOOKS = "open-invoices.csv"
OURS = "backstop-demo"
"""Our files in the data directory begin so; nothing else in it is touched."""


class Demo:
    """Everything embedded. Each start begins afresh: the sandboxes forget, so the ledger must, too.

    `language` is that of the channels and of everybody; without it the channels are English and people differ.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        undo_window: timedelta = timedelta(seconds=5),
        language: Language | None = None,
    ) -> None:
        self._data_dir = data_dir
        self.now = now = Clock()
        self.starts_over = asyncio.Event()
        """Set when somebody at the page wants to begin anew: whoever runs the demo stops it and makes another."""
        self._undo_window = undo_window
        self._language: Language = language or "en"
        self.partner_center = PartnerCenterSandbox(now=now)
        self.partner_center.support.takes_any_number = True
        self.slack = SlackSandbox(
            workspace=sample_workspace(locale=language and LOCALES[language]),
            manifest=manifest(url=None),
            partner_center=self.partner_center,
            backstage=self,
            now=now,
        )
        self.partner_center.on_exchange(self._on_wire)
        self.partner_center.on_change(self.slack.partner_center_changed)
        self.post_office = PostOffice(self._mail_arrives)
        self._mailbox = self._open_mailbox()
        self.app: Application | None = None
        self._books = Books(now().date())
        self._exported = ""
        self._moving = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None
        self._lock: TextIO | None = None

    async def start(self, port: int = PORT) -> str:
        """Come up and post the digests; the page's address. Raises StartFailed."""
        self._claim_data_dir()
        try:
            await self.slack.start(port)
        except OSError as error:
            raise StartFailed(
                f"port {port} cannot be listened on ({os.strerror(error.errno or 0)}): is a demo running already? "
                "Stop it, or choose another with --port"
            ) from error
        await self.partner_center.start()
        await self.post_office.start()
        for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):  # nothing here leaves this machine
            os.environ.pop(proxy, None)
            os.environ.pop(proxy.lower(), None)
        settings = self._settings()
        await self._recall_warnings(settings)
        self.app = Application(settings, now=self.now)
        await self.app.start()
        await self.slack.app_connects()
        await self._post_digests()
        self._ticking = asyncio.create_task(self._tick())
        return self.slack.page_url

    async def stop(self) -> None:
        if self._ticking:
            self._ticking.cancel()
            await asyncio.wait({self._ticking})
        self.starts_over.set()
        await self._moving.acquire()  # whoever moves the clock lets go of the database first
        if self.app:
            await self.app.stop()
        await self.post_office.stop()
        await self.partner_center.stop()
        await self.slack.stop()
        if self._lock:
            self._lock.close()

    def _settings(self) -> Settings:
        channels = {channel.name: channel.id for channel in self.slack.workspace.channels.values()}
        return Settings(
            _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own, unknown to its mypy view
            database_url=f"sqlite:///{self._data_dir / OURS}.db",
            slack_bot_token=SecretStr(self.slack.bot_token),
            slack_app_token=SecretStr(self.slack.app_token),
            slack_api_url=self.slack.api_url,
            port=None,
            partner_center_cloud=Cloud.GLOBAL,
            partner_center_tenant_id=self.partner_center.tenant_id,
            partner_center_client_id=self.partner_center.client_id,
            partner_center_client_secret=SecretStr(self.partner_center.client_secret),
            partner_center_refresh_token=SecretStr(self.partner_center.refresh_token),
            partner_center_base_url=self.partner_center.base_url,
            partner_center_authority_url=self.partner_center.authority_url,
            graph_base_url=self.partner_center.graph_url,
            azure_base_url=self.partner_center.arm_url,
            backstop_keyring=None,  # whoever looks needs none, and unlocks none
            backstop_locale=self._language,
            backstop_approvals_channel=channels["csp-approvals"],
            backstop_overdue_channel=channels["csp-overdue"],
            backstop_suspicious_channel=channels["csp-suspicious"],
            backstop_tickets_channel=channels["csp-tickets"],
            backstop_ticket_contact="Ana Lindqvist <support@northwind.example> +46 8 555 0100",
            backstop_ticket_country="SWE",
            backstop_operators=("S0BILLING",),
            backstop_approvers=("S0APPROVERS",),
            backstop_undo_window=self._undo_window,
            backstop_audit_cron="0 0 29 2 *",  # people look for minutes: no anchor comes into their story
            smtp_url=SecretStr(self.post_office.url),
            backstop_mail_from="Northwind Cloud <billing@northwind.example>",
            backstop_mail_signature="Northwind Cloud, Accounts\n+1 555 0100\nbilling@northwind.example",
        )

    def _open_mailbox(self) -> Channel:
        """Where the players read what customers would get; the bot is not in it."""
        workspace = self.slack.workspace
        postman = Person("U0POSTOFFICE", "post-office", "Post office", role="sandbox", is_bot=True)
        mailbox = Channel(
            "C0MAIL", "customer-mail", "What customers would get by mail; nothing leaves this machine"
        )
        mailbox.members = {postman.id, *(person.id for person in workspace.humans)}
        workspace.people[postman.id] = postman
        workspace.channels[mailbox.id] = mailbox
        return mailbox

    def _mail_arrives(self, mail: EmailMessage) -> None:
        self.slack.workspace.post(self._mailbox, {"user": "U0POSTOFFICE", **as_message(mail)}, at=self.now())

    async def _recall_warnings(self, settings: Settings) -> None:
        """What Ana did some weeks ago: those who are long overdue were warned by hand, and she recorded it."""
        await asyncio.to_thread(migrate, settings)
        past = core(settings, now=lambda: self.now() - WARNED_AGO)
        ana = people.Person(people.PersonId("U0ANA"), frozenset({people.Right.OPERATE}))
        try:
            for customer in self.partner_center.customers:
                if customer.domain not in WARNED:
                    continue
                written = Written(
                    kind=LetterKind.WARN,
                    customer_id=CustomerId(customer.id),
                    customer_name=customer.name,
                    language="en",
                    to="",
                    subject="Payment overdue",
                    body="Written and sent by hand.",
                    stage="warn",
                )
                letter = await past.backstop.letters.draft(written, by=ana)
                await past.backstop.letters.copied(letter.id, by=ana)
        finally:
            await past.close()

    async def _post_digests(self) -> None:
        """As the scheduler would in the morning, so that the first look shows work done."""
        if self.app is None:
            return
        backstop = self.app.core.backstop
        plant_past(self.partner_center, at=self.now())
        await backstop.watch.read()
        today = backstop.digests.today()
        self._books = Books(today)
        yesterday = sample_receivables(today, earlier=True).encode()
        await backstop.receivables.take_in(yesterday, file_name=BOOKS, as_of=today - timedelta(days=1))
        await self._export(self.app)
        await self.app.core.courier.post(jobs.post_overdue(today))
        plant(self.partner_center, at=self.now())
        await self.app.core.courier.post(jobs.post_suspicious(today))
        await self.slack.message_appears("csp-overdue")
        await self.slack.message_appears("csp-suspicious")

    # Behind the scenes: what the page does with the clock, and with the customers' money

    async def forward(self, to: str) -> None:
        """By an hour or a day, or to when the next overdue digest is due; what falls due meanwhile happens."""
        async with self._moving:
            app = self._running()
            moments = {"hour": self.now() + timedelta(hours=1), "day": self.now() + timedelta(days=1)}
            until = await self._next_digest(app) if to == "digest" else moments[to]
            await self._settle(app)  # whoever acts just now holds a lease that a jump would end
            while self.now() < until and not self.starts_over.is_set():
                self.now.forward(min(self.now() + STRIDE, until))
                self.slack.clock_moved()
                await self._happen(app)

    def start_over(self) -> None:
        self.starts_over.set()

    def owed(self) -> dict[str, str]:
        owed = self._books.owed()
        return {
            customer.id: " + ".join(f"{currency}\u00a0{amount:,}" for currency, amount in open_of.items())
            for customer in self.partner_center.customers
            if (open_of := {c: a for c, a in owed.get(customer.domain, {}).items() if a > 0})
        }

    async def pay(self, customer_id: str) -> None:
        """Paid in the accounting system; the export that says so is taken in at once, as in the morning."""
        async with self._moving:
            app = self._running()
            await self._must_be_ours(app)
            self._books.pay(self.partner_center.customer(customer_id).domain)
            await self._export(app)
            await app.catch_up()

    async def _tick(self) -> None:
        """The scheduler goes by the real clock: let what is due by ours happen soon."""
        while True:
            await asyncio.sleep(TICK)
            with suppress(Impossible, BackstopError):
                async with self._moving:
                    await self._happen(self._running())

    async def _happen(self, app: Application) -> None:
        """What falls due by now, until nothing is left to do."""
        last = await app.core.backstop.receivables.last_file()
        if last and last.as_of < app.core.backstop.digests.today():
            with suppress(Impossible):  # the books are the player's own
                await self._must_be_ours(app)
                await self._export(app)
        await app.catch_up()
        await self._settle(app)

    async def _settle(self, app: Application) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLES):
                while not self.starts_over.is_set() and not await app.core.courier.is_idle():
                    await asyncio.sleep(0.05)

    async def _export(self, app: Application) -> None:
        """The accounting system exports what is open, and Backstop takes it in."""
        receivables, today = app.core.backstop.receivables, app.core.backstop.digests.today()
        export = self._books.export(today).encode()
        taken = await receivables.take_in(export, file_name=BOOKS, as_of=today, even_if_it_shrinks=True)
        self._exported = taken.export.sha256

    async def _must_be_ours(self, app: Application) -> None:
        last = await app.core.backstop.receivables.last_file()
        if last and last.sha256 != self._exported:
            raise Impossible(
                f"The books come from your own file {last.file}: share one in which the customer has paid."
            )

    async def _next_digest(self, app: Application) -> datetime:
        """When the next overdue digest is due; one that was posted already, as at the start, does not come again."""
        settings, zone = app.settings, app.settings.zone
        slot = next_slot(settings.backstop_overdue_cron, zone=zone, after=self.now())
        if slot and await app.core.backstop.posts.find(
            overdue_key(settings.backstop_overdue_channel or "", slot.date())
        ):
            night = datetime.combine(slot.date() + timedelta(days=1), time.min, zone)
            slot = next_slot(settings.backstop_overdue_cron, zone=zone, after=night)
        if slot is None:
            raise Impossible("BACKSTOP_OVERDUE_CRON names no time at which a digest is due.")
        return slot

    def _running(self) -> Application:
        if self.app is None or not self.slack.is_connected or self.starts_over.is_set():
            raise Impossible("Backstop is still starting: try again in a moment.")
        return self.app

    def _on_wire(self, seen: Exchange) -> None:
        self.slack.put_on_wire(
            direction="app → Partner Center",
            method=f"{seen.method} {seen.path}",
            milliseconds=seen.milliseconds,
            status="no answer" if seen.lost else str(seen.status),
            sent={"query": dict(seen.query), "headers": dict(seen.headers), "body": seen.body},
            received=seen.answer,
        )

    def _claim_data_dir(self) -> None:
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (self._data_dir / f"{OURS}.lock").open("w")
        except OSError as error:
            raise StartFailed(
                f"--data-dir: {self._data_dir} cannot be written ({error.strerror}): name another"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartFailed(
                f"a demo is already running on {self._data_dir}: stop it, or choose another --data-dir and --port"
            ) from error
        for file in self._data_dir.glob(f"{OURS}.db*"):
            file.unlink()


def default_data_dir() -> Path:
    """Where the demo keeps its database unless told: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / OURS
