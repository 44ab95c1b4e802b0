"""Slack's signature holds for five minutes, but what it is under is acted on once, whichever replica gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from bot.store import Store
from bot.store.marks import addition

KEPT: Final = timedelta(minutes=15)
"""Longer than a signature holds, also where the clocks of two replicas differ."""
_MARK: Final = "signature:"


class Signatures:
    """Those under which a click came. None is kept itself, only its hash."""

    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    async def is_new(self, signature: str) -> bool:
        """Remember it. Of several that ask at once, in any process, one is told True.

        Raises Unavailable when the database cannot be reached.
        """
        name = _MARK + hashlib.sha256(signature.encode()).hexdigest()[:48]
        return await self._store.claim(addition(name, at=self._now()))

    async def forget_old(self) -> None:
        async with self._store.begin() as tx:
            await tx.marks.forget(_MARK, before=self._now() - KEPT)
