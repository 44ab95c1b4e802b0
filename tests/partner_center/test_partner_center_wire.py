"""JSON ⇄ domain where the recordings end."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.customer import CustomerId, SubscriptionId, SubscriptionKind, SubscriptionStatus
from bot.domain.letter import BillingContact
from bot.partner_center import fields, wire
from bot.partner_center.fields import Unreadable, decode, encode
from bot.partner_center.wire import AzureEntitlement, Resource, StatusRecord

CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")
GUID = "BD938F12-058F-4927-BBA3-AE36B1D2501C"
SEAT = SubscriptionId("b34024c7-9258-4841-bd0b-1e2a5d5c9d8d")


def read(**raw: Any) -> Any:
    return wire.subscription({"id": SEAT} | raw, customer=CONTOSO)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        pytest.param(
            {"billingType": "license", "offerId": GUID}, SubscriptionKind.LEGACY_SEAT, id="legacy seat"
        ),
        pytest.param(
            {"billingType": "usage", "offerId": "MS-AZR-0146P"},
            SubscriptionKind.LEGACY_AZURE,
            id="legacy Azure",
        ),
        pytest.param(
            {"offerId": "ms-azr-usgov-0145p"}, SubscriptionKind.LEGACY_AZURE, id="legacy Azure, government"
        ),
        pytest.param(
            {"billingType": "license", "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0KBJ4", "termDuration": "P1Y"},
            SubscriptionKind.NEW_COMMERCE_SEAT,
            id="new-commerce seat",
        ),
        pytest.param(
            {"billingType": "usage", "offerName": "Azure plan"},
            SubscriptionKind.AZURE_PLAN,
            id="Azure plan by name",
        ),
        pytest.param(
            {"offerId": "DZH318Z0BPS6:0001:DZH318Z0BP8B"},
            SubscriptionKind.AZURE_PLAN,
            id="Azure plan by product",
        ),
        pytest.param(
            {
                "isMicrosoftProduct": "False",
                "billingType": "license",
                "offerId": "a:b:c",
                "termDuration": "P1M",
            },
            SubscriptionKind.MARKETPLACE,
            id="marketplace, said as text",
        ),
        pytest.param(
            {"productType": {"id": "Software"}, "billingType": "license", "offerId": GUID},
            SubscriptionKind.SOFTWARE,
            id="software",
        ),
        pytest.param(
            {"productType": {"id": "VirtualMachineReservedInstance"}},
            SubscriptionKind.SOFTWARE,
            id="reserved instance",
        ),
        pytest.param(
            {"billingType": "benefit", "offerId": GUID},
            SubscriptionKind.UNKNOWN,
            id="a billing type nobody described",
        ),
        pytest.param(
            {"billingType": "license", "offerId": "a:b:c"},
            SubscriptionKind.UNKNOWN,
            id="new commerce without a term",
        ),
        pytest.param({}, SubscriptionKind.UNKNOWN, id="nothing but an id"),
    ],
)
def test_the_kind_is_known_by_its_marks(raw, kind):
    assert read(**raw).kind is kind


def test_an_offer_that_fits_no_form_is_of_unknown_kind():
    assert read(billingType="license", offerId="NOT-A-GUID").kind is SubscriptionKind.UNKNOWN


@pytest.mark.parametrize(
    ("word", "status", "shown"),
    [
        pytest.param("Active", SubscriptionStatus.ACTIVE, "Active", id="in title case"),
        pytest.param("disabled", SubscriptionStatus.DISABLED, "disabled", id="missing in strict clients"),
        pytest.param("on_holiday", SubscriptionStatus.UNKNOWN, "on_holiday", id="a word nobody knows"),
        pytest.param(2, SubscriptionStatus.UNKNOWN, "2", id="a number, whose meaning is nowhere stated"),
        pytest.param(None, SubscriptionStatus.UNKNOWN, "", id="nothing"),
    ],
)
def test_the_status_is_kept_as_it_came(word, status, shown):
    subscription = read(status=word)
    assert (subscription.status, subscription.status_word) == (status, shown)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2019-01-04T01:00:12Z", datetime(2019, 1, 4, 1, 0, 12, tzinfo=UTC), id="in UTC"),
        pytest.param("2019-01-04T01:00:12", datetime(2019, 1, 4, 1, 0, 12, tzinfo=UTC), id="without a zone"),
        pytest.param(
            "2019-01-04T01:00:12.6647304+05:30",
            datetime(2019, 1, 3, 19, 30, 12, 664730, tzinfo=UTC),
            id="seven digits, and an offset",
        ),
        pytest.param("0001-01-01T00:00:00", None, id="never"),
        pytest.param("9999-12-31T23:59:59.9970000-08:00", None, id="no end"),
        pytest.param("soon", None, id="no date"),
        pytest.param(20190104, None, id="a number"),
    ],
)
def test_dates(text, moment):
    assert fields.moment(text) == moment


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param("-87993.07", Decimal("-87993.07"), id="a credit, as text"),
        pytest.param(3, Decimal(3), id="a number"),
        pytest.param("NaN", None, id="not a number"),
        pytest.param(True, None, id="a truth"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_numbers(value, number):
    assert fields.number(value) == number


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b'{"a": NaN}', id="not a number"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b'{"a": ' + b"9" * 10_000 + b"}", id="too long a number"),
        pytest.param(b'{"a": 1e99999999999999999999}', id="too large a number"),
    ],
)
def test_what_is_not_json_is_unreadable(body):
    with pytest.raises(Unreadable):
        decode(body)


def test_names_can_be_stored_and_shown():
    assert read(friendlyName="Caf\u00e9\0\ud800 北京").name == "Café? 北京"


def test_one_broken_item_does_not_spoil_a_list():
    page = wire.page({"items": [{"id": "A"}, None, {"name": "no id"}, 7, {"id": "B"}]}, wire.customer)
    assert ([customer.id for customer in page.values], page.broken) == (["a", "b"], 3)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="nothing"),
        pytest.param({}, id="an empty object"),
        pytest.param("x", id="a text"),
    ],
)
def test_what_is_no_list_does_not_look_like_an_empty_one(raw):
    with pytest.raises(Unreadable):
        wire.page(raw, wire.customer)


def test_a_continuation_token_may_stand_in_the_body():
    raw = {"items": [], "continuationToken": "t", "links": {"next": {"uri": "/customers"}}}
    assert wire.page(raw, wire.customer).continuation_token == "t"


def resource(**raw: Any) -> Resource:
    return Resource.read({"id": SEAT, "status": "active"} | raw, customer=CONTOSO, id=SEAT)


def test_a_write_sends_everything_back_but_the_links():
    raw = decode(
        b'{"Id": "B34024C7-9258-4841-BD0B-1E2A5D5C9D8D", "Status": "active", "Price": 0.10000000000000000001,'
        b' "NobodyKnows": {"x": null}, "Links": {"self": {}}, "Attributes": {"Etag": "e"}}'
    )
    body = Resource.read(raw, customer=CONTOSO, id=SEAT).with_status(SubscriptionStatus.SUSPENDED)
    assert body == (
        b'{"Id":"B34024C7-9258-4841-BD0B-1E2A5D5C9D8D","Status":"suspended","Price":0.10000000000000000001,'
        b'"NobodyKnows":{"x":null},"Attributes":{"Etag":"e"}}'
    )


@pytest.mark.parametrize(
    ("etag", "header"),
    [
        pytest.param("eyJpZCI6", '"eyJpZCI6"', id="quoted"),
        pytest.param('"eyJpZCI6"', '"eyJpZCI6"', id="not twice"),
        pytest.param('W/"1"', 'W/"1"', id="weak"),
        pytest.param("-4242348048554929329", '"-4242348048554929329"', id="digits"),
        pytest.param("", None, id="empty, as in new commerce"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_the_etag_is_quoted(etag, header):
    assert resource(attributes={"etag": etag}).if_match == header


@pytest.mark.parametrize(
    ("now", "differs"),
    [
        pytest.param({"quantity": 48, "attributes": {"etag": "2"}}, False, id="a new etag only"),
        pytest.param({"Quantity": 48, "partnerId": None}, False, id="other case, null for absent"),
        pytest.param({"quantity": 48, "links": {}}, False, id="links"),
        pytest.param({"quantity": 49}, True, id="the quantity"),
        pytest.param({"quantity": 48, "new": 1}, True, id="a field more"),
    ],
)
def test_what_counts_as_a_change(now, differs):
    assert resource(**now).differs_from(resource(quantity=48, attributes={"etag": "1"})) is differs


def test_an_answer_about_another_subscription_is_refused():
    with pytest.raises(Unreadable):
        Resource.read({"id": "another", "status": "active"}, customer=CONTOSO, id=SEAT)


@pytest.mark.parametrize(
    ("status", "active"), [("active", True), ("Active", True), ("inactive", False), ("deleted", False)]
)
def test_an_azure_subscription_is_active_whatever_the_case(status, active):
    assert AzureEntitlement("e", "Web shop", status).is_active is active


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"id": "another", "status": "inactive"}, id="another"),
        pytest.param({"id": "E-1"}, id="one without a status"),
        pytest.param({}, id="none at all"),
    ],
)
def test_an_azure_subscription_that_was_asked_for_is_not_mistaken_for(raw):
    with pytest.raises(Unreadable):
        wire.one_azure_entitlement(raw, id="e-1")


def told(**pairs: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in pairs.items()]


def a_record(**fields: Any) -> dict[str, Any]:
    return {
        "customerId": CONTOSO.upper(),
        "operationType": "update_subscription",
        "operationStatus": "succeeded",
        "operationDate": "2025-03-01T08:15:30.1234567Z",
        "customizedData": told(SubscriptionId=SEAT.upper(), Status="Suspended"),
    } | fields


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({}, SubscriptionStatus.SUSPENDED, id="a suspension"),
        pytest.param(
            {"customizedData": told(SubscriptionId=SEAT, Status="Active")},
            SubscriptionStatus.ACTIVE,
            id="a resumption",
        ),
        pytest.param(
            {
                "operationType": "Update_Subscription",
                "operationStatus": "Succeeded",
                "customizedData": [
                    {"Key": "SUBSCRIPTIONID", "Value": SEAT},
                    {"Key": "status", "Value": "SUSPENDED"},
                    {"Key": "PartnerOnRecord", "Value": None},
                ],
            },
            SubscriptionStatus.SUSPENDED,
            id="words in another case",
        ),
        pytest.param({"customerId": None}, SubscriptionStatus.SUSPENDED, id="one that does not say whose"),
    ],
)
def test_a_record_of_the_activity_log_counts(fields, status):
    at = datetime(2025, 3, 1, 8, 15, 30, 123456, tzinfo=UTC)
    assert wire.status_record(a_record(**fields), customer=CONTOSO) == StatusRecord(SEAT, status, at)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(a_record(operationType="create_order"), id="an order"),
        pytest.param(a_record(operationStatus="failed"), id="what failed"),
        pytest.param(a_record(operationStatus="progress"), id="what goes on still"),
        pytest.param(a_record(customerId="another"), id="what somebody else did"),
        pytest.param(a_record(customizedData=None), id="one that tells nothing"),
        pytest.param(a_record(customizedData=told(SubscriptionId=SEAT)), id="one without a status"),
        pytest.param(
            a_record(customizedData=told(SubscriptionId=SEAT, Status="Deleted")), id="another status"
        ),
        pytest.param({}, id="an empty one"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_record_of_the_activity_log_says_nothing_when_it_is(raw):
    assert wire.status_record(raw, customer=CONTOSO) is None


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(a_record(customizedData=told(Status="Suspended")), id="of nobody knows what"),
        pytest.param(a_record(operationDate="soon"), id="nobody knows when"),
        pytest.param(a_record(operationDate=None), id="at no time"),
    ],
)
def test_a_status_is_unreadable(raw):
    with pytest.raises(Unreadable):
        wire.status_record(raw, customer=CONTOSO)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["status", "quantity", "productType", "suspensionReasons", "commitmentEndDate", "isTrial", "offerId"]


@settings(deadline=None)
@given(JSON)
def test_json_survives_the_way_there_and_back(value):
    assert encode(decode(encode(value))) == encode(value)


RECORDED = ["operationType", "operationStatus", "operationDate", "customizedData", "customerId"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(RECORDED), JSON))
def test_no_field_makes_a_record_more_than_unreadable(raw):
    with suppress(Unreadable):
        wire.status_record(a_record(**raw), customer=CONTOSO)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_no_field_makes_a_subscription_unreadable(raw):
    assert read(**raw).id == SEAT


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({}, BillingContact(), id="without delegated rights"),
        pytest.param(
            {"Email": "a@b.example", "FirstName": "Mei", "culture": "zh-CN", "language": "zh"},
            BillingContact("a@b.example", "Mei", None, "zh-CN"),
            id="the culture says more than the language",
        ),
        pytest.param({"language": "de"}, BillingContact(language="de"), id="language alone"),
    ],
)
def test_a_billing_contact_may_lack_anything(raw, expected):
    assert wire.billing_contact(raw) == expected


def test_what_is_no_billing_profile_is_unreadable():
    with pytest.raises(Unreadable):
        wire.billing_contact([])
