"""The daily limit: whatever goes wrong, it goes wrong for so many subscriptions a day at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from bot.domain.errors import AlreadyLifted
from bot.domain.people import Person, PersonId, Right

LIFTERS = 2
"""So many approvers must agree that it shall not hold for the rest of a day."""


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """One day, in the partner's zone, over the whole workspace."""

    day: date
    most: int
    """Subscriptions that may be suspended that day."""
    begun: int
    """Those whose suspension has been begun, whatever came of it."""
    lifted_by: tuple[PersonId, ...] = ()

    @property
    def is_lifted(self) -> bool:
        return len(self.lifted_by) >= LIFTERS

    @property
    def lifters_missing(self) -> int:
        return max(0, LIFTERS - len(self.lifted_by))

    def allows(self, more: int) -> bool:
        """Whether so many further subscriptions may be suspended now."""
        return self.is_lifted or self.begun + more <= self.most

    def lift(self, *, by: Person) -> DailyLimit:
        """Add one approver's word. Raises NotPermitted, or AlreadyLifted when nothing is left to say."""
        by.must(Right.APPROVE)
        if self.is_lifted or by.id in self.lifted_by:
            raise AlreadyLifted(by=by.id if by.id in self.lifted_by else self.lifted_by[-1])
        return replace(self, lifted_by=(*self.lifted_by, by.id))
