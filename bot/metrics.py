"""What `/metrics` tells, in the text format of Prometheus. No name, id or secret is in it: anybody may ask."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isinf
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from bot.measures import Timing
from bot.services import Backstop

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
KEPT_SECONDS: Final = 5.0
"""Whoever asks more often is told the same again: asking must not keep the database busy."""
PATIENCE: Final = 5.0
"""Seconds for each thing that the database is asked."""

log = logging.getLogger(__name__)

Due = Callable[[], tuple[str, datetime] | None]
"""The key of the newest digest of a kind that should be posted by now, and when it was due; None: there is none."""


@dataclass(frozen=True)
class Counted:
    """What this process counts by itself."""

    acks: Timing
    microsoft: Mapping[str, Mapping[str, int]]
    """By API, how often it gave which kind of answer."""
    at_once: Callable[[], int]
    """How many calls Partner Center may get at once by now; fewer after it has throttled."""


class Metrics:
    """Numbers of this process, and how things stand in the database for all of them."""

    def __init__(
        self,
        backstop: Backstop,
        counted: Counted,
        *,
        queue: Callable[[], Awaitable[int]],
        digests: Mapping[str, Due],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backstop = backstop
        self._waiting_jobs = queue
        self._counted = counted
        self._digests = digests
        self._clock = clock
        self._process = ProcessCollector(registry=None)
        self._told = b""
        self._told_at = -KEPT_SECONDS
        self._telling = asyncio.Lock()

    async def text(self) -> tuple[bytes, str]:
        """All of it, and its content type; what cannot be found out is left out."""
        async with self._telling:
            if self._clock() - self._told_at >= KEPT_SECONDS:
                self._told = generate_latest(_Found([metric async for metric in self._all()]))
                self._told_at = self._clock()
            return self._told, CONTENT_TYPE

    async def _all(self) -> AsyncIterator[Metric]:
        yield self._acks()
        yield self._microsoft()
        yield _gauge(
            "partner_center_calls_at_once",
            "Calls that Partner Center may get at once; fewer after it has throttled.",
            self._counted.at_once(),
        )
        for found in (self._approvals, self._queue, self._lateness, self._mirror):
            try:
                async with asyncio.timeout(PATIENCE):
                    metric = await found()
            except Exception as error:  # whatever it is, the others are told
                log.warning("not all metrics can be told: %s", type(error).__name__)
            else:
                if metric:
                    yield metric
        for metric in self._process.collect():
            yield metric

    def _acks(self) -> Metric:
        acks = self._counted.acks
        return HistogramMetricFamily(
            "backstop_ack_seconds",
            "Time from what Slack sends until it is acknowledged.",
            buckets=[("+Inf" if isinf(bound) else str(bound), count) for bound, count in acks],
            sum_value=acks.total,
        )

    def _microsoft(self) -> Metric:
        found = CounterMetricFamily(
            "backstop_microsoft_requests",
            "Requests to Microsoft by API and kind of answer; a call that is tried again counts each time.",
            labels=["api", "answer"],
        )
        for api, answers in self._counted.microsoft.items():
            for answer, count in sorted(answers.items()):
                found.add_metric([api, answer], count)
        return found

    async def _approvals(self) -> Metric | None:
        waiting = {
            "request": await self._backstop.requests.waiting(),
            "ticket": await self._backstop.tickets.waiting(),
        }
        return _gauge("approvals_waiting", "What waits for an approver's decision.", waiting, label="kind")

    async def _queue(self) -> Metric | None:
        return _gauge("queue_depth", "Jobs that are due and not begun.", await self._waiting_jobs())

    async def _lateness(self) -> Metric | None:
        found = {}
        for digest, due in self._digests.items():
            now_due = due()
            late = await self._backstop.posts.lateness(*now_due) if now_due else None
            if late is not None:
                found[digest] = late.total_seconds()
        return _gauge(
            "digest_lateness_seconds",
            "How long after its time the newest digest was posted, or how long it has been missing.",
            found,
            label="digest",
        )

    async def _mirror(self) -> Metric | None:
        as_of = await self._backstop.customers.mirrored_at()
        if as_of is None:
            return None
        return _gauge(
            "mirror_age_seconds",
            "Since customers and subscriptions were last read to the end.",
            (self._backstop.now() - as_of).total_seconds(),
        )


@dataclass(frozen=True, slots=True)
class _Found(Collector):
    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def _gauge(name: str, words: str, value: float | Mapping[str, float], *, label: str = "") -> Metric:
    made = GaugeMetricFamily(f"backstop_{name}", words, labels=[label] if label else None)
    for kind, one in value.items() if isinstance(value, Mapping) else [("", value)]:
        made.add_metric([kind] if label else [], one)
    return made
