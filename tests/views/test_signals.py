"""A signal in words: every rule has a sentence in every language, made from the facts that the rule really gives."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from bot.domain.signal import Fact, Rule, Signal
from bot.texts import LANGUAGES, in_language
from handlers.views.signals import rule_name, sentence
from tests.domain.suspicious import finding

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", Rule)
def test_what_a_rule_finds_has_words(rule: Rule, language: str):
    texts = in_language(language)
    found = finding(rule)
    said = sentence(found, texts)
    assert "{" not in said
    assert len(said) > 20
    assert texts.day(found.facts["day"] if "day" in found.facts else found.facts["last"]) in said  # type: ignore[arg-type]
    assert rule_name(rule, texts) not in ("", rule)


SPIKE = Signal(
    Rule.SPEND_SPIKE,
    "spend_spike:2026-11-20",
    NOON,
    60,
    {
        "spent": Decimal("1234.50"),
        "usual": Decimal("80.00"),
        "currency": "EUR",
        "first": date(2026, 11, 20),
        "day": date(2026, 11, 22),
    },
)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "en",
            "On Nov 22, 2026 Azure used EUR\u00a01,234.50. Up to EUR\u00a080.00 a day would be usual. "
            "It began on Nov 20, 2026.",
        ),
        (
            "de",
            "Am 22.11.2026 hat Azure 1.234,50\u00a0EUR verbraucht. Üblich wären bis zu 80,00\u00a0EUR am Tag. "
            "Es begann am 20.11.2026.",
        ),
        (
            "zh-CN",
            "2026年11月22日，Azure 当日消费 EUR\u00a01,234.50。通常每天最多 EUR\u00a080.00。异常始于 2026年11月20日。",
        ),
    ],
)
def test_money_and_days_are_written_as_people_do(language: str, says: str):
    assert sentence(SPIKE, in_language(language)) == says


def test_outside_text_stays_on_its_line_and_is_shortened():
    found = Signal(
        Rule.REPORT,
        "report:1",
        NOON,
        60,
        {"by": "U1", "words": "odd\n\u202ename" + "x" * 900, "day": NOON.date()},
    )
    said = sentence(found, in_language("en"))
    assert "\n" not in said
    assert "\u202e" not in said
    assert "odd name" in said
    assert len(said) < 300


def test_numbers_are_grouped():
    facts: dict[str, Fact] = {"name": "E5", "before": 10, "after": 12_500, "usual": 40, "day": NOON.date()}
    assert "from 10 to 12,500 seats" in sentence(
        Signal(Rule.SEAT_JUMP, "k", NOON, 45, facts), in_language("en")
    )
