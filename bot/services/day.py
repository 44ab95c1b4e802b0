"""One day as the billing policy judges it: the books, whose debts they are, and what happened before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from bot.domain.aging import Aging, Balance, PartyBalances, age
from bot.domain.collection import Facts, Ground, History, Standing, ground, standing
from bot.domain.customer import Countdown, Customer, CustomerId
from bot.domain.digest import Differences
from bot.domain.directory import ConfirmedMapping, Directory
from bot.domain.followup import PROMISE, SNOOZE, Pause, has_worsened
from bot.domain.people import PersonId
from bot.domain.policy import BillingPolicy, Debt, Exposure
from bot.domain.receivables import UNKNOWN_PARTY, tenant_key
from bot.domain.request import ActionRequest
from bot.store import Tx
from bot.store.books import Import, Part
from bot.store.readings import Attempt

Grounds = Callable[[Tx, ActionRequest], Awaitable[Ground]]
"""Reads again what a request about non-payment stands on."""


@dataclass(frozen=True)
class Day:
    """Everything a day's judgement needs. `asked_at` is the moment the age of the books is counted to."""

    on: date
    asked_at: datetime
    zone: ZoneInfo
    policy: BillingPolicy
    last: Import | None
    """How sure the books are: as sure as the source of which least is known."""
    troubles: Sequence[Attempt]
    """Sources that could not be brought up to date."""
    parties: tuple[PartyBalances, ...]
    directory: Directory
    suspended: Mapping[str, tuple[Countdown, ...]]
    """By customer; the mirror knows how things are, not how they were."""
    histories: Mapping[str, History]
    pauses: Mapping[str, tuple[Pause, ...]]
    owners: Mapping[str, PersonId] = field(default_factory=dict)
    running: Mapping[str, int] | None = None
    """Active subscriptions by customer; None for a day that is not today."""

    def debtors_of(self, id: str) -> tuple[PartyBalances, ...]:
        """The debtors of the books that are that customer: several may be one."""
        return self.directory.debtors_of(id)

    def by_customer(self) -> Iterator[tuple[str, tuple[PartyBalances, ...]]]:
        """The same of everybody who is in the books, by the customer's id."""
        for id in self.directory.seen():
            if found := self.debtors_of(id):
                yield id, found

    def look_up(self, *, suggests: bool) -> None:
        """Whose everything is, at once: with tens of thousands of debtors that is no work for the event loop."""
        self.directory.see(self.parties)
        if suggests:
            self.directory.expect(party.customer for party in self._nobodys)

    @cached_property
    def _nobodys(self) -> Sequence[PartyBalances]:
        """Debtors of whom it is not clear which customer they are."""
        return [party for party in self.parties if self.directory.of(party) is None]

    @cached_property
    def _keys_of_nobodys(self) -> frozenset[str]:
        return frozenset(party.customer_key for party in self._nobodys)

    @cached_property
    def _keys_of_credits(self) -> frozenset[str]:
        """Of those the ones that have paid, or were given, something that is not used up."""
        return frozenset(
            party.customer_key
            for party in self._nobodys
            if any(balance.credits > 0 for balance in party.balances.values())
        )

    def _may_have_credits(self, id: CustomerId) -> bool:
        return bool(self._keys_of_credits and self.directory.keys_of(id) & self._keys_of_credits)

    def may_owe_more(self, id: CustomerId) -> bool:
        """Whether a debtor of whom it is not clear who it is may be that customer, by what the books name."""
        return bool(self.directory.keys_of(id) & self._keys_of_nobodys)

    @cached_property
    def is_fresh(self) -> bool:
        return self.age_hours is not None and self.age_hours <= self.policy.max_data_age_hours

    @property
    def is_complete(self) -> bool:
        return self.last is not None and self.last.is_complete

    @cached_property
    def age_hours(self) -> int | None:
        """Hours since the moment the books speak for: the import itself, or the end of an earlier day."""
        if self.last is None:
            return None
        end_of_day = datetime.combine(self.last.as_of + timedelta(days=1), time(), self.zone)
        moment = min(self.last.applied_at, end_of_day)
        return max(0, int((self.asked_at - moment).total_seconds() // 3600))

    def standing(self, customer: Customer) -> Standing:
        """Where that customer stands, with everything it owes under whatever name."""
        return self.standing_on(customer, self.facts(customer.id))

    def standing_on(self, customer: Customer, facts: Facts) -> Standing:
        """The same, where its facts are known already."""
        return standing(self.policy, facts, self.histories.get(customer.id, History()), on=self.on)

    def standing_of_nobody(self, parties: Sequence[PartyBalances]) -> Standing:
        """Where debtors stand of whom nobody knows which customer they are: nothing is ever proposed for them."""
        return standing(self.policy, self.facts_of(parties, None), History(), on=self.on)

    def owner_key(self, party: PartyBalances) -> str:
        """Whom debts are added up for: the customer, else the debtor of the books by itself."""
        customer = self.directory.of(party)
        return customer.id if customer else party.customer_key

    def promise(self, id: str) -> Pause | None:
        """Until when they promised to pay; of several the latest day counts."""
        return _last(self.pauses.get(id, ()), PROMISE)

    def snooze(self, id: str) -> Pause | None:
        """Until when somebody said to wait, become worse or not."""
        return _last(self.pauses.get(id, ()), SNOOZE)

    def is_worse_than_at(self, snooze: Pause, exposure: Exposure) -> bool:
        """Whether the snooze is over because more is overdue than when it was said."""
        history = self.histories.get(snooze.tenant, History())
        before = snooze.overdue if snooze.overdue is not None else history.overdue
        return has_worsened(before or {}, exposure)

    def facts(self, id: CustomerId) -> Facts:
        return self.facts_of(self.debtors_of(id), id)

    def facts_of(self, parties: Sequence[PartyBalances], id: CustomerId | None) -> Facts:
        """What these debtors owe, as that customer's, or as nobody's."""
        owed = [party.balances for party in parties]
        exposure = _exposure(owed)
        promise = self.promise(id) if id else None
        snooze = self.snooze(id) if id else None
        if snooze and self.is_worse_than_at(snooze, exposure):
            snooze = None
        return Facts(
            tenant=id,
            exposure=exposure,
            owes_anything=any(b.open > 0 for balances in owed for b in balances.values()),
            disputes=any(b.disputes_overdue for balances in owed for b in balances.values()),
            books_are_fresh=self.is_fresh,
            books_are_complete=self.last is not None and self._is_complete(self.last, parties, id),
            promised_until=promise.until if promise else None,
            snoozed_until=snooze.until if snooze else None,
            suspended_for_debt=any(c.for_debt for c in self.suspended.get(id, ())) if id else False,
        )

    def ground(self, parties: Sequence[PartyBalances], id: CustomerId, *, by_name: bool = False) -> Ground:
        """What a suspension of that customer would stand on by these debtors; in doubt the books are not sure."""
        stood_on = ground(self.policy, self.facts_of(parties, id), on=self.on)
        is_clear = not any(self.directory.doubt(party) for party in parties)
        return replace(stood_on, trusted=stood_on.trusted and is_clear, by_name=by_name)

    def _is_complete(self, last: Import, parties: Sequence[PartyBalances], id: CustomerId | None) -> bool:
        """Whether all of theirs could be read; what names nobody may be anybody's.

        Who has nothing open may still be in doubt: something of theirs could not be read, or does not add up.
        """
        if id and id in self.directory.by_id and self._may_have_credits(id):
            return False  # a person has to say first whose they are
        if not last.incomplete:
            return True
        theirs = {p.customer_key for p in parties} | (self.directory.keys_of(id) if id else set())
        return UNKNOWN_PARTY not in last.incomplete and not theirs & last.incomplete


async def day_of(
    tx: Tx,
    on: date,
    *,
    policy: BillingPolicy,
    asked_at: datetime,
    zone: ZoneInfo,
    suspended: Sequence[Countdown] = (),
    besides: Customer | None = None,
    keeps_items: bool = True,
    beside: Differences | None = None,
    suggests: bool = True,
) -> Day:
    """Read a day in a handful of reads, however many customers there are.

    `besides` is a customer that the mirror may not know yet. Promises and snoozes are today's, as `asked_at` has it.
    Without the items the day has no more of the books than their sums. `beside` takes note of what was otherwise on
    an earlier day: the rows of both are read at once. `suggests` is whether anybody will ask who a debtor may be.
    """
    known, mappings = await tx.mirror.all_customers(), await tx.mappings.all()
    directory = await asyncio.to_thread(Directory, known, mappings)
    del known
    if besides:
        directory.add(besides)
    aging = Aging(on=on, keeps_items=keeps_items, known=directory.by_id)
    parties = await aged(tx, aging, on=on, beside=beside)
    by_customer: dict[str, tuple[Countdown, ...]] = {}
    for countdown in suspended:
        owner = countdown.subscription.customer_id
        by_customer[owner] = (*by_customer.get(owner, ()), countdown)
    warned = await tx.letters.warnings(on=on)
    histories = await tx.collections.histories(on=on)
    is_today = on == asked_at.astimezone(zone).date()
    day = Day(
        on=on,
        asked_at=asked_at if is_today else datetime.combine(on, time(12), zone),
        zone=zone,
        policy=policy,
        last=await tx.books.last_import(on=on),
        troubles=await tx.readings.troubles(on=on),
        parties=parties,
        directory=directory,
        suspended=by_customer,
        histories={
            id: replace(histories.get(id, History()), warned=warned.get(id, ()))
            for id in histories.keys() | warned.keys()
        },
        pauses=await tx.collections.pauses(on=on) if is_today else {},
        owners=await tx.owners.all(),
        running=await tx.mirror.running(directory.by_id) if is_today else None,
    )
    await asyncio.to_thread(day.look_up, suggests=suggests)
    return day


async def aged(
    tx: Tx, aging: Aging, *, on: date, beside: Differences | None = None
) -> tuple[PartyBalances, ...]:
    """What each debtor of the books owes on that day, added up out of the way of the event loop."""
    async for part in tx.books.parts_on(on, or_on=beside.on if beside else None):
        await asyncio.to_thread(_add, part, aging, beside)
    return await asyncio.to_thread(aging.parties)


def _add(part: Part, aging: Aging, beside: Differences | None) -> None:
    if beside is None:
        aging.add(part.items())
        return
    found = list(part.of_both())
    aging.add(item for item, is_open, _ in found if is_open)
    for item, is_open, was_open in found:
        beside.add(item, is_open=is_open, was_open=was_open)


async def ground_now(
    tx: Tx, request: ActionRequest, *, policy: BillingPolicy, at: datetime, zone: ZoneInfo
) -> Ground:
    """What a request about non-payment stands on by now: only its own debtors are read again.

    Whose they are may have been corrected since; and what came in for the customer under another name of theirs in the
    books, a payment on account say, counts for them, though never against them: nobody was asked about that. Nor are
    the books sure where something under any name of theirs could not be read, or is not clearly theirs any more.
    """
    customer = request.action.customer_id
    by_name = request.ground.by_name
    directory, theirs, others = await _keys_now(tx, customer, request.debtors, by_name=by_name)
    day = await _day_now(tx, theirs, policy=policy, at=at, zone=zone, directory=directory)
    now = day.ground(day.parties, customer, by_name=by_name)
    if now.owes and others:
        whole = await _day_now(tx, [*theirs, *others], policy=policy, at=at, zone=zone, directory=directory)
        of_all = ground(policy, whole.facts_of(whole.parties, customer), on=whole.on)
        now = replace(now, owes=of_all.owes, counts=now.counts and of_all.counts)
    lost = len(theirs) < len(request.debtors) and not now.owes
    return replace(now, unlinked=lost)


async def exposure_now(
    tx: Tx,
    customer: CustomerId,
    debtors: Sequence[str],
    *,
    policy: BillingPolicy,
    at: datetime,
    zone: ZoneInfo,
) -> Exposure | None:
    """What a customer owes by now who was these debtors when it was confirmed, under whatever name it stands by now.

    None where the books do not know them any more, are old, or have gaps.
    """
    directory, theirs, others = await _keys_now(tx, customer, debtors)
    day = await _day_now(tx, [*theirs, *others], policy=policy, at=at, zone=zone, directory=directory)
    facts = day.facts_of(day.parties, customer)
    return facts.exposure if day.parties and facts.books_are_fresh and facts.books_are_complete else None


async def _keys_now(
    tx: Tx, customer: CustomerId, debtors: Sequence[str], *, by_name: bool = False
) -> tuple[Directory, list[str], list[str]]:
    """Which of these debtors are that customer still, and under which other keys the books have something of theirs.

    Whom nobody linked, and who was taken for the customer `by_name` alone, is so until somebody says otherwise.
    """
    known, mappings = await tx.mirror.customer(customer), await tx.mappings.all()
    directory = Directory((known,) if known else (), mappings)
    keys, said = directory.keys_of(customer), {mapping.party_key: mapping for mapping in mappings}
    theirs = [
        key
        for key in debtors
        if _is_still_theirs(key, customer, said, keys, known) or (by_name and key not in said)
    ]
    others = [key for key in sorted(keys.difference(theirs)) if await tx.books.open_of(key)]
    return directory, theirs, others


def _is_still_theirs(
    key: str,
    customer: CustomerId,
    said: Mapping[str, ConfirmedMapping],
    keys: Collection[str],
    known: Customer | None,
) -> bool:
    """Whether a debtor that was this customer when it was confirmed is so still."""
    if mapping := said.get(key):
        return mapping.customer_id == customer
    return key in keys or (known is None and key.startswith(tenant_key("")))


async def _day_now(
    tx: Tx,
    debtors: Sequence[str],
    *,
    policy: BillingPolicy,
    at: datetime,
    zone: ZoneInfo,
    directory: Directory,
) -> Day:
    """The day with these debtors of the books alone."""
    on = at.astimezone(zone).date()
    items = [item for key in debtors for item in await tx.books.open_of(key)]
    day = Day(
        on=on,
        asked_at=at,
        zone=zone,
        policy=policy,
        last=await tx.books.last_import(on=on),
        troubles=(),
        parties=age(items, on=on),
        directory=directory,
        suspended={},
        histories={},
        pauses=await tx.collections.pauses(on=on),
    )
    day.look_up(suggests=False)
    return day


def _last(pauses: Sequence[Pause], kind: str) -> Pause | None:
    return max((p for p in pauses if p.kind == kind), key=lambda p: p.until, default=None)


def _exposure(parties: Sequence[Mapping[str, Balance]]) -> Exposure:
    """What counts: due, undisputed, unblocked, not promised for later, net of their own unused credits.

    Several debtors in the books may be one customer; currencies stay apart.
    """
    debts: dict[str, Debt] = {}
    if len(parties) == 1:
        currencies: Iterable[str] = parties[0]
    else:
        currencies = sorted({currency for balances in parties for currency in balances})
    for currency in currencies:
        owed = [balances[currency] for balances in parties if currency in balances]
        net = sum((balance.asked - balance.credits for balance in owed), Decimal(0))
        if net > 0:
            oldest = max(balance.asked_days for balance in owed)
            debts[currency] = Debt(net, oldest, sum(balance.items_asked for balance in owed))
    return debts
