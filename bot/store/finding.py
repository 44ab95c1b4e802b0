"""Customers by part of a name, a domain or an id: what a word stands in is looked up, then ranked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from sys import intern
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    case,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from bot.domain.customer import MPN_ID, TENANT_ID, Customer, CustomerId
from bot.domain.names import can_be_kept, folded
from bot.store.tables import customers, subscriptions

MOST_RANKED = 500
"""Of so many all are ranked; of more, those that begin so are asked for first, and then come some of the rest."""
LEAST_OF_AN_ID = 6
"""From so many characters on, a word may be part of a tenant id."""
LEAST_OF_A_SUBSCRIPTION = 8
"""From so many on, it may be what a subscription's id begins with."""
MOST_TYPED = 500
"""Nobody's name is that long, and a database refuses a pattern without end."""

_OF_AN_ID: Final = re.compile(r"[0-9a-f-]+")
_INDEXED_FROM: Final = 3
"""The index holds all that stands in a row of three characters."""
_MOST_LOOKED_UP = 8
_MOST_PIECES = 64
_EDGES: Final = (" ", "-", "(")
"""What stands before a word of a name."""
_LAST: Final = "\U0010ffff"

# SQLite's alone, and kept in step by triggers: migration 0014.
_words = table("customer_words", column("rowid"), column("customer_words"))
_names = table("customer_names", column("n"), column("id"))
_SHOWN: Final = [customers.c[name] for name in ("id", "name", "domain", "relationship", "folded")]
_terms = table("customer_terms", column("term", String))


def customer_of(row: Row[Any]) -> Customer:
    relationship = intern(row.relationship) if row.relationship else row.relationship
    return Customer(CustomerId(row.id), row.name, row.domain, relationship)


class Finder:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._place = func.instr if self._is_sqlite else func.strpos

    async def find(self, words: str, *, limit: int) -> list[Customer]:
        """As `Mirror.find` tells."""
        parts = list(dict.fromkeys(folded(words).split()))
        needle = " ".join(folded(words).split())
        if len(needle) > MOST_TYPED or not can_be_kept(needle):
            return []
        begun = await self._begun(needle, limit)
        if len(begun) >= limit or not parts:
            return begun
        await self._plan_each_time()
        found, is_all = await self._ranked(parts, needle, limit)
        if is_all:
            return found
        starts = await self._starting(parts, needle, limit, found)
        best = _once([*begun, *starts, *found])
        return (best if len(best) >= limit else _once([*best, *await self._by_name(parts, limit)]))[:limit]

    async def _starting(
        self, parts: Sequence[str], needle: str, limit: int, some: Sequence[Customer]
    ) -> list[Customer]:
        """Those in which words begin so: the best of them where there are few, else the first by name.

        Postgres gives the first by name at once, with its index, to which the parts of a domain are words too: where
        `some` that have the words have one in their domains, nearly all may, and reading them all is quicker.
        """
        if self._is_sqlite or any(f".{part}" in (each.domain or "") for each in some for part in parts):
            starts, is_all = await self._ranked(parts, needle, limit, starts=True)
            if is_all:
                return starts
        return await self._by_name(parts, limit, starts=True)

    async def _begun(self, needle: str, limit: int) -> list[Customer]:
        """Whose name begins so, by name; where these are more than enough, the very name before them."""
        found = await self._customers(
            select(*_SHOWN)
            .where(_between(customers.c.folded, needle, needle + _LAST))
            .order_by(customers.c.folded)
            .limit(limit)
        )
        if not needle or len(found) < limit:
            return found
        very = await self._customers(
            select(*_SHOWN)
            .where(_between(customers.c.folded, f"{needle} ", f"{needle}!"), _name(customers.c) == needle)
            .order_by(customers.c.folded)
            .limit(limit)
        )
        return _once([*very, *found])[:limit]

    async def _plan_each_time(self) -> None:
        """A plan for any word would read all names; the right one for this word is found in a fraction of that."""
        if not self._is_sqlite:
            await self._connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))

    async def _ranked(
        self, parts: Sequence[str], needle: str, limit: int, *, starts: bool = False
    ) -> tuple[list[Customer], bool]:
        """The best that have all of these words, and whether those are all: else they are any, or not looked for.

        Of words that may be ids the longest is looked up, for few have it. Postgres knows by itself when to use its
        index.
        """
        they, left = select(*_SHOWN), list(parts)
        if ids := [part for part in parts if _may_be_id(part)]:
            rarest = max(ids, key=len)
            they = they.where(customers.c.id.in_(union_all(*self._whose(rarest))))
            left.remove(rarest)
        elif self._is_sqlite:
            wanted, is_exact = await self._wanted(parts, starts=starts)
            if wanted is None:
                return [], True
            if wanted:
                if is_exact and await self._are_many(wanted):
                    return [], False
                they = _indexed(_SHOWN, wanted)
        they = they.where(*(self._stands_in(part, starts=starts, indexed=not starts) for part in left))
        some = they.limit(MOST_RANKED + 1).subquery("some_customers")
        query = (
            select(some, func.count().over().label("many"))
            .order_by(_rank(some.c, parts, needle), some.c.folded, some.c.id)
            .limit(limit)
        )
        rows = (await self._connection.execute(query)).all()
        return [customer_of(row) for row in rows], not rows or rows[0].many <= MOST_RANKED

    async def _by_name(self, parts: Sequence[str], limit: int, *, starts: bool = False) -> list[Customer]:
        """The first by name; when many have these words it has read enough of them soon."""
        return await self._customers(
            select(*_SHOWN)
            .where(*(self._stands_in(part, starts=starts, indexed=starts) for part in parts))
            .order_by(customers.c.folded)
            .limit(limit)
        )

    async def _wanted(self, parts: Sequence[str], *, starts: bool) -> tuple[str | None, bool]:
        """What to ask SQLite's index for, and whether nothing is left to compare; None when nobody can have the words.

        It holds nothing shorter than three characters, but what begins with one or two is few in a script of many
        characters.
        """
        wanted = []
        for part in sorted(parts, key=len, reverse=True)[:_MOST_LOOKED_UP]:
            piece = f" {part}" if starts else part
            pieces = [piece] if len(piece) >= _INDEXED_FROM else await self._longer(piece)
            if not pieces:
                return None, True
            if len(pieces) <= _MOST_PIECES:
                wanted.append(f"({' OR '.join(map(_quoted, pieces))})")
        return " AND ".join(wanted), len(wanted) == len(parts)

    async def _are_many(self, wanted: str) -> bool:
        found = select(_words.c.rowid).where(_words.c.customer_words.op("MATCH")(wanted))
        some = found.limit(MOST_RANKED + 1).subquery()
        return int((await self._connection.scalar(select(func.count()).select_from(some))) or 0) > MOST_RANKED

    def _whose(self, part: str) -> list[Select[Any]]:
        """Whose id it may be a part of, or whose name after all."""
        if self._is_sqlite:
            by_name = _indexed([customers.c.id], _quoted(part))
        else:
            by_name = select(customers.c.id).where(customers.c.folded.contains(part, autoescape=True))
        return [by_name, *self._by_id(part)]

    def _stands_in(self, part: str, *, starts: bool = False, indexed: bool = False) -> ColumnElement[bool]:
        """Whether the name, the domain or an id has it; with `starts`, whether a word of them begins so."""
        names, piece = customers.c.folded, f" {part}" if starts else part
        if not indexed or self._is_sqlite:
            found = self._has(" " + names if starts else names, piece)
        elif starts:
            found = or_(_between(names, part, part + _LAST), names.contains(piece, autoescape=True))
        else:
            found = names.contains(piece, autoescape=True)
        if not _may_be_id(part):
            return found
        return or_(found, *(customers.c.id.in_(whose) for whose in self._by_id(part)))

    def _by_id(self, part: str) -> list[Select[Any]]:
        """Those whose own id it stands in, or with which a subscription's begins, or whose reseller has that number."""
        theirs = select(subscriptions.c.customer_id)
        ways = []
        if TENANT_ID.fullmatch(part):
            ways.append(select(customers.c.id).where(customers.c.id == part))
        elif len(part) >= LEAST_OF_AN_ID:
            ways.append(select(customers.c.id).where(self._has(customers.c.id, part)))
        if len(part) >= LEAST_OF_A_SUBSCRIPTION:
            ways.append(theirs.where(_between(subscriptions.c.id, part, part + _LAST)))
        if MPN_ID.fullmatch(part):
            ways.append(theirs.where(subscriptions.c.mpn_id == part))
        return ways

    def _has(self, what: ColumnElement[str], piece: str) -> ColumnElement[bool]:
        """By reading them all, for which a pattern takes twice as long."""
        return self._place(what, piece) > 0

    async def _longer(self, piece: str) -> list[str]:
        """What the index holds that begins with so short a piece; one more than are taken, if there are so many."""
        query = (
            select(_terms.c.term).where(_between(_terms.c.term, piece, piece + _LAST)).limit(_MOST_PIECES + 1)
        )
        return list((await self._connection.execute(query)).scalars())

    async def _customers(self, query: Select[Any]) -> list[Customer]:
        return [customer_of(row) for row in (await self._connection.execute(query)).all()]


Columns = ReadOnlyColumnCollection[str, Any]


def _indexed(what: Sequence[ColumnElement[Any]], wanted: str) -> Select[Any]:
    """Of SQLite's index, with what the name has to have in its own language."""
    return (
        select(*what)
        # The sign keeps SQLite from asking the index anew for each name.
        .join_from(_words, _names, _names.c.n == literal_column("+customer_words.rowid"))
        .join(customers, customers.c.id == _names.c.id)
        .where(_words.c.customer_words.op("MATCH")(wanted))
    )


def _rank(of: Columns, parts: Sequence[str], needle: str) -> ColumnElement[int]:
    """The very name, domain or id; who begins so; words of the name that begin so; the domain; anything."""
    name, domain = _name(of), func.lower(func.coalesce(of.domain, ""))
    begin = (
        or_(*((" " + name).contains(f"{edge}{part}", autoescape=True) for edge in _EDGES)) for part in parts
    )
    return case(
        (or_(name == needle, domain == needle, of.id == needle), 0),
        (of.folded.startswith(needle, autoescape=True), 1),
        (and_(*begin), 2),
        (domain.startswith(needle, autoescape=True), 3),
        else_=4,
    )


def _name(of: Columns) -> ColumnElement[str]:
    """What is before the domain; a domain keeps its length when it is folded, or else only the rank is another."""
    left = func.length(of.folded) - func.length(func.coalesce(of.domain, "")) - 1
    return func.substr(of.folded, 1, case((left > 0, left), else_=0))


def _between(what: ColumnElement[str], first: str, end: str) -> ColumnElement[bool]:
    return and_(what >= first, what < end)


def _may_be_id(part: str) -> bool:
    is_long = len(part) >= LEAST_OF_AN_ID and _OF_AN_ID.fullmatch(part)
    return bool(is_long or MPN_ID.fullmatch(part))


def _quoted(piece: str) -> str:
    """For the index; nothing in quotes is an operator of it."""
    return '"' + piece.replace('"', '""') + '"'


def _once(found: Iterable[Customer]) -> list[Customer]:
    return list({customer.id: customer for customer in found}.values())
