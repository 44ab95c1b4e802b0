"""Change one thing at Microsoft: exactly once, and never in doubt about what is known."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Generic, TypeVar
from uuid import UUID, uuid4

from bot.domain.errors import BackstopError, Unavailable, Upstream
from bot.partner_center.answers import Answer, Trouble
from bot.partner_center.exchange import LONGEST_WAIT, MORE_TRIES, Call, Exchange
from bot.partner_center.fields import Unreadable

Seen = TypeVar("Seen")

NOT_SENT: Final = "not-sent"
"""The reason of an `Unavailable` after which nothing can have happened."""


@dataclass(frozen=True, slots=True)
class Settled(Generic[Seen]):
    """What a change came to."""

    seen: Seen
    """The thing as last seen."""
    changed: bool
    """False: it was as wanted already, and nothing was changed by this call."""
    confirmed: bool
    """False: accepted, but it does not show yet."""


class Change(ABC, Generic[Seen]):
    """One change, from the first look to the last. What is looked at and what is sent is for the subclass.

    `_open` is the heart of it: an attempt is out whose answer never came. Then only a success, or seeing the
    thing as wanted, closes the question; every error that follows is an `Unavailable`, whatever else it says.
    """

    READ_BACK: ClassVar[tuple[float, ...]]
    """Seconds before each look at what became of an accepted write."""

    def __init__(self, exchange: Exchange, *, call: Call, request_id: UUID) -> None:
        """`call` is the look; whatever else is sent is made from it."""
        self._exchange = exchange
        self._call = call
        self._request_id = request_id
        self._open = False
        self._refusal: BackstopError | None = None

    @abstractmethod
    def _read(self, value: object) -> Seen:
        """The thing as an answer shows it. Raises Unreadable, also when it is about something else."""

    @abstractmethod
    def _shows(self, seen: Seen) -> bool:
        """Whether it is as wanted."""

    def _agree(self, before: Seen) -> None:
        """Raise where what the first look shows is not what was to be changed: nothing is sent then."""

    @abstractmethod
    def _write_call(self, seen: Seen) -> Call:
        """What to send to make it so; it is given its request id when it is sent."""

    def _next_request_id(self, request_id: UUID, error: BackstopError, *, before: Seen, now: Seen) -> UUID:
        """The id for the attempt after `error`. Raises where the thing has become another one."""
        return request_id

    async def _may_send_again(self, trouble: Trouble, tries: int) -> bool:
        """Whether another attempt makes sense; if so, the time to wait for it has passed."""
        return trouble.passes and await self._exchange.wait(trouble, tries)

    async def _settle(self, timeout: float) -> Settled[Seen]:
        """`timeout` is for getting an answer; looking what became of it takes its own time."""
        try:
            async with asyncio.timeout(timeout):
                settled = await self._write()
        except TimeoutError:
            found = await self._found_done(timeout) if self._open else None
            if found is None:
                raise self._as_known(self._refusal or self._unavailable("timeout")) from None
            return found
        except BackstopError as error:
            raise self._as_known(error) from None
        return settled if settled.confirmed else await self._read_back(settled)

    async def _write(self) -> Settled[Seen]:
        """Get the write accepted or find it done. Every further attempt is preceded by a look."""
        before = await self._look()
        if self._shows(before):
            return Settled(before, changed=False, confirmed=True)
        self._agree(before)
        seen, request_id, tries = before, self._request_id, 0
        while True:
            outcome = await self._send(seen, request_id)
            if isinstance(outcome, Answer):
                return Settled(self._readable(outcome) or seen, changed=True, confirmed=False)
            again = tries < MORE_TRIES and await self._may_send_again(outcome, tries)
            if again or self._open:
                seen = await self._look()
                if self._shows(seen):
                    return Settled(seen, changed=self._open, confirmed=True)
            if not again:
                raise outcome.error
            request_id = self._next_request_id(request_id, outcome.error, before=before, now=seen)
            tries += 1

    async def _send(self, seen: Seen, request_id: UUID) -> Answer | Trouble:
        was_open, self._open = self._open, True  # should we be cancelled on the way, it stays so
        outcome = await self._exchange.once(replace(self._write_call(seen), request_id=request_id))
        if isinstance(outcome, Answer):
            self._open = False
        else:
            self._open = was_open or outcome.effect_open
            self._refusal = outcome.error
        return outcome

    async def _look(self) -> Seen:
        seen = self._readable(await self._exchange.read(self._fresh_look()))
        if seen is None:
            raise self._unavailable("unreadable")
        return seen

    async def _found_done(self, timeout: float) -> Settled[Seen] | None:
        """One last look, after the time for an answer is over."""
        try:
            async with asyncio.timeout(timeout):
                outcome = await self._exchange.once(self._fresh_look())
        except TimeoutError:
            return None
        seen = self._readable(outcome) if isinstance(outcome, Answer) else None
        if seen is None or not self._shows(seen):
            return None
        return Settled(seen, changed=True, confirmed=True)

    async def _read_back(self, settled: Settled[Seen]) -> Settled[Seen]:
        """Look until it shows as wanted. The write was accepted: a look that fails does not undo it."""
        asked_to_wait = 0.0
        for pause in self.READ_BACK:
            if wait := max(pause, asked_to_wait):
                await self._exchange.rest(wait)
            asked_to_wait = 0.0
            outcome = await self._exchange.once(self._fresh_look())
            if isinstance(outcome, Trouble):
                asked_to_wait = min(outcome.retry_after or 0.0, LONGEST_WAIT)
            elif seen := self._readable(outcome):
                settled = Settled(seen, changed=True, confirmed=self._shows(seen))
                if settled.confirmed:
                    break
        return settled

    def _fresh_look(self) -> Call:
        return replace(self._call, request_id=uuid4())

    def _readable(self, answer: Answer) -> Seen | None:
        try:
            return self._read(answer.value)
        except Unreadable:
            return None

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
