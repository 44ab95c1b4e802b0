"""The log: for people on a terminal, for a collector everywhere else, and in both what it is a consequence of."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from bot import correlation, logs, settings
from bot.logs import Form

log = logging.getLogger("bot.somewhere")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nobody_writes_it_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process of its own; pytest writes the log itself."""
    names = ("", *logs.QUIET, "slack_bolt")
    before = {name: logging.getLogger(name).level for name in names}
    engine = logging.getLogger("dbos")
    handlers, propagates = list(engine.handlers), engine.propagate
    monkeypatch.setattr(logging.root, "handlers", [])
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    engine.handlers[:], engine.propagate = handlers, propagates


def set_up(stream: TextIO, *, form: Form | None, verbose: bool) -> None:
    logging.root.handlers.clear()
    logs.set_up(stream, form=form, verbose=verbose)


def test_on_a_terminal_it_is_text_and_elsewhere_json():
    for stream, begins in ((Terminal(), "2"), (io.StringIO(), "{")):
        set_up(stream, form=None, verbose=False)
        log.warning("words")
        assert stream.getvalue().startswith(begins)


@pytest.mark.parametrize(("form", "begins"), [(Form.TEXT, "2"), (Form.JSON, "{")])
def test_it_may_be_chosen(form: Form, begins: str):
    for stream in (Terminal(), io.StringIO()):
        set_up(stream, form=form, verbose=False)
        log.warning("words")
        assert stream.getvalue().startswith(begins)


def test_a_line_of_json_is_one_line_whatever_is_in_it():
    stream = io.StringIO()
    set_up(stream, form=Form.JSON, verbose=False)
    try:
        raise LookupError("a\nb")
    except LookupError:
        log.exception('two\nlines of "%s" – 逾期', "x")
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert said.pop("at").endswith("+00:00")
    assert "LookupError: a\nb" in said.pop("exception")
    assert said == {"level": "ERROR", "logger": "bot.somewhere", "message": 'two\nlines of "x" – 逾期'}


def test_what_somebody_began_is_told_under_its_id():
    lines, text = io.StringIO(), io.StringIO()
    for stream, form in ((lines, Form.JSON), (text, Form.TEXT)):
        set_up(stream, form=form, verbose=False)
        with correlation.under("c0ffee"):
            log.warning("within")
        log.warning("besides")
    within, besides = map(json.loads, lines.getvalue().splitlines())
    assert within["correlation_id"] == "c0ffee"
    assert "correlation_id" not in besides
    first, second = text.getvalue().splitlines()
    assert first.endswith("within [c0ffee]")
    assert second.endswith("besides")


def test_little_is_told_unless_asked_for_and_the_engine_writes_no_lines_of_its_own():
    quiet, verbose = io.StringIO(), io.StringIO()
    for stream, is_verbose in ((quiet, False), (verbose, True)):
        set_up(stream, form=Form.JSON, verbose=is_verbose)
        log.info("done")
        logging.getLogger("dbos").info("launched")
        logging.getLogger("dbos").warning("no queue")
    assert [json.loads(line)["message"] for line in quiet.getvalue().splitlines()] == ["no queue"]
    assert [json.loads(line)["message"] for line in verbose.getvalue().splitlines()] == ["done", "no queue"]


@pytest.mark.parametrize(
    ("given", "form"), [("json", Form.JSON), (" text ", Form.TEXT), ("", None), ("xml", None)]
)
def test_the_form_is_known_before_the_other_settings(
    given: str, form: Form | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "nonsense")
    (tmp_path / ".env").write_text(f"BACKSTOP_LOG={given}\n")
    assert settings.log_form() is form
