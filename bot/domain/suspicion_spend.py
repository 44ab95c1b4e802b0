"""Suspicion by money: Azure spend against its budget and its own past, and growth of those who do not pay."""

from __future__ import annotations

from bisect import insort
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.domain.observation import Owed, Spent
from bot.domain.receivables import MINOR_UNITS
from bot.domain.scene import Scene, is_money
from bot.domain.signal import Rule, Signal
from bot.domain.suspicion_orders import ordered, risen, seats_by_day
from bot.domain.usual import Daily, median, nth_highest, spread, usual_most

BASELINE: Final = 56
"""Days that tell what a customer spends: longer than the quiet weeks around a year's end twice over."""
RUN_GAP: Final = 3
"""Days between two of the same finding."""
LATE: Final = 0.4
"""A budget that is used up by the end of a period is one that was set too low."""
CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SpentOnDay:
    """What one reading adds to the one before, for each day between them."""

    at: datetime
    day: date
    amount: float
    currency: str


@dataclass(slots=True)
class Period:
    """The readings of one billing period."""

    begins: date
    readings: list[Spent]


def periods(scene: Scene) -> list[Period]:
    """A new one begins where the amount falls: by half, or at all when a month has ended."""
    found: list[Period] = []
    previous: Spent | None = None
    for reading in scene.past.spent:
        day = scene.day(reading.at)
        if previous is None:
            found.append(Period(day.replace(day=1), [reading]))
        elif reading.currency != previous.currency or _begins_anew(scene, previous, reading):
            found.append(Period(day, [reading]))
        else:
            found[-1].readings.append(reading)
        previous = reading
    return found


def _begins_anew(scene: Scene, previous: Spent, reading: Spent) -> bool:
    """Small corrections downwards are no new period."""
    if reading.amount >= previous.amount:
        return False
    earlier, later = scene.day(previous.at), scene.day(reading.at)
    return reading.amount * 2 < previous.amount or (earlier.year, earlier.month) != (later.year, later.month)


def daily_spend(scene: Scene) -> list[SpentOnDay]:
    """The increments. Of the very first reading nothing is known to compare it with."""
    found: list[SpentOnDay] = []
    previous: Spent | None = None
    for period in scene.once(periods):
        highest = Decimal(0)
        for reading in period.readings:
            if previous is not None and previous.currency == reading.currency:
                day = scene.day(reading.at)
                days = max((day - scene.day(previous.at)).days, 1)
                added = max(reading.amount - highest, Decimal(0))
                found.append(SpentOnDay(reading.at, day, float(added) / days, reading.currency))
            highest = max(highest, reading.amount)
            previous = reading
    return found


def least_money(scene: Scene, rule: Rule, name: str, currency: str) -> float:
    """A threshold of money; of a currency without minor units, such as the yen, a hundred times as much."""
    return scene.threshold(rule, name) * (100 if MINOR_UNITS.get(currency) == 0 else 1)


def spend_over_budget(scene: Scene) -> Iterator[Signal]:
    """More than the budget, or well on the way there early in the period.

    From `percent` of the budget on, less than half the points; the whole from `projected` percent on, which is what
    the spend would come to by the period's end, provided that `early` percent are used up. One finding a period. Facts:
    amount, budget (money), currency, percent, projected (numbers), day.
    """
    rule = Rule.SPEND_OVER_BUDGET
    percent, projected = scene.threshold(rule, "percent"), scene.threshold(rule, "projected")
    early = scene.threshold(rule, "early")
    for period in scene.once(periods):
        best: tuple[float, Spent, float, float] | None = None
        for reading in period.readings:
            if not reading.budget or reading.budget <= 0:
                continue
            used = float(min(reading.amount / reading.budget, Decimal(10**6))) * 100
            ahead = min(used / _elapsed(period, scene.day(reading.at)), 1e8)
            if used >= early and ahead >= projected:
                strength = ahead / projected
            elif used >= percent:
                strength = LATE
            else:
                continue
            if best is None or strength > best[0]:
                best = (strength, reading, used, ahead)
        if best is not None:
            strength, reading, used, ahead = best
            yield scene.signal(
                rule,
                period.begins,
                reading.at,
                strength=strength,
                facts={
                    "amount": reading.amount.quantize(CENT),
                    "budget": (reading.budget or Decimal(0)).quantize(CENT),
                    "currency": reading.currency,
                    "percent": round(used),
                    "projected": round(ahead),
                    "day": scene.day(reading.at),
                },
            )


def _elapsed(period: Period, day: date) -> float:
    """The part of the period that is over; of its first days a little more, or one reading would tell everything."""
    length = monthrange(period.begins.year, period.begins.month)[1]
    return min(max((day - period.begins).days + 1, 3) / length, 1.0)


def spend_spikes(scene: Scene) -> Iterator[Signal]:
    """Days on which far more was spent than the weeks before let expect.

    All of this must hold: `amount` more than the median day, `times` that day, more than `width` robust deviations
    above it, more than the heavy days of the last weeks and those a month ago. Until `history` days are known, from
    `start_amount` a day on, provided that there was no spend before. Days near each other make one finding, by its
    first. Facts: spent, usual (money a day), currency, first, day.
    """
    rule = Rule.SPEND_SPIKE
    for spike in _spike_runs(scene, rule, scene.once(daily_spend)):
        best = max(spike.days, key=lambda d: (d[2], d[0].at))
        day, usual, strength = best
        yield scene.signal(
            rule,
            spike.days[0][0].day,
            spike.days[-1][0].at,
            strength=strength,
            facts={
                "spent": Decimal(day.amount).quantize(CENT),
                "usual": Decimal(usual).quantize(CENT),
                "currency": day.currency,
                "first": spike.days[0][0].day,
                "day": day.day,
            },
        )


@dataclass(slots=True)
class _Spike:
    days: list[tuple[SpentOnDay, float, float]]


def _spike_runs(scene: Scene, rule: Rule, days: list[SpentOnDay]) -> list[_Spike]:
    runs: list[_Spike] = []
    window: list[SpentOnDay] = []
    ordered_amounts: list[float] = []
    begun = scene.known_from
    was_watched = bool(days) and (days[0].day - begun).days > BASELINE // 2
    for today in days:
        while window and (today.day - window[0].day).days > BASELINE:
            ordered_amounts.remove(window.pop(0).amount)
        usual = _usual_spend(scene, rule, today, window, ordered_amounts, runs, was_watched=was_watched)
        if usual is not None and today.amount >= usual:
            found = (today, usual, today.amount / usual)
            if runs and (today.day - runs[-1].days[-1][0].day).days <= RUN_GAP:
                runs[-1].days.append(found)
            else:
                runs.append(_Spike([found]))
        window.append(today)
        insort(ordered_amounts, today.amount)
    return runs


def _usual_spend(
    scene: Scene,
    rule: Rule,
    today: SpentOnDay,
    window: list[SpentOnDay],
    ordered_amounts: list[float],
    runs: list[_Spike],
    *,
    was_watched: bool,
) -> float | None:
    """The most that would be usual that day; None where nobody can say, or it is far below."""
    least = least_money(scene, rule, "amount", today.currency)
    if today.amount < least:
        return None
    if len(window) < scene.threshold(rule, "history"):
        start = least_money(scene, rule, "start_amount", today.currency)
        most = max((d.amount for d in window[: max(len(window) - RUN_GAP, 0)]), default=0.0)
        return max(start, 5 * most) if was_watched else None
    middle = ordered_amounts[len(ordered_amounts) // 2]
    if today.amount < max(scene.threshold(rule, "times") * middle, middle + least):
        return None
    running = {d.day for d, _, _ in runs[-1].days} if runs else set()
    running = running if runs and (today.day - max(running)).days <= RUN_GAP else set()
    amounts = [d.amount for d in window]
    wide = middle + scene.threshold(rule, "width") * max(spread(amounts, middle), 0.15 * middle)
    heavy = nth_highest((d.amount for d in window if d.day not in running), 3) * 1.3
    return max(
        wide,
        heavy,
        _usual_end_of_month(today, window, scene.threshold(rule, "times") * middle),
        middle + least,
    )


def _usual_end_of_month(today: SpentOnDay, window: list[SpentOnDay], unusual: float) -> float:
    """By the same days a month ago; where they are not known, an end of a month may bring twice what is unusual."""
    month_ago = [d.amount for d in window if 26 <= (today.day - d.day).days <= 33]
    if month_ago:
        return max(month_ago) * 1.5
    return 2 * unusual if _is_end_of_month(today.day) else 0.0


def _is_end_of_month(day: date) -> bool:
    """When some spend most: the last three days, and the first, whose reading may bring what came late."""
    return (day + timedelta(days=3)).month != day.month or day.day == 1


def spend_without_budget(scene: Scene) -> Iterator[Signal]:
    """`amount` spent in a period, and no budget that would tell of more. Facts: amount (money), currency, day."""
    rule = Rule.SPEND_WITHOUT_BUDGET
    told: set[tuple[int, int]] = set()
    for reading in scene.past.spent:
        day = scene.day(reading.at)
        if (day.year, day.month) in told or reading.budget is not None:
            continue
        if reading.amount >= least_money(scene, rule, "amount", reading.currency):
            told.add((day.year, day.month))
            yield scene.signal(
                rule,
                f"{day:%Y-%m}",
                reading.at,
                facts={
                    "amount": reading.amount.quantize(CENT),
                    "currency": reading.currency,
                    "day": day,
                },
            )


def overdue_and_growing(scene: Scene) -> Iterator[Signal]:
    """Somebody who does not pay takes more, and more than is usual for them.

    From `oldest_days` days overdue on: within `days` days, `seats` more seats and `share` percent of what they have,
    or `spend` percent more spend than in as many days before. One finding as long as the debt lasts, by its first
    day. Facts: overdue (money), currency, oldest_days, seats, percent (of more spend; numbers), day.
    """
    rule = Rule.OVERDUE_AND_GROWING
    least_days, window = scene.threshold(rule, "oldest_days"), int(scene.threshold(rule, "days"))
    if not any(o.oldest_days >= least_days for o in scene.past.owed):
        return
    growth = _Growth(scene, rule, window)
    for debt in _debts(scene, gap=window):
        best: tuple[float, Owed, int, float] | None = None
        newest: Owed | None = None
        for owed in debt:
            if owed.oldest_days < least_days or _largest(owed) is None:
                continue
            strength, seats, percent = growth.on(scene.day(owed.at))
            if strength < 1:
                continue
            newest = owed
            if best is None or strength > best[0]:
                best = (strength, owed, seats, percent)
        if best is None or newest is None:
            continue
        strength, owed, seats, percent = best
        amount, currency = _largest(owed) or (Decimal(0), "")
        yield scene.signal(
            rule,
            scene.day(debt[0].at),
            newest.at,
            strength=strength,
            facts={
                "overdue": amount.quantize(CENT),
                "currency": currency,
                "oldest_days": owed.oldest_days,
                "seats": seats,
                "percent": round(percent),
                "day": scene.day(owed.at),
            },
        )


def _largest(owed: Owed) -> tuple[Decimal, str] | None:
    return max(((a, c) for c, a in owed.overdue.items() if is_money(a) and a > 0), default=None)


def _debts(scene: Scene, *, gap: int) -> list[list[Owed]]:
    """Days on which something was overdue, in one go."""
    found: list[list[Owed]] = []
    for owed in scene.past.owed:
        if found and owed.at - found[-1][-1].at <= timedelta(days=gap):
            found[-1].append(owed)
        else:
            found.append([owed])
    return found


class _Growth:
    """How much more a customer took in the days up to one, in seats and in spend."""

    def __init__(self, scene: Scene, rule: Rule, window: int) -> None:
        self._window, self._scene, self._rule = window, scene, rule
        self._seats = [Daily(seats_by_day(taken)) for taken in (scene.once(ordered), scene.once(risen))]
        self._spend = scene.once(daily_spend)
        self._known: dict[date, tuple[float, int, float]] = {}

    def on(self, day: date) -> tuple[float, int, float]:
        """How strong, seats more, percent of spend more."""
        if day not in self._known:
            by_seats, seats = max(self._in_seats(taken, day) for taken in self._seats)
            by_spend, percent = self._in_spend(day)
            self._known[day] = max(by_seats, by_spend), seats, percent
        return self._known[day]

    def _in_seats(self, taken: Daily, day: date) -> tuple[float, int]:
        first = day.toordinal() - self._window + 1
        seats = taken.between(first, day.toordinal())
        least = self._scene.threshold(self._rule, "seats")
        if seats < least:
            return 0.0, seats
        size = taken.between(first - 365, first - 1)
        before = [n for n in taken.windows(first, width=self._window, days=180) if n > 0]
        share = self._scene.threshold(self._rule, "share") / 100
        return seats / max(least, share * size, usual_most(before, width=2.0)), seats

    def _in_spend(self, day: date) -> tuple[float, float]:
        days = timedelta(days=self._window)
        # Of whole days: what the day itself brings may yet change
        now = [d.amount for d in self._spend if day - days <= d.day < day]
        before = [d.amount for d in self._spend if day - 4 * days <= d.day < day - days]
        if len(now) < 3 or len(before) < self._window:
            return 0.0, 0.0
        least = least_money(self._scene, self._rule, "amount", self._spend[-1].currency) / self._window
        rate, usual = sum(now) / len(now), median(before)
        percent = min((rate / usual - 1) * 100, 1e6) if usual > 0 else 0.0
        share = self._scene.threshold(self._rule, "spend") / 100
        return rate / max(usual * (1 + share), usual + least), max(percent, 0.0)
