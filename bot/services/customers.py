"""Find customers and subscriptions, and keep the local mirror of them fresh."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.audit import AuditTag
from bot.domain.customer import TENANT_ID, Customer, CustomerId, Subscription, SubscriptionId
from bot.domain.errors import NotFound, Upstream
from bot.domain.names import can_be_kept
from bot.partner_center.client import AzureEntitlement, PartnerCenter
from bot.services.drift import Drifts
from bot.store import Store

MIRROR = "mirror"
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
    ) -> None:
        self._store = store
        self._partner_center = partner_center
        self._drifts = drifts
        self._now = now
        self._at_once = at_once

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

    async def refresh(self, *, progress: Callable[[int, int], None] | None = None) -> MirrorState:
        """Read every customer and subscription again.

        A customer whose subscriptions cannot be read keeps what was known and is counted in `failed`; when the
        list of customers itself breaks off, nobody is forgotten and Upstream is raised.
        `progress` is told how many customers are done, of how many known so far.
        """
        try:
            return await self._refresh(progress)
        finally:
            await self._drifts.tell_all_later()

    async def reread(self) -> None:
        """Read those customers again of whom something is suspended, or about whom something was asked lately."""
        async with self._store.read() as tx:
            ids = {subscription.customer_id for subscription, _ in await tx.mirror.suspended()}
            ids |= await tx.drifts.asked_about(since=self._now() - WATCHED_FOR)
            found = [await tx.mirror.customer(id) for id in sorted(ids)]
        await self._refresh_subscriptions([customer for customer in found if customer], None)
        await self._drifts.tell_all_later()

    async def _refresh(self, progress: Callable[[int, int], None] | None) -> MirrorState:
        begun = self._now()
        known: list[Customer] = []
        page: list[Customer] = []
        async for customer in self._partner_center.customers():
            page.append(customer)
            if len(page) == 200:
                await self._keep(page, begun)
                known += page
                page = []
        await self._keep(page, begun)
        known += page
        failed = await self._refresh_subscriptions(known, progress)
        async with self._store.begin() as tx:
            await tx.mirror.forget_older(begun)
            await tx.marks.set(MIRROR, at=begun, failed=failed)
            customers, subscriptions = await tx.mirror.sizes()
            await tx.audit.append(
                AuditTag.MIRROR_REFRESHED,
                MIRROR,
                customers=customers,
                subscriptions=subscriptions,
                failed=failed,
            )
        return MirrorState(customers, subscriptions, begun, failed)

    async def refresh_if_old(self) -> None:
        """As `refresh`, unless that was done not long ago (FRESH_FOR)."""
        state = await self.state()
        if state.as_of is None or self._now() - state.as_of >= FRESH_FOR:
            await self.refresh()

    async def state(self) -> MirrorState:
        async with self._store.read() as tx:
            customers, subscriptions = await tx.mirror.sizes()
            mark = await tx.marks.get(MIRROR)
        as_of, facts = mark or (None, {})
        return MirrorState(customers, subscriptions, as_of, int(facts.get("failed", 0)))

    async def _keep(self, page: list[Customer], at: datetime) -> None:
        async with self._store.begin() as tx:
            await tx.mirror.put_customers(page, at=at)

    async def _refresh_subscriptions(
        self, known: list[Customer], progress: Callable[[int, int], None] | None
    ) -> int:
        queue = iter(known)
        done = failed = 0

        async def worker() -> None:
            nonlocal done, failed
            for customer in queue:
                if customer.may_be_acted_on:
                    read_at = self._now()
                    try:
                        found = await self._partner_center.subscriptions(customer.id)
                    except (Upstream, NotFound) as error:
                        failed += 1
                        log.warning("subscriptions of %s: %s", customer.id, type(error).__name__)
                    else:
                        async with self._store.begin() as tx:
                            await self._drifts.keep(tx, customer.id, found, read_at=read_at)
                done += 1
                if progress:
                    progress(done, len(known))

        await asyncio.gather(*(worker() for _ in range(self._at_once)))
        return failed
