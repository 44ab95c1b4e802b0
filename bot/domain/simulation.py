"""Replay: what a policy would have done on each of many days, and who of those it went for paid anyway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from bot.domain.collection import Facts, History, advance, standing
from bot.domain.policy import BillingPolicy, Rule, Stage


@dataclass(frozen=True, slots=True)
class Fired:
    """A stage that the policy would have carried out for a party on a day."""

    on: date
    party: str
    tenant: str | None
    stage: Stage
    reasons: tuple[Rule, ...]
    paid_on: date | None = None
    """When nothing of theirs was overdue any more; None: not within the days that were replayed."""


@dataclass
class Replay:
    """Fed one day after the other. Every warning is taken for sent on the day it was due."""

    policy: BillingPolicy
    fired: list[Fired] = field(default_factory=list)
    _histories: dict[str, History] = field(default_factory=dict)

    def day(self, on: date, parties: Mapping[str, Facts], *, trusted: bool = True) -> None:
        """One day's books, by party. Who is not among them owes nothing, if the books can be trusted that day."""
        absent = Facts(tenant=None, exposure={}, owes_anything=False, books_are_complete=trusted)
        for party in sorted(parties.keys() | self._histories.keys()):
            facts = parties.get(party, absent)
            history = self._histories.get(party, History())
            stands = standing(self.policy, facts, history, on=on)
            following = advance(self.policy, facts, history, stands, on=on, assume_sent=True)
            if stands.fires:
                self.fired.append(Fired(on, party, facts.tenant, stands.fires, stands.reasons))
            if history.began and not following.began:
                self._paid(party, on)
            self._histories[party] = following

    def _paid(self, party: str, on: date) -> None:
        self.fired = [
            replace(f, paid_on=on) if f.party == party and f.paid_on is None else f for f in self.fired
        ]


def paid_anyway(fired: Iterable[Fired]) -> int:
    """How many of those whom the policy would have cut off paid within the days replayed."""
    return len({f.party for f in fired if f.stage.action.cuts_off and f.paid_on})
