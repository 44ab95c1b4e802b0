"""Graph: the partner security alerts of Microsoft Graph, read and written.

learn.microsoft.com/graph/api/resources/partner-security-partnersecurityalert. It is a beta: it may change.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import httpx

from bot import correlation
from bot.domain.errors import Rejected, Unavailable
from bot.domain.observation import VendorAlert
from bot.domain.vendor import AlertUpdate, Outcome
from bot.partner_center.answers import Sought
from bot.partner_center.cloud import CloudHosts
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.reading import MOST_PAGES, Reads, of_a_part
from bot.partner_center.risk_wire import CONTENT, security_alert
from bot.partner_center.wire import graph_page

_ALERTS: Final = "/beta/security/partner/securityAlerts"
_SAID: Final[Mapping[Outcome, Mapping[str, str]]] = MappingProxyType(
    {
        Outcome.INVESTIGATING: {"status": "investigating"},
        Outcome.FRAUD: {"status": "resolved", "resolvedReason": "fraud"},
        Outcome.LEGITIMATE: {"status": "resolved", "resolvedReason": "legitimate"},
        Outcome.IGNORE: {"status": "resolved", "resolvedReason": "ignore"},
    }
)


class Graph:
    """What raises and what stands when it does is as with `PartnerCenter`."""

    def __init__(
        self,
        *,
        cloud: CloudHosts,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        max_concurrency: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        locale: str = "en-US",
    ) -> None:
        """`http` signs in for Graph by itself (`SignIn(resource=cloud.graph, …)`) and is closed by its owner."""
        self._cloud = cloud
        self._now = now
        self._exchange = Exchange(
            http=http, max_concurrency=max_concurrency, now=now, sleep=sleep, jitter=jitter, locale=locale
        )
        self._reads = Reads(self._exchange, resolve=cloud.resolve_graph)

    @property
    def answered(self) -> Mapping[str, int]:
        """How often each kind of answer came, see `Exchange`."""
        return self._exchange.answered

    async def security_alerts(self) -> AsyncIterator[VendorAlert]:
        """All partner security alerts, resolved ones and tests too."""
        call = self._call(_ALERTS, Sought("security-alert", ""))
        async for alert in of_a_part(self._alerts(call), call, named="security-alerts"):
            yield alert

    async def _alerts(self, call: Call) -> AsyncIterator[VendorAlert]:
        asked = set[str]()
        read = partial(graph_page, read=partial(security_alert, now=self._now()))
        for _ in range(MOST_PAGES):
            asked.add(call.url)
            page = await self._reads.listed(call, read)
            for alert in page.values:
                yield alert
            if page.next_uri is None:
                return
            call = replace(call, url=self._reads.at_home(page.next_uri, call), request_id=uuid4())
            if call.url in asked:
                break
        raise Unavailable(reason="endless-list", correlation_id=call.correlation_id)

    async def update_alert(self, update: AlertUpdate) -> None:
        """Tell Microsoft what came of an alert: it only marks it. May be sent again.

        Raises `Rejected` where the id is ours: an alert that came without one cannot be named to Microsoft.
        """
        call = self._call(
            f"{_ALERTS}/{quote(update.alert_id, safe='')}", Sought("security-alert", update.alert_id)
        )
        if update.alert_id.startswith(CONTENT):
            raise Rejected(reason="no-alert-id", correlation_id=call.correlation_id)
        body = json.dumps(_SAID[update.outcome]).encode("ascii")
        await self._exchange.read(replace(call, method="PATCH", body=body))

    def _call(self, path: str, sought: Sought) -> Call:
        correlation_id = correlation.current() or str(uuid4())
        # What Graph calls the correlation id: learn.microsoft.com/graph/best-practices-concept
        headers = {"client-request-id": correlation_id}
        return Call("GET", f"{self._cloud.graph}{path}", sought, correlation_id, headers)
