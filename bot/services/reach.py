"""Holds what somebody asks for or approves against the scopes of the billing policy; what they owe is read anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.domain.action import Reason
from bot.domain.customer import Cloud, Customer, CustomerId
from bot.domain.glass import BreakGlass
from bot.domain.people import Person, Right
from bot.domain.policy import BillingPolicy, InForce
from bot.domain.reach import About, must_reach
from bot.domain.request import ActionRequest
from bot.services.day import day_of, exposure_now
from bot.store import Store, Tx


class Reach:
    """One policy for one question: it may change between two."""

    def __init__(
        self,
        store: Store,
        in_force: Callable[[], InForce],
        *,
        cloud: Cloud,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._in_force = in_force
        self._cloud = cloud
        self._zone = zone
        self._now = now

    @property
    def _policy(self) -> BillingPolicy:
        return self._in_force().policy

    @property
    def break_glass(self) -> BreakGlass | None:
        """Who may break the glass now, and for what."""
        return self._policy.break_glass

    async def debtors(self, customer: Customer) -> tuple[str, ...]:
        """The customer's keys in the books, where an amount counts for anything; reads all of the books."""
        policy = self._policy
        if not policy.counts_amounts:
            return ()
        now = self._now()
        on = now.astimezone(self._zone).date()
        async with self._store.read() as tx:
            day = await day_of(
                tx, on, policy=policy, asked_at=now, zone=self._zone, besides=customer, keeps_items=False
            )
        return tuple(party.customer_key for party in day.debtors_of(customer.id))

    async def must_reach(
        self,
        tx: Tx,
        right: Right,
        *,
        by: Person,
        request_id: str,
        channel: str,
        reason: Reason,
        customer_id: CustomerId,
        debtors: Sequence[str],
    ) -> None:
        """Raise BeyondRights where the policy limits that right and this is outside."""
        policy = self._policy
        grants = [grant for grant in policy.rights if grant.may is right]
        counts = any(grant.up_to is not None for grant in grants)
        owed = await self._overdue(tx, policy, customer_id, debtors) if counts else None
        must_reach(grants, right, by, About(request_id, channel, self._cloud, reason, owed))

    async def needs_code(self, tx: Tx, request: ActionRequest) -> bool:
        """Whether an approval of it needs a code besides."""
        policy = self._policy
        if policy.step_up is None:
            return False
        counts = policy.step_up.over is not None
        about = request.action
        owed = await self._overdue(tx, policy, about.customer_id, request.debtors) if counts else None
        return policy.step_up.is_needed(about, owed)

    async def _overdue(
        self, tx: Tx, policy: BillingPolicy, customer_id: CustomerId, debtors: Sequence[str]
    ) -> Mapping[str, Decimal] | None:
        """What they have overdue by the books; None where the books do not know them, are old or have gaps."""
        if not debtors:
            return None
        owed = await exposure_now(tx, customer_id, debtors, policy=policy, at=self._now(), zone=self._zone)
        return {currency: debt.overdue for currency, debt in owed.items()} if owed is not None else None
