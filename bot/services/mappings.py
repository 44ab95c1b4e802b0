"""Say whose a debtor in the books is, take it back, and see of whom it is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.aging import age
from bot.domain.audit import AuditTag
from bot.domain.customer import Customer
from bot.domain.digest import Debtor, OverdueDigest
from bot.domain.directory import ConfirmedMapping, Directory, Entry, MappingMethod, party_id
from bot.domain.errors import AlreadyLinked, Invalid, NotFound, NotOurCustomer
from bot.domain.names import folded
from bot.domain.people import Person, Right
from bot.services.digests import Digests
from bot.store import Store, Tx


@dataclass(frozen=True, slots=True)
class Unmapped:
    """The worst of the overdue debtors of whom no customer is known, and how many there are."""

    debtors: tuple[Debtor, ...]
    total: int


class Mappings:
    def __init__(self, store: Store, digests: Digests, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._digests = digests
        self._now = now

    async def key_of(self, id: str) -> str:
        """The debtor behind an id as buttons carry it. Raises NotFound."""
        async with self._store.read() as tx:
            keys = [*await tx.books.party_keys(), *(m.party_key for m in await tx.mappings.all())]
        found = next((key for key in keys if party_id(key) == id), None)
        if found is None:
            raise NotFound("debtor", id)
        return found

    async def entry(self, party_key: str) -> Entry:
        """What is known of a debtor now. Raises NotFound for one neither the books nor anybody knows."""
        async with self._store.read() as tx:
            items = await tx.books.open_on()
            parties = await asyncio.to_thread(age, items, on=self._digests.today())
            known, mappings = await tx.mirror.all_customers(), await tx.mappings.all()
            directory = await asyncio.to_thread(Directory, known, mappings)
            mapping = await tx.mappings.get(party_key)
        await asyncio.to_thread(directory.see, parties)
        if party := next((party for party in parties if party.customer_key == party_key), None):
            return directory.entry(party)
        if mapping is None:
            raise NotFound("debtor", party_id(party_key))
        return directory.entry_of(mapping)

    async def entry_without(self, removed: ConfirmedMapping) -> Entry:
        """As `entry`, once that was removed: the books may have nothing open of the debtor."""
        try:
            return await self.entry(removed.party_key)
        except NotFound:
            return Entry(removed.party_key, removed.party_name, None, None, None, MappingMethod.NONE)

    async def confirm(self, party_key: str, customer_id: str, *, by: Person) -> ConfirmedMapping:
        """From now on the debtor is that customer. Saying so again changes nothing.

        Raises NotPermitted, NotFound, Invalid and NotOurCustomer for a customer that is none of ours, and
        AlreadyLinked where somebody has named another: that has to be taken back first.
        """
        by.must(Right.OPERATE)
        async with self._store.begin() as tx:
            items = await tx.books.open_of(party_key)
            if not items:
                raise NotFound("debtor", party_id(party_key))
            customer = await _ours(tx, customer_id)
            mapping = ConfirmedMapping(party_key, customer.id, by.id, self._now(), items[0].customer)
            if not await tx.mappings.add(mapping):
                return await _standing(tx, mapping)
            await tx.audit.append(
                AuditTag.MAPPING_CONFIRMED, party_id(party_key), by=by.id, **_facts(mapping, customer)
            )
        return mapping

    async def remove(self, party_key: str, *, by: Person) -> ConfirmedMapping:
        """Take it back; the books' own word counts again. Raises NotPermitted, and NotFound when nothing stands."""
        by.must(Right.OPERATE)
        async with self._store.begin() as tx:
            mapping = await tx.mappings.remove(party_key)
            if mapping is None:
                raise NotFound("link", party_id(party_key))
            customer = await tx.mirror.customer(mapping.customer_id)
            await tx.audit.append(
                AuditTag.MAPPING_REMOVED, party_id(party_key), by=by.id, **_facts(mapping, customer)
            )
        return mapping

    async def unmapped(self, limit: int, *, words: str = "") -> Unmapped:
        """The overdue debtors that are nobody's, the worst first; with these words in the name."""
        digest = await self._digests.overdue()
        found = await asyncio.to_thread(_nobodys, digest, words)
        return Unmapped(tuple(found[:limit]), len(found))

    async def confirmed(self, *, words: str = "") -> tuple[Entry, ...]:
        """What people said, the newest first; with these words in the debtor's or the customer's name."""
        async with self._store.read() as tx:
            directory = Directory(await tx.mirror.all_customers())
            found = [directory.entry_of(mapping) for mapping in await tx.mappings.all()]
        return tuple(e for e in found if _has(words, e.name, e.customer.name if e.customer else ""))


def _nobodys(digest: OverdueDigest, words: str) -> list[Debtor]:
    return [d for d in digest.debtors if d.customer is None and _has(words, d.party.customer)]


async def _ours(tx: Tx, customer_id: str) -> Customer:
    customer = await tx.mirror.customer(customer_id)
    if customer is None:
        raise Invalid("customer", "no-such-customer")
    if not customer.may_be_acted_on:
        raise NotOurCustomer(customer.relationship or "none")
    return customer


async def _standing(tx: Tx, wanted: ConfirmedMapping) -> ConfirmedMapping:
    """What somebody said before, if it is the same."""
    stands = await tx.mappings.get(wanted.party_key)
    if stands is None:  # taken back between the two looks
        raise NotFound("link", party_id(wanted.party_key))
    if stands.customer_id != wanted.customer_id:
        customer = await tx.mirror.customer(stands.customer_id)
        raise AlreadyLinked(customer.name if customer else stands.customer_id, stands.confirmed_by)
    return stands


def _facts(mapping: ConfirmedMapping, customer: Customer | None) -> dict[str, str]:
    return {
        "party_key": mapping.party_key,
        "party_name": mapping.party_name,
        "customer": mapping.customer_id,
        "customer_name": customer.name if customer else "",
    }


def _has(words: str, *names: str) -> bool:
    said = folded(" ".join(names))
    return all(word in said for word in folded(words).split())
