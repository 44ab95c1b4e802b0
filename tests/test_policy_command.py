"""`backstop policy …` from outside: what it prints, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.core import utc_now
from bot.policy_file import packaged, version_of
from tests.program import carried_out

WHOLE = Path(__file__).parent / "samples" / "receivables" / "policy_whole.toml"
HEADER = "Date,Transaction Type,Num,Customer,Tenant ID,Due Date,Currency,Amount,Open Balance"
STRICT = """
schema = 1
max_data_age_hours = 400
[[stage]]
id = "warn"
days_overdue = 5
action = "warn"
notice_days = 2
[[stage]]
id = "suspend"
days_overdue = 8
action = "propose_suspend"
requires_stage = "warn"
amount = { EUR = "100.00" }
"""


def ran(*line: str, cwd: Path, **settings: str) -> str:
    """What it printed, after it was seen to have gone well."""
    ended = carried_out(*line, cwd=cwd, settings=settings)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout


def test_show_is_a_table_of_everything_the_file_says(tmp_path: Path):
    said = ran("policy", "show", "--file", str(WHOLE), cwd=tmp_path)
    for words in (
        "quiet_hours                18:00, 08:00",
        "action propose_suspend; amount EUR 100.00, USD 100.00, CNY 800.00; any items_overdue 1; requires_stage warn",
        "reason Hospital: never suspend; actions propose_cancel, propose_suspend; until 2027-03-31; by U0FINANCE",
        "reason Contract: 60 days; stages suspend days_overdue 75, cancel days_overdue 120; until 2027-12-31",
        "public_sector  tag public-sector; stages suspend enabled no",
        "promise_to_pay max_days 14, max_times 1",
        "china   legacy_seat 60; legacy_azure 60; new_commerce_seat 60",
        "all rules  case_from 40; high_from 80; live_days 14; quiet_days 30; business_hours 6, 22",
        "trial_burst           enabled yes; points 40; trials 4; days 7",
    ):
        assert words in said


def test_show_has_the_text_to_start_from(tmp_path: Path):
    assert ran("policy", "show", "--toml", cwd=tmp_path) == packaged()


def test_show_json_has_every_key_of_the_file(tmp_path: Path):
    said = json.loads(ran("policy", "show", "--file", str(WHOLE), "--json", cwd=tmp_path))
    suspend = next(stage for stage in said["stages"] if stage["id"] == "suspend")
    assert suspend == {
        "id": "suspend",
        "days_overdue": 30,
        "action": "propose_suspend",
        "enabled": True,
        "amount": {"EUR": "100.00", "USD": "100.00", "CNY": "800.00"},
        "any": [{"items_overdue": 1}],
        "all": [],
        "repeat_every_days": None,
        "notice_days": 0,
        "requires_stage": "warn",
        "approvals": 2,
        "expires_hours": 48,
        "scope": {"exclude_products": ["azure_plan"], "max_subscriptions": 50},
        "channel": None,
        "ticket": None,
    }
    assert said["stages"][2]["ticket"] == {"queue": "collections", "priority": "normal"}
    assert said["override"][0]["stages"] == {"suspend": {"days_overdue": 75}, "cancel": {"days_overdue": 120}}
    assert said["exempt"][0]["until"] == "2027-03-31"
    assert said["segments"] == {
        "public_sector": {"tag": "public-sector", "stages": {"suspend": {"enabled": False}}}
    }
    assert (said["timezone"], said["business_calendar"]) == ("Europe/Berlin", "DE-BE")
    assert said["exit"]["promise_to_pay"] == {"max_days": 14, "max_times": 1}
    assert (said["risk"]["case_from"], said["risk"]["business_hours"]) == (40, [6, 22])
    assert said["risk"]["rules"]["large_first_order"] == {"enabled": True, "points": 40, "seats": "100"}


def test_check_tells_its_warnings_and_where(tmp_path: Path):
    said = json.loads(ran("policy", "check", "--file", str(WHOLE), "--json", cwd=tmp_path))
    assert (said["ok"], said["file"], said["version"]) == (True, str(WHOLE), version_of(WHOLE.read_text()))
    assert ("segment_of_nobody", "segments.public_sector") in [
        (w["code"], w["where"]) for w in said["warnings"]
    ]
    words = ran("policy", "check", "--file", str(WHOLE), cwd=tmp_path)
    assert words.startswith(
        f"{WHOLE} holds: 5 stages, version {said['version']}.\n{len(said['warnings'])} warnings:\n"
    )
    assert "segments.public_sector: nobody bears the tag 'public-sector'" in words


def test_check_refuses_in_one_line(tmp_path: Path):
    (tmp_path / "p.toml").write_text("schema = 1\nmercy = true\n")
    ended: subprocess.CompletedProcess[str] = carried_out(
        "policy", "check", "--file", "p.toml", "--json", cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr
        == "backstop: p.toml: mercy: this version does not know that key; remove it or correct its name\n"
    )


@pytest.mark.parametrize(
    ("language", "opens"),
    [("en", "# What happens when"), ("de", "# Was geschieht, wenn"), ("zh-CN", "# 账单逾期")],
)
def test_publish_prints_and_makes_no_database(language: str, opens: str, tmp_path: Path):
    said = ran("policy", "publish", "--lang", language, cwd=tmp_path)
    assert said.startswith(opens)
    assert version_of(packaged()) in said
    html = ran("policy", "publish", "--lang", language, "--format", "html", cwd=tmp_path)
    assert html.startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == []


def test_publish_is_in_the_language_of_the_settings_unless_told(tmp_path: Path):
    assert ran("policy", "publish", cwd=tmp_path, BACKSTOP_LOCALE="de").startswith("# Was geschieht")


def test_publish_says_as_of_today_where_the_database_does_not_answer(tmp_path: Path):
    said = ran("policy", "publish", cwd=tmp_path, DATABASE_URL="postgresql://somebody@127.0.0.1:1/none")
    assert ", as of " in said
    assert "in force since" not in said


def export(*rows: str) -> str:
    return "\n".join([HEADER, *rows, ""])


def a_row(number: str, customer: str, tenant: str, due: date, amount: str) -> str:
    return f"{due},Invoice,{number},{customer},{tenant},{due},EUR,{amount},{amount}"


PAYS = "11111111-2222-4333-8444-555555555555"
NEVER = "22222222-2222-4333-8444-555555555555"


def test_simulate_replays_a_series_of_exports_and_tells_who_paid_anyway(tmp_path: Path):
    """One pays on the eleventh day overdue, one never; a trifle is warned of and no more."""
    today = utc_now().date()
    due = today - timedelta(days=14)
    pays = a_row("1", "Pays late", PAYS, due, "500.00")
    others = [a_row("2", "Never pays", NEVER, due, "700.00"), a_row("3", "A trifle", "", due, "99.99")]
    for days, rows in ((0, [pays, *others]), (11, others), (14, others)):
        (tmp_path / "open.csv").write_text(export(*rows))
        ran("import", "open.csv", "--as-of", f"{due + timedelta(days=days)}", "--yes", cwd=tmp_path)
    (tmp_path / "strict.toml").write_text(STRICT)
    line = ("policy", "simulate", "--file", "strict.toml", "--days", "15")
    said = json.loads(ran(*line, "--json", cwd=tmp_path))
    assert (said["days"], said["from"], said["to"]) == (15, f"{due}", f"{today}")
    assert said["paid_anyway"] == 1
    assert said["on_books_alone"] is True, "no customer was ever read"
    paid_on = f"{due + timedelta(days=11)}"
    told = [
        (p["customer"], p["tenant"], p["stage"], (date.fromisoformat(p["date"]) - due).days, p["paid_on"])
        for p in said["proposals"]
    ]
    assert sorted(told, key=str) == sorted(
        [
            ("Pays late", PAYS, "warn", 5, paid_on),
            ("Pays late", PAYS, "suspend", 8, paid_on),
            ("Never pays", NEVER, "warn", 5, None),
            ("Never pays", NEVER, "suspend", 8, None),
            ("A trifle", None, "warn", 5, None),
        ],
        key=str,
    )
    suspension = next(p for p in said["proposals"] if p["action"] == "propose_suspend")
    assert suspension["reasons"][0] == {"rule": "stage:suspend", "fact": "8 >= 8"}
    words = ran(*line, cwd=tmp_path)
    assert words.startswith(
        f"From {due} to {today}: 5 steps; 2 customers would have been cut off, 1 of them paid"
    )
    assert "every debtor in the books was taken for one" in words
