"""What Microsoft is told of its own alerts: never anything about events nobody named."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.case import Verdict
from bot.domain.customer import SubscriptionId
from bot.domain.errors import Invalid
from bot.domain.vendor import AlertUpdate, FraudUpdate, Outcome, outcome_of

AZURE = SubscriptionId("2a7064fb-1e33-4007-974e-352cb3f2c805")


@pytest.mark.parametrize(
    ("subscription", "ids"),
    [
        pytest.param(AZURE, (), id="no event"),
        pytest.param(AZURE, ("",), id="an empty one"),
        pytest.param(AZURE, ("event-1", " \t"), id="a blank one among others"),
        pytest.param(AZURE, [], id="an empty list"),
        pytest.param(AZURE, "event-1", id="a text, which would be taken letter by letter"),
        pytest.param(AZURE, (None,), id="nothing"),
        pytest.param(SubscriptionId(" "), ("event-1",), id="no subscription"),
    ],
)
def test_an_update_of_nothing_named_cannot_be_made(subscription: SubscriptionId, ids: Any):
    with pytest.raises(Invalid):
        FraudUpdate(subscription, ids, Outcome.FRAUD)


def test_an_update_of_a_named_event():
    assert FraudUpdate(AZURE, ("event-1",), Outcome.FRAUD).event_ids == ("event-1",)


def test_an_update_of_no_alert_cannot_be_made():
    with pytest.raises(Invalid):
        AlertUpdate(" ", Outcome.FRAUD)


def test_every_verdict_has_an_outcome():
    assert {verdict: outcome_of(verdict) for verdict in Verdict} == {
        Verdict.LEGITIMATE: Outcome.LEGITIMATE,
        Verdict.FRAUD: Outcome.FRAUD,
        Verdict.IGNORE: Outcome.IGNORE,
        Verdict.PLANNED: Outcome.LEGITIMATE,
    }
