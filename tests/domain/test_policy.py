"""The billing policy held against what a customer owes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.collection import Facts, History, Standing, standing
from bot.domain.policy import BillingPolicy, Debt, Exemption, Exposure, Stage, StageAction
from tests.builders import CONTOSO

TODAY = date(2026, 11, 23)

POLICY = BillingPolicy(
    version="test",
    stages=(
        Stage("remind", 3, StageAction.REMIND),
        Stage("warn", 14, StageAction.WARN),
        Stage("suspend", 30, StageAction.PROPOSE_SUSPEND, {"EUR": Decimal(100), "USD": Decimal(120)}),
        Stage("cancel", 60, StageAction.PROPOSE_CANCEL),
    ),
    minimum={"EUR": Decimal(25), "USD": Decimal(25)},
    max_data_age_hours=26,
)


def owes(days: int, **overdue: str) -> Exposure:
    """The same age in every currency."""
    return {currency: Debt(Decimal(amount), days) for currency, amount in overdue.items()}


def exempt(**fields: Any) -> BillingPolicy:
    given: dict[str, Any] = {
        "tenant": CONTOSO,
        "reason": "payment plan",
        "actions": frozenset({StageAction.PROPOSE_SUSPEND}),
        "until": TODAY,
        "by": "Ana",
    }
    exemption = Exemption(**(given | fields))
    return BillingPolicy("test", POLICY.stages, POLICY.minimum, exemptions=(exemption,))


def judged(
    exposure: Exposure,
    *,
    policy: BillingPolicy = POLICY,
    tenant: str | None = CONTOSO,
    on: date = TODAY,
    data_is_fresh: bool = True,
    data_is_complete: bool = True,
) -> Standing:
    facts = Facts(tenant, exposure, books_are_fresh=data_is_fresh, books_are_complete=data_is_complete)
    return standing(policy, facts, History(), on=on)


@pytest.mark.parametrize(
    ("exposure", "stage", "next_stage", "proposes", "reason"),
    [
        pytest.param(owes(0), None, "remind", False, "nothing_overdue", id="nothing owed"),
        pytest.param(
            owes(2, EUR="500"), None, "remind", False, "before_first_stage", id="a day before the first"
        ),
        pytest.param(owes(3, EUR="500"), "remind", "warn", False, "stage:remind", id="the day of the first"),
        pytest.param(
            owes(13, EUR="500"), "remind", "warn", False, "stage:remind", id="a day before the next"
        ),
        pytest.param(owes(14, EUR="500"), "warn", "suspend", False, "stage:warn", id="the next"),
        pytest.param(
            owes(29, EUR="500"), "warn", "suspend", False, "stage:warn", id="a day before suspension"
        ),
        pytest.param(owes(30, EUR="500"), "suspend", "cancel", True, "stage:suspend", id="suspension"),
        pytest.param(owes(400, EUR="500"), "cancel", None, True, "stage:cancel", id="far beyond the last"),
        pytest.param(
            owes(45, EUR="24.99"), None, "cancel", False, "below_minimum", id="a cent below minimum"
        ),
        pytest.param(owes(14, EUR="25.00"), "warn", "suspend", False, "stage:warn", id="just the minimum"),
        pytest.param(
            owes(30, EUR="99.99"), "warn", "cancel", False, "stage:warn", id="a cent below the stage's amount"
        ),
        pytest.param(
            owes(30, EUR="100.00"), "suspend", "cancel", True, "stage:suspend", id="just the stage's amount"
        ),
        pytest.param(
            owes(30, USD="110"), "warn", "cancel", False, "stage:warn", id="each currency has its own amount"
        ),
        pytest.param(
            owes(30, CHF="9000"),
            "warn",
            "cancel",
            False,
            "stage:warn+currency_unlisted",
            id="a currency the stage does not list",
        ),
        pytest.param(
            owes(30, EUR="99", USD="119"),
            "warn",
            "cancel",
            False,
            "stage:warn",
            id="currencies are not added",
        ),
        pytest.param(
            owes(30, EUR="24", USD="24"), None, "cancel", False, "below_minimum", id="nor for the minimum"
        ),
        pytest.param(
            owes(30, EUR="1", USD="120"),
            "suspend",
            "cancel",
            True,
            "stage:suspend",
            id="one currency is enough",
        ),
    ],
)
def test_where_a_customer_stands(
    exposure: Exposure, stage: str | None, next_stage: str | None, proposes: bool, reason: str
):
    found = judged(exposure)
    assert (
        found.stage.id if found.stage else None,
        found.next_stage.id if found.next_stage else None,
        found.proposes_suspension,
        "+".join(r.rule for r in found.reasons),
    ) == (stage, next_stage, proposes, reason)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"data_is_fresh": False}, "data_too_old", id="stale books"),
        pytest.param({"data_is_complete": False}, "rows_unread", id="rows that could not be read"),
        pytest.param({"tenant": None}, "not_mapped", id="nobody we know"),
        pytest.param({"policy": exempt()}, "exempt", id="an exemption, to its last day"),
        pytest.param({"policy": exempt(), "tenant": CONTOSO.upper()}, "exempt", id="an id in other case"),
    ],
)
def test_no_suspension_is_proposed_for(given: dict[str, Any], reason: str):
    found = judged(owes(45, EUR="5000"), **given)
    assert not found.proposes_suspension
    assert [r.rule for r in found.reasons] == ["stage:suspend", reason]
    assert found.stage is not None
    assert found.stage.id == "suspend", "the stage is told all the same"


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(exempt(until=date(2026, 11, 22)), id="one that ended yesterday"),
        pytest.param(exempt(tenant="99999999-2222-4333-8444-555555555555"), id="somebody else's"),
        pytest.param(exempt(actions=frozenset({StageAction.PROPOSE_CANCEL})), id="one for another action"),
    ],
)
def test_an_exemption_does_not_hold_when_it_is(policy: BillingPolicy):
    assert judged(owes(45, EUR="5000"), policy=policy).proposes_suspension


def test_what_is_owed_too_little_to_suspend_for_is_not_made_up_for_by_age():
    found = judged(owes(365, EUR="99"))
    assert not found.proposes_suspension


def test_the_facts_show_the_amounts_apart():
    found = judged(owes(30, USD="24", EUR="24"))
    assert found.reasons[0].fact == "EUR 24, USD 24"


def test_an_exemption_tells_why_and_until_when():
    assert judged(owes(45, EUR="5000"), policy=exempt()).reasons[-1].fact == (
        "payment plan (until 2026-11-23)"
    )


def test_a_policy_without_stages_asks_for_nothing():
    found = judged(owes(45, EUR="5000"), policy=BillingPolicy("none", (), {}))
    assert (found.stage, found.next_stage, found.proposes_suspension) == (None, None, False)


def test_the_suspend_stage_is_the_first_that_proposes_it():
    assert POLICY.suspend_stage == POLICY.stages[2]
    assert BillingPolicy("none", POLICY.stages[:2], {}).suspend_stage is None


def test_an_old_trifle_in_one_currency_lends_no_age_to_a_young_debt_in_another():
    exposure = {"EUR": Debt(Decimal("30"), 45), "USD": Debt(Decimal("500"), 2)}
    found = judged(exposure)
    assert found.stage is not None
    assert found.stage.id == "warn"
    assert not found.proposes_suspension


def test_what_is_below_the_minimum_counts_in_no_stage():
    exposure = {"EUR": Debt(Decimal("5"), 400), "USD": Debt(Decimal("500"), 2)}
    assert judged(exposure).stage is None
