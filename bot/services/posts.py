"""Remember what was posted in Slack, so that nothing is posted twice and everything can be redrawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.domain.errors import Throttled, Unavailable, Upstream
from bot.store import Store
from bot.store.posts import Post

GIVEN_UP_AFTER = timedelta(seconds=60)
"""Longer than any post takes: a claim this old belongs to a process that died."""

Send = Callable[[], Awaitable[tuple[str, str]]]
"""Posts, and answers with channel and ts. A plain `Unavailable` means that it may have been posted."""


class Posts:
    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._worker = ""

    async def begin(self, worker: str) -> None:
        """Post under this name, and let go of what its last bearer claimed and did not live to post.

        As for `Execution.begin`: no two living workers bear one name.
        """
        self._worker = worker
        async with self._store.begin() as tx:
            await tx.posts.give_back(worker)

    async def find(self, key: str) -> Post | None:
        async with self._store.read() as tx:
            return await tx.posts.find(key)

    async def drawn(self, key: str, *, version: int) -> None:
        """Remember which version of a request its card shows; the sweep redraws what is behind."""
        async with self._store.begin() as tx:
            await tx.posts.drawn(key, version=version)

    async def lateness(self, key: str, due: datetime) -> timedelta | None:
        """How long after its time it was posted, or for how long it has been missing.

        None where nothing of its kind was ever posted: nobody waits for a first one. Keys end with the day.
        """
        async with self._store.read() as tx:
            post = await tx.posts.find(key)
            if post is None and await tx.posts.latest(key.rpartition(":")[0] + ":") is None:
                return None
        posted_at = post.claimed_at if post and post.ts else self._now()
        return max(posted_at - due, timedelta(0))

    async def latest(self, prefix: str) -> Post | None:
        """The newest post whose key begins so."""
        async with self._store.read() as tx:
            return await tx.posts.latest(prefix)

    async def once(self, key: str, send: Send, *, channel: str) -> bool:
        """Post what must never be posted twice; False when somebody has, or may have.

        It is claimed first. When the process dies between claim and answer nobody knows whether it was posted, and
        it is not tried again; when Slack says no, the claim is given back.
        """
        async with self._store.begin() as tx:
            if not await tx.posts.claim(key, channel=channel, at=self._now()):
                return False
        await self._send(key, send)
        return True

    async def at_least_once(self, key: str, send: Send, *, channel: str) -> bool:
        """Post what must not be missing; rather twice than not at all.

        False when it is posted already or somebody is at it this minute.
        """
        at = self._now()
        async with self._store.begin() as tx:
            claimed = await tx.posts.claim(
                key, channel=channel, at=at, holder=self._worker
            ) or await tx.posts.reclaim(key, at=at, before=at - GIVEN_UP_AFTER, holder=self._worker)
        if claimed:
            await self._send(key, send)
        return claimed

    async def _send(self, key: str, send: Send) -> None:
        try:
            channel, ts = await send()
        except Upstream as error:
            if isinstance(error, Unavailable) and not isinstance(error, Throttled):
                raise  # it may have been posted: the claim stands
            async with self._store.begin() as tx:
                await tx.posts.release(key)
            raise
        await self._store.keep(lambda tx: tx.posts.sent(key, channel=channel, ts=ts))
