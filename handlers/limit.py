"""*Lift for today*: two approvers say that the daily limit shall not hold for the rest of the day."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import NotFound
from handlers import ids
from handlers.desk import Desk
from handlers.listeners import Listeners


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.LIFT_LIMIT)(partial(lift, desk))


async def lift(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The right is read at this click; the second approver's lets go what waits."""
    value = str(body["actions"][0].get("value") or "")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise NotFound("day", value) from None
    await desk.backstop.limits.lift(day, by=await desk.people.who_clicked(body))
    await ack()
