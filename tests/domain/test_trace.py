"""`trace` explains what `standing` decided: the same verdict, and for each stage what made it so."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.collection import Facts, History, StageTrace, Step, advance, standing, trace
from bot.domain.policy import (
    BillingPolicy,
    Condition,
    Debt,
    Exemption,
    Override,
    Rule,
    StageAction,
    countable,
    due_of,
)
from tests.domain.test_collection import CONTOSO, FIRST, LAST, POLICY, SEED, Payer

TODAY = date(2026, 11, 23)
WARNED = History(
    began=TODAY - timedelta(days=45),
    steps=(Step("remind", TODAY - timedelta(days=40)), Step("warn", TODAY - timedelta(days=20))),
    warned=(TODAY - timedelta(days=20),),
)
EXEMPT = Exemption(
    CONTOSO, "a payment plan", frozenset({StageAction.PROPOSE_SUSPEND}), TODAY + timedelta(days=9), "U0"
)


def owing(amount: str = "500", days: int = 45, currency: str = "EUR") -> Facts:
    return Facts(CONTOSO, {currency: Debt(Decimal(amount), days)})


@pytest.mark.parametrize(
    ("facts", "history", "rules"),
    [
        pytest.param(owing(), WARNED, [], id="proposed"),
        pytest.param(Facts(CONTOSO, {}), History(), ["nothing_overdue"], id="nothing overdue"),
        pytest.param(
            replace(Facts(CONTOSO, {}), disputes=True),
            History(),
            ["nothing_overdue", "disputed"],
            id="disputed",
        ),
        pytest.param(owing("24.99"), History(), ["below_minimum"], id="a trifle"),
        pytest.param(owing(days=20), WARNED, ["not_due:suspend", "lacks_days"], id="not long enough"),
        pytest.param(owing("99.99"), WARNED, ["not_due:suspend", "lacks_amount"], id="not enough"),
        pytest.param(
            owing("50", 20), WARNED, ["not_due:suspend", "lacks_days", "lacks_amount"], id="neither"
        ),
        pytest.param(
            owing("5000", 45, "JPY"),
            WARNED,
            ["not_due:suspend", "lacks_threshold"],
            id="a currency without threshold",
        ),
        pytest.param(owing(), History(began=TODAY), ["requires:warn"], id="not warned"),
        pytest.param(
            owing(),
            replace(WARNED, warned=(TODAY - timedelta(days=6),)),
            ["notice:warn"],
            id="warned six days ago",
        ),
        pytest.param(replace(owing(), books_are_fresh=False), WARNED, ["data_too_old"], id="old books"),
        pytest.param(replace(owing(), books_are_complete=False), WARNED, ["rows_unread"], id="patchy books"),
        pytest.param(replace(owing(), tenant=None), WARNED, ["not_mapped"], id="linked to nobody"),
        pytest.param(replace(owing(), promised_until=TODAY), WARNED, ["promised"], id="promised for today"),
        pytest.param(replace(owing(), snoozed_until=TODAY), WARNED, ["snoozed"], id="snoozed"),
        pytest.param(
            owing(), replace(WARNED, overdue={"EUR": Decimal(600)}), ["partly_paid"], id="paid a part"
        ),
        pytest.param(
            replace(owing(), promised_until=TODAY, books_are_fresh=False),
            WARNED,
            ["data_too_old", "promised"],
            id="two brakes at once",
        ),
    ],
)
def test_why_no_suspension_is_proposed(facts: Facts, history: History, rules: list[str]):
    found = trace(POLICY, facts, history, on=TODAY)
    assert [rule.rule for rule in found.against] == rules
    assert found.standing.proposes_suspension == (rules == [])


def test_exempt_and_not_warned_are_both_told():
    policy = replace(POLICY, exemptions=(EXEMPT,))
    found = trace(policy, owing(), History(began=TODAY), on=TODAY)
    assert found.against == (Rule("requires:warn", ""), Rule("exempt", "a payment plan (until 2026-12-02)"))
    assert [s.stage.id for s in found.stages if s.exempt] == ["suspend"]


def test_a_policy_without_a_stage_that_suspends():
    never = Override(CONTOSO, "a contract", {"suspend": {"enabled": False}}, TODAY, "U0")
    found = trace(replace(POLICY, overrides=(never,)), owing(), WARNED, on=TODAY)
    assert found.against == (Rule("no_suspend_stage", ""),)
    assert "suspend" not in [s.stage.id for s in found.stages]


def by_id(
    policy: BillingPolicy = POLICY, facts: Facts | None = None, history: History = WARNED
) -> dict[str, StageTrace]:
    return {s.stage.id: s for s in trace(policy, facts or owing(), history, on=TODAY).stages}


def test_each_stage_tells_what_it_came_to():
    told = by_id(replace(POLICY, grace_days=2))
    assert list(told) == ["remind", "warn", "ticket", "suspend", "cancel"]
    assert told["suspend"].from_days == 32
    assert told["remind"].fired == (TODAY - timedelta(days=40),)
    assert told["warn"].recorded == TODAY - timedelta(days=20)
    assert told["suspend"].recorded is None
    assert [id for id, stage in told.items() if stage.fires] == ["suspend"]
    assert told["cancel"].lacks == (Rule("lacks_days", "45 < 62"),)
    assert told["cancel"].waits == Rule("requires:suspend", "")


def test_a_stage_due_in_one_currency_lacks_nothing_for_the_other():
    facts = Facts(CONTOSO, {"EUR": Debt(Decimal(30), 45), "USD": Debt(Decimal(500), 45)})
    told = by_id(facts=facts)
    assert (told["suspend"].due_in, told["suspend"].lacks) == (("USD",), ())
    assert told["warn"].due_in == ("EUR", "USD")


@pytest.mark.parametrize("name", ["any", "all"])
def test_conditions_that_do_not_hold_are_told(name: str):
    asked: dict[str, Any] = {f"{name}_of": (Condition(items_overdue=2),)}
    stages = tuple(replace(s, **asked) if s.id == "suspend" else s for s in POLICY.stages)
    assert by_id(replace(POLICY, stages=stages))["suspend"].lacks == (Rule("lacks_condition", name),)


def test_it_never_tells_another_story_than_the_one_that_was_decided():
    dice = random.Random(SEED)
    unproposed = 0
    for _ in range(400):
        payer, history, on = Payer(dice), History(), FIRST
        while on < LAST:
            on += timedelta(days=dice.choice((1, 2, 5)))
            facts, policy = payer.facts(on), payer.policy(on)
            stands, told = standing(policy, facts, history, on=on), trace(policy, facts, history, on=on)
            assert told.standing == stands
            assert (told.against == ()) == stands.proposes_suspension
            unproposed += not stands.proposes_suspension
            held = policy.stages_for(facts.tenant, on=on)
            due = due_of(policy, held, countable(policy, facts.exposure))
            assert tuple(s.stage for s in told.stages if s.due_in) == due
            assert [s.stage for s in told.stages if s.fires] == ([stands.fires] if stands.fires else [])
            following = advance(policy, facts, history, stands, on=on)
            if stands.fires and stands.fires.id == "warn" and payer.warned:
                following = replace(following, warned=(*following.warned, on))
            history = following
    assert unproposed > 1000
