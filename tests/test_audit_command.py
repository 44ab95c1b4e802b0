"""`backstop audit`: of the trail in the database, and of a pack as whoever was handed it, without any database."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from bot.__main__ import run
from bot.domain.audit import AuditEvent, AuditTag
from bot.domain.evidence import AUDIT, pack
from bot.domain.evidence_zip import zipped
from bot.store import Store
from tests.builders import noon
from tests.domain.test_evidence import LABEL, MEMBERS, PACK, entries, flipped
from tests.program import PATIENCE, carried_out, environment


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place without settings: any database named here could not be opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.db")
    return tmp_path


def a_file(where: Path, content: bytes) -> str:
    path = where / "PACK.zip"
    path.write_bytes(content)
    return str(path)


def test_a_pack_is_checked_without_settings_and_database(tmp_path: Path):
    made = pack(LABEL, MEMBERS, entries())
    ended = carried_out("audit", "verify", a_file(tmp_path, made.content), cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert made.manifest_sha256 in ended.stdout
    assert "Evidence pack of T-TEST000001" in ended.stdout
    assert "Audit entries checked by their content: 5" in ended.stdout
    assert ended.stdout.endswith("The pack is as it was made.\n")
    assert {path.name for path in tmp_path.iterdir()} == {"PACK.zip"}, "nothing is written beside it"


def test_of_a_redacted_one_it_says_what_was_checked_and_how(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
):
    label = replace(LABEL, redacted=True, cut={"audit": 7})
    made = pack(label, MEMBERS, entries(redacted=(1, 2)))
    assert run(["audit", "verify", a_file(nowhere, made.content)]) == 0
    said = capsys.readouterr().out
    assert "redacted, made 2026-" in said
    assert "by their content: 3" in said
    assert "by their place in the chain: 2" in said
    assert "Of audit the oldest 7 are not in it." in said


def test_one_byte_changed_names_the_entry(nowhere: Path, capsys: pytest.CaptureFixture[str]):
    at = PACK.index(b'"amount":"4"') + 10
    assert run(["audit", "verify", a_file(nowhere, flipped(PACK, at))]) == 1
    said = capsys.readouterr().out
    assert "BROKEN: audit.jsonl entry 4 (request:withdrawn) is not as it was written." in said
    assert said.endswith("The pack is NOT as it was made.\n")


def test_one_byte_changed_names_the_file(nowhere: Path, capsys: pytest.CaptureFixture[str]):
    changed = flipped(PACK, PACK.index(MEMBERS["timeline.txt"]))
    assert run(["audit", "verify", a_file(nowhere, changed)]) == 1
    assert "BROKEN: timeline.txt is not as it was written." in capsys.readouterr().out


def test_words_of_a_forger_do_not_move_the_cursor(nowhere: Path, capsys: pytest.CaptureFixture[str]):
    made = pack(replace(LABEL, about="T-\x1b[2J\r\n", made_by="\x9b"), MEMBERS)
    assert run(["audit", "verify", a_file(nowhere, made.content)]) == 0
    assert not set("\x1b\r\x9b") & set(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("audit verify gone.zip", "cannot be read", id="a file that is not there"),
        pytest.param("audit verify .", "cannot be read", id="a folder"),
        pytest.param("audit verify words.txt", "not an evidence pack", id="no ZIP"),
        pytest.param("audit verify other.zip", "not an evidence pack", id="another ZIP"),
        pytest.param("audit export words.txt", "`audit verify` alone", id="an export of it"),
        pytest.param("audit verify words.txt --since 2026-01-01", "alone", id="a part of it"),
        pytest.param(f"audit verify words.txt --anchor 1:{'a' * 64}", "alone", id="against an anchor"),
        pytest.param("audit verify --since 2026-01-01", "go with `audit export`", id="from a day on"),
        pytest.param(
            "audit verify --dry-run", "goes with `audit purge`", id="a dry run of what removes nothing"
        ),
        pytest.param("audit purge --since 2026-01-01", "go with `audit export`", id="a purge from a day on"),
        pytest.param("audit verify --after 3", "go with `audit export`", id="from an entry on"),
        pytest.param(f"audit export --anchor 1:{'a' * 64}", "goes with `audit verify`", id="an anchor"),
    ],
)
def test_what_is_no_pack_is_refused_in_one_line(
    line: str, says: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
):
    (nowhere / "words.txt").write_text("words")
    (nowhere / "other.zip").write_bytes(zipped([(AUDIT.encode(), b"{}\n")]))
    assert run(line.split()) == 2
    ended = capsys.readouterr()
    assert ended.out == ""
    assert says in ended.err
    assert ended.err.count("\n") == 1


@pytest.fixture
def trail(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> list[AuditEvent]:
    """Five entries in the database that the command opens; the fourth is an anchor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)

    return filled(sqlite_url, at=noon)


def filled(url: str, *, at: datetime) -> list[AuditEvent]:
    async def fill() -> list[AuditEvent]:
        store = Store(url, now=lambda: at)
        made = []
        async with store.begin() as tx:
            for number in range(1, 4):
                made.append(await tx.audit.append(AuditTag.REQUEST_PLACED, f"R-{number}", note="=1+1, 逾期"))
            last = made[-1]
            made.append(
                await tx.audit.append(AuditTag.AUDIT_ANCHORED, "anchor:x", seq=last.seq, hash=last.hash)
            )
            made.append(await tx.audit.append(AuditTag.REQUEST_PLACED, "R-5"))
        await store.close()
        return made

    return asyncio.run(fill())


def change(where: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(where / "backstop.db")) as database, database:
        database.execute(statement, values)


@pytest.mark.usefixtures("trail")
def test_a_trail_that_holds_says_so_and_how_many_anchors_do(capsys: pytest.CaptureFixture[str]):
    assert run(["audit", "verify"]) == 0
    assert capsys.readouterr().out == "All 5 entries are as they were written.\nAnchors that hold: 1.\n"


def test_an_anchor_copied_from_slack_holds_or_is_named(
    trail: list[AuditEvent], capsys: pytest.CaptureFixture[str]
):
    good, forged, gone = f"2:{trail[1].hash}", f"2:{'f' * 64}", f"9:{'a' * 64}"
    assert run(["audit", "verify", "--anchor", good]) == 0
    assert "Anchors that hold: 2." in capsys.readouterr().out
    assert run(["audit", "verify", "--anchor", good, "--anchor", forged, "--anchor", gone]) == 1
    said = capsys.readouterr().out
    assert f"Anchor {forged} does not hold: entry 2 has another hash." in said
    assert f"Anchor {gone} does not hold: there is no entry 9, the trail ends with 5." in said
    assert "All 5" not in said


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        pytest.param(
            "UPDATE audit SET subject = 'R-9' WHERE seq = 2", "Entry 2 (request:placed", id="changed"
        ),
        pytest.param(
            "UPDATE audit SET tag = 'a' || char(27) WHERE seq = 2", "Entry 2 (a?,", id="with an escape"
        ),
        pytest.param("DELETE FROM audit WHERE seq = 2", "Entry 2 is missing: entry 3", id="removed"),
        pytest.param(
            "DELETE FROM audit WHERE seq = 1", "Entry 1 is missing: entry 2", id="the first removed"
        ),
    ],
)
def test_the_first_broken_entry_is_named(
    statement: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    change(tmp_path, statement)
    assert run(["audit", "verify"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(says)
    assert "is not as it was written" in said


@pytest.mark.parametrize("anchor", ["2", "2:abc", f"0:{'a' * 64}"])
def test_what_is_no_anchor_is_refused_in_one_line(anchor: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        run(["audit", "verify", "--anchor", anchor])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize("format", ["jsonl", "csv"])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_two_exports_one_behind_the_other_are_the_whole(
    format: str, at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    export = ["audit", "export", "--format", format]
    assert run(export) == 0
    whole = capsys.readouterr()
    assert whole.err == "backstop: to go on from here: --after 5\n"
    assert whole.out.count("\n") == 5 + (format == "csv")

    change(tmp_path, "CREATE TABLE later AS SELECT * FROM audit WHERE seq > ?", at)
    change(tmp_path, "DELETE FROM audit WHERE seq > ?", at)
    assert run(export) == 0
    early = capsys.readouterr()
    change(tmp_path, "INSERT INTO audit SELECT * FROM later")
    assert run([*export, *early.err.split()[-2:]]) == 0
    late = capsys.readouterr()
    assert early.out + late.out == whole.out
    assert late.err == whole.err
    assert run([*export, *late.err.split()[-2:]]) == 0
    assert capsys.readouterr() == ("", whole.err), "nothing is new, and it goes on where it did"


@pytest.mark.usefixtures("trail")
def test_a_note_is_no_formula_where_spreadsheets_split_at_semicolons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    facts = {"note": 'paid;=HYPERLINK(1); @SUM(A1);"=1', "all": ["a", "=1"], "sums": [1, -2]}
    change(tmp_path, "UPDATE audit SET facts = ? WHERE seq = 2", json.dumps(facts))
    assert run(["audit", "export", "--format", "csv"]) == 0
    out = capsys.readouterr().out
    parts = [part for line in csv.reader(io.StringIO(out), delimiter=";") for part in line]
    assert not [part for part in parts if part.lstrip(' "').startswith(("=", "+", "-", "@"))]
    told = json.loads(list(csv.DictReader(io.StringIO(out)))[1]["facts"])
    assert told["sums"] == facts["sums"]


@pytest.fixture
def long_trail(tmp_path: Path, trail: list[AuditEvent]) -> None:
    """More than stdout and a pipe hold: it is written while the database is being read."""
    change(
        tmp_path,
        "WITH RECURSIVE n(seq) AS (SELECT 6 UNION ALL SELECT seq + 1 FROM n WHERE seq < 3000) "
        "INSERT INTO audit SELECT n.seq, at, tag, subject, by, facts, previous, hash FROM n, audit "
        "WHERE audit.seq = ?",
        trail[0].seq,
    )


def exporting(format: str, *, cwd: Path, url: str, out: int | IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "audit", "export", "--format", format],
        env=environment(DATABASE_URL=url, PYTHONPATH=str(Path(__file__).parents[1])),
        cwd=cwd,
        stdout=out,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("length", ["trail", "long_trail"])
@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_an_export_that_is_not_read_to_its_end_is_no_error(
    length: str, format: str, tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
):
    request.getfixturevalue(length)
    with exporting(format, cwd=tmp_path, url=sqlite_url, out=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stderr
        if length == "long_trail":
            assert program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(PATIENCE) == 141


@pytest.mark.parametrize("length", ["trail", "long_trail"])
@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_an_export_that_finds_no_room_says_so_in_one_line(
    length: str, format: str, tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
):
    request.getfixturevalue(length)
    with (
        Path("/dev/full").open("wb") as full,
        exporting(format, cwd=tmp_path, url=sqlite_url, out=full) as program,
    ):
        assert program.stderr
        said = program.stderr.read().decode()
        assert program.wait(PATIENCE) == 2
    assert said.startswith("backstop: the output cannot be written (No space left on device)")
    assert said.count("\n") == 1


@pytest.mark.usefixtures("trail")
def test_another_command_that_finds_no_room_says_so_too(tmp_path: Path, sqlite_url: str):
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "bot", "audit", "verify"],
            env=environment(DATABASE_URL=sqlite_url, PYTHONPATH=str(Path(__file__).parents[1])),
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
            timeout=PATIENCE,
        )
    assert ended.returncode == 2
    assert ended.stderr == "backstop: the output cannot be written (No space left on device)\n"


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize("number", ["-1", "x", "٣", "9" * 19])
def test_a_cursor_that_is_no_number_is_refused_in_one_line(number: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        run(["audit", "export", f"--after={number}"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def old_trail(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five entries of a hundred days ago, kept for thirty: the program goes by the real clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("BACKSTOP_AUDIT_RETENTION", "P30D")
    filled(sqlite_url, at=datetime.now(UTC) - timedelta(days=100))


@pytest.mark.usefixtures("old_trail")
def test_a_dry_run_says_what_a_purge_removes_and_removes_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    filled(sqlite_url, at=datetime.now(UTC) - timedelta(days=10))
    monkeypatch.delenv("BACKSTOP_AUDIT_RETENTION")
    assert run(["audit", "purge"]) == 0
    assert capsys.readouterr().out.startswith("No entry is older than BACKSTOP_AUDIT_RETENTION (2562 days)")
    monkeypatch.setenv("BACKSTOP_AUDIT_RETENTION", "P30D")
    assert run(["audit", "purge", "--dry-run"]) == 0
    dry = capsys.readouterr().out
    assert dry.startswith("5 entries are older than")
    assert dry.endswith("Nothing was removed.\n")
    assert run(["audit", "verify"]) == 0
    assert "All 10 entries" in capsys.readouterr().out
    assert run(["audit", "purge"]) == 0
    said = capsys.readouterr().out
    assert said.partition("\n")[0] == dry.partition("\n")[0]
    assert "5 entries were removed" in said
    assert run(["audit", "verify"]) == 0
    assert "Up to entry 5 they were purged, and the trail says so." in capsys.readouterr().out
    assert run(["audit", "export", "--after", "2"]) == 0
    assert "entries 3 to 5 are not there any more" in capsys.readouterr().err


@pytest.mark.usefixtures("old_trail")
def test_a_purge_by_a_clock_that_nothing_bears_out_removes_nothing(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    assert run(["audit", "purge"]) == 0
    assert capsys.readouterr().out.endswith("\nNothing was removed.\n")
    assert "no entry bears out that it is" in caplog.text
    assert run(["audit", "verify"]) == 0
    assert "All 5 entries" in capsys.readouterr().out
