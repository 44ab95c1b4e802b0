"""`backstop read`: the accounting systems are read from the command line, and what it says of each."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import run
from bot.settings import Settings

QUERY = """
SELECT customer, number AS document_number, due AS due_date, currency, amount AS open_amount FROM debts
"""


class Ledger:
    """The partner's own database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.change("CREATE TABLE debts (customer, number, due, currency, amount)")
        due = (date.today() - timedelta(days=40)).isoformat()  # noqa: DTZ011 - the program reads the clock, too
        for n in range(1, 5):
            self.change("INSERT INTO debts VALUES ('Contoso', ?, ?, 'EUR', '100.00')", f"INV-{n}", due)

    def change(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "open.sql").write_text(QUERY, "utf-8")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'backstop.db'}")
    monkeypatch.setenv("RECEIVABLES_SOURCES", "sql")
    monkeypatch.setenv("RECEIVABLES_SQL_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("RECEIVABLES_SQL_QUERY_FILE", "open.sql")
    return Ledger(tmp_path / "ledger.db")


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Any:
    """Carry a command line out: its exit code and what it printed, on stdout or else on stderr."""

    def carry_out(line: str) -> tuple[int, str]:
        code = run(line.split())
        printed = capsys.readouterr()
        return code, printed.out or printed.err

    return carry_out


def test_it_tells_what_is_new_and_what_is_gone(ledger: Ledger, says: Any):
    code, said = says("read")
    assert (code, said.splitlines()[0].partition(". ")[2]) == (0, "New 4, changed 0, unchanged 0, closed 0.")
    ledger.change("DELETE FROM debts WHERE number = 'INV-1'")
    assert "New 0, changed 0, unchanged 3, closed 1." in says("read")[1]


def test_as_one_json_document(ledger: Ledger, says: Any):
    ledger.change("UPDATE debts SET amount = 'much' WHERE number = 'INV-4'")
    code, said = says("read sql --json")
    (found,) = json.loads(said)["sources"]
    assert code == 0
    assert (found["source"], found["outcome"], found["complete"], found["items"]) == (
        "sql",
        "applied",
        False,
        3,
    )
    assert found["changes"] == {"new": 3, "changed": 0, "unchanged": 0, "closed": 0}
    assert [(note["at"], note["code"]) for note in found["rejected"]] == [("row 4", "bad_amount")]
    assert found["error"] is None


def test_what_is_held_is_said_with_what_to_do_and_applied_when_told_so(ledger: Ledger, says: Any):
    says("read")
    ledger.change("DELETE FROM debts WHERE number < 'INV-3'")
    code, said = says("read")
    assert code == 1
    assert "Not applied" in said
    assert "backstop read sql --yes" in said
    assert says("read sql --yes")[0] == 0
    assert "unchanged 2" in says("read")[1]


def test_what_cannot_be_read_is_said_in_words(ledger: Ledger, says: Any):
    ledger.change("DROP TABLE debts")
    code, said = says("read")
    assert code == 1
    assert said.startswith("sql: The accounting system does not give what was asked for")
    assert "Traceback" not in said


def test_a_source_that_is_not_read_any_more_is_retired(
    ledger: Ledger, says: Any, monkeypatch: pytest.MonkeyPatch
):
    says("read")
    assert says("read --retire sql") == (
        2,
        "backstop: sql is still among RECEIVABLES_SOURCES: take it out first\n",
    )
    monkeypatch.setenv("RECEIVABLES_SOURCES", "")
    assert says("read --retire sql") == (0, "sql: 4 open items closed. It counts no longer.\n")
    code, said = says("read --retire sql")
    assert (code, said.startswith("backstop: sql is not a source of receivables")) == (2, True)


@pytest.mark.parametrize(
    ("line", "sources", "said"),
    [
        pytest.param("read", "", "RECEIVABLES_SOURCES is not set", id="nothing is configured"),
        pytest.param("read xero", "sql", "xero is not among RECEIVABLES_SOURCES", id="another source"),
        pytest.param("read --yes", "sql", "--yes needs the name of the source", id="yes to all"),
        pytest.param("read sql --retire file", "sql", "--retire stands alone", id="two things at once"),
        pytest.param(
            "read",
            "xero",
            "RECEIVABLES_XERO_CLIENT_ID, RECEIVABLES_XERO_CLIENT_SECRET, RECEIVABLES_XERO_REFRESH_TOKEN, "
            "RECEIVABLES_XERO_ORGANISATION_ID and BACKSTOP_SECRET_KEY are not set",
            id="half configured",
        ),
        pytest.param("read", "sage", "RECEIVABLES_SOURCES: 'sage' is none of", id="an unknown one"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(
    ledger: Ledger, says: Any, monkeypatch: pytest.MonkeyPatch, line: str, sources: str, said: str
):
    monkeypatch.setenv("RECEIVABLES_SOURCES", sources)
    code, printed = says(line)
    assert (code, printed.count("\n")) == (2, 1)
    assert said in printed


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("DELETE FROM debts", "one SELECT is needed", id="a delete"),
        pytest.param("SELECT 1; SELECT 2", "one SELECT is needed", id="two statements"),
    ],
)
def test_a_query_that_is_not_one_select_is_never_sent(ledger: Ledger, says: Any, query: str, said: str):
    Path("open.sql").write_text(query, "utf-8")
    code, printed = says("read")
    assert code == 2
    assert printed.startswith("backstop: RECEIVABLES_SQL_QUERY_FILE: ")
    assert said in printed


def test_the_key_of_tryton_is_not_sent_in_the_open(
    ledger: Ledger, says: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RECEIVABLES_SOURCES", "tryton")
    monkeypatch.setenv("RECEIVABLES_TRYTON_URL", "http://tryton.example")
    monkeypatch.setenv("RECEIVABLES_TRYTON_DATABASE", "ar")
    monkeypatch.setenv("RECEIVABLES_TRYTON_KEY", "hush")
    code, printed = says("read")
    assert code == 2
    assert printed.startswith("backstop: RECEIVABLES_TRYTON_URL: ")
    assert "hush" not in printed
