"""Runs jobs at their times. It knows no job by name, and may run in every replica: a job's id makes it one."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

GRACE = timedelta(hours=1)
"""A slot missed by less than this is made up for at start."""

BEAT_SECONDS = 10
SILENCE = 45.0
"""Seconds without a beat, after which the scheduler counts as dead."""
LEAVES_AFTER = 5.0
"""Seconds in which what is under way at a stop may end; jobs only hand work out, or look."""

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""By cron's numbers. APScheduler counts from Monday, so it is given names and never numbers."""
_WEEKDAY = "|".join(("[0-7]", *_WEEKDAYS))
_SOME_WEEKDAYS = re.compile(rf"({_WEEKDAY})|(?:\*|({_WEEKDAY})-({_WEEKDAY}))(?:/([1-7]))?")

log = logging.getLogger(__name__)

AtSlot = Callable[[datetime], Awaitable[None]]
"""Given the scheduled time, not the moment it runs: from it the job's id is made."""


class Scheduler:
    def __init__(
        self,
        *,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` measures how long it has been silent; unlike `now` it never jumps."""
        self._zone = zone
        self._now = now
        self._clock = clock
        self._beat_at = -SILENCE
        self._scheduler = AsyncIOScheduler(
            timezone=zone,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": int(GRACE.total_seconds()),
            },
        )
        self._missed: list[tuple[AtSlot, datetime]] = []
        self._daily: list[tuple[BaseTrigger, AtSlot]] = []
        self._regular: list[Callable[[], Awaitable[None]]] = []
        self._looked = now()
        self._under_way = set[asyncio.Task[None]]()
        self._leaves = False

    def daily(self, crontab: str, job: AtSlot) -> None:
        """Run at the times of a five-field cron expression in the partner's zone."""
        trigger = read_cron(crontab, zone=self._zone)
        missed = self._latest_slot(trigger)
        if missed:
            self._missed.append((job, missed))

        async def run() -> None:
            slot = self._latest_slot(trigger)
            if slot:
                await _guarded(job, slot)

        self._daily.append((trigger, job))
        self._scheduler.add_job(self._fire, trigger, args=(run,))

    def every(self, seconds: int, job: Callable[[], Awaitable[None]]) -> None:
        """Run again and again, at times that differ a little from replica to replica."""

        async def run() -> None:
            try:
                await job()
            except Exception:
                log.exception("a regular job failed; it runs again in %s s", seconds)

        trigger = IntervalTrigger(seconds=seconds, jitter=min(5, seconds // 4) or None)
        self._regular.append(run)
        self._scheduler.add_job(self._fire, trigger, args=(run,))

    async def _fire(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run in a task of APScheduler's, which would tell of a job that it breaks off with a traceback."""
        if task := asyncio.current_task():
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        try:
            await run()
        except asyncio.CancelledError:
            if not self._leaves:
                raise
            log.warning("a job was broken off by the stop; it runs again after the next start")

    async def start(self) -> None:
        """Start, and make up for the last slot of each daily job when it is less than an hour ago."""
        self._leaves = False
        self._scheduler.start()
        self._beat_at = self._clock()
        self._scheduler.add_job(
            self._beat, IntervalTrigger(seconds=BEAT_SECONDS), id="beat", replace_existing=True
        )
        for job, slot in self._missed:
            await _guarded(job, slot)
        self._missed.clear()

    async def catch_up(self) -> None:
        """Run at once what has fallen due since this was last asked, by a clock that runs ahead of the real one.

        Of several slots of one job the newest, in the order of the slots; then whatever runs again and again.
        """
        since, self._looked = self._looked, self._now()
        span = self._looked - since - timedelta(microseconds=1)  # what was due at that moment has been run
        due = [(_latest(trigger, self._zone, self._looked, span), job) for trigger, job in self._daily]
        for slot, job in sorted(((slot, job) for slot, job in due if slot), key=lambda each: each[0]):
            await _guarded(job, slot)
        for regular in self._regular:
            await regular()

    @property
    def is_running(self) -> bool:
        """Whether it really runs jobs: it says of itself that it does even when nothing wakes it any more."""
        return bool(self._scheduler.running) and self._clock() - self._beat_at < SILENCE

    async def _beat(self) -> None:
        self._beat_at = self._clock()

    def _latest_slot(self, trigger: BaseTrigger) -> datetime | None:
        """The newest scheduled time within the grace; a late run must name the same one as a punctual run."""
        return _latest(trigger, self._zone, self._now(), GRACE)

    async def stop(self, *, within: float = LEAVES_AFTER) -> None:
        """Begin nothing more, let what is under way end within so many seconds, and break off what does not."""
        if not self._scheduler.running:
            return
        self._leaves = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # what was handed out has begun by then
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within)
        self._scheduler.shutdown(wait=False)


def read_cron(crontab: str, *, zone: tzinfo) -> BaseTrigger:
    """The times that a five-field cron expression names in that zone. Raises ValueError with one line.

    As in cron, weekdays are mon to sun or 0 to 7, 0 and 7 being Sunday, and where both day of month and weekday are
    restricted, either is enough.
    """
    fields = crontab.split()
    if len(fields) != 5:
        raise ValueError("must have the five fields of cron, for example '0 9 * * mon-fri'")
    minute, hour, day, month, weekday = fields
    at = partial(CronTrigger, minute=minute, hour=hour, month=month, timezone=zone)
    weekdays = _weekdays(weekday)
    if day.startswith("*") or weekday.startswith("*"):  # to cron `*/2` is no restriction: both must fit
        return at(day=day, day_of_week=weekdays)
    return OrTrigger([at(day=day), at(day_of_week=weekdays)])


def _weekdays(field: str) -> str:
    """Cron's weekdays in names that mean the same to APScheduler."""
    chosen = {number % 7 for part in field.split(",") for number in _numbers(part)}
    return ",".join(_WEEKDAYS[number] for number in sorted(chosen))


def _numbers(part: str) -> range:
    """From 0, a Sunday, on; a range that goes over the end of the week goes on behind 7."""
    found = _SOME_WEEKDAYS.fullmatch(part.lower())
    if found is None:
        raise ValueError(
            f"{part!r} is no weekday: use mon to sun or 0 to 7 (0 and 7 are Sunday), as in mon-fri"
        )
    one, first, last, step = found.groups()
    if one:
        return range(_number(one), _number(one) + 1)
    begin, end = (_number(first), _number(last)) if first else (0, 6)
    return range(begin, end + (7 if end < begin else 0) + 1, int(step or 1))


def _number(weekday: str) -> int:
    return int(weekday) if weekday.isdigit() else _WEEKDAYS.index(weekday)


def latest_slot(crontab: str, *, zone: ZoneInfo, now: datetime, within: timedelta = GRACE) -> datetime | None:
    """The newest time a cron expression named within that span before now."""
    return _latest(read_cron(crontab, zone=zone), zone, now, within)


def next_slot(crontab: str, *, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first time a cron expression names after that moment."""
    trigger = read_cron(crontab, zone=zone)
    after = after.astimezone(UTC) + timedelta(microseconds=1)
    slot: datetime | None = trigger.get_next_fire_time(None, after.astimezone(zone))
    return slot


def _latest(trigger: BaseTrigger, zone: ZoneInfo, now: datetime, within: timedelta) -> datetime | None:
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
