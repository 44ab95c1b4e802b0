"""What customers owe the partner: open items, how old they are, and what a new export changes.

Three rules run through everything here. Two currencies are never added: a sum without a rate is a lie.
A disputed or blocked item is shown but never dunned: whoever complains has a right to be heard first.
A credit lowers what is owed but has no age: it must neither trigger nor delay a step by its own date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from sys import intern
from types import MappingProxyType
from typing import Final, Literal

from bot.domain.customer import Customer

ZERO: Final = Decimal(0)


def _minor_units() -> dict[str, int]:
    two = (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
        "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
        "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
        "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
        "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    )
    none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
    three = "BHD IQD JOD KWD LYD OMR TND"
    units = ((two, 2), (none, 0), (three, 3))
    return {code: digits for codes, digits in units for code in codes.split()}


MINOR_UNITS: Final[Mapping[str, int]] = MappingProxyType(_minor_units())
"""Decimals of every currency an invoice may be in (ISO 4217, without metals, funds and test codes)."""


class DifferentCurrencies(ValueError):
    """Somebody tried to add or compare amounts in two currencies."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other} cannot be added or compared")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in its currency; arithmetic never crosses currencies."""

    amount: Decimal
    currency: str

    def _of_same_currency(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise DifferentCurrencies(self.currency, other.currency)
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._of_same_currency(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._of_same_currency(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._of_same_currency(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._of_same_currency(other)

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"


class ItemKind(StrEnum):
    """What a line of the ledger is. The sign of its open amount, not its kind, says who owes whom."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT_ON_ACCOUNT = "payment_on_account"
    DEBIT_NOTE = "debit_note"
    ADJUSTMENT = "adjustment"


ItemKey = tuple[str, str, int]
"""Customer key, document number, instalment: what makes two readings of one source the same item."""

FILE: Final = "file"
"""The source of everything that was imported from a file."""


def customer_key(source: str, *, tenant: str | None, code: str | None, name: str) -> str:
    """Whose it is: by tenant if known, else by account code, else by name.

    A tenant is the same customer in all books. A code or a name means a customer in the books of one source only.
    """
    if tenant:
        return tenant_key(tenant)
    within = "" if source == FILE else f"{source}/"
    return f"{within}code:{code}" if code else f"{within}name:{name.casefold()}"


def tenant_key(tenant: str) -> str:
    """Whose it is, where the tenant is known."""
    return f"tenant:{tenant.casefold()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """One unpaid document, or one instalment of it, as the accounts showed it on the export's day."""

    source: str = FILE
    """The accounts it was read from."""
    customer: str
    """The party's name in the accounts."""
    tenant: str | None = None
    """The customer's tenant GUID or a domain, as the accounts have it; never guessed from a name."""
    customer_code: str | None = None
    document_number: str
    """Text, not a number: `200` and `0200` are two documents."""
    instalment: int = 1
    kind: ItemKind = ItemKind.INVOICE
    issue_date: date | None = None
    due_date: date
    """In the partner's calendar. A credit without one carries its issue date."""
    currency: str
    total: Decimal | None = None
    open_amount: Decimal
    """Positive: owed to the partner. Negative: a credit the customer has not used."""
    disputed: bool = False
    promise_to_pay: date | None = None
    dunning_blocked: bool = False

    @property
    def customer_key(self) -> str:
        """Whose item it is."""
        return customer_key(self.source, tenant=self.tenant, code=self.customer_code, name=self.customer)

    @property
    def key(self) -> ItemKey:
        return (self.customer_key, self.document_number, self.instalment)

    @property
    def is_credit(self) -> bool:
        return self.open_amount < 0

    @property
    def may_be_dunned(self) -> bool:
        """Debt that nobody disputes and nobody has blocked."""
        return self.open_amount > 0 and not self.disputed and not self.dunning_blocked

    def may_be_asked_for(self, *, on: date) -> bool:
        """Such debt that is past due on that day, and of which nobody promised to pay it later."""
        promised = self.promise_to_pay is not None and on <= self.promise_to_pay
        return self.may_be_dunned and self.due_date < on and not promised


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
            if currency not in sums:
                sums[currency] = _Sums(currency)
            sums[currency].add(Decimal(amount), int(days), int(marks))
        return tuple(sums[currency].balance() for currency in sorted(sums))

    @property
    def balances(self) -> Mapping[str, Balance]:
        """By currency, in alphabetical order; added up anew each time."""
        return {balance.currency: balance for balance in self.each}


_DISPUTED: Final = 1
_MAY_BE_DUNNED: Final = 2
_MAY_BE_ASKED_FOR: Final = 4


def _written(item: OpenItem, days: int, *, on: date) -> bytes:
    """All of an item that its party's balance of that day is made from, in as few letters."""
    marks = _DISPUTED if item.disputed else 0
    if item.may_be_dunned:
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
        days = days_overdue(item.due_date, on=on)
        if item.may_be_dunned and days > self.oldest_days:
            self.oldest_days = days
        debt = _written(item, days, on=on)
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
    """One party's debts in one currency while they are added up."""

    def __init__(self, currency: str) -> None:
        self.currency = intern(currency)
        self.credits = self.overdue = self.disputed = self.largest = self.asked = ZERO
        self.oldest_days = self.items_overdue = self.asked_days = self.items_asked = 0
        self.disputes_overdue = False
        self.by_age = [ZERO] * len(AgingBucket)

    def add(self, amount: Decimal, days: int, marks: int) -> None:
        if amount <= 0:
            if amount:
                self.credits -= amount
            return
        self.by_age[_place(days)] += amount
        self.largest = max(self.largest, amount)
        if marks & _DISPUTED:
            self.disputed += amount
        if not days:
            return
        if marks & _DISPUTED:
            self.disputes_overdue = True
        if marks & _MAY_BE_DUNNED:
            self.overdue += amount
            self.oldest_days = max(self.oldest_days, days)
            self.items_overdue += 1
        if marks & _MAY_BE_ASKED_FOR:
            self.asked += amount
            self.asked_days = max(self.asked_days, days)
            self.items_asked += 1

    def balance(self) -> Balance:
        not_due, *past_due = self.by_age
        late = sum(past_due, ZERO)
        return Balance(
            currency=self.currency,
            open=not_due + late,
            credits=self.credits,
            overdue=self.overdue,
            overdue_net=max(ZERO, self.overdue - self.credits),
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
        self._sums: dict[str, Balance] = {}

    def add(self, balances: Iterable[Balance]) -> None:
        sums = self._sums
        for balance in balances:
            currency = balance.currency
            sums[currency] = _together(sums[currency], balance) if currency in sums else balance

    def balances(self) -> Mapping[str, Balance]:
        """In the alphabetical order of the currencies."""
        return MappingProxyType(dict(sorted(self._sums.items())))


def totals(parties: Iterable[PartyBalances]) -> Mapping[str, Balance]:
    """Add up all parties, as `Totals` does."""
    together = Totals()
    for party in parties:
        together.add(party.each)
    return together.balances()


def _together(one: Balance, other: Balance) -> Balance:
    return Balance(
        currency=one.currency,
        open=one.open + other.open,
        credits=one.credits + other.credits,
        overdue=one.overdue + other.overdue,
        overdue_net=one.overdue_net + other.overdue_net,
        disputed=one.disputed + other.disputed,
        oldest_days=max(one.oldest_days, other.oldest_days),
        items_overdue=one.items_overdue + other.items_overdue,
        largest=max(one.largest, other.largest),
        past_due=one.past_due + other.past_due,
        asked=one.asked + other.asked,
        asked_days=max(one.asked_days, other.asked_days),
        items_asked=one.items_asked + other.items_asked,
        disputes_overdue=one.disputes_overdue or other.disputes_overdue,
        by_age=tuple(a + b for a, b in zip(one.by_age, other.by_age, strict=True)),
    )


UNKNOWN_PARTY: Final = ""
"""Stands among incomplete parties for a row that names no customer: it may be anybody's."""

LARGEST_QUIET_SHRINK: Final = Decimal("0.30")
"""A file that drops more of the open items than this is more likely cut off than good news."""

ImportMode = Literal["snapshot", "merge"]

Held = Literal["shrinks", "older_than_books", "in_the_future"]
"""Why an export is not applied as it is."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What an export does to the books."""

    new: tuple[OpenItem, ...]
    changed: tuple[OpenItem, ...]
    """As they are now."""
    unchanged: tuple[OpenItem, ...]
    closed: tuple[OpenItem, ...]
    """As they were: no longer open."""
    kept: tuple[OpenItem, ...]
    """Absent, yet not closed: their party has rows that could not be read; missing data closes nothing."""
    shrinks_by: Decimal
    """The part (0 to 1) of the items open before that would close only because the file is silent on them."""

    @property
    def holds_for_confirmation(self) -> bool:
        """Whether a person must look before this is applied."""
        return self.shrinks_by > LARGEST_QUIET_SHRINK


def changes(
    before: Iterable[OpenItem],
    export_items: Iterable[OpenItem],
    *,
    mode: ImportMode,
    settled: Collection[ItemKey] = (),
    incomplete_parties: Collection[str] = (),
) -> Changes:
    """Compare the open items of the books with those of an export.

    A `snapshot` is everything that is open, so what it leaves out is closed; a `merge` closes only what it
    says is paid (`settled`). Applying the same export twice changes nothing.
    """
    books = {item.key: item for item in before}
    export = {item.key: item for item in export_items}
    paid = set(settled) - export.keys()
    absent = [item for key, item in books.items() if key not in export and key not in paid]
    nobody_is_complete = UNKNOWN_PARTY in incomplete_parties
    kept: list[OpenItem] = []
    dropped: list[OpenItem] = []
    if mode == "snapshot":
        for item in absent:
            unsure = nobody_is_complete or item.customer_key in incomplete_parties
            (kept if unsure else dropped).append(item)
    return Changes(
        new=tuple(item for key, item in export.items() if key not in books),
        changed=tuple(item for key, item in export.items() if key in books and books[key] != item),
        unchanged=tuple(item for key, item in export.items() if books.get(key) == item),
        closed=tuple(item for key, item in books.items() if key in paid) + tuple(dropped),
        kept=tuple(kept),
        shrinks_by=Decimal(len(dropped)) / len(books) if books else ZERO,
    )
