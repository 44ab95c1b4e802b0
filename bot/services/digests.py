"""Compute the digests. Nothing here posts: that is `handlers.digests`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from bot.domain.action import Reason, Verb
from bot.domain.aging import Aging, Balance, PartyBalances, age
from bot.domain.audit import AuditTag
from bot.domain.collection import Facts, Ground, History, Standing, advance, standing
from bot.domain.customer import (
    Cloud,
    Countdown,
    Customer,
    CustomerId,
    Known,
    Subscription,
    SubscriptionId,
    deletion_deadline,
    most_urgent_first,
)
from bot.domain.digest import (
    Banner,
    Change,
    Debtor,
    Debtors,
    Differences,
    OverdueDigest,
    OverdueTotals,
    Paid,
    PastDue,
    Since,
    added,
    as_it_was,
    compare,
    counted,
    is_late,
    overview,
    past_due,
)
from bot.domain.directory import Directory
from bot.domain.drift import Acts, Drift, DriftStatus
from bot.domain.policy import BillingPolicy, InForce
from bot.domain.receivables import FILE, OpenItem
from bot.domain.request import NO_GROUND, ActionRequest, Status
from bot.domain.shadow import Deed, Proposal, ShadowReport, beside
from bot.domain.simulation import Fired, Replay
from bot.services.day import Day, aged, day_of, ground_now
from bot.store import Store, Tx
from bot.store.readings import Attempt, Outcome

COLLECTION = "collection"
"""The mark of the last day whose reading was remembered."""
POSTED = "digest:overdue:"
"""How the key of a posted overdue digest begins; it ends with the day."""


def overdue_key(channel: str, day: date) -> str:
    """One post per digest, channel and day."""
    return f"{POSTED}{channel}:{day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy would have done from `since` to `until`, both included; `names` are of parties and tenants."""

    since: date
    until: date
    fired: tuple[Fired, ...]
    names: Mapping[str, str]
    on_books_alone: bool = False
    """No customer was known, so the debtors of the books were taken for customers."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where a customer stands, what a suspension would stand on, and under which keys the books have its debts."""

    standing: Standing
    ground: Ground
    debtors: tuple[str, ...]
    policy: BillingPolicy
    """What it was held against."""


class Digests:
    def __init__(
        self,
        store: Store,
        in_force: Callable[[], InForce],
        *,
        cloud: Cloud,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._dry_run = dry_run
        self._in_force = in_force
        self._cloud = cloud
        self._zone = zone
        self._now = now
        self._adding_up = asyncio.Lock()
        self._added_up: tuple[object, Mapping[str, Balance], int] | None = None
        """For which state of the books, and what they come to."""

    @property
    def _policy(self) -> BillingPolicy:
        return self._in_force().policy

    def today(self) -> date:
        """The day in the partner's time zone."""
        return self._now().astimezone(self._zone).date()

    async def overdue(self, *, on: date | None = None) -> OverdueDigest:
        """Who is past due on that day (default: today), by the books as they were then."""
        on = on or self.today()
        async with self._store.read() as tx:
            earlier = await _earlier(tx, on)
            beside = Differences(on=earlier, now=on) if earlier else None
            day = await self._day(tx, on, beside=beside, suggests=True)
        # Beside the loop: with thousands of debtors it takes seconds, and Slack waits three for an ack.
        return await asyncio.to_thread(self._overdue, day, beside)

    def _overdue(self, day: Day, beside: Differences | None) -> OverdueDigest:
        owed, parties = overview(day.parties)
        owners = [day.owner_key(party) for party in parties]
        overdue = set(owners)
        since, changes = _since(day, beside, parties, owners) if beside else (None, None)
        return OverdueDigest(
            on=day.on,
            as_of=day.last.as_of if day.last else None,
            complete=day.is_complete,
            banners=self._banners(day),
            policy_version=day.policy.version,
            totals=owed,
            debtors=Debtors(
                parties,
                partial(self._debtor, day, changes),
                asleep=_asleep(day),
                running=_running(day.running, overdue),
            )
            if parties
            else (),
            paid=tuple(_paid(day, overdue)),
            others_suspended=tuple(
                c
                for theirs in day.suspended.values()
                for c in theirs
                if c.subscription.customer_id not in overdue
            ),
            since=since,
        )

    async def totals(self) -> OverdueTotals:
        """The same figures as `overdue` of today has; added up once for each state of the books."""
        on = self.today()
        async with self._adding_up, self._store.read() as tx:
            day = Day(
                on=on,
                asked_at=self._now(),
                zone=self._zone,
                policy=self._policy,
                last=await tx.books.last_import(on=on),
                troubles=await tx.readings.troubles(on=on),
                parties=(),
                directory=Directory(()),
                suspended={},
                histories={},
                pauses={},
            )
            state = (on, await tx.books.version())
            if self._added_up is None or self._added_up[0] != state:
                parties = await aged(tx, Aging(on=on, keeps_items=False), on=on)
                owed, late = await asyncio.to_thread(overview, parties)
                self._added_up = state, owed, len(late)
            _, owed, debtors = self._added_up
        return OverdueTotals(day.last.as_of if day.last else None, self._banners(day), owed, debtors)

    async def posted_before(self, channel: str, day: date) -> bool:
        """Whether that channel has had a digest of an earlier day: only then is one waited for."""
        key = overdue_key(channel, day)
        async with self._store.read() as tx:
            return any(k < key for k in await tx.posts.keys(f"{POSTED}{channel}:"))

    async def is_missing(self, channel: str, due: datetime) -> bool:
        """Whether the digest that was due at that moment is late, and not posted as far as anybody knows."""
        day = due.astimezone(self._zone).date()
        if day != self.today() or not is_late(due, self._now()):
            return False
        async with self._store.read() as tx:
            post = await tx.posts.find(overdue_key(channel, day))
        return (post is None or post.ts is None) and await self.posted_before(channel, day)

    async def record(self, *, on: date) -> None:
        """Remember what the day's reading came to: episodes begin and end, stages fire once.

        The same books read twice on one day change nothing; neither does a day before the last one.
        """
        # Worked out before anything is written: on SQLite every ack waits for whoever writes.
        async with self._store.read() as tx:
            day = await self._day(tx, on)
            mark = await tx.marks.get(COLLECTION)
        if day.last is None:
            return
        reading = {"day": on.isoformat(), "books": day.last.changed_at.isoformat()}
        if mark and (mark[1]["day"] > reading["day"] or mark[1] == reading):
            return
        changed, woken = await asyncio.to_thread(_advanced, day)
        async with self._store.begin() as tx:
            if await tx.marks.get(COLLECTION) != mark:
                return  # somebody else has just remembered it
            await tx.marks.set(COLLECTION, at=self._now(), **reading)
            await tx.collections.save(changed, on=on)
            await tx.collections.wake(woken)
            for id in woken:
                await tx.audit.append(AuditTag.CUSTOMER_WOKEN, id, by="backstop", why="worse")

    async def simulate(self, policy: BillingPolicy, *, days: int) -> Replayed:
        """What that policy would have done on each of the last `days` days, by the books as they were.

        Who is linked to no customer is never acted on. Only where no customer was ever read from Partner Center the
        debtors of the books are taken for customers: a policy can be tried on the books alone.
        """
        until = self.today()
        since = until - timedelta(days=days - 1)
        replay = Replay(policy)
        names: dict[str, str] = {}
        async with self._store.read() as tx:
            on_books_alone = not await tx.mirror.all_customers()
            for n in range(days):
                day = await self._day(tx, since + timedelta(days=n), policy=policy)
                if day.last is None:
                    continue
                facts: dict[str, Facts] = {}
                for party in day.parties:
                    customer = day.directory.of(party)
                    if customer is None:
                        names[party.customer_key] = party.customer
                        taken_for = _as_customer(party) if on_books_alone else None
                        facts[party.customer_key] = day.facts_of([party], taken_for)
                    elif customer.id not in facts:
                        names[customer.id] = customer.name
                        facts[customer.id] = day.facts(customer.id)
                replay.day(day.on, facts, trusted=day.is_fresh and day.is_complete)
        return Replayed(since, until, tuple(replay.fired), names, on_books_alone)

    async def shadow(self, *, days: int) -> ShadowReport:
        """What the policy would have proposed on each of the last `days` days, beside what people asked for."""
        until = self.today()
        since = until - timedelta(days=days - 1)
        proposals: list[Proposal] = []
        for n in range(days):
            day = since + timedelta(days=n)
            proposals += await asyncio.to_thread(_proposed, await self.overdue(on=day))
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
                debt = found.reason is Reason.NON_PAYMENT
                return self._counted(subscription, customer, at, known, by=by, episode=found.id, debt=debt)
            case ActionRequest() as request:
                id = subscription.id if request.done_at(subscription.id) else subscription.parent_id
                at, by = request.done_at(id) if id else None, request.requested_by
                debt = request.action.reason is Reason.NON_PAYMENT
                ours = Known.OURS
                return self._counted(subscription, customer, at, ours, by=by, episode=request.id, debt=debt)
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
        debt: bool = False,
    ) -> Countdown:
        deadline = self.deadline(subscription, at.astimezone(self._zone).date() if at else None)
        return Countdown(
            subscription, customer, deadline, asked_by=by, known=known, episode=episode, for_debt=debt
        )

    async def lifted(self, subscriptions: Sequence[Subscription]) -> list[ActionRequest | Drift | None]:
        """Of each what it is suspended under: ours, what was noticed from outside, or nobody knows what."""
        async with self._store.read() as tx:
            acts, standing = await _what_was_done(tx, subscriptions)
        return [acts.under(s, standing.get(s.id)) for s in subscriptions]

    def deadline(self, subscription: Subscription, suspended_on: date | None) -> date | None:
        """The day after which Microsoft deletes its data; None where nobody knows. None: nobody knows the day."""
        days = self._policy.deletion_days
        return deletion_deadline(subscription, suspended_on=suspended_on, cloud=self._cloud, days=days)

    async def deadlines_of(self, request: ActionRequest) -> tuple[date | None, ...]:
        """The `deadline` of each subscription that waits to be suspended, were it done today or at its time.

        Empty where nothing waits to be suspended.
        """
        waits = request.status in (Status.PENDING, Status.APPROVED)
        if request.action.verb is not Verb.SUSPEND or request.dry_run or not waits:
            return ()
        at = max(filter(None, (self._now(), request.not_before, request.acts_at)))
        day, ids = at.astimezone(self._zone).date(), [target.subscription_id for target in request.targets]
        async with self._store.read() as tx:
            known = await tx.mirror.these(ids)
        return tuple(self.deadline(known[id], day) if id in known else None for id in ids)

    async def judge(self, customer: Customer) -> Judgement:
        """Where one customer stands today, for a confirmation."""
        async with self._store.read() as tx:
            day = await self._day(tx, self.today(), besides=customer, suggests=True)
        if day.last is None:
            nowhere = Standing(None, None, proposes_suspension=False, reasons=())
            return Judgement(nowhere, NO_GROUND, (), day.policy)
        theirs, id = day.debtors_of(customer.id), customer.id
        namesakes = [party for party in day.parties if day.directory.suggestion_for(party) == customer]
        by_name = bool(namesakes) and not theirs
        if by_name:
            stands, parties = day.standing_of_nobody(namesakes), tuple(namesakes)
        else:
            stands, parties = day.standing(customer), theirs
        stood_on = day.ground(parties, id, by_name=by_name)
        return Judgement(stands, stood_on, tuple(party.customer_key for party in parties), day.policy)

    async def ground_now(self, tx: Tx, request: ActionRequest) -> Ground:
        """What a request about non-payment stands on by now; what stood on nothing is not looked up."""
        if not request.ground.owes:
            return NO_GROUND
        return await ground_now(tx, request, policy=self._policy, at=self._now(), zone=self._zone)

    def may_cut_off(self, at: datetime) -> datetime:
        """That moment, or the next at which the billing policy lets somebody be cut off for non-payment."""
        return self._policy.may_cut_off(at, zone=self._zone)

    async def day(self, tx: Tx, on: date, *, keeps_items: bool = False) -> Day:
        """That day as the policy in force judges it; without the items no more of the books than their sums."""
        return await self._day(tx, on, keeps_items=keeps_items)

    async def _day(
        self,
        tx: Tx,
        on: date,
        *,
        policy: BillingPolicy | None = None,
        besides: Customer | None = None,
        beside: Differences | None = None,
        keeps_items: bool = False,
        suggests: bool = False,
    ) -> Day:
        return await day_of(
            tx,
            on,
            policy=policy or self._policy,
            asked_at=self._now(),
            zone=self._zone,
            suspended=await self._countdowns(tx) if on == self.today() else (),
            besides=besides,
            keeps_items=keeps_items,
            beside=beside,
            suggests=suggests,
        )

    def _debtor(self, day: Day, changes: Mapping[str, Change] | None, party: PartyBalances) -> Debtor:
        customer = day.directory.of(party)
        change = None if changes is None else changes.get(day.owner_key(party), Change.SAME)
        if customer is None:
            facts = day.facts_of([party], None)
            return Debtor(
                party=party,
                customer=None,
                suggestion=day.directory.suggestion_for(party),
                standing=day.standing_of_nobody([party]),
                trusted=facts.books_are_fresh and facts.books_are_complete,
                change=change,
            )
        facts, snooze = day.facts(customer.id), day.snooze(customer.id)
        return Debtor(
            party=party,
            customer=customer,
            suggestion=None,
            standing=day.standing_on(customer, facts),
            suspended=day.suspended.get(customer.id, ()),
            trusted=facts.books_are_fresh and facts.books_are_complete,
            change=change,
            promise=day.promise(customer.id),
            snooze=snooze if facts.snoozed_until else None,
            woken=snooze if not facts.snoozed_until else None,
            owner=day.owners.get(customer.id),
            running=day.running.get(customer.id, 0) if day.running is not None else None,
        )

    def _banners(self, day: Day) -> tuple[Banner, ...]:
        """What keeps from acting comes first."""
        besides = [Banner("dry_run", {})] if self._dry_run else []
        if why := self._in_force().refused:
            besides.insert(0, Banner("policy_refused", {"why": why, "version": day.policy.version}))
        banners = [_trouble(attempt) for attempt in day.troubles]
        if day.last is None:
            return (Banner("nothing_imported", {}), *banners, *besides)
        if not day.is_fresh:
            facts = {"as_of": day.last.as_of.isoformat(), "hours": str(day.age_hours)}
            if day.last.source == FILE:
                banners.append(Banner("stale", facts))
            else:
                banners.append(Banner("stale_source", {**facts, "source": day.last.source}))
        if day.last.rejected:
            banners.append(Banner("incomplete", {"rejected": str(day.last.rejected)}))
        return (*banners, *besides)


def _trouble(attempt: Attempt) -> Banner:
    """Why the books of a source are not up to date."""
    facts = {"source": attempt.source, **{name: str(fact) for name, fact in attempt.facts.items()}}
    match attempt.outcome:
        case Outcome.HELD:
            return Banner("held", facts)
        case _:
            return Banner("not_read", facts)


async def _what_was_done(
    tx: Tx, subscriptions: Sequence[Subscription]
) -> tuple[Acts, dict[SubscriptionId, Drift]]:
    """What Backstop did to these and to what they belong to, and the drifts that stand."""
    ids = {id for s in subscriptions for id in (s.id, s.parent_id) if id}
    acts = Acts(await tx.requests.last_suspensions(ids), await tx.drifts.resumed_by_us(ids))
    return acts, await tx.drifts.standing(ids)


def _paid(day: Day, overdue: Collection[str]) -> Iterator[Paid]:
    """Whose debt is cleared while something of theirs is still suspended for it."""
    for id, suspended in day.suspended.items():
        customer = suspended[0].customer
        if id in overdue or customer is None or not any(c.for_debt for c in suspended):
            continue
        if day.may_owe_more(customer.id):
            continue
        stands = day.standing(customer)
        if stands.proposes_resume:
            yield Paid(customer, stands, tuple(c for c in suspended if c.for_debt))


def _as_customer(party: PartyBalances) -> CustomerId:
    """An id for a debtor of whom no customer is known: the tenant the books name, else how they keep it."""
    return CustomerId((party.tenant or party.customer_key).lower())


def _since(
    day: Day, beside: Differences, overdue: Sequence[PartyBalances], owners: Sequence[str]
) -> tuple[Since, Mapping[str, Change]]:
    """What changed since the digest before, by the books as they were on its day; of whom nothing did, is not named.

    `owners` are, one for one, whose the debts of those are that are overdue now. Whose a debtor is, today's books say;
    only who is not in them any more is looked up by those of then.
    """
    changed = beside.new.keys() | {item.customer_key for item in beside.gone}
    owner_of = {p.customer_key: day.owner_key(p) for p in day.parties if p.customer_key in changed}
    gone_parties = age((item for item in beside.gone if item.customer_key not in owner_of), on=beside.on)
    owner_of |= {party.customer_key: day.owner_key(party) for party in gone_parties}

    new: dict[str, PastDue] = {}
    for key, owed in beside.new.items():
        new[owner_of[key]] = added(new.get(owner_of[key], {}), owed)
    gone: dict[str, list[OpenItem]] = {}
    for item in beside.gone:
        gone.setdefault(owner_of[item.customer_key], []).append(item)
    now: dict[str, PastDue] = {}
    for party, owner in zip(overdue, owners, strict=True):
        if owner in new or owner in gone:
            owed = {c: b.past_due for c, b in party.balances.items() if b.past_due}
            now[owner] = added(now.get(owner, {}), owed)
    then = {
        owner: as_it_was(
            now.get(owner, {}), new=new.get(owner, {}), gone=past_due(gone.get(owner, ()), on=beside.on)
        )
        for owner in {**new, **gone}
    }
    changes = compare(now, then)
    counts = dict(counted(changes))
    counts[Change.SAME] += sum(owner not in new and owner not in gone for owner in set(owners))
    customers = day.directory.by_id
    names = [
        customers[owner].name if owner in customers else gone[owner][-1].customer
        for owner, owed in then.items()
        if owed and not now.get(owner)
    ]
    return Since(beside.on, counts, tuple(sorted(names))), changes


def _advanced(day: Day) -> tuple[dict[str, tuple[History, History]], list[str]]:
    """How histories went on that day, before and after, and whose snooze is over."""
    changed: dict[str, tuple[History, History]] = {}
    woken: list[str] = []
    for id, facts in _everybodys(day):
        before = day.histories.get(id, History())
        stands = standing(day.policy, facts, before, on=day.on)
        after = advance(day.policy, facts, before, stands, on=day.on)
        if after != before:
            changed[id] = (before, after)
        if day.snooze(id) and facts.snoozed_until is None:
            woken.append(id)
    return changed, woken


def _everybodys(day: Day) -> Iterator[tuple[str, Facts]]:
    """The facts of each customer that is in the books, or was."""
    for id, parties in day.by_customer():
        yield id, day.facts_of(parties, CustomerId(id))
    for id in day.histories:
        if not day.debtors_of(id):
            yield id, day.facts_of((), CustomerId(id))


def _proposed(digest: OverdueDigest) -> list[Proposal]:
    return [
        Proposal(d.customer.id, d.customer.name, digest.on, d.standing.reasons)
        for d in digest.debtors
        if d.customer and d.standing.proposes_suspension
    ]


def _running(running: Mapping[str, int] | None, overdue: Collection[str]) -> tuple[int, int] | None:
    """As `OverdueDigest.running`."""
    if running is None or not overdue:
        return None
    return sum(running.get(id, 0) for id in overdue), sum(running.get(id, 0) > 0 for id in overdue)


def _asleep(day: Day) -> frozenset[str]:
    """The keys of the debtors that somebody said to wait of, and that have not become worse since."""
    ids = [CustomerId(id) for id in day.pauses if day.snooze(id)]
    return frozenset(
        party.customer_key for id in ids if day.facts(id).snoozed_until for party in day.debtors_of(id)
    )


async def _earlier(tx: Tx, on: date) -> date | None:
    """The day of the digest posted before; where none was, the day of the books before those of this day."""
    last = await tx.books.last_import(on=on)
    if last is None:
        return None
    posted = await tx.posts.keys(POSTED)
    days = [date.fromisoformat(key.rpartition(":")[2]) for key in posted]
    if earlier := max((d for d in days if d < on), default=None):
        return earlier if await tx.books.last_import(on=earlier) else None
    before = await tx.books.last_import(on=last.as_of - timedelta(days=1))
    return before.as_of if before else None
