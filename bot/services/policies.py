"""The billing policy in force: the file's, or the last good one where the file is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot import policy_file
from bot.domain.audit import AuditTag
from bot.domain.policy import BillingPolicy, InForce
from bot.policy_file import BadPolicy
from bot.store import Store
from bot.store.policies import KeptPolicy

log = logging.getLogger(__name__)


class Policies:
    """Each reading of `in_force` is one whole policy; whoever decides something takes it once and stays with it."""

    def __init__(
        self, store: Store, path: Path | None, *, zone: ZoneInfo, now: Callable[[], datetime], host: str = ""
    ) -> None:
        self._store = store
        self._path = path
        self._zone = zone
        self._now = now
        self._host = host
        self._seen: str | None = None
        """What the file said when it was last looked at; None where it could not be read."""
        self._in_force: InForce | None = None

    def in_force(self) -> InForce:
        if self._in_force is None:
            raise RuntimeError("the billing policy was not begun with")
        return self._in_force

    async def begin(self, *, keeps: bool) -> None:
        """Put a policy in force. Raises BadPolicy where the file is refused and no earlier one is known.

        With `keeps` it is remembered as the last good one; without, as for a single command, nothing is written.
        """
        async with self._store.read() as tx:
            last = await tx.policies.newest()
        try:
            text = self._seen = await asyncio.to_thread(policy_file.read, self._path)
            policy = self._parsed(text, known=last.version if last else "")
        except BadPolicy as refused:
            if last is None:
                raise
            policy = policy_file.parse(last.text, name="the last good billing policy")
            self._in_force = InForce(policy, since=last.since, refused=str(refused))
            log.warning("%s; version %s, the last good one, stays in force", refused, policy.version)
            return
        if keeps:
            await self._enforce(text, policy)
        else:
            since = last.since if last and last.version == policy.version else None
            self._in_force = InForce(policy, since=since)

    async def reread(self) -> None:
        """Put a changed file in force. One that is refused changes nothing, and why is told."""
        was, text = self.in_force(), None
        try:
            text = await asyncio.to_thread(policy_file.read, self._path)
            if text == self._seen:
                return
            policy = self._parsed(text, known=was.policy.version)
        except BadPolicy as refused:
            self._seen, why = text, str(refused)
            if why != was.refused:
                log.warning("%s; version %s stays in force", why, was.policy.version)
                self._in_force = InForce(was.policy, since=was.since, refused=why)
            return
        await self._enforce(text, policy)

    def _parsed(self, text: str, *, known: str) -> BillingPolicy:
        """An exception that has ended is refused in a text that is new; the one in force merely outlives it."""
        today = self._today() if policy_file.version_of(text) != known else None
        return policy_file.parse(text, name=policy_file.name_of(self._path), today=today)

    async def _enforce(self, text: str, policy: BillingPolicy) -> None:
        kept = await self._keep(text, policy.version)
        if self._in_force is None or self._in_force.policy.version != policy.version:
            log.info("billing policy %s, version %s", policy_file.name_of(self._path), policy.version)
        self._in_force, self._seen = InForce(policy, since=kept.since), text

    async def _keep(self, text: str, version: str) -> KeptPolicy:
        """The newest that was kept, which is this one by then. Several processes may do it at once."""
        async with self._store.begin() as tx:
            while True:
                last = await tx.policies.newest()
                if last and last.version == version:
                    return last
                kept = KeptPolicy(last.seq + 1 if last else 1, version, text, self._now(), self._host)
                if await tx.policies.add(kept):
                    await tx.audit.append(
                        AuditTag.POLICY_CHANGED,
                        version,
                        before=last.version if last else None,
                        host=self._host,
                        file=policy_file.name_of(self._path),
                    )
                    return kept

    def _today(self) -> date:
        return self._now().astimezone(self._zone).date()
