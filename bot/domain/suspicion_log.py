"""Suspicion by when and by whom: changes at unusual hours, and the operations an intruder needs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from bot.domain.observation import Operation
from bot.domain.scene import Scene
from bot.domain.signal import Rule, Signal

ADMIN_OPERATIONS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "add_application_credential": 1.0,
        "register_application": 1.0,
        "create_partner_user": 1.0,
        "dap_admin_relationship_approved": 1.0,
        "get_software_key": 1.0,
        "increase_spending_limit": 1.0,
        "add_user_member": 0.8,
        "reset_customer_user_password": 0.8,
        "create_customer_user": 0.6,
        "update_customer_spending_budget": 0.8,
    }
)
"""How much each counts: learn.microsoft.com/partner-center/developer/auditing-resources"""

PROFILE_OPERATIONS: Final = frozenset(
    {
        "update_customer_billing_profile",
        "update_customer_user_principal_name",
        "update_customer_company_profile",
        "update_customer_profile",
        "update_customer_country",
    }
)

CHANGES: Final = frozenset(
    {
        "create_order",
        "update_order",
        "update_subscription",
        "convert_trial_subscription",
        "upgrade_subscription",
        "transition_subscription",
        *ADMIN_OPERATIONS,
        *PROFILE_OPERATIONS,
    }
)
"""What is done by people, so that its hour says something."""

LOOK_BACK: Final = timedelta(days=90)
CLOSELY_READ: Final = timedelta(hours=6)
"""A change between two readings so near to each other has an hour."""
OF_PARTNER: Final = 0.4
"""What is done on the partner itself is in the past of every customer: alone it says little of each."""
NEAR: Final = timedelta(hours=48)
"""An order so soon before or after an operation belongs to it; half of it after one on the partner itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that somebody did, at an hour that is known."""

    at: datetime
    day: date
    seats: int
    evidence: str
    is_off_hours: bool
    is_order: bool = False


def changes(scene: Scene) -> list[Change]:
    """Orders, operations and closely read quantities, in the order of time."""
    found = [
        Change(o.at, scene.day(o.at), o.quantity, f"order {o.order_id}", scene.is_off_hours(o.at), True)
        for o in scene.past.orders
    ]
    found += [
        Change(q.at, scene.day(q.at), max(q.after - q.before, 0), f"subscription {q.subscription_id}", True)
        if scene.is_off_hours(q.not_before) and scene.is_off_hours(q.at)
        else Change(q.at, scene.day(q.at), 0, f"subscription {q.subscription_id}", False)
        for q in scene.past.quantities
        if q.not_before is not None
        and q.not_before.tzinfo is not None
        and timedelta() <= q.at - q.not_before <= CLOSELY_READ
    ]
    found += [
        Change(o.at, scene.day(o.at), 0, f"audit record {o.id}", scene.is_off_hours(o.at))
        for o in scene.past.operations
        if o.customer_id is not None and o.operation.lower() in CHANGES and not _failed(o)
    ]
    return sorted(found, key=lambda c: (c.at, c.evidence))


def odd_days(scene: Scene) -> dict[date, list[Change]]:
    """Days on which something was changed at an hour that is unusual, also for this customer."""
    share = scene.threshold(Rule.OFF_HOURS, "usual_share") / 100
    by_day: dict[date, list[Change]] = defaultdict(list)
    for change in changes(scene):
        by_day[change.day].append(change)
    days = sorted(by_day)
    odd = [any(c.is_off_hours for c in by_day[day]) for day in days]
    found: dict[date, list[Change]] = {}
    for index, day in enumerate(days):
        before = odd[bisect_left(days, day - 2 * LOOK_BACK) : index]
        is_habit = sum(before) >= 2 and sum(before) >= share * len(before)
        if odd[index] and not is_habit:
            found[day] = [c for c in by_day[day] if c.is_off_hours]
    return found


def off_hours(scene: Scene) -> Iterator[Signal]:
    """Changes at night or on a weekend, of a customer for whom that is not usual.

    It is usual where `usual_share` percent of the days with changes before had some then. From `seats` on, the
    seats make it stronger. One finding a day. Facts: changes, seats (numbers), day.
    """
    rule = Rule.OFF_HOURS
    least = scene.threshold(rule, "seats")
    for day, found in scene.once(odd_days).items():
        seats = sum(c.seats for c in found)
        yield scene.signal(
            rule,
            day,
            found[0].at,
            strength=max(1.0, seats / least, len(found) / 3),
            facts={"changes": len(found), "seats": seats, "day": day},
            evidence=[c.evidence for c in found],
        )


def admin_operations(scene: Scene) -> Iterator[Signal]:
    """What an intruder does first: credentials, users, roles, relationships, limits.

    Weak alone; half as strong again in a burst of `burst` kinds within a day, or where the customer takes something
    at an unusual hour within two days. What happens on `usual_days` days of
    ninety is no news. One finding a day. Facts: operations (number), names, by, day.
    """
    watched = [o for o in scene.past.operations if o.operation.lower() in ADMIN_OPERATIONS and not _failed(o)]
    yield from _operations(scene, Rule.ADMIN_OPERATION, watched)


def profile_changes(scene: Scene) -> Iterator[Signal]:
    """Another billing address, country or sign-in name; stronger near odd orders. Facts: as `admin_operations`."""
    watched = [o for o in scene.past.operations if _is_profile(o) and not _failed(o)]
    yield from _operations(scene, Rule.PROFILE_CHANGE, watched)


def _operations(scene: Scene, rule: Rule, watched: list[Operation]) -> Iterator[Signal]:
    burst, usual_days = scene.threshold(rule, "burst"), int(scene.threshold(rule, "usual_days"))
    odd = sorted(c.at for found in scene.once(odd_days).values() for c in found if c.is_order)
    by_day: dict[date, list[Operation]] = defaultdict(list)
    for operation in watched:
        by_day[scene.day(operation.at)].append(operation)
    habit: dict[str, list[date]] = defaultdict(list)
    for day in sorted(by_day):
        news = [o for o in by_day[day] if _days_of_late(habit[o.operation.lower()], day) < usual_days]
        for operation in by_day[day]:
            if day not in habit[operation.operation.lower()][-1:]:
                habit[operation.operation.lower()].append(day)
        if not news:
            continue
        is_strong = any(_weight(o) == 1 for o in news) and (
            any(_is_near(odd, o.at, NEAR if o.customer_id else NEAR / 2) for o in news)
            or len({o.operation.lower() for o in news}) >= burst
        )
        weight = max(_weight(o) * (1 if o.customer_id else OF_PARTNER) for o in news)
        yield scene.signal(
            rule,
            day,
            news[0].at,
            strength=8.0 if is_strong else weight,
            facts={
                "operations": len(news),
                "names": ", ".join(dict.fromkeys(o.operation for o in news)),
                "by": ", ".join(dict.fromkeys(o.by for o in news if o.by)) or "–",
                "day": day,
            },
            evidence=[f"audit record {o.id}" for o in news],
        )


def _weight(operation: Operation) -> float:
    return ADMIN_OPERATIONS.get(operation.operation.lower(), 1.0)


def _days_of_late(habit: list[date], day: date) -> int:
    return len(habit) - bisect_left(habit, day - LOOK_BACK)


def _is_near(moments: list[datetime], at: datetime, near: timedelta) -> bool:
    return bisect_right(moments, at + near) > bisect_left(moments, at - near)


def _is_profile(operation: Operation) -> bool:
    name = operation.operation.lower()
    return name in PROFILE_OPERATIONS or ("profile" in name and name.startswith("update_customer"))


def _failed(operation: Operation) -> bool:
    return operation.status.lower() in ("failed", "error")
