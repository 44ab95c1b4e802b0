"""Which customer of ours a debtor in the books is.

A debtor is somebody's by what the books name (tenant id or exact domain) or by a person's word, which outweighs
the books; never by a name alone. What one customer and several debtors share, or the other way round, is nobody's
until a person said so: whoever pays must not be suspended for another's debt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Final

from bot.domain.aging import Account, PartyBalances
from bot.domain.customer import TENANT_ID, Customer, CustomerId
from bot.domain.free_mail import FREE_MAIL
from bot.domain.names import folded, spelling, telling_words
from bot.domain.people import PersonId

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


class Grouped(Mapping[str, tuple[PartyBalances, ...]]):
    """Debtors by customer. Nearly every customer has one, so no more than that is kept for it."""

    def __init__(self) -> None:
        self._first: dict[str, PartyBalances] = {}
        self._others: dict[str, tuple[PartyBalances, ...]] = {}

    def add(self, id: str, party: PartyBalances) -> None:
        if self._first.setdefault(id, party) is not party:
            self._others[id] = (*self._others.get(id, ()), party)

    def __getitem__(self, id: str) -> tuple[PartyBalances, ...]:
        return (self._first[id], *self._others.get(id, ()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)


class Directory:
    def __init__(self, customers: Iterable[Customer], mappings: Iterable[ConfirmedMapping] = ()) -> None:
        self._mappings = {mapping.party_key: mapping for mapping in mappings}
        self._by_id: dict[str, Customer] = {}
        self._by_domain: dict[str, Customer] = {}
        self._also_at: dict[str, tuple[Customer, ...]] = {}
        """Further customers at a domain; hardly any domain has several."""
        self._by_name: dict[str, list[Customer]] | None = None
        self._by_word: dict[str, list[Customer]] | None = None
        self._expected: frozenset[str] | None = None
        self._expected_words: frozenset[str] | None = None
        """None: all."""
        self._said_of: dict[CustomerId, set[str]] = {}
        for mapping in self._mappings.values():
            self._said_of.setdefault(mapping.customer_id, set()).add(mapping.party_key)
        self._debtors_of = Grouped()
        """Whom the books or a person name, be it clear or not."""
        self._customer_of: dict[str, CustomerId] = {}
        self._shared: set[str] = set()
        """Codes under which the books have several customers."""
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
            domain = customer.domain if customer.domain.islower() else customer.domain.lower()
            if self._by_domain.setdefault(domain, customer) is not customer:
                self._also_at[domain] = (*self._also_at.get(domain, ()), customer)
        self._by_name = self._by_word = None

    def see(self, parties: Iterable[PartyBalances]) -> None:
        """Take note of all who are in the books: only beside the others it shows what is shared."""
        for party in parties:
            customer = self._found(party)[0]
            if customer is None:
                continue
            self._debtors_of.add(customer.id, party)
            for code, _ in party.accounts:
                if code and self._customer_of.setdefault(code, customer.id) != customer.id:
                    self._shared.add(code)

    def expect(self, names: Iterable[str]) -> None:
        """Suggestions will be wanted for these: only what they need is then kept of all customers' names."""
        names = list(names)
        self._expected = frozenset(folded(name.strip()) for name in names)
        self._expected_words = frozenset(word for name in names for word in telling_words(name))
        self._by_name = self._by_word = None

    def of(self, party: PartyBalances) -> Customer | None:
        """Whose debts they are; None where that is not known, or not clear."""
        customer, method = self._found(party)
        if customer is None or method is MappingMethod.TABLE:
            return customer
        return None if self._doubt(party, customer) else customer

    def debtors_of(self, id: str) -> tuple[PartyBalances, ...]:
        """Who in the books is that customer, of those that were seen."""
        return tuple(party for party in self._debtors_of.get(id, ()) if self.of(party))

    def seen(self) -> Iterable[str]:
        """The ids of the customers that somebody in the books may be."""
        return self._debtors_of

    def how(self, party: PartyBalances) -> MappingMethod:
        """How `of` knows."""
        return self._found(party)[1] if self.of(party) else MappingMethod.NONE

    def keys_of(self, id: CustomerId) -> set[str]:
        """The keys under which the books may hold something against that customer, whether or not they do now."""
        customer = self._by_id.get(id)
        said = self._said_of.get(id, set())
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
        return self._doubt(party, customer) if customer else None

    def _doubt(self, party: PartyBalances, customer: Customer) -> Doubt | None:
        accounts = set(party.accounts)
        for other in self._debtors_of.get(customer.id, ()):
            if other is not party:
                accounts.update(other.accounts)
        if _several(accounts):
            return Doubt.SEVERAL_DEBTORS
        for code, _ in party.accounts:  # a code means somebody within its source only
            if code in self._shared or (code and self._customer_of.get(code, customer.id) != customer.id):
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
        name = folded(party.customer.strip())
        if self._expected is not None and name not in self._expected:
            self._expected = self._expected_words = self._by_name = self._by_word = None
        named = self._names().get(name, [])
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
        if self._mappings and (mapping := self._mappings.get(party.customer_key)):
            return self._by_id.get(mapping.customer_id), MappingMethod.TABLE
        tenant = _tenant(party)
        if TENANT_ID.fullmatch(tenant):
            return self._by_id.get(tenant), MappingMethod.TENANT_ID
        at_domain = self._at_domain(party)
        return at_domain[0] if len(at_domain) == 1 else None, MappingMethod.DOMAIN

    def _at_domain(self, party: PartyBalances) -> tuple[Customer, ...]:
        domain = _tenant(party)
        first = None if domain in FREE_MAIL else self._by_domain.get(domain)
        return (first, *self._also_at.get(domain, ())) if first else ()

    def _likest(self, name: str) -> Customer | None:
        words = telling_words(name)
        if not words:
            return None
        by_word = self._words()
        # Whoever is like enough shares one of the rarest words: so many words may at most be missing.
        may_lack = len(words) - ceil((ALIKE - AHEAD) * len(words))
        rarest = sorted(words, key=lambda word: len(by_word.get(word, ())))[: may_lack + 1]
        seen: set[CustomerId] = set()
        best, second = (0.0, ""), 0.0
        for lacking, word in enumerate(rarest):
            # Whoever comes now lacks the words before: at most so like, and then out of the question.
            if best[0] >= ALIKE and best[0] - (len(words) - lacking) / len(words) >= AHEAD:
                break
            for customer in by_word.get(word, ()):
                if customer.id not in seen:
                    seen.add(customer.id)
                    alike = (_likeness(words, customer.name), customer.id)
                    if alike > best:
                        best, second = alike, best[0]
                    else:
                        second = max(second, alike[0])
        if best[0] < ALIKE or best[0] - second < AHEAD:
            return None
        return self._by_id[best[1]]

    def _names(self) -> dict[str, list[Customer]]:
        """Made when it is first needed, as the words are: most questions do without."""
        if self._by_name is None:
            self._by_name = {}
            for customer in self._by_id.values():
                name = folded(customer.name)
                if self._expected is None or name in self._expected:
                    self._by_name.setdefault(name, []).append(customer)
        return self._by_name

    def _words(self) -> dict[str, list[Customer]]:
        if self._by_word is None:
            self._by_word = {}
            for customer in self._by_id.values():
                for word in telling_words(customer.name):
                    if self._expected_words is None or word in self._expected_words:
                        self._by_word.setdefault(word, []).append(customer)
        return self._by_word


def _tenant(party: PartyBalances) -> str:
    return (party.tenant or "").strip().lower()


def _several(accounts: set[Account]) -> bool:
    """Whether these are more than one debtor: by their codes; where the books have none, by their names."""
    if len(accounts) == 1:
        return False
    spelled = {(code, spelling(name)) for code, name in accounts}
    codes = {code for code, _ in spelled if code}
    with_code = {name for code, name in spelled if code}
    return len(codes) + len({name for code, name in spelled if not code} - with_code) > 1


def _likeness(words: frozenset[str], name: str) -> float:
    """How large a part of all words of both names is in both."""
    others = telling_words(name)
    both = len(words & others)
    return both / (len(words) + len(others) - both)
