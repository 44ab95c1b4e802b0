"""What was seen of customers. The same thing seen twice is one row."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import JSON, Row, Text, bindparam, cast, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId
from bot.domain.observation import (
    Observation,
    Operation,
    OrderPlaced,
    Owed,
    Past,
    QuantityChanged,
    Reported,
    Spent,
    VendorAlert,
    past_of,
)
from bot.store.tables import Instant, observations

AT_ONCE: Final = 500
READ_AT_ONCE: Final = 1000
"""So many are read between two moments at which others may go on."""
LONGEST_KEY: Final = 400

_ADAPTERS: Final[Mapping[str, TypeAdapter[Any]]] = MappingProxyType(
    {
        "order": TypeAdapter(OrderPlaced),
        "quantity": TypeAdapter(QuantityChanged),
        "operation": TypeAdapter(Operation),
        "spent": TypeAdapter(Spent),
        "alert": TypeAdapter(VendorAlert),
        "report": TypeAdapter(Reported),
        "owed": TypeAdapter(Owed),
    }
)
_KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        OrderPlaced: "order",
        QuantityChanged: "quantity",
        Operation: "operation",
        Spent: "spent",
        VendorAlert: "alert",
        Reported: "report",
        Owed: "owed",
    }
)
_INSERTS: Final[Mapping[str, Any]] = MappingProxyType(
    {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
)
_KEPT_UP_TO_DATE: Final = frozenset({"alert", "spent", "owed"})
"""What is seen again under its key with other facts: the newest counts. Everything else stays as first seen."""

_CHANGE: Final = (
    update(observations)
    .where(observations.c.key == bindparam("of"))
    .values(facts=bindparam("facts", type_=JSON), at=bindparam("at", type_=Instant))
)


class Observations:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(
        self, seen: Iterable[Observation], *, at: datetime, one_a_day: tzinfo | None = None
    ) -> int:
        """Keep these; how many were not known. One whose facts are newer replaces what was known of it.

        With `one_a_day` what is owed is left as it was first read on a day of that zone, until something else of it
        changes: the rules ask on which day it was, and from when on it was known.
        """
        rows = {row["key"]: row for row in (_row(each, at) for each in seen)}
        keys = list(rows)
        new = 0
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            known = await self._known(some)
            fresh = [rows[key] for key in some if key not in known]
            new += await self._add(fresh)
            await self._change(
                [
                    row
                    for row in (rows[key] for key in some if key in known)
                    if row["kind"] in _KEPT_UP_TO_DATE and _is_news(row, known[row["key"]], one_a_day)
                ]
            )
        return new

    async def _known(self, keys: Collection[str]) -> dict[str, Any]:
        query = select(observations.c.key, observations.c.facts).where(observations.c.key.in_(keys))
        return {row.key: row.facts for row in await self._connection.execute(query)}

    async def _add(self, rows: list[dict[str, Any]]) -> int:
        """Add them; what somebody added since we looked is left as it is."""
        if not rows:
            return 0
        insert = _INSERTS[self._connection.dialect.name]
        await self._connection.execute(
            insert(observations).on_conflict_do_nothing(index_elements=["key"]), rows
        )
        return len(rows)

    async def _change(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self._connection.execute(
                _CHANGE, [{"of": row["key"], "facts": row["facts"], "at": row["at"]} for row in rows]
            )

    async def of(self, customer: CustomerId, *, until: datetime) -> Past:
        """What was seen of one customer up to that moment."""
        found = await self.all(until=until, only=[customer])
        return found.get(customer, Past(customer))

    async def all(
        self, *, until: datetime, since: datetime | None = None, only: Collection[str] | None = None
    ) -> dict[CustomerId, Past]:
        """By customer; what is about the partner itself under the empty id."""
        columns = observations.c
        # As text, and in parts that are decoded beside the event loop: clicks wait for an answer meanwhile.
        query = select(columns.kind, columns.customer_id, cast(columns.facts, Text)).where(
            columns.at <= until
        )
        if since is not None:
            query = query.where(columns.at >= since)
        if only is not None:
            query = query.where(columns.customer_id.in_(only))
        by_customer: dict[str, list[Observation]] = {}
        rows = await self._connection.stream(query)
        async for part in rows.partitions(READ_AT_ONCE):
            await asyncio.to_thread(_add_part, part, by_customer)
        begun = await self._first_order(until)
        return await asyncio.to_thread(_pasts, by_customer, begun)

    async def _first_order(self, until: datetime) -> datetime | None:
        """Since when it is known who ordered what: Microsoft tells of each customer's orders from its first."""
        first = select(func.min(observations.c.at)).where(
            observations.c.kind == "order", observations.c.at <= until
        )
        moment: datetime | None = (await self._connection.execute(first)).scalar_one_or_none()
        return moment

    async def last_at(self, kind: str) -> datetime | None:
        """When the newest of a kind happened (`operation`)."""
        query = (
            select(observations.c.at)
            .where(observations.c.kind == kind)
            .order_by(observations.c.at.desc())
            .limit(1)
        )
        return (await self._connection.execute(query)).scalar_one_or_none()


def _add_part(rows: Sequence[Row[str, str, str]], by_customer: dict[str, list[Observation]]) -> None:
    for kind, customer, facts in rows:
        by_customer.setdefault(customer, []).append(_ADAPTERS[kind].validate_json(facts))


def _pasts(
    by_customer: Mapping[str, list[Observation]], watched_since: datetime | None
) -> dict[CustomerId, Past]:
    return {
        CustomerId(customer): past_of(CustomerId(customer), seen, watched_since=watched_since)
        for customer, seen in by_customer.items()
    }


def _row(seen: Observation, at: datetime) -> dict[str, Any]:
    kind = _KINDS[type(seen)]
    return {
        "key": _short(seen.key),
        "kind": kind,
        "customer_id": seen.customer_id or "",
        "at": seen.at,
        "seen_at": at,
        "facts": _ADAPTERS[kind].dump_python(seen, mode="json"),
    }


def _is_news(row: Mapping[str, Any], known: Mapping[str, Any], one_a_day: tzinfo | None) -> bool:
    """Whether it says anything that was not known under its key."""
    if row["facts"] == known:
        return False
    if row["kind"] != "owed" or one_a_day is None or {**row["facts"], "at": known["at"]} != known:
        return True
    before = datetime.fromisoformat(known["at"])
    return bool(row["at"].astimezone(one_a_day).date() != before.astimezone(one_a_day).date())


def _short(key: str) -> str:
    """Outside ids may be of any length; one that is too long is known by its hash."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:64]}:{hashlib.sha256(key.encode()).hexdigest()}"
