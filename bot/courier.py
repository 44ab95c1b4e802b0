"""Durable work: a job is handed over in the caller's transaction and run by some worker, at least once.

The engine is DBOS; this is the only room that knows it. The courier knows no job by name, and a job must
guard its own effect, because after a crash it is run again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import correlation, tracing
from bot.domain.errors import BackstopError, Unavailable

APP = "backstop"
QUEUE = "jobs"
ACTS = "acts"
"""The queue of what somebody approved: whatever the others wait for, they hold none of its places."""
QUEUES: Final = (QUEUE, ACTS)
WORKFLOW = "backstop.job"
# Pinned: DBOS would otherwise derive it from the code, and every edit would strand queued work.
VERSION = "1"
POLL_SECONDS: Final = {ACTS: 0.05, QUEUE: 0.1}
"""Each look costs a worker that has nothing to do; Slack needs longer than that for a post."""
AT_ONCE = 16
"""In each queue."""
DRAIN_SECONDS = 20
PATIENCE = 300.0
"""Seconds a job waits for a database that is away, and keeps its place meanwhile: nothing else could run either."""
PAUSE = 1.0
FORGOTTEN_AT_ONCE = 500
TAKES: Final = frozenset(f"queue-worker-{queue}" for queue in QUEUES)
"""The engine's threads that take jobs from the queues; they come up within a second of the start."""
WAKES = "dbos-background-jobs"
"""The engine's thread that puts jobs into the queue whose delay is over."""
COMES_UP = 5.0
OVERDUE = 30.0
"""Seconds that a job may wait while this worker has places free."""
STANDS_STILL = 300.0
"""Seconds that what was approved may wait, however busy this worker is: twice what the longest write may take."""
WAITS = 5.0
"""Seconds that a job which may be repeated waits for whoever asks for time, and keeps its place meanwhile."""
AGAIN = 3
"""So often it is repeated for that."""

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Job:
    """`id` makes a repeat harmless: of two jobs with one id, only the first is kept.

    `args` are small plain values, since they are stored; never secrets. `delay` is in seconds. What `acts` has places
    of its own; it is carried out from the other queue as well, where an earlier release left it.
    """

    name: str
    id: str
    args: Mapping[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    acts: bool = False


class AlreadyRunning(Exception):
    """Another process works on this SQLite database."""


@dataclass(slots=True)
class _Turn:
    """One run of a job that may be repeated."""

    task: asyncio.Task[Any] | None
    put_off: float | None = None
    """Seconds after which it is to be run again."""


_turn: ContextVar[_Turn | None] = ContextVar("backstop_turn", default=None)


def may_wait(seconds: float) -> bool:
    """Whether what runs may wait so long for somebody who asks for time; else it is to give up at once.

    A job that may be repeated gives its place to others, and is run again after that time, a few times at most.
    """
    turn = _turn.get()
    # What a job begins beside itself may be waited for by others, too.
    if turn is None or seconds <= WAITS or turn.task is not asyncio.current_task():
        return True
    turn.put_off = max(turn.put_off or 0.0, seconds)
    return False


class _Stops(logging.Filter):
    """Between a stop of the engine and its next start: a job it had taken and not begun is left to that start.

    The engine would tell of each with a traceback: its threads take nothing any more. Whatever else it tells of
    passes. There is one engine in a process, and so one of these.
    """

    are_under_way = False

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        is_too_late = isinstance(error, RuntimeError) and "cannot schedule new futures" in str(error)
        if not (self.are_under_way and is_too_late):
            return True
        log.info("a job had not begun when the engine stopped: it is taken up at the next start")
        return False


_STOPS: Final = _Stops()
_TOLD: Final = re.compile(r"(.+)~(\d+)", re.DOTALL)


class Courier:
    """Takes jobs in (`send`), and in a worker also runs them (`start`)."""

    def __init__(self, url: URL, *, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._clock = clock
        self._client: DBOSClient | None = None
        self._handlers: Mapping[str, Handler] = {}
        self._repeatable: Collection[str] = ()
        self._lock: TextIO | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._works = False
        self._started_at = 0.0
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Be ready to take jobs in. The engine's tables must exist (`migrate`)."""
        self._closing.clear()
        self._client = await asyncio.to_thread(
            DBOSClient, system_database_url=self._url_text, application_name=APP, system_database_pool_size=2
        )

    def hold(self) -> None:
        """Be the only process that works on this SQLite file. Raises AlreadyRunning when another one does."""
        if self._lock or self._url.get_backend_name() != "sqlite" or not self._url.database:
            return
        path = Path(self._url.database + ".lock")
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise AlreadyRunning(self._url.database) from error
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    async def start(
        self, handlers: Mapping[str, Handler], *, executor: str, repeatable: Collection[str] = ()
    ) -> None:
        """Run jobs in this process, on this event loop, under a name no other living process bears.

        `repeatable` names those that are run again where they `may_wait` no longer: each does what is left then.
        Raises AlreadyRunning when another process works on the same SQLite file.
        """
        self.hold()
        self._handlers, self._repeatable = handlers, repeatable
        engine = logging.getLogger("dbos")
        engine.setLevel(logging.WARNING)
        engine.addFilter(_STOPS)
        _STOPS.are_under_way = False
        DBOS(
            config=DBOSConfig(
                name=APP,
                system_database_url=self._url_text,
                application_version=VERSION,
                executor_id=executor,
                sys_db_pool_size=5,
                log_level="WARNING",
                run_migrations=False,
            )
        )

        loop = asyncio.get_running_loop()

        @DBOS.workflow(name=WORKFLOW)
        async def run(name: str, args: dict[str, Any]) -> None:
            with correlation.under(DBOS.authenticated_user or ""):
                job = self._run(name, args, id=DBOS.workflow_id or "")
                if asyncio.get_running_loop() is loop:
                    await job
                else:
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(job, loop))

        DBOS.listen_queues(QUEUES)
        # Launched inside our loop, the engine runs jobs on it, but for those it takes while our loop does not run.
        # Those come back to it: clients and connections are good on one loop only.
        DBOS.launch()
        for queue in QUEUES:
            await DBOS.register_queue_async(
                queue, worker_concurrency=AT_ONCE, polling_interval_sec=POLL_SECONDS[queue]
            )
        self._works, self._started_at = True, self._clock()

    async def takes_jobs(self, connection: AsyncConnection) -> bool:
        """Whether this worker takes what is in the queues: its threads live, and no job waits while it has places free.

        What was approved does not wait for minutes even while it is busy.
        """
        if not self._works:
            return False
        if self._clock() - self._started_at < COMES_UP:
            return True
        living = {thread.name for thread in threading.enumerate()}
        if not {*TAKES, WAKES} <= living:
            return False
        # With fewer under way than one queue has places, every queue has some free.
        is_busy = len(self._running) >= AT_ONCE
        for queue in QUEUES:
            _, due = await _queued(connection, queue)
            waits = self._clock() - due / 1000 if due is not None else 0.0
            if waits > OVERDUE and (not is_busy or (queue == ACTS and waits > STANDS_STILL)):
                return False
        return True

    async def waiting(self, connection: AsyncConnection) -> int:
        """How many jobs are due and not begun, of all processes."""
        return sum([(await _queued(connection, queue))[0] for queue in QUEUES])

    async def send(self, connection: AsyncConnection, job: Job) -> None:
        """Hand a job over in the caller's transaction: both are kept, or neither."""
        client = self._ready()
        options = _options(job)
        await connection.run_sync(
            lambda conn: client.enqueue_in_transaction(conn, options, job.name, dict(job.args))
        )

    async def post(self, job: Job) -> None:
        """Hand a job over by itself."""
        await self._ready().enqueue_async(_options(job), job.name, dict(job.args))

    async def is_idle(self) -> bool:
        """Whether nothing is under way, and nothing waits but what is to come later."""
        waiting = await self._ready().list_workflows_async(
            status=["PENDING", "ENQUEUED"], limit=1, load_input=False, load_output=False
        )
        return not waiting and not self._running

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    async def closes(self) -> None:
        """Return once it begins to close: what takes long and can be gone on with later need not be waited for."""
        await self._closing.wait()

    async def forget_finished(self, *, before: datetime) -> bool:
        """Delete the records of some hundred jobs that ended before that moment; whether there may be more.

        A job of an id that is forgotten is a new one.
        """
        client = self._ready()
        done = await client.list_workflows_async(
            status=["SUCCESS", "ERROR"],
            completed_before=before.isoformat(),
            limit=FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if done:
            await client.delete_workflows_async([w.workflow_id for w in done])
        return len(done) == FORGOTTEN_AT_ONCE

    async def close(self) -> None:
        """Stop taking jobs, let the running ones end (within a limit), and let go of the database."""
        self._closing.set()
        if self._works:
            self._works = False
            _STOPS.are_under_way = True
            # The engine first takes nothing more from the queue, then waits; it looks only once a second.
            drain = DRAIN_SECONDS if self._running else 0
            await asyncio.to_thread(
                DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=drain
            )
            # DBOS lends the loop its own thread pool and has just shut it down.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        if self._client:
            await asyncio.to_thread(self._client.destroy)
            self._client = None
        if self._lock:
            self._lock.close()
            self._lock = None

    async def _run(self, name: str, args: dict[str, Any], *, id: str) -> None:
        task = asyncio.current_task()
        turn = _Turn(task)
        before = _turn.set(turn if name in self._repeatable else None)
        if task:
            self._running.add(task)
        try:
            await self._try(name, args)
            if turn.put_off is not None:
                await self._put_off(name, args, id=id, delay=turn.put_off)
        finally:
            _turn.reset(before)
            if task:
                self._running.discard(task)

    async def _try(self, name: str, args: dict[str, Any]) -> None:
        try:
            with tracing.job(name, args):
                await self._carry_out(name, args)
        except BackstopError as error:
            log.warning("job %s: %s %s", name, error.code, getattr(error, "reason", ""))
        except Exception:
            # The job is not lost: what it should have done still stands in our own tables, and the sweep looks.
            log.exception("job %s failed", name, extra={"job": name})

    async def _put_off(self, name: str, args: dict[str, Any], *, id: str, delay: float) -> None:
        """Have it run again, under an id that tells how often it was: of a run that is itself repeated one comes."""
        told = _TOLD.fullmatch(id)
        first, times = (told[1], int(told[2])) if told else (id, 0)
        if times >= AGAIN:
            log.warning("job %s was put off %d times and is given up", name, times)
            return
        log.info("job %s is put off for %.0f s", name, delay)
        # They do not come back all in the same moment.
        delay += random.random()  # noqa: S311  no secret
        await self.post(Job(name, id=f"{first}~{times + 1}", args=args, delay=delay))

    async def _carry_out(self, name: str, args: dict[str, Any]) -> object:
        """Run the job, and where it found no database again: a job that guards its effect may be repeated."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE
        while True:
            try:
                return await self._handlers[name](**args)
            except Unavailable as error:
                if error.system != "database" or self._closing.is_set() or clock() >= until:
                    raise
            log.info("job %s waits for the database", name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), PAUSE)

    def _ready(self) -> DBOSClient:
        if self._client is None:
            raise RuntimeError("the courier is not open")
        return self._client

    @property
    def _url_text(self) -> str:
        return self._url.render_as_string(hide_password=False)


def _options(job: Job) -> EnqueueOptions:
    options: EnqueueOptions = {
        "queue_name": ACTS if job.acts else QUEUE,
        "workflow_name": WORKFLOW,
        "workflow_id": job.id,
        "app_version": VERSION,
    }
    if id := correlation.current():
        # Kept beside the arguments: a worker of an earlier release takes no others than it knows.
        options["authenticated_user"] = id
    if job.delay > 0:
        options["delay_seconds"] = job.delay
    return options


async def _queued(connection: AsyncConnection, queue: str) -> tuple[int, int | None]:
    """How many jobs of a queue are due and not begun, and since when the first is, in milliseconds since 1970.

    The engine's own list would wait for a database that is away, without end, and hold a thread meanwhile.
    """
    jobs = "dbos.workflow_status" if connection.dialect.name == "postgresql" else "workflow_status"
    found = await connection.execute(
        text(
            "SELECT count(*), min(CASE WHEN delay_until_epoch_ms > created_at THEN delay_until_epoch_ms "  # noqa: S608  our own word
            f"ELSE created_at END) FROM {jobs} "
            "WHERE queue_name = :queue AND status = 'ENQUEUED' AND application_version = :version"
        ),
        {"queue": queue, "version": VERSION},
    )
    count, due = found.one()
    return count, due


def migrate(url: URL) -> None:
    """Bring the engine's own tables to the version this release needs."""
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.migrate(url.render_as_string(hide_password=False))
