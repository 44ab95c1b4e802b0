"""What Microsoft tells of risk is read as it really comes, and as it may come broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.observation import Operation, OrderLine, OrderPlaced, Source, Spent, VendorAlert
from bot.partner_center import risk_wire, wire
from bot.partner_center.fields import Unreadable, decode

from .far_side import noon

CONTOSO = CustomerId("c4f6bf3c-60de-432e-a3ec-20bcc5b26ec2")
FRAUD = {"customerTenantId": CONTOSO, "eventId": "e-1", "subscriptionId": "S-1"}
LONG_AGO = datetime(2021, 12, 8, 0, 25, 45, 690000, tzinfo=UTC)


def sample(samples: Path, name: str) -> Any:
    return decode((samples / f"{name}.json").read_bytes())


def event(**fields: Any) -> VendorAlert:
    return risk_wire.fraud_event(FRAUD | fields, now=noon)


def order(**fields: Any) -> OrderPlaced | None:
    raw = {"id": "O-1", "creationDate": "2025-03-09T10:00:00Z", "lineItems": []}
    return risk_wire.order(raw | fields, customer=CONTOSO, now=noon)


def operation(**fields: Any) -> Operation:
    raw = {"operationDate": "2025-03-09T10:00:00Z", "operationType": "add_customer", "partnerId": "P-1"}
    return risk_wire.operation(raw | fields, now=noon)


def spent(**fields: Any) -> Spent:
    return risk_wire.spent({"resourceId": CONTOSO, "totalCost": 5} | fields, now=noon)


def test_the_fraud_event_of_the_first_model(samples):
    (found,) = wire.page(
        sample(samples, "fraudEvents.list.base"), lambda raw: risk_wire.fraud_event(raw, now=noon)
    ).values
    assert found == VendorAlert(
        customer_id=CustomerId("a248da34-6840-4c67-82d7-7f55ccd50d03"),
        at=LONG_AGO,
        id="2a7064fb-1e33-4007-974e-352cb3f2c805_2edeb5b1-766f-4209-9271-3ddf27755afa",
        source=Source.FRAUD_EVENTS,
        type="",
        status="active",
        subscription_id=SubscriptionId("2a7064fb-1e33-4007-974e-352cb3f2c805"),
        name="sampleservice",
        first_at=LONG_AGO,
        hits=10,
        resources=("sampleresource",),
    )


def test_the_fraud_event_of_the_newer_model(samples):
    (raw,) = sample(samples, "fraudEvents.list.newModel")
    found = risk_wire.fraud_event(raw, now=noon)
    assert found.type == "NetworkConnectionsToCryptoMiningPools"
    assert (found.severity, found.confidence, found.is_test) == ("medium", "high", False)
    assert (found.name, found.description) == ("sample display name", "sample description.")
    assert found.resources == ("\\sample\\resource\\url",)


def test_the_security_alert(samples):
    (found,) = wire.graph_page(
        sample(samples, "graph.securityAlerts.list"), lambda raw: risk_wire.security_alert(raw, now=noon)
    ).values
    at = datetime(2024, 1, 23, 16, 3, 33, 50000, tzinfo=UTC)
    assert (found.source, found.id) == (Source.SECURITY_ALERTS, "d8b202fc-a216-3404-69ef-bdffa445eff6")
    assert (found.at, found.first_at, found.status) == (at, at, "active")
    assert (found.severity, found.confidence, found.is_test) == ("high", "medium", False)
    assert found.resources[0].endswith("/virtualMachines/vm-name")


def test_the_activity_log(samples):
    page = wire.page(
        sample(samples, "auditRecords.list.recorded"), lambda raw: risk_wire.operation(raw, now=noon)
    )
    assert page.broken == 0
    assert page.values[0] == Operation(
        customer_id=CONTOSO,
        at=datetime(2018, 7, 23, 17, 20, 43, 346652, tzinfo=UTC),
        id="ba358974-f825-4d5e-9d60-a62125c766c7_636679632433466529",
        operation="create_order",
        status="succeeded",
        by="jdoe@csppartner.onmicrosoft.com",
        resource="order Office 365 Enterprise E3",
    )
    assert [found.resource for found in page.values[1:]] == [
        "order Office 365 Enterprise E3",
        "subscription Azure",
    ]


def test_the_spend_of_an_azure_plan(samples):
    found = risk_wire.spent(sample(samples, "usageSummary.customer.azurePlan"), now=noon)
    assert found == Spent(
        customer_id=CustomerId("44908a11-641b-4c53-b7fc-0f2bfca8a581"),
        at=datetime(2019, 9, 18, 17, 9, 26, 160000, tzinfo=UTC),
        amount=Decimal("28.82860766744405"),
        currency="GBP",
        budget=Decimal(97),
    )


def test_the_spend_of_legacy_azure(samples):
    (found,) = wire.page(
        sample(samples, "usageRecords.subscriptions.legacyAzure"), lambda raw: risk_wire.spent(raw, now=noon)
    ).values
    assert (found.amount, found.currency, found.budget) == (Decimal("22.861172"), "EUR", None)


@pytest.mark.parametrize(
    ("said", "currency"),
    [
        pytest.param({"currencyCode": "usd"}, "USD", id="a code"),
        pytest.param({"currencyLocale": "fr-FR"}, "EUR", id="a locale"),
        pytest.param({"currencyLocale": "zh-CN"}, "CNY", id="a Chinese locale"),
        pytest.param({"currencyLocale": "EUR"}, "EUR", id="a code where a locale should be"),
        pytest.param({"currencyLocale": "fr"}, "", id="a language alone"),
        pytest.param({"currencyLocale": "es-PA"}, "", id="a country with two currencies"),
        pytest.param({"currencyLocale": "!!"}, "", id="nonsense"),
        pytest.param({}, "", id="nothing"),
    ],
)
def test_the_currency_of_spend(said, currency):
    assert spent(**said).currency == currency


@pytest.mark.parametrize(
    ("budget", "read"),
    [
        pytest.param({"amount": 97.5}, Decimal("97.5"), id="a budget"),
        pytest.param({"amount": "97.50"}, Decimal("97.50"), id="as text"),
        pytest.param({"amount": 0}, None, id="none at all"),
        pytest.param({"attributes": {}}, None, id="no amount"),
        pytest.param(None, None, id="missing"),
        pytest.param("lots", None, id="nonsense"),
    ],
)
def test_the_budget(budget, read):
    raw = json.loads(json.dumps({"budget": budget}), parse_float=Decimal)
    assert spent(**raw).budget == read


def test_spend_without_a_moment_is_of_now():
    assert [spent(lastModifiedDate=said).at for said in (None, "0001-01-01T00:00:00", "2090-01-01")] == [
        noon,
        noon,
        noon,
    ]


@pytest.mark.parametrize(
    ("line", "is_trial"),
    [
        pytest.param({"friendlyName": "Visio Plan 2 Trial"}, True, id="by its name"),
        pytest.param({"friendlyName": "Trialog Suite"}, False, id="a name that only begins so"),
        pytest.param({"friendlyName": "Visio Plan 2", "isTrial": "true"}, True, id="by a mark"),
        pytest.param({"friendlyName": "Visio Plan 2", "transactionType": "NewTrial"}, True, id="by its kind"),
        pytest.param({"friendlyName": "Visio Plan 2", "transactionType": "New"}, False, id="bought"),
    ],
)
def test_a_trial(line, is_trial):
    placed = order(lineItems=[line | {"quantity": 25}])
    assert placed is not None
    assert (placed.lines[0].is_trial, placed.quantity) == (is_trial, 0 if is_trial else 25)


def test_an_order():
    lines = [
        {"offerId": "CFQ7:0001:CFQ8", "friendlyName": "E5", "quantity": "400", "termDuration": "P1M"},
        {"offerId": "X", "quantity": None},
        "no line",
    ]
    assert order(
        lineItems=lines, status="completed", totalPrice="5000.10", currencyCode="USD"
    ) == OrderPlaced(
        customer_id=CONTOSO,
        at=datetime(2025, 3, 9, 10, tzinfo=UTC),
        order_id="O-1",
        lines=(OrderLine("E5", "CFQ7:0001:CFQ8", 400), OrderLine("X", "X", 0), OrderLine("", "", 0)),
        status="completed",
        total=Decimal("5000.10"),
        currency="USD",
    )


@pytest.mark.parametrize("by", ["SystemPurchase", "systembilling"])
def test_what_the_system_orders_nobody_placed(by):
    assert order(transactionType=by) is None


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"creationDate": None}, id="no moment"),
        pytest.param({"creationDate": "soon"}, id="no date"),
        pytest.param({"creationDate": "0001-01-01T00:00:00"}, id="never"),
        pytest.param({"creationDate": "2090-01-01T00:00:00Z"}, id="a day to come"),
        pytest.param({"id": None}, id="no id"),
    ],
)
def test_an_order_that_cannot_be_placed_in_time(said):
    with pytest.raises(Unreadable):
        order(**said)


def test_the_partners_own_operations_are_of_no_customer():
    assert [operation(customerId=said).customer_id for said in (None, "", "p-1", "C-1")] == [
        None,
        None,
        None,
        "c-1",
    ]


def test_a_record_without_an_id_has_one_by_its_content():
    one, same = operation(a=1, b=[Decimal("1.50")]), operation(b=[Decimal("1.50")], a=1)
    other = operation(a=2, b=[Decimal("1.50")])
    assert one.id == same.id
    assert one.id.startswith("content-")
    assert other.id != one.id
    assert operation(id="R-1", a=1).id == "R-1"


def test_what_failed_is_kept_and_an_unknown_word_is_as_it_came():
    failed = operation(operationStatus="failed", operationType="Brand-New: Thing")
    assert (failed.status, failed.operation) == ("failed", "Brand-New: Thing")
    assert operation(operationType="Add_Application_Credential").operation == "add_application_credential"


@pytest.mark.parametrize(
    ("said", "resource"),
    [
        pytest.param(
            {"resourceNewValue": '{"DisplayName": "Reporting"}'}, "Reporting", id="JSON in a string"
        ),
        pytest.param({"resourceNewValue": '{"DisplayName": "Repor'}, "", id="broken JSON in a string"),
        pytest.param({"resourceNewValue": "x", "resourceOldValue": '{"id": "7"}'}, "7", id="the older one"),
        pytest.param({"resourceNewValue": {"name": "N"}}, "N", id="no string at all"),
        pytest.param({"customizedData": "x", "resourceNewValue": "[1]"}, "", id="nothing one can read"),
        pytest.param(
            {"customizedData": [None, 7, {"key": "OrderId", "value": "O-9"}]}, "O-9", id="pairs, some odd"
        ),
    ],
)
def test_what_an_operation_was_about(said, resource):
    assert operation(**said).resource == resource
    assert operation(resourceType="order", **said).resource == f"order {resource}".strip()


def test_who_did_it():
    assert operation(applicationId="A-1").by == "application A-1"
    assert operation(applicationId="A-1", userPrincipalName="jo@x.example").by == "jo@x.example"


@pytest.mark.parametrize(
    ("said", "is_test"),
    [
        pytest.param({"IsTest": "true"}, True, id="a word"),
        pytest.param({"isTest": True}, True, id="a truth"),
        pytest.param({"IsTest": "false"}, False, id="the other word"),
        pytest.param({"IsTest": "perhaps"}, False, id="nonsense"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_test(said, is_test):
    assert event(**said).is_test is is_test


def test_the_moments_of_an_event():
    nine = "9999-12-31T23:59:59.9970000"
    seen = event(
        firstObserved=nine,
        lastObserved=nine,
        firstOccurrence="2025-03-01T00:00:00",
        lastOccurrence="2025-03-02T00:00:00",
    )
    assert (seen.first_at, seen.at) == (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))
    unknown = event(eventTime="not yet", lastOccurrence="2090-01-01T00:00:00")
    assert (unknown.first_at, unknown.at) == (None, noon)


def test_an_event_of_a_kind_nobody_knows_without_most_of_its_fields_is_kept():
    found = risk_wire.fraud_event({"EventType": "SomethingNew", "severity": "Catastrophic!"}, now=noon)
    assert (found.type, found.severity, found.customer_id) == ("SomethingNew", "Catastrophic!", "")
    assert found.id.startswith("content-")


def test_an_event_without_an_id_stays_the_same_while_it_goes_on():
    raw = {"customerTenantId": CONTOSO, "eventType": "T", "eventTime": "2025-03-01T00:00:00"}
    first = risk_wire.fraud_event(raw | {"hitCount": "1", "eventStatus": "Active"}, now=noon)
    later = risk_wire.fraud_event(raw | {"hitCount": "9", "eventStatus": "Resolved"}, now=noon)
    assert first.key == later.key


@pytest.mark.parametrize(
    ("said", "resources"),
    [
        pytest.param([], (), id="none"),
        pytest.param('[{"azureResourceId": "a"}]', ("a",), id="JSON in a string"),
        pytest.param('[{"azureResourceId": "a"', (), id="broken JSON in a string"),
        pytest.param(
            [{"azureResourceId": " a "}, {"resourceId": "b"}, "c", None, 1, "c"],
            ("a", "b", "c", "1"),
            id="odd",
        ),
        pytest.param({"azureResourceId": "a"}, (), id="no list"),
    ],
)
def test_the_resources_of_an_event(said, resources):
    assert event(affectedResources=said).resources == resources


@pytest.mark.parametrize("said", ["many", "-3", "1e999999999", 10**40, None, True])
def test_hits_that_are_no_count_are_one(said):
    assert event(hitCount=said).hits == 1


@pytest.mark.parametrize("raw", [None, 7, "text", [1], True])
def test_what_is_no_object_is_unreadable(raw):
    for read in (risk_wire.fraud_event, risk_wire.security_alert, risk_wire.operation, risk_wire.spent):
        with pytest.raises(Unreadable):
            read(raw, now=noon)
    with pytest.raises(Unreadable):
        risk_wire.order(raw, customer=CONTOSO, now=noon)
