"""Bent answers of Microsoft's, to everything that reads them: a value, or `Unreadable`; never another error.

`pytest -m long -s tests/attacks` reads 20,000 of them instead of 150.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionStatus
from bot.partner_center import azure_wire, risk_wire, service_requests, wire
from bot.partner_center.answers import Answer, Sought, Trouble, decipher
from bot.partner_center.fields import Fields, Unreadable, decode
from tests.attacks.mutations import DEEP, DEPTHS, bend_somewhere

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WHO = CustomerId("c-1")
SAMPLES = [
    json.loads(path.read_text("utf-8-sig"))
    for path in sorted((Path(__file__).parents[1] / "samples" / "partner_center").glob("*.json"))
]


def told(raw: object, name: str) -> str:
    """What an answer says of itself, so that it passes for the one that was asked for."""
    return Fields(raw).text(name) or ""


def one_entitlement(raw: object) -> object:
    items = Fields(raw).each("items")
    entitlement = items[0] if items else raw
    return wire.one_azure_entitlement(entitlement, id=told(entitlement, "id"))


def written_back(raw: object) -> object:
    """A subscription that is read, sent back with another status, and compared with what comes then."""
    id = SubscriptionId(told(raw, "id"))
    resource = wire.Resource.read(raw, customer=WHO, id=id)
    body = resource.with_status(SubscriptionStatus.SUSPENDED)
    again = wire.Resource.read(decode(body), customer=WHO, id=id)
    return resource.if_match, resource.differs_from(again)


READERS: dict[str, Callable[[object], object]] = {
    "customers": partial(wire.page, read=wire.customer),
    "billing contact": wire.billing_contact,
    "subscriptions": partial(wire.page, read=partial(wire.subscription, customer=WHO)),
    "subscription": written_back,
    "entitlements": partial(wire.page, read=wire.azure_entitlement),
    "entitlement": one_entitlement,
    "status records": partial(wire.page, read=partial(wire.status_record, customer=WHO)),
    "alerts of Graph": partial(wire.graph_page, read=partial(risk_wire.security_alert, now=NOON)),
    "orders": partial(wire.page, read=partial(risk_wire.order, customer=WHO, now=NOON)),
    "operations": partial(wire.page, read=partial(risk_wire.operation, now=NOON)),
    "spend": partial(wire.page, read=partial(risk_wire.spent, now=NOON)),
    "fraud events": partial(wire.page, read=partial(risk_wire.fraud_event, now=NOON)),
    "service request": lambda raw: service_requests.state(raw, number=told(raw, "id")),
    "managed services": partial(wire.page, read=partial(service_requests.ticket_link, portal="https://p.example")),
    "Azure ticket": lambda raw: azure_wire.ticket_state(raw, name=told(raw, "name")),
    "Azure notes": partial(azure_wire.page, read=partial(azure_wire.note, contact_email="a@b.example")),
}  # fmt: skip
HEADERS = st.dictionaries(
    st.just("Retry-After"),
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(["1", "1e400", "-1", "NaN", "9" * 5000, "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31"]),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    "times", [pytest.param(150, id="some"), pytest.param(20_000, id="all", marks=pytest.mark.long)]
)
def test_whatever_microsoft_answers_is_read_or_unreadable(times: int):
    read = {name: 0 for name in READERS}

    @settings(
        deadline=None,
        database=None,
        derandomize=True,
        max_examples=times,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.sampled_from(SAMPLES), HEADERS, st.integers(100, 599))
    def reads(data: st.DataObject, sample: Any, headers: dict[str, str], status: int) -> None:
        answer = {"answer": sample}
        for _ in range(data.draw(st.integers(0, 4))):
            answer = data.draw(
                bend_somewhere(answer, [NOON.isoformat(), "0002-01-01T00:00:00+23:59", "active"])
            )
        deep = "[" * (depth := data.draw(st.sampled_from(DEPTHS))) + "]" * depth
        body = json.dumps(answer.get("answer")).replace(f'"{DEEP}"', deep).encode()
        found = decipher(
            status, headers, body, correlation_id="c", sought=Sought("customer", "c-1"), now=NOON
        )
        assert isinstance(found, Answer if 200 <= status < 300 else Trouble)
        try:
            value = decode(body)
        except Unreadable:
            return
        for name, reader in READERS.items():
            try:
                reader(value)
            except Unreadable:
                continue
            read[name] += 1

    reads()
    assert all(read.values()), read
