"""One day as the billing policy judges it: the books, whose debts they are, and what happened before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from bot.domain.collection import Facts, Ground, History, Standing, ground, standing
from bot.domain.customer import Countdown, Customer, CustomerId
from bot.domain.directory import Directory
from bot.domain.policy import BillingPolicy, Debt, Exposure
from bot.domain.receivables import UNKNOWN_PARTY, PartyBalances, age, days_overdue
from bot.domain.request import ActionRequest
from bot.store import Tx
from bot.store.books import Import
from bot.store.collections import Pause

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
    parties: tuple[PartyBalances, ...]
    directory: Directory
    suspended: Mapping[str, tuple[Countdown, ...]]
    """By customer; the mirror knows how things are, not how they were."""
    histories: Mapping[str, History]
    pauses: Mapping[str, tuple[Pause, ...]]

    @cached_property
    def theirs(self) -> Mapping[str, tuple[PartyBalances, ...]]:
        """The debtors of the books that are a customer of ours: several may be one."""
        found: dict[str, tuple[PartyBalances, ...]] = {}
        for party in self.parties:
            if customer := self.directory.of(party):
                found[customer.id] = (*found.get(customer.id, ()), party)
        return found

    @property
    def is_fresh(self) -> bool:
        return self.age_hours is not None and self.age_hours <= self.policy.max_data_age_hours

    @property
    def is_complete(self) -> bool:
        return self.last is not None and self.last.rejected == 0

    @property
    def age_hours(self) -> int | None:
        """Hours since the moment the books speak for: the import itself, or the end of an earlier day."""
        if self.last is None:
            return None
        end_of_day = datetime.combine(self.last.as_of + timedelta(days=1), time(), self.zone)
        moment = min(self.last.applied_at, end_of_day)
        return max(0, int((self.asked_at - moment).total_seconds() // 3600))

    def standing(self, customer: Customer) -> Standing:
        """Where that customer stands, with everything it owes under whatever name."""
        history = self.histories.get(customer.id, History())
        return standing(self.policy, self.facts(customer.id), history, on=self.on)

    def standing_of_nobody(self, parties: Sequence[PartyBalances]) -> Standing:
        """Where debtors stand of whom nobody knows which customer they are: nothing is ever proposed for them."""
        return standing(self.policy, self.facts_of(parties, None), History(), on=self.on)

    def facts(self, id: CustomerId) -> Facts:
        return self.facts_of(self.theirs.get(id, ()), id)

    def facts_of(self, parties: Sequence[PartyBalances], id: CustomerId | None) -> Facts:
        """What these debtors owe, as that customer's, or as nobody's."""
        pauses = self.pauses.get(id, ()) if id else ()
        return Facts(
            tenant=id,
            exposure=_exposure(parties, self.on),
            owes_anything=any(b.open > 0 for party in parties for b in party.balances.values()),
            disputes=any(
                i.disputed and i.open_amount > 0 and i.due_date < self.on for p in parties for i in p.items
            ),
            books_are_fresh=self.is_fresh,
            books_are_complete=self.last is not None and _is_complete(self.last, parties, id),
            promised_until=max((p.until for p in pauses if p.kind == "promise"), default=None),
            snoozed_until=max((p.until for p in pauses if p.kind == "snooze"), default=None),
            suspended_for_debt=any(c.for_debt for c in self.suspended.get(id, ())) if id else False,
        )


async def day_of(
    tx: Tx,
    on: date,
    *,
    policy: BillingPolicy,
    asked_at: datetime,
    zone: ZoneInfo,
    suspended: Sequence[Countdown] = (),
    besides: Customer | None = None,
) -> Day:
    """Read a day in a handful of reads, however many customers there are.

    `besides` is a customer that the mirror may not know yet. Promises and snoozes are today's, as `asked_at` has it.
    """
    directory = Directory(await tx.mirror.all_customers(), await tx.mappings.all())
    if besides:
        directory.add(besides)
    parties = age(await tx.books.open_on(on), on=on)
    directory.see(parties)
    by_customer: dict[str, tuple[Countdown, ...]] = {}
    for countdown in suspended:
        owner = countdown.subscription.customer_id
        by_customer[owner] = (*by_customer.get(owner, ()), countdown)
    warned = await tx.letters.warnings(on=on)
    histories = await tx.collections.histories(on=on)
    is_today = on == asked_at.astimezone(zone).date()
    return Day(
        on=on,
        asked_at=asked_at if is_today else datetime.combine(on, time(12), zone),
        zone=zone,
        policy=policy,
        last=await tx.books.last_import(on=on),
        parties=parties,
        directory=directory,
        suspended=by_customer,
        histories={
            id: replace(histories.get(id, History()), warned=warned.get(id, ()))
            for id in histories.keys() | warned.keys()
        },
        pauses=await tx.collections.pauses(on=on) if is_today else {},
    )


async def ground_now(
    tx: Tx, request: ActionRequest, *, policy: BillingPolicy, at: datetime, zone: ZoneInfo
) -> Ground:
    """What a request about non-payment stands on by now: only its own debtors are read again."""
    on, customer = at.astimezone(zone).date(), request.action.customer_id
    items = [item for key in request.debtors for item in await tx.books.open_of(key)]
    day = Day(
        on=on,
        asked_at=at,
        zone=zone,
        policy=policy,
        last=await tx.books.last_import(on=on),
        parties=age(items, on=on),
        directory=Directory(()),
        suspended={},
        histories={},
        pauses=await tx.collections.pauses(on=on),
    )
    return ground(policy, day.facts_of(day.parties, customer), on=on)


def _is_complete(last: Import, parties: Sequence[PartyBalances], id: CustomerId | None) -> bool:
    """Whether every row of theirs could be read; a row that names nobody may be anybody's."""
    theirs = {p.customer_key for p in parties} | ({f"tenant:{id}"} if id else set())
    return UNKNOWN_PARTY not in last.incomplete and not theirs & last.incomplete


def _exposure(parties: Sequence[PartyBalances], on: date) -> Exposure:
    """What counts: due, undisputed, unblocked, not promised for later, net of their own unused credits.

    Several debtors in the books may be one customer; currencies stay apart.
    """
    debts: dict[str, Debt] = {}
    for currency in sorted({currency for party in parties for currency in party.balances}):
        counting = [
            item
            for party in parties
            for item in party.items
            if item.currency == currency and item.may_be_asked_for(on=on)
        ]
        credits = sum(
            (party.balances[currency].credits for party in parties if currency in party.balances), Decimal(0)
        )
        net = sum((item.open_amount for item in counting), Decimal(0)) - credits
        if net > 0:
            oldest = max(days_overdue(item.due_date, on=on) for item in counting)
            debts[currency] = Debt(net, oldest, len(counting))
    return debts
