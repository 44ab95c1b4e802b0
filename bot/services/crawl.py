"""The crawl: read the list of customers and what each of them has into the mirror, in any number of processes.

Who has yet to be read stands in the database (`bot.store.crawl`), so a process that dies costs what it was reading at
that moment. Whoever takes part claims a slice for a short time, reads it, and writes what came of it together with
the rows of the queue: what was read is never asked for again, what was not is never lost.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from bot.courier import Courier
from bot.domain.customer import Customer, CustomerId, Subscription
from bot.domain.errors import NotFound, Unavailable, Upstream
from bot.partner_center.client import PartnerCenter
from bot.partner_center.pace import Throttle
from bot.services import jobs
from bot.services.drift import Drifts
from bot.store import Store, Tx
from bot.store.crawl import GONE, Kind, Run

LEASE: Final = timedelta(seconds=30)
"""So long a claim holds; it is renewed with each batch that is written."""
A_PAGE: Final = 500
"""Of the list of customers: the largest that was seen in recordings; no page names a maximum."""
FORGOTTEN_AT_ONCE: Final = 100
"""So many customers are dropped in one transaction: others write meanwhile."""
SLICE: Final = 64
HELPERS: Final = 4
HELP_FROM: Final = 500
"""With so many customers to read, other workers are asked to help."""
GIVES_UP_AFTER: Final = 8
"""Where so many customers could not be read and none could, the others wait: each takes its time to fail."""
LOOKS_AGAIN: Final = 1.0
"""Seconds after which somebody who waits for what others read looks whether they still do."""
PACE: Final = "pace"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Batches:
    """So many customers are written in one transaction: a commit takes milliseconds, however many they are."""

    listed: int
    read: int


BATCHES: Final = _Batches(listed=100, read=32)
ON_SQLITE: Final = _Batches(listed=25, read=16)
"""There an ack waits for whoever writes."""

Progress = Callable[[int, int], None]
"""How many customers are done, of how many known so far."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of one customer: subscriptions, or why not."""

    customer: CustomerId
    began_at: datetime
    found: Sequence[Subscription] = ()
    failed: str = ""


class Crawler:
    """One process's part in it."""

    def __init__(
        self,
        store: Store,
        partner_center: PartnerCenter,
        drifts: Drifts,
        *,
        now: Callable[[], datetime],
        at_once: int,
        courier: Courier | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without a courier nobody else is asked to help."""
        self._store = store
        self._partner_center = partner_center
        self._drifts = drifts
        self._courier = courier
        self._now = now
        self._at_once = at_once
        self._batches = ON_SQLITE if store.is_sqlite else BATCHES
        self._sleep = sleep
        self._taking_part = 0

    async def carry_through(
        self, run: Run, *, end: Callable[[Tx, Run], Awaitable[None]], progress: Progress | None = None
    ) -> None:
        """Take part until the crawl has come to its end, whoever ends it; `end` is carried out by one of all.

        Where the courier closes it returns at once: what was not read is gone on with later, as after a death.
        Raises Upstream when the list of customers breaks off, or nobody can be read; all that was read stands.
        """
        async with self._part(run, progress) as part:
            await part.free_of_the_dead()
            try:
                await self._to_the_end(part, run, end)
            except Upstream as error:
                if error.system != "database":
                    async with self._store.begin(unhurried=True) as tx:
                        await tx.crawl.broke_off(run, _why(error), holder=part.holder)
                raise

    async def _to_the_end(self, part: Part, run: Run, end: Callable[[Tx, Run], Awaitable[None]]) -> None:
        while True:
            lists = await part.may_list()
            await part.work(part.read_list() if lists else None)
            if self.leaves:
                return
            async with self._store.read() as tx:
                found, waiting = await tx.crawl.run(), await tx.crawl.waiting(now=self._now())
            if found is None or found.id != run.id:
                return
            if found.listed_at and not waiting.all:
                await self._forget_vanished(found)
                async with self._store.begin(unhurried=True) as tx:
                    waiting = await tx.crawl.waiting(now=self._now())
                    if not waiting.all:
                        if await tx.crawl.end(found):
                            await end(tx, found)
                        return
            if not waiting.free and not lists:
                await self._sleep(LOOKS_AGAIN)

    async def _forget_vanished(self, run: Run) -> None:
        """Drop whom the list, read to its end, no longer showed, few at a time."""
        forgotten = FORGOTTEN_AT_ONCE
        while forgotten == FORGOTTEN_AT_ONCE:
            async with self._store.begin(unhurried=True) as tx:
                forgotten = await tx.crawl.forget_older(run.begun_at, most=FORGOTTEN_AT_ONCE)

    async def help(self) -> None:
        """Read what is free, and leave the rest to those who read it."""
        async with self._store.read() as tx:
            run, waiting = await tx.crawl.run(), await tx.crawl.waiting(now=self._now())
        if waiting.free:
            async with self._part(run) as part:
                await part.work()

    @property
    def leaves(self) -> bool:
        return self._courier is not None and self._courier.is_closing

    async def until_it_leaves(self, reading: asyncio.Future[list[None]]) -> None:
        """Wait for what is read, but let no stop wait for it. Raises what `reading` raises."""
        if self._courier is None:
            await reading
            return
        leaving = asyncio.create_task(self._courier.closes())
        either: list[asyncio.Future[Any]] = [reading, leaving]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if is_left := not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        if not is_left:
            await reading

    @property
    def takes_part(self) -> bool:
        return self._taking_part > 0

    async def pass_on(self, hop: int) -> None:
        """Ask once more for help, which we cannot give ourselves; after some hops whoever can has heard of it."""
        if self._courier and hop < 3 * HELPERS:
            async with self._store.read() as tx:
                waiting = await tx.crawl.waiting(now=self._now())
            if waiting.free > self._at_once:
                await self._courier.post(jobs.crawl(hop=hop + 1, delay=1.0))

    async def sweep(self) -> None:
        """Have somebody take over what a process that died has left behind.

        A crawl that broke off is gone on with at the next full hour: what it could not reach is hardly back by now.
        """
        async with self._store.read() as tx:
            run, waiting = await tx.crawl.run(), await tx.crawl.waiting(now=self._now())
        left = waiting.free or (run and not waiting.all)
        if left and not (run and run.trouble) and not self.takes_part and self._courier:
            slot = int(self._now().timestamp() // LEASE.total_seconds())
            await self._courier.post(jobs.crawl(slot=slot))

    @asynccontextmanager
    async def _part(self, run: Run | None, progress: Progress | None = None) -> AsyncIterator[Part]:
        part = Part(self, run, progress)
        self._taking_part += 1
        try:
            yield part
        finally:
            self._taking_part -= 1
            with suppress(Unavailable):  # what is still held is somebody else's in a moment
                async with self._store.begin(unhurried=True) as tx:
                    await tx.crawl.release(holder=part.holder)

    async def _agree_on_pace(self, tx: Tx) -> None:
        """Hear how patient Microsoft was with others, and tell how it was with us."""
        pace = self._partner_center.pace
        mark = await tx.marks.get(PACE)
        if mark:
            at, facts = mark
            until = facts.get("until")
            pace.hear(Throttle(int(facts["limit"]), at, datetime.fromisoformat(until) if until else None))
        ours = pace.throttled
        if ours and (mark is None or ours.at > mark[0]):
            until = ours.until.isoformat() if ours.until else None
            await tx.marks.set(PACE, at=ours.at, limit=ours.limit, until=until)


class Part:
    """What one call of a process does in a crawl, under a name of its own."""

    def __init__(self, crawler: Crawler, run: Run | None, progress: Progress | None) -> None:
        self.holder = a_holder()
        self._of = crawler
        self._run = run
        self._run_id = run.id if run else ""
        self._progress = progress
        self._listed = self._left = 0
        self._asked_for_help = False
        self._ready: asyncio.Queue[CustomerId | None] = asyncio.Queue(maxsize=crawler._at_once)
        self._came: list[_Read] = []
        self._something_came = asyncio.Event()
        self._room = asyncio.Event()
        self._reading = self._read = self._failed = 0

    async def free_of_the_dead(self) -> None:
        """What is held by processes of this host that are no more, need not wait for its time to run out."""
        async with self._of._store.read() as tx:
            holders = await tx.crawl.holders()
        for dead in filter(is_dead, holders):
            async with self._of._store.begin(unhurried=True) as tx:
                await tx.crawl.release(holder=dead)

    # The list of customers

    async def may_list(self) -> bool:
        now = self._of._now()
        async with self._of._store.begin(unhurried=True) as tx:
            if self._run is None:
                return False
            await tx.crawl.goes_on(self._run)
            return await tx.crawl.may_list(self._run, holder=self.holder, now=now, until=now + LEASE)

    async def read_list(self) -> None:
        """Read the list into the mirror, page by page, and have read who is to be read."""
        run = self._run
        if run is None:
            return
        page: list[Customer] = []
        try:
            async for customer in self._of._partner_center.unhurried.customers(size=A_PAGE):
                page.append(customer)
                if len(page) == A_PAGE:
                    await self._keep(run, page)
                    page = []
            await self._keep(run, page)
        except Upstream as error:
            log.warning("the list of customers broke off: %s", _why(error))
            await self._keep(run, page)
            raise
        async with self._of._store.begin(unhurried=True) as tx:
            await tx.crawl.listed(run, at=self._of._now())

    async def _keep(self, run: Run, page: Sequence[Customer]) -> None:
        most = self._of._batches.listed
        for at in range(0, len(page), most):
            await self._keep_some(run, page[at : at + most])
        if self._of._courier and not self._asked_for_help and self._listed >= HELP_FROM:
            self._asked_for_help = True
            for number in range(HELPERS):
                await self._of._courier.post(jobs.crawl(slot=f"{run.id}:{number}"))

    async def _keep_some(self, run: Run, page: Sequence[Customer]) -> None:
        ours = [customer.id for customer in page if customer.may_be_acted_on]
        now = self._of._now()
        async with self._of._store.begin(unhurried=True) as tx:
            await tx.mirror.put_customers(page, at=run.begun_at)
            if run.kind is Kind.ALL:
                await tx.crawl.want_listed(ours, run=run, at=now)
            else:
                await tx.crawl.want_new(ours, at=now)
            await tx.crawl.may_list(run, holder=self.holder, now=now, until=now + LEASE)
        self._listed += len(page)
        self._left += len(ours) if run.kind is Kind.ALL else 0

    # What they have

    async def work(self, listing: Coroutine[Any, Any, None] | None = None) -> None:
        """Read what is free until nothing is; while `listing` goes on, more may come."""
        self._read = self._failed = 0
        list_task = asyncio.create_task(listing) if listing else None
        self._room.set()
        tasks = [
            asyncio.create_task(self._feed(list_task)),
            *(asyncio.create_task(self._read_on()) for _ in range(self._of._at_once)),
        ]
        writer = asyncio.create_task(self._write_on(tasks))
        everything = [*([list_task] if list_task else []), *tasks, writer]
        try:
            await self._of.until_it_leaves(asyncio.gather(*everything))
        finally:
            for task in everything:
                task.cancel()
            await asyncio.gather(*everything, return_exceptions=True)
            self._came.clear()
            while not self._ready.empty():
                self._ready.get_nowait()

    async def _feed(self, listing: asyncio.Task[None] | None) -> None:
        """Claim one slice after another, and put it before the readers."""
        while True:
            is_listed = listing is None or listing.done()
            claimed = await self._claim()
            for customer in claimed:
                await self._ready.put(customer)
            if not claimed:
                if is_listed:
                    break
                await asyncio.wait([listing], timeout=0.05) if listing else None
        for _ in range(self._of._at_once):
            await self._ready.put(None)

    async def _claim(self) -> list[CustomerId]:
        now, most = self._of._now(), max(SLICE, 4 * self._of._at_once)
        async with self._of._store.begin(unhurried=True) as tx:
            await self._of._agree_on_pace(tx)
            claimed = await tx.crawl.claim(holder=self.holder, now=now, until=now + LEASE, most=most)
            if self._progress:
                self._left = (await tx.crawl.waiting(now=now)).all
                self._known = (await tx.mirror.sizes())[0] if self._run and self._run.listed_at else None
        return claimed

    async def _read_on(self) -> None:
        while (customer := await self._ready.get()) is not None:
            await self._room.wait()
            self._reading += 1
            try:
                came = await self._look_at(customer)
            finally:
                self._reading -= 1
            self._came.append(came)
            if len(self._came) >= 4 * self._of._batches.read:
                self._room.clear()  # what cannot be written must not be read on and on
            if len(self._came) >= self._of._batches.read or not self._reading:
                self._something_came.set()

    async def _look_at(self, customer: CustomerId) -> _Read:
        began_at = self._of._now()
        try:
            found = await self._of._partner_center.unhurried.subscriptions(customer)
        except NotFound:
            log.warning("subscriptions of %s: there is no such customer", customer)
            return _Read(customer, began_at, failed=GONE)
        except Upstream as error:
            log.warning("subscriptions of %s: %s", customer, type(error).__name__)
            if isinstance(error, Unavailable):
                self._failed += 1
                if self._failed >= GIVES_UP_AFTER and not self._read:
                    raise
            return _Read(customer, began_at, failed=_why(error))
        self._read += 1
        return _Read(customer, began_at, found)

    async def _write_on(self, readers: Sequence[asyncio.Task[None]]) -> None:
        """Write what comes, many customers at a time."""
        most = self._of._batches.read
        all_read = asyncio.gather(*readers, return_exceptions=True)
        all_read.add_done_callback(lambda _: self._something_came.set())
        while not (all_read.done() and not self._came):
            await self._something_came.wait()
            self._something_came.clear()
            some, self._came = self._came[:most], self._came[most:]
            if len(self._came) >= most or all_read.done():
                self._something_came.set()
            self._room.set()
            if some:
                await self._write(some)

    async def _write(self, came: Sequence[_Read]) -> None:
        read_at, now = min(each.began_at for each in came), self._of._now()
        read = {each.customer: each.found for each in came if not each.failed}
        async with self._of._store.begin(unhurried=True) as tx:
            if read:
                await self._of._drifts.keep_all(tx, read, read_at=read_at)
            await tx.crawl.lock_held(holder=self.holder)
            if read:
                await tx.crawl.read(list(read), holder=self.holder, at=read_at, run_id=self._run_id)
            for each in came:
                if each.failed:
                    await tx.crawl.failed(each.customer, each.failed, holder=self.holder, run_id=self._run_id)
            await tx.crawl.renew(holder=self.holder, until=now + LEASE)
        self._left -= len(came)
        if self._progress:
            known = self._known_by_now()
            self._progress(max(0, known - max(0, self._left)), known)

    def _known_by_now(self) -> int:
        return max(self._known or 0, self._listed, self._left)

    _known: int | None = None


def _why(error: Upstream | NotFound) -> str:
    return f"{error.code} {getattr(error, 'reason', '')}".strip()


def a_holder() -> str:
    """A name for what this process does now, by which others see whether it still lives."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{uuid4().hex[:8]}"


def is_dead(holder: str) -> bool:
    """Whether it was a process of this host that is no more."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname()[:80] or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
