"""The form of an evidence pack: nothing that says what happens is cut short, in any language."""

from __future__ import annotations

import json

import pytest

from bot.texts import LANGUAGES, in_language
from tests.views.drawn_evidence import VIEWS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VIEWS)
def test_nothing_is_cut_short(name: str, language: str):
    drawn = json.dumps(VIEWS[name](in_language(language)), ensure_ascii=False)
    assert "…" not in drawn


def test_redacted_is_what_is_chosen_unless_somebody_wants_the_other():
    view = VIEWS["form-evidence"](in_language("en"))
    (radio,) = [b["element"] for b in view["blocks"] if b.get("element", {}).get("type") == "radio_buttons"]
    assert radio["initial_option"]["value"] == "redacted"
