"""Find customers and subscriptions, and keep the local mirror of them fresh."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.capability import Feature
from bot.domain.customer import TENANT_ID, Customer, CustomerId, Subscription, SubscriptionId
from bot.domain.errors import NotFound, Upstream
from bot.domain.names import can_be_kept
from bot.partner_center.client import AzureEntitlement, PartnerCenter
from bot.services.crawl import Crawler, Progress
from bot.services.drift import Drifts
from bot.services.features import Features
from bot.store import Store, Tx
from bot.store.crawl import Kind, Run, Why

MIRROR = "mirror"
LOG = "mirror-log"
"""How many records of the activity log were known, by day and customer, when the last crawl began."""
LOG_OVERLAP = timedelta(days=2)
"""The log is read again from so long before the last crawl: some records come late, and it is asked by whole days."""
LOG_TELLS_FOR = timedelta(days=7)
"""After longer than that everybody is read again, whatever the log tells."""
RESUMED_FOR = timedelta(hours=12)
"""A crawl that was left lying for longer begins anew."""
ALL_IN = 16
"""Hours in which, a part each hour, everybody is read again."""
AGED = timedelta(hours=4)
"""What was read later than that is not read again for its age."""
FRESH_FOR = timedelta(hours=20)
"""Less than a day, so that a read at the same time tomorrow finds it old."""
WATCHED_FOR = timedelta(days=90)
"""So long after somebody asked for something a customer is looked at every hour."""
TYPE_AHEAD_SECONDS = 1.2
"""Slack gives an answer three seconds in all; two reads in a row must fit."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MirrorState:
    """`as_of` is None before the first complete read; `failed` counts customers the last read could not get."""

    customers: int
    subscriptions: int
    as_of: datetime | None
    failed: int = 0
    remaining: int = 0
    """Customers that wait to be read."""
    running_since: datetime | None = None
    """When the crawl began that has not come to its end; until then the mirror is new in part only."""
    trouble: str = ""
    """Why it broke off; empty while it goes on."""
    oldest: datetime | None = None
    """When the one was read who was read longest ago; None where somebody never was."""

    @property
    def is_complete(self) -> bool:
        return self.as_of is not None and not (self.failed or self.remaining or self.running_since)


@dataclass(frozen=True, slots=True)
class Found:
    """Customers that match, and the one subscription when its very id was typed."""

    customers: tuple[Customer, ...]
    subscription: Subscription | None = None


class Customers:
    def __init__(
        self,
        store: Store,
        partner_center: PartnerCenter,
        drifts: Drifts,
        *,
        now: Callable[[], datetime],
        at_once: int = 4,
        features: Features | None = None,
        courier: Courier | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without `features` the activity log is not asked; without a courier no other worker is asked to help."""
        self._store = store
        self._partner_center = partner_center
        self._drifts = drifts
        self._now = now
        self._features = features
        self.crawler = Crawler(
            store, partner_center, drifts, now=now, at_once=at_once, courier=courier, sleep=sleep
        )

    async def find(self, words: str, *, limit: int = 20) -> Found:
        """Look in the mirror: by a whole subscription id, or as `Mirror.find` does."""
        if not can_be_kept(words):
            return Found(())
        async with self._store.read() as tx:
            subscription = await tx.mirror.subscription(words)
            if subscription:
                customer = await tx.mirror.customer(subscription.customer_id)
                return Found((customer,) if customer else (), subscription)
            return Found(tuple(await tx.mirror.find(words, limit=limit)))

    async def search(self, words: str, *, limit: int = 100) -> tuple[Customer, ...]:
        """As `find`, and where the mirror knows nobody, ask Partner Center within a type-ahead's time."""
        found = (await self.find(words, limit=limit)).customers
        if found or not words.strip() or not can_be_kept(words):
            return found
        try:
            async with asyncio.timeout(TYPE_AHEAD_SECONDS):
                live = await self._search_live(words.strip())
        except (Upstream, TimeoutError) as error:
            log.warning("live search failed: %s", type(error).__name__)
            return ()
        if live:  # whoever acks waits for whoever writes
            async with self._store.begin() as tx:
                await tx.mirror.put_customers(live, at=self._now())
        return tuple(live[:limit])

    async def _search_live(self, words: str) -> list[Customer]:
        """Partner Center finds by id, by the beginning of a domain or by the beginning of a name, and no other way."""
        if TENANT_ID.fullmatch(words.lower()):
            try:
                return [await self._partner_center.customer(CustomerId(words.lower()))]
            except NotFound:
                return []
        by_name = await self._partner_center.search_customers(words)
        return by_name or await self._partner_center.search_customers(words, field="Domain")

    async def customer(self, customer_id: str) -> Customer:
        """From the mirror, else from Partner Center."""
        async with self._store.read() as tx:
            known = await tx.mirror.customer(customer_id)
        return known or await self._partner_center.customer(CustomerId(customer_id))

    async def subscriptions(self, customer_id: CustomerId) -> tuple[Subscription, ...]:
        """From the mirror; where it has none of that customer, from Partner Center within a type-ahead's time."""
        async with self._store.read() as tx:
            known = await tx.mirror.subscriptions_of(customer_id)
        if known:
            return tuple(known)
        read_at = self._now()
        try:
            async with asyncio.timeout(TYPE_AHEAD_SECONDS):
                live = await self._partner_center.subscriptions(customer_id)
        except (Upstream, TimeoutError) as error:
            log.warning("live subscriptions failed: %s", type(error).__name__)
            return ()
        async with self._store.begin() as tx:
            await self._drifts.tell_later(tx, await self._drifts.keep(tx, customer_id, live, read_at=read_at))
        return tuple(live)

    async def live(
        self, customer_id: CustomerId, subscription_id: SubscriptionId
    ) -> tuple[Customer, Subscription]:
        """Both as Partner Center has them this moment. Raises NotFound or Upstream."""
        read_at = self._now()
        customer, subscription = await asyncio.gather(
            self._partner_center.customer(customer_id),
            self._partner_center.subscription(customer_id, subscription_id),
        )
        async with self._store.begin() as tx:
            new = await self._drifts.keep(tx, customer_id, [subscription], read_at=read_at, whole=False)
            await self._drifts.tell_later(tx, new)
        return customer, subscription

    async def live_all(self, customer_id: CustomerId) -> tuple[Customer, tuple[Subscription, ...]]:
        """The customer and all subscriptions as Partner Center has them this moment. Raises NotFound or Upstream."""
        read_at = self._now()
        customer, found = await asyncio.gather(
            self._partner_center.customer(customer_id), self._partner_center.subscriptions(customer_id)
        )
        async with self._store.begin() as tx:
            await self._drifts.tell_later(
                tx, await self._drifts.keep(tx, customer_id, found, read_at=read_at)
            )
        return customer, tuple(found)

    async def add_ons(self, base: Subscription) -> tuple[Subscription, ...] | None:
        """What is suspended along with it, live; None when that cannot be read."""
        try:
            return tuple(await self._partner_center.add_ons(base.customer_id, base.id))
        except (Upstream, NotFound) as error:
            log.warning("add-ons of %s: %s", base.id, error.code)
            return None

    async def azure_children(self, plan: Subscription) -> tuple[AzureEntitlement, ...]:
        """The Azure subscriptions in an Azure plan, live. Raises NotFound or Upstream."""
        return tuple(await self._partner_center.azure_children(plan.customer_id, plan.id))

    async def azure_child(self, plan: Subscription, child: SubscriptionId) -> AzureEntitlement:
        """One of them, live. Raises NotFound or Upstream."""
        return await self._partner_center.azure_child(plan.customer_id, plan.id, child)

    async def refresh(self, *, progress: Progress | None = None) -> MirrorState:
        """Read every customer and subscription again, or go on with that where it was left off.

        A customer whose subscriptions cannot be read keeps what was known and is counted in `failed`; when the
        list of customers itself breaks off, nobody is forgotten and Upstream is raised.
        `progress` is told how many customers are done, of how many known so far.
        """
        async with self._store.read() as tx:
            under_way = await tx.crawl.run()
        if under_way and under_way.kind is Kind.ALL and self._is_fresh(under_way):
            return await self._crawl(under_way, progress)
        logged = (
            await self._logged()
        )  # before anybody is read: what is logged meanwhile is looked at next time
        async with self._store.begin() as tx:
            await self._keep_log(tx, logged)
            run = await tx.crawl.begin(self._new(Kind.ALL), instead_of=under_way)
        return await self._crawl(run, progress)

    async def sync(self, *, progress: Progress | None = None) -> MirrorState:
        """Bring the mirror up to date by as few requests as can be.

        Where the activity log tells who has changed, the list of customers and those are read; else everybody.
        Raises as `refresh` does.
        """
        async with self._store.read() as tx:
            under_way = await tx.crawl.run()
            known = await tx.marks.get(MIRROR)
        if under_way and self._is_fresh(under_way) and (known or under_way.kind is Kind.ALL):
            return await self._crawl(under_way, progress)
        if known is None or not (run := await self._begin_changes(under_way)):
            return await self.refresh(progress=progress)
        return await self._crawl(run, progress)

    async def look(self) -> None:
        """What is done every hour: new customers, what has changed, what is at risk, and a part of all by their age."""
        now = self._now()
        async with self._store.read() as tx:
            under_way, known = await tx.crawl.run(), await tx.marks.get(MIRROR)
        if known is None or (under_way and under_way.kind is Kind.ALL):
            await self.refresh_if_old()
            return
        at_risk = await self._at_risk()
        async with self._store.begin() as tx:
            await tx.crawl.want(at_risk, Why.RISK, at=self._now())
            await tx.crawl.want_failed(at=now)
            customers, _ = await tx.mirror.sizes()
            await tx.crawl.want_oldest(before=now - AGED, most=customers // ALL_IN + 1, at=now)
        run = under_way if under_way and self._is_fresh(under_way) else await self._begin_changes(under_way)
        if run is None:
            async with self._store.begin() as tx:
                run = await tx.crawl.begin(self._new(Kind.AGES), instead_of=under_way)
        await self._crawl(run, None)

    async def reread(self) -> None:
        """Read those customers again of whom something is suspended, or about whom something was asked lately."""
        at_risk = await self._at_risk()
        async with self._store.begin() as tx:
            await tx.crawl.want(at_risk, Why.RISK, at=self._now())
        try:
            await self.crawler.help()
        finally:
            await self._drifts.tell_all_later()

    async def refresh_if_old(self) -> None:
        """As `refresh`, unless that was done not long ago (FRESH_FOR); what was left off is gone on with."""
        state = await self.state()
        if state.as_of is None or self._now() - state.as_of >= FRESH_FOR:
            await self.refresh()
        elif state.running_since:
            await self.sync()

    async def lend_a_hand(self, hop: int = 0) -> None:
        """Take part in what is to be read, as a job: a process that does so already passes it on."""
        if self.crawler.takes_part:
            await self.crawler.pass_on(hop)
            return
        async with self._store.read() as tx:
            run = await tx.crawl.run()
        if run and self._is_fresh(run):
            await self._crawl(run, None)
        else:
            await self.crawler.help()

    async def mirrored_at(self) -> datetime | None:
        """When everybody was last read to the end; None: never."""
        async with self._store.read() as tx:
            mark = await tx.marks.get(MIRROR)
        return mark[0] if mark else None

    async def state(self) -> MirrorState:
        async with self._store.read() as tx:
            return await self._state(tx)

    async def _state(self, tx: Tx) -> MirrorState:
        customers, subscriptions = await tx.mirror.sizes()
        mark = await tx.marks.get(MIRROR)
        run = await tx.crawl.run()
        waiting = await tx.crawl.waiting(now=self._now())
        return MirrorState(
            customers,
            subscriptions,
            mark[0] if mark else None,
            waiting.failed,
            remaining=waiting.all,
            running_since=run.begun_at if run else None,
            trouble=run.trouble if run else "",
            oldest=await tx.crawl.oldest(),
        )

    async def _crawl(self, run: Run, progress: Progress | None) -> MirrorState:
        try:
            await self.crawler.carry_through(run, end=self._end, progress=progress)
        finally:
            await self._drifts.tell_all_later()
        state = await self.state()
        if progress:
            progress(state.customers, state.customers)
        return state

    async def _end(self, tx: Tx, run: Run) -> None:
        """The list was read to its end, and of all that were to be read nobody waits: forget who is gone."""
        await tx.crawl.forget_gone()
        mark = await tx.marks.get(MIRROR)
        as_of = run.begun_at
        if run.kind is Kind.AGES:  # nobody told what has changed: it is as old as its oldest part
            oldest = await tx.crawl.oldest()
            as_of = max(filter(None, (oldest, mark and mark[0])), default=as_of)
        failed = (await tx.crawl.waiting(now=self._now())).failed
        await tx.marks.set(MIRROR, at=as_of, failed=failed)
        customers, subscriptions = await tx.mirror.sizes()
        await tx.audit.append(
            AuditTag.MIRROR_REFRESHED,
            MIRROR,
            customers=customers,
            subscriptions=subscriptions,
            failed=failed,
        )

    def _new(self, kind: Kind) -> Run:
        return Run(uuid4().hex, kind, self._now(), None)

    def _is_fresh(self, run: Run) -> bool:
        return self._now() - run.begun_at < RESUMED_FOR

    async def _at_risk(self) -> list[CustomerId]:
        """Of whom something is suspended, or about whom something was asked lately."""
        async with self._store.read() as tx:
            ids: set[str] = {subscription.customer_id for subscription, _ in await tx.mirror.suspended()}
            ids |= await tx.drifts.asked_about(since=self._now() - WATCHED_FOR)
        return await self._ours(ids)

    async def _ours(self, ids: Iterable[str]) -> list[CustomerId]:
        """Those of them who may be acted on. Found before anything is written: acks wait for whoever writes."""
        async with self._store.read() as tx:
            return [found.id for found in await tx.mirror.customers_of(ids) if found.may_be_acted_on]

    # Who has changed, by the activity log

    async def _begin_changes(self, under_way: Run | None) -> Run | None:
        """Have those read whom the log names since the last crawl; None where it does not tell."""
        async with self._store.read() as tx:
            mark = await tx.marks.get(LOG)
        if mark is None or self._now() - mark[0] >= LOG_TELLS_FOR:
            return None
        at, before = mark
        logged = await self._logged(since=at)
        if logged is None:
            return None
        ours = await self._ours(
            record.partition(" ")[2] for record, n in logged.items() if n != before.get(record)
        )
        async with self._store.begin() as tx:
            await tx.crawl.want(ours, Why.CHANGED, at=self._now())
            await self._keep_log(tx, logged)
            return await tx.crawl.begin(self._new(Kind.CHANGES), instead_of=under_way)

    async def _logged(self, since: datetime | None = None) -> Counter[str] | None:
        """How many records the log has of each day and customer; None where it does not tell."""
        if self._features is None:
            return None
        until = self._now().astimezone(UTC)
        first = ((since or until).astimezone(UTC) - LOG_OVERLAP).date()

        async def count() -> Counter[str]:
            records = self._partner_center.unhurried.operations(first, until.date())
            return Counter(
                [f"{record.at.date()} {record.customer_id}" async for record in records if record.customer_id]
            )

        return await self._features.ask(Feature.AUDIT_RECORDS, count)

    async def _keep_log(self, tx: Tx, logged: Counter[str] | None) -> None:
        if logged is None:
            await tx.marks.forget(LOG, before=self._now() + timedelta(days=1))
        else:
            await tx.marks.set(LOG, at=self._now(), **logged)
