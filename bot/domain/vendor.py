"""What we tell Microsoft of the suspicious things it told us of: which, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.case import Verdict
from bot.domain.customer import SubscriptionId
from bot.domain.errors import Invalid


class Outcome(StrEnum):
    """How a fraud event or an alert stands with us."""

    INVESTIGATING = "investigating"
    FRAUD = "fraud"
    LEGITIMATE = "legitimate"
    """What the customer meant to do."""
    IGNORE = "ignore"


_OF_VERDICT = {
    Verdict.FRAUD: Outcome.FRAUD,
    Verdict.LEGITIMATE: Outcome.LEGITIMATE,
    Verdict.PLANNED: Outcome.LEGITIMATE,
    Verdict.IGNORE: Outcome.IGNORE,
}


def outcome_of(verdict: Verdict) -> Outcome:
    """What a person's word on a case makes of the vendor's alerts in it."""
    return _OF_VERDICT[verdict]


@dataclass(frozen=True, slots=True)
class FraudUpdate:
    """What came of some fraud events of one subscription. Raises Invalid without the subscription or any event.

    To Microsoft no event at all means every event of the subscription, so there must be no way to say that:
    learn.microsoft.com/partner-center/developer/update-fraud-event-status
    """

    subscription_id: SubscriptionId
    event_ids: tuple[str, ...]
    outcome: Outcome

    def __post_init__(self) -> None:
        if not self.subscription_id.strip():
            raise Invalid("subscription", "missing")
        ids = self.event_ids
        if not isinstance(ids, tuple) or not ids or not all(isinstance(id, str) and id.strip() for id in ids):
            raise Invalid("events", "missing")


@dataclass(frozen=True, slots=True)
class AlertUpdate:
    """What came of one partner security alert. Raises Invalid without its id."""

    alert_id: str
    outcome: Outcome

    def __post_init__(self) -> None:
        if not self.alert_id.strip():
            raise Invalid("alert", "missing")
