"""What customers owe the partner: open items, and what a new export changes in the books."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from bot.domain.money import ZERO


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
