"""Breaking the glass: who may let a suspension act without the approvals it lacks, and the review that is then due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from bot.domain.action import Action, Reason, Verb
from bot.domain.errors import GlassKept, GlassReviewed, Invalid, NotPermitted
from bot.domain.people import Person, PersonId, Right

REASON: Final = "glass_reason"
FINDING: Final = "glass_finding"
NOTE: Final = "glass_note"
"""Where what is refused was typed or chosen."""
LEAST: Final = 20
"""So many characters a reason has at least: whoever reviews it must have something to hold it against."""
MOST: Final = 500
REMINDED_AT: Final = time(9)
"""By the partner's clocks."""


class Finding(StrEnum):
    """What a review comes to."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """The policy file's `[break_glass]`. It gives nobody a right: whom it names must be an operator or an approver."""

    who: frozenset[str]
    """Ids of users and user groups."""
    reasons: frozenset[Reason] = frozenset({Reason.FRAUD, Reason.MISUSE})

    def covers(self, action: Action) -> bool:
        """Whatever a file says: a suspension alone, and only where every minute counts."""
        return action.verb is Verb.SUSPEND and action.reason.is_urgent and action.reason in self.reasons

    def names(self, person: Person) -> bool:
        return person.id in self.who or not self.who.isdisjoint(person.groups)


def must_break(rule: BreakGlass | None, request_id: str, action: Action, by: Person) -> None:
    """Raise Outsider, NotPermitted or GlassKept unless this person may break the glass for that."""
    by.must(right_of(by))
    if rule is None:
        raise GlassKept(request_id, "switched-off")
    if not rule.covers(action):
        raise GlassKept(request_id, "action" if action.verb is not Verb.SUSPEND else "reason")
    if not rule.names(by):
        raise GlassKept(request_id, "not-named")


def right_of(person: Person) -> Right:
    """The right by which somebody breaks the glass: an approver's own, else that of whoever may ask."""
    only_asks = Right.OPERATE in person.rights and Right.APPROVE not in person.rights
    return Right.OPERATE if only_asks else Right.APPROVE


def words(typed: str, at: str, *, least: int = 1) -> str:
    """What was typed, on its own. Raises Invalid for what is too short, or too long."""
    said = typed.strip()
    if not said:
        raise Invalid(at, "missing")
    if len(" ".join(said.split())) < least:
        raise Invalid(at, "too-short", {"least": str(least)})
    if len(said) > MOST:
        raise Invalid(at, "too-long", {"most": str(MOST)})
    return said


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody else found afterwards."""

    finding: Finding
    note: str
    by: PersonId
    at: datetime


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """One request that somebody let act on their own word."""

    request_id: str
    by: PersonId
    reason: str
    at: datetime
    requested_by: PersonId
    reviewed: Review | None = None

    @property
    def touched_at(self) -> datetime:
        """When there was last something to tell."""
        return self.reviewed.at if self.reviewed else self.at

    def must_be_reviewable(self, *, by: Person) -> None:
        """Raise NotPermitted or GlassReviewed. Neither who broke it nor who asked judges it."""
        by.must(Right.APPROVE)
        if by.id in (self.by, self.requested_by):
            raise NotPermitted("review-own-glass")
        if self.reviewed:
            raise GlassReviewed(self.request_id, self.reviewed.by)

    def review(self, finding: Finding, note: str, *, by: Person, at: datetime) -> BrokenGlass:
        """Close it. Raises as `must_be_reviewable`, and Invalid."""
        self.must_be_reviewable(by=by)
        return replace(self, reviewed=Review(finding, words(note, NOTE), by.id, at))

    def must_be_reminded_of(self, at: datetime, *, zone: tzinfo) -> bool:
        """Whether the day's reminder is due of it; what was broken within the hour before waits for the next day's."""
        now = at.astimezone(zone)
        due = datetime.combine(now.date(), REMINDED_AT, zone)
        return self.reviewed is None and now >= due and self.at < due - timedelta(hours=1)
