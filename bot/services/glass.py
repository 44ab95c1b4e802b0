"""What follows a broken glass: everybody is told, somebody else reviews it, and until then it comes up every day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.glass import BrokenGlass, Finding
from bot.domain.people import Person
from bot.domain.request import ActionRequest
from bot.services import jobs
from bot.store import Store

TOLD_FOR: Final = timedelta(hours=1)
TOLD_EVERY: Final = timedelta(minutes=5)
"""So long, and so often, whoever Slack would not tell is tried again."""


class Glass:
    """The glass itself is broken in `Requests`, where approvals are given."""

    def __init__(
        self, store: Store, courier: Courier, *, zone: ZoneInfo, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._courier = courier
        self._zone = zone
        self._now = now

    async def get(self, request_id: str) -> tuple[BrokenGlass, ActionRequest]:
        """With the request it was broken for. Raises NotFound."""
        async with self._store.read() as tx:
            broken = await tx.glasses.get(request_id, to_change=False)
            return broken, await tx.requests.get(request_id, to_change=False)

    async def may_review(self, request_id: str, *, by: Person) -> tuple[BrokenGlass, ActionRequest]:
        """As `get`, if this person could review it now; else the refusal that a review would meet."""
        broken, request = await self.get(request_id)
        broken.must_be_reviewable(by=by)
        return broken, request

    async def review(self, request_id: str, finding: Finding, note: str, *, by: Person) -> BrokenGlass:
        async with self._store.begin() as tx:
            broken = (await tx.glasses.get(request_id)).review(finding, note, by=by, at=self._now())
            await tx.glasses.save(broken)
            facts = {"finding": finding.value, "note": broken.reviewed and broken.reviewed.note}
            await tx.audit.append(
                AuditTag.REQUEST_GLASS_REVIEWED, request_id, by=by.id, broken_by=broken.by, **facts
            )
            await self._courier.send(tx.connection, jobs.tell_glass(broken))
        return broken

    async def unreviewed(self) -> list[BrokenGlass]:
        """Oldest first."""
        async with self._store.read() as tx:
            return await tx.glasses.unreviewed()

    async def to_be_reminded_of(self) -> list[BrokenGlass]:
        """What waited for its review already when the day's reminder was due; oldest first."""
        at = self._now()
        return [b for b in await self.unreviewed() if b.must_be_reminded_of(at, zone=self._zone)]

    async def sweep(self) -> None:
        """Have the day's reminder given, and told once more what Slack may not have heard."""
        at = self._now()
        async with self._store.begin() as tx:
            if any(b.must_be_reminded_of(at, zone=self._zone) for b in await tx.glasses.unreviewed()):
                await self._courier.send(tx.connection, jobs.remind_of_reviews(at.astimezone(self._zone)))
            for broken in await tx.glasses.touched(since=at - TOLD_FOR):
                if again := int((at - broken.touched_at) / TOLD_EVERY):
                    await self._courier.send(tx.connection, jobs.tell_glass(broken, again=again))
