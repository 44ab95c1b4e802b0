"""Suspend or resume one subscription: exactly once, and never in doubt about what is known.

learn.microsoft.com/partner-center/developer/suspend-a-subscription and reactivate-a-suspended-a-subscription
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from uuid import UUID, uuid4, uuid5

from bot.domain.customer import CustomerId, Subscription, SubscriptionId, SubscriptionStatus
from bot.domain.errors import BackstopError, Conflict, NotReady, Unavailable, Upstream
from bot.partner_center.answers import STALE_ETAG, Answer, Trouble
from bot.partner_center.exchange import LONGEST_WAIT, MORE_TRIES, Call, Exchange
from bot.partner_center.fields import Unreadable
from bot.partner_center.wire import Resource

NOT_SENT: Final = "not-sent"
"""The reason of an `Unavailable` after which nothing can have happened."""

READ_BACK: Final = (0.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before each look at what became of an accepted write."""


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


class StatusChange:
    """One suspension or resumption, from the first look to the last.

    `_open` is the heart of it: an attempt is out whose answer never came. Then only a success, or seeing the
    wanted status, closes the question; every error that follows is an `Unavailable`, whatever else it says.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        call: Call,
        customer: CustomerId,
        subscription: SubscriptionId,
        wanted: SubscriptionStatus,
        request_id: UUID,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._exchange = exchange
        self._call = call
        self._customer = customer
        self._subscription = subscription
        self._wanted = wanted
        self._request_id = request_id
        self._sleep = sleep
        self._open = False
        self._was_stale = False
        self._refusal: BackstopError | None = None

    async def run(self, *, timeout: float) -> Written:
        """`timeout` is for getting an answer; looking what became of it takes its own time."""
        try:
            async with asyncio.timeout(timeout):
                written = await self._write()
        except TimeoutError:
            found = await self._found_done(timeout) if self._open else None
            if found is None:
                raise self._as_known(self._refusal or self._unavailable("timeout")) from None
            return found
        except BackstopError as error:
            raise self._as_known(error) from None
        return written if written.confirmed else await self._read_back(written)

    async def _write(self) -> Written:
        """Get the write accepted or find it done. Every further attempt is preceded by a look."""
        before = await self._look()
        if self._shows(before):
            return self._written(before, changed=False, confirmed=True)
        resource, request_id, tries = before, self._request_id, 0
        while True:
            outcome = await self._send(resource, request_id)
            if isinstance(outcome, Answer):
                return self._written(self._readable(outcome) or resource, changed=True, confirmed=False)
            again = await self._may_send_again(outcome, tries)
            if again or self._open:
                resource = await self._look()
                if self._shows(resource):
                    return self._written(resource, changed=self._open, confirmed=True)
            if not again:
                raise outcome.error
            if resource.differs_from(before):
                raise Conflict(reason="changed-meanwhile", correlation_id=self._call.correlation_id)
            if isinstance(outcome.error, Conflict | NotReady):
                # A definite answer uses a request id up. The next one follows from it, so that a repetition
                # after a crash repeats it too. learn.microsoft.com/partner-center/developer/test-and-debug
                request_id = uuid5(request_id, outcome.error.reason)
            tries += 1

    async def _may_send_again(self, trouble: Trouble, tries: int) -> bool:
        """Whether another attempt makes sense; if so, the time to wait for it has passed."""
        if tries == MORE_TRIES:
            return False
        if _is_stale(trouble):
            first, self._was_stale = not self._was_stale, True
            return first
        return trouble.passes and await self._exchange.wait(trouble, tries)

    async def _send(self, resource: Resource, request_id: UUID) -> Answer | Trouble:
        was_open, self._open = self._open, True  # should we be cancelled on the way, it stays so
        outcome = await self._exchange.once(
            replace(
                self._call,
                method="PATCH",
                body=resource.with_status(self._wanted),
                headers={"If-Match": resource.if_match} if resource.if_match else {},
                request_id=request_id,
            )
        )
        if isinstance(outcome, Answer):
            self._open = False
        else:
            self._open = was_open or outcome.effect_open
            self._refusal = outcome.error
        return outcome

    async def _look(self) -> Resource:
        answer = await self._exchange.read(replace(self._call, request_id=uuid4()))
        resource = self._readable(answer)
        if resource is None:
            raise self._unavailable("unreadable")
        return resource

    async def _found_done(self, timeout: float) -> Written | None:
        """One last look, after the time for an answer is over."""
        try:
            async with asyncio.timeout(timeout):
                outcome = await self._exchange.once(replace(self._call, request_id=uuid4()))
        except TimeoutError:
            return None
        resource = self._readable(outcome) if isinstance(outcome, Answer) else None
        if resource is None or not self._shows(resource):
            return None
        return self._written(resource, changed=True, confirmed=True)

    async def _read_back(self, written: Written) -> Written:
        """Look until the wanted status shows. The write was accepted: a look that fails does not undo it."""
        asked_to_wait = 0.0
        for pause in READ_BACK:
            if wait := max(pause, asked_to_wait):
                await self._sleep(wait)
            asked_to_wait = 0.0
            outcome = await self._exchange.once(replace(self._call, request_id=uuid4()))
            if isinstance(outcome, Trouble):
                asked_to_wait = min(outcome.retry_after or 0.0, LONGEST_WAIT)
            elif resource := self._readable(outcome):
                written = self._written(resource, changed=True, confirmed=self._shows(resource))
                if written.confirmed:
                    break
        return written

    def _readable(self, answer: Answer) -> Resource | None:
        try:
            return Resource.read(answer.value, customer=self._customer, id=self._subscription)
        except Unreadable:
            return None

    def _shows(self, resource: Resource) -> bool:
        return resource.subscription.status is self._wanted

    def _written(self, resource: Resource, *, changed: bool, confirmed: bool) -> Written:
        return Written(
            subscription=resource.subscription,
            changed=changed,
            correlation_id=self._call.correlation_id,
            confirmed=confirmed,
        )

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(reason=reason, correlation_id=self._call.correlation_id)

    def _as_known(self, error: BackstopError) -> BackstopError:
        """The error, told so that its type says whether the write can have been taken."""
        if self._open or type(error) is Unavailable:
            upstream = error if isinstance(error, Upstream) else self._unavailable(error.code)
            return Unavailable(
                reason=upstream.reason if self._open else NOT_SENT,
                status=upstream.status,
                correlation_id=self._call.correlation_id,
                detail=upstream.detail or upstream.reason,
            )
        return error


def _is_stale(trouble: Trouble) -> bool:
    """Whether the etag sent was not the latest."""
    error = trouble.error
    return isinstance(error, Conflict) and (
        error.reason == STALE_ETAG or error.status == HTTPStatus.PRECONDITION_FAILED
    )
