"""Observations: what was seen of a customer, each with its moment; the facts that suspicion is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.people import PersonId


class Source(StrEnum):
    """Where observations come from. Not every cloud has every one."""

    ORDERS = "orders"
    SUBSCRIPTIONS = "subscriptions"
    """The difference between two readings."""
    AUDIT_RECORDS = "audit_records"
    USAGE = "usage"
    FRAUD_EVENTS = "fraud_events"
    SECURITY_ALERTS = "security_alerts"
    BOOKS = "books"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class OrderLine:
    name: str
    offer_id: str
    quantity: int
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """An order; its lines as they were first read."""

    customer_id: CustomerId
    at: datetime
    order_id: str
    lines: tuple[OrderLine, ...]
    status: str = ""
    """Microsoft's word."""
    total: Decimal | None = None
    currency: str | None = None

    @property
    def key(self) -> str:
        return f"order:{self.customer_id}:{self.order_id}"

    @property
    def quantity(self) -> int:
        """Seats and units together, trials left out."""
        return sum(line.quantity for line in self.lines if not line.is_trial)

    @property
    def trials(self) -> int:
        return sum(line.is_trial for line in self.lines)


@dataclass(frozen=True, slots=True)
class QuantityChanged:
    """A subscription that had another quantity at the reading before, or that was not there: `before` is 0."""

    customer_id: CustomerId
    at: datetime
    """When it was read so for the first time."""
    subscription_id: SubscriptionId
    name: str
    before: int
    after: int
    not_before: datetime | None = None
    """When it was last read otherwise."""
    is_trial: bool = False

    @property
    def key(self) -> str:
        return f"quantity:{self.subscription_id}:{self.before}:{self.after}:{self.at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One record of Partner Center's activity log, of the partner's side or the customer's."""

    customer_id: CustomerId | None
    """None where it is about the partner itself, as a new application is."""
    at: datetime
    id: str
    """Microsoft's, or made from the content where it has none."""
    operation: str
    """Microsoft's word in lower case, `create_order`; an unknown one as it came."""
    status: str = ""
    by: str = ""
    """Who did it, as the log names them."""
    resource: str = ""

    @property
    def key(self) -> str:
        return f"operation:{self.id}"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a customer's Azure usage comes to in the running billing period: Microsoft's estimate, once a day."""

    customer_id: CustomerId
    at: datetime
    amount: Decimal
    """From the beginning of the period until then: it falls back when a new one begins."""
    currency: str
    budget: Decimal | None = None
    """None: there is no budget."""

    @property
    def key(self) -> str:
        return f"spent:{self.customer_id}:{self.at.date().isoformat()}"


@dataclass(frozen=True, slots=True)
class VendorAlert:
    """What Microsoft itself found suspicious: a fraud event or a partner security alert, in its own words."""

    customer_id: CustomerId
    at: datetime
    """When it was last seen to go on; first seen is `first_at`."""
    id: str
    source: Source
    """`FRAUD_EVENTS` or `SECURITY_ALERTS`."""
    type: str
    severity: str = ""
    confidence: str = ""
    status: str = ""
    """`active`, `investigating`, `resolved`, or another word as it came."""
    subscription_id: SubscriptionId | None = None
    name: str = ""
    description: str = ""
    first_at: datetime | None = None
    hits: int = 1
    resources: tuple[str, ...] = ()
    is_test: bool = False

    @property
    def key(self) -> str:
        return f"{self.source.value}:{self.id}"


@dataclass(frozen=True, slots=True)
class Reported:
    """Somebody in the team says that something is wrong."""

    customer_id: CustomerId
    at: datetime
    id: str
    by: PersonId
    words: str = ""
    """What they wrote; after `linked`, its last line is the way to the message."""

    @property
    def key(self) -> str:
        return f"report:{self.id}"

    @property
    def link(self) -> str:
        """The way to the message as Slack gave it, never an address that somebody wrote; empty without one."""
        return self.words.partition(_LINK)[2]


_LINK: Final = "\x1e"
"""Stands before the link, and is taken out of what people write."""


def linked(words: str, link: str) -> str:
    """What somebody wrote, and the link behind it where there is one."""
    said = words.replace(_LINK, " ").strip()
    return "\n".join(part for part in (said, f"{_LINK}{link}" if link else "") if part)


@dataclass(frozen=True, slots=True)
class Owed:
    """What was past due on a day, by currency, from the partner's own books; only as long as something was."""

    customer_id: CustomerId
    at: datetime
    overdue: Mapping[str, Decimal]
    oldest_days: int

    @property
    def key(self) -> str:
        return f"owed:{self.customer_id}:{self.at.date().isoformat()}"


Observation: TypeAlias = OrderPlaced | QuantityChanged | Operation | Spent | VendorAlert | Reported | Owed


@dataclass(frozen=True, slots=True)
class Past:
    """All that was seen of one customer, each kind in the order of time."""

    customer_id: CustomerId
    orders: tuple[OrderPlaced, ...] = ()
    quantities: tuple[QuantityChanged, ...] = ()
    operations: tuple[Operation, ...] = ()
    spent: tuple[Spent, ...] = ()
    alerts: tuple[VendorAlert, ...] = ()
    reports: tuple[Reported, ...] = ()
    owed: tuple[Owed, ...] = ()
    watched_since: datetime | None = None
    """Since when we look; what is older is known only as far as orders and the activity log tell."""

    def until(self, at: datetime) -> Past:
        """As it was known at that moment."""
        return Past(
            self.customer_id,
            orders=tuple(o for o in self.orders if o.at <= at),
            quantities=tuple(q for q in self.quantities if q.at <= at),
            operations=tuple(o for o in self.operations if o.at <= at),
            spent=tuple(s for s in self.spent if s.at <= at),
            alerts=tuple(a for a in self.alerts if (a.first_at or a.at) <= at),
            reports=tuple(r for r in self.reports if r.at <= at),
            owed=tuple(o for o in self.owed if o.at <= at),
            watched_since=self.watched_since,
        )


def past_of(
    customer: CustomerId, observations: list[Observation], *, watched_since: datetime | None = None
) -> Past:
    """Sort them by kind and time."""
    by_kind: dict[type, list[Observation]] = {}
    for observation in sorted(observations, key=lambda o: (o.at, o.key)):
        by_kind.setdefault(type(observation), []).append(observation)

    def of(kind: type) -> tuple[Observation, ...]:
        return tuple(by_kind.get(kind, ()))

    return Past(
        customer,
        orders=of(OrderPlaced),  # type: ignore[arg-type]
        quantities=of(QuantityChanged),  # type: ignore[arg-type]
        operations=of(Operation),  # type: ignore[arg-type]
        spent=of(Spent),  # type: ignore[arg-type]
        alerts=of(VendorAlert),  # type: ignore[arg-type]
        reports=of(Reported),  # type: ignore[arg-type]
        owed=of(Owed),  # type: ignore[arg-type]
        watched_since=watched_since,
    )
