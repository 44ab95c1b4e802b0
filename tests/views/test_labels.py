"""What a screen reader says of a button has the words on it: who says them to the computer presses it (WCAG 2.5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot import texts
from tests.views.drawn import VIEWS


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_label_says_what_stands_on_the_button(language: str):
    words = texts.in_language(language)
    odd = {
        (button["text"]["text"], button["accessibility_label"])
        for draw in VIEWS.values()
        for button in labelled(draw(words))
        if plainly(button["text"]["text"]) not in plainly(button["accessibility_label"])
    }
    assert odd == set()


def test_there_are_buttons_with_labels():
    """A guard on the reading of the views."""
    assert len([*labelled([draw(texts.in_language("en")) for draw in VIEWS.values()])]) > 100


def labelled(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "accessibility_label" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from labelled(each)


def plainly(text: str) -> str:
    """Its letters and digits: nobody says emoji, dots and dashes."""
    return re.sub(r"[\W_]+", " ", re.sub(r":[a-z0-9_+-]+:", "", text)).strip().casefold()
