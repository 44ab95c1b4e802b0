"""Drift: notice what was changed outside Backstop, find out when, have it told, and keep what people say to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final, Protocol

from bot.courier import Courier
from bot.domain.action import Reason, Verb
from bot.domain.audit import AuditTag
from bot.domain.capability import Feature
from bot.domain.customer import CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.drift import SETTLES, Acts, Drift, DriftId, has_changed
from bot.domain.observation import Observation, QuantityChanged
from bot.domain.people import Person
from bot.services import jobs
from bot.services.features import Features
from bot.services.new_id import new_id
from bot.store import Store, Tx
from bot.store.drifts import CARD, DUE, LINE, SILENT
from bot.store.mirror import Reading

MOST_CARDS: Final = 20
ONE_READING: Final = timedelta(minutes=15)
"""So many drifts seen within so long get a card of their own: a channel must stay readable, even when replicas
read at once."""
LOG_REACHES: Final = timedelta(days=89)
"""So far back the activity log is asked: for more than 90 days Microsoft answers with an error."""
LOST_AFTER: Final = timedelta(seconds=60)
"""What Slack has not been told so long after it was saved has lost its job."""
LOOK_BACK: Final = timedelta(days=2)
_SUSPENDED: Final = SubscriptionStatus.SUSPENDED


class TellsSuspensions(Protocol):
    """Microsoft's activity log: when each subscription of a customer was last suspended in those days."""

    async def __call__(
        self, *, customer: CustomerId, since: date, until: date
    ) -> dict[SubscriptionId, datetime]: ...


class Drifts:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        features: Features,
        *,
        now: Callable[[], datetime],
        suspensions: TellsSuspensions | None = None,
    ) -> None:
        """Without `suspensions` nobody tells when something was suspended outside."""
        self._store = store
        self._courier = courier
        self._features = features
        self._suspensions = suspensions
        self._now = now

    async def keep(
        self,
        tx: Tx,
        customer: CustomerId,
        found: Sequence[Subscription],
        *,
        read_at: datetime,
        whole: bool = True,
    ) -> tuple[Drift, ...]:
        """The one door by which what was read comes into the mirror; answers with the drifts it shows.

        `read_at` is when the reading began: what was read of a subscription later is newer and stays. `whole` is
        a reading of all the customer has. Whoever calls it sees to it that `tell` follows.
        """
        if whole:
            return await self.keep_all(tx, {customer: found}, read_at=read_at)
        earlier = await tx.mirror.readings(customer)
        fresh = [s for s in found if s.id not in earlier or earlier[s.id].at <= read_at]
        await tx.observations.keep(_changed_quantities(fresh, earlier, read_at=read_at), at=self._now())
        for subscription in fresh:
            await tx.mirror.put_subscription(subscription, at=read_at)
        return await self._drifted(tx, fresh, earlier, read_at=read_at)

    async def keep_all(
        self, tx: Tx, found: Mapping[CustomerId, Sequence[Subscription]], *, read_at: datetime
    ) -> tuple[Drift, ...]:
        """As `keep`, for all that several customers have; `read_at` is when the first of the readings began."""
        known = await tx.mirror.readings_of(list(found))
        earlier: dict[SubscriptionId, Reading] = {}
        fresh: list[Subscription] = []
        quantities: list[Observation] = []
        for customer, theirs in found.items():
            before = known[customer].readings
            newer = [s for s in theirs if s.id not in before or before[s.id].at <= read_at]
            quantities += _changed_quantities(newer, before, read_at=read_at)
            earlier |= before
            fresh += newer
        if quantities:
            await tx.observations.keep(quantities, at=self._now())
        await tx.mirror.put_all(found, known, at=read_at)
        return await self._drifted(tx, fresh, earlier, read_at=read_at)

    async def _drifted(
        self,
        tx: Tx,
        fresh: Sequence[Subscription],
        earlier: Mapping[SubscriptionId, Reading],
        *,
        read_at: datetime,
    ) -> tuple[Drift, ...]:
        """Keep what these readings show of drift, and what they show to be over."""
        standing = await tx.drifts.standing([s.id for s in fresh]) if fresh else {}
        asked = [s for s in fresh if s.id in standing or _may_have_drifted(s, earlier.get(s.id))]
        if not asked:
            return ()
        acts = await _our_acts(tx, asked)
        new = [
            drift
            for subscription in asked
            if (
                drift := await self._new(
                    tx,
                    subscription,
                    earlier.get(subscription.id),
                    acts,
                    stands=_stands(standing.get(subscription.id), acts),
                    read_at=read_at,
                )
            )
        ]
        newer = {drift.subscription_id for drift in new}
        ended = [
            standing[s.id]
            for s in asked
            if s.id in standing
            and (standing[s.id].became is not s.status or s.id in newer or acts.ended(standing[s.id]))
        ]
        await self._keep(tx, new, ended)
        return tuple(new)

    async def tell_later(self, tx: Tx, new: Sequence[Drift]) -> None:
        """Have those told of by a worker, in the very transaction that noticed them."""
        if new:
            await self._courier.send(tx.connection, jobs.tell_drifts(new))

    async def tell_all_later(self) -> None:
        """Have everything told of that was noticed and is not told; without any, nothing is done."""
        async with self._store.read() as tx:
            waits = await tx.drifts.are_due()
            if not waits and self._suspensions:
                waits = bool(await tx.drifts.undated(since=self._now() - LOG_REACHES))
        if waits:
            await self._courier.post(jobs.tell_drifts())

    async def tell(self, only: Sequence[str] | None = None) -> None:
        """Find out when they happened, as far as Microsoft tells, then hand them over to be posted, each once."""
        await self._find_out_when(only)
        async with self._store.begin() as tx:
            due = await tx.drifts.due(only)
            left = max(0, MOST_CARDS - await tx.drifts.cards(since=self._now() - ONE_READING))
            cards, rest = due[:left], due[left:]
            await tx.drifts.is_told(cards, CARD)
            for drift in cards:
                await self._courier.send(tx.connection, jobs.show_drift(drift))
            if rest:
                line = f"{LINE}{rest[0].id}"
                await tx.drifts.is_told(rest, line)
                await self._courier.send(tx.connection, jobs.tell_more_drifts(line))

    async def sweep(self) -> None:
        """Hand out again what never reached Slack."""
        since, until = self._now() - LOOK_BACK, self._now() - LOST_AFTER
        async with self._store.begin() as tx:
            for drift in await tx.drifts.behind(since=since, until=until):
                await self._courier.send(tx.connection, jobs.show_drift(drift))
            for line in await tx.drifts.untold_lines(since=since, until=until):
                await self._courier.send(tx.connection, jobs.tell_more_drifts(line))

    async def get(self, drift_id: str) -> Drift:
        async with self._store.read() as tx:
            return await tx.drifts.get(drift_id, to_change=False)

    async def has_card(self, drift_id: str) -> bool:
        """Whether it is told of in a card of its own."""
        async with self._store.read() as tx:
            return await tx.drifts.told(drift_id) == CARD

    async def in_line(self, line: str) -> int:
        """How many drifts one line stands for."""
        async with self._store.read() as tx:
            return await tx.drifts.in_line(line)

    async def may_decide(self, drift_id: str, *, by: Person) -> Drift:
        """The drift, if this person could decide on it now; else the refusal a decision would meet."""
        drift = await self.get(drift_id)
        drift.must_be_decidable(by=by)
        return drift

    async def adopt(self, drift_id: str, *, by: Person, reason: Reason, note: str) -> Drift:
        """Take it on as ours, for that reason."""
        async with self._store.begin() as tx:
            drift = await tx.drifts.get(drift_id)
            adopted = drift.adopt(by=by, at=self._now(), reason=reason, note=note)
            await tx.drifts.save(adopted)
            await tx.audit.append(
                AuditTag.DRIFT_ADOPTED, drift.id, by=by.id, reason=reason.value, note=note, **_what(drift)
            )
            await self._courier.send(tx.connection, jobs.show_drift(adopted))
        return adopted

    async def explain(self, drift_id: str, *, by: Person, note: str) -> Drift:
        """Keep a sentence for the record."""
        async with self._store.begin() as tx:
            drift = await tx.drifts.get(drift_id)
            explained = drift.explain(by=by, at=self._now(), note=note)
            await tx.drifts.save(explained)
            await tx.audit.append(AuditTag.DRIFT_EXPLAINED, drift.id, by=by.id, note=note, **_what(drift))
            await self._courier.send(tx.connection, jobs.show_drift(explained))
        return explained

    async def _new(
        self,
        tx: Tx,
        subscription: Subscription,
        earlier: Reading | None,
        acts: Acts,
        *,
        stands: bool,
        read_at: datetime,
    ) -> Drift | None:
        """The drift that this reading shows, unless it is ours or known."""
        not_before: datetime | None = None
        if earlier and has_changed(earlier.status, subscription.status):
            if acts.explain(subscription, since=earlier.at):
                return None
            not_before = earlier.at
        elif (
            subscription.status is not _SUSPENDED
            or stands
            or acts.suspension_of(subscription)
            or acts.is_under_way(Verb.SUSPEND, subscription)
        ):
            return None
        customer = await tx.mirror.customer(subscription.customer_id)
        return Drift(
            id=DriftId(new_id("D")),
            customer_id=subscription.customer_id,
            customer_name=customer.name if customer else subscription.customer_id,
            subscription_id=subscription.id,
            subscription_name=subscription.name,
            became=subscription.status,
            seen_at=read_at,
            not_before=not_before,
            words=subscription.suspension_reasons,
        )

    async def _keep(self, tx: Tx, new: Iterable[Drift], ended: Iterable[Drift]) -> None:
        """All rows first and the audit trail last: whoever decides on a drift meanwhile locks in that order too."""
        over = []
        for drift in ended:
            over.append((await tx.drifts.get(drift.id)).over(at=self._now()))
            await tx.drifts.save(over[-1])
            await self._courier.send(tx.connection, jobs.show_drift(drift))
        for drift in new:
            await tx.drifts.add(drift, told=SILENT if drift.not_before is None else DUE)
        for drift in over:
            await tx.audit.append(AuditTag.DRIFT_OVER, drift.id, **_what(drift))
        for drift in new:
            await tx.audit.append(
                AuditTag.DRIFT_SEEN,
                drift.id,
                not_before=drift.not_before.isoformat() if drift.not_before else None,
                words=list(drift.words),
                **_what(drift),
            )

    async def _find_out_when(self, only: Sequence[str] | None) -> None:
        """Ask the activity log, once for each customer; what it does not say stays as it is."""
        if self._suspensions is None:
            return
        today = self._now().date()
        async with self._store.read() as tx:
            undated = await tx.drifts.undated(since=self._now() - LOG_REACHES, only=only)
        for customer, group in groupby(undated, key=lambda drift: drift.customer_id):
            drifts = list(group)
            begun = min(d.not_before or d.seen_at - LOG_REACHES for d in drifts) - SETTLES
            told = await self._features.ask(
                Feature.AUDIT_RECORDS,
                partial(
                    self._suspensions,
                    customer=customer,
                    since=max(begun.date(), today - LOG_REACHES),
                    until=today,
                ),
            )
            if told is None:
                return  # the others are asked about when the log answers again
            async with self._store.begin() as tx:
                for drift in [await tx.drifts.get(d.id) for d in drifts if d.subscription_id in told]:
                    dated = drift.dated(told[drift.subscription_id])
                    if dated.changed_at:
                        await tx.drifts.save(dated)
                        await self._courier.send(tx.connection, jobs.show_drift(dated))
                await tx.drifts.is_asked(drifts)


def _changed_quantities(
    found: Iterable[Subscription], earlier: Mapping[SubscriptionId, Reading], *, read_at: datetime
) -> list[Observation]:
    """What has another quantity than at the reading before. Of a customer never read before nothing is known."""
    if not earlier:
        return []
    last = max(reading.at for reading in earlier.values())
    changed: list[Observation] = []
    for subscription in found:
        reading = earlier.get(subscription.id, Reading(SubscriptionStatus.NONE, last, quantity=0))
        before, after = reading.quantity, subscription.quantity
        if before is None or after is None or before == after:
            continue
        changed.append(
            QuantityChanged(
                subscription.customer_id,
                read_at,
                subscription.id,
                subscription.name,
                before,
                after,
                not_before=reading.at,
                is_trial=subscription.is_trial,
            )
        )
    return changed


def _may_have_drifted(subscription: Subscription, earlier: Reading | None) -> bool:
    return subscription.status is _SUSPENDED or (
        earlier is not None and has_changed(earlier.status, subscription.status)
    )


def _stands(drift: Drift | None, acts: Acts) -> bool:
    """Whether that drift says already that it is suspended."""
    return drift is not None and drift.became is _SUSPENDED and not acts.ended(drift)


async def _our_acts(tx: Tx, subscriptions: Sequence[Subscription]) -> Acts:
    """What we did to these and to their bases, or are doing. What still waits changes nothing, nor does a dry run."""
    ids = {id for s in subscriptions for id in (s.id, s.parent_id) if id}
    return Acts(
        suspensions=await tx.requests.last_suspensions(ids),
        resumed=await tx.drifts.resumed_by_us(ids),
        under_way=await tx.requests.under_way(ids),
    )


def _what(drift: Drift) -> dict[str, str]:
    return {
        "customer": drift.customer_id,
        "customer_name": drift.customer_name,
        "subscription": drift.subscription_id,
        "subscription_name": drift.subscription_name,
        "became": drift.became.value,
    }
