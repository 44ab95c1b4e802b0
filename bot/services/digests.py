"""Compute the digests. Nothing here posts: that is `handlers.digests`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.domain.action import Reason, Verb
from bot.domain.customer import (
    Cloud,
    Countdown,
    Customer,
    Known,
    Subscription,
    SubscriptionId,
    deletion_deadline,
    most_urgent_first,
)
from bot.domain.digest import Banner, Debtor, OverdueDigest, worst_first
from bot.domain.directory import Directory
from bot.domain.drift import Acts, Drift, DriftStatus
from bot.domain.policy import BillingPolicy, Debt, Exposure, Standing, standing
from bot.domain.receivables import UNKNOWN_PARTY, PartyBalances, age, totals
from bot.domain.request import ActionRequest
from bot.domain.shadow import Deed, Proposal, ShadowReport, beside
from bot.store import Store, Tx
from bot.store.books import Import


class Digests:
    def __init__(
        self,
        store: Store,
        policy: BillingPolicy,
        *,
        cloud: Cloud,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._dry_run = dry_run
        self._policy = policy
        self._cloud = cloud
        self._zone = zone
        self._now = now

    def today(self) -> date:
        """The day in the partner's time zone."""
        return self._now().astimezone(self._zone).date()

    async def overdue(self, *, on: date | None = None) -> OverdueDigest:
        """Who is past due on that day (default: today), by the books as they were then."""
        day = on or self.today()
        async with self._store.read() as tx:
            last = await tx.books.last_import(on=day)
            items = await tx.books.open_on(day)
            directory = Directory(await tx.mirror.all_customers(), await tx.mappings.all())
            # The mirror knows how things are, not how they were.
            suspended = await self._countdowns(tx) if day == self.today() else ()
        theirs: dict[str, tuple[Countdown, ...]] = {}
        for countdown in suspended:
            owner = countdown.subscription.customer_id
            theirs[owner] = (*theirs.get(owner, ()), countdown)
        parties = age(items, on=day)
        directory.see(parties)
        debtors = [
            self._debtor(party, directory, day, last, theirs)
            for party in parties
            if _has_past_due(party, day)
        ]
        overdue = {debtor.customer.id for debtor in debtors if debtor.customer}
        return OverdueDigest(
            on=day,
            as_of=last.as_of if last else None,
            complete=last is not None and last.rejected == 0,
            banners=self._banners(last, day),
            totals=totals(parties),
            debtors=worst_first(debtors),
            others_suspended=tuple(c for c in suspended if c.subscription.customer_id not in overdue),
        )

    async def shadow(self, *, days: int) -> ShadowReport:
        """What the policy would have proposed on each of the last `days` days, beside what people asked for."""
        until = self.today()
        since = until - timedelta(days=days - 1)
        proposals: list[Proposal] = []
        for n in range(days):
            day = since + timedelta(days=n)
            digest = await self.overdue(on=day)
            proposals += [
                Proposal(d.customer.id, d.customer.name, day, d.standing.reasons)
                for d in digest.debtors
                if d.customer and d.standing.proposes_suspension
            ]
        async with self._store.read() as tx:
            asked = await tx.requests.placed_since(datetime.combine(since, time(), self._zone))
        deeds = [
            Deed(
                id=request.id,
                customer_id=request.action.customer_id,
                customer_name=request.action.customer_name,
                on=request.placed_at.astimezone(self._zone).date(),
                status=request.status.value,
                dry_run=request.dry_run,
            )
            for request in asked
            if request.action.verb is Verb.SUSPEND and request.action.reason is Reason.NON_PAYMENT
        ]
        return beside(proposals, deeds, since=since, until=until)

    async def countdowns(self) -> tuple[Countdown, ...]:
        """What is suspended as far as the mirror knows, and until when it can be resumed, the most urgent first."""
        async with self._store.read() as tx:
            return await self._countdowns(tx)

    async def countdown_of(self, subscription_id: SubscriptionId) -> Countdown | None:
        """The same of one; None when it is not suspended, as far as the mirror knows."""
        found = await self.countdowns()
        return next((c for c in found if c.subscription.id == subscription_id), None)

    async def _countdowns(self, tx: Tx) -> tuple[Countdown, ...]:
        suspended = await tx.mirror.suspended()
        acts, standing = await _what_was_done(tx, [s for s, _ in suspended])
        return most_urgent_first(
            self._countdown(subscription, customer, acts, standing.get(subscription.id))
            for subscription, customer in suspended
        )

    def _countdown(
        self, subscription: Subscription, customer: Customer | None, acts: Acts, drift: Drift | None
    ) -> Countdown:
        """By what Backstop did, or by what it noticed that somebody else did."""
        match acts.under(subscription, drift):
            case Drift() as found:
                at, known = found.since
                by = found.by if found.status is DriftStatus.ADOPTED else None
                return self._counted(subscription, customer, at, known, by=by, episode=found.id)
            case ActionRequest() as request:
                id = subscription.id if request.done_at(subscription.id) else subscription.parent_id
                at, by = request.done_at(id) if id else None, request.requested_by
                return self._counted(subscription, customer, at, Known.OURS, by=by, episode=request.id)
            case None:
                return self._counted(subscription, customer, None, Known.UNKNOWN, by=None, episode="")

    def _counted(
        self,
        subscription: Subscription,
        customer: Customer | None,
        at: datetime | None,
        known: Known,
        *,
        by: str | None,
        episode: str,
    ) -> Countdown:
        deadline = self.deadline(subscription, at.astimezone(self._zone).date() if at else None)
        return Countdown(subscription, customer, deadline, asked_by=by, known=known, episode=episode)

    async def lifted(self, subscriptions: Sequence[Subscription]) -> list[ActionRequest | Drift | None]:
        """Of each what it is suspended under: ours, what was noticed from outside, or nobody knows what."""
        async with self._store.read() as tx:
            acts, standing = await _what_was_done(tx, subscriptions)
        return [acts.under(s, standing.get(s.id)) for s in subscriptions]

    def deadline(self, subscription: Subscription, suspended_on: date | None) -> date | None:
        """The day after which Microsoft deletes its data; None where nobody knows. None: nobody knows the day."""
        days = self._policy.deletion_days
        return deletion_deadline(subscription, suspended_on=suspended_on, cloud=self._cloud, days=days)

    async def standing_of(self, customer: Customer) -> Standing:
        """Where one customer stands today, for a confirmation."""
        day = self.today()
        async with self._store.read() as tx:
            last = await tx.books.last_import(on=day)
            items = await tx.books.open_on(day)
            directory = Directory(await tx.mirror.all_customers(), await tx.mappings.all())
        directory.add(customer)
        if last is None:
            return Standing(None, None, proposes_suspension=False, reasons=())
        parties = age(items, on=day)
        directory.see(parties)
        theirs = [party for party in parties if directory.of(party) == customer]
        if theirs:
            return self._standing(theirs, customer, day, last)
        namesakes = [party for party in parties if directory.suggestion_for(party) == customer]
        return self._standing(namesakes, None, day, last)

    def _debtor(
        self,
        party: PartyBalances,
        directory: Directory,
        day: date,
        last: Import | None,
        suspended: Mapping[str, tuple[Countdown, ...]],
    ) -> Debtor:
        customer = directory.of(party)
        return Debtor(
            party=party,
            customer=customer,
            suggestion=directory.suggestion_for(party),
            standing=self._standing([party], customer, day, last),
            suspended=suspended.get(customer.id, ()) if customer else (),
        )

    def _standing(
        self, parties: list[PartyBalances], customer: Customer | None, day: date, last: Import | None
    ) -> Standing:
        unread = last.incomplete if last else frozenset()
        complete = UNKNOWN_PARTY not in unread and not any(p.customer_key in unread for p in parties)
        return standing(
            self._policy,
            _exposure(parties),
            tenant=customer.id if customer else None,
            on=day,
            data_is_fresh=last is not None and self._is_fresh(last, day),
            data_is_complete=complete,
        )

    def _banners(self, last: Import | None, day: date) -> tuple[Banner, ...]:
        banners = [Banner("dry_run", {})] if self._dry_run else []
        if last is None:
            return (*banners, Banner("nothing_imported", {}))
        if not self._is_fresh(last, day):
            hours = self._age_hours(last, day)
            banners.append(Banner("stale", {"as_of": last.as_of.isoformat(), "hours": str(hours)}))
        if last.rejected:
            banners.append(Banner("incomplete", {"rejected": str(last.rejected)}))
        return tuple(banners)

    def _is_fresh(self, last: Import, day: date) -> bool:
        return self._age_hours(last, day) <= self._policy.max_data_age_hours

    def _age_hours(self, last: Import, day: date) -> int:
        """Hours since the moment the books speak for: the import itself, or the end of an earlier day."""
        end_of_day = datetime.combine(last.as_of + timedelta(days=1), time(), self._zone)
        moment = min(last.applied_at, end_of_day)
        asked = self._now() if day == self.today() else datetime.combine(day, time(12), self._zone)
        return max(0, int((asked - moment).total_seconds() // 3600))


async def _what_was_done(
    tx: Tx, subscriptions: Sequence[Subscription]
) -> tuple[Acts, dict[SubscriptionId, Drift]]:
    """What Backstop did to these and to what they belong to, and the drifts that stand."""
    ids = {id for s in subscriptions for id in (s.id, s.parent_id) if id}
    acts = Acts(await tx.requests.last_suspensions(ids), await tx.drifts.resumed_by_us(ids))
    return acts, await tx.drifts.standing(ids)


def _exposure(parties: list[PartyBalances]) -> Exposure:
    """Several parties in the books may be one customer; currencies stay apart."""
    debts: dict[str, Debt] = {}
    for party in parties:
        for currency, balance in party.balances.items():
            known = debts.get(currency, Debt(Decimal(0), 0))
            if balance.overdue_net > 0:
                debts[currency] = Debt(
                    known.overdue + balance.overdue_net, max(known.oldest_days, balance.oldest_days)
                )
    return debts


def _has_past_due(party: PartyBalances, day: date) -> bool:
    return any(item.open_amount > 0 and item.due_date < day for item in party.items)
