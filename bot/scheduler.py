"""Runs jobs at their times. It knows no job by name, and may run in every replica: a job's id makes it one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

GRACE = timedelta(hours=1)
"""A slot missed by less than this is made up for at start."""

log = logging.getLogger(__name__)

AtSlot = Callable[[datetime], Awaitable[None]]
"""Given the scheduled time, not the moment it runs: from it the job's id is made."""


class Scheduler:
    def __init__(self, *, zone: ZoneInfo, now: Callable[[], datetime]) -> None:
        self._zone = zone
        self._now = now
        self._scheduler = AsyncIOScheduler(
            timezone=zone,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": int(GRACE.total_seconds()),
            },
        )
        self._missed: list[tuple[AtSlot, datetime]] = []

    def daily(self, crontab: str, job: AtSlot) -> None:
        """Run at the times of a five-field cron expression in the partner's zone."""
        trigger = CronTrigger.from_crontab(crontab, timezone=self._zone)
        missed = self._latest_slot(trigger)
        if missed:
            self._missed.append((job, missed))

        async def fire() -> None:
            slot = self._latest_slot(trigger)
            if slot:
                await _guarded(job, slot)

        self._scheduler.add_job(fire, trigger)

    def every(self, seconds: int, job: Callable[[], Awaitable[None]]) -> None:
        """Run again and again, at times that differ a little from replica to replica."""

        async def fire() -> None:
            try:
                await job()
            except Exception:
                log.exception("a regular job failed; it runs again in %s s", seconds)

        self._scheduler.add_job(fire, IntervalTrigger(seconds=seconds, jitter=min(5, seconds // 4) or None))

    async def start(self) -> None:
        """Start, and make up for the last slot of each daily job when it is less than an hour ago."""
        self._scheduler.start()
        for job, slot in self._missed:
            await _guarded(job, slot)
        self._missed.clear()

    @property
    def is_running(self) -> bool:
        return bool(self._scheduler.running)

    def _latest_slot(self, trigger: CronTrigger) -> datetime | None:
        """The newest scheduled time within the grace; a late run must name the same one as a punctual run."""
        return _latest(trigger, self._zone, self._now(), GRACE)

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def latest_slot(crontab: str, *, zone: ZoneInfo, now: datetime, within: timedelta = GRACE) -> datetime | None:
    """The newest time a cron expression named within that span before now."""
    return _latest(CronTrigger.from_crontab(crontab, timezone=zone), zone, now, within)


def _latest(trigger: CronTrigger, zone: ZoneInfo, now: datetime, within: timedelta) -> datetime | None:
    now = now.astimezone(UTC)
    # In UTC: the hour that comes twice when the clocks go back would be counted through without end.
    after, latest = now - within, None
    while slot := trigger.get_next_fire_time(None, after.astimezone(zone)):
        if not after <= slot.astimezone(UTC) <= now:
            break
        latest, after = slot, slot.astimezone(UTC) + timedelta(seconds=1)
    return latest


async def _guarded(job: AtSlot, slot: datetime) -> None:
    try:
        await job(slot)
    except Exception:
        log.exception("the job due at %s failed", slot.isoformat())
