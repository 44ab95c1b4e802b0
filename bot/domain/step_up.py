"""A second factor where the billing policy wants one: a code that nobody can give who has only a Slack session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.domain.action import Action, Reason, Verb
from bot.domain.errors import MayNotEnrol, NotEnrolled, NotPermitted, TooManyCodes
from bot.domain.people import Person, PersonId, Right

OPEN_FOR: Final = timedelta(hours=24)
"""So long somebody may set up an authenticator after an admin let them."""
MOST_TRIES: Final = 5
TRIES_WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class StepUp:
    """Which approvals need a code; each of the three is enough."""

    over: Mapping[str, Decimal] | None = None
    """Overdue by currency; a currency that is not listed, and what nobody knows, is over it."""
    reasons: frozenset[Reason] = frozenset()
    actions: frozenset[Verb] = frozenset()

    def is_needed(self, action: Action, overdue: Mapping[str, Decimal] | None) -> bool:
        if action.reason in self.reasons or action.verb in self.actions:
            return True
        if self.over is None:
            return False
        most = self.over
        return overdue is None or any(c not in most or owed > most[c] for c, owed in overdue.items() if owed)


def must_need_codes(person: Person) -> None:
    """Raise Outsider or NotPermitted for somebody whose word can never need a code.

    Approvers give one with an approval; who may only ask, where the policy lets them break the glass.
    """
    person.must(Right.OPERATE if Right.OPERATE in person.rights else Right.APPROVE)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What one person makes codes with. Whoever has only their Slack session can neither make one nor replace it."""

    person: PersonId
    opened_by: PersonId
    opened_at: datetime
    secret: str = ""
    """Sealed; empty until they begin to set it up."""
    enrolled_at: datetime | None = None
    last_step: int = 0
    """The time step of the last code that was taken: none is taken twice, nor one older than it."""
    tries: int = 0
    """Since the last code that was right, or for ten minutes."""
    tries_since: datetime | None = None
    request: str = ""
    """What they were last asked a code for, and where they had clicked."""
    channel: str = ""

    @classmethod
    def opened(cls, person: PersonId, *, by: Person, at: datetime) -> Authenticator:
        """An admin lets somebody else set one up; what they had is void.

        Raises NotPermitted for one's own: a stolen session of an admin must not be enough either.
        """
        by.must(Right.ADMINISTER)
        if by.id == person:
            raise NotPermitted("own-authenticator")
        return cls(person, by.id, at)

    def begun(self, secret: str, *, by: Person, at: datetime) -> Authenticator:
        """A secret they have yet to show that they hold. Raises MayNotEnrol."""
        self._must_be_open(by, at)
        return replace(self, secret=secret)

    def enrolled(self, step: int, *, by: Person, at: datetime) -> Authenticator:
        """They gave a code of it; it cannot be given again. Raises MayNotEnrol."""
        self._must_be_open(by, at)
        return replace(self, enrolled_at=at, last_step=step, tries=0, tries_since=None)

    def tried(self, *, at: datetime) -> Authenticator:
        """Count a try, before anybody looks whether it is right. Raises TooManyCodes."""
        if self.tries_since is None or at >= self.tries_since + TRIES_WITHIN:
            return replace(self, tries=1, tries_since=at)
        if self.tries >= MOST_TRIES:
            raise TooManyCodes(self.tries_since + TRIES_WITHIN)
        return replace(self, tries=self.tries + 1)

    def asked(self, request_id: str, *, channel: str) -> Authenticator:
        """They were asked for a code. Raises NotEnrolled."""
        self.must_be_enrolled()
        return replace(self, request=request_id, channel=channel)

    def spent(self, step: int) -> Authenticator:
        """Take the code of that step for good."""
        self.must_be_enrolled()
        if step <= self.last_step:
            raise ValueError(f"step {step} is not newer than {self.last_step}")
        return replace(self, last_step=step, tries=0, tries_since=None, request="", channel="")

    def must_be_enrolled(self) -> None:
        if self.enrolled_at is None:
            raise NotEnrolled

    def _must_be_open(self, by: Person, at: datetime) -> None:
        must_need_codes(by)
        if by.id != self.person or at >= self.opened_at + OPEN_FOR:
            raise MayNotEnrol("not-opened")
        if self.enrolled_at is not None:
            raise MayNotEnrol("enrolled")
