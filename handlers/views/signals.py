"""A signal in words: the facts its rule gives, each as people write it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from bot.domain.signal import Fact, Rule, Signal
from bot.texts import Texts
from handlers.views import blocks

LONGEST = 200
"""Of one fact that others wrote."""


def rule_name(rule: Rule, texts: Texts) -> str:
    """What the rule looks for, in a few words."""
    return texts(f"rule-{rule}")


def sentence(signal: Signal, texts: Texts) -> str:
    """What was found, as plain text; outside text in it is on one line, and not yet escaped."""
    currency = str(signal.facts.get("currency", ""))
    facts = {name: _said(fact, currency, texts) for name, fact in signal.facts.items()}
    return texts(f"signal-{signal.rule}", **facts)


def _said(fact: Fact, currency: str, texts: Texts) -> str:
    match fact:
        case datetime():
            return texts.day(fact.date())
        case date():
            return texts.day(fact)
        case Decimal():
            return texts.money(fact, currency) if currency else str(fact)
        case int():
            return texts.number(fact)
        case _:
            return blocks.shortened(blocks.harmless(fact), LONGEST)
