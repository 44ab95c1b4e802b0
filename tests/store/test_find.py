"""Customers are found by any part of a name, a domain or an id, the likeliest first, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, text

from bot.domain.customer import Customer, CustomerId, SubscriptionId
from bot.domain.names import folded
from bot.store import Store
from bot.store.finding import MOST_RANKED
from bot.store.store import sync_url
from bot.store.tables import customers
from tests.builders import CONTOSO, HOUR, a_customer, a_subscription, noon


def named(name: str, domain: str | None = None) -> Customer:
    return Customer(CustomerId(str(uuid5(NAMESPACE_DNS, f"{name} {domain}"))), name, domain, "reseller")


async def kept(store: Store, found: Iterable[Customer]) -> None:
    async with store.begin() as tx:
        await tx.mirror.put_customers(found, at=noon)


async def find(store: Store, words: str, *, limit: int = 100) -> list[str]:
    async with store.read() as tx:
        return [f"{c.name} {c.domain or ''}".strip() for c in await tx.mirror.find(words, limit=limit)]


async def test_the_likeliest_come_first(store: Store):
    ranked = [
        named("North", "z.example"),
        named("Anybody", "north"),
        named("North Cape", "c.example"),
        named("Northwind", "b.example"),
        named("Alpine (North) AG", "a.example"),
        named("Bay-North", "d.example"),
        named("Up North", "u.example"),
        named("Somebody", "northern.example"),
        named("Hinterland", "far-north.example"),
        named("Truenorth", "t.example"),
    ]
    await kept(store, reversed(ranked))
    async with store.read() as tx:
        found = await tx.mirror.find("north")
    very, begun, words, domains, others = found[:2], found[2:4], found[4:7], found[7:8], found[8:]
    assert {c.name for c in very} == {"North", "Anybody"}
    assert [c.name for c in begun] == ["North Cape", "Northwind"]
    assert [c.name for c in words] == ["Alpine (North) AG", "Bay-North", "Up North"]
    assert [c.name for c in domains] == ["Somebody"]
    assert [c.name for c in others] == ["Hinterland", "Truenorth"]


async def test_those_of_one_name_are_told_apart_by_their_domain(store: Store):
    await kept(store, [named("Contoso", "b.example"), named("Contoso", "a.example"), named("Contoso")])
    assert await find(store, "contoso") == ["Contoso", "Contoso a.example", "Contoso b.example"]
    assert await find(store, "contoso b.ex") == ["Contoso b.example"]


async def test_of_those_with_one_beginning_the_very_name_is_first_even_when_few_are_asked_for(store: Store):
    others = [named(f"Concept {number:03}", "a.example") for number in range(30)]
    await kept(store, [*others, named("Concept", "z.example")])
    assert await find(store, "concept", limit=3) == [
        "Concept z.example",
        "Concept 000 a.example",
        "Concept 001 a.example",
    ]


async def test_a_domain_that_is_shorter_when_folded(store: Store):
    await kept(store, [named("a", "e\u0301" * 8)])
    assert await find(store, "a") == await find(store, "ee") == ["a " + "e\u0301" * 8]


async def test_without_words_the_first_by_name(store: Store):
    await kept(store, [named("beta"), named("Alpha"), named("Gamma"), named("Äpfel")])
    assert await find(store, "  ", limit=3) == ["Alpha", "Äpfel", "beta"]


async def test_when_many_have_a_word_those_that_begin_so_are_not_lost(store: Store):
    await kept(
        store,
        [
            *(named(f"A{number:04} Bacon", "x.example") for number in range(MOST_RANKED + 20)),
            named("Zeta Construction", "z.example"),
            named("Contoso Ltd", "contoso.example"),
            named("Zeta Zeta", "conta.example"),
        ],
    )
    assert await find(store, "con", limit=4) == [
        "Contoso Ltd contoso.example",
        "Zeta Construction z.example",
        "Zeta Zeta conta.example",
        "A0000 Bacon x.example",
    ]
    assert await find(store, "co", limit=4) == await find(store, "con", limit=4)
    assert len(await find(store, "bacon", limit=100)) == 100
    assert await find(store, "bacon a0007") == ["A0007 Bacon x.example"]
    assert await find(store, "x.e", limit=2) == ["A0000 Bacon x.example", "A0001 Bacon x.example"]


async def test_what_more_begins_with_than_is_looked_up_is_found_all_the_same(store: Store):
    """Then all names are read."""
    others = [chr(ord("一") + number) for number in range(200)]
    await kept(store, [named(f"大山{other}", f"{number}.example") for number, other in enumerate(others)])
    assert len(await find(store, "山", limit=300)) == 200
    assert await find(store, "山 199.e") == [f"大山{others[199]} 199.example"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(CONTOSO, id="a whole tenant id"),
        pytest.param(CONTOSO[9:20], id="part of a tenant id"),
        pytest.param("ABCD1234", id="the beginning of a subscription id"),
        pytest.param("abcd1234-0000-4000-8000-000000000001", id="a whole one"),
        pytest.param("4847383", id="the MPN id of a reseller"),
        pytest.param("ltd 4847383", id="with a word of the name"),
        pytest.param(f"con {CONTOSO[:8]}", id="a tenant id with a word of the name"),
    ],
)
async def test_a_customer_is_found_by_an_id(store: Store, words: str):
    await kept(store, [a_customer(), named("Contoso Other", "other.example")])
    theirs = a_subscription(id=SubscriptionId("abcd1234-0000-4000-8000-000000000001"), mpn_id="4847383")
    async with store.begin() as tx:
        await tx.mirror.put_subscriptions(CONTOSO, [theirs], at=noon)
        assert await tx.mirror.find(words) == [a_customer()]
        assert await tx.mirror.find(f"northwind {words}") == []
        assert await tx.mirror.subscriptions_of(CONTOSO) == [theirs]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("1234-0000", id="the middle of a subscription id"),
        pytest.param("abcd123", id="too little of one"),
        pytest.param("484738", id="part of an MPN id"),
        pytest.param("4847383 northwind", id="a word that is not there"),
    ],
)
async def test_and_not_by_less(store: Store, words: str):
    await kept(store, [a_customer()])
    async with store.begin() as tx:
        theirs = a_subscription(id=SubscriptionId("abcd1234-0000-4000-8000-000000000001"), mpn_id="4847383")
        await tx.mirror.put_subscriptions(CONTOSO, [theirs], at=noon)
        assert await tx.mirror.find(words) == []


async def test_a_name_that_looks_like_an_id_is_found_as_a_name(store: Store):
    await kept(store, [named("Facade Builders", "f.example"), named("Studio 424242", "s.example")])
    assert await find(store, "facade") == ["Facade Builders f.example"]
    assert await find(store, "424242 studio") == ["Studio 424242 s.example"]


class TestTheIndexIsKeptInStep:
    async def test_with_another_name(self, store: Store):
        await kept(store, [a_customer(), named("Fabrikam")])
        await kept(store, [a_customer(name="Tailspin Toys")])
        assert await find(store, "ltd") == []
        assert await find(store, "ailspin") == ["Tailspin Toys contoso.onmicrosoft.com"]

    async def test_with_a_reading_that_shows_the_same_again(self, store: Store):
        for at in (noon, noon + HOUR):
            async with store.begin() as tx:
                await tx.mirror.put_customers([a_customer(), a_customer()], at=at)
        assert await find(store, "ontoso") == ["Contoso Ltd contoso.onmicrosoft.com"]
        async with store.begin() as tx:
            assert await tx.crawl.forget_older(noon + HOUR, most=9) == 0
            assert await tx.crawl.forget_older(noon + HOUR * 2, most=9) == 1
        assert await find(store, "ontoso") == []

    async def test_with_an_older_release_that_knows_nothing_of_it(self, store: Store):
        await kept(store, [a_customer(), named("Fabrikam")])
        row = {"id": CONTOSO, "name": "Wingtip", "folded": "wingtip wing.example", "as_of": noon}
        async with store.begin() as tx:
            await tx.connection.execute(customers.delete().where(customers.c.id == CONTOSO))
            await tx.connection.execute(insert(customers), [{**row, "domain": "wing.example"}])
        assert await find(store, "contoso") == []
        assert await find(store, "ingtip") == ["Wingtip wing.example"]

    async def test_and_outlives_a_vacuum(self, store: Store, migrated_url: str):
        await kept(store, [named(f"Name {number}") for number in range(50)])
        async with store.begin() as tx:
            await tx.connection.execute(customers.delete().where(customers.c.name < "Name 3"))
        engine = create_engine(sync_url(migrated_url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM"))
        engine.dispose()
        await kept(store, [named("Name 42"), named("Other 42")])
        assert await find(store, "ame 42") == ["Name 42"]
        assert await find(store, "42") == ["Name 42", "Other 42"]


LETTERS = st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0")
NAMES = st.text(st.one_of(st.sampled_from("abÄß 云杉-*\"%_'"), LETTERS), min_size=1, max_size=8)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    known=st.lists(st.tuples(NAMES, NAMES), max_size=8),
    words=st.one_of(NAMES, st.text(max_size=12)),
    data=st.data(),
)
async def test_whatever_is_typed_finds_what_has_all_its_words(
    store: Store, known: list[tuple[str, str]], words: str, data: st.DataObject
):
    everybody = [named(name, domain) for name, domain in known]
    is_of_a_name = data.draw(st.booleans())
    if everybody and is_of_a_name:
        name = data.draw(st.sampled_from(everybody)).name
        words = name[data.draw(st.integers(0, len(name))) :] + " " + words[:1]
    async with store.begin() as tx:
        await tx.connection.execute(customers.delete())
        await tx.mirror.put_customers(everybody, at=noon)
        found = await tx.mirror.find(words)
    assert {c.id for c in found} == set(plainly(everybody, words))
    assert len(found) == len({c.id for c in found})


def plainly(everybody: Sequence[Customer], words: str) -> Iterable[str]:
    for c in everybody:
        if all(part in folded(f"{c.name} {c.domain}") for part in folded(words).split()):
            yield c.id
