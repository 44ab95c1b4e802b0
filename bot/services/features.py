"""Ask for what may not be there: a part of the API that a cloud lacks must cost its answer, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, TypeVar

from bot.domain.capability import Cloud, Feature, Outage, Support, missing, support
from bot.domain.errors import AccessDenied, BackstopError, FeatureMissing, NotFound, Rejected, Upstream
from bot.store import Store

REST: Final = timedelta(hours=24)
"""So long a feature that was refused is not asked for again."""
_MARK: Final = "feature:"
_NOT_HERE: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED})

log = logging.getLogger(__name__)

T = TypeVar("T")


class Features:
    def __init__(self, store: Store, *, cloud: Cloud, now: Callable[[], datetime]) -> None:
        self._store = store
        self._cloud = cloud
        self._now = now

    async def ask(self, feature: Feature, call: Callable[[], Awaitable[T]]) -> T | None:
        """The call's answer; None where this cloud does not offer it, refused it, or does not answer now.

        After a refusal (403, 404, 501) it is left alone for a day; `unavailable` says so.
        """
        if support(feature, self._cloud) is Support.NO or await self._rests(feature):
            return None
        try:
            return await call()
        except (Upstream, NotFound) as error:
            if _is_not_here(error):
                await self._mark(feature, error)
            log.warning("%s: %s %s", feature.value, error.code, getattr(error, "reason", ""))
            return None

    async def unavailable(self) -> tuple[Outage, ...]:
        """What cannot be used now: what this cloud does not have, then what was refused."""
        async with self._store.read() as tx:
            marks = await tx.marks.beginning(_MARK)
        refused = (
            Outage(feature, str(marks[name][1].get("why", "")), marks[name][0] + REST)
            for feature in Feature
            if (name := _MARK + feature.value) in marks and self._now() < marks[name][0] + REST
        )
        return (*missing(self._cloud), *refused)

    async def _rests(self, feature: Feature) -> bool:
        async with self._store.read() as tx:
            mark = await tx.marks.get(_MARK + feature.value)
        return mark is not None and self._now() < mark[0] + REST

    async def _mark(self, feature: Feature, error: BackstopError) -> None:
        reason = getattr(error, "reason", "")
        why = f"{error.code} {reason}".strip()
        async with self._store.begin() as tx:
            await tx.marks.set(_MARK + feature.value, at=self._now(), why=why)


def _is_not_here(error: BackstopError) -> bool:
    if isinstance(error, AccessDenied | NotFound | FeatureMissing):
        return True
    return isinstance(error, Rejected) and error.status in _NOT_HERE
