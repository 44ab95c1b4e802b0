"""Everything Microsoft published or a public project recorded can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.customer import (
    Cloud,
    Customer,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.partner_center import fields, wire
from bot.partner_center.cloud import hosts_of
from bot.partner_center.fields import Fields, decode, encode
from bot.partner_center.wire import AzureEntitlement, StatusRecord

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "partner_center").glob("*.json"))
HOSTS = hosts_of(Cloud.GLOBAL)
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)

DATE = re.compile(r"\d{4}-\d{2}-\d{2}T")
MONEY = {
    "balanceamount",
    "lastpaymentamount",
    "totalcharges",
    "paidamount",
    "pretaxtotal",
    "tax",
    "aftertaxtotal",
}
MONEY |= {
    "totalcost",
    "usdtotalcost",
    "amount",
    "usagespendingbudget",
    "unitprice",
    "subtotal",
    "totalforcustomer",
}
TRUTHS = {"istest", "istrial", "autorenewenabled", "allowdelegatedaccess", "ismicrosoftproduct"}


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def pairs(sample: Path) -> Iterator[tuple[str, Any]]:
    return ((key, value) for found in walk(decode(sample.read_bytes())) for key, value in found.items())


def test_every_sample_has_its_origin_stated():
    readme = (SAMPLES[0].parent / "README.md").read_text("utf-8")
    assert [sample.name for sample in SAMPLES if f"| `{sample.name}` |" not in readme] == []


@every_sample
def test_is_decoded_with_or_without_a_byte_order_mark(sample):
    bare = sample.read_bytes().removeprefix(b"\xef\xbb\xbf")
    assert decode(bare) == decode(b"\xef\xbb\xbf" + bare)


@every_sample
def test_is_written_back_number_for_number(sample):
    value = decode(sample.read_bytes())
    assert decode(encode(value)) == value
    assert numbers(encode(value)) == numbers(sample.read_bytes())


def numbers(body: bytes) -> list[str]:
    seen: list[str] = []
    json.loads(body.decode("utf-8-sig"), parse_float=seen.append, parse_int=seen.append)
    return seen


@every_sample
def test_keys_are_found_in_any_case(sample):
    for found in walk(decode(sample.read_bytes())):
        for key, value in found.items():
            assert Fields(found).raw(key.upper()) == Fields(found).raw(key.lower()) == value


@every_sample
def test_every_date_is_a_moment_in_utc_or_a_sentinel(sample):
    for key, value in pairs(sample):
        if isinstance(value, str) and DATE.match(value):
            read = fields.moment(value)
            assert read is None or read.tzinfo is UTC
            assert (read is None) == value.startswith(("0001", "9999")), f"{key}: {value}"


@every_sample
def test_every_amount_is_exact(sample):
    for key, value in pairs(sample):
        if key.lower() in MONEY:
            assert fields.number(value) == Decimal(str(value)), key


@every_sample
def test_every_truth_is_true_or_false(sample):
    assert [key for key, v in pairs(sample) if key.lower() in TRUTHS and fields.truth(v) is None] == []


@every_sample
def test_every_link_stays_at_home_or_is_refused(sample):
    for key, uri in pairs(sample):
        if key.lower() != "uri":
            continue
        if uri.startswith("https://portal.office.com/"):
            with pytest.raises(ValueError, match="another host"):
                HOSTS.resolve(uri)
        else:
            url = HOSTS.resolve(uri)
            assert url.startswith("https://api.partnercenter.microsoft.com/v1/")
            assert url.count("?") <= 1
            assert "/v1/v1/" not in url


@every_sample
def test_json_inside_text_is_json(sample):
    for key, value in pairs(sample):
        if key in {"resourceNewValue", "resourceOldValue", "activityLogs"} and isinstance(value, str):
            assert list(walk(decode(value.encode())))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("auditRecords.list.recorded", 3, id="more items than totalCount says"),
        pytest.param("fraudEvents.list.base", 1, id="a bare array"),
        pytest.param("usageRecords.subscriptions.legacyAzure", 1, id="a collection"),
        pytest.param("managedServices.recorded", 2, id="a collection that does not say so"),
    ],
)
def test_lists_come_in_several_shapes(samples, name, count):
    page = wire.page(decode((samples / f"{name}.json").read_bytes()), lambda raw: raw)
    assert (len(page.values), page.has_next) == (count, False)


def test_a_seek_page_names_its_token_and_its_malformed_link_is_repaired(samples):
    page = wire.page(decode((samples / "invoice.lineItems.seekPage.json").read_bytes()), lambda raw: raw)
    assert page.has_next
    assert page.continuation_token is not None
    assert page.continuation_token.startswith("d19617b8-fbe5-4684-a5d8-0230972fb0cf,")
    assert page.next_uri is not None
    assert HOSTS.resolve(page.next_uri).endswith("&size=2&seekOperation=Next")


def test_what_has_no_id_is_left_out_and_counted(samples):
    page = wire.page(
        decode((samples / "entitlements.list.recorded.json").read_bytes()), wire.azure_entitlement
    )
    assert (page.values, page.broken) == ((), 1)


def a_customer(id: str, name: str, domain: str) -> Customer:
    return Customer(CustomerId(id), name, domain, "reseller")


@pytest.mark.parametrize(
    ("name", "customers"),
    [
        pytest.param(
            "customers.list",
            [
                a_customer("b44bb1fb-c595-45b0-9e09-d657365580bf", "companyName", "domain"),
                a_customer("45c44870-ef77-4fdd-b6fe-3dacb075cff2", "companyName", "domain"),
            ],
            id="a list",
        ),
        pytest.param(
            "customers.search",
            [
                a_customer(
                    "c5757d70-06f3-4f23-8367-5a9e55019f94", "Contoso190", "contoso190.onmicrosoft.com"
                ),
                a_customer(
                    "7b26b357-9ca3-48b8-a58e-4febe2662a5d", "Contoso", "ContosoCorpCo.onmicrosoft.com"
                ),
                a_customer(
                    "bfbd6ef0-311f-47ec-bbd7-0fcb7846661b", "Contoso", "contosocorpdemo.onmicrosoft.com"
                ),
            ],
            id="two of one name, told apart by domain",
        ),
    ],
)
def test_customers(samples, name, customers):
    assert list(wire.page(decode((samples / f"{name}.json").read_bytes()), wire.customer).values) == customers


def test_a_customer(samples):
    assert wire.customer(decode((samples / "customer.get.json").read_bytes())) == a_customer(
        "eebd1b55-5360-4438-a11d-5c06918c3014", "1kl as kjk", "abcdefgh1234.ccsctp.net"
    )


CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


LEGACY_AZURE = Subscription(
    id=SubscriptionId("4f26a5ca-c468-4715-8fc5-a14f28bcc29b"),
    customer_id=CONTOSO,
    name="Microsoft Azure",
    status=SubscriptionStatus.ACTIVE,
    status_word="active",
    kind=SubscriptionKind.LEGACY_AZURE,
    offer_id="MS-AZR-0145P",
    quantity=1,
    unit="Usage-based",
    auto_renew=False,
    order_id="89BABBF2-AFBB-42C6-82F9-FCD14668304D",
)
SUSPENDED_SEAT = Subscription(
    id=SubscriptionId("b34024c7-9258-4841-bd0b-1e2a5d5c9d8d"),
    customer_id=CONTOSO,
    name="Office 365 Business Essentials",
    status=SubscriptionStatus.SUSPENDED,
    status_word="suspended",
    kind=SubscriptionKind.LEGACY_SEAT,
    offer_id="BD938F12-058F-4927-BBA3-AE36B1D2501C",
    quantity=1,
    unit="Licenses",
    term_end=utc(2019, 3, 26),
    suspension_reasons=("CustomerCancellation",),
    auto_renew=True,
    order_id="06035D39-E52A-4B00-A0B4-4D2EB96E131B",
)
LEGACY_SEAT = Subscription(
    id=SubscriptionId("42226ed6-070a-4e0f-b80c-4cdfb3e97aa7"),
    customer_id=CONTOSO,
    name="new offer purchase",
    status=SubscriptionStatus.ACTIVE,
    status_word="active",
    kind=SubscriptionKind.LEGACY_SEAT,
    offer_id="DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
    quantity=5,
    unit="Licenses",
    term_end=utc(2018, 5, 7),
    auto_renew=True,
    order_id="3EDDCAC6-63B2-4C40-B0B6-F47E18301492",
    mpn_id="4847383",
)
MARKETPLACE = Subscription(
    id=SubscriptionId("6e7aa601-629e-461b-8933-0898c3cc3c7c"),
    customer_id=CONTOSO,
    name="friendly Name",
    status=SubscriptionStatus.ACTIVE,
    status_word="active",
    kind=SubscriptionKind.MARKETPLACE,
    offer_id="DZH318Z0BXWC:0001:DZH318Z0BMJX",
    quantity=1,
    unit="License(s)",
    term="P1M",
    term_end=utc(2019, 2, 8, 0, 21, 45, 926372),
    auto_renew=False,
    order_id="ImxjLNL4_fOc-2KoyOxGTZcrlIquzls11",
    publisher="publishe rName",
)
PASCAL = Subscription(
    id=SubscriptionId("83ef9d05-4169-4ef9-9657-0e86b1eab1de"),
    customer_id=CONTOSO,
    name="nickname",
    status=SubscriptionStatus.SUSPENDED,
    status_word="suspended",
    kind=SubscriptionKind.UNKNOWN,
    quantity=2,
    unit="none",
    term_end=utc(2016, 12, 12, 8),
    auto_renew=False,
    order_id="6183db3d-6318-4e52-877e-25806e4971be",
)


@pytest.mark.parametrize(
    ("name", "subscriptions"),
    [
        pytest.param("subscriptions.list.recorded", [LEGACY_AZURE, SUSPENDED_SEAT], id="a recorded list"),
        pytest.param("subscriptions.list.seat-legacy", [LEGACY_SEAT], id="a published list"),
    ],
)
def test_subscriptions(samples, name, subscriptions):
    page = wire.page(
        decode((samples / f"{name}.json").read_bytes()), lambda raw: wire.subscription(raw, customer=CONTOSO)
    )
    assert (list(page.values), page.broken) == (subscriptions, 0)


@pytest.mark.parametrize(
    ("name", "subscription"),
    [
        pytest.param("subscription.patch-suspended.response.pascal", PASCAL, id="keys in PascalCase"),
        pytest.param("subscription.patch-suspend.request", PASCAL, id="as it is sent"),
        pytest.param("subscription.patch.newcommerce-saas", MARKETPLACE, id="an offer of the marketplace"),
    ],
)
def test_a_subscription(samples, name, subscription):
    assert (
        wire.subscription(decode((samples / f"{name}.json").read_bytes()), customer=CONTOSO) == subscription
    )


def test_the_azure_subscriptions_of_a_plan(samples):
    page = wire.page(decode((samples / "azureEntitlements.list.json").read_bytes()), wire.azure_entitlement)
    assert page.values == (
        AzureEntitlement("899ae6f1-8a74-4d5e-b6c6-e6b5019bbff8", "Microsoft Azure", "active"),
    )


def test_the_activity_log_tells_of_the_status_of_the_one_update(samples):
    """Two orders, which tell of none, and an update; `totalCount` says there are two records."""
    page = wire.page(
        decode((samples / "auditRecords.list.recorded.json").read_bytes()),
        lambda raw: wire.status_record(raw, customer=CONTOSO),
    )
    at = utc(2018, 7, 23, 19, 1, 26, 3921)
    updated = SubscriptionId("58968085-83c6-49c1-b91a-7cfa117df168")
    assert page.values == (None, None, StatusRecord(updated, SubscriptionStatus.ACTIVE, at))
    assert page.broken == 0


def test_a_billing_contact(samples):
    found = wire.billing_contact(decode((samples / "customer.billingProfile.json").read_bytes()))
    assert (found.email, found.name, found.language) == ("email@sample.com", "FirstName LastName", "en-US")
