"""What is spent day by day, from an amount that is summed up until a billing period ends; and what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Final

from bot.domain.observation import Spent

TO_SIGMA: Final = Decimal("1.4826")
"""By which a median of distances becomes comparable to a standard deviation, were the days spread normally."""
SPREADS: Final = 3
"""So many of them on either side of the median are usual."""


def daily(spent: Sequence[Spent]) -> tuple[tuple[date, Decimal], ...]:
    """What each day added, in the order of days; readings of one currency come in the order of time.

    A lower amount than before means that a period began: what it shows was spent since. Days nobody looked at share
    evenly what the next reading shows. The first reading tells of no day: when its period began is not known.
    """
    found: list[tuple[date, Decimal]] = []
    last: Spent | None = None
    for reading in spent:
        if last is None or reading.currency != last.currency:
            last = reading
            continue
        day, before = reading.at.date(), last.at.date()
        grown = reading.amount - last.amount if reading.amount >= last.amount else reading.amount
        last = reading
        if day == before:  # read twice: the later reading of a day is the whole of it
            if found and found[-1][0] == day:
                found[-1] = (day, found[-1][1] + grown)
            continue
        days = (day - before).days
        share = grown / days
        found += [(date.fromordinal(before.toordinal() + n), share) for n in range(1, days + 1)]
    return tuple(found)


def band(values: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """From where to where a day is usual: the median and `SPREADS` robust spreads around it, never below zero.

    A fraud does not widen it: half of the days may be strange before the median is. No values: (0, 0).
    """
    if not values:
        return Decimal(0), Decimal(0)
    middle = median(values)
    spread = median([abs(value - middle) for value in values]) * TO_SIGMA * SPREADS
    return max(Decimal(0), middle - spread), middle + spread
