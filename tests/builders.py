"""People, moments and things the tests speak of; every field has a default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.customer import (
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.domain.people import Person, PersonId, Right
from bot.domain.request import Action, ActionRequest, Reason, RequestId, Verb

noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ana = Person(PersonId("U0ANA"), frozenset({Right.OPERATE}), "en-US")
ben = Person(PersonId("U0BEN"), frozenset({Right.APPROVE}), "en-US")
mei = Person(PersonId("U0MEI"), frozenset({Right.APPROVE}), "zh-CN")
eve = Person(PersonId("U0EVE"), frozenset(), "de-DE")
boss = Person(PersonId("U0BOSS"), frozenset({Right.OPERATE, Right.APPROVE}), "en-US")

CONTOSO = CustomerId("11111111-2222-4333-8444-555555555555")


def a_customer(**fields: Any) -> Customer:
    given: dict[str, Any] = {
        "id": CONTOSO,
        "name": "Contoso Ltd",
        "domain": "contoso.onmicrosoft.com",
        "relationship": "reseller",
    }
    return Customer(**(given | fields))


def a_subscription(**fields: Any) -> Subscription:
    given: dict[str, Any] = {
        "id": SubscriptionId("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
        "customer_id": CONTOSO,
        "name": "Microsoft 365 E3",
        "status": SubscriptionStatus.ACTIVE,
        "status_word": "active",
        "kind": SubscriptionKind.LEGACY_SEAT,
        "quantity": 120,
    }
    return Subscription(**(given | fields))


def an_action(**fields: Any) -> Action:
    given: dict[str, Any] = {
        "verb": Verb.SUSPEND,
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "subscription_id": a_subscription().id,
        "subscription_name": "Microsoft 365 E3",
        "reason": Reason.NON_PAYMENT,
        "note": "",
    }
    return Action(**(given | fields))


def a_request(*, by: Person = ana, at: datetime = noon, **fields: Any) -> ActionRequest:
    """A request as `place` makes it; `fields` are the arguments of `place`."""
    given: dict[str, Any] = {
        "time_to_live": DAY,
        "approvals_needed": 1,
        "undo": timedelta(0),
        "seen": a_subscription().fingerprint,
        "ms_request_id": "00000000-0000-4000-8000-000000000001",
    }
    action = fields.pop("action", None) or an_action()
    request_id = RequestId(fields.pop("id", "R-TEST000001"))
    return ActionRequest.place(request_id, action, by=by, at=at, **(given | fields))
