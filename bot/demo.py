"""`backstop demo`: a sandbox Slack, a sandbox Partner Center and the very bot of production, all on loopback."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TextIO

from pydantic import SecretStr

from bot.app import Application, StartFailed, core, migrate, utc_now
from bot.domain import people
from bot.domain.customer import Cloud, CustomerId
from bot.domain.letter import LetterKind
from bot.sandbox.partner_center import PartnerCenterSandbox, plant, plant_past
from bot.sandbox.post_office import PostOffice, as_message
from bot.sandbox.receivables import WARNED, sample_receivables
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import Channel, Person
from bot.services import jobs
from bot.services.letters import Written
from bot.settings import Settings
from handlers.manifest import manifest

PORT = 8055
WARNED_AGO = timedelta(days=20)
OURS = "backstop-demo"
"""Our files in the data directory begin so; nothing else in it is touched."""


class Demo:
    """Everything embedded. Each start begins afresh: the sandboxes forget, so the ledger must, too."""

    def __init__(
        self,
        data_dir: Path,
        *,
        now: Callable[[], datetime] = utc_now,
        undo_window: timedelta = timedelta(seconds=5),
    ) -> None:
        self._data_dir = data_dir
        self._now = now
        self._undo_window = undo_window
        self.partner_center = PartnerCenterSandbox(now=now)
        self.partner_center.support.takes_any_number = True
        self.slack = SlackSandbox(manifest=manifest(url=None), partner_center=self.partner_center, now=now)
        self.partner_center.on_change(self.slack.partner_center_changed)
        self.post_office = PostOffice(self._mail_arrives)
        self._mailbox = self._open_mailbox()
        self.app: Application | None = None
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
        self.app = Application(settings, now=self._now)
        await self.app.start()
        await self.slack.app_connects()
        await self._post_digests()
        return self.slack.page_url

    async def stop(self) -> None:
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
            backstop_approvals_channel=channels["csp-approvals"],
            backstop_overdue_channel=channels["csp-overdue"],
            backstop_suspicious_channel=channels["csp-suspicious"],
            backstop_tickets_channel=channels["csp-tickets"],
            backstop_ticket_contact="Ana Lindqvist <support@northwind.example> +46 8 555 0100",
            backstop_ticket_country="SWE",
            backstop_operators=("S0BILLING",),
            backstop_approvers=("S0APPROVERS",),
            backstop_undo_window=self._undo_window,
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
        self.slack.workspace.post(self._mailbox, {"user": "U0POSTOFFICE", **as_message(mail)}, at=self._now())

    async def _recall_warnings(self, settings: Settings) -> None:
        """What Ana did some weeks ago: those who are long overdue were warned by hand, and she recorded it."""
        await asyncio.to_thread(migrate, settings)
        past = core(settings, now=lambda: self._now() - WARNED_AGO)
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
        plant_past(self.partner_center, at=self._now())
        await backstop.watch.read()
        today: date = backstop.digests.today()
        for day, earlier in ((today - timedelta(days=1), True), (today, False)):
            books = sample_receivables(today, earlier=earlier).encode()
            await backstop.receivables.take_in(books, file_name="open-invoices.csv", as_of=day)
        await self.app.core.courier.post(jobs.post_overdue(today))
        plant(self.partner_center, at=self._now())
        await self.app.core.courier.post(jobs.post_suspicious(today))
        await self.slack.message_appears("csp-overdue")
        await self.slack.message_appears("csp-suspicious")

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
