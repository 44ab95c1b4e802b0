"""`policy check`: each warning where it is due, and none where the policy is as it should be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.calendar import BusinessCalendar
from bot.domain.capability import SubscriptionKind
from bot.domain.policy import (
    BillingPolicy,
    Condition,
    Exemption,
    Freeze,
    Override,
    Scope,
    Segment,
    Stage,
    StageAction,
)
from bot.policy_check import Remark, Surroundings, read_over
from bot.policy_file import parse

TENANT = "11111111-2222-4333-8444-555555555555"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AROUND = Surroundings(NOW, ZoneInfo("Europe/Berlin"), approvals_suspend=1)
CUT = frozenset({StageAction.PROPOSE_SUSPEND})

REMIND = Stage("remind", 3, StageAction.REMIND)
WARN = Stage("warn", 14, StageAction.WARN, notice_days=7)
SUSPEND = Stage("suspend", 30, StageAction.PROPOSE_SUSPEND, requires_stage="warn")
CANCEL = Stage("cancel", 60, StageAction.PROPOSE_CANCEL, requires_stage="suspend")
GOOD = BillingPolicy(
    "test", (REMIND, WARN, SUSPEND, CANCEL), {"EUR": Decimal(25)}, contact="accounts@x.example"
)


def eur(amount: int) -> dict[str, Decimal]:
    return {"EUR": Decimal(amount)}


def but(
    suspend: dict[str, Any] | None = None, warn: dict[str, Any] | None = None, **fields: Any
) -> BillingPolicy:
    """The good policy with these differences."""
    stages = (REMIND, replace(WARN, **(warn or {})), replace(SUSPEND, **(suspend or {})), CANCEL)
    return replace(GOOD, **({"stages": stages} | fields))


def found(policy: BillingPolicy, around: Surroundings = AROUND) -> list[tuple[str, str]]:
    return [(remark.code, remark.where) for remark in read_over(policy, around)]


def test_a_policy_without_oddities_has_no_warning():
    assert read_over(GOOD, AROUND) == ()


@pytest.mark.parametrize(
    ("policy", "warnings"),
    [
        pytest.param(but(stages=()), [("no_stages", "stage")], id="no stage"),
        pytest.param(but(stages=(REMIND,)), [("no_suspension", "stage")], id="nobody is suspended"),
        pytest.param(but(contact=""), [("no_contact", "contact")], id="nobody to ask"),
        pytest.param(
            but({"requires_stage": None}),
            [
                ("no_warning", "stage.suspend"),
                ("no_warning", "stage.cancel"),
                ("notice_for_nobody", "stage.warn.notice_days"),
            ],
            id="suspended without a warning",
        ),
        pytest.param(
            but({"requires_stage": "remind"}),
            [
                ("notice_for_nobody", "stage.warn.notice_days"),
                ("no_warning", "stage.suspend"),
                ("no_warning", "stage.cancel"),
            ],
            id="a reminder is no warning",
        ),
        pytest.param(
            but(warn={"notice_days": 0}), [("no_notice", "stage.warn")], id="a warning without notice"
        ),
        pytest.param(
            but(warn={"enabled": False}),
            [("never_fires", "stage.warn"), ("requires_nothing", "stage.suspend")],
            id="the warning is switched off",
        ),
        pytest.param(
            but({"enabled": False}),
            [("never_fires", "stage.suspend"), ("requires_nothing", "stage.cancel")],
            id="a stage switched off",
        ),
        pytest.param(
            but(
                {"enabled": False},
                segments=(Segment("s", "t", {"suspend": {"enabled": True}}),),
                tags={"t": frozenset({TENANT})},
            ),
            [("requires_nothing", "stage.cancel")],
            id="switched on for some",
        ),
        pytest.param(but({"amount": {}}), [("never_fires", "stage.suspend")], id="an amount in no currency"),
        pytest.param(
            but({"amount": eur(100), "all_of": (Condition(amount={"USD": Decimal(1)}),)}),
            [("never_fires", "stage.suspend")],
            id="a condition in another currency",
        ),
        pytest.param(
            but(
                {
                    "amount": eur(100),
                    "any_of": (Condition(amount={"USD": Decimal(1)}), Condition(items_overdue=2)),
                }
            ),
            [],
            id="one of two conditions can hold",
        ),
        pytest.param(
            but({"amount": eur(100)}, minimum={"EUR": Decimal(25), "CNY": Decimal(200)}),
            [("currency_without_threshold", "stage.suspend.amount")],
            id="a currency without threshold",
        ),
        pytest.param(
            but({"amount": eur(100) | {"USD": Decimal(100)}}),
            [("currency_without_minimum", "stage.suspend.amount")],
            id="a currency without minimum",
        ),
        pytest.param(
            but({"amount": eur(24)}), [("below_minimum", "stage.suspend.amount")], id="less than the minimum"
        ),
        pytest.param(
            but({"amount": eur(100) | {"USD": Decimal(100)}}, {"amount": eur(50)}, minimum={}),
            [("currency_without_threshold", "stage.warn.amount"), ("never_fires", "stage.suspend")],
            id="requires a stage that this currency never comes to",
        ),
        pytest.param(but({"approvals": 1}), [], id="as many approvals as the settings"),
        pytest.param(
            but(min_step_gap_days=20),
            [("comes_later", "stage.warn"), ("comes_later", "stage.suspend")],
            id="a gap wider than the stages",
        ),
        pytest.param(
            but(quiet_hours=(time(8), time(8))), [("no_quiet_hours", "quiet_hours")], id="no quiet hours"
        ),
        pytest.param(but(quiet_hours=(time(18), time(8))), [], id="quiet at night"),
        pytest.param(
            but(freezes=(Freeze(date(2026, 11, 1), date(2026, 12, 31), "x"),)),
            [("no_time_left", "quiet_hours")],
            id="frozen for weeks",
        ),
        pytest.param(
            but(freezes=(Freeze(date(2026, 1, 1), date(2026, 1, 2), "x"),)),
            [("freeze_over", "freeze.0")],
            id="a freeze that is over",
        ),
        pytest.param(
            but(exemptions=(Exemption(TENANT, "x", CUT, date(2026, 12, 25), "Ana"),)),
            [("ends_soon", f"exempt of {TENANT}")],
            id="an exemption that ends in 30 days",
        ),
        pytest.param(
            but(exemptions=(Exemption(TENANT, "x", CUT, date(2026, 12, 26), "Ana"),)),
            [],
            id="an exemption that ends in 31 days",
        ),
        pytest.param(
            but(overrides=(Override(TENANT, "x", {}, date(2026, 11, 25), "Ana"),)),
            [("ends_soon", f"override of {TENANT}")],
            id="an override that ends today",
        ),
        pytest.param(
            but(segments=(Segment("s", "t", {}),)),
            [("segment_of_nobody", "segments.s")],
            id="a segment of nobody",
        ),
        pytest.param(
            but(
                segments=(Segment("s", "t", {"remind": {"days_overdue": 40}}),),
                tags={"t": frozenset({TENANT})},
            ),
            [("segment_order", "segments.s")],
            id="a segment that turns stages round",
        ),
        pytest.param(
            but(tags={"t": frozenset({TENANT})}), [("tag_of_nothing", "tags.t")], id="a tag of nothing"
        ),
        pytest.param(but(timezone="Europe/Berlin"), [], id="the zone of the settings"),
        pytest.param(but(timezone="Asia/Shanghai"), [("timezone_differs", "timezone")], id="another zone"),
        pytest.param(
            but({"channel": "#x", "queue": "q"}),
            [("not_acted_on", "stage.suspend.channel"), ("not_acted_on", "stage.suspend.ticket")],
            id="what nothing acts on yet",
        ),
        pytest.param(
            but({"expires_hours": 48, "scope": Scope(frozenset({SubscriptionKind.AZURE_PLAN}))}),
            [],
            id="what requests act on",
        ),
    ],
)
def test_what_is_odd_is_told(policy: BillingPolicy, warnings: list[tuple[str, str]]):
    assert sorted(found(policy)) == sorted(warnings)


def test_fewer_approvals_than_the_settings():
    around = replace(AROUND, approvals_suspend=2)
    assert found(GOOD, around) == [], "none is asked for, so the settings' hold and nothing contradicts"
    (remark,) = read_over(but({"approvals": 1}), around)
    message = "is 1, but BACKSTOP_APPROVALS_SUSPEND is 2: the larger counts"
    assert remark == Remark("fewer_approvals", "stage.suspend.approvals", message)


@pytest.mark.parametrize(
    ("on", "lines", "years"),
    [
        pytest.param(date(2026, 11, 25), "", ["2027"], id="decreed for this year only"),
        pytest.param(date(2025, 11, 25), "", [], id="decreed for both"),
        pytest.param(date(2026, 11, 25), "working_days = [2027-02-06]", [], id="added by hand"),
        pytest.param(date(2027, 3, 1), "", ["2027", "2028"], id="decreed for none"),
    ],
)
def test_make_up_days_of_china(on: date, lines: str, years: list[str]):
    policy = parse(f'schema = 1\nbusiness_calendar = "CN"\n{lines}\n', name="test")
    around = replace(AROUND, at=datetime(on.year, on.month, on.day, 12, tzinfo=UTC))
    said = [r.message for r in read_over(policy, around) if r.code == "no_make_up_days"]
    assert [message.split()[5] for message in said] == years


@pytest.mark.parametrize("code", ["DE-BE", "US", "AE"])
def test_countries_that_make_up_for_nothing_are_not_asked_to(code: str):
    policy = replace(GOOD, calendar=parse(f'schema = 1\nbusiness_calendar = "{code}"', name="test").calendar)
    assert found(policy) == []


def test_a_partners_own_calendar_is_not_asked_for_make_up_days():
    assert found(replace(GOOD, calendar=BusinessCalendar("own", lambda day: day.weekday() < 5))) == []
