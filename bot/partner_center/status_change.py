"""Suspend or resume one subscription.

learn.microsoft.com/partner-center/developer/suspend-a-subscription and reactivate-a-suspended-a-subscription
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from uuid import UUID, uuid5

from bot.domain.customer import CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.errors import BackstopError, Conflict, NotReady
from bot.domain.request import CHANGED_SINCE_CONFIRMED
from bot.partner_center.answers import STALE_ETAG, Trouble
from bot.partner_center.change import Change
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.wire import Resource


@dataclass(frozen=True, slots=True)
class Written:
    """What a write came to."""

    subscription: Subscription
    """As last seen."""
    changed: bool
    """False: it was as wanted already, and nothing was changed by this call."""
    correlation_id: str
    confirmed: bool
    """False: accepted, but it does not show yet; look again later."""


class StatusChange(Change[Resource]):
    """One suspension or resumption: the whole resource goes back with another status."""

    READ_BACK = (0.0, 2.0, 5.0, 10.0, 30.0)

    def __init__(
        self,
        exchange: Exchange,
        *,
        call: Call,
        customer: CustomerId,
        subscription: SubscriptionId,
        wanted: SubscriptionStatus,
        as_confirmed: str | None,
        request_id: UUID,
    ) -> None:
        super().__init__(exchange, call=call, request_id=request_id)
        self._customer = customer
        self._subscription = subscription
        self._wanted = wanted
        self._as_confirmed = as_confirmed
        self._was_stale = False

    async def run(self, *, timeout: float) -> Written:
        settled = await self._settle(timeout)
        return Written(
            subscription=settled.seen.subscription,
            changed=settled.changed,
            correlation_id=self._call.correlation_id,
            confirmed=settled.confirmed,
        )

    def _read(self, value: object) -> Resource:
        return Resource.read(value, customer=self._customer, id=self._subscription)

    def _shows(self, seen: Resource) -> bool:
        return seen.subscription.status is self._wanted

    def _agree(self, before: Resource) -> None:
        if self._as_confirmed not in (None, before.subscription.fingerprint):
            raise Conflict(reason=CHANGED_SINCE_CONFIRMED, correlation_id=self._call.correlation_id)

    def _write_call(self, seen: Resource) -> Call:
        return replace(
            self._call,
            method="PATCH",
            body=seen.with_status(self._wanted),
            headers={"If-Match": seen.if_match} if seen.if_match else {},
        )

    async def _may_send_again(self, trouble: Trouble, tries: int) -> bool:
        if _is_stale(trouble.error):
            first, self._was_stale = not self._was_stale, True
            return first
        return await super()._may_send_again(trouble, tries)

    def _next_request_id(
        self, request_id: UUID, error: BackstopError, *, before: Resource, now: Resource
    ) -> UUID:
        if now.differs_from(before):
            raise Conflict(reason="changed-meanwhile", correlation_id=self._call.correlation_id)
        if isinstance(error, Conflict | NotReady):
            # A definite answer uses a request id up. The next one follows from it, so that a repetition
            # after a crash repeats it too. learn.microsoft.com/partner-center/developer/test-and-debug
            return uuid5(request_id, error.reason)
        return request_id


def _is_stale(error: BackstopError) -> bool:
    """Whether the etag sent was not the latest."""
    return isinstance(error, Conflict) and (
        error.reason == STALE_ETAG or error.status == HTTPStatus.PRECONDITION_FAILED
    )
