"""Whatever language a view is drawn in, it names the same figures, days and ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from bot import texts
from tests.views.drawn import VIEWS

OTHERS: Final = tuple(language for language in texts.LANGUAGES if language != "en")

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS: Final = {
    "en": re.compile(rf"(?P<m>{'|'.join(MONTHS)}) (?P<d>\d{{1,2}}), (?P<y>\d{{4}})"),
    "de": re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
    "zh-CN": re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
}
CLOCK: Final = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})(?:\s(AM|PM))?")
_WITH_COMMAS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WITH_POINTS: Final = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?")
NUMBERS: Final = {"en": _WITH_COMMAS, "de": _WITH_POINTS, "zh-CN": _WITH_COMMAS}
NO_FIGURES: Final = re.compile(r"21Vianet|UTF-8|&lt;[\d.]+&gt;")
"""Digits that are no figure: of a name, of a coding and of a server's answer."""
QUOTED: Final = {
    "errors": "a day that was worded before",
    "form-import": "a month that is a word in some languages",
    "form-import-date-order": "a month that is a word in some languages",
    "form-import-no-currency": "a month that is a word in some languages",
    "import-refused-too-large": "words that are English alone",
    "suspicious-everything": "cut where a message is full",
}
"""Views that hold more, or less, in one language than in another, and why."""


def figures(view: Any, language: str) -> Counter[str]:
    """Every day as ISO, every moment by the clock of 24 hours, every number without its separators."""
    found: Counter[str] = Counter()

    def day(match: re.Match[str]) -> str:
        month = match["m"]
        number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
        found[f"{match['y']}-{number:02}-{int(match['d']):02}"] += 1
        return " "

    def clock(match: re.Match[str]) -> str:
        hour = int(match[1]) % 12 + 12 * (match[4] == "PM") if match[4] else int(match[1])
        found[f"{hour:02}:{match[2]}:{match[3]}"] += 1
        return " "

    for text in _texts(view):
        left = CLOCK.sub(clock, DAYS[language].sub(day, NO_FIGURES.sub(" ", text)))
        for number in NUMBERS[language].findall(left):
            plain = number.replace(".", "").replace(",", ".") if language == "de" else number.replace(",", "")
            found[str(Decimal(plain))] += 1
    return found


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _texts(each)
    elif isinstance(node, dict):
        if node.get("type") in ("mrkdwn", "plain_text"):
            yield str(node["text"])
        for each in node.values():
            yield from _texts(each)


@pytest.mark.parametrize("name", sorted(VIEWS.keys() - QUOTED.keys()))
def test_the_figures_are_those_of_every_other_language(name: str):
    english = figures(VIEWS[name](texts.in_language("en")), "en")
    for language in OTHERS:
        assert figures(VIEWS[name](texts.in_language(language)), language) == english, language


@pytest.mark.parametrize("name", QUOTED)
def test_what_is_left_out_of_that_still_differs(name: str):
    english = figures(VIEWS[name](texts.in_language("en")), "en")
    assert any(figures(VIEWS[name](texts.in_language(other)), other) != english for other in OTHERS)


def test_figures_are_read_as_each_language_writes_them():
    said = {
        "en": "EUR 1,234.50 by Nov 3, 2026, 5:07:00 PM: 5%",
        "de": "1.234,50 EUR bis 03.11.2026, 17:07:00: 5 %",
        "zh-CN": "2026年11月3日 17:07:00 前 EUR 1,234.50：5%",
    }
    for language, text in said.items():
        found = figures({"type": "mrkdwn", "text": text}, language)
        assert found == Counter({"1234.50": 1, "2026-11-03": 1, "17:07:00": 1, "5": 1})
