"""`backstop import FILE --json`: one document on stdout that says of every row what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.program import carried_out

EXPORT = """\
Customer;Invoice No;Invoice Date;Due Date;Currency;Total;Paid;Balance;Remark
Müller & Söhne;RE-1;01.09.2026;01.10.2026;EUR;1.500,00;300,00;1.200,00;
Müller & Söhne;RE-2;13.10.2026;12.11.2026;EUR;99,90;0,00;99,90;reklamiert
Müller & Söhne;RE-2;13.10.2026;12.11.2026;EUR;99,90;0,00;99,90;reklamiert
Contoso;7001;2026-11-01;2026-11-22;JPY;5000;;5000;
Contoso;7002;2026-11-01;31.11.2026;JPY;5000;;5000;
Contoso;7003;2026-11-01;2026-11-30;JPY;5000;5000;0;
Total;;;;;;;6.299,90;
"""


def ran(path: Path, *options: str, cwd: Path) -> tuple[int, Any]:
    """The exit code, and the one document on stdout."""
    settings = {"DATABASE_URL": f"sqlite:///{cwd / 'backstop.db'}"}
    ended = carried_out(
        "import", str(path), "--json", "--as-of", "2026-11-22", *options, cwd=cwd, settings=settings
    )
    return ended.returncode, json.loads(ended.stdout)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "offen.csv"
    path.write_text(EXPORT, encoding="cp1252")
    return path


def test_every_row_is_accounted_for(export: Path, tmp_path: Path):
    code, said = ran(export, "--dry-run", cwd=tmp_path)
    assert (code, said["applied"], said["refused"]) == (0, False, None)
    assert {key: said[key] for key in ("accepted", "skipped", "duplicates", "not_open")} == {
        "accepted": 3,
        "skipped": 1,
        "duplicates": 1,
        "not_open": 1,
    }
    assert [(note["at"], note["code"]) for note in said["rejected"]] == [("line 6", "bad_date")]
    assert [(note["at"], note["code"]) for note in said["warnings"]] == [
        ("line 1", "encoding_assumed"),
        ("line 3", "dispute_hint"),
    ]
    assert said["items"][0] == {
        "customer": "Müller & Söhne",
        "tenant": None,
        "document_number": "RE-1",
        "instalment": 1,
        "kind": "invoice",
        "issue_date": "2026-09-01",
        "due_date": "2026-10-01",
        "currency": "EUR",
        "total": "1500.00",
        "open_amount": "1200.00",
        "disputed": False,
        "days_overdue": 52,
        "bucket": "31-60",
    }
    assert [(item["document_number"], item["disputed"], item["bucket"]) for item in said["items"][1:]] == [
        ("RE-2", True, "1-30"),
        ("7001", False, "current"),
    ]
    assert said["changes"] == {"new": 3, "changed": 0, "unchanged": 0, "closed": 0}


def test_the_same_file_once_more_changes_nothing(export: Path, tmp_path: Path):
    assert ran(export, cwd=tmp_path)[1]["applied"] is True
    assert ran(export, cwd=tmp_path)[1]["changes"] == {"new": 0, "changed": 0, "unchanged": 3, "closed": 0}


def test_of_a_refused_file_nothing_is_told_but_why(tmp_path: Path):
    path = tmp_path / "offen.xls"
    path.write_text("<html><table></table></html>")
    code, said = ran(path, cwd=tmp_path)
    assert (code, said["refused"]["code"], said["items"], said["applied"]) == (
        1,
        "unsupported_file",
        [],
        False,
    )
