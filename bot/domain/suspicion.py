"""The rules of suspicion: everything they find in what was seen of a customer, as it was known at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final

from bot.domain import suspicion_log, suspicion_orders, suspicion_spend, suspicion_told
from bot.domain.observation import Past
from bot.domain.scene import Scene, scene
from bot.domain.signal import Rule, RuleBook, Signal

RULES: Final[Mapping[tuple[Rule, ...], Callable[[Scene], Iterator[Signal]]]] = MappingProxyType(
    {
        (Rule.SEAT_JUMP,): suspicion_orders.seat_jumps,
        (Rule.ORDER_BURST,): suspicion_orders.order_bursts,
        (Rule.NEW_CUSTOMER_ORDERS,): suspicion_orders.new_customer_orders,
        (Rule.LARGE_FIRST_ORDER,): suspicion_orders.large_first_order,
        (Rule.TRIAL_BURST,): suspicion_orders.trial_bursts,
        (Rule.SPEND_OVER_BUDGET,): suspicion_spend.spend_over_budget,
        (Rule.SPEND_SPIKE,): suspicion_spend.spend_spikes,
        (Rule.SPEND_WITHOUT_BUDGET,): suspicion_spend.spend_without_budget,
        (Rule.OFF_HOURS,): suspicion_log.off_hours,
        (Rule.ADMIN_OPERATION,): suspicion_log.admin_operations,
        (Rule.PROFILE_CHANGE,): suspicion_log.profile_changes,
        (Rule.OVERDUE_AND_GROWING,): suspicion_spend.overdue_and_growing,
        (Rule.FRAUD_EVENT, Rule.SECURITY_ALERT): suspicion_told.vendor_alerts,
        (Rule.REPORT,): suspicion_told.reports,
    }
)
"""Where each rule is. What facts its signals have is told there."""


def signals(past: Past, book: RuleBook, *, at: datetime, zone: tzinfo) -> tuple[Signal, ...]:
    """All that the rules find in what happened up to `at`, the oldest first.

    What was found once is found again at any later moment, under the same key and with no fewer points: a rule
    compares a day only with what came before it. The order of the observations does not matter, nor does one
    that comes twice or cannot be.
    """
    seen = scene(past, book, at=at, zone=zone)
    found = [
        signal
        for rules, find in RULES.items()
        if any(book.is_enabled(rule) for rule in rules)
        for signal in find(seen)
        if book.is_enabled(signal.rule)
    ]
    return tuple(sorted(found, key=lambda s: (s.at, s.key)))
