"""The card of a ticket and the reminders about it: what Slack is told after something happened."""

from __future__ import annotations

from handlers.desk import Desk


async def show_ticket(desk: Desk, ticket_id: str) -> None:
    raise NotImplementedError


async def nudge_ticket(desk: Desk, ticket_id: str, nudge: str, key: str) -> None:
    raise NotImplementedError
