"""Watch: read what Microsoft tells of orders, quantities, operations, spend and fraud, and keep what was seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, Protocol

from bot.domain.capability import Feature
from bot.domain.customer import Customer, CustomerId
from bot.domain.errors import BackstopError, NotFound, Unavailable, Upstream
from bot.domain.observation import Observation, Operation, OrderPlaced, Owed, Source, Spent, VendorAlert
from bot.services.crawl import a_holder, is_dead
from bot.services.customers import Customers
from bot.services.day import Day
from bot.services.digests import Digests
from bot.services.features import Features
from bot.store import Store

MARK: Final = "watch:"
READING: Final = "watching"
"""The mark of whoever reads all sources."""
LEASE: Final = timedelta(minutes=2)
"""So long after its process died a reading may be begun again; the digest is tried again after five minutes."""
RENEWALS: Final = 4
"""So often in a lease it is renewed."""
OVERLAP: Final = timedelta(days=2)
"""The activity log is read again from so long before its newest known record: some come late."""
LOG_REACHES: Final = timedelta(days=89)
A_BATCH: Final = 200
GIVES_UP_AFTER: Final = 8
"""Where so many customers could not be read and none could, the others are not tried: each takes its time to fail."""

log = logging.getLogger(__name__)


class TellsRisk(Protocol):
    """What Microsoft tells; each stream may break off and has told then what came before."""

    @property
    def unhurried(self) -> TellsRisk:
        """The same, behind whatever somebody waits for."""

    def orders(self, customer: CustomerId) -> AsyncIterator[OrderPlaced]: ...

    def operations(self, *, since: date, until: date) -> AsyncIterator[Operation]: ...

    def spent(self) -> AsyncIterator[Spent]: ...

    def fraud_events(self) -> AsyncIterator[VendorAlert]: ...


class TellsAlerts(Protocol):
    """Microsoft Graph."""

    def security_alerts(self) -> AsyncIterator[VendorAlert]: ...


@dataclass(frozen=True, slots=True)
class Look:
    """How the last look at a source ended. `why` is empty where all of it was read."""

    source: Source
    at: datetime
    kept: int
    failed: int = 0
    """Customers of whom it could not be read."""
    why: str = ""


FEATURES: Final = {
    Source.AUDIT_RECORDS: Feature.AUDIT_RECORDS,
    Source.USAGE: Feature.USAGE,
    Source.FRAUD_EVENTS: Feature.FRAUD_EVENTS,
    Source.SECURITY_ALERTS: Feature.SECURITY_ALERTS,
}
"""What not every cloud has."""


class Watch:
    def __init__(
        self,
        store: Store,
        customers: Customers,
        digests: Digests,
        features: Features,
        microsoft: TellsRisk,
        graph: TellsAlerts,
        *,
        now: Callable[[], datetime],
        at_once: int = 4,
    ) -> None:
        self._store = store
        self._customers = customers
        self._digests = digests
        self._features = features
        self._microsoft = microsoft
        self._graph = graph
        self._now = now
        self._at_once = at_once

    async def read(self) -> bool:
        """Look at every source. One that fails, at once or half-way, costs what it had still to tell and no more.

        False, and nothing is read, while somebody is at it, in this process or another.
        """
        holder = a_holder()
        await self._free_of_the_dead()
        if not await self._lease(holder):
            log.info("the sources are being read already")
            return False
        renewals = asyncio.create_task(self._renew(holder))
        try:
            await self._read()
        finally:
            renewals.cancel()
            await asyncio.gather(renewals, return_exceptions=True)
            await self._let_go(holder)
        return True

    async def _free_of_the_dead(self) -> None:
        """A job that its process died with is begun again at once, and need not wait for its own lease."""
        async with self._store.read() as tx:
            held = await tx.marks.get(READING)
        holder = str(held[1].get("holder", "")) if held else ""
        if is_dead(holder):
            await self._let_go(holder)

    async def _let_go(self, holder: str) -> None:
        try:
            async with self._store.begin() as tx:
                await tx.marks.let_go(READING, holder=holder)
        except Unavailable as error:  # it runs out by itself
            log.warning("the reading of the sources is not let go of: %s", error.reason)

    async def _lease(self, holder: str) -> bool:
        now = self._now()
        async with self._store.begin() as tx:
            return await tx.marks.lease(READING, holder=holder, now=now, until=now + LEASE)

    async def _renew(self, holder: str) -> None:
        """Have it for as long as the reading takes; a database that is away for a moment is asked again."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / RENEWALS)
            try:
                await self._lease(holder)
            except Unavailable as error:
                log.warning("the reading of the sources could not be renewed: %s", error.reason)

    async def _read(self) -> None:
        await self._subscriptions()
        await self._orders()
        await self._operations()
        await self._stream(Source.USAGE, self._microsoft.spent)
        await self._stream(Source.FRAUD_EVENTS, self._microsoft.fraud_events)
        await self._stream(Source.SECURITY_ALERTS, self._graph.security_alerts)
        await self._books()

    async def read_customer(self, customer_id: str) -> None:
        """Look again at one customer, as a webhook asks for; nothing where there is no such customer."""
        async with self._store.read() as tx:
            customer = await tx.mirror.customer(customer_id)
        if customer is None:
            return
        try:
            await self._customers.live_all(customer.id)
        except (Upstream, NotFound) as error:
            log.warning("subscriptions of %s: %s", customer.id, error.code)
        seen, _ = await self._orders_of(customer, self._microsoft)
        await self._keep(seen)

    async def alerts(self) -> None:
        """Look again at what Microsoft itself found."""
        await self._stream(Source.FRAUD_EVENTS, self._microsoft.fraud_events)
        await self._stream(Source.SECURITY_ALERTS, self._graph.security_alerts)

    async def looks(self) -> dict[Source, Look]:
        """How the last look at each source ended."""
        async with self._store.read() as tx:
            marks = await tx.marks.beginning(MARK)
        found = {}
        for source in Source:
            if mark := marks.get(MARK + source.value):
                at, facts = mark
                found[source] = Look(
                    source,
                    at,
                    int(facts.get("kept", 0)),
                    int(facts.get("failed", 0)),
                    str(facts.get("why", "")),
                )
        return found

    async def _subscriptions(self) -> None:
        failed, why = 0, ""
        try:
            failed = (await self._customers.sync()).failed
        except BackstopError as error:
            why = _why(error)
        await self._mark(Source.SUBSCRIPTIONS, 0, failed=failed, why=why)

    async def _orders(self) -> None:
        """A customer at a time, as the API has it; kept in batches, so that a crash loses little."""
        async with self._store.read() as tx:
            known = [c for c in await tx.mirror.all_customers() if c.may_be_acted_on]
        queue = iter(known)
        batch: list[Observation] = []
        kept = read = failed = 0

        async def worker() -> None:
            nonlocal batch, kept, read, failed
            for customer in queue:
                if failed >= GIVES_UP_AFTER and not read:
                    return
                seen, is_whole = await self._orders_of(customer, self._microsoft.unhurried)
                read += is_whole
                failed += not is_whole
                batch += seen
                if len(batch) >= A_BATCH:
                    some, batch = batch, []
                    kept += await self._keep(some)

        await asyncio.gather(*(worker() for _ in range(self._at_once)))
        kept += await self._keep(batch)
        await self._mark(Source.ORDERS, kept, failed=len(known) - read)

    async def _orders_of(self, customer: Customer, microsoft: TellsRisk) -> tuple[list[Observation], bool]:
        """What came, and whether that is all."""
        seen: list[Observation] = []
        try:
            async for order in microsoft.orders(customer.id):
                seen.append(order)
        except (Upstream, NotFound) as error:
            log.warning("orders of %s: %s", customer.id, error.code)
            return seen, False
        return seen, True

    async def _operations(self) -> None:
        async with self._store.read() as tx:
            last = await tx.observations.last_at("operation")
        today = self._now().astimezone(UTC).date()
        first = today - LOG_REACHES
        since = max(first, (last - OVERLAP).date()) if last else first
        await self._stream(Source.AUDIT_RECORDS, lambda: self._microsoft.operations(since=since, until=today))

    async def _stream(self, source: Source, told: Callable[[], AsyncIterator[Observation]]) -> None:
        seen: list[Observation] = []
        failure = ""

        async def all_of_it() -> bool:
            nonlocal failure
            try:
                async for observation in told():
                    seen.append(observation)
            except BackstopError as error:
                failure = _why(error)
                raise
            return True

        done = await self._features.ask(FEATURES[source], all_of_it)
        kept = await self._keep(seen)
        if done or failure:
            await self._mark(source, kept, why=failure)

    async def _books(self) -> None:
        """What is past due today, by the partner's own books."""
        today = self._digests.today()
        async with self._store.read() as tx:
            day = await self._digests.day(tx, today)
            owed = list(owed_on(day, at=self._now()))
        await self._keep(owed, one_a_day=day.zone)
        await self._mark(Source.BOOKS, len(owed), why="" if day.last else "nothing-imported")

    async def _keep(self, seen: Sequence[Observation], *, one_a_day: tzinfo | None = None) -> int:
        """In parts, for acks wait for whoever writes; should we die between two, the next reading keeps the rest.

        The oldest first: the activity log is asked again from a little before the newest that is known.
        """
        kept, in_order = 0, sorted(seen, key=lambda each: each.at)
        for start in range(0, len(in_order), A_BATCH):
            async with self._store.begin(unhurried=True) as tx:
                kept += await tx.observations.keep(
                    in_order[start : start + A_BATCH], at=self._now(), one_a_day=one_a_day
                )
        return kept

    async def _mark(self, source: Source, kept: int, *, failed: int = 0, why: str = "") -> None:
        async with self._store.begin() as tx:
            await tx.marks.set(MARK + source.value, at=self._now(), kept=kept, failed=failed, why=why)


def _why(error: BackstopError) -> str:
    return f"{error.code} {getattr(error, 'reason', '')}".strip()


def owed_on(day: Day, *, at: datetime) -> Iterator[Owed]:
    """What each customer owes past its due date on that day."""
    for id, parties in day.by_customer():
        overdue: dict[str, Decimal] = {}
        for party in parties:
            for currency, balance in party.balances.items():
                if balance.overdue > 0:
                    overdue[currency] = overdue.get(currency, Decimal(0)) + balance.overdue
        if overdue:
            oldest = max(party.oldest_days for party in parties)
            yield Owed(CustomerId(id), at, overdue, oldest)
