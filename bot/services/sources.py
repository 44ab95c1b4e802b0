"""Read the accounting systems that are configured, and bring the books to what they say.

One at a time reads a system, whoever asks: the schedule, an event of a payment, a person at the command line. An
event is never believed about money: it only asks for a reading, and what was read decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.errors import NotFound, Unavailable, Upstream
from bot.domain.receivables import FILE, Changes, changes
from bot.receivables.live import SYSTEM, LiveSource, PaymentEvents, Snapshot
from bot.services import jobs
from bot.services.intake import enter
from bot.store import Store, Tx
from bot.store.books import RETIRED, Import
from bot.store.readings import Attempt, Outcome

LONGEST_READING: Final = timedelta(minutes=10)
LEASE: Final = LONGEST_READING + timedelta(minutes=5)
EVENTS_WAIT: Final = timedelta(minutes=2)
"""The most an event waits; all that come until then ask for one reading, for vendors count our calls."""

PAUSE_SECONDS: Final = 1.0

Because = Literal["schedule", "event"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one reading ended. `outcome` is None where somebody else reads that system right now."""

    source: str
    outcome: Outcome | None
    snapshot: Snapshot | None = None
    changes: Changes | None = None
    error: Upstream | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What becomes of something that came over HTTP: `answer` is what has to be said back."""

    known: bool
    """Whether we have such a source, and it tells of payments at all."""
    believed: bool
    answer: str = ""


class Sources:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        live: Mapping[str, LiveSource],
        *,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._courier = courier
        self._live = live
        self._zone = zone
        self._now = now
        self._sleep = sleep

    @property
    def names(self) -> tuple[str, ...]:
        """The live sources that are configured, in the order of the settings."""
        return tuple(self._live)

    async def read(self, source: str, *, even_if_it_shrinks: bool = False) -> Reading:
        """Read one system and enter what it says.

        Held without `even_if_it_shrinks`: what would close more than 30 % of the source's open items. What cannot be
        read is told in the result and kept for the digest; the books stay as they were.
        """
        if source not in self._live:
            raise NotFound("source", source)
        holder, as_of = uuid4().hex, self._today()
        now = self._now()
        async with self._store.begin() as tx:
            if not await tx.readings.begin(source, holder=holder, now=now, until=now + LEASE):
                return Reading(source, None)
        try:
            snapshot = await self._fetch(source, as_of)
            return await self._enter(snapshot, holder, even_if_it_shrinks=even_if_it_shrinks)
        except Upstream as error:
            await self._failed(source, as_of, holder, error)
            if error.system == "database":
                raise
            return Reading(source, Outcome.FAILED, error=error)
        except BaseException as error:  # a mistake of ours, or the end of the program: let the next one begin
            await self._failed(source, as_of, holder, Unavailable(SYSTEM, type(error).__name__))
            raise

    async def freshen(self, *, older_than: timedelta, patience: timedelta) -> None:
        """Have every system read of which the last attempt is older than that, all at once. Never raises Upstream.

        Where somebody else reads one, this waits for it; after so much patience it waits for none.
        """
        since = self._now() - older_than
        try:
            async with asyncio.timeout(patience.total_seconds()):
                ended = await asyncio.gather(
                    *(self._freshen(name, since) for name in self._live), return_exceptions=True
                )
        except TimeoutError:
            log.warning("not all accounting systems were read within %s", patience)
            return
        for error in ended:
            if isinstance(error, BaseException):
                log.error("a source could not be read", exc_info=error)

    async def _freshen(self, source: str, since: datetime) -> None:
        while True:
            async with self._store.read() as tx:
                last = (await tx.readings.attempts()).get(source)
            if last and last.at > since:
                return
            if (await self.read(source)).outcome is not None:
                return
            await self._sleep(PAUSE_SECONDS)

    async def work(self, source: str, because: Because) -> None:
        """A job: read one system. An event that meets a reading under way asks again: that may be older than it."""
        if source not in self._live:
            return  # configured no longer, or not here
        reading = await self.read(source)
        if reading.outcome is None and because == "event":
            await self.ask(source)

    async def ask_all(self, *, slot: datetime) -> None:
        """Have every system read; of all replicas' wishes for one slot, one is kept."""
        for source in self._live:
            await self._courier.post(
                jobs.read_source(source, slot=slot.isoformat(), because="schedule", delay=0.0)
            )

    async def ask(self, source: str) -> None:
        """Have it read soon, once for all that ask within the next two minutes."""
        now, wait = self._now().timestamp(), EVENTS_WAIT.total_seconds()
        window = int(now // wait) + 1
        await self._courier.post(
            jobs.read_source(source, slot=f"event:{window}", because="event", delay=window * wait - now)
        )

    async def hear(
        self, source: str, *, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Heard:
        """Something that came over HTTP for that source. What is signed asks for a reading, and does nothing else."""
        live: object = self._live.get(source)
        if not isinstance(live, PaymentEvents):
            return Heard(known=False, believed=False)
        greeting = live.greeting(query)
        if greeting is not None:
            return Heard(known=True, believed=True, answer=greeting)
        if not live.verify_event(headers, body):
            log.warning("what came for %s is not signed by it", source)
            return Heard(known=True, believed=False)
        await self.ask(source)
        return Heard(known=True, believed=True)

    async def retire(self, source: str) -> int:
        """Close everything still open of a source that is not read any more; how many items that was.

        Raises NotFound where nothing was ever taken from it.
        """
        async with self._store.begin() as tx:
            await tx.books.lock()
            last = await tx.books.last_import_of(source)
            if last is None or last.mode == RETIRED:
                raise NotFound("source", source)
            items = await tx.books.open_on(source=source)
            as_of = max(self._today(), last.as_of)
            await tx.books.end(items, on=as_of)
            await tx.books.record(
                Import(
                    source=source,
                    file="",
                    sha256="",
                    mode=RETIRED,
                    as_of=as_of,
                    applied_at=self._now(),
                    rejected=0,
                )
            )
            await tx.readings.forget(source)
            await tx.audit.append(AuditTag.RECEIVABLES_RETIRED, source, closed=len(items))
        return len(items)

    async def in_use(self) -> dict[str, Import]:
        """The newest of each source that is not retired, the file among them."""
        async with self._store.read() as tx:
            return {last.source: last for last in await tx.books.last_imports()}

    def is_configured(self, source: str) -> bool:
        return source == FILE or source in self._live

    async def close(self) -> None:
        for live in self._live.values():
            await live.close()

    async def _fetch(self, source: str, as_of: date) -> Snapshot:
        try:
            async with asyncio.timeout(LONGEST_READING.total_seconds()):
                return await self._live[source].fetch_snapshot(as_of=as_of)
        except TimeoutError:
            raise Unavailable(SYSTEM, "timeout") from None

    async def _enter(self, snapshot: Snapshot, holder: str, *, even_if_it_shrinks: bool) -> Reading:
        source = snapshot.source_id
        async with self._store.read() as tx:  # writers wait for nothing of this
            before = await tx.books.open_on(source=source)
        what = await asyncio.to_thread(
            changes,
            before,
            snapshot.items,
            mode="snapshot",
            incomplete_parties=snapshot.incomplete_parties,
        )
        async with self._store.begin() as tx:
            await tx.books.lock()
            # While it is still ours, nobody has changed its books: who reads it takes it over, who retires it frees it.
            if not await tx.readings.holds(source, holder=holder):
                return Reading(source, None)
            if what.holds_for_confirmation and not even_if_it_shrinks:
                await self._hold(tx, snapshot, holder, closes=len(what.closed), of=len(before))
                return Reading(source, Outcome.HELD, snapshot, what)
            await enter(
                tx,
                what,
                Import(
                    source=source,
                    file="",
                    sha256="",
                    mode="snapshot",
                    as_of=snapshot.as_of,
                    applied_at=self._now(),
                    rejected=len(snapshot.rejected),
                    incomplete=snapshot.incomplete_parties,
                ),
            )
            if what.new or what.changed or what.closed:
                await tx.audit.append(
                    AuditTag.RECEIVABLES_READ,
                    source,
                    as_of=snapshot.as_of.isoformat(),
                    items=len(snapshot.items),
                    rejected=len(snapshot.rejected),
                    new=len(what.new),
                    changed=len(what.changed),
                    closed=len(what.closed),
                )
            await tx.readings.end(self._attempt(source, snapshot.as_of, Outcome.APPLIED), holder=holder)
        return Reading(source, Outcome.APPLIED, snapshot, what)

    async def _hold(self, tx: Tx, snapshot: Snapshot, holder: str, *, closes: int, of: int) -> None:
        before = (await tx.readings.attempts()).get(snapshot.source_id)
        if (
            before is None or before.outcome is not Outcome.HELD
        ):  # told once, however often it is read meanwhile
            await tx.audit.append(AuditTag.RECEIVABLES_HELD, snapshot.source_id, closes=closes, of=of)
        attempt = self._attempt(snapshot.source_id, snapshot.as_of, Outcome.HELD, closes=closes, of=of)
        await tx.readings.end(attempt, holder=holder)

    async def _failed(self, source: str, as_of: date, holder: str, error: Upstream) -> None:
        log.warning("%s could not be read: %s %s %s", source, error.code, error.reason, error.detail)
        attempt = self._attempt(
            source, as_of, Outcome.FAILED, code=error.code, reason=error.reason or error.code
        )
        try:
            async with self._store.begin() as tx:
                before = (await tx.readings.attempts()).get(source)
                if (
                    before and before.outcome is Outcome.HELD
                ):  # a person has still to look at what was read then
                    attempt = replace(before, at=attempt.at)
                await tx.readings.end(attempt, holder=holder)
        except Unavailable as away:  # the lease ends by itself
            log.warning("the database does not answer (%s)", away.reason)

    def _attempt(self, source: str, as_of: date, outcome: Outcome, **facts: Any) -> Attempt:
        return Attempt(source, as_of, self._now(), outcome, facts)

    def _today(self) -> date:
        return self._now().astimezone(self._zone).date()
