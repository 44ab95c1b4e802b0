"""Suspicion by money: Azure spend against its budget and its own past, and growth of those who do not pay."""

from __future__ import annotations

from bisect import insort
from calendar import monthrange
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.domain.money import MINOR_UNITS
from bot.domain.observation import Owed, Spent
from bot.domain.scene import Scene, is_money
from bot.domain.signal import Rule, Signal
from bot.domain.suspicion_orders import ordered, risen, seats_by_day
from bot.domain.usual import Daily, median, nth_highest, spread, stretches

BASELINE: Final = 56
"""Days that tell what a customer spends: longer than the quiet weeks around a year's end twice over."""
RUN_GAP: Final = 3
"""Days between two of the same finding."""
LATE: Final = 0.4
"""A budget that is used up by the end of a period is one that was set too low."""
LONGEST: Final = 7
"""Days in one finding: what goes on after a week is told again."""
LONG_DEBT: Final = 14
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
    for period in scene.once(periods):
        found = [use for reading in period.readings if (use := _use(scene, period, reading)).strength > 0]
        if not found:
            continue
        best = max(found, key=lambda use: use.strength)
        since = next((use for use in found if use.strength >= 1), found[0])
        yield scene.signal(
            rule,
            period.begins,
            since.reading.at,
            strength=best.strength,
            facts={
                "amount": best.reading.amount.quantize(CENT),
                "budget": (best.reading.budget or Decimal(0)).quantize(CENT),
                "currency": best.reading.currency,
                "percent": round(best.percent),
                "projected": round(best.projected),
                "day": scene.day(best.reading.at),
            },
        )


@dataclass(frozen=True, slots=True)
class _Use:
    """How much of a budget is used up, and would be by the end of the period."""

    reading: Spent
    strength: float
    percent: float = 0.0
    projected: float = 0.0


def _use(scene: Scene, period: Period, reading: Spent) -> _Use:
    rule = Rule.SPEND_OVER_BUDGET
    if reading.budget is None or reading.budget < CENT:
        return _Use(reading, 0.0)
    percent = float(reading.amount) / float(reading.budget) * 100
    projected = percent / _elapsed(period, scene.day(reading.at))
    most = scene.threshold(rule, "projected")
    if percent >= scene.threshold(rule, "early") and projected >= most:
        strength = projected / most
    else:
        strength = LATE if percent >= scene.threshold(rule, "percent") else 0.0
    return _Use(reading, strength, percent, projected)


def _elapsed(period: Period, day: date) -> float:
    """The part of the period that is over; of its first days a little more, or one reading would tell everything."""
    length = monthrange(period.begins.year, period.begins.month)[1]
    return min(max((day - period.begins).days + 1, 3) / length, 1.0)


def spend_spikes(scene: Scene) -> Iterator[Signal]:
    """Days on which far more was spent than the weeks before let expect.

    All of this must hold: `amount` more than the median day, `times` that day, more than `width` robust deviations
    above it, more than the heavy days of the last weeks and those a month ago. Until `history` days are known, from
    `start_amount` a day on, provided that there was no spend before. The days of a week make one finding, by its
    first. Facts: spent, usual (money a day), currency, first, day.
    """
    rule = Rule.SPEND_SPIKE
    for run in stretches(_spikes(scene), lambda s: s.on.day, gap=RUN_GAP, longest=LONGEST):
        best = max(run, key=lambda s: s.strength)
        yield scene.signal(
            rule,
            run[0].on.day,
            run[0].on.at,
            strength=best.strength,
            facts={
                "spent": Decimal(best.on.amount).quantize(CENT),
                "usual": Decimal(best.usual).quantize(CENT),
                "currency": best.on.currency,
                "first": run[0].on.day,
                "day": best.on.day,
            },
        )


@dataclass(frozen=True, slots=True)
class _Spike:
    """A day with more than was usual at the most."""

    on: SpentOnDay
    usual: float

    @property
    def strength(self) -> float:
        return self.on.amount / self.usual


def _spikes(scene: Scene) -> list[_Spike]:
    days = scene.once(daily_spend)
    found: list[_Spike] = []
    weeks = _Weeks(was_watched=_began_from_nothing(scene))
    for today in days:
        weeks.move_to(today.day)
        usual = _usual_spend(scene, today, weeks)
        if usual is not None and today.amount >= usual:
            found.append(_Spike(today, usual))
            weeks.running.append(today.day)
        weeks.add(today)
    return found


def _began_from_nothing(scene: Scene) -> bool:
    """Whether the customer was known for weeks before its first reading, and that one was small."""
    if not scene.past.spent:
        return False
    first = scene.past.spent[0]
    least = least_money(scene, Rule.SPEND_SPIKE, "start_amount", first.currency)
    return (scene.day(first.at) - scene.known_from).days > BASELINE // 2 and first.amount < least


class _Weeks:
    """The days before one, in order of time and of amount; `running` are those of a spike that goes on."""

    def __init__(self, *, was_watched: bool) -> None:
        self.was_watched = was_watched
        self.days: deque[SpentOnDay] = deque()
        self.running: list[date] = []
        self._amounts: list[float] = []

    @property
    def middle(self) -> float:
        return self._amounts[len(self._amounts) // 2]

    def move_to(self, day: date) -> None:
        while self.days and (day - self.days[0].day).days > BASELINE:
            self._amounts.remove(self.days.popleft().amount)
        if self.running and (day - self.running[-1]).days > RUN_GAP:
            self.running.clear()

    def add(self, day: SpentOnDay) -> None:
        self.days.append(day)
        insort(self._amounts, day.amount)


def _usual_spend(scene: Scene, today: SpentOnDay, weeks: _Weeks) -> float | None:
    """The most that would be usual that day; None where nobody can say, or it is clearly more than that day's."""
    rule = Rule.SPEND_SPIKE
    least = least_money(scene, rule, "amount", today.currency)
    if today.amount < least:
        return None
    if len(weeks.days) < scene.threshold(rule, "history"):
        start = least_money(scene, rule, "start_amount", today.currency)
        earlier = (d.amount for d in weeks.days if (today.day - d.day).days > RUN_GAP)
        return max(start, 5 * max(earlier, default=0.0)) if weeks.was_watched else None
    middle, times = weeks.middle, scene.threshold(rule, "times")
    if today.amount < max(times * middle, middle + least):
        return None
    amounts = [d.amount for d in weeks.days]
    wide = middle + scene.threshold(rule, "width") * max(spread(amounts, middle), 0.15 * middle)
    calm = [d for d in weeks.days if d.day not in weeks.running]
    heavy = nth_highest((d.amount for d in calm), 3)
    weekly = nth_highest((d.amount for d in calm if d.day.weekday() == today.day.weekday()), 2)
    monthly = max((d.amount for d in weeks.days if 26 <= (today.day - d.day).days <= 33), default=None)
    if monthly is None:
        if _is_end_of_month(today.day):
            return None  # nobody knows yet what the end of a month brings
        monthly = 0.0
    return max(wide, 1.3 * heavy, 1.3 * weekly, 1.5 * monthly, middle + least)


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
    or `spend` percent more spend than in as many days before. One finding in two weeks, by its
    first day. Facts: overdue (money), currency, oldest_days, seats, percent (of more spend; numbers), day.
    """
    rule = Rule.OVERDUE_AND_GROWING
    least_days, window = scene.threshold(rule, "oldest_days"), int(scene.threshold(rule, "days"))
    if not any(o.oldest_days >= least_days for o in scene.past.owed):
        return
    growth = _Growth(scene, rule, window)
    found = [
        (owed, grown)
        for owed in scene.past.owed
        if owed.oldest_days >= least_days
        and _largest(owed) is not None
        and (grown := growth.on(scene.day(owed.at))).strength >= 1
    ]
    for debt in stretches(found, lambda f: scene.day(f[0].at), gap=window, longest=LONG_DEBT):
        owed, grown = max(debt, key=lambda f: f[1].strength)
        amount, currency = _largest(owed) or (Decimal(0), "")
        yield scene.signal(
            rule,
            scene.day(debt[0][0].at),
            debt[0][0].at,
            strength=grown.strength,
            facts={
                "overdue": amount.quantize(CENT),
                "currency": currency,
                "oldest_days": owed.oldest_days,
                "seats": grown.seats,
                "percent": round(grown.percent),
                "day": scene.day(owed.at),
            },
        )


def _largest(owed: Owed) -> tuple[Decimal, str] | None:
    return max(((a, c) for c, a in owed.overdue.items() if is_money(a) and a > 0), default=None)


@dataclass(frozen=True, slots=True)
class _Grown:
    strength: float
    seats: int
    percent: float
    """Of more spend."""


class _Growth:
    """How much more a customer took in the days up to one, in seats and in spend."""

    def __init__(self, scene: Scene, rule: Rule, window: int) -> None:
        self._window, self._scene, self._rule = window, scene, rule
        self._seats = [Daily(seats_by_day(taken)) for taken in (scene.once(ordered), scene.once(risen))]
        self._spend = scene.once(daily_spend)
        self._known: dict[date, _Grown] = {}

    def on(self, day: date) -> _Grown:
        if day not in self._known:
            by_seats, seats = max(self._in_seats(taken, day) for taken in self._seats)
            by_spend, percent = self._in_spend(day)
            self._known[day] = _Grown(max(by_seats, by_spend), seats, percent)
        return self._known[day]

    def _in_seats(self, taken: Daily, day: date) -> tuple[float, int]:
        first = day.toordinal() - self._window + 1
        seats = taken.between(first, day.toordinal())
        least = self._scene.threshold(self._rule, "seats")
        if seats < least:
            return 0.0, seats
        size = taken.between(first - 365, first - 1)
        habit = nth_highest(taken.windows(first, width=self._window, days=180), 2)
        share = self._scene.threshold(self._rule, "share") / 100
        return seats / max(least, share * size, 1.5 * habit), seats

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
