"""Take in what Partner Center sends: each event once, and in the same transaction pass it on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from bot.courier import Courier
from bot.domain.errors import Unavailable
from bot.partner_center.webhook import ACCEPTED_FOR, PartnerCenterEvent, Unsigned, Unusable, Webhook
from bot.services import jobs
from bot.store import Store, Tx

EVENTS_WAIT: Final = timedelta(minutes=1)
"""The most an event waits; all about one customer that come until then ask for one reading."""
_NOT_OF_RISK: Final = ("invoice-", "referral-")
_MARK: Final = "pc-event:"
_KEPT: Final = ACCEPTED_FOR + timedelta(days=1)
"""Longer than an event is accepted, so that none is taken in twice."""

log = logging.getLogger(__name__)

OnEvent = Callable[[Tx, PartnerCenterEvent], Awaitable[None]]
"""What is done about an event, within the transaction that remembers it: both are kept, or neither."""


class Heard(Enum):
    TAKEN = auto()
    """Also where it had come before, or only tries whether we can be reached."""
    UNSIGNED = auto()
    UNUSABLE = auto()
    LATER = auto()
    """We could not tell now, or not remember it: let it be sent again."""


class Events:
    def __init__(
        self, store: Store, webhook: Webhook, *, on_event: OnEvent, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._webhook = webhook
        self._on_event = on_event
        self._now = now

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Heard:
        """Something that came over HTTP. Never raises but what is a mistake of ours."""
        try:
            event = await self._webhook.verify(headers, body)
            if not event.is_test:
                await self._take(event)
        except Unsigned as error:
            log.warning("what came as an event of Partner Center is not signed by it: %s", error)
            return Heard.UNSIGNED
        except Unusable as error:
            log.warning("an event of Partner Center cannot be used: %s", error)
            return Heard.UNUSABLE
        except Unavailable as error:
            log.warning("an event of Partner Center waits to be sent again: %s", error.reason)
            return Heard.LATER
        return Heard.TAKEN

    async def _take(self, event: PartnerCenterEvent) -> None:
        now = self._now()
        async with self._store.begin() as tx:
            if not await tx.marks.claim(_MARK + event.key, at=now, event=event.name):
                log.info("%s came again", event.name)
                return
            await tx.marks.forget(_MARK, before=now - _KEPT)
            await self._on_event(tx, event)


class AskToRead:
    """Have whom an event is about looked at soon; everybody where it does not tell, and we do not know."""

    def __init__(self, courier: Courier, *, now: Callable[[], datetime]) -> None:
        self._courier = courier
        self._now = now

    async def __call__(self, tx: Tx, event: PartnerCenterEvent) -> None:
        if event.name.lower().startswith(_NOT_OF_RISK):
            return
        customer = event.customer_id
        if customer is None and event.subscription_id:
            known = await tx.mirror.subscription(event.subscription_id)
            customer = known.customer_id if known else None
        now, wait = self._now().timestamp(), EVENTS_WAIT.total_seconds()
        window = int(now // wait) + 1
        job = jobs.read_risk(customer, slot=f"event:{window}", delay=window * wait - now)
        await self._courier.send(tx.connection, job)
