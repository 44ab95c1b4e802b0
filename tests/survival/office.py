"""People at work: they ask and approve through Slack, and do again what Slack did not acknowledge."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any

from bot.domain.action import Reason
from bot.sandbox.partner_center.offers import Shelf, fixed_id
from bot.sandbox.partner_center.records import Contact, Customer
from bot.sandbox.slack import Player, SlackSandbox
from bot.texts import for_locale
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
        self.left_alone: set[str] = set()
        """Names of customers on whose cards the approvers do not click for now."""

    async def ask(self, operator: Player, customer: Customer) -> None:
        """Ask for a suspension, and do not let go before it is a request."""
        while not (await self._asked(operator, customer) or self._shows(customer)):
            await self._up()

    async def approve_all(self, approver: Player) -> None:
        """Approve whatever is asked for, for ever; others may be quicker."""
        heard_before: dict[str, int] = {}

        def asks(message: Json) -> bool:
            """Not clicked yet, or told since that it did not count."""
            if any(name in message["text"] for name in self.left_alone):
                return False
            before = heard_before.get(message["ts"], -1)
            return ids.APPROVE in buttons(message) and before < self.told_to_come_back(approver)

        while True:
            card = await self._slack.message_appears(APPROVALS, asks, timeout=600)
            if card["ts"] in heard_before:
                await self._up()
            heard_before[card["ts"]] = self.told_to_come_back(approver)
            if not (await approver.click(card, ids.APPROVE)).ok:
                await self._up()
                del heard_before[card["ts"]]

    def told_to_come_back(self, person: Player) -> int:
        """How often somebody read, and nobody else: the database does not answer, please try again."""
        texts = for_locale(person.person.locale, default="en")
        words = {texts("error-unavailable-database"), texts("error-unanswered")}
        return person.sees(lambda m: m["ephemeral"] and m["text"] in words, APPROVALS)

    async def click_again(self, approver: Player, card: Json) -> None:
        """Click on a card that still has buttons though all is done, and see them go."""
        while not (await approver.click(card, buttons(card)[0])).ok:
            await self._up()
        await self._slack.message_appears(
            APPROVALS, lambda message: message["ts"] == card["ts"] and not buttons(message)
        )

    def cards(self) -> list[Json]:
        """Everything in the channel but what was said to one person alone."""
        return [message for message in self._slack.messages(APPROVALS) if not message.get("ephemeral")]

    async def _asked(self, operator: Player, customer: Customer) -> bool:
        if operator.modal():
            await operator.close_modal(everything=True)
        answer = await operator.command(f"/csp-suspend {customer.name}")
        if not answer.ok or answer.body:  # words instead of a form
            return False
        try:
            form = await operator.modal_appears(callback_id=ids.SUSPEND_FORM, timeout=PATIENCE)
            await operator.choose(ids.REASON, option_of(form, ids.REASON, Reason.NON_PAYMENT))
            if not (await operator.submit()).ok:
                return False
            await operator.modal_appears(callback_id=ids.SUSPEND_CONFIRMATION, timeout=PATIENCE)
        except TimeoutError:
            return False
        while not (confirmed := await operator.submit()).ok:
            await self._up()
        return (confirmed.body or {}).get("response_action") == "clear"

    def _shows(self, customer: Customer) -> bool:
        """Whether the channel says that it is a request, though whoever asked was not told so."""
        return any(customer.name in card["text"] for card in self.cards())


def buttons(message: Json) -> list[str]:
    """The action ids of a message's buttons."""
    rows = (block["elements"] for block in message.get("blocks", ()) if block["type"] == "actions")
    return [element["action_id"] for row in rows for element in row]


def option_of(form: Json, action_id: str, value: str) -> Json:
    """By its value: not everybody reads English."""
    select = next(
        block["element"] for block in form["blocks"] if block.get("element", {}).get("action_id") == action_id
    )
    return next(dict(option) for option in select["options"] if option["value"] == value)


def request_of(message: Json) -> str:
    """The id of the request a message is about."""
    found = _REQUEST.search(f"{message['text']} {message.get('blocks')}")
    return found[0] if found else ""
