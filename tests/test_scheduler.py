"""Jobs at their times: each is told the time it was meant for, and a slot just missed is made up for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from bot.scheduler import GRACE, SILENCE, Scheduler, latest_slot, next_slot

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEKDAYS_AT_NINE = "0 9 * * mon-fri"
PATIENCE = 20


@asynccontextmanager
async def scheduler(*, zone: ZoneInfo, at: datetime) -> AsyncIterator[Scheduler]:
    made = Scheduler(zone=zone, now=lambda: at)
    yield made
    await made.stop()


async def made_up_for(crontab: str, *, zone: ZoneInfo, at: datetime) -> list[datetime]:
    """The slots that are run at once when the program starts at that moment."""
    slots: list[datetime] = []

    async def job(slot: datetime) -> None:
        slots.append(slot)

    async with scheduler(zone=zone, at=at) as made:
        made.daily(crontab, job)
        await made.start()
    return slots


@pytest.mark.parametrize(
    ("crontab", "zone", "at", "slot"),
    [
        pytest.param(
            WEEKDAYS_AT_NINE,
            SHANGHAI,
            datetime(2026, 11, 23, 1, 0, tzinfo=UTC),
            datetime(2026, 11, 23, 9, tzinfo=SHANGHAI),
            id="on the dot",
        ),
        pytest.param(
            WEEKDAYS_AT_NINE,
            SHANGHAI,
            datetime(2026, 11, 23, 1, 59, 59, tzinfo=UTC),
            datetime(2026, 11, 23, 9, tzinfo=SHANGHAI),
            id="missed by less than an hour",
        ),
        pytest.param(
            WEEKDAYS_AT_NINE, SHANGHAI, datetime(2026, 11, 23, 2, 0, 1, tzinfo=UTC), None, id="missed by more"
        ),
        pytest.param(
            WEEKDAYS_AT_NINE,
            SHANGHAI,
            datetime(2026, 11, 23, 0, 59, 59, tzinfo=UTC),
            None,
            id="still to come",
        ),
        pytest.param(
            WEEKDAYS_AT_NINE, SHANGHAI, datetime(2026, 11, 22, 1, 5, tzinfo=UTC), None, id="a Sunday"
        ),
        pytest.param(
            "0 9 * * 1-5",
            BERLIN,
            datetime(2026, 11, 23, 8, 10, tzinfo=UTC),
            datetime(2026, 11, 23, 9, tzinfo=BERLIN),
            id="a Monday by its number",
        ),
        pytest.param(
            "0 9 * * 1-5",
            BERLIN,
            datetime(2026, 11, 28, 8, 10, tzinfo=UTC),
            None,
            id="a Saturday by its number",
        ),
        pytest.param(
            "*/20 * * * *",
            BERLIN,
            datetime(2026, 11, 23, 11, 50, tzinfo=UTC),
            datetime(2026, 11, 23, 12, 40, tzinfo=BERLIN),
            id="of several missed the last",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            datetime(2026, 10, 25, 0, 40, tzinfo=UTC),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
            id="half past two, the first of two that night",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            datetime(2026, 10, 25, 1, 40, tzinfo=UTC),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
            id="half past two, the second",
        ),
        pytest.param(
            "*/20 * * * *",
            BERLIN,
            datetime(2026, 10, 25, 1, 5, tzinfo=UTC),
            datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN, fold=1),
            id="many a night, in the hour that comes twice",
        ),
        pytest.param(
            "0 9 * * *",
            BERLIN,
            datetime(2026, 10, 25, 8, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 9, tzinfo=BERLIN),
            id="nine in winter time, the day the clocks go back",
        ),
        pytest.param(
            "0 9 * * *",
            BERLIN,
            datetime(2027, 3, 28, 7, 30, tzinfo=UTC),
            datetime(2027, 3, 28, 9, tzinfo=BERLIN),
            id="nine in summer time, the day the clocks go forward",
        ),
        pytest.param(
            "0 9 * * *", BERLIN, datetime(2027, 3, 28, 6, 59, tzinfo=UTC), None, id="that day, a minute early"
        ),
        pytest.param(
            "30 23 * * *",
            BERLIN,
            datetime(2026, 11, 23, 23, 15, tzinfo=UTC),
            datetime(2026, 11, 23, 23, 30, tzinfo=BERLIN),
            id="yesterday's, past midnight",
        ),
    ],
)
async def test_at_start_the_slot_made_up_for(
    crontab: str, zone: ZoneInfo, at: datetime, slot: datetime | None
):
    found = await made_up_for(crontab, zone=zone, at=at)
    # Within one zone datetimes are compared by the clock on the wall, which shows some hours twice.
    assert [s.astimezone(UTC) for s in found] == ([slot.astimezone(UTC)] if slot else [])


async def test_the_slot_carries_the_offset_of_its_day():
    """From its text the job's id is made: it must be the same in every replica."""
    summer = await made_up_for("0 9 * * *", zone=BERLIN, at=datetime(2026, 10, 24, 7, 10, tzinfo=UTC))
    winter = await made_up_for("0 9 * * *", zone=BERLIN, at=datetime(2026, 10, 25, 8, 10, tzinfo=UTC))
    assert [slot.isoformat() for slot in summer + winter] == [
        "2026-10-24T09:00:00+02:00",
        "2026-10-25T09:00:00+01:00",
    ]


async def test_replicas_that_start_at_different_moments_name_the_same_slot():
    first = datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC)
    named = {
        (await made_up_for(WEEKDAYS_AT_NINE, zone=BERLIN, at=first + late))[0].isoformat()
        for late in (timedelta(0), timedelta(seconds=7), GRACE - timedelta(seconds=1))
    }
    assert named == {"2026-11-23T09:00:00+01:00"}


async def test_a_missed_slot_is_made_up_for_once():
    slots: list[datetime] = []

    async def job(slot: datetime) -> None:
        slots.append(slot)

    async with scheduler(zone=BERLIN, at=datetime(2026, 11, 23, 8, 10, tzinfo=UTC)) as made:
        made.daily(WEEKDAYS_AT_NINE, job)
        await made.start()
        await made.stop()
        await asyncio.wait_for(_turn_of_the_loop(), PATIENCE)
        await made.start()
    assert len(slots) == 1


async def _turn_of_the_loop() -> None:
    """APScheduler stops in the loop's next turn."""
    await asyncio.get_running_loop().run_in_executor(None, int)


async def test_a_failing_job_does_not_keep_the_others_from_starting(caplog: pytest.LogCaptureFixture):
    ran: list[datetime] = []

    async def fails(slot: datetime) -> None:
        raise LookupError

    async def job(slot: datetime) -> None:
        ran.append(slot)

    async with scheduler(zone=BERLIN, at=datetime(2026, 11, 23, 8, 10, tzinfo=UTC)) as made:
        made.daily(WEEKDAYS_AT_NINE, fails)
        made.daily(WEEKDAYS_AT_NINE, job)
        await made.start()
        assert made.is_running
    assert len(ran) == 1
    assert "2026-11-23T09:00:00+01:00" in caplog.text


async def test_a_regular_job_runs_again_after_it_failed():
    times = 0
    again = asyncio.Event()

    async def job() -> None:
        nonlocal times
        times += 1
        if times == 2:
            again.set()
        raise LookupError

    async with scheduler(zone=BERLIN, at=datetime.now(UTC)) as made:
        made.every(1, job)
        await made.start()
        async with asyncio.timeout(PATIENCE):
            await again.wait()


async def test_what_is_stopped_does_not_run_and_may_be_stopped_again():
    made = Scheduler(zone=BERLIN, now=lambda: datetime(2026, 11, 23, tzinfo=UTC))
    await made.stop()
    await made.start()
    await made.stop()
    await _turn_of_the_loop()
    assert not made.is_running


async def begun(made: Scheduler, job: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Start, and wait until the job is under way."""
    is_begun = asyncio.Event()
    made.every(1, partial(job, is_begun))
    await made.start()
    async with asyncio.timeout(PATIENCE):
        await is_begun.wait()


async def test_a_stop_lets_what_is_under_way_come_to_its_end(caplog: pytest.LogCaptureFixture):
    made, ended = Scheduler(zone=BERLIN, now=lambda: datetime.now(UTC)), False

    async def job(is_begun: asyncio.Event) -> None:
        nonlocal ended
        is_begun.set()
        await _turn_of_the_loop()
        ended = True

    await begun(made, job)
    await made.stop()
    assert ended
    await _turn_of_the_loop()
    assert not caplog.records


async def test_a_stop_breaks_off_what_does_not_end_and_says_so_in_a_line(caplog: pytest.LogCaptureFixture):
    made = Scheduler(zone=BERLIN, now=lambda: datetime.now(UTC))

    async def job(is_begun: asyncio.Event) -> None:
        is_begun.set()
        await asyncio.Event().wait()

    await begun(made, job)
    await made.stop(within=0)
    async with asyncio.timeout(PATIENCE):
        while not caplog.records:
            await _turn_of_the_loop()
    await _turn_of_the_loop()
    (record,) = caplog.records
    assert "broken off" in record.message
    assert not record.exc_info


async def test_what_fell_due_by_a_clock_that_runs_ahead_is_run_once_in_its_order():
    ran: list[str] = []
    times = [datetime(2026, 11, 23, 12, tzinfo=UTC)]
    made = Scheduler(zone=ZoneInfo("UTC"), now=lambda: times[-1])

    async def digest(slot: datetime) -> None:
        ran.append(f"digest {slot:%d %H:%M}")

    async def refresh(slot: datetime) -> None:
        ran.append(f"refresh {slot:%d %H:%M}")

    async def sweep() -> None:
        ran.append("sweep")

    made.daily(WEEKDAYS_AT_NINE, digest)
    made.daily("30 3 * * *", refresh)
    made.every(30, sweep)
    await made.catch_up()
    assert ran == ["sweep"], "nothing has fallen due yet"
    times.append(datetime(2026, 11, 25, 9, tzinfo=UTC))
    await made.catch_up()
    assert ran[1:] == ["refresh 25 03:30", "digest 25 09:00", "sweep"], "of several slots the newest"
    await made.catch_up()
    assert ran[4:] == ["sweep"]


def test_the_next_slot_is_after_the_weekend():
    friday = datetime(2026, 11, 27, 9, tzinfo=BERLIN)
    assert next_slot(WEEKDAYS_AT_NINE, zone=BERLIN, after=friday) == datetime(2026, 11, 30, 9, tzinfo=BERLIN)
    before = friday - timedelta(minutes=1)
    assert next_slot(WEEKDAYS_AT_NINE, zone=BERLIN, after=before) == friday


NOVEMBER = datetime(2026, 11, 1, tzinfo=BERLIN)
"""A Sunday."""
WEEK = range(22, 29)
"""From a Sunday to the Saturday behind it."""


def days(crontab: str) -> list[int]:
    """All days of that November that it names, one after the other."""
    found, slot = [], next_slot(crontab, zone=BERLIN, after=NOVEMBER)
    while slot and slot < NOVEMBER.replace(month=12):
        found.append(slot.day)
        slot = next_slot(crontab, zone=BERLIN, after=slot)
    return found


@pytest.mark.parametrize(
    ("weekdays", "in_that_week"),
    [
        pytest.param("mon-fri", [23, 24, 25, 26, 27], id="names"),
        pytest.param("1-5", [23, 24, 25, 26, 27], id="numbers"),
        pytest.param("0", [22], id="Sunday is the day 0"),
        pytest.param("7", [22], id="Sunday is the day 7 too"),
        pytest.param("1", [23], id="Monday"),
        pytest.param("6", [28], id="Saturday"),
        pytest.param("MON,Wed,fri", [23, 25, 27], id="a list of names however they are written"),
        pytest.param("1,wed-4,0", [22, 23, 25, 26], id="a list of all there is"),
        pytest.param("1-7", [*WEEK], id="a week from Monday"),
        pytest.param("0-6", [*WEEK], id="a week from Sunday"),
        pytest.param("0-7", [*WEEK], id="a week with two Sundays"),
        pytest.param("mon-sun", [*WEEK], id="a week of names"),
        pytest.param("sun-thu", [22, 23, 24, 25, 26], id="a working week from Sunday"),
        pytest.param("fri-mon", [22, 23, 27, 28], id="over the weekend"),
        pytest.param("5-7", [22, 27, 28], id="up to Sunday"),
        pytest.param("6-1", [22, 23, 28], id="over the weekend in numbers"),
        pytest.param("7-2", [22, 23, 24], id="from Sunday"),
        pytest.param("sat-sun", [22, 28], id="a weekend"),
        pytest.param("3-3", [25], id="a range of one"),
        pytest.param("*", [*WEEK], id="any"),
        pytest.param("*/2", [22, 24, 26, 28], id="every other from Sunday"),
        pytest.param("1-5/2", [23, 25, 27], id="every other from Monday"),
        pytest.param("fri-mon/2", [22, 27], id="every other over the weekend"),
    ],
)
def test_weekdays_are_those_of_cron(weekdays: str, in_that_week: list[int]):
    assert [day for day in days(f"0 9 * * {weekdays}") if day in WEEK] == in_that_week
    for day in WEEK:
        then = NOVEMBER.replace(day=day, hour=9, minute=30)
        found = latest_slot(f"0 9 * * {weekdays}", zone=BERLIN, now=then)
        assert (found is not None) == (day in in_that_week)


@pytest.mark.parametrize(
    ("crontab", "named"),
    [
        pytest.param("0 9 10 * 1", [2, 9, 10, 16, 23, 30], id="either is enough"),
        pytest.param("0 9 9 * 1", [2, 9, 16, 23, 30], id="a day that is both comes once"),
        pytest.param("0 9 */8 * 1", [9], id="a step from any day on is no restriction to cron"),
        pytest.param("0 9 1-14 * */3", [1, 4, 7, 8, 11, 14], id="nor one from any weekday on"),
        pytest.param("0 9 last * *", [30], id="the last of the month"),
    ],
)
def test_day_of_month_and_weekday_go_together_as_in_cron(crontab: str, named: list[int]):
    assert days(crontab) == named


async def test_one_that_nothing_wakes_any_more_does_not_run_whatever_it_says_of_itself():
    clock = 1000.0
    made = Scheduler(zone=BERLIN, now=lambda: datetime.now(UTC), clock=lambda: clock)
    assert not runs(made)
    await made.start()
    made._scheduler._stop_timer()  # as if looking for the next job had raised
    clock += SILENCE - 1
    assert runs(made)
    clock += 1
    assert made._scheduler.running
    assert not runs(made)
    await made.stop()


async def test_one_that_is_woken_goes_on_running():
    clock = 1000.0
    made = Scheduler(zone=BERLIN, now=lambda: datetime.now(UTC), clock=lambda: clock)
    await made.start()
    clock += SILENCE
    assert not runs(made)
    made._scheduler.modify_job("beat", next_run_time=datetime.now(UTC))
    async with asyncio.timeout(PATIENCE):
        while not runs(made):
            await _turn_of_the_loop()
    await made.stop()


def runs(made: Scheduler) -> bool:
    return made.is_running
