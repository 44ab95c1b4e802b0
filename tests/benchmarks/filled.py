"""A database as a partner of that size would have it: customers, subscriptions, open books, requests, an audit trail.

The same seed makes the same database. The books were read yesterday and today, and yesterday's digest was posted: what
changed since is worked out, as every day.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table, insert, select

from bot.domain.action import Reason
from bot.domain.audit import AuditTag
from bot.domain.customer import Customer, CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.receivables import ItemKind, OpenItem
from bot.services.digests import overdue_key
from bot.store import Store, Tx
from bot.store.books import Import
from bot.store.tables import posts, requests, subscriptions, targets
from tests.builders import a_request, a_subscription, ana

CHANNEL = "C0OVERDUE"
AT_ONCE = 1000
T = TypeVar("T")
PAID_SINCE = 0.02
"""So many of the items were open yesterday and are not today; as many are new."""
_CURRENCIES = (("EUR", 2), ("USD", 2), ("CNY", 2), ("JPY", 0), ("GBP", 2))
_WORDS = (
    "Nord",
    "Alpen",
    "Süd",
    "Hafen",
    "Kontor",
    "Werk",
    "Blau",
    "Pacific",
    "Harbor",
    "Summit",
    "River",
    "Stone",
)
_TRADES = (
    "Logistik",
    "Metallbau",
    "Foods",
    "Dental",
    "Software",
    "Textil",
    "Energy",
    "Travel",
    "Optik",
    "Marine",
)
_FORMS = ("GmbH", "AG", "Ltd", "Inc", "SARL", "有限公司")


@dataclass(frozen=True)
class Size:
    customers: int
    items: int
    requests: int = 0


def customers(count: int, *, seed: int = 7) -> Iterator[Customer]:
    chance = random.Random(seed)
    for n in range(count):
        name = f"{chance.choice(_WORDS)} {chance.choice(_TRADES)} {n:05} {chance.choice(_FORMS)}"
        id = CustomerId(f"{n:08x}-2222-4333-8444-{chance.getrandbits(48):012x}")
        yield Customer(id, name, f"c{n:05}.onmicrosoft.com", "reseller")


def items(count: int, of: list[Customer], *, on: date, seed: int = 11) -> Iterator[OpenItem]:
    """Five of six are past due. Most name the tenant, some its domain, and one debtor in ten nobody."""
    chance = random.Random(seed)
    for number in range(count):
        n = number % len(of)
        customer = of[n]
        tenant = {0: None, 1: customer.domain}.get(n % 10, customer.id)
        currency, digits = _CURRENCIES[n % 5 if chance.random() < 0.9 else 0]
        total = Decimal(chance.randrange(1_000, 500_000)).scaleb(-digits)
        is_credit = chance.random() < 0.04
        due = on + timedelta(days=chance.randrange(-150, 30))
        yield OpenItem(
            customer=customer.name if n % 10 or chance.random() < 0.5 else customer.name.rpartition(" ")[0],
            tenant=tenant,
            customer_code=f"D{n:06}",
            document_number=f"INV-{number:07}",
            kind=ItemKind.CREDIT_NOTE if is_credit else ItemKind.INVOICE,
            issue_date=due - timedelta(days=30),
            due_date=due,
            currency=currency,
            total=total,
            open_amount=-total if is_credit else total,
            disputed=chance.random() < 0.02,
        )


async def fill(db: Store, size: Size, *, today: date, channel: str = CHANNEL) -> None:
    """Into an empty database of the present schema."""
    known = list(customers(size.customers))
    now = datetime.combine(today, time(), UTC)
    async with db.begin() as tx:
        for some in _in_parts(known):
            await tx.mirror.put_customers(some, at=now)
        await _subscribe(tx, known, at=now)
        await tx.marks.set("mirror", at=datetime.now(UTC), failed=0)
    async with db.begin() as tx:
        await _open_books(tx, list(items(size.items, known, on=today)), today=today, at=now)
        key = overdue_key(channel, today - timedelta(days=1))
        row = {
            "key": key,
            "state": "posted",
            "channel": channel,
            "ts": "1.0",
            "claimed_at": now,
            "holder": "",
        }
        await tx.connection.execute(insert(posts).values(row))
    async with db.begin() as tx:
        await _ask(tx, size.requests, at=now - timedelta(days=40))


async def _subscribe(tx: Tx, known: list[Customer], *, at: datetime) -> None:
    """One subscription each, of every hundredth it is suspended."""

    def of(customer: Customer, n: int) -> Subscription:
        status = SubscriptionStatus.SUSPENDED if n % 100 == 0 else SubscriptionStatus.ACTIVE
        return a_subscription(
            id=SubscriptionId(f"{n:08x}-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
            customer_id=customer.id,
            status=status,
            status_word=status.value,
        )

    for n, customer in enumerate(known[:100]):
        await tx.mirror.put_subscriptions(customer.id, [of(customer, n)], at=at)
    rows = await _rows(tx, subscriptions)
    await _copies(
        tx,
        subscriptions,
        (
            rows[n % 100] | {"customer_id": customer.id, "id": of(customer, n).id}
            for n, customer in enumerate(known)
            if n >= 100
        ),
    )


async def _open_books(tx: Tx, found: list[OpenItem], *, today: date, at: datetime) -> None:
    yesterday, changed = today - timedelta(days=1), int(len(found) * PAID_SINCE)
    await tx.books.add(found[changed:], on=today - timedelta(days=40))
    paid = [replace(item, document_number=f"{item.document_number}-P") for item in found[:changed]]
    await tx.books.add(paid, on=today - timedelta(days=40))
    await tx.books.end(paid, on=today)
    await tx.books.add(found[:changed], on=today)
    for day in (yesterday, today):
        read = Import(
            file="open.csv",
            sha256="0" * 64,
            mode="snapshot",
            as_of=day,
            applied_at=at - (today - day),
            rejected=0,
        )
        await tx.books.record(read)


async def _ask(tx: Tx, count: int, *, at: datetime) -> None:
    """Requests that were withdrawn long ago, and an entry in the audit trail for each."""
    if not count:
        return
    await tx.requests.add(a_request(id="R-FILLED00000", by=ana, at=at).withdraw(by=ana, at=at))
    (asked,), (target,) = await _rows(tx, requests), await _rows(tx, targets)
    names = [f"R-FILLED{n:05}" for n in range(1, count)]
    await _copies(tx, requests, (asked | {"id": name} for name in names))
    await _copies(tx, targets, (target | {"request_id": name} for name in names))
    for name in names:
        await tx.audit.append(AuditTag.REQUEST_PLACED, name, by="U0ANA", reason=Reason.NON_PAYMENT.value)


async def _rows(tx: Tx, table: Table) -> list[dict[str, object]]:
    return [dict(row) for row in (await tx.connection.execute(select(table))).mappings()]


async def _copies(tx: Tx, table: Table, rows: Iterable[dict[str, object]]) -> None:
    for some in _in_parts(rows):
        await tx.connection.execute(insert(table), some)


def _in_parts(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while part := list(islice(left, AT_ONCE)):
        yield part
