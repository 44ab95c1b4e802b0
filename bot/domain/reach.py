"""How far a right reaches: the billing policy may limit who asks and who approves, by place, reason and amount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.domain.action import Reason
from bot.domain.capability import Cloud
from bot.domain.errors import BeyondRights
from bot.domain.people import Person, Right

WORDS: Final = {Right.OPERATE: "ask", Right.APPROVE: "approve"}
"""What the policy file calls the rights it can limit."""
_ORDER: Final = ("nothing", "reason", "cloud", "channel", "amount-unknown", "amount")
"""What stands in the way; the later, the nearer it came."""


@dataclass(frozen=True, slots=True)
class About:
    """What is asked for or decided on."""

    request_id: str
    channel: str
    """Where it was asked for, or clicked; empty where that is no channel."""
    cloud: Cloud
    reason: Reason
    overdue: Mapping[str, Decimal] | None = None
    """What the customer has overdue by the books, by currency; None where they do not say."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One `[[rights]]` of the policy file; what is None is not limited."""

    may: Right
    who: frozenset[str] | None = None
    """Ids of users and user groups; None: everybody who holds the right."""
    reasons: frozenset[Reason] | None = None
    clouds: frozenset[Cloud] | None = None
    channels: frozenset[str] | None = None
    up_to: Mapping[str, Decimal] | None = None
    """Overdue by currency; a currency that is not listed is beyond it."""

    def is_for(self, person: Person) -> bool:
        return self.who is None or person.id in self.who or not self.who.isdisjoint(person.groups)

    def lacks(self, about: About) -> str | None:
        """The first limit that it is beyond."""
        if self.reasons is not None and about.reason not in self.reasons:
            return "reason"
        if self.clouds is not None and about.cloud not in self.clouds:
            return "cloud"
        if self.channels is not None and about.channel not in self.channels:
            return "channel"
        if self.up_to is None:
            return None
        if about.overdue is None:
            return "amount-unknown"
        most = self.up_to
        beyond = any(c not in most or owed > most[c] for c, owed in about.overdue.items() if owed > 0)
        return "amount" if beyond else None

    def __str__(self) -> str:
        """In the words of the file."""
        return ", ".join([f"may = {WORDS[self.may]}", *self._limits()])

    def _limits(self) -> Iterator[str]:
        for name in ("reasons", "clouds", "channels"):
            if (values := getattr(self, name)) is not None:
                yield f"{name} = {' '.join(sorted(values))}"
        if self.up_to is not None:
            yield "up_to = " + " ".join(f"{c} {most}" for c, most in sorted(self.up_to.items()))


def must_reach(grants: Iterable[Grant], right: Right, person: Person, about: About) -> None:
    """Raise BeyondRights unless one of the grants of that right lets this person do it.

    Where the policy has none of that right, whoever holds it may use it everywhere.
    """
    of_right = [grant for grant in grants if grant.may is right]
    if not of_right:
        return
    person.must(right)
    theirs = [grant for grant in of_right if grant.is_for(person)]
    lacking = [grant.lacks(about) for grant in theirs]
    if None in lacking:
        return
    why = max((each for each in lacking if each), key=_ORDER.index, default="nothing")
    scope = " | ".join(dict.fromkeys(str(grant) for grant in theirs)) or f"may = {WORDS[right]}"
    raise BeyondRights(about.request_id, why, scope)
