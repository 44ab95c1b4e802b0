"""The billing policy's file: what it says is what holds, and what cannot be honoured is refused by name."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from bot import policy_file
from bot.domain.action import Reason, Verb
from bot.domain.capability import DELETION_DAYS, Cloud
from bot.domain.capability import SubscriptionKind as K
from bot.domain.glass import BreakGlass
from bot.domain.people import Right
from bot.domain.policy import Exemption, Stage, StageAction
from bot.domain.reach import Grant
from bot.domain.signal import THRESHOLDS, Rule, RuleBook
from bot.domain.step_up import StepUp
from bot.policy_file import BadPolicy, _Strict, load, packaged, parse

SAMPLES = Path(__file__).parent / "samples" / "receivables"

WHOLE = """
schema = 1
max_data_age_hours = 48

[minimum]
EUR = "10.50"

[[stage]]
id = "warn"
days_overdue = 10
action = "warn"

[[stage]]
id = "suspend"
days_overdue = 20
action = "propose_suspend"
amount = { EUR = "100" }
approvals = 2

[[exempt]]
tenant = "11111111-2222-4333-8444-ABCDEF555555"
reason = "payment plan"
until = 2026-12-31
by = "Ana"
"""


def test_everything_in_the_file_is_in_the_policy():
    policy = parse(WHOLE, name="test")
    assert policy.stages == (
        Stage("warn", 10, StageAction.WARN),
        Stage("suspend", 20, StageAction.PROPOSE_SUSPEND, {"EUR": Decimal(100)}, 2),
    )
    assert policy.minimum == {"EUR": Decimal("10.50")}
    assert policy.max_data_age_hours == 48
    assert policy.exemptions == (
        Exemption(
            tenant="11111111-2222-4333-8444-abcdef555555",
            reason="payment plan",
            actions=frozenset({StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL}),
            until=date(2026, 12, 31),
            by="Ana",
        ),
    )


def test_days_until_deletion_are_microsofts_unless_the_file_says_otherwise():
    text = (
        WHOLE
        + """
[deletion_days.global]
legacy_seat = 30

[deletion_days.usgov]
new_commerce_seat = 3650

[deletion_days.china]
legacy_azure = 1
"""
    )
    assert parse(WHOLE, name="test").deletion_days == DELETION_DAYS
    assert parse(text, name="test").deletion_days == {
        Cloud.GLOBAL: {K.LEGACY_SEAT: 30, K.LEGACY_AZURE: 90},
        Cloud.US_GOVERNMENT: {K.LEGACY_SEAT: 90, K.LEGACY_AZURE: 90, K.NEW_COMMERCE_SEAT: 3650},
        Cloud.CHINA: {K.LEGACY_SEAT: 60, K.LEGACY_AZURE: 1, K.NEW_COMMERCE_SEAT: 60},
    }


def test_the_packaged_file_states_the_days_that_hold_without_it():
    said = tomllib.loads(packaged())["deletion_days"]
    assert said == {
        cloud.value: {kind.value: days for kind, days in by_kind.items()}
        for cloud, by_kind in DELETION_DAYS.items()
    }


def test_the_version_changes_with_the_text():
    assert parse(WHOLE, name="test").version == parse(WHOLE, name="other").version
    assert parse(WHOLE, name="test").version != parse(WHOLE + "\n", name="test").version


def test_the_packaged_policy_holds_where_none_is_configured():
    policy = load(None)
    assert policy == parse(packaged(), name="again")
    assert policy.suspend_stage is not None


def with_every_option() -> str:
    """The packaged text with each optional line taken in."""
    return re.sub(r"^# (?=\[|[a-z_-]+ = )", "", packaged(), flags=re.MULTILINE)


def test_every_option_the_packaged_file_tells_of_is_one():
    policy = parse(with_every_option(), name="test", today=date(2026, 11, 25))
    assert policy.exemptions[0].by == policy.overrides[0].by == "U0FINANCE"
    assert policy.tags == {"public-sector": frozenset({"22222222-2222-4333-8444-555555555555"})}
    assert (policy.quiet_hours, policy.freezes[0].first) == ((time(18), time(8)), date(2026, 12, 19))


def test_the_packaged_file_tells_of_every_option():
    said = tomllib.loads(with_every_option())
    keys: set[str] = set()

    def look(node: object) -> None:
        if isinstance(node, dict):
            keys.update(node)
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(said)
    asked = {f.alias or name for kind in KINDS for name, f in kind.model_fields.items()}
    assert asked - keys == NOT_SHOWN


KINDS = [kind for kind in vars(policy_file).values() if isinstance(kind, type) and issubclass(kind, _Strict)]
NOT_SHOWN = {"products"}
"""It has one value only."""


def test_the_packaged_file_states_every_rule_of_suspicion_as_it_holds_without_it():
    said = tomllib.loads(with_every_option())["risk"]
    usual, book = RuleBook(), parse(with_every_option(), name="test", today=date(2026, 11, 25)).risk
    assert {name for name in said if isinstance(said[name], dict)} == set(Rule)
    assert replace(book, rules={}) == usual
    for rule in Rule:
        assert said[rule].keys() - {"enabled", "points"} == THRESHOLDS[rule].keys()
        assert (book.is_enabled(rule), book.points(rule)) == (True, usual.points(rule))
        for name in THRESHOLDS[rule]:
            assert book.threshold(rule, name) == usual.threshold(rule, name), (rule, name)


def test_a_rule_of_suspicion_is_set():
    book = parse(
        """
        schema = 1
        [risk]
        case_from = 30
        business_hours = [8, 18]
        [risk.seat_jump]
        seats = 100
        share = 12.5
        [risk.spend_spike]
        amount = "250.00"
        points = 60
        [risk.off_hours]
        enabled = false
        """,
        name="test",
    ).risk
    assert (book.case_from, book.high_from, book.business_hours) == (30, 80, (8, 18))
    assert book.threshold(Rule.SEAT_JUMP, "seats") == 100
    assert book.threshold(Rule.SEAT_JUMP, "share") == Decimal("12.5")
    assert book.threshold(Rule.SEAT_JUMP, "times") == THRESHOLDS[Rule.SEAT_JUMP]["times"]
    assert book.threshold(Rule.SPEND_SPIKE, "amount") == 250
    assert book.points(Rule.SPEND_SPIKE) == 60
    assert not book.is_enabled(Rule.OFF_HOURS)
    assert book.is_enabled(Rule.REPORT)


def with_stage(**fields: str) -> str:
    given = {"id": '"one"', "days_overdue": "10", "action": '"warn"'} | fields
    return "schema = 1\n[[stage]]\n" + "\n".join(f"{key} = {value}" for key, value in given.items())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("schema = ", "not valid TOML", id="broken TOML"),
        pytest.param("", "schema", id="nothing"),
        pytest.param("schema = 2", "schema", id="a later schema"),
        pytest.param(
            "schema = 1\ngrace = 3", "grace: this version does not know that key", id="an unknown key"
        ),
        pytest.param(with_stage(notify='"cfo"'), "stage.0.notify", id="an unknown key of a stage"),
        pytest.param(with_stage(action='"delete"'), "stage.0.action", id="an unknown action"),
        pytest.param(with_stage(days_overdue="0"), "stage.0.days_overdue", id="before anything is due"),
        pytest.param(with_stage(days_overdue='"10 days"'), "stage.0.days_overdue", id="days as words"),
        pytest.param(with_stage(id='"Stage One"'), "stage.0.id", id="an id with spaces"),
        pytest.param(with_stage(approvals="11"), "stage.0.approvals", id="a quorum nobody reaches"),
        pytest.param(with_stage(amount="{ EUR = 100 }"), "written as text", id="an amount as a number"),
        pytest.param(with_stage(amount='{ EUR = "-1" }'), "not an amount", id="a negative amount"),
        pytest.param(with_stage(amount='{ EUR = "NaN" }'), "not an amount", id="no amount at all"),
        pytest.param(with_stage(amount='{ EURO = "1" }'), "not a currency", id="no currency"),
        pytest.param(with_stage(amount='{ eur = "1" }'), "not a currency", id="a currency in small letters"),
        pytest.param(
            with_stage() + with_stage(days_overdue="11").removeprefix("schema = 1"),
            "same id",
            id="an id twice",
        ),
        pytest.param(
            with_stage() + with_stage(id='"two"').removeprefix("schema = 1"),
            "'two' must come later",
            id="two on one day",
        ),
        pytest.param(
            with_stage()
            + with_stage(id='"two"', days_overdue="20", action='"remind"').removeprefix("schema = 1"),
            "'two' is milder",
            id="a milder one later",
        ),
        pytest.param(
            'schema = 1\n[[exempt]]\ntenant = "Contoso"\nreason = "x"\nuntil = 2026-12-31\nby = "Ana"',
            "exempt.0.tenant",
            id="an exemption by name",
        ),
        pytest.param(
            'schema = 1\n[[exempt]]\ntenant = "11111111-2222-4333-8444-555555555555"\nreason = "x"\nby = "Ana"',
            "exempt.0.until",
            id="an exemption for ever",
        ),
        *(
            pytest.param(
                f"schema = 1\n[deletion_days.global]\nlegacy_seat = {days}",
                "deletion_days.global.legacy_seat",
                id=f"{days} days",
            )
            for days in ("0", "3651", "90.0", "true", '"90"', '"P90D"')
        ),
        pytest.param(
            "schema = 1\n[deletion_days.global]\nazure_plan = 90",
            "deletion_days.global.azure_plan: this version does not know that key",
            id="days of a kind of which no page tells",
        ),
        pytest.param(
            "schema = 1\n[deletion_days.germany]\nlegacy_seat = 90",
            "deletion_days.germany: this version does not know that key",
            id="days in a cloud that is closed",
        ),
        *(
            pytest.param(f"schema = 1\n[risk]\n{line}", says, id=f"risk: {line}")
            for line, says in (
                ("case_form = 30", "risk.case_form: this version does not know that key"),
                ("case_from = 0", "risk.case_from"),
                ("case_from = 90", "risk: high_from is no less than case_from"),
                ("live_days = 40", "risk: quiet_days is no less than live_days"),
                ("business_hours = [8]", "risk.business_hours"),
                ("business_hours = [0, 24]", "risk: business_hours begin and end at different hours"),
                ("business_hours = [8, 25]", "risk.business_hours.1"),
                ("seat_leap = { seats = 30 }", "risk.seat_leap: this version does not know that key"),
                ("seat_jump = { seat = 30 }", "risk.seat_jump.seat: this version does not know that key"),
                ("seat_jump = { seats = 0 }", "risk.seat_jump.seats: a threshold is more than 0"),
                ("seat_jump = { seats = -1 }", "risk.seat_jump.seats: a threshold is more than 0"),
                ("seat_jump = { seats = nan }", "risk.seat_jump.seats: a threshold is more than 0"),
                ("seat_jump = { seats = true }", "risk.seat_jump.seats: a threshold is a number"),
                ('seat_jump = { seats = "many" }', "risk.seat_jump.seats: 'many' is not a number"),
                ("seat_jump = { points = 101 }", "risk.seat_jump.points"),
                ("seat_jump = { points = 1.5 }", "risk.seat_jump.points"),
                ("seat_jump = { enabled = 7 }", "risk.seat_jump.enabled"),
                ("trial_burst = { days = 1.5 }", "risk.trial_burst.days: a whole number is needed"),
                ("report = { seats = 3 }", "risk.report.seats: this version does not know that key"),
            )
        ),
    ],
)
def test_refused_in_one_line_that_says_where(text: str, says: str):
    with pytest.raises(BadPolicy) as refusal:
        parse(text, name="policy.toml")
    line = str(refusal.value)
    assert says in line
    assert line.startswith("policy.toml: ")
    assert "\n" not in line


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadPolicy, match="no such file"):
        load(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    "content", [pytest.param(b"schema = 1 # \xfc", id="not UTF-8"), pytest.param(None, id="a directory")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "policy.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(BadPolicy, match=r"policy\.toml: cannot be read"):
        load(path)


def test_a_file_is_read_in_its_own_words(tmp_path: Path):
    path = tmp_path / "policy.toml"
    path.write_text(WHOLE, "utf-8")
    assert load(path) == parse(WHOLE, name="test")


def the_whole_policy() -> str:
    return (SAMPLES / "policy_whole.toml").read_text("utf-8")


def test_a_policy_that_says_everything_is_read():
    policy = parse(the_whole_policy(), name="test", today=date(2026, 11, 25))
    suspend = policy.suspend_stage
    assert suspend is not None
    assert (suspend.requires_stage, suspend.approvals, suspend.expires_hours) == ("warn", 2, 48)
    assert suspend.scope.exclude_products == {K.AZURE_PLAN}
    assert [s.id for s in policy.stages_for(None, on=date(2026, 11, 25))] == [s.id for s in policy.stages]
    longer = policy.stages_for("66666666-7777-4888-8999-000000000000", on=date(2026, 11, 25))
    assert {s.id: s.days_overdue for s in longer} | {"suspend": 75, "cancel": 120} == {
        s.id: s.days_overdue for s in longer
    }
    assert policy.quiet_hours == (time(18), time(8))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(("until = 2027-03-31", "until = 2026-11-24"), "ended on 2026-11-24", id="over"),
        pytest.param(('requires_stage = "warn"', 'requires_stage = "cancel"'), "not before", id="backwards"),
        pytest.param(
            ("suspend = { days_overdue = 75 }", "pause = { days_overdue = 75 }"), "'pause'", id="who?"
        ),
        pytest.param(
            ("{ days_overdue = 75 }", "{ days_overdue = 500 }"), "no longer rise", id="out of order"
        ),
        pytest.param(("until = 2027-03-31\n", ""), "until", id="no end"),
        pytest.param(('"azure-plan"', '"azure"'), "no kind of product", id="no product"),
        pytest.param(('["18:00", "08:00"]', '["18:00", "25:00"]'), "time of day", id="no time of day"),
        pytest.param(('"Europe/Berlin"', '"Europe/Bonn"'), "time zone", id="no time zone"),
        pytest.param(
            (
                "min_step_gap_days = 3",
                "min_step_gap_days = 3\nworking_days = [2026-12-24]\ndays_off = [2026-12-24]",
            ),
            "2026-12-24 is both",
            id="a day that is both",
        ),
    ],
)
def test_a_contradiction_is_refused(change: tuple[str, str], says: str):
    text = the_whole_policy()
    assert change[0] in text
    with pytest.raises(BadPolicy, match=re.escape(says)):
        parse(text.replace(*change), name="test", today=date(2026, 11, 25))


@pytest.mark.parametrize(
    ("day", "is_business_day"),
    [
        pytest.param(date(2025, 1, 26), True, id="a Sunday worked for Spring Festival 2025"),
        pytest.param(date(2025, 2, 8), True, id="a Saturday worked for Spring Festival 2025"),
        pytest.param(date(2025, 1, 28), False, id="the eve of 2025"),
        pytest.param(date(2025, 2, 4), False, id="the last day off of 2025"),
        pytest.param(date(2025, 2, 5), True, id="back to work in 2025"),
        pytest.param(date(2026, 2, 14), True, id="a Saturday worked for Spring Festival 2026"),
        pytest.param(date(2026, 2, 28), True, id="another Saturday worked for it"),
        pytest.param(date(2026, 2, 16), False, id="the eve of 2026"),
        pytest.param(date(2026, 2, 23), False, id="the last day off of 2026"),
        pytest.param(date(2026, 10, 10), True, id="a Saturday worked for National Day 2026"),
        pytest.param(date(2026, 10, 7), False, id="National Day 2026"),
        pytest.param(date(2027, 2, 5), False, id="the eve of 2027"),
        pytest.param(date(2027, 2, 8), False, id="Spring Festival 2027"),
    ],
)
def test_the_chinese_calendar(day: date, is_business_day: bool):
    policy = parse('schema = 1\nbusiness_calendar = "CN"', name="test")
    assert policy.calendar.is_business_day(day) is is_business_day


def test_days_can_be_told_that_the_calendar_does_not_know():
    text = 'schema = 1\nbusiness_calendar = "CN"\nworking_days = [2027-02-14]\ndays_off = [2027-02-11]'
    calendar = parse(text, name="test").calendar
    assert calendar.is_business_day(date(2027, 2, 14))
    assert not calendar.is_business_day(date(2027, 2, 11))


def test_an_approval_needs_a_code_only_where_the_file_says_so():
    assert parse(WHOLE, name="test").step_up is None
    text = '\n[step_up]\nover = { EUR = "20000" }\nreasons = ["fraud"]\nactions = ["cancel-azure"]\n'
    assert parse(WHOLE + text, name="test").step_up == StepUp(
        {"EUR": Decimal(20000)}, frozenset({Reason.FRAUD}), frozenset({Verb.CANCEL_AZURE})
    )
    with pytest.raises(BadPolicy, match=r"^test: step_up: it names over, reasons or actions"):
        parse(WHOLE + "\n[step_up]\n", name="test")


def test_the_glass_is_broken_only_by_whom_the_file_names_and_never_for_a_debt():
    assert parse(WHOLE, name="test").break_glass is None
    policy = parse(WHOLE + '\n[break_glass]\nwho = ["U0ANNA", "S0NIGHT"]\n', name="test")
    assert policy.break_glass == BreakGlass(
        frozenset({"U0ANNA", "S0NIGHT"}), frozenset({Reason.FRAUD, Reason.MISUSE})
    )
    assert "S0NIGHT" in policy.groups
    one = parse(WHOLE + '\n[break_glass]\nwho = ["U0ANNA"]\nreasons = ["misuse"]\n', name="test").break_glass
    assert one is not None
    assert one.reasons == {Reason.MISUSE}


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        pytest.param(
            'who = ["U0A"]\nreasons = ["non_payment"]', "reasons: non_payment can wait", id="a debt"
        ),
        pytest.param(
            'who = ["U0A"]\nreasons = ["fraud", "customer_request"]',
            "reasons: customer_request can",
            id="a wish",
        ),
        pytest.param('who = ["U0A"]\nreasons = []', "reasons: ", id="for nothing"),
        pytest.param("who = []", "who: ", id="nobody"),
        pytest.param("", "who: ", id="nobody named"),
        pytest.param('who = ["@anna"]', "who.0: ", id="a handle"),
        pytest.param(
            'who = ["U0A"]\nactions = ["cancel-azure"]', "actions: this version does not", id="a key"
        ),
    ],
)
def test_what_break_glass_cannot_say(said: str, refused: str):
    with pytest.raises(BadPolicy, match=rf"^test: break_glass\.{refused}"):
        parse(f"{WHOLE}\n[break_glass]\n{said}\n", name="test")


RIGHTS = """
[[rights]]
may = "approve"
who = ["S0LEADS", "U0ANNA"]
reasons = ["non_payment", "fraud"]
up_to = { EUR = "5000.00" }
channels = ["C0APPROVALS"]
clouds = ["global"]

[[rights]]
may = "ask"
"""


def test_rights_reach_everywhere_unless_the_file_limits_them():
    assert parse(WHOLE, name="test").rights == ()
    policy = parse(WHOLE + RIGHTS, name="test")
    assert policy.rights == (
        Grant(
            Right.APPROVE,
            who=frozenset({"S0LEADS", "U0ANNA"}),
            reasons=frozenset({Reason.NON_PAYMENT, Reason.FRAUD}),
            clouds=frozenset({Cloud.GLOBAL}),
            channels=frozenset({"C0APPROVALS"}),
            up_to={"EUR": Decimal("5000.00")},
        ),
        Grant(Right.OPERATE),
    )
    assert policy.groups == {"S0LEADS"}
    assert policy.counts_amounts


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('may = "decide"', "rights.0.may: Input should be 'ask' or 'approve'"),
        ('may = "ask"\nwho = ["@anna"]', "rights.0.who.0: String should match pattern"),
        ('may = "ask"\nwho = []', "rights.0.who: List should have at least 1 item"),
        ('may = "ask"\nreasons = ["debt"]', "rights.0.reasons.0: Input should be 'non_payment'"),
        ('may = "ask"\nchannels = ["#csp"]', "rights.0.channels.0: String should match pattern"),
        ('may = "ask"\nclouds = ["moon"]', "rights.0.clouds.0: Input should be 'global'"),
        ('may = "ask"\nup_to = {}', "rights.0.up_to: Dictionary should have at least 1 item"),
        ('may = "ask"\nup_to = { EUR = 5000 }', "rights.0.up_to.EUR: amounts are written as text"),
        ('may = "ask"\nup_to = { EURO = "5" }', "'EURO' is not a currency code"),
        ('may = "ask"\nuntil = 2027-01-01', "rights.0.until: this version does not know that key"),
        ('who = ["U0ANNA"]', "rights.0.may: Field required"),
    ],
)
def test_a_right_that_cannot_be_honoured_is_refused_in_one_line(line: str, told: str):
    with pytest.raises(BadPolicy) as refused:
        parse(f"{WHOLE}\n[[rights]]\n{line}\n", name="test")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
