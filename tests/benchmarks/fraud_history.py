"""A labelled history of customers: seasons, growth, holidays, big but honest events, and fraud in several shapes.

Everything follows from the seed. Sizes and rates are drawn for each customer, so that no figure of a rule is met by
the generator on purpose.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.observation import (
    Observation,
    Operation,
    OrderLine,
    OrderPlaced,
    Owed,
    Past,
    QuantityChanged,
    Spent,
    past_of,
)

ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 7, 13)
"""180 days from here go past the summer, six ends of a month and the turn of the year."""
READINGS = (6, 10, 14, 18, 22)
"""The hours at which subscriptions are read."""
PRODUCTS = (
    "Business Basic",
    "Business Standard",
    "E3",
    "E5",
    "Exchange P1",
    "Visio P2",
    "Power BI Pro",
    "Teams",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A fraud, and when its first act was."""

    shape: str
    begins: datetime


@dataclass(frozen=True, slots=True)
class History:
    """One customer, and what is true of it."""

    past: Past
    frauds: tuple[Planted, ...] = ()
    events: tuple[tuple[str, date], ...] = ()
    """What was large and honest."""


@dataclass
class Life:
    """A customer while its history is written."""

    chance: random.Random
    id: CustomerId
    days: int
    joins: int = 0
    """The day of its first order; 0: it was there before."""
    size: int = 50
    """Seats, about."""
    levels: dict[str, int] = field(default_factory=dict)
    orders_a_month: float = 2.0
    growth: float = 0.0
    is_nightly: bool = False
    seen: list[Observation] = field(default_factory=list)
    frauds: list[Planted] = field(default_factory=list)
    events: list[tuple[str, date]] = field(default_factory=list)
    numbers: int = 0
    pending: list[tuple[datetime, str, int, bool]] = field(default_factory=list)
    spend: dict[int, float] = field(default_factory=dict)
    """By day, if it has Azure."""

    def number(self) -> str:
        self.numbers += 1
        return f"{self.id}-{self.numbers}"

    def order(self, at: datetime, quantity: int, product: str | None = None, *, trials: int = 0) -> None:
        """An order, its operation in the log, and what the next reading finds."""
        product = product or self.product()
        lines = [OrderLine(product, product, quantity)] if quantity else []
        lines += [OrderLine(f"Trial {n} {self.number()}", f"trial-{n}", 25, True) for n in range(trials)]
        number = self.number()
        self.seen.append(OrderPlaced(self.id, at, number, tuple(lines), "completed"))
        self.seen.append(
            Operation(self.id, at, f"log-{number}", "create_order", "succeeded", "admin@partner.example")
        )
        if quantity:
            self.pending.append((at, product, quantity, False))
        self.pending += [(at, line.name, 25, True) for line in lines if line.is_trial]

    def change(self, at: datetime, product: str, by: int) -> None:
        """Seats more or fewer in a subscription that is there; no order."""
        self.pending.append((at, product, by, False))
        self.operate(at, "update_subscription")

    def operate(
        self, at: datetime, name: str, *, of_partner: bool = False, by: str = "helpdesk@partner.example"
    ) -> None:
        self.seen.append(
            Operation(None if of_partner else self.id, at, f"log-{self.number()}", name, "succeeded", by)
        )

    def product(self) -> str:
        return self.chance.choice(sorted(self.levels) or list(PRODUCTS))

    def moment(self, day: int, *, odd: bool = False) -> datetime:
        """A moment of that day: in office hours, or at night."""
        hour = (
            self.chance.choice([0, 1, 2, 3, 4, 23]) if odd else min(max(self.chance.gauss(12.5, 2.5), 7), 20)
        )
        local = datetime.combine(FIRST + timedelta(days=day), time(), ZONE)
        return (local + timedelta(hours=hour, minutes=self.chance.randrange(59))).astimezone(UTC)

    def read(self) -> None:
        """Turn what happened to subscriptions into what two readings differ in."""
        by_reading: dict[tuple[datetime, datetime, str, bool], int] = {}
        for at, product, by, is_trial in sorted(self.pending):
            before, after = _readings_around(at)
            key = (before, after, product, is_trial)
            by_reading[key] = by_reading.get(key, 0) + by
        for (before, after, product, is_trial), by in sorted(
            by_reading.items(), key=lambda e: (e[0][1], e[0][2])
        ):
            level = self.levels.get(product, 0)
            new = max(level + by, 0)
            self.levels[product] = new
            if new != level:
                self.seen.append(
                    QuantityChanged(
                        self.id,
                        after,
                        SubscriptionId(f"{self.id}-{product}"),
                        product,
                        level,
                        new,
                        before,
                        is_trial,
                    )
                )
        self.pending.clear()


def _readings_around(at: datetime) -> tuple[datetime, datetime]:
    local = at.astimezone(ZONE)
    moments = [
        datetime.combine(local.date() + timedelta(days=day), time(hour), ZONE)
        for day in (-1, 0, 1)
        for hour in READINGS
    ]
    after = min(m for m in moments if m > local)
    before = max(m for m in moments if m <= local)
    return before.astimezone(UTC), after.astimezone(UTC)


def history(
    *,
    seed: int,
    customers: int = 500,
    days: int = 180,
    shapes: Sequence[str] | None = None,
    frauds: float = 0.1,
) -> list[History]:
    """Write it. About that part of the customers becomes the victim of one fraud, of the shapes in turn."""
    chance = random.Random(seed)
    names = list(shapes or SHAPES)
    victims = set(chance.sample(range(customers), round(customers * frauds)))
    chosen = {victim: names[index % len(names)] for index, victim in enumerate(sorted(victims))}
    return [
        _customer(random.Random(f"{seed}:{n}"), CustomerId(f"c{n:04}"), days, chosen.get(n))
        for n in range(customers)
    ]


def _customer(chance: random.Random, id: CustomerId, days: int, shape: str | None) -> History:
    life = Life(chance, id, days)
    is_new = shape in OF_NEW or (shape is None and chance.random() < 0.12)
    life.joins = chance.randrange(40, days - 8) if is_new else 0
    life.size = round(min(max(chance.lognormvariate(3.8, 1.2), 3), 5000))
    products = chance.sample(PRODUCTS, chance.randint(1, 6))
    life.orders_a_month = min(chance.lognormvariate(0.5, 0.8), 12)
    life.growth = chance.choice([-0.3, 0, 0, 0.2, 0.5, 1.0])
    life.is_nightly = chance.random() < 0.05
    if not is_new:
        for product in products:
            life.levels[product] = max(1, round(life.size * chance.uniform(0.2, 1.2) / len(products) * 1.5))
    if is_new:
        _joins(life, products, honest=shape is None)
    _business(life)
    _helpdesk(life)
    _azure(life, wanted=shape in OF_AZURE)
    _pays_late(life, wanted=shape == "overdue_growing")
    if not is_new:
        _honest_events(life)
    if shape is not None:
        SHAPES[shape](life)
    life.read()
    _spent(life)
    _partner(life)
    watched = datetime.combine(FIRST, time(3), ZONE).astimezone(UTC)
    end = datetime.combine(FIRST + timedelta(days=days), time(), ZONE)
    past = past_of(id, [o for o in life.seen if o.at < end], watched_since=watched)
    return History(past, tuple(life.frauds), tuple(life.events))


# How honest customers live


def _season(day: int) -> float:
    """How much is ordered on that day of the year, month and week."""
    on = FIRST + timedelta(days=day)
    if on.weekday() >= 5:
        return 0.05
    if (on.month, on.day) >= (12, 21) or (on.month, on.day) <= (1, 3):
        return 0.1
    if on.month == 8:
        return 0.6
    tomorrow = on + timedelta(days=3)
    return 2.0 if tomorrow.month != on.month else 1.2 if on.weekday() in (0, 1) else 0.9


def _poisson(chance: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def _business(life: Life) -> None:
    chance = life.chance
    typical = max(1.0, life.size * chance.uniform(0.02, 0.08))
    for day in range(life.joins, life.days):
        rate = life.orders_a_month / 26 * _season(day) * (1 + life.growth * day / life.days)
        for _ in range(_poisson(chance, rate)):
            at = life.moment(day, odd=life.is_nightly or chance.random() < 0.02)
            quantity = max(1, round(typical * chance.lognormvariate(0, 0.8)))
            if chance.random() < 0.35:
                life.change(
                    at, life.product(), quantity if chance.random() < 0.75 else -max(1, quantity // 2)
                )
                continue
            for part in range(chance.choices([1, 2, 3], [88, 9, 3])[0]):
                life.order(at + timedelta(seconds=part), quantity if not part else max(1, quantity // 3))
            if chance.random() < 0.06:
                life.order(at + timedelta(minutes=4), 0, trials=chance.choice([1, 1, 1, 2]))


def _joins(life: Life, products: Sequence[str], *, honest: bool) -> None:
    chance = life.chance
    begin = life.moment(life.joins) - timedelta(hours=2)
    life.operate(begin, "add_customer")
    for n in range(chance.randint(1, 4)):
        life.operate(begin + timedelta(minutes=20 + n), "create_customer_user")
    if chance.random() < 0.3:
        life.operate(begin + timedelta(hours=3), "update_customer_billing_profile")
    if not honest:
        life.orders_a_month = min(life.orders_a_month, 2)
        return
    total = min(chance.lognormvariate(2.7, 0.7), 90)
    if chance.random() < 0.05:
        total = chance.uniform(120, 400)
        life.events.append(("large customer joins", FIRST + timedelta(days=life.joins)))
    life.size = max(3, round(total))
    count = chance.choices([1, 2, 3], [70, 20, 10])[0]
    for n, product in enumerate((list(products) * 3)[:count]):
        life.order(begin + timedelta(hours=1, minutes=n), max(1, round(total / count)), product)


def _helpdesk(life: Life) -> None:
    chance = life.chance
    if chance.random() < 0.4:
        rate = chance.uniform(0.2, 3) / 22
        for day in range(life.joins, life.days):
            for _ in range(_poisson(chance, rate * (0.1 if _season(day) < 0.2 else 1))):
                name = chance.choices(
                    ["reset_customer_user_password", "create_customer_user", "add_user_member"], [6, 3, 1]
                )[0]
                life.operate(life.moment(day, odd=chance.random() < 0.03), name)
    if chance.random() < 0.12:
        life.operate(
            life.moment(chance.randrange(life.joins, life.days)),
            chance.choice(["update_customer_billing_profile", "update_customer_user_principal_name"]),
        )


def _partner(life: Life) -> None:
    """What is done on the partner itself is the same for all: new staff, a new key every two months."""
    for day, name in (
        (9, "create_partner_user"),
        (30, "add_application_credential"),
        (92, "add_application_credential"),
        (120, "create_partner_user"),
        (153, "add_application_credential"),
    ):
        if day < life.days:
            at = datetime.combine(FIRST + timedelta(days=day), time(10), ZONE).astimezone(UTC)
            life.seen.append(Operation(None, at, f"partner-{day}", name, "succeeded", "it@partner.example"))


def _azure(life: Life, *, wanted: bool) -> None:
    chance = life.chance
    if not wanted and chance.random() > 0.4:
        return
    level = min(chance.lognormvariate(3.4, 1.4), 4000)
    noise, weekend = chance.uniform(0.05, 0.3), chance.choice([1, 0.9, 0.6, 0.3])
    growth = chance.choice([0, 0, 0.3, 1.0])
    weekly, monthly = chance.random() < 0.1, chance.random() < 0.1
    step = chance.randrange(30, life.days) if chance.random() < 0.1 else None
    factor = chance.uniform(1.3, 2.2)
    for day in range(life.joins, life.days):
        on = FIRST + timedelta(days=day)
        amount = level * chance.lognormvariate(0, noise) * (1 + growth * day / life.days)
        amount *= weekend if on.weekday() >= 5 else 1
        amount *= 3 if weekly and on.weekday() == 6 else 1
        amount *= 4 if monthly and (on + timedelta(days=2)).month != on.month else 1
        amount *= 0.6 if _season(day) == 0.1 else 1
        amount *= factor if step is not None and day >= step else 1
        life.spend[day] = amount


def _spent(life: Life) -> None:
    """A reading a day of what the month has come to; now and then one is missing."""
    if not life.spend:
        return
    chance = life.chance
    usual = sorted(life.spend.values())[len(life.spend) // 3] * 30
    has_budget = chance.random() < 0.5
    budget = Decimal(round(usual * chance.uniform(0.8, 2.5), 2)) if has_budget else None
    total, month = 0.0, None
    for day in sorted(life.spend):
        on = FIRST + timedelta(days=day)
        total = life.spend[day] if on.month != month else total + life.spend[day]
        month = on.month
        if chance.random() < 0.02:
            continue
        at = datetime.combine(on, time(23, 30), ZONE).astimezone(UTC)
        life.seen.append(Spent(life.id, at, Decimal(f"{total:.2f}"), "EUR", budget))


def _pays_late(life: Life, *, wanted: bool) -> None:
    chance = life.chance
    if wanted or chance.random() > 0.12:
        return
    for _ in range(chance.randint(1, 3)):
        begin = chance.randrange(life.joins, life.days)
        _owes(life, begin, chance.randint(2, 45))


def _owes(life: Life, begin: int, days: int) -> None:
    amount = Decimal(round(life.chance.lognormvariate(6.5, 1), 2))
    for day in range(begin, min(begin + days, life.days)):
        at = datetime.combine(FIRST + timedelta(days=day), time(7), ZONE).astimezone(UTC)
        life.seen.append(Owed(life.id, at, {"EUR": amount}, day - begin + 1))


def _honest_events(life: Life) -> None:
    chance = life.chance

    def on(name: str) -> int:
        day = chance.randrange(15, life.days)
        while _season(day) < 0.2:
            day = chance.randrange(15, life.days)
        life.events.append((name, FIRST + timedelta(days=day)))
        return day

    if chance.random() < 0.03:
        life.order(life.moment(on("project")), round(chance.uniform(100, 300)), chance.choice(PRODUCTS))
    if chance.random() < 0.01:
        day = on("merger")
        for product in sorted(life.levels):
            life.change(
                life.moment(day), product, max(5, round(life.levels[product] * chance.uniform(0.3, 1.2)))
            )
    if chance.random() < 0.3:
        day = on("renewal")
        at = life.moment(day)
        lines = tuple(OrderLine(p, p, n) for p, n in sorted(life.levels.items()))
        life.seen.append(OrderPlaced(life.id, at, life.number(), lines, "completed"))
    if chance.random() < 0.15:
        day = on("true-up")
        for product in sorted(life.levels):
            life.change(
                life.moment(day), product, max(1, round(life.levels[product] * chance.uniform(0.02, 0.2)))
            )
    if chance.random() < 0.04:
        day = on("hiring")
        for later in range(0, 15, 3):
            if day + later < life.days:
                life.order(life.moment(day + later), max(2, round(life.size * 0.05)))


# How fraud looks


def _begin(life: Life, shape: str, *, least: int = 21) -> int:
    """The day of the first act; it is recorded as planted."""
    day = life.chance.randrange(max(least, life.joins), life.days - 8)
    _plant(life, shape, day)
    return day


def _plant(life: Life, shape: str, day: int) -> None:
    midnight = datetime.combine(FIRST + timedelta(days=day), time(), ZONE)
    life.frauds.append(Planted(shape, midnight.astimezone(UTC)))


def _seat_jump(life: Life) -> None:
    day = _begin(life, "seat_jump")
    product = life.product()
    life.change(life.moment(day), product, max(90, round(life.levels[product] * life.chance.uniform(3, 12))))


def _order_burst(life: Life) -> None:
    day = _begin(life, "order_burst")
    at = life.moment(day)
    for n in range(life.chance.randint(10, 25)):
        life.order(
            at + timedelta(minutes=life.chance.randint(1, 9) + 9 * n),
            life.chance.randint(2, 30),
            life.chance.choice(PRODUCTS),
        )


def _new_large(life: Life) -> None:
    at = life.moment(life.joins)
    _plant(life, "new_customer_large_order", life.joins)
    life.order(at, life.chance.randint(130, 900), life.chance.choice(PRODUCTS))


def _trial_burst(life: Life) -> None:
    day = _begin(life, "trial_burst")
    for n in range(life.chance.randint(2, 4)):
        life.order(life.moment(min(day + n, life.days - 1)), 0, trials=life.chance.randint(2, 5))


def _mining(life: Life) -> None:
    day = _begin(life, "crypto_mining")
    usual = sorted(life.spend.values())[len(life.spend) // 2]
    amount = max(300.0, usual * life.chance.uniform(4, 20))
    for later in range(day, min(day + life.chance.randint(3, 12), life.days)):
        life.spend[later] += amount * life.chance.uniform(0.8, 1.2)


def _takeover(life: Life) -> None:
    life.is_nightly = False
    day = _begin(life, "account_takeover")
    at = life.moment(day, odd=True)
    of_partner = life.chance.random() < 0.5
    life.operate(at, "add_application_credential", of_partner=of_partner, by="svc-7@partner.example")
    if life.chance.random() < 0.5:
        life.operate(at + timedelta(minutes=9), "reset_customer_user_password", by="svc-7@partner.example")
    for n in range(life.chance.randint(2, 6)):
        life.order(
            at + timedelta(minutes=30 + 7 * n), life.chance.randint(5, 60), life.chance.choice(PRODUCTS)
        )


def _slow_burst(life: Life) -> None:
    day = _begin(life, "slow_burst")
    for later in range(life.chance.randint(5, 8)):
        for _ in range(life.chance.randint(2, 4)):
            life.order(
                life.moment(min(day + later, life.days - 1)),
                life.chance.randint(2, 12),
                life.chance.choice(PRODUCTS),
            )


def _overdue_growing(life: Life) -> None:
    day = _begin(life, "overdue_growing", least=50)
    _owes(life, day - life.chance.randint(20, 45), 90)
    seats = max(30, round(sum(life.levels.values()) * life.chance.uniform(0.3, 1)))
    for n in range(3):
        life.order(life.moment(min(day + n, life.days - 1)), max(10, seats // 3))


# Shapes that no threshold was chosen by


def _dormant_wakes(life: Life) -> None:
    day = _begin(life, "dormant_wakes", least=100)
    quiet = datetime.combine(FIRST + timedelta(days=day - 90), time(), ZONE)
    life.seen = [o for o in life.seen if o.at < quiet or isinstance(o, Spent | Owed)]
    life.pending = [p for p in life.pending if p[0] < quiet]
    for n in range(life.chance.randint(3, 6)):
        life.order(
            life.moment(day) + timedelta(minutes=n), life.chance.randint(25, 80), life.chance.choice(PRODUCTS)
        )


def _spread_seats(life: Life) -> None:
    day = _begin(life, "spread_seats")
    each = max(25, round(life.size * life.chance.uniform(0.3, 1)))
    for n, product in enumerate(life.chance.sample(PRODUCTS, life.chance.randint(4, 7))):
        life.change(life.moment(min(day + n % 2, life.days - 1)), product, each)


def _ramp_mining(life: Life) -> None:
    day = _begin(life, "ramp_mining")
    usual = sorted(life.spend.values())[len(life.spend) // 2]
    amount = max(60.0, usual * 0.8)
    for later in range(day, min(day + 10, life.days)):
        life.spend[later] += amount
        amount *= life.chance.uniform(1.3, 1.7)


def _new_many_small(life: Life) -> None:
    at = life.moment(life.joins)
    _plant(life, "new_many_small_orders", life.joins)
    for n in range(life.chance.randint(7, 14)):
        life.order(
            at + timedelta(hours=life.chance.randint(1, 9) + 9 * n),
            life.chance.randint(3, 20),
            life.chance.choice(PRODUCTS),
        )


def _weekend_spree(life: Life) -> None:
    life.is_nightly = False
    day = life.chance.randrange(21, life.days - 14)
    day += (5 - (FIRST + timedelta(days=day)).weekday()) % 7
    _plant(life, "weekend_spree", day)
    for n in range(life.chance.randint(5, 9)):
        life.order(
            life.moment(day) + timedelta(minutes=n), life.chance.randint(10, 50), life.chance.choice(PRODUCTS)
        )


def _users_then_trials(life: Life) -> None:
    day = _begin(life, "users_then_trials")
    at = life.moment(day)
    for n in range(4):
        life.operate(at + timedelta(minutes=n), "create_customer_user", by="svc-9@partner.example")
        life.order(at + timedelta(hours=1, minutes=n), 0, trials=2)


TUNED: dict[str, Callable[[Life], None]] = {
    "seat_jump": _seat_jump,
    "order_burst": _order_burst,
    "new_customer_large_order": _new_large,
    "trial_burst": _trial_burst,
    "crypto_mining": _mining,
    "account_takeover": _takeover,
    "slow_burst": _slow_burst,
    "overdue_growing": _overdue_growing,
}
"""The shapes that thresholds were chosen by."""
LEFT_OUT: dict[str, Callable[[Life], None]] = {
    "dormant_wakes": _dormant_wakes,
    "spread_seats": _spread_seats,
    "ramp_mining": _ramp_mining,
    "new_many_small_orders": _new_many_small,
    "weekend_spree": _weekend_spree,
    "users_then_trials": _users_then_trials,
}
SHAPES = TUNED | LEFT_OUT
OF_NEW = {"new_customer_large_order", "new_many_small_orders"}
OF_AZURE = {"crypto_mining", "ramp_mining"}
WITHOUT_LOG = [s for s in SHAPES if s not in OF_AZURE | {"account_takeover"}]
"""What orders, quantities and the books can show, where there is nothing else."""


def as_21vianet_has_it(history: History) -> History:
    """The same without what that cloud does not tell: no activity log, no usage."""
    return replace(history, past=replace(history.past, operations=(), spent=(), alerts=()))
