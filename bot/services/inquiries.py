"""Answer why a customer is, or is not, where the billing policy has them. Nothing here changes anything."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.domain.aging import PartyBalances
from bot.domain.audit import AuditEvent
from bot.domain.collection import History, trace
from bot.domain.customer import Customer
from bot.domain.inquiry import Answer, Choice, Inquiry, Nobody, owed
from bot.domain.names import folded
from bot.domain.policy import InForce
from bot.services.customers import Customers
from bot.services.day import Day, day_of
from bot.services.digests import Digests
from bot.store import Store

MOST = 10
MOST_EVENTS = 30
NEAR = 5


class Inquiries:
    def __init__(
        self,
        store: Store,
        customers: Customers,
        digests: Digests,
        in_force: Callable[[], InForce],
        *,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._customers = customers
        self._digests = digests
        self._in_force = in_force
        self._zone = zone
        self._now = now

    async def trail(self, id: str) -> tuple[Sequence[AuditEvent], bool]:
        """The newest of what happened to a request, ticket, case or customer, and whether there is more."""
        found: Sequence[AuditEvent] = ()
        async with self._store.read() as tx:
            for written in dict.fromkeys((id, id.upper(), id.lower())):
                if found := await tx.audit.about(written, MOST_EVENTS + 1):
                    break
        return found[:MOST_EVENTS], len(found) > MOST_EVENTS

    async def why(self, words: str) -> Answer:
        """Of a customer, or else a debtor in the books, by part of a name, domain or tenant id."""
        customers = _exact(words, await self._customers.search(words, limit=MOST + 1))
        holds, suspended = self._in_force(), await self._digests.countdowns()
        async with self._store.read() as tx:
            day = await day_of(
                tx,
                self._digests.today(),
                policy=holds.policy,
                asked_at=self._now(),
                zone=self._zone,
                suspended=suspended,
                besides=customers[0] if len(customers) == 1 else None,
            )
            everybody = [] if customers else await tx.mirror.all_customers()
        if len(customers) == 1:
            return _about(customers[0], day, holds)
        debtors = [] if customers else _called(words, day.parties)
        owners = {c.id: c for party in debtors if (c := day.directory.of(party))}
        if len(owners) == 1 and all(day.directory.of(party) for party in debtors):
            return _about(next(iter(owners.values())), day, holds)
        if len(debtors) == 1:
            return _about_debtor(debtors[0], day, holds)
        if customers or debtors:
            return Choice(tuple(customers[:MOST]), tuple(p.customer for p in debtors[:MOST]))
        return Nobody(_near(words, [*(c.name for c in everybody), *(p.customer for p in day.parties)]))


def _exact(words: str, found: Sequence[Customer]) -> Sequence[Customer]:
    """The one of exactly this name, domain or id, where there is one; else all."""
    asked = words.strip().lower()
    exact = [
        c
        for c in found
        if asked in (c.id.lower(), (c.domain or "").lower()) or folded(c.name) == folded(asked)
    ]
    return exact if len(exact) == 1 else found


def _called(words: str, parties: Sequence[PartyBalances]) -> list[PartyBalances]:
    """The debtors of whom a name holds these words, or who have this account code."""
    asked = folded(words.strip())
    if not asked:
        return []
    found = [
        party
        for party in parties
        if any(asked in folded(name) for name in party.names)
        or any(item.customer_code and folded(item.customer_code) == asked for item in party.items)
    ]
    exact = [party for party in found if any(asked == folded(name) for name in party.names)]
    return exact or found


def _near(words: str, names: Sequence[str]) -> tuple[str, ...]:
    by_folded = {folded(name): name for name in names}
    near = difflib.get_close_matches(folded(words.strip()), by_folded, n=NEAR, cutoff=0.5)
    return tuple(by_folded[name] for name in near)


def _about(customer: Customer, day: Day, holds: InForce) -> Inquiry:
    parties = day.debtors_of(customer.id)
    facts, history = day.facts(customer.id), day.histories.get(customer.id, History())
    return Inquiry(
        on=day.on,
        holds=holds,
        name=customer.name,
        customer=customer,
        suggestion=None,
        namesakes=tuple(p.customer for p in day.parties if day.directory.suggestion_for(p) == customer),
        owed=owed(parties, facts, day.policy, on=day.on),
        facts=facts,
        history=history,
        trace=trace(day.policy, facts, history, on=day.on),
        as_of=day.last.as_of if day.last else None,
        age_hours=day.age_hours,
        suspended=day.suspended.get(customer.id, ()),
    )


def _about_debtor(party: PartyBalances, day: Day, holds: InForce) -> Inquiry:
    facts = day.facts_of([party], None)
    return Inquiry(
        on=day.on,
        holds=holds,
        name=party.customer,
        customer=None,
        suggestion=day.directory.suggestion_for(party),
        namesakes=(),
        owed=owed([party], facts, day.policy, on=day.on),
        facts=facts,
        history=History(),
        trace=trace(day.policy, facts, History(), on=day.on),
        as_of=day.last.as_of if day.last else None,
        age_hours=day.age_hours,
    )
