"""Follow a customer's debt up: snooze it or wake it, record a promise to pay, name who looks after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.collection import History
from bot.domain.customer import Customer, CustomerId
from bot.domain.errors import NotFound
from bot.domain.followup import PROMISE, SNOOZE, Pause, check_promise, check_snooze
from bot.domain.people import Person, PersonId, Right
from bot.domain.policy import InForce
from bot.services import jobs
from bot.services.digests import Digests
from bot.store import Store, Tx


@dataclass(frozen=True, slots=True)
class Followed:
    """What has been said about a customer, as it stands today. `promises` are those of the present episode."""

    customer: Customer
    today: date
    overdue: dict[str, Decimal]
    """What counts as overdue, by currency."""
    snooze: Pause | None
    promise: Pause | None
    promises: int
    owner: PersonId | None


class FollowUp:
    """Whatever is said here is redrawn in the day's digest. Saying the same again changes nothing."""

    def __init__(
        self,
        store: Store,
        courier: Courier,
        digests: Digests,
        *,
        in_force: Callable[[], InForce],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._digests = digests
        self._in_force = in_force
        self._now = now

    async def of(self, customer_id: str) -> Followed:
        """Raises NotFound for a customer that is none of ours."""
        async with self._store.read() as tx:
            customer = await _customer(tx, customer_id)
            today = self._digests.today()
            day = await self._digests.day(tx, today)
            exposure = day.facts(customer.id).exposure
            return Followed(
                customer=customer,
                today=today,
                overdue={currency: debt.overdue for currency, debt in exposure.items()},
                snooze=day.snooze(customer.id),
                promise=day.promise(customer.id),
                promises=await _promises(tx, customer.id, today),
                owner=day.owners.get(customer.id),
            )

    async def snooze(self, customer_id: str, *, until: date, why: str, by: Person) -> Pause:
        """Leave them out of the digest until that day, or until more is overdue than now; nothing is proposed."""
        today = self._digests.today()
        check_snooze(until, why, by=by, on=today)
        known = await self.of(customer_id)
        pause = Pause(known.customer.id, SNOOZE, until, by.id, self._now(), why.strip(), known.overdue)
        async with self._store.begin() as tx:
            await tx.collections.hold(pause.tenant)
            standing = [p for p in await _standing(tx, pause.tenant, today) if p.kind == SNOOZE]
            if same := next((p for p in standing if (p.until, p.note) == (until, pause.note)), None):
                return same
            await tx.collections.wake([pause.tenant])
            await tx.collections.add(pause)
            await self._said(
                tx, AuditTag.CUSTOMER_SNOOZED, known.customer, by, until=until.isoformat(), why=pause.note
            )
        return pause

    async def wake(self, customer_id: str, *, by: Person) -> bool:
        """End the snooze; False when none stood."""
        by.must(Right.OPERATE)
        async with self._store.begin() as tx:
            customer = await _customer(tx, customer_id)
            await tx.collections.hold(customer.id)
            today = self._digests.today()
            if not any(p.kind == SNOOZE for p in await _standing(tx, customer.id, today)):
                return False
            await tx.collections.wake([customer.id])
            await self._said(tx, AuditTag.CUSTOMER_WOKEN, customer, by, why="asked")
        return True

    async def promise(self, customer_id: str, *, until: date, note: str, by: Person) -> Pause:
        """They said they would pay by that day: until then nobody is cut off, and what is promised waits."""
        today = self._digests.today()
        async with self._store.begin() as tx:
            customer = await _customer(tx, customer_id)
            await tx.collections.hold(customer.id)
            standing = [p for p in await _standing(tx, customer.id, today) if p.kind == PROMISE]
            if same := next((p for p in standing if p.until == until), None):
                by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
                return same
            made = await _promises(tx, customer.id, today)
            check_promise(until, made, self._in_force().policy.exit, by=by, on=today)
            pause = Pause(customer.id, PROMISE, until, by.id, self._now(), note.strip())
            await tx.collections.add(pause)
            await self._said(
                tx,
                AuditTag.CUSTOMER_PROMISED,
                customer,
                by,
                until=until.isoformat(),
                note=pause.note,
                promises=made + 1,
            )
        return pause

    async def look_after(self, customer_id: str, *, owner: PersonId | None, by: Person) -> None:
        """From now on that person looks after the customer; None: nobody in particular."""
        by.must(Right.OPERATE)
        async with self._store.begin() as tx:
            customer = await _customer(tx, customer_id)
            await tx.collections.hold(customer.id)
            before = await tx.owners.of(customer.id)
            if before == owner:
                return
            await tx.owners.set(customer.id, owner, by=by.id, at=self._now())
            await self._said(
                tx, AuditTag.CUSTOMER_OWNER_SET, customer, by, owner=owner or "", before=before or ""
            )

    async def _said(self, tx: Tx, tag: AuditTag, customer: Customer, by: Person, **facts: object) -> None:
        await tx.audit.append(tag, customer.id, by=by.id, customer_name=customer.name, **facts)
        await self._courier.send(tx.connection, jobs.redraw_overdue(self._digests.today()))


async def _customer(tx: Tx, customer_id: str) -> Customer:
    customer = await tx.mirror.customer(customer_id)
    if customer is None:
        raise NotFound("customer", customer_id)
    return customer


async def _standing(tx: Tx, customer_id: str, on: date) -> tuple[Pause, ...]:
    return (await tx.collections.pauses(on=on, only=customer_id)).get(customer_id, ())


async def _promises(tx: Tx, customer_id: CustomerId, on: date) -> int:
    """How often they promised in the present episode."""
    history = (await tx.collections.histories(on=on, only=customer_id)).get(customer_id, History())
    return await tx.collections.promises_since(customer_id, history.began or on)
