"""Which customer of ours a debtor in the books is.

A debtor is somebody's by what the books name (tenant id or exact domain) or by a person's word, which outweighs
the books; never by a name alone. What one customer and several debtors share, or the other way round, is nobody's
until a person said so: whoever pays must not be suspended for another's debt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Final

from bot.domain.customer import TENANT_ID, Customer, CustomerId
from bot.domain.free_mail import FREE_MAIL
from bot.domain.names import folded, spelling, telling_words
from bot.domain.people import PersonId
from bot.domain.receivables import OpenItem, PartyBalances

ALIKE: Final = 0.6
"""So large a part of all words of two names must be in both for one to suggest the other."""
AHEAD: Final = 0.15
"""So far ahead of the next one the best match must be."""


class MappingMethod(StrEnum):
    """How it is known whose a debtor is."""

    TENANT_ID = "tenant_id"
    TABLE = "table"
    """A person confirmed it."""
    DOMAIN = "domain"
    NONE = "none"


class Doubt(StrEnum):
    """Why what the books name does not count without a person's word."""

    SEVERAL_DEBTORS = "several-debtors"
    """Several debtors of the books would be one customer."""
    SEVERAL_CUSTOMERS = "several-customers"
    """One debtor of the books would be several customers."""


@dataclass(frozen=True, slots=True)
class ConfirmedMapping:
    """A person's word on whose a debtor is. `party_name` is what the books called it then."""

    party_key: str
    customer_id: CustomerId
    confirmed_by: PersonId
    confirmed_at: datetime
    party_name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one debtor. `party` is None once the books have nothing open of it."""

    key: str
    name: str
    party: PartyBalances | None
    mapping: ConfirmedMapping | None
    customer: Customer | None
    method: MappingMethod
    suggestion: Customer | None = None
    doubt: Doubt | None = None

    @property
    def id(self) -> str:
        return party_id(self.key)


def party_id(party_key: str) -> str:
    """An id for a debtor that tells nothing of it: its key may hold its name."""
    return f"P-{hashlib.sha256(party_key.encode()).hexdigest()[:20]}"


_Account = tuple[str, str]
"""Code, if there is one, and name: what the books know a debtor by, whichever tenant its rows name."""


class Directory:
    def __init__(self, customers: Iterable[Customer], mappings: Iterable[ConfirmedMapping] = ()) -> None:
        self._mappings = {mapping.party_key: mapping for mapping in mappings}
        self._by_id: dict[str, Customer] = {}
        self._by_domain: dict[str, list[Customer]] = {}
        self._by_name: dict[str, list[Customer]] = {}
        self._by_word: dict[str, list[Customer]] | None = None
        self._debtors_of: dict[CustomerId, set[_Account]] = {}
        self._customers_of: dict[str, set[CustomerId]] = {}
        for customer in customers:
            self.add(customer)

    @property
    def by_id(self) -> Mapping[str, Customer]:
        return self._by_id

    def add(self, customer: Customer) -> None:
        if customer.id in self._by_id:
            return
        self._by_id[customer.id] = customer
        if customer.domain:
            self._by_domain.setdefault(customer.domain.lower(), []).append(customer)
        self._by_name.setdefault(folded(customer.name), []).append(customer)
        self._by_word = None

    def see(self, parties: Iterable[PartyBalances]) -> None:
        """Take note of all who are in the books: only beside the others it shows what is shared."""
        for party in parties:
            customer = self._found(party)[0]
            if customer is None:
                continue
            self._debtors_of.setdefault(customer.id, set()).update(_accounts(party))
            for code in _codes(party):
                self._customers_of.setdefault(code, set()).add(customer.id)

    def of(self, party: PartyBalances) -> Customer | None:
        """Whose debts they are; None where that is not known, or not clear."""
        customer, method = self._found(party)
        return customer if method is MappingMethod.TABLE or self.doubt(party) is None else None

    def how(self, party: PartyBalances) -> MappingMethod:
        """How `of` knows."""
        return self._found(party)[1] if self.of(party) else MappingMethod.NONE

    def keys_of(self, id: CustomerId) -> set[str]:
        """The keys under which the books may hold something against that customer, whether or not they do now."""
        customer = self._by_id.get(id)
        said = {mapping.party_key for mapping in self._mappings.values() if mapping.customer_id == id}
        named = {id, customer.domain} if customer and customer.domain else {id}
        return said | {f"tenant:{name.casefold()}" for name in named}

    def mapping_of(self, party: PartyBalances) -> ConfirmedMapping | None:
        """A person's word on it, which stands even when the customer is no longer among ours."""
        return self._mappings.get(party.customer_key)

    def doubt(self, party: PartyBalances) -> Doubt | None:
        """What keeps the books' own word on a debtor from counting; a person's word settles it."""
        if party.customer_key in self._mappings:
            return None
        if len(self._at_domain(party)) > 1:
            return Doubt.SEVERAL_CUSTOMERS
        customer = self._found(party)[0]
        if customer is None:
            return None
        if _several(_accounts(party) | self._debtors_of.get(customer.id, set())):
            return Doubt.SEVERAL_DEBTORS
        if any(self._customers_of.get(code, {customer.id}) != {customer.id} for code in _codes(party)):
            return Doubt.SEVERAL_CUSTOMERS
        return None

    def suggestion_for(self, party: PartyBalances) -> Customer | None:
        """For a person to confirm, where it is not known whose it is: whom the books name though not clearly, the
        one customer of this very name, or else the one whose name is clearly the likest.
        """
        if self.mapping_of(party) or self.of(party):
            return None
        if named_by_books := self._found(party)[0]:
            return named_by_books
        named = self._by_name.get(folded(party.customer.strip()), [])
        return named[0] if len(named) == 1 else self._likest(party.customer) if not named else None

    def entry(self, party: PartyBalances) -> Entry:
        return Entry(
            key=party.customer_key,
            name=party.customer,
            party=party,
            mapping=self.mapping_of(party),
            customer=self.of(party),
            method=self.how(party),
            suggestion=self.suggestion_for(party),
            doubt=self.doubt(party),
        )

    def entry_of(self, mapping: ConfirmedMapping) -> Entry:
        """Of a debtor that the books have nothing open of any more."""
        customer = self._by_id.get(mapping.customer_id)
        method = MappingMethod.TABLE if customer else MappingMethod.NONE
        return Entry(mapping.party_key, mapping.party_name, None, mapping, customer, method)

    def _found(self, party: PartyBalances) -> tuple[Customer | None, MappingMethod]:
        """Whom a person or the books name, be it clear or not."""
        if mapping := self._mappings.get(party.customer_key):
            return self._by_id.get(mapping.customer_id), MappingMethod.TABLE
        tenant = _tenant(party)
        if TENANT_ID.fullmatch(tenant):
            return self._by_id.get(tenant), MappingMethod.TENANT_ID
        at_domain = self._at_domain(party)
        return at_domain[0] if len(at_domain) == 1 else None, MappingMethod.DOMAIN

    def _at_domain(self, party: PartyBalances) -> list[Customer]:
        domain = _tenant(party)
        return [] if domain in FREE_MAIL else self._by_domain.get(domain, [])

    def _likest(self, name: str) -> Customer | None:
        words = telling_words(name)
        if not words:
            return None
        by_word = self._words()
        # Whoever is like enough shares one of the rarest words: so many words may at most be missing.
        may_lack = len(words) - ceil((ALIKE - AHEAD) * len(words))
        rarest = sorted(words, key=lambda word: len(by_word.get(word, ())))[: may_lack + 1]
        near = {customer.id: customer for word in rarest for customer in by_word.get(word, ())}
        ranked = sorted(((_likeness(words, c.name), c.id) for c in near.values()), reverse=True)
        if not ranked or ranked[0][0] < ALIKE:
            return None
        if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < AHEAD:
            return None
        return self._by_id[ranked[0][1]]

    def _words(self) -> dict[str, list[Customer]]:
        """Made when it is first needed: most questions do without."""
        if self._by_word is None:
            self._by_word = {}
            for customer in self._by_id.values():
                for word in telling_words(customer.name):
                    self._by_word.setdefault(word, []).append(customer)
        return self._by_word


def _tenant(party: PartyBalances) -> str:
    return (party.tenant or "").strip().lower()


def _code(item: OpenItem) -> str:
    """Two books number their customers each in its own way: a code means somebody within its source only."""
    return f"{item.source}/{item.customer_code}" if item.customer_code else ""


def _codes(party: PartyBalances) -> set[str]:
    return {code for item in party.items if (code := _code(item))}


def _accounts(party: PartyBalances) -> set[_Account]:
    return {(_code(item), spelling(item.customer)) for item in party.items}


def _several(accounts: set[_Account]) -> bool:
    """Whether these are more than one debtor: by their codes; where the books have none, by their names."""
    codes = {code for code, _ in accounts if code}
    with_code = {name for code, name in accounts if code}
    return len(codes) + len({name for code, name in accounts if not code} - with_code) > 1


def _likeness(words: frozenset[str], name: str) -> float:
    """How large a part of all words of both names is in both."""
    others = telling_words(name)
    return len(words & others) / len(words | others)
