"""What `backstop check` shows of what it found: in a file, on a terminal, and as JSON."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.checklist import Check, as_json, in_colour, on_terminal, table
from tests.program import PATIENCE, environment

WELL = Check("database", True, "SQLite backstop.db")
WRONG = Check("Slack token", False, "Slack refuses it", "Copy it again.")
DOUBTFUL = Check("Slack scopes", True, "unknown: Slack did not say", doubtful=True)
COLOURS = {"✓ ok  ": "\x1b[32m", "! note": "\x1b[33m", "✗ fix ": "\x1b[31m"}
ESCAPE = re.compile(r"\x1b\[\d+m")


def test_the_table_says_under_each_failure_what_to_do():
    assert table((WELL, WRONG)).splitlines() == [
        "✓ database     SQLite backstop.db",
        "✗ Slack token  Slack refuses it",
        "               → Copy it again.",
    ]


def test_on_a_terminal_each_mark_has_its_word_and_its_colour():
    shown = on_terminal((WELL, DOUBTFUL, WRONG), colour=True, columns=100)
    assert ESCAPE.sub("", shown).splitlines() == [
        "✓ ok    database      SQLite backstop.db",
        "! note  Slack scopes  unknown: Slack did not say",
        "✗ fix   Slack token   Slack refuses it",
        "                      → Copy it again.",
        "",
        "To fix: 1 of 3. Do what stands behind each →, then run `backstop check` again.",
    ]
    for verdict, colour in COLOURS.items():
        assert f"{colour}{verdict}\x1b[0m" in shown
    assert on_terminal((WELL, DOUBTFUL, WRONG), colour=False, columns=100) == ESCAPE.sub("", shown)


@pytest.mark.parametrize(
    ("checks", "next_step"),
    [
        pytest.param((WELL,), "All 1 hold: `backstop run` can start.", id="all is well"),
        pytest.param((WELL, DOUBTFUL), "Worth a look, marked with !: 1 of 2.", id="something is doubtful"),
        pytest.param((DOUBTFUL, WRONG), "To fix: 1 of 2.", id="something is wrong"),
    ],
)
def test_its_last_line_says_what_is_next(checks: tuple[Check, ...], next_step: str):
    assert next_step in on_terminal(checks, colour=False, columns=100).splitlines()[-1]


def test_a_long_line_is_folded_under_itself_and_no_word_of_it_is_broken():
    url = "https://login.microsoftonline.example/a-long-address-that-is-there-to-be-copied/oauth2/token"
    long = Check("Partner Center", False, f"Microsoft refuses the sign-in at {url}", "Check the cloud. " * 6)
    lines = on_terminal((long,), colour=False, columns=72).splitlines()
    assert [line.strip() for line in lines if url in line] == [url]
    folded = [line for line in lines[:-2] if url not in line]
    assert len(folded) > 3
    assert max(len(line) for line in folded) <= 72
    assert {line[:24].strip() for line in lines[1:-2]} == {""}
    in_one = on_terminal((long,), colour=False, columns=20).splitlines()
    assert len(in_one) == 4, "too narrow to fold"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        pytest.param({"TERM": "xterm-256color"}, True, id="a terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": ""}, True, id="an empty NO_COLOR says nothing"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="a terminal without colours"),
    ],
)
def test_colour_is_for_terminals_whose_user_wants_it(variables: dict[str, str], wanted: bool, tmp_path: Path):
    master, terminal = os.openpty()
    with open(terminal, "w") as shown, open(master):
        assert in_colour(shown, variables) is wanted
    with (tmp_path / "found.txt").open("w") as file:
        assert not in_colour(file, variables)


def test_json_has_every_check_and_whether_all_hold():
    well = {"name": "database", "ok": True, "message": "SQLite backstop.db", "remedy": "", "doubtful": False}
    wrong = {
        "name": "Slack token",
        "ok": False,
        "message": "Slack refuses it",
        "remedy": "Copy it again.",
        "doubtful": False,
    }
    assert as_json((WELL, WRONG)) == {"ok": False, "checks": [well, wrong]}
    assert as_json((WELL, DOUBTFUL))["ok"] is True


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["in colour", "without"])
def test_the_command_looks_where_it_writes_to(variables: dict[str, str], tmp_path: Path):
    nowhere = {"SLACK_API_URL": "http://127.0.0.1:1/api/", "SLACK_BOT_TOKEN": "xoxb-1"}
    line = [sys.executable, "-m", "bot", "check"]
    given = environment(TERM="xterm", COLUMNS="100", **nowhere, **variables)
    master, terminal = os.openpty()
    with subprocess.Popen(line, cwd=tmp_path, env=given, stdout=terminal, stderr=subprocess.PIPE) as process:
        os.close(terminal)
        shown = read_to_the_end(master)
        assert process.wait(PATIENCE) == 1
    assert "\x1b" not in shown if variables else "\x1b[31m✗ fix " in shown
    assert "then run `backstop check` again." in shown.splitlines()[-1]
    piped = subprocess.run(line, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert "\x1b" not in piped.stdout
    assert piped.stdout.startswith(("✓ ", "✗ "))


def read_to_the_end(master: int) -> str:
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:  # the other side of a terminal is closed so
            os.close(master)
            return said.decode()
