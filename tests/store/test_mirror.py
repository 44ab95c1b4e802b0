"""The mirror finds customers as people type them, and forgets those a complete read no longer shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.customer import Customer, CustomerId, SubscriptionId, SubscriptionKind, SubscriptionStatus
from bot.store import Store
from tests.builders import CONTOSO, HOUR, a_customer, a_subscription, noon


def named(name: str, domain: str | None = None) -> Customer:
    return a_customer(id=CustomerId(f"id-of-{name.lower()}"), name=name, domain=domain)


DIRECTORY = [
    a_customer(),
    named("Müller & Söhne Maschinenbau GmbH", "mueller-soehne.onmicrosoft.com"),
    named("北京云杉科技有限公司", "yunshan.partner.onmschina.cn"),
    named("さくら商事株式会社", "sakura-shoji.onmicrosoft.com"),
    named("Северный Ветер", "severnyveter.onmicrosoft.com"),
    named("Großhandel Straße AG", "grosshandel.example"),
    named("100% Recycled", "recycled.example"),
    named("1000 Recycled Things", "things.example"),
    named("a_b Systems", "a-b.example"),
    named("axb Systems", "axb.example"),
    named("c/d Partners", None),
    named('The "Very" Best', "best.example"),
    named("Near OR Far*", "far.example"),
    named("Fourth Coffee", "fourthcoffee.onmicrosoft.com"),
    named("Coffee Fourth", "contoso-coffee.example"),
]


async def find(store: Store, words: str, **limit: int) -> list[str]:
    async with store.begin() as tx:
        await tx.mirror.put_customers(DIRECTORY, at=noon)
        return [c.name for c in await tx.mirror.find(words, **limit)]


FOUND_BY = [
    pytest.param("Contoso Ltd", ["Contoso Ltd"], id="the very name"),
    pytest.param("cOnToSo lTd", ["Contoso Ltd"], id="in any case"),
    pytest.param("  contoso ltd ", ["Contoso Ltd"], id="with spaces around"),
    pytest.param("muller", ["Müller & Söhne Maschinenbau GmbH"], id="without its accents"),
    pytest.param("MÜLLER", ["Müller & Söhne Maschinenbau GmbH"], id="with its accents, in capitals"),
    pytest.param("Mu\u0308ller", ["Müller & Söhne Maschinenbau GmbH"], id="accents typed apart"),
    pytest.param("strasse", ["Großhandel Straße AG"], id="ss for ß"),
    pytest.param("GROSSHANDEL", ["Großhandel Straße AG"], id="ß in capitals"),
    pytest.param("云杉", ["北京云杉科技有限公司"], id="part of a Chinese name"),
    pytest.param("さくら", ["さくら商事株式会社"], id="the beginning of a Japanese name"),
    pytest.param("ВЕТЕР", ["Северный Ветер"], id="Cyrillic in capitals"),
    pytest.param("ｃｏｎｔｏｓｏ ｌｔｄ", ["Contoso Ltd"], id="full-width letters"),
    pytest.param("yunshan.partner", ["北京云杉科技有限公司"], id="part of a domain"),
    pytest.param("-soehne", ["Müller & Söhne Maschinenbau GmbH"], id="the middle of a domain"),
    pytest.param(CONTOSO, ["Contoso Ltd"], id="the tenant id"),
    pytest.param(CONTOSO.upper(), ["Contoso Ltd"], id="the tenant id in capitals"),
    pytest.param("söhne gmbh", ["Müller & Söhne Maschinenbau GmbH"], id="words that are apart"),
    pytest.param("fourth", ["Fourth Coffee", "Coffee Fourth"], id="those that begin so first"),
    pytest.param("100%", ["100% Recycled"], id="a percent sign is a percent sign"),
    pytest.param("a_b", ["a_b Systems"], id="an underscore is an underscore"),
    pytest.param("%", ["100% Recycled"], id="a percent sign alone"),
    pytest.param("_", ["a_b Systems"], id="an underscore alone"),
    pytest.param("c/d", ["c/d Partners"], id="a slash is a slash"),
    pytest.param("\\", [], id="a backslash"),
    pytest.param("云", ["北京云杉科技有限公司"], id="one Chinese character"),
    pytest.param("公司", ["北京云杉科技有限公司"], id="the end of a Chinese name"),
    pytest.param("会社", ["さくら商事株式会社"], id="the end of a Japanese name"),
    pytest.param('"very"', ['The "Very" Best'], id="quotes are quotes"),
    pytest.param('"', ['The "Very" Best'], id="a quote alone"),
    pytest.param('"contoso', [], id="a quote that is not closed"),
    pytest.param("far*", ["Near OR Far*"], id="a star is a star"),
    pytest.param("cont*", [], id="and no wild card"),
    pytest.param("near or", ["Near OR Far*"], id="operators are words"),
    pytest.param("contoso OR coffee", [], id="and have to be there"),
    pytest.param("contoso NOT ltd", [], id="NOT is a word"),
    pytest.param("NEAR(contoso ltd)", [], id="brackets are brackets"),
    pytest.param("^contoso", [], id="a caret"),
    pytest.param("folded:contoso", [], id="a column of ours"),
    pytest.param("-contoso", [], id="a minus"),
    pytest.param("contoso\0", [], id="what no database takes"),
    pytest.param("contoso\ud800", [], id="half a character"),
    pytest.param("contoso " * 10_000, [], id="without end"),
    pytest.param("' OR 1=1 --", [], id="an apostrophe"),
    pytest.param("northwind", [], id="nobody"),
]


class TestOnSqlite:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize(("words", "found"), FOUND_BY)
    async def test_found_by(self, store: Store, words: str, found: list[str]):
        assert await find(store, words) == found


async def test_both_databases_find_the_same(store: Store):
    found = [await find(store, str(row.values[0])) for row in FOUND_BY]
    assert found == [row.values[1] for row in FOUND_BY]


async def test_no_more_than_asked_for(store: Store):
    assert len(await find(store, "", limit=3)) == 3


async def test_a_short_number_in_a_name_is_not_found_in_somebody_elses_id(store: Store):
    other = a_customer(
        id=CustomerId("9a400123-2222-4333-8444-555555555555"), name="Other", domain="o.example"
    )
    meant = a_customer(name="Customer 00123", domain="c.example")
    async with store.begin() as tx:
        await tx.mirror.put_customers([other, meant], at=noon)
        assert await tx.mirror.find("customer 00123") == [meant]
        assert await tx.mirror.find("00123") == [meant]
        assert await tx.mirror.find("9a400123") == [other]


async def test_those_asked_for_by_id_who_are_known_however_many_are_asked_for(store: Store):
    known = [a_customer(id=CustomerId(f"{n:04}"), name=f"Customer {n}") for n in range(1000)]
    async with store.begin() as tx:
        await tx.mirror.put_customers(known, at=noon)
        assert await tx.mirror.customers_of(f"{n:04}" for n in range(5, 1500)) == known[5:]
        assert await tx.mirror.customers_of([]) == []
        await tx.mirror.put_customers([a_customer()], at=noon)
        assert await tx.mirror.customers_of([CONTOSO.upper(), CONTOSO]) == [a_customer()]


async def test_a_customer_read_again_is_replaced(store: Store):
    renamed = a_customer(name="Contoso International")
    async with store.begin() as tx:
        await tx.mirror.put_customers([a_customer()], at=noon)
        await tx.mirror.put_customers([renamed], at=noon + HOUR)
        assert await tx.mirror.all_customers() == [renamed]


async def test_what_a_complete_read_no_longer_shows_is_forgotten_with_its_subscriptions(store: Store):
    gone = named("Tailspin Toys")
    theirs = a_subscription(customer_id=gone.id)
    async with store.begin() as tx:
        await tx.mirror.put_customers([a_customer(), gone], at=noon)
        await tx.mirror.put_subscriptions(gone.id, [theirs], at=noon)
        await tx.mirror.put_subscriptions(CONTOSO, [a_subscription(id=SubscriptionId("s2"))], at=noon)
        await tx.mirror.put_customers([a_customer()], at=noon + HOUR)
        assert await tx.crawl.forget_older(noon + HOUR, most=9) == 1
        assert await tx.mirror.sizes() == (1, 1)
        assert await tx.mirror.subscription(theirs.id) is None


async def test_a_subscription_comes_back_as_it_was_read(store: Store):
    read = a_subscription(
        status=SubscriptionStatus.UNKNOWN,
        status_word="pendingTransfer",
        kind=SubscriptionKind.NEW_COMMERCE_SEAT,
        offer_id="CFQ7TTC0LH18:0001",
        unit="Licenses",
        is_trial=True,
        parent_id=SubscriptionId("base"),
        term="P1Y",
        term_end=datetime(2027, 5, 1, 23, 59, 59, 999000, tzinfo=UTC),
        suspension_reasons=("CustomerCancellation",),
        auto_renew=False,
        order_id="o1",
        publisher="発行者",
    )
    async with store.begin() as tx:
        await tx.mirror.put_subscription(read, at=noon)
        await tx.mirror.put_subscription(replace(read, quantity=1), at=noon + HOUR)
        assert await tx.mirror.subscriptions_of(CONTOSO) == [replace(read, quantity=1)]
        assert await tx.mirror.subscription(f" {read.id.upper()} ") == replace(read, quantity=1)


async def test_a_customers_subscriptions_are_replaced_as_a_whole(store: Store):
    async with store.begin() as tx:
        for ids in (["s1", "s2"], ["s2", "s3"]):
            found = [a_subscription(id=SubscriptionId(i), name=i) for i in ids]
            await tx.mirror.put_subscriptions(CONTOSO, found, at=noon)
        assert [s.id for s in await tx.mirror.subscriptions_of(CONTOSO)] == ["s2", "s3"]


async def test_what_was_read_later_is_not_replaced_by_a_reading_that_began_before(store: Store):
    suspended = a_subscription(status=SubscriptionStatus.SUSPENDED, status_word="suspended")
    other = a_subscription(id=SubscriptionId("s2"), name="Visio")
    async with store.begin() as tx:
        await tx.mirror.put_subscriptions(CONTOSO, [a_subscription()], at=noon)
        await tx.mirror.put_subscription(suspended, at=noon + HOUR)
        await tx.mirror.put_subscriptions(CONTOSO, [a_subscription(), other], at=noon + HOUR / 2)
        assert await tx.mirror.subscriptions_of(CONTOSO) == [suspended, other]
        found = await tx.mirror.readings(CONTOSO)
        assert {id: (reading.status, reading.at) for id, reading in found.items()} == {
            suspended.id: (SubscriptionStatus.SUSPENDED, noon + HOUR),
            other.id: (SubscriptionStatus.ACTIVE, noon + HOUR / 2),
        }
