"""What comes round by the clock. Nearly all of it is handed out as jobs, so that of many replicas one does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.core import Core
from bot.scheduler import GRACE, Scheduler, latest_slot
from bot.services import jobs
from bot.services.cases import suspicious_key
from bot.services.digests import overdue_key
from bot.services.signatures import Signatures
from handlers.anchor import anchor_key
from handlers.desk import Desk

SWEEP_SECONDS = 30
LOOK_SECONDS = 3600
JOBS_KEPT = timedelta(days=180)
"""So long a reminder that was given is known as given, whoever asks for it again."""
CATCH_UP = timedelta(minutes=5)


class Rounds:
    """Each method further down is one of them; `slot` is the time at which it was due."""

    def __init__(self, made: Core, desk: Desk, signatures: Signatures) -> None:
        self._settings = made.settings
        self._backstop = made.backstop
        self._courier = made.courier
        self._desk = desk
        self._signatures = signatures
        self._now = made.backstop.now
        self._read_slot = -1

    def go_by(self, scheduler: Scheduler) -> None:
        """Have each done at its time, from when the scheduler starts."""
        settings, backstop = self._settings, self._backstop
        if settings.backstop_overdue_channel:
            scheduler.daily(settings.backstop_overdue_cron, self.post_overdue)
            scheduler.every(SWEEP_SECONDS, self.catch_up_overdue)
        if settings.backstop_suspicious_channel:
            scheduler.daily(settings.backstop_suspicious_cron, self.post_suspicious)
            scheduler.every(LOOK_SECONDS, self.look_hourly)
            scheduler.every(SWEEP_SECONDS, self.catch_up_suspicious)
        if backstop.sources.names:
            scheduler.every(SWEEP_SECONDS, self.read_sources)
        scheduler.daily("30 3 * * *", self.refresh)
        scheduler.daily("20 * * * *", self.reread)
        scheduler.every(SWEEP_SECONDS, backstop.customers.crawler.sweep)
        scheduler.daily("0 8 * * *", self.warn_of_deletion)
        scheduler.daily("40 2 * * *", self.forget_jobs)
        scheduler.every(SWEEP_SECONDS, self._signatures.forget_old)
        scheduler.daily("0 9 1 * *", self.post_stamps)
        scheduler.every(SWEEP_SECONDS, backstop.requests.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.glass.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.drifts.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.letters.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.previews.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.tickets.sweep)
        scheduler.every(SWEEP_SECONDS, backstop.support.sweep)
        scheduler.daily("*/15 * * * *", self.read_tickets)
        scheduler.daily(settings.backstop_audit_cron, self.post_anchor)
        scheduler.every(SWEEP_SECONDS, self.catch_up_anchor)

    async def begin(self) -> None:
        """Do at once what does not wait for its time: nobody knows for how long no worker was here."""
        await self.refresh(self._now().replace(minute=0, second=0, microsecond=0))
        await self.read_sources()

    async def read_sources(self) -> None:
        """Once an interval, whoever of all replicas comes first: the slot's number makes it one."""
        interval = self._settings.receivables_interval
        slot = int(self._now().timestamp() // interval.total_seconds())
        if self._backstop.sources.names and slot != self._read_slot:
            since = datetime.fromtimestamp(slot * interval.total_seconds(), UTC)
            await self._backstop.sources.ask_all(slot=since)
            self._read_slot = slot

    async def post_overdue(self, slot: datetime) -> None:
        await self._courier.post(jobs.post_overdue(slot.date(), slot=slot))

    async def catch_up_overdue(self) -> None:
        """A digest whose job died with its worker, or that Slack refused, is tried again every five minutes.

        For an hour at first; for the rest of its day where digests have been posted before. Meanwhile people are told.
        """
        backstop, channel, now = self._backstop, self._settings.backstop_overdue_channel or "", self._now()
        slot = self._desk.overdue_due()
        if slot is None or slot.date() != backstop.digests.today():
            return
        key, attempt = overdue_key(channel, slot.date()), int((now - slot) / CATCH_UP)
        if not attempt:
            return
        is_missing = await backstop.digests.is_missing(channel, slot)
        if (is_missing or now - slot < GRACE) and await backstop.posts.find(key) is None:
            await self._courier.post(jobs.post_overdue(slot.date(), slot=slot, again=attempt))
        if is_missing and await backstop.posts.find(f"late:{key}") is None:
            await self._courier.post(jobs.say_overdue_is_late(slot, attempt=attempt))

    async def look_hourly(self) -> None:
        """Of all replicas one does it: the hour makes their jobs one."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        await self._courier.post(jobs.read_risk(None, slot=hour.isoformat()))

    async def post_suspicious(self, slot: datetime) -> None:
        await self._courier.post(jobs.post_suspicious(slot.date(), slot=slot))

    async def catch_up_suspicious(self) -> None:
        """One whose job died with its worker, or that Slack refused, is tried again every five minutes for an hour."""
        channel, now = self._settings.backstop_suspicious_channel or "", self._now()
        slot = latest_slot(
            self._settings.backstop_suspicious_cron, zone=self._settings.zone, now=now, within=GRACE
        )
        if slot is None or slot.date() != self._backstop.digests.today():
            return
        attempt = int((now - slot) / CATCH_UP)
        if attempt and await self._backstop.posts.find(suspicious_key(channel, slot.date())) is None:
            await self._courier.post(jobs.post_suspicious(slot.date(), slot=slot, again=attempt))

    async def post_anchor(self, slot: datetime) -> None:
        await self._courier.post(jobs.post_anchor(slot, again=0))
        await self._courier.post(jobs.purge_audit(slot))

    async def catch_up_anchor(self) -> None:
        """As `catch_up_suspicious`."""
        channel, now = self._settings.audit_channel or "", self._now()
        slot = latest_slot(
            self._settings.backstop_audit_cron, zone=self._settings.zone, now=now, within=GRACE
        )
        attempt = int((now - slot) / CATCH_UP) if slot else 0
        if not slot or not attempt or slot.date() != self._backstop.digests.today():
            return
        if await self._backstop.posts.find(anchor_key(channel, slot.date())) is None:
            await self._courier.post(jobs.post_anchor(slot, again=attempt))

    async def forget_jobs(self, slot: datetime) -> None:
        while await self._courier.forget_finished(before=slot - JOBS_KEPT):
            pass

    async def warn_of_deletion(self, slot: datetime) -> None:
        await self._courier.post(jobs.warn_of_deletion(slot))

    async def post_stamps(self, slot: datetime) -> None:
        await self._courier.post(jobs.post_stamps(slot.date()))

    async def read_tickets(self, slot: datetime) -> None:
        await self._courier.post(jobs.read_tickets(slot=slot.isoformat()))

    async def refresh(self, slot: datetime) -> None:
        await self._courier.post(jobs.refresh_mirror(slot=slot.isoformat()))

    async def reread(self, slot: datetime) -> None:
        await self._courier.post(jobs.reread_mirror(slot=slot.isoformat()))
