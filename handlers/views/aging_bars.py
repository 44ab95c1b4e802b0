"""How old the debts are, drawn in letters: for the App Home, where no picture can stand.

Slack shows a picture only to who may see its file, and a Home is no channel that it could have been shared in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bot.domain.aging import AgingBucket, Balance
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import Block

AGES: Final = tuple(bucket for bucket in AgingBucket if bucket is not AgingBucket.CURRENT)
WIDTH: Final = 12
"""Letters of the longest bar: with its age and its share the line fits a phone."""
MOST: Final = 5
"""Currencies: as many as there are figures for above."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_AGE: Final = max(len(bucket.value) for bucket in AGES)


def bars(totals: Mapping[str, Balance], texts: Texts) -> list[Block]:
    """A panel a currency, a bar an age, with its share of what is past due. The figures stand elsewhere.

    Currencies never share a scale, and nothing depends on a colour.
    """
    panels = [_panel(currency, balance, texts) for currency, balance in list(totals.items())[:MOST]]
    drawn = "\n\n".join(panel for panel in panels if panel)
    return [blocks.section(f"*{texts('home-bars')}*\n```{blocks.escaped(drawn)}```")] if drawn else []


def _panel(currency: str, balance: Balance, texts: Texts) -> str:
    owed = [max(balance.buckets[age], Decimal(0)) for age in AGES]
    whole, most = sum(owed), max(owed)
    if not whole:
        return ""
    lines = [
        f"{age.value.rjust(_AGE)} {_bar(part / most)} {_share(part / whole, texts).rjust(5)}"
        for age, part in zip(AGES, owed, strict=True)
    ]
    return "\n".join([currency, *lines])


def _bar(part: Decimal) -> str:
    """To an eighth of a letter; what there is at all is seen."""
    eighths = max(round(part * WIDTH * 8), 1) if part else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest].strip()).ljust(WIDTH)


def _share(part: Decimal, texts: Texts) -> str:
    """In whole percent; little is not nothing."""
    least = Decimal("0.01")
    return f"<{texts.percent(least)}" if 0 < part < least else texts.percent(part)
