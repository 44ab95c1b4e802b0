"""How old what customers owe is, and what of it may be asked for.

A disputed or blocked item is shown but never dunned: whoever complains has a right to be heard first.
A credit lowers what is owed but has no age: it must neither trigger nor delay a step by its own date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from sys import intern
from types import MappingProxyType
from typing import Final

from bot.domain.customer import Customer
from bot.domain.money import ZERO
from bot.domain.receivables import OpenItem, tenant_key


class AgingBucket(StrEnum):
    """How long past due, in calendar days; counted from the due date, never from the invoice date."""

    CURRENT = "current"
    DAYS_1_30 = "1-30"
    DAYS_31_60 = "31-60"
    DAYS_61_90 = "61-90"
    OVER_90 = "90+"


_BUCKETS: Final = tuple(AgingBucket)
_LAST_DAYS: Final = (0, 30, 60, 90)
"""Of each bucket but the last."""


def days_overdue(due: date, *, on: date) -> int:
    """Count calendar days past due, at least 0; what is due today is not overdue.

    Calendar days are the legal norm for terms and late-payment interest (Directive 2011/7/EU); the calendar
    of business days says when we act, not how old a debt is.
    """
    return max(0, (on - due).days)


def bucket(due: date, *, on: date) -> AgingBucket:
    """Name the age of whatever was due on that date."""
    return _BUCKETS[_place(days_overdue(due, on=on))]


def _place(days: int) -> int:
    """In which bucket so many days are, counted from the youngest."""
    return bisect_left(_LAST_DAYS, days)


@dataclass(frozen=True, slots=True)
class Balance:
    """What one party, or everybody together, owes in one currency."""

    currency: str
    open: Decimal
    """All debts, disputed and blocked ones too, before credits."""
    credits: Decimal
    """Unused credits, as a positive amount."""
    overdue: Decimal
    """Debts past due that may be dunned, before credits."""
    overdue_net: Decimal
    """`overdue` less the party's own credits, at least 0: where credits cover it, nothing is dunned."""
    disputed: Decimal
    oldest_days: int
    """Days overdue of the oldest debt that may be dunned; 0 when there is none."""
    items_overdue: int
    """How many debts make up `overdue`."""
    largest: Decimal
    """The largest single debt."""
    past_due: Decimal
    """Debts past their due date, disputed, blocked and promised for later or not, before credits."""
    asked: Decimal
    """Debts that may be asked for now: `overdue` without what was promised for later, before credits."""
    asked_days: int
    """Days overdue of the oldest of these; 0 when there is none."""
    items_asked: int
    disputes_overdue: bool
    """Whether a disputed debt is past its due date."""
    by_age: tuple[Decimal, ...]
    """`open` by age, in the order of the buckets."""

    @property
    def buckets(self) -> Mapping[AgingBucket, Decimal]:
        """`open` by age, every bucket present; credits are in none, for they have no age."""
        return dict(zip(AgingBucket, self.by_age, strict=True))

    @property
    def net(self) -> Decimal:
        """What remains once credits are used; negative when the partner owes the customer."""
        return self.open - self.credits


Account = tuple[str, str]
"""Code, if there is one, and name: what the books know a debtor by, whichever tenant its rows name. Two books number
their customers each in its own way, so a code has its source before it."""


@dataclass(frozen=True, slots=True)
class PartyBalances:
    """One party with what it owes, and the items behind it.

    There are tens of thousands of them at once, so of its debts only a few letters are kept: the balances are made
    anew whenever they are asked for.
    """

    named: str
    """Its key where no tenant is named, else nothing."""
    tenant: str | None
    code: str
    """Under which the books have it first, if there is one; as in `Account`."""
    customer: str
    """The first of its names."""
    others: tuple[Account, ...]
    """Under what else the books have it."""
    debts: bytes
    """As `_written` has them."""
    oldest_days: int
    """Days overdue of the oldest debt that may be dunned, in any currency; 0 when there is none."""
    items: tuple[OpenItem, ...] = ()
    """Oldest due date first; none where only the sums were wanted."""

    @property
    def customer_key(self) -> str:
        return self.named or tenant_key(self.tenant or "")

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Under which of them the books have the party."""
        return ((self.code, self.customer), *self.others)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the accounts use for the party; more than one under one tenant needs a person's look."""
        return tuple(dict.fromkeys(name for _, name in self.accounts))

    @property
    def each(self) -> tuple[Balance, ...]:
        """The balances, one a currency, in the alphabetical order of these; added up anew each time."""
        sums: dict[str, _Sums] = {}
        for debt in self.debts.decode().split("\n"):
            amount, days, marks, currency = debt.split(" ", 3)
            theirs = sums.get(currency)
            if theirs is None:
                theirs = sums[currency] = _Sums(currency)
            theirs.add(Decimal(amount), int(days), int(marks))
        return tuple(sums[currency].of_one() for currency in sorted(sums))

    @property
    def balances(self) -> Mapping[str, Balance]:
        """By currency, in alphabetical order; added up anew each time."""
        return {balance.currency: balance for balance in self.each}


_DISPUTED: Final = 1
_MAY_BE_DUNNED: Final = 2
_MAY_BE_ASKED_FOR: Final = 4


def _written(item: OpenItem, days: int, *, may_be_dunned: bool, on: date) -> bytes:
    """All of an item that its party's balance of that day is made from, in as few letters."""
    marks = _DISPUTED if item.disputed else 0
    if may_be_dunned:
        is_promised = item.promise_to_pay is not None and on <= item.promise_to_pay
        marks |= _MAY_BE_DUNNED if is_promised else _MAY_BE_DUNNED | _MAY_BE_ASKED_FOR
    return f"{item.open_amount} {days} {marks} {item.currency}".encode()


def age(items: Iterable[OpenItem], *, on: date) -> tuple[PartyBalances, ...]:
    """Sum up what each party owes on that day, the longest overdue first."""
    aging = Aging(on=on, keeps_items=True)
    aging.add(items)
    return aging.parties()


class Aging:
    """The same a part of the items at a time: with `keeps_items` False no more is kept of one than its sums need.

    `known` are customers by tenant id: what the books repeat of them is kept once.
    """

    def __init__(
        self, *, on: date, keeps_items: bool, known: Mapping[str, Customer] = MappingProxyType({})
    ) -> None:
        self._known = known
        self._on = on
        self._keeps_items = keeps_items
        self._by_tenant: dict[str, _Party] = {}
        self._by_name: dict[str, _Party] = {}
        """By its key, who has no tenant."""

    def add(self, items: Iterable[OpenItem]) -> None:
        for item in items:
            party = self._party(item)
            party.add(item, self._on)
            if self._keeps_items:
                party.keep(item)

    def _party(self, item: OpenItem) -> _Party:
        if not item.tenant:
            key = item.customer_key
            party = self._by_name.get(key)
            if party is None:
                party = self._by_name[key] = _Party(item, key, None)
            return party
        tenant = item.tenant.casefold()
        party = self._by_tenant.get(tenant)
        if party is None:
            known = self._known.get(item.tenant)
            party = _Party(item, "", known)
            self._by_tenant[known.id if known and known.id == tenant else tenant] = party
        return party

    def parties(self) -> tuple[PartyBalances, ...]:
        """Everything that was added, summed up; after it this is empty."""
        made: list[PartyBalances] = []
        for found in (self._by_tenant, self._by_name):
            while found:
                made.append(found.popitem()[1].summed_up())
        self._by_tenant, self._by_name = {}, {}  # an emptied one is as large as it was
        # One after the other, for a key of three parts takes more than the party itself.
        made.sort(key=lambda party: party.customer_key)
        made.sort(key=lambda party: party.customer)
        made.sort(key=lambda party: -party.oldest_days)
        return tuple(made)


class _Party:
    """One party while its items are added up."""

    __slots__ = ("code", "debts", "items", "name", "named", "oldest_days", "others", "tenant")

    def __init__(self, first: OpenItem, named: str, known: Customer | None) -> None:
        self.named = named
        self.tenant = known.id if known else first.tenant
        self.code, name = _account(first)
        self.name = known.name if known and known.name == name else name
        self.others: tuple[Account, ...] = ()
        self.debts: bytes | bytearray = b""
        self.oldest_days = 0
        self.items: list[OpenItem] | None = None

    def add(self, item: OpenItem, on: date) -> None:
        account = _account(item)
        if account != (self.code, self.name) and account not in self.others:
            self.others = (*self.others, account)
        days, may_be_dunned = days_overdue(item.due_date, on=on), item.may_be_dunned
        if may_be_dunned and days > self.oldest_days:
            self.oldest_days = days
        debt = _written(item, days, may_be_dunned=may_be_dunned, on=on)
        if not self.debts:
            self.debts = debt
        else:
            if isinstance(self.debts, bytes):
                self.debts = bytearray(self.debts)
            self.debts += b"\n" + debt

    def keep(self, item: OpenItem) -> None:
        if self.items is None:
            self.items = []
        self.items.append(item)

    def summed_up(self) -> PartyBalances:
        items = self.items or []
        items.sort(key=lambda item: (item.due_date, item.document_number, item.instalment))
        return PartyBalances(
            named=self.named,
            tenant=self.tenant,
            code=self.code,
            customer=self.name,
            others=self.others,
            debts=bytes(self.debts),
            oldest_days=self.oldest_days,
            items=tuple(items),
        )


def _account(item: OpenItem) -> Account:
    return (f"{item.source}/{item.customer_code}" if item.customer_code else "", item.customer)


class _Sums:
    """Debts in one currency while they are added up."""

    __slots__ = (
        "asked",
        "asked_days",
        "by_age",
        "credits",
        "currency",
        "disputed",
        "disputes_overdue",
        "items_asked",
        "items_overdue",
        "largest",
        "oldest_days",
        "overdue",
        "overdue_net",
    )

    def __init__(self, currency: str) -> None:
        self.currency = intern(currency)
        self.credits = self.overdue = self.overdue_net = self.disputed = self.largest = self.asked = ZERO
        self.oldest_days = self.items_overdue = self.asked_days = self.items_asked = 0
        self.disputes_overdue = False
        self.by_age = [ZERO] * len(AgingBucket)

    def add(self, amount: Decimal, days: int, marks: int) -> None:
        """One debt of a party, or a credit."""
        if amount <= 0:
            if amount:
                self.credits -= amount
            return
        self.by_age[_place(days)] += amount
        if amount > self.largest:
            self.largest = amount
        if marks & _DISPUTED:
            self.disputed += amount
        if not days:
            return
        if marks & _DISPUTED:
            self.disputes_overdue = True
        if marks & _MAY_BE_DUNNED:
            self.overdue += amount
            self.items_overdue += 1
            if days > self.oldest_days:
                self.oldest_days = days
        if marks & _MAY_BE_ASKED_FOR:
            self.asked += amount
            self.items_asked += 1
            if days > self.asked_days:
                self.asked_days = days

    def include(self, whole: Balance) -> None:
        """Another party's balance: its credits pay nobody else's debts."""
        self.credits += whole.credits
        self.overdue += whole.overdue
        self.overdue_net += whole.overdue_net
        self.disputed += whole.disputed
        self.asked += whole.asked
        self.items_overdue += whole.items_overdue
        self.items_asked += whole.items_asked
        self.largest = max(self.largest, whole.largest)
        self.oldest_days = max(self.oldest_days, whole.oldest_days)
        self.asked_days = max(self.asked_days, whole.asked_days)
        self.disputes_overdue = self.disputes_overdue or whole.disputes_overdue
        for place, amount in enumerate(whole.by_age):
            if amount:
                self.by_age[place] += amount

    def of_one(self) -> Balance:
        """All of them one party's, whose credits are set against what is overdue."""
        self.overdue_net = max(ZERO, self.overdue - self.credits)
        return self.balance()

    def balance(self) -> Balance:
        not_due, *past_due = self.by_age
        late = sum(past_due, ZERO)
        return Balance(
            currency=self.currency,
            open=not_due + late,
            credits=self.credits,
            overdue=self.overdue,
            overdue_net=self.overdue_net,
            disputed=self.disputed,
            oldest_days=self.oldest_days,
            items_overdue=self.items_overdue,
            largest=self.largest,
            past_due=late,
            asked=self.asked,
            asked_days=self.asked_days,
            items_asked=self.items_asked,
            disputes_overdue=self.disputes_overdue,
            by_age=tuple(self.by_age),
        )


class Totals:
    """All parties added up, one balance a currency.

    `overdue_net` stays the sum of the parties' own: one customer's credit does not pay another's debt.
    """

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    def add(self, balances: Iterable[Balance]) -> None:
        sums = self._sums
        for balance in balances:
            together = sums.get(balance.currency)
            if together is None:
                together = sums[balance.currency] = _Sums(balance.currency)
            together.include(balance)

    def balances(self) -> Mapping[str, Balance]:
        """In the alphabetical order of the currencies."""
        return MappingProxyType({currency: sums.balance() for currency, sums in sorted(self._sums.items())})


def totals(parties: Iterable[PartyBalances]) -> Mapping[str, Balance]:
    """Add up all parties, as `Totals` does."""
    together = Totals()
    for party in parties:
        together.add(party.each)
    return together.balances()
