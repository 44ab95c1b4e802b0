"""The local copy of customers and subscriptions, for finding things; what is changed is read live."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import (
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.domain.names import folded
from bot.store.finding import Finder, customer_of
from bot.store.tables import customers, subscriptions

READING_LOCK = 0x52656164  # any number, as long as it is always this one
KEYS_AT_ONCE = 400
AT_ONCE = 1000
"""So many rows are read between two moments at which others may go on."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A status and a quantity, and the moment when their reading began."""

    status: SubscriptionStatus
    at: datetime
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one customer's subscriptions, by their ids."""

    readings: dict[SubscriptionId, Reading]
    contents: dict[SubscriptionId, tuple[str, str, dict[str, Any]]]


class Mirror:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._is_postgres = connection.dialect.name == "postgresql"

    async def put_customers(self, found: Iterable[Customer], *, at: datetime) -> None:
        rows = {
            c.id: {
                "id": c.id,
                "name": c.name,
                "domain": c.domain,
                "relationship": c.relationship,
                "folded": folded(f"{c.name} {c.domain or ''}"),
                "as_of": at,
            }
            for c in found
        }
        if not rows:
            return
        # Most are as they were: only their age is written, and no index is touched.
        known = await self._connection.execute(select(customers).where(customers.c.id.in_(rows)))
        same = [row.id for row in known.all() if {**row._mapping, "as_of": at} == rows[row.id]]
        if same:
            aged = (
                update(customers).where(customers.c.id.in_(same)).values(as_of=at).returning(customers.c.id)
            )
            same = list((await self._connection.execute(aged)).scalars())
        if new := [row for id, row in rows.items() if id not in set(same)]:
            added = (postgresql.insert if self._is_postgres else sqlite.insert)(customers)
            again = {c.name: c for c in added.excluded if c.name != "id"}
            await self._connection.execute(
                added.on_conflict_do_update(index_elements=["id"], set_=again), new
            )

    async def readings(self, customer: CustomerId) -> dict[SubscriptionId, Reading]:
        """What that customer's subscriptions were when they were last read; nobody writes them while we do."""
        await self._hold(customer)
        columns = subscriptions.c
        query = select(columns.id, columns.status, columns.as_of, columns.facts).where(
            columns.customer_id == customer
        )
        return {
            SubscriptionId(row.id): Reading(
                SubscriptionStatus(row.status), row.as_of, row.facts.get("quantity")
            )
            for row in (await self._connection.execute(query)).all()
        }

    async def readings_of(self, those: Collection[CustomerId]) -> dict[CustomerId, Known]:
        """What is known of these customers' subscriptions; nobody writes them until our transaction ends."""
        known = {customer: Known({}, {}) for customer in those}
        await self._hold_all(those)
        columns = subscriptions.c
        query = select(
            columns.customer_id, columns.id, columns.name, columns.status, columns.facts, columns.as_of
        ).where(columns.customer_id.in_(those))
        for customer, id, name, status, facts, as_of in await self._connection.execute(query):
            theirs = known[customer]
            theirs.readings[id] = Reading(SubscriptionStatus(status), as_of, facts.get("quantity"))
            theirs.contents[id] = (name, status, facts)
        return known

    async def put_all(
        self,
        found: Mapping[CustomerId, Sequence[Subscription]],
        known: Mapping[CustomerId, Known],
        *,
        at: datetime,
    ) -> None:
        """As `put_subscriptions`, for many customers at once, of whom `readings_of` told what is known.

        Of what has not changed only the moment is written.
        """
        new: list[dict[str, Any]] = []
        old: list[tuple[str, str]] = []
        for customer, theirs in found.items():
            before, seen = known[customer], set[str]()
            for subscription in theirs:
                id = subscription.id
                reading = before.readings.get(id)
                if id in seen or (reading and reading.at > at):
                    continue
                seen.add(id)
                row = _subscription_row(subscription, at)
                if before.contents.get(id) != (row["name"], row["status"], row["facts"]):
                    new.append(row)
                    if reading:
                        old.append((customer, id))
            old += [(customer, id) for id, r in before.readings.items() if id not in seen and r.at <= at]
        columns = subscriptions.c
        for start in range(0, len(old), KEYS_AT_ONCE):
            some = old[start : start + KEYS_AT_ONCE]
            await self._connection.execute(
                delete(subscriptions).where(tuple_(columns.customer_id, columns.id).in_(some))
            )
        if any(theirs.readings for theirs in known.values()):
            await self._connection.execute(
                update(subscriptions)
                .where(columns.customer_id.in_(list(found)), columns.as_of < at)
                .values(as_of=at)
            )
        if new:
            await self._connection.execute(insert(subscriptions), new)

    async def put_subscriptions(
        self, customer: CustomerId, found: Iterable[Subscription], *, at: datetime
    ) -> None:
        """Replace what we knew of that customer's subscriptions when the reading began, at that moment.

        What was read of one of them later stays: it may show a change that this reading was too early for.
        """
        await self._hold(customer)
        theirs = subscriptions.c.customer_id == customer
        await self._connection.execute(delete(subscriptions).where(theirs, subscriptions.c.as_of <= at))
        newer = set((await self._connection.execute(select(subscriptions.c.id).where(theirs))).scalars())
        rows = [_subscription_row(s, at) for s in found if s.id not in newer]
        if rows:
            await self._connection.execute(insert(subscriptions), rows)

    async def put_subscription(self, subscription: Subscription, *, at: datetime) -> None:
        await self._hold(subscription.customer_id)
        await self._connection.execute(
            delete(subscriptions).where(
                subscriptions.c.customer_id == subscription.customer_id,
                subscriptions.c.id == subscription.id,
            )
        )
        await self._connection.execute(insert(subscriptions).values(_subscription_row(subscription, at)))

    async def _hold(self, customer: CustomerId) -> None:
        """Keep others that write this customer's subscriptions waiting until our transaction ends."""
        if self._is_postgres:  # SQLite has one writer anyway
            await self._connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock, hashtext(:customer))"),
                {"lock": READING_LOCK, "customer": customer},
            )

    async def _hold_all(self, those: Collection[CustomerId]) -> None:
        """As `_hold`; all who hold several take them in one order, lest they wait for each other for ever."""
        if self._connection.dialect.name == "postgresql":
            await self._connection.execute(
                text(
                    "SELECT pg_advisory_xact_lock(:lock, hash) FROM (SELECT DISTINCT hashtext(id) AS hash"
                    " FROM unnest(CAST(:those AS text[])) AS id ORDER BY hash) AS ordered"
                ),
                {"lock": READING_LOCK, "those": list(those)},
            )

    async def customer(self, customer_id: str) -> Customer | None:
        row = (
            await self._connection.execute(select(customers).where(customers.c.id == customer_id.lower()))
        ).one_or_none()
        return customer_of(row) if row else None

    async def customers_of(self, ids: Iterable[str]) -> list[Customer]:
        """Those of them that are known, by id."""
        wanted = sorted({id.lower() for id in ids})
        found: list[Customer] = []
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            some = customers.c.id.in_(wanted[start : start + KEYS_AT_ONCE])
            query = select(customers).where(some).order_by(customers.c.id)
            found += [customer_of(row) for row in await self._connection.execute(query)]
        return found

    async def find(self, words: str, *, limit: int = 20) -> list[Customer]:
        """Customers with all of these words, each in their name, domain or id; without words, the first by name.

        First the very name, domain or tenant id, then whose name begins so, then those with words in the name that
        begin so, then domains that do, then all others; among these by name, then by domain. When many have the words
        (MOST_RANKED), the very domain is not looked for first; those with words that begin so come by name, and of the
        others the first by name on SQLite, but any on Postgres, which would read all names to tell.

        Of ids a word is a part of the tenant id (LEAST_OF_AN_ID: a shorter one stands in many by chance), the
        beginning of the id of a subscription of theirs (LEAST_OF_A_SUBSCRIPTION), or the MPN id of the reseller of
        one. What databases take for operators or wild cards is text.
        """
        return await Finder(self._connection).find(words, limit=limit)

    async def all_customers(self) -> list[Customer]:
        query = select(customers).order_by(customers.c.name)
        found: list[Customer] = []
        rows = await self._connection.stream(query)  # in parts, for others wait meanwhile
        async for part in rows.partitions(AT_ONCE):
            found += [customer_of(row) for row in part]
        return found

    async def subscriptions_of(self, customer: str) -> list[Subscription]:
        query = (
            select(subscriptions)
            .where(subscriptions.c.customer_id == customer)
            .order_by(subscriptions.c.name)
        )
        return [_subscription(row) for row in (await self._connection.execute(query)).all()]

    async def subscription(self, subscription_id: str) -> Subscription | None:
        query = select(subscriptions).where(subscriptions.c.id == subscription_id.strip().lower()).limit(1)
        row = (await self._connection.execute(query)).one_or_none()
        return _subscription(row) if row else None

    async def these(self, ids: Collection[SubscriptionId]) -> dict[SubscriptionId, Subscription]:
        """Those of them that are known."""
        query = select(subscriptions).where(subscriptions.c.id.in_(ids))
        found = [_subscription(row) for row in await self._connection.execute(query)]
        return {subscription.id: subscription for subscription in found}

    async def suspended(self) -> list[tuple[Subscription, Customer | None]]:
        """Every subscription that was suspended when it was last read, and whose it is."""
        query = (
            select(subscriptions, customers.c.name.label("customer_name"), customers.c.domain)
            .outerjoin(customers, customers.c.id == subscriptions.c.customer_id)
            .where(subscriptions.c.status == SubscriptionStatus.SUSPENDED)
        )
        return [
            (
                _subscription(row),
                Customer(CustomerId(row.customer_id), row.customer_name, row.domain)
                if row.customer_name
                else None,
            )
            for row in (await self._connection.execute(query)).all()
        ]

    async def running(self, known: Mapping[str, Customer] = MappingProxyType({})) -> dict[str, int]:
        """How many subscriptions were active when they were last read, by customer.

        What `known` has by the id is not kept a second time.
        """
        query = (
            select(subscriptions.c.customer_id, func.count().label("n"))
            .where(subscriptions.c.status == SubscriptionStatus.ACTIVE)
            .group_by(subscriptions.c.customer_id)
        )
        found: dict[str, int] = {}
        rows = await self._connection.stream(query)
        async for part in rows.partitions(AT_ONCE):
            for id, n in part:
                found[known[id].id if id in known else id] = n
        return found

    async def sizes(self) -> tuple[int, int]:
        """How many customers and subscriptions it holds."""
        n_customers = (await self._connection.execute(select(func.count()).select_from(customers))).scalar()
        n_subs = (await self._connection.execute(select(func.count()).select_from(subscriptions))).scalar()
        return int(n_customers or 0), int(n_subs or 0)


def _subscription_row(s: Subscription, at: datetime) -> dict[str, Any]:
    return {
        "customer_id": s.customer_id,
        "id": s.id,
        "name": s.name,
        "status": s.status.value,
        "as_of": at,
        "mpn_id": s.mpn_id,
        "facts": {
            "status_word": s.status_word,
            "kind": s.kind.value,
            "offer_id": s.offer_id,
            "quantity": s.quantity,
            "unit": s.unit,
            "is_trial": s.is_trial,
            "parent_id": s.parent_id,
            "term": s.term,
            "term_end": s.term_end.isoformat() if s.term_end else None,
            "suspension_reasons": list(s.suspension_reasons),
            "auto_renew": s.auto_renew,
            "order_id": s.order_id,
            "publisher": s.publisher,
        },
    }


def _subscription(row: Row[Any]) -> Subscription:
    facts = dict(row.facts)
    term_end = facts.pop("term_end")
    parent = facts.pop("parent_id")
    return Subscription(
        id=SubscriptionId(row.id),
        customer_id=CustomerId(row.customer_id),
        name=row.name,
        status=SubscriptionStatus(row.status),
        kind=SubscriptionKind(facts.pop("kind")),
        parent_id=SubscriptionId(parent) if parent else None,
        term_end=datetime.fromisoformat(term_end) if term_end else None,
        suspension_reasons=tuple(facts.pop("suspension_reasons")),
        mpn_id=row.mpn_id,
        **facts,
    )
