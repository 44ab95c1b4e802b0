"""Tickets in the database. Every save is a conditional UPDATE: of two that change one, one wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.customer import CustomerId
from bot.domain.errors import Conflict, NotFound, TicketExists
from bot.domain.ticket import Stage, Ticket, TicketStatus
from bot.store.single import Write
from bot.store.tables import posts, tickets

_TICKET = TypeAdapter(Ticket)
_OPEN = [status for status in TicketStatus if status.is_open]


_ADDITION = insert(tickets)


def addition(ticket: Ticket, *, at: datetime) -> Write:
    """How a new draft is kept; see `Store.write`."""
    return Write(_ADDITION, _row(ticket) | {"saved_at": at})


class Tickets:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def get(self, ticket_id: str, *, to_change: bool = True) -> Ticket:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(tickets).where(tickets.c.id == ticket_id)
        found = await self._many(query.with_for_update() if to_change else query)
        if not found:
            raise NotFound("ticket", ticket_id)
        return found[0]

    async def save(self, ticket: Ticket) -> Ticket:
        """Write the next state; answers with it as it is kept.

        Raises Conflict when somebody saved since it was read, and TicketExists where another of that kind is open.
        """
        kept = replace(ticket, version=ticket.version + 1)
        try:
            async with self._connection.begin_nested():
                changed = await self._connection.execute(
                    update(tickets)
                    .where(tickets.c.id == ticket.id, tickets.c.version == ticket.version)
                    .values(_row(kept) | {"saved_at": self._now()})
                )
        except IntegrityError as error:
            other = await self.open_under(ticket.open_key)
            raise TicketExists(other.id if other else ticket.id) from error
        if changed.rowcount != 1:
            raise Conflict("database", "changed-meanwhile")
        return kept

    async def open_under(self, open_key: str | None) -> Ticket | None:
        """The one open ticket of that customer and kind, see `Ticket.open_key`."""
        found = await self._many(select(tickets).where(tickets.c.open_key == open_key))
        return found[0] if found else None

    async def open(self, *, limit: int | None = None) -> list[Ticket]:
        """Those that are not over, oldest first."""
        return await self._many(
            select(tickets)
            .where(tickets.c.status.in_(_OPEN))
            .order_by(tickets.c.placed_at, tickets.c.id)
            .limit(limit)
        )

    async def pending(self) -> int:
        """How many wait for an approval."""
        waiting = select(func.count()).select_from(tickets).where(tickets.c.status == TicketStatus.PENDING)
        return int((await self._connection.execute(waiting)).scalar_one())

    async def of(self, customer_id: CustomerId) -> list[Ticket]:
        """All there ever were about a customer, but for drafts, oldest first."""
        return await self._many(
            select(tickets)
            .where(tickets.c.customer_id == customer_id, tickets.c.status != TicketStatus.DRAFT)
            .order_by(tickets.c.placed_at, tickets.c.id)
        )

    async def expired(self, *, at: datetime) -> list[Ticket]:
        """Those nobody decided in time."""
        return await self._to_change(
            select(tickets).where(tickets.c.status == TicketStatus.PENDING, tickets.c.expires_at <= at)
        )

    async def begun_by(self, holder: str) -> list[Ticket]:
        """What that worker began to hand over, and nobody knows what came of it."""
        return await self._to_change(
            select(tickets).where(tickets.c.stage == Stage.CLAIMED, tickets.c.holder == holder)
        )

    async def abandoned(self, *, before: datetime) -> list[Ticket]:
        """Begun before that moment, and still without a result."""
        return await self._to_change(
            select(tickets).where(tickets.c.stage == Stage.CLAIMED, tickets.c.claimed_at < before)
        )

    async def unclaimed(self, *, before: datetime) -> list[Ticket]:
        """To be handed over since before that moment, and no worker has begun."""
        return await self._many(
            select(tickets).where(tickets.c.stage == Stage.DUE, tickets.c.asked_at < before)
        )

    async def behind(self, *, since: datetime, until: datetime) -> list[Ticket]:
        """Those saved in that span whose card in Slack does not show it."""
        shown = select(posts.c.drawn).where(posts.c.key == "ticket:" + tickets.c.id).scalar_subquery()
        asked = (
            select(posts.c.drawn).where(posts.c.key == "ticket-approval:" + tickets.c.id).scalar_subquery()
        )
        is_open = tickets.c.opened_at.is_not(None)
        return await self._many(
            select(tickets).where(
                tickets.c.status != TicketStatus.DRAFT,
                tickets.c.saved_at >= since,
                tickets.c.saved_at <= until,
                or_(
                    is_open & (shown.is_(None) | (shown != tickets.c.version)),
                    ~is_open & (asked.is_(None) | (asked != tickets.c.version)),
                ),
            )
        )

    async def forget_drafts(self, *, before: datetime) -> None:
        """Delete what was drafted before that moment and never confirmed."""
        await self._connection.execute(
            delete(tickets).where(tickets.c.status == TicketStatus.DRAFT, tickets.c.drafted_at < before)
        )

    async def _to_change(self, query: Select[Any]) -> list[Ticket]:
        return await self._many(query.order_by(tickets.c.id).with_for_update())

    async def _many(self, query: Select[Any]) -> list[Ticket]:
        rows = (await self._connection.execute(query)).all()
        return [_TICKET.validate_python(row.facts | {"version": row.version}) for row in rows]


def _row(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "status": ticket.status,
        "customer_id": ticket.about.customer_id,
        "opened_by": ticket.opened_by,
        "drafted_at": ticket.drafted_at,
        "placed_at": ticket.placed_at,
        "opened_at": ticket.opened_at,
        "expires_at": ticket.expires_at,
        "open_key": ticket.open_key,
        "stage": ticket.hand_over.stage,
        "asked_at": ticket.hand_over.asked_at,
        "claimed_at": ticket.hand_over.claimed_at,
        "holder": ticket.hand_over.holder,
        "facts": _TICKET.dump_python(ticket, mode="json"),
        "version": ticket.version,
    }
