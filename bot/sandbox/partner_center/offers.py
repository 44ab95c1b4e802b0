"""What can be bought in the sandbox: subscriptions of every kind, with ids that never vary."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from bot.sandbox.partner_center.records import AzureSubscription, Kind, Subscription

_NAMESPACE = uuid5(NAMESPACE_DNS, "partner-center.sandbox.example")
_TERM_DAYS = {"P1M": 30, "P1Y": 365, "P3Y": 1095}


def fixed_id(*parts: str) -> str:
    """The same id for the same words, on every run."""
    return str(uuid5(_NAMESPACE, "/".join(parts)))


def moment(day: date, at: time = time(9, 30, 12, 427000)) -> datetime:
    return datetime.combine(day, at, tzinfo=UTC)


class Shelf:
    """Sells to one customer: a subscription's id follows from their domain and its name."""

    def __init__(self, domain: str, today: date) -> None:
        self._domain = domain
        self._today = today

    def legacy(self, name: str, quantity: int, *, days_ago: int = 140, **fields: Any) -> Subscription:
        """A seat offer of the old kind: a GUID for an offer, no term, a year's commitment."""
        made = self._made(name, Kind.LEGACY_SEAT, fixed_id("offer", name).upper(), days_ago)
        order_id = self._id(name, "order").upper()
        return Subscription(
            **{**made, "quantity": quantity, "order_id": order_id, "term_end": self._end("P1Y", days_ago)}
            | fields
        )

    def add_on(self, base: Subscription, name: str, quantity: int, **fields: Any) -> Subscription:
        """A legacy add-on; it goes down with its base."""
        return self.legacy(name, quantity, parent_id=base.id, **fields)

    def new_commerce(
        self, name: str, quantity: int, term: str = "P1Y", *, days_ago: int = 140, **fields: Any
    ) -> Subscription:
        """A seat offer with a term of one month, one year or three; `term_end` lies ahead."""
        made = self._made(name, Kind.NEW_COMMERCE, _catalogue_id(name, "CFQ7TTC0"), days_ago)
        term_end = self._end(term, days_ago)
        return Subscription(
            **{**made, "quantity": quantity, "term_duration": term, "term_end": term_end} | fields
        )

    def trial(self, name: str, *, days_ago: int = 12, **fields: Any) -> Subscription:
        """Twenty-five seats for a month, for nothing."""
        return self.new_commerce(
            name, 25, "P1M", days_ago=days_ago, is_trial=True, auto_renew=False, **fields
        )

    def azure_plan(self, *running: str, stopped: tuple[str, ...] = ()) -> Subscription:
        """An Azure plan with Azure subscriptions of these names in it; what runs forbids a suspension."""
        made = self._made("Azure plan", Kind.AZURE_PLAN, "DZH318Z0BPS6:0001:DZH318Z0BP8W", days_ago=400)
        inside = [self._azure(name, "active") for name in running]
        inside += [self._azure(name, "inactive") for name in stopped]
        return Subscription(**made, azure_subscriptions=tuple(inside), auto_renew=False)

    def legacy_azure(self) -> Subscription:
        """Azure as it was sold before there were plans."""
        made = self._made("Microsoft Azure", Kind.LEGACY_AZURE, "MS-AZR-0145P", days_ago=900)
        return Subscription(**made, auto_renew=False)

    def marketplace(self, name: str, publisher: str, quantity: int) -> Subscription:
        """Software as a service that another firm runs."""
        made = self._made(name, Kind.MARKETPLACE, _catalogue_id(name, "DZH318Z0"), days_ago=75)
        term_end = self._end("P1M", 75)
        return Subscription(
            **made, quantity=quantity, publisher=publisher, term_duration="P1M", term_end=term_end
        )

    def software(self, name: str, quantity: int) -> Subscription:
        """Licences for good; there is nothing to suspend."""
        made = self._made(name, Kind.SOFTWARE, _catalogue_id(name, "DG7GMGF0"), days_ago=210)
        return Subscription(**made, quantity=quantity, auto_renew=False, billing_cycle="onetime")

    def reservation(self, name: str, quantity: int) -> Subscription:
        """Azure capacity paid for in advance."""
        made = self._made(name, Kind.RESERVATION, _catalogue_id(name, "DZH318Z0"), days_ago=60)
        term_end = self._end("P1Y", 60)
        return Subscription(**made, quantity=quantity, term_duration="P1Y", term_end=term_end)

    def _made(self, name: str, kind: Kind, offer_id: str, days_ago: int) -> dict[str, Any]:
        return {
            "id": self._id(name),
            "kind": kind,
            "offer_id": offer_id,
            "name": name,
            "created_at": moment(self._today - timedelta(days=days_ago)),
            "order_id": self._id(name, "order").replace("-", "")[:12],
        }

    def _end(self, term: str, days_ago: int) -> datetime:
        """The first end of a term after today, of terms that began when it was bought."""
        days = _TERM_DAYS[term]
        return moment(self._today + timedelta(days=days - days_ago % days), time())

    def _azure(self, name: str, status: str) -> AzureSubscription:
        return AzureSubscription(id=self._id("azure", name), name=name, status=status)

    def _id(self, *parts: str) -> str:
        return fixed_id(self._domain, *parts)


def ordered(
    customer_id: str,
    number: int,
    *,
    quantity: int,
    at: datetime,
    name: str = "Microsoft 365 E5",
    is_trial: bool = False,
) -> Subscription:
    """The `number`-th subscription of a customer, bought at that moment for a month."""
    made = Shelf(customer_id, at.date()).new_commerce(name, quantity, "P1M", days_ago=0)
    identity = fixed_id(customer_id, "ordered", str(number))
    return Subscription(
        **{
            **vars(made),
            "id": identity,
            "nickname": f"{name} ({number})",
            "is_trial": is_trial,
            "order_id": identity.replace("-", "")[:12],
            "created_at": at,
            "changed_at": at,
        }
    )


def _catalogue_id(name: str, product: str) -> str:
    """Product, SKU and availability, as new commerce names what it sells."""
    digits = fixed_id("catalogue", name).replace("-", "").upper()
    return f"{product}{digits[:4]}:{digits[4:8]}:{product}{digits[8:12]}"
