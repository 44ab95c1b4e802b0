"""The state of the sandbox: all customers and subscriptions, and the one place that changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.sandbox.partner_center.activity import ActivityLog
from bot.sandbox.partner_center.records import Customer, Subscription


class Directory:
    """Customers by tenant id, and the log of what was done to their subscriptions.

    Every change makes a new version and tells the listeners.
    """

    def __init__(self, customers: Iterable[Customer], *, now: Callable[[], datetime]) -> None:
        self._customers = {customer.id.lower(): customer for customer in customers}
        self._listeners: list[Callable[[], object]] = []
        self._now = now
        self._due: list[tuple[datetime, Callable[[], object]]] = []
        self.log = ActivityLog(self.customers)

    @property
    def customers(self) -> tuple[Customer, ...]:
        self._do_what_is_due()
        return tuple(self._customers.values())

    def later(self, at: datetime, act: Callable[[], object]) -> None:
        """Let `act` happen at that moment of the clock; whoever looks afterwards sees it done."""
        self._due.append((at, act))

    def on_change(self, callback: Callable[[], object]) -> None:
        self._listeners.append(callback)

    def customer(self, customer_id: str) -> Customer | None:
        self._do_what_is_due()
        return self._customers.get(customer_id.lower())

    def named(self, text: str) -> Customer:
        """The customer of that id, domain or name, or the only one whose name begins so."""
        wanted = text.casefold()
        for test in (
            lambda c: wanted in {c.id.casefold(), c.domain.casefold(), c.name.casefold()},
            lambda c: c.name.casefold().startswith(wanted),
        ):
            found = [customer for customer in self.customers if test(customer)]
            if len(found) == 1:
                return found[0]
            if found:
                break
        raise LookupError(f"{len(found)} customers match {text!r}")

    def owner(self, subscription_id: str) -> tuple[Customer, Subscription]:
        """A subscription and whose it is; LookupError when nobody has it."""
        for customer in self.customers:
            for subscription in customer.subscriptions:
                if subscription.id.lower() == subscription_id.lower():
                    return customer, subscription
        raise LookupError(f"no subscription {subscription_id}")

    def change(self, subscription_id: str, **fields: Any) -> Subscription:
        """Change a subscription as anybody with a right to might: rules are not asked."""
        customer, before = self.owner(subscription_id)
        after = replace(before, **{"version": before.version + 1, "changed_at": self._now(), **fields})
        kept = tuple(after if s is before else s for s in customer.subscriptions)
        self._keep(replace(customer, subscriptions=kept))
        return after

    def add(self, customer_id: str, *bought: Subscription) -> None:
        """Give a customer more subscriptions, as new orders do."""
        customer = self._customers[customer_id.lower()]
        self._keep(replace(customer, subscriptions=customer.subscriptions + bought))

    def _do_what_is_due(self) -> None:
        now = self._now()
        due = [act for at, act in self._due if at <= now]
        self._due = [(at, act) for at, act in self._due if at > now]
        for act in due:
            act()

    def _keep(self, customer: Customer) -> None:
        self._customers[customer.id.lower()] = customer
        for tell in self._listeners:
            tell()
