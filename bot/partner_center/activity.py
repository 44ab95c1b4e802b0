"""The activity log: which dates it can be asked for, and since when it says a subscription is suspended.

learn.microsoft.com/partner-center/developer/get-a-record-of-partner-center-activity-by-user
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

from bot.domain.customer import SubscriptionId, SubscriptionStatus
from bot.partner_center.wire import StatusRecord

KEPT_DAYS: Final = 90
"""A start before that is refused. Today is the first of them, lest the hour of the day make it one too many."""
WINDOW_DAYS: Final = 30
"""What one request may span:
learn.microsoft.com/rest/api/partner-center/audit-operations/gets-audit-records."""


def windows(since: date, until: date, *, today: date) -> Iterator[tuple[date, date]]:
    """The start and end dates with which to ask for a span, as far as the log is kept; none is in the future.

    No page says whether the end date itself is included. So each window shares a day with the next, and the
    last one reaches beyond the span where it can: records may come twice, or from a day after `until`.
    """
    start = max(since, today - timedelta(days=KEPT_DAYS - 1))
    last = min(until + timedelta(days=1), today)
    if start > min(until, today):
        return
    while True:
        end = min(start + timedelta(days=WINDOW_DAYS - 1), last)
        yield start, end
        if end == last:
            return
        start = end


def suspended_since(records: Iterable[StatusRecord]) -> dict[SubscriptionId, datetime]:
    """When each subscription that was last set to suspended became so; the order of the records is of no account.

    A record of something that already was suspended (an update of another kind leaves one too) is not taken
    for a new suspension: the time until its data is deleted does not begin anew.
    """
    since: dict[SubscriptionId, datetime] = {}
    for record in sorted(records, key=lambda record: record.at):
        if record.status is SubscriptionStatus.SUSPENDED:
            since.setdefault(record.subscription_id, record.at)
        else:
            since.pop(record.subscription_id, None)
    return since
