"""People at work: they ask and approve through Slack, and do again what Slack did not acknowledge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any

from bot.sandbox.partner_center.offers import Shelf, fixed_id
from bot.sandbox.partner_center.records import Contact, Customer
from bot.sandbox.slack import Player, SlackSandbox
from handlers import ids

APPROVALS = "csp-approvals"
PATIENCE = 10.0
"""Seconds somebody looks at a form that does not come before they start over."""
_REQUEST = re.compile(r"R-[2-9A-Z]{10}")

Json = dict[str, Any]


def customers(count: int, *, today: date) -> Iterator[Customer]:
    """So many customers with one subscription each; no name is the beginning of another."""
    for number in range(count):
        domain = f"customer{number:05}.onmicrosoft.com"
        yield Customer(
            id=fixed_id(domain),
            name=f"Customer {number:05}",
            domain=domain,
            contact=Contact(first_name="Rosa", last_name="Delgado", email=f"rosa@{domain}"),
            country="US",
            city="Seattle",
            subscriptions=(Shelf(domain, today).new_commerce("Microsoft 365 E3", 10),),
        )


class Office:
    """`up` is awaited before anything is tried again: nobody hammers at a door that is shut."""

    def __init__(self, slack: SlackSandbox, *, up: Callable[[], Awaitable[None]]) -> None:
        self._slack = slack
        self._up = up
        self._clicked: set[str] = set()

    async def ask(self, operator: Player, customer: Customer) -> None:
        """Ask for a suspension, and do not let go before it is a request."""
        while not await self._asked(operator, customer):
            await self._up()

    async def approve_all(self, approver: Player) -> None:
        """Approve whatever is asked for, for ever."""
        while True:
            card = await self._slack.message_appears(APPROVALS, self._is_waiting, timeout=600)
            self._clicked.add(card["ts"])
            if not (await approver.click(card, "Approve")).ok:
                await self._up()
                self._clicked.discard(card["ts"])

    async def click_again(self, approver: Player, card: Json) -> None:
        """Click on a card that still has buttons though all is done, and see them go."""
        while not (await approver.click(card, "Approve")).ok:
            await self._up()
        await self._slack.message_appears(
            APPROVALS, lambda message: message["ts"] == card["ts"] and not has_buttons(message)
        )

    def cards(self) -> list[Json]:
        return self._slack.messages(APPROVALS)

    def _is_waiting(self, message: Json) -> bool:
        return message["ts"] not in self._clicked and has_buttons(message)

    async def _asked(self, operator: Player, customer: Customer) -> bool:
        if operator.modal():
            await operator.close_modal(everything=True)
        if not (await operator.command(f"/csp-suspend {customer.name}")).ok:
            return False
        try:
            await operator.modal_appears(callback_id=ids.SUSPEND_FORM, timeout=PATIENCE)
            await operator.choose(ids.REASON, "Non-payment")
            if not (await operator.submit()).ok:
                return False
            await operator.modal_appears(callback_id=ids.SUSPEND_CONFIRMATION, timeout=PATIENCE)
        except TimeoutError:
            return False
        while not (confirmed := await operator.submit()).ok:
            await self._up()
        return (confirmed.body or {}).get("response_action") == "clear"


def has_buttons(message: Json) -> bool:
    return any(block["type"] == "actions" for block in message.get("blocks", ()))


def request_of(message: Json) -> str:
    """The id of the request a message is about."""
    found = _REQUEST.search(f"{message['text']} {message.get('blocks')}")
    return found[0] if found else ""


async def for_each(work: Callable[[Customer], Awaitable[None]], queue: Iterator[Customer]) -> int:
    """Take from a queue that several share; how many were taken."""
    taken = 0
    for customer in queue:
        await work(customer)
        taken += 1
        await asyncio.sleep(0)
    return taken
