"""`backstop audit verify PACK.zip`, run as whoever was handed a pack runs it: no settings, no database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.__main__ import run
from bot.domain.evidence import AUDIT, pack, zipped
from tests.domain.test_evidence import LABEL, MEMBERS, PACK, entries, flipped
from tests.program import carried_out


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
