"""Names of files that lead elsewhere: a name is text, and nothing is ever written by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SetStage
from tests.handlers.test_intake import DONE, WITH_REJECTS, card_says, previewed

NAMES = [
    pytest.param("../../../elsewhere/taken.csv", id="up"),
    pytest.param("/elsewhere/taken.csv", id="absolute"),
    pytest.param("..\\..\\elsewhere\\taken.csv", id="backslashes"),
    pytest.param("C:\\elsewhere\\taken.csv", id="a drive"),
    pytest.param("file:///elsewhere/taken.csv", id="an address"),
    pytest.param("%2e%2e%2felsewhere%2ftaken.csv", id="escaped"),
    pytest.param("taken\x00.csv", id="cut short"),
    pytest.param("$(touch taken).csv", id="a command"),
    pytest.param("~/taken.csv", id="home"),
    pytest.param("x" * 300 + ".csv", id="long"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_leads_elsewhere_leads_nowhere(
    set_stage: SetStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    home = tmp_path / "a" / "b" / "c"
    home.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    stage = await set_stage()
    before = files(tmp_path)

    shared, card = await previewed(stage, WITH_REJECTS, name=name)
    rejects = await stage.slack.message_appears(
        shared["channel"],
        lambda m: m.get("thread_ts") == shared["ts"] and m["ts"] != shared["ts"] and bool(m.get("files")),
    )
    assert (await stage.ana.click(card, "Apply")).ok
    await card_says(stage, shared, DONE)

    assert files(tmp_path) == before
    [sent_back] = rejects["files"]
    assert not set(sent_back["name"]) & set("/\\\x00$~%")
    assert ".." not in sent_back["name"]


def files(home: Path) -> set[Path]:
    """All but the database and what SQLite keeps beside it."""
    return {path for path in home.rglob("*") if not path.name.startswith("backstop.db")}
