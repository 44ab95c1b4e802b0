"""What a rule found, in words."""

from __future__ import annotations

from bot.domain.signal import Signal
from bot.texts import Texts


def sentence(signal: Signal, texts: Texts) -> str:
    key = f"rule-{signal.rule}"
    return texts(key) if texts.has(key) else signal.rule.value
