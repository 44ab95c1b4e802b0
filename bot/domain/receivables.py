"""What customers owe the partner: open items, how old they are, and what a new export changes.

Three rules run through everything here. Two currencies are never added: a sum without a rate is a lie.
A disputed or blocked item is shown but never dunned: whoever complains has a right to be heard first.
A credit lowers what is owed but has no age: it must neither trigger nor delay a step by its own date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

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
        return f"tenant:{tenant.casefold()}"
    within = "" if source == FILE else f"{source}/"
    return f"{within}code:{code}" if code else f"{within}name:{name.casefold()}"


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


_LAST_DAY: Final = (
    (0, AgingBucket.CURRENT),
    (30, AgingBucket.DAYS_1_30),
    (60, AgingBucket.DAYS_31_60),
    (90, AgingBucket.DAYS_61_90),
)


def days_overdue(due: date, *, on: date) -> int:
    """Count calendar days past due, at least 0; what is due today is not overdue.

    Calendar days are the legal norm for terms and late-payment interest (Directive 2011/7/EU); the calendar
    of business days says when we act, not how old a debt is.
    """
    return max(0, (on - due).days)


def bucket(due: date, *, on: date) -> AgingBucket:
    """Name the age of whatever was due on that date."""
    days = days_overdue(due, on=on)
    return next((name for last, name in _LAST_DAY if days <= last), AgingBucket.OVER_90)


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
    buckets: Mapping[AgingBucket, Decimal]
    """`open` by age, every bucket present; credits are in none, for they have no age."""

    @property
    def net(self) -> Decimal:
        """What remains once credits are used; negative when the partner owes the customer."""
        return self.open - self.credits


@dataclass(frozen=True, slots=True)
class PartyBalances:
    """One party's balances, one a currency, with the items behind them."""

    customer_key: str
    names: tuple[str, ...]
    """Every name the accounts use for the party; more than one under one tenant needs a person's look."""
    tenant: str | None
    balances: Mapping[str, Balance]
    """By currency, in alphabetical order."""
    items: tuple[OpenItem, ...]
    """Oldest due date first."""

    @property
    def customer(self) -> str:
        return self.names[0]

    @property
    def oldest_days(self) -> int:
        return max((balance.oldest_days for balance in self.balances.values()), default=0)


def age(items: Iterable[OpenItem], *, on: date) -> tuple[PartyBalances, ...]:
    """Sum up what each party owes on that day, the longest overdue first."""
    by_party: dict[str, list[OpenItem]] = {}
    for item in items:
        by_party.setdefault(item.customer_key, []).append(item)
    parties = [_party(key, of_party, on) for key, of_party in by_party.items()]
    return tuple(sorted(parties, key=lambda party: (-party.oldest_days, party.customer, party.customer_key)))


def _party(key: str, items: list[OpenItem], on: date) -> PartyBalances:
    by_currency: dict[str, list[OpenItem]] = {}
    for item in items:
        by_currency.setdefault(item.currency, []).append(item)
    return PartyBalances(
        customer_key=key,
        names=tuple(dict.fromkeys(item.customer for item in items)),
        tenant=items[0].tenant,
        balances=MappingProxyType(
            {code: _balance(code, by_currency[code], on) for code in sorted(by_currency)}
        ),
        items=tuple(sorted(items, key=lambda item: (item.due_date, item.document_number, item.instalment))),
    )


def _balance(currency: str, items: list[OpenItem], on: date) -> Balance:
    debts = [item for item in items if item.open_amount > 0]
    credits = -sum((item.open_amount for item in items if item.is_credit), ZERO)
    late = [item for item in debts if item.may_be_dunned and item.due_date < on]
    overdue = sum((item.open_amount for item in late), ZERO)
    buckets = dict.fromkeys(AgingBucket, ZERO)
    for item in debts:
        buckets[bucket(item.due_date, on=on)] += item.open_amount
    return Balance(
        currency=currency,
        open=sum((item.open_amount for item in debts), ZERO),
        credits=credits,
        overdue=overdue,
        overdue_net=max(ZERO, overdue - credits),
        disputed=sum((item.open_amount for item in debts if item.disputed), ZERO),
        oldest_days=max((days_overdue(item.due_date, on=on) for item in late), default=0),
        items_overdue=len(late),
        largest=max((item.open_amount for item in debts), default=ZERO),
        buckets=MappingProxyType(buckets),
    )


def totals(parties: Iterable[PartyBalances]) -> Mapping[str, Balance]:
    """Add up all parties, one balance a currency, in alphabetical order.

    `overdue_net` stays the sum of the parties' own: one customer's credit does not pay another's debt.
    """
    sums: dict[str, Balance] = {}
    for party in parties:
        for currency, balance in party.balances.items():
            sums[currency] = _together(sums[currency], balance) if currency in sums else balance
    return MappingProxyType(dict(sorted(sums.items())))


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
        buckets=MappingProxyType({name: one.buckets[name] + other.buckets[name] for name in AgingBucket}),
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
