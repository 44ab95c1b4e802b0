"""Suspicion by what is bought: seats, orders and trials against what is usual for the customer."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final

from bot.domain.observation import OrderPlaced, QuantityChanged
from bot.domain.scene import Scene
from bot.domain.signal import Rule, Signal
from bot.domain.usual import Daily, nth_highest, stretches, usual_count, usual_most

WINDOWS: Final = {1: "orders_a_day", 3: "orders_in_three", 7: "orders_a_week"}
"""In days, with the threshold of each: what is spread over a week is found as well as what comes in an hour."""
LOOK_BACK: Final = 90
"""Days that tell how often a customer orders."""
OF_LATE: Final = timedelta(days=-31)
UNSHOWN: Final = 0.35
"""The strength of a large order that no subscription shows yet."""
OF_A_STRANGER: Final = 3
"""Of whom nothing is known, so many times as many seats."""
NEVER_USUAL: Final = 2
"""So many times as many seats as it has altogether are never usual at a time, whatever it took before."""
LONG_LOOK_BACK: Final = 365
"""Days that tell how many seats it takes at a time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seats that were taken at one time: by an order, or by what two readings of a subscription differ in."""

    at: datetime
    day: date
    id: str
    evidence: str
    name: str
    before: int
    after: int
    is_order: bool = False
    levels: frozenset[int] = frozenset()
    """What the subscription had that day, for an order may be told with the quantity of today."""

    @property
    def seats(self) -> int:
        return self.after - self.before


def ordered(scene: Scene) -> list[Taken]:
    """Of each order."""
    return [
        Taken(
            order.at,
            scene.day(order.at),
            order.order_id,
            f"order {order.order_id}",
            _names(order),
            0,
            order.quantity,
            is_order=True,
        )
        for order in scene.past.orders
        if order.quantity > 0
    ]


def risen(scene: Scene) -> list[Taken]:
    """Of each subscription and day, from the most it had of late to the most it had that day.

    What only comes back, after a reduction or a reading that missed it, was not taken anew.
    """
    by_day: dict[tuple[str, date], list[QuantityChanged]] = defaultdict(list)
    for rise in scene.rises:
        by_day[rise.subscription_id, scene.day(rise.at)].append(rise)
    levels: dict[str, list[tuple[date, int]]] = defaultdict(list)
    for change in scene.past.quantities:
        levels[change.subscription_id].append((scene.day(change.at), max(change.before, change.after)))
    found: list[Taken] = []
    for (subscription, day), changes in by_day.items():
        late = [n for on, n in levels[subscription] if OF_LATE < on - day < timedelta()]
        before, after = max(changes[0].before, *late, 0), max(change.after for change in changes)
        if after > before:
            id, said = f"{subscription}:{day}", f"subscription {subscription}"
            held = frozenset(change.after for change in changes)
            name = changes[-1].name or "–"
            found.append(Taken(changes[0].at, day, id, said, name, before, after, levels=held))
    return found


def seat_jumps(scene: Scene) -> Iterator[Signal]:
    """A subscription that grew, appeared or was ordered with far more seats than the customer ever takes at once.

    All of this must hold: `seats` more at least, `times` as many as before, more than is usual for the customer,
    and `share` percent of all it is known to have. An order alone counts a third where changes of subscriptions have
    been read before: if it is no renewal, the next reading will show it. Facts: name, before, after,
    usual (numbers), day.
    """
    rule = Rule.SEAT_JUMP
    least, times = scene.threshold(rule, "seats"), scene.threshold(rule, "times")
    width, share = scene.threshold(rule, "width"), scene.threshold(rule, "share") / 100
    orders, rises = scene.once(ordered), scene.once(risen)
    known = _Known(scene, orders, rises)
    told: list[Taken] = []
    for taken in sorted((*orders, *rises), key=lambda t: (t.day, t.at, t.id)):
        if taken.seats < least or taken.after < times * taken.before or known.is_beginning(taken):
            continue
        if any(_is_same(taken, before) for before in told):
            continue
        usual, size = known.usual(taken, width=width), known.size(taken.day, but=taken)
        doubt = 1 if usual or size else OF_A_STRANGER
        if size:
            usual = min(usual, NEVER_USUAL * size)
        usual = max(usual, share * size, least * doubt)
        if taken.seats < usual:
            continue
        if known.shows(taken):
            told.append(taken)
        yield scene.signal(
            rule,
            taken.id,
            taken.at,
            strength=taken.seats / usual if known.shows(taken) else UNSHOWN,
            facts={
                "name": taken.name,
                "before": taken.before,
                "after": taken.after,
                "usual": round(usual),
                "day": taken.day,
            },
            evidence=[taken.evidence],
        )


def _is_same(taken: Taken, told: Taken) -> bool:
    """Whether it is the same seats again: an order, and the subscription that grew by it."""
    return told.seats >= taken.seats and 0 <= (taken.day - told.day).days <= 3 and told.id != taken.id


class _Known:
    """What was known of a customer's seats on a day, from before that day."""

    def __init__(self, scene: Scene, orders: Sequence[Taken], rises: Sequence[Taken]) -> None:
        self._tellings = [sorted((t.day, t.seats) for t in taken) for taken in (orders, rises)]
        self._orders = Daily(seats_by_day(orders))
        self._levels = [
            (scene.day(q.at), q.subscription_id, q.before, q.after) for q in scene.past.quantities
        ]
        self._read_on = [day for day, *_ in self._levels]
        self._first_order = orders[0] if orders else None
        self._new_since = scene.day(scene.new_since) if scene.new_since else None

    def is_beginning(self, taken: Taken) -> bool:
        """Whether it belongs to a new customer's first order, for which there are rules of their own."""
        first = self._first_order
        if self._new_since is None or first is None or first.at > taken.at:
            return False
        return self._new_since <= taken.day <= max(self._new_since, first.day) + timedelta(days=2)

    def shows(self, taken: Taken) -> bool:
        """Whether it is in the subscriptions, or nothing ever was, so that there is only the order to go by."""
        if not taken.is_order:
            return True
        first, last = (
            bisect_left(self._read_on, d) for d in (taken.day - timedelta(days=LOOK_BACK), taken.day)
        )
        return first == last

    def usual(self, taken: Taken, *, width: float) -> float:
        """The most that it takes at a time; 0 where it took nothing yet.

        An old order of just what a subscription has now is not believed: it may be told with today's quantity.
        """
        most, day = 0.0, taken.day
        for told in self._tellings:
            first, last = (bisect_left(told, (d, 0)) for d in (day - timedelta(days=LONG_LOOK_BACK), day))
            before = [n for _, n in told[first:last] if n not in taken.levels]
            most = max(most, usual_most(before, width=width))
        return most

    def size(self, day: date, *, but: Taken | None = None) -> int:
        """Seats it had altogether before that day, as far as orders and changes showed by then.

        Of `but` an old order of what it has now is not believed either.
        """
        levels: dict[str, int] = {}
        for on, subscription, _, after in self._levels:
            if on < day:
                levels[subscription] = after
        ordinal = day.toordinal()
        ordered = self._orders.between(ordinal - LONG_LOOK_BACK, ordinal - 1)
        if but is not None:
            if not but.is_order:
                levels.setdefault(but.id.rpartition(":")[0], but.before)
            told = (n for on, n in self._tellings[0] if on < day and n in but.levels)
            ordered -= max(0, max(told, default=0) - but.before)
        return max(sum(levels.values()), ordered)


def order_bursts(scene: Scene) -> Iterator[Signal]:
    """More orders, or more seats in many small ones, within a day, three days or a week than the customer's past has.

    The days of a week make one finding, by its first. Thresholds: `orders_a_day`, `orders_in_three`,
    `orders_a_week` and `seats` are least numbers, `width` how far from the usual. Facts: orders, seats, usual_orders,
    usual_seats (numbers), first, last (days).
    """
    rule = Rule.ORDER_BURST
    orders, rises = scene.once(ordered), scene.once(risen)
    known = _Known(scene, orders, rises)
    found = _strongest_by_day([burst for taken in (orders, rises) for burst in _bursts(scene, taken, known)])
    for run in stretches(found, lambda b: b.last, gap=max(WINDOWS), longest=max(WINDOWS)):
        best = max(run, key=lambda b: b.strength)
        yield scene.signal(
            rule,
            run[0].last,
            run[0].at,
            strength=best.strength,
            facts={
                "orders": best.orders,
                "seats": best.seats,
                "usual_orders": best.usual_orders,
                "usual_seats": best.usual_seats,
                "first": best.first,
                "last": best.last,
            },
            evidence=[each for burst in reversed(run) for each in burst.evidence],
        )


@dataclass(frozen=True, slots=True)
class _Burst:
    first: date
    last: date
    at: datetime
    orders: int
    seats: int
    usual_orders: int
    usual_seats: int
    strength: float
    evidence: tuple[str, ...]


def _bursts(scene: Scene, taken: list[Taken], known: _Known) -> Iterator[_Burst]:
    """Each day and window that has more than is usual; of changes only the seats count, not how many there are."""
    rule = Rule.ORDER_BURST
    least_seats, width = scene.threshold(rule, "seats"), scene.threshold(rule, "width")
    taken = sorted(taken, key=lambda t: (t.day, t.at, t.id))
    days = [t.day.toordinal() for t in taken]
    counts, seats = Daily(orders_by_day(taken)), Daily(seats_by_day(taken))
    for day in counts.days:
        for window, name in WINDOWS.items():
            first = day - window + 1
            n, sum_ = counts.between(first, day), seats.between(first, day)
            least = scene.threshold(rule, name)
            if n < least and (n < FEW or sum_ < least_seats):
                continue
            usual_orders = max(least, _usual_orders(counts, first, window, scene.known_from, width))
            size = known.size(date.fromordinal(first))
            usual_seats = max(least_seats, _usual_seats(seats, first, window), SHARE * size)
            within = taken[bisect_left(days, first) : bisect_left(days, day + 1)]
            # What is left without the largest: that one is judged by itself
            small = sum_ - max(t.seats for t in within)
            by_number = n / usual_orders if taken[0].is_order else 0.0
            strength = max(by_number, small / usual_seats if n >= FEW else 0)
            if strength >= 1:
                yield _Burst(
                    date.fromordinal(first),
                    date.fromordinal(day),
                    next(t.at for t in within if t.day.toordinal() == day),
                    n,
                    sum_,
                    round(usual_orders),
                    round(usual_seats),
                    strength,
                    tuple(t.evidence for t in within),
                )


SHARE: Final = 0.25
"""Of what a customer has: fewer seats are growth."""
FEW: Final = 3
"""So many orders or changes make many; the seats of fewer are judged one by one."""


def _usual_orders(counts: Daily, first: int, window: int, known_from: date, width: float) -> float:
    days = min(LOOK_BACK, max(first - known_from.toordinal(), 28))
    rate = counts.between(first - days, first - 1) / days * window
    habit = nth_highest(counts.windows(first, width=window, days=LOOK_BACK), 2)
    return max(usual_count(rate, width=width), habit * 1.5 + 1)


def _usual_seats(seats: Daily, first: int, window: int) -> float:
    """By what the customer took in such windows, where it took anything."""
    before = [n for n in seats.windows(first, width=window, days=LONG_LOOK_BACK) if n > 0]
    return usual_most(before, width=3.0)


def _strongest_by_day(found: list[_Burst]) -> list[_Burst]:
    by_day: dict[date, _Burst] = {}
    for burst in found:
        other = by_day.get(burst.last)
        if other is None or (burst.strength, burst.first) > (other.strength, other.first):
            by_day[burst.last] = burst
    return [by_day[day] for day in sorted(by_day)]


def new_customer_orders(scene: Scene) -> Iterator[Signal]:
    """A new customer that comes back for more at once.

    Within `days` of its coming: `orders` orders, or `seats` seats in more than one. Facts: since, last (days),
    orders, seats (numbers).
    """
    rule = Rule.NEW_CUSTOMER_ORDERS
    since = scene.new_since
    if since is None:
        return
    begun = scene.day(since)
    last_day = begun + timedelta(days=int(scene.threshold(rule, "days")))
    orders = [t for t in scene.once(ordered) if begun - timedelta(days=1) <= t.day <= last_day]
    if len(orders) < 2:
        return
    least, least_seats = scene.threshold(rule, "orders"), scene.threshold(rule, "seats")
    sums = list(accumulate(t.seats for t in orders))
    strengths = [max(n / least, seats / least_seats) for n, seats in enumerate(sums, 1) if n > 1]
    enough = next((n for n, strength in enumerate(strengths, 1) if strength >= 1), None)
    if enough is not None:
        yield scene.signal(
            rule,
            begun,
            orders[enough].at,
            strength=strengths[-1],
            facts={"since": begun, "last": orders[-1].day, "orders": len(orders), "seats": sums[-1]},
            evidence=[t.evidence for t in orders],
        )


def large_first_order(scene: Scene) -> Iterator[Signal]:
    """A new customer whose first day has more than `seats` seats.

    Facts: name, seats, usual (numbers), day.
    """
    rule = Rule.LARGE_FIRST_ORDER
    orders = scene.once(ordered)
    if scene.new_since is None or not orders or orders[0].at < scene.new_since - timedelta(days=1):
        return
    first = [t for t in orders if t.day == orders[0].day]
    seats, least = sum(t.seats for t in first), scene.threshold(rule, "seats")
    if seats >= least and (orders[0].at - scene.new_since).days <= LOOK_BACK:
        yield scene.signal(
            rule,
            orders[0].day,
            first[0].at,
            strength=seats / least,
            facts={
                "name": ", ".join(dict.fromkeys(t.name for t in first if t.name)) or "–",
                "seats": seats,
                "usual": round(least),
                "day": orders[0].day,
            },
            evidence=[t.evidence for t in first],
        )


def trial_bursts(scene: Scene) -> Iterator[Signal]:
    """`trials` trials within `days`, and more than the customer's habit.

    One finding a week, by its first day. Facts: trials, usual (numbers), first, last (days).
    """
    rule = Rule.TRIAL_BURST
    least, width = scene.threshold(rule, "trials"), int(scene.threshold(rule, "days"))
    seen = sorted([*_ordered_trials(scene), *_read_trials(scene)], key=lambda t: (t.at, t.evidence))
    tellings = [Daily(seats_by_day([t for t in seen if t.is_order is said])) for said in (True, False)]
    found: list[tuple[Taken, int, float]] = []
    for first in {t.day: t for t in reversed(seen)}.values():
        day = first.day.toordinal()
        trials, most = max(
            (
                (t.between(day - width + 1, day), max(least, _trial_habit(t, day - width + 1, width)))
                for t in tellings
            ),
            key=lambda told: told[0] / told[1],
        )
        if trials >= most:
            found.append((first, trials, most))
    found.sort(key=lambda f: f[0].day)
    for run in stretches(found, lambda f: f[0].day, gap=width, longest=width):
        best, trials, most = max(run, key=lambda f: f[1] / f[2])
        begin = best.day - timedelta(days=width - 1)
        yield scene.signal(
            rule,
            run[0][0].day,
            run[0][0].at,
            strength=trials / most,
            facts={"trials": trials, "usual": round(most), "first": begin, "last": best.day},
            evidence=[t.evidence for t in reversed(seen) if begin <= t.day <= best.day],
        )


def _ordered_trials(scene: Scene) -> Iterator[Taken]:
    for order in scene.past.orders:
        if order.trials:
            day, said = scene.day(order.at), f"order {order.order_id}"
            yield Taken(order.at, day, order.order_id, said, "", 0, order.trials, is_order=True)


def _read_trials(scene: Scene) -> Iterator[Taken]:
    """Subscriptions that appeared as trials."""
    begun = scene.past.watched_since
    for change in scene.past.quantities:
        if change.is_trial and change.before == 0 < change.after and (begun is None or change.at > begun):
            said = f"subscription {change.subscription_id}"
            yield Taken(change.at, scene.day(change.at), change.subscription_id, said, change.name, 0, 1)


def _trial_habit(trials: Daily, first: int, width: int) -> float:
    habit = nth_highest(trials.windows(first, width=width, days=2 * LOOK_BACK), 2)
    return habit * 1.5 + 1


def seats_by_day(taken: Sequence[Taken]) -> dict[int, int]:
    """By the day's ordinal."""
    sums: dict[int, int] = defaultdict(int)
    for each in taken:
        sums[each.day.toordinal()] += each.seats
    return sums


def orders_by_day(taken: Sequence[Taken]) -> dict[int, int]:
    """By the day's ordinal."""
    return Counter(each.day.toordinal() for each in taken)


def _names(order: OrderPlaced) -> str:
    return (
        ", ".join(dict.fromkeys(line.name for line in order.lines if line.name and not line.is_trial)) or "–"
    )
