"""The courier: a job handed over is run, once however often it is handed over, and not if nothing was kept."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from dbos._dbos import _get_dbos_instance

from bot import correlation
from bot import courier as engine
from bot import store as database
from bot.courier import (
    ACTS,
    AGAIN,
    AT_ONCE,
    COMES_UP,
    OVERDUE,
    QUEUE,
    STANDS_STILL,
    TAKES,
    WAITS,
    AlreadyRunning,
    Courier,
    Job,
    may_wait,
)
from bot.domain.errors import Unavailable
from bot.store import Store
from bot.store.store import sync_url
from tests.builders import noon

PATIENCE = 20
Open = Callable[[], Awaitable[Courier]]


class Work:
    """What ran, in order."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.begun_so_far = 0
        self._news = asyncio.Event()

    async def long(self, word: str) -> None:
        """Ran once it may end."""
        self.begun.set()
        self.begun_so_far += 1
        self._news.set()
        await self.may_end.wait()
        await self.note(word)

    async def note(self, word: str) -> None:
        self.ran.append(word)
        self._news.set()

    async def comes_to(self, *words: str) -> None:
        """Wait until all of these ran."""
        await self._until(lambda: set(words) <= set(self.ran))

    async def has_begun(self, many: int) -> None:
        """Wait until so many long ones were begun."""
        await self._until(lambda: self.begun_so_far == many)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                self._news.clear()
                await self._news.wait()


def a_job(word: str, *, name: str = "note", job_id: str = "") -> Job:
    return Job(name, id=job_id or f"note:{word}", args={"word": word})


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def ready_url(database_url: str) -> str:
    database.migrate(database_url)
    engine.migrate(sync_url(database_url))
    return database_url


@pytest.fixture
async def store(ready_url: str) -> AsyncIterator[Store]:
    opened = Store(ready_url, now=lambda: noon)
    yield opened
    await opened.close()


@pytest.fixture
async def open_courier(ready_url: str, store: Store) -> AsyncIterator[Open]:
    """Couriers on one database, closed after the test; one of them may be started."""
    async with AsyncExitStack() as ends:

        async def another() -> Courier:
            made = Courier(sync_url(ready_url))
            ends.push_async_callback(made.close)
            await made.open()
            return made

        yield another


async def test_only_what_was_kept_is_run(open_courier: Open, store: Store, work: Work):
    courier = await open_courier()
    async with store.begin() as tx:
        await courier.send(tx.connection, a_job("kept"))
    with suppress(LookupError):
        async with store.begin() as tx:
            await courier.send(tx.connection, a_job("rolled back"))
            raise LookupError
    await courier.start({"note": work.note}, executor="host-0")
    # The queue is first in, first out: when the last is done, whatever was before it had its turn.
    await courier.post(a_job("last"))
    await work.comes_to("kept", "last")
    assert work.ran == ["kept", "last"]


class Heard(asyncio.SelectorEventLoop):
    """Tells when some other thread wants something of it."""

    def __init__(self) -> None:
        self.noticed = threading.Event()
        super().__init__()

    # typeshed gives the arguments by a type variable of their own
    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self.noticed.set()
        return super().call_soon_threadsafe(callback, *args, context=context)


def test_a_job_that_is_taken_while_the_loop_stands_still_runs_on_it_all_the_same(ready_url: str):
    """Elsewhere it would use connections that are the loop's, and leave its own behind."""
    ran: list[asyncio.AbstractEventLoop] = []
    loop = Heard()
    done = asyncio.Event()

    async def note() -> None:
        ran.append(asyncio.get_running_loop())
        loop.noticed.set()
        done.set()

    async def begin() -> Courier:
        courier = Courier(sync_url(ready_url))
        await courier.open()
        await courier.start({"note": note}, executor="host-0")
        await courier.post(Job("note", id="note:1"))
        return courier

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        courier = runner.run(begin())
        try:
            if not ran:  # else it was taken before the loop stood still
                loop.noticed.clear()
                assert loop.noticed.wait(PATIENCE)
            runner.run(asyncio.wait_for(done.wait(), PATIENCE))
        finally:
            runner.run(courier.close())
    assert ran == [loop]


async def test_what_the_engine_breaks_off_by_a_stop_is_told_without_a_traceback(
    open_courier: Open, work: Work, caplog: pytest.LogCaptureFixture
):
    """It takes a job and has shut its threads down before the job begins; that comes down to a moment."""
    caplog.set_level(logging.INFO, "bot.courier")
    engine_tells = partial(logging.getLogger("dbos").error, "in a workflow")
    threads = ThreadPoolExecutor()
    threads.shutdown()
    with pytest.raises(RuntimeError) as late:
        threads.submit(int)
    told = partial(engine_tells, exc_info=late.value)

    def said() -> list[tuple[str, bool]]:
        found = [(r.getMessage(), r.exc_info is not None) for r in caplog.records]
        caplog.clear()
        return [each for each in found if each[0] == "in a workflow" or "next start" in each[0]]

    courier = await open_courier()
    await courier.start({"note": work.note}, executor="host-0")
    told()
    assert said() == [("in a workflow", True)]
    await courier.close()
    told()
    ((words, has_traceback),) = said()
    assert "it is taken up at the next start" in words
    assert not has_traceback
    engine_tells(exc_info=OSError("something else"))
    assert said() == [("in a workflow", True)]
    again = await open_courier()
    await again.start({"note": work.note}, executor="host-0")
    told()
    assert said() == [("in a workflow", True)]


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(
    open_courier: Open, work: Work, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine, "FORGOTTEN_AT_ONCE", 2)
    courier = await open_courier()
    await courier.start({"note": work.note}, executor="host-0")
    now = datetime.now(UTC)
    for word in ("a", "b", "c"):
        await courier.post(a_job(word))
    await courier.post(replace(a_job("later"), delay=3600.0))
    await work.comes_to("a", "b", "c")
    assert not await courier.forget_finished(before=now - timedelta(hours=1))
    await courier.post(a_job("a"))  # known still
    await comes_to_rest(courier)
    while await courier.forget_finished(before=now + timedelta(hours=1)):
        pass
    assert sorted(work.ran) == ["a", "b", "c"]
    await courier.post(a_job("a"))
    await courier.post(a_job("d"))
    await work.comes_to("d")
    assert sorted(work.ran) == ["a", "a", "b", "c", "d"]


async def comes_to_rest(courier: Courier) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await courier.is_idle():
            await asyncio.sleep(0)


async def test_of_two_jobs_with_one_id_the_first_is_run_once(open_courier: Open, store: Store, work: Work):
    one, two = await open_courier(), await open_courier()
    async with store.begin() as tx:
        await one.send(tx.connection, a_job("first", job_id="digest:2026-11-23"))
    async with store.begin() as tx:
        await two.send(tx.connection, a_job("second", job_id="digest:2026-11-23"))
    await two.post(a_job("third", job_id="digest:2026-11-23"))
    await one.start({"note": work.note}, executor="host-0")
    await work.comes_to("first")
    await two.post(a_job("fourth", job_id="digest:2026-11-23"))
    await two.post(a_job("last"))
    await work.comes_to("last")
    assert work.ran == ["first", "last"]


async def test_a_failing_job_does_not_stop_the_others(
    open_courier: Open, work: Work, caplog: pytest.LogCaptureFixture
):
    courier = await open_courier()

    async def fails(word: str) -> None:
        raise LookupError(word)

    await courier.start({"note": work.note, "fails": fails}, executor="host-0")
    await courier.post(a_job("bad", name="fails"))
    await courier.post(a_job("unheard of", name="nobody knows"))
    await courier.post(a_job("good"))
    await work.comes_to("good")
    assert "job fails failed" in caplog.text
    assert "job nobody knows failed" in caplog.text


async def test_closing_lets_a_running_job_end(open_courier: Open, work: Work):
    courier = await open_courier()
    await courier.start({"long": work.long}, executor="host-0")
    await courier.post(a_job("drained", name="long"))
    async with asyncio.timeout(PATIENCE):
        await work.begun.wait()
        closing = asyncio.create_task(courier.close())
        asyncio.get_running_loop().call_soon(work.may_end.set)
        await closing
    assert work.ran == ["drained"]


async def test_nothing_is_begun_any_more_while_the_last_jobs_end(open_courier: Open, work: Work):
    courier = await open_courier()
    await courier.start({"long": work.long, "note": work.note}, executor="host-0")
    await courier.post(a_job("drained", name="long"))
    async with asyncio.timeout(PATIENCE):
        await work.begun.wait()
        (taking,) = [thread for thread in threading.enumerate() if thread.name == "queue-worker-jobs"]
        closing = asyncio.create_task(courier.close())
        await asyncio.to_thread(taking.join, PATIENCE / 2)
        has_ended = not taking.is_alive()
        await courier.post(a_job("for the next worker"))
        work.may_end.set()
        await closing
    assert has_ended
    assert work.ran == ["drained"]


class Later:
    """The clock on the wall, ahead by what is added."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class TestWhetherItTakesJobs:
    @pytest.fixture
    def clock(self) -> Later:
        return Later()

    @pytest.fixture
    async def courier(self, ready_url: str, clock: Later) -> AsyncIterator[Courier]:
        made = Courier(sync_url(ready_url), clock=clock)
        await made.open()
        yield made
        await made.close()

    async def test_it_does_while_it_runs(self, courier: Courier, store: Store, work: Work, clock: Later):
        assert not await takes(courier, store), "it was not started"
        await courier.start({"note": work.note}, executor="host-0")
        assert await takes(courier, store)
        for acts in (False, True):  # each queue has a thread of its own, which comes up in its own time
            await courier.post(replace(a_job(f"x {acts}"), acts=acts))
            await work.comes_to(f"x {acts}")
        clock.ahead += COMES_UP
        assert await takes(courier, store)
        await courier.close()
        assert not await takes(courier, store)

    async def test_it_does_not_when_the_queues_thread_has_died(
        self, courier: Courier, store: Store, work: Work, clock: Later
    ):
        await courier.start({"note": work.note}, executor="host-0")
        await courier.post(a_job("x"))
        await work.comes_to("x")
        clock.ahead += COMES_UP
        await self._kill_threads()
        assert not await takes(courier, store)

    async def test_it_does_not_when_jobs_wait_and_it_is_idle(
        self, courier: Courier, store: Store, work: Work, clock: Later
    ):
        await courier.start({"note": work.note}, executor="host-0")
        await courier.post(a_job("x"))
        await work.comes_to("x")
        queue = await DBOS.retrieve_queue_async(QUEUE)
        assert queue
        await queue.set_worker_concurrency_async(0)
        clock.ahead += OVERDUE + 1
        async with asyncio.timeout(PATIENCE):
            number = 0
            # Until it has heard of it, it may take some, also between the two questions.
            while await takes(courier, store) or not await waiting(courier, store):
                await courier.post(a_job(f"stays {(number := number + 1)}"))

    async def test_it_does_while_it_is_busy_and_jobs_wait(
        self, courier: Courier, store: Store, work: Work, clock: Later
    ):
        await courier.start({"long": work.long}, executor="host-0")
        for number in range(AT_ONCE + 2):
            await courier.post(a_job(f"{number}", name="long"))
        await work.has_begun(AT_ONCE)
        clock.ahead += OVERDUE + 1
        assert await waiting(courier, store) == 2
        assert await takes(courier, store)
        clock.ahead += STANDS_STILL
        assert await takes(courier, store), "nobody approved these"
        work.may_end.set()

    async def test_what_was_approved_does_not_wait_for_minutes_however_busy_it_is(
        self, courier: Courier, store: Store, work: Work, clock: Later
    ):
        await courier.start({"long": work.long}, executor="host-0")
        for number in range(AT_ONCE + 2):
            await courier.post(replace(a_job(f"{number}", name="long"), acts=True))
        await work.has_begun(AT_ONCE)
        clock.ahead += OVERDUE + 1
        assert await waiting(courier, store) == 2
        assert await takes(courier, store)
        clock.ahead += STANDS_STILL
        assert not await takes(courier, store)
        work.may_end.set()

    async def _kill_threads(self) -> None:
        """What ends them at a regular stop, out of the blue."""
        taking = [thread for thread in threading.enumerate() if thread.name in TAKES]
        for stop in _get_dbos_instance().background_thread_stop_events:
            stop.set()
        for thread in taking:
            await asyncio.to_thread(thread.join, PATIENCE)


class TestPlacesOfItsOwn:
    async def test_what_acts_is_not_held_up_by_jobs_that_hold_all_places(
        self, open_courier: Open, store: Store, work: Work
    ):
        courier = await open_courier()
        await courier.start({"long": work.long, "note": work.note}, executor="host-0")
        for number in range(AT_ONCE + 2):
            await courier.post(a_job(f"{number}", name="long"))
        await work.has_begun(AT_ONCE)
        async with store.begin() as tx:
            await courier.send(tx.connection, replace(a_job("acts"), acts=True))
        await work.comes_to("acts")
        assert work.ran == ["acts"]
        assert await waiting(courier, store) == 2
        work.may_end.set()
        await work.comes_to(*map(str, range(AT_ONCE + 2)))

    async def test_it_is_carried_out_from_the_queue_of_an_earlier_release_too(
        self, open_courier: Open, work: Work
    ):
        courier = await open_courier()
        await courier.post(a_job("acts", job_id="exec:1"))
        await courier.post(replace(a_job("acts again", job_id="exec:1"), acts=True))  # one id, one job
        await courier.post(replace(a_job("acts later", job_id="exec:2"), acts=True, delay=0.1))
        await courier.start({"note": work.note}, executor="host-0")
        await work.comes_to("acts", "acts later")
        assert sorted(work.ran) == ["acts", "acts later"]
        assert {QUEUE, ACTS} == {"jobs", "acts"}, "an earlier release left its jobs in the first"

    async def test_what_acts_and_had_not_ended_when_its_worker_died_is_run_again(
        self, open_courier: Open, work: Work, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(engine, "DRAIN_SECONDS", 0)
        gone = await open_courier()
        await gone.start({"long": work.long}, executor="host-0")
        await gone.post(replace(a_job("acts", name="long"), acts=True))
        await work.has_begun(1)
        await gone.close()
        back = await open_courier()
        await back.start({"long": work.long}, executor="host-0")
        await work.has_begun(2)
        work.may_end.set()
        await work.comes_to("acts")


class TestWaitingForWhoeverAsksForTime:
    """`WAITS` is nothing here: each wait is too long, and over in a moment."""

    @pytest.fixture(autouse=True)
    def _waits_for_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "WAITS", 0.0)
        monkeypatch.setattr("bot.courier.random.random", lambda: 0.0)

    async def test_a_job_that_would_wait_long_is_run_again_a_few_times(self, open_courier: Open, work: Work):
        courier, ids = await open_courier(), []

        async def posts(word: str) -> None:
            ids.append(DBOS.workflow_id)
            assert not may_wait(0.01)
            await work.note(f"{word} {len(ids)}")
            raise Unavailable("slack")

        await courier.start({"posts": posts}, executor="host-0", repeatable={"posts"})
        with correlation.under("c0ffee"):
            await courier.post(a_job("try", name="posts"))
        await work.comes_to(*(f"try {number + 1}" for number in range(AGAIN + 1)))
        await comes_to_rest(courier)
        assert ids == ["note:try", *(f"note:try~{number + 1}" for number in range(AGAIN))]

    async def test_what_it_could_not_tell_is_told_then_though_it_went_on(
        self, open_courier: Open, work: Work
    ):
        courier, told = await open_courier(), set[str]()

        async def tells(word: str) -> None:
            for each in "abc":
                if each not in told and (each != "b" or "c" in told or may_wait(0.01)):
                    told.add(each)
            await work.note("".join(sorted(told)))

        await courier.start({"tells": tells}, executor="host-0", repeatable={"tells"})
        await courier.post(a_job("all", name="tells"))
        await work.comes_to("ac", "abc")
        await comes_to_rest(courier)
        assert work.ran == ["ac", "abc"]

    async def test_others_wait_where_they_are(
        self, open_courier: Open, work: Work, monkeypatch: pytest.MonkeyPatch
    ):
        courier, waits = await open_courier(), list[bool]()

        async def asks() -> None:
            waits.append(may_wait(3600.0))

        async def beside(word: str) -> None:
            await asyncio.create_task(asks())
            await work.note(word)

        async def once(word: str) -> None:
            await asks()
            await work.note(word)

        await asks()
        await courier.start({"once": once, "beside": beside}, executor="host-0", repeatable={"beside"})
        await courier.post(a_job("not repeatable", name="once"))
        await courier.post(a_job("what it began beside itself", name="beside"))
        await work.comes_to("not repeatable", "what it began beside itself")
        await comes_to_rest(courier)
        assert waits == [True, True, True]
        assert len(work.ran) == 2


async def test_a_job_waits_a_moment_in_its_place(open_courier: Open, work: Work):
    courier = await open_courier()

    async def posts(word: str) -> None:
        assert may_wait(WAITS)
        await work.note(word)

    await courier.start({"posts": posts}, executor="host-0", repeatable={"posts"})
    await courier.post(a_job("x", name="posts"))
    await work.comes_to("x")
    await comes_to_rest(courier)
    assert work.ran == ["x"]


async def takes(courier: Courier, store: Store) -> bool:
    async with store.read() as tx:
        return await courier.takes_jobs(tx.connection)


async def waiting(courier: Courier, store: Store) -> int:
    async with store.read() as tx:
        return await courier.waiting(tx.connection)


async def test_a_job_runs_under_the_id_it_was_handed_over_under(open_courier: Open, store: Store, work: Work):
    courier = await open_courier()
    ids: dict[str, str] = {}

    async def notes(word: str) -> None:
        ids[word] = correlation.current()
        if word == "first":
            await courier.post(a_job("of the first", name="notes"))
        await work.note(word)

    with correlation.under("c0ffee"):
        async with store.begin() as tx:
            await courier.send(tx.connection, a_job("first", name="notes"))
    await courier.post(a_job("by itself", name="notes"))
    await courier.start({"notes": notes}, executor="host-0")
    await work.comes_to("first", "of the first", "by itself")
    assert ids == {"first": "c0ffee", "of the first": "c0ffee", "by itself": ""}


async def test_a_job_that_finds_no_database_is_run_again(open_courier: Open, work: Work):
    courier = await open_courier()
    found = iter((Unavailable("database"), Unavailable("database"), None))

    async def looks(word: str) -> None:
        if error := next(found):
            raise error
        await work.note(word)

    await courier.start({"looks": looks}, executor="host-0")
    await courier.post(a_job("found at last", name="looks"))
    await work.comes_to("found at last")


async def test_a_job_that_another_system_fails_is_not_run_again(
    open_courier: Open, work: Work, caplog: pytest.LogCaptureFixture
):
    courier = await open_courier()

    async def fails(word: str) -> None:
        await work.note(word)
        raise Unavailable("slack")

    await courier.start({"fails": fails}, executor="host-0")
    await courier.post(a_job("once", name="fails"))
    await work.comes_to("once")
    assert "job fails: unavailable" in caplog.text, "it is over"


async def test_a_job_that_waits_for_the_database_does_not_hold_up_the_end(open_courier: Open):
    courier = await open_courier()
    tried = asyncio.Event()

    async def never_finds_it(word: str) -> None:
        tried.set()
        raise Unavailable("database")

    await courier.start({"looks": never_finds_it}, executor="host-0")
    await courier.post(a_job("x", name="looks"))
    async with asyncio.timeout(PATIENCE / 2):
        await tried.wait()
        await courier.close()


async def test_what_was_not_run_before_the_end_is_run_after_the_next_start(open_courier: Open, work: Work):
    gone = await open_courier()
    await gone.start({"note": work.note}, executor="host-0")
    await gone.post(a_job("before"))
    await work.comes_to("before")
    await gone.close()
    back = await open_courier()
    await back.post(a_job("after"))
    await back.start({"note": work.note}, executor="host-0")
    await work.comes_to("after")
    assert work.ran == ["before", "after"]


async def test_a_courier_that_is_not_open_takes_nothing(ready_url: str):
    with pytest.raises(RuntimeError, match="not open"):
        await Courier(sync_url(ready_url)).post(a_job("x"))


class TestOneWorkerOnSqlite:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_a_second_courier_does_not_start(self, open_courier: Open, work: Work):
        first, second = await open_courier(), await open_courier()
        await first.start({"note": work.note}, executor="host-0")
        with pytest.raises(AlreadyRunning):
            await second.start({"note": work.note}, executor="host-0")
        await second.post(a_job("handed over all the same"))
        await work.comes_to("handed over all the same")

    async def test_a_second_process_does_not_start(self, open_courier: Open, work: Work, ready_url: str):
        courier = await open_courier()
        await courier.start({"note": work.note}, executor="host-0")
        script = (
            "import sys\n"
            "from bot.courier import AlreadyRunning, Courier\n"
            "from bot.store.store import sync_url\n"
            "try:\n"
            "    Courier(sync_url(sys.argv[1])).hold()\n"
            "except AlreadyRunning:\n"
            "    sys.exit(7)\n"
        )
        other = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", script, ready_url], check=False, timeout=60
        )
        assert other.returncode == 7

    async def test_the_lock_goes_with_its_holder(self, open_courier: Open, work: Work):
        first, second = await open_courier(), await open_courier()
        await first.start({"note": work.note}, executor="host-0")
        await first.close()
        await second.start({"note": work.note}, executor="host-0")
        await second.post(a_job("mine now"))
        await work.comes_to("mine now")

    async def test_another_file_is_another_workers(self, tmp_path: Path, open_courier: Open):
        held = await open_courier()
        held.hold()
        other = Courier(sync_url(f"sqlite:///{tmp_path / 'other.db'}"))
        other.hold()
        await other.close()
