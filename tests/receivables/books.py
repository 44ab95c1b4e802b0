"""The books that every live source is tested with, and what a source's driver must be able to do to them.

To test one more source: write a driver beside this with a far side of its own (a real system or a small fake
behind the wire), put `OPEN` into it, and name it in `SOURCES` of `test_live_contract.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.live import LiveSource

AS_OF = date(2026, 11, 22)
noon = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

ACME, CONTOSO, FABRIKAM = "Acme GmbH", "Contoso Ltd", "Fabrikam Inc"
TENANTS: Mapping[str, str | None] = {
    ACME: "acme.onmicrosoft.com",
    CONTOSO: None,
    FABRIKAM: "44444444-0000-4000-8000-000000000003",
}


class Doc(StrEnum):
    """The documents by what is special about them; each system numbers them in its own way."""

    OLD = "old"
    PART_PAID = "part paid"
    FOREIGN = "foreign currency"
    HALVES = "two instalments"
    CREDIT = "credit note"
    NOT_DUE = "not due"


@dataclass(frozen=True)
class Open:
    """What must be read of a document, or of one instalment of it."""

    doc: Doc
    customer: str
    issued: date
    due: date
    total: Decimal
    open: Decimal
    currency: str = "EUR"
    instalment: int = 1


def _open(
    doc: Doc, customer: str, issued: date, due: date, total: str, is_open: str = "", currency: str = "EUR"
) -> Open:
    return Open(doc, customer, issued, due, Decimal(total), Decimal(is_open or total), currency)


_FIRST_HALF = _open(Doc.HALVES, FABRIKAM, date(2026, 10, 25), date(2026, 11, 8), "400.00")

OPEN = (
    _open(Doc.OLD, ACME, date(2026, 9, 1), date(2026, 9, 15), "1200.00"),
    _open(Doc.PART_PAID, FABRIKAM, date(2026, 10, 1), date(2026, 10, 15), "500.00", "300.00"),
    _open(Doc.FOREIGN, CONTOSO, date(2026, 10, 20), date(2026, 11, 3), "999.99", currency="USD"),
    _FIRST_HALF,
    replace(_FIRST_HALF, due=date(2026, 12, 8), instalment=2),
    _open(Doc.CREDIT, FABRIKAM, date(2026, 11, 1), date(2026, 11, 15), "-100.00"),
    _open(Doc.NOT_DUE, ACME, date(2026, 11, 15), date(2026, 11, 29), "300.00"),
)
"""Beside these, the driver puts one document each that is a draft, paid, and void, where its system has such."""

IN_ONE = tuple(
    replace(each, total=each.total * 2, open=each.open * 2) if each is _FIRST_HALF else each
    for each in OPEN
    if each.instalment == 1
)
"""The same for a system without instalments: the whole is due when the first half is."""


class Books(Protocol):
    """One accounting system with `OPEN` in it."""

    @property
    def numbers(self) -> Mapping[Doc, str]:
        """The number each document has in `OpenItem.document_number`."""
        ...

    @property
    def has_instalments(self) -> bool: ...

    @property
    def has_disputes(self) -> bool: ...

    @property
    def has_tenants(self) -> bool:
        """Whether the system says which tenant a customer has (`TENANTS`)."""
        ...

    @property
    def credit_kind(self) -> ItemKind:
        """What the system calls a credit."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen anywhere, also of the credentials that open nothing."""
        ...

    def source(self, *, locked_out: bool = False, fails_midway: bool = False) -> LiveSource:
        """A source that reads these books: with credentials that open nothing, or with a far side that answers
        the first part of a reading and fails at a later one for good. The driver closes it, and waits for nothing."""
        ...

    async def pay(self, doc: Doc, amount: Decimal) -> None: ...

    async def dispute(self, doc: Doc) -> None: ...


def expected(books: Books) -> set[tuple[object, ...]]:
    """What the source must read of `OPEN`, in the terms of `told`."""
    return {
        (
            books.numbers[each.doc],
            each.instalment,
            each.customer,
            TENANTS[each.customer] if books.has_tenants else None,
            each.currency,
            each.open,
            None if each.open < 0 else each.due,
        )
        for each in (OPEN if books.has_instalments else IN_ONE)
    }


def told(items: tuple[OpenItem, ...]) -> set[tuple[object, ...]]:
    """What matters about items. A credit's due date does not: it has no age."""
    return {
        (
            item.document_number,
            item.instalment,
            item.customer,
            item.tenant,
            item.currency,
            item.open_amount,
            None if item.is_credit else item.due_date,
        )
        for item in items
    }
