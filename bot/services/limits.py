"""The circuit breaker: so many suspensions a day over all replicas, and what lifts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.errors import DayOver
from bot.domain.limit import DailyLimit
from bot.domain.people import Person
from bot.services import jobs
from bot.store import Store, Tx


class Limits:
    def __init__(
        self, store: Store, courier: Courier, *, most: int, zone: ZoneInfo, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._courier = courier
        self._most = most
        self._zone = zone
        self._now = now

    @property
    def most(self) -> int:
        """Suspensions a day, unless lifted."""
        return self._most

    def day(self) -> date:
        """The day that is counted now, in the partner's zone."""
        return self._now().astimezone(self._zone).date()

    def tomorrow(self) -> datetime:
        """When the next day begins to be counted."""
        return self._begin_of(self.day() + timedelta(days=1))

    async def within(self, tx: Tx, *, to_change: bool = False) -> DailyLimit:
        """Today's limit inside a transaction; whoever counts next waits until it ends."""
        day = self.day()
        begun = await tx.requests.suspended_since(self._begin_of(day))
        lifted_by = await tx.limits.lifted_by(day, to_change=to_change)
        return DailyLimit(day, self._most, begun, lifted_by)

    async def today(self) -> DailyLimit:
        async with self._store.read() as tx:
            return await self.within(tx)

    async def of(self, day: date) -> DailyLimit:
        """As it stands today, or as it was left on an earlier day (its count is then not told)."""
        if day == self.day():
            return await self.today()
        async with self._store.read() as tx:
            return DailyLimit(day, self._most, 0, await tx.limits.lifted_by(day))

    async def lift(self, day: date, *, by: Person) -> DailyLimit:
        """One approver's word that the limit shall not hold today; enough of them let go what waits.

        Raises NotPermitted, AlreadyLifted, or DayOver for another day than today.
        """
        if day != self.day():
            raise DayOver(day.isoformat())
        async with self._store.begin() as tx:
            limit = (await self.within(tx, to_change=True)).lift(by=by)
            at = self._now()
            await tx.limits.lift(day, by=by.id, at=at)
            tag = AuditTag.LIMIT_LIFTED if limit.is_lifted else AuditTag.LIMIT_LIFT_ASKED
            await tx.audit.append(
                tag, f"limit:{day.isoformat()}", by=by.id, most=limit.most, begun=limit.begun
            )
            if limit.is_lifted:
                for request in await tx.requests.waiting_for_the_limit():
                    released = request.go_on(at=at)
                    await tx.requests.save(released)
                    await self._courier.send(tx.connection, jobs.execute(released))
                    await self._courier.send(tx.connection, jobs.show_request(released))
            await self._courier.send(tx.connection, jobs.show_limit(day))
        return limit

    def _begin_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone)
