"""(placeholder until the rules land)"""

from __future__ import annotations

from datetime import datetime, tzinfo

from bot.domain.observation import Past
from bot.domain.signal import RuleBook, Signal


def signals(past: Past, book: RuleBook, *, at: datetime, zone: tzinfo) -> tuple[Signal, ...]:
    return ()
