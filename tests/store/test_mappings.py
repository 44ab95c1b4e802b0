"""A person's word on whose a debtor is: kept once, taken back once, and found again as it was."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from bot.domain.customer import CustomerId
from bot.domain.directory import ConfirmedMapping
from bot.domain.receivables import OpenItem
from bot.store import Store
from tests.builders import CONTOSO, HOUR, ana, ben, noon
from tests.store.waiting import until_somebody_waits

WORD = ConfirmedMapping("name:müller & söhne", CONTOSO, ana.id, noon, "Müller & Söhne")


async def keep(store: Store, *mappings: ConfirmedMapping) -> list[bool]:
    async with store.begin() as tx:
        return [await tx.mappings.add(mapping) for mapping in mappings]


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param(WORD, id="a name"),
        pytest.param(replace(WORD, party_key="name:" + "长" * 300, party_name="长" * 300), id="a long name"),
    ],
)
async def test_it_comes_back_as_it_was_kept(store: Store, mapping: ConfirmedMapping):
    assert await keep(store, mapping) == [True]
    async with store.read() as tx:
        assert await tx.mappings.get(mapping.party_key) == mapping
        assert await tx.mappings.get("name:another") is None


async def test_the_newest_comes_first(store: Store):
    newer = replace(WORD, party_key="code:1", confirmed_at=noon + HOUR)
    await keep(store, WORD, newer)
    async with store.read() as tx:
        assert await tx.mappings.all() == [newer, WORD]


async def test_what_stands_stays(store: Store):
    await keep(store, WORD)
    assert await keep(store, replace(WORD, customer_id=CustomerId("another"), confirmed_by=ben.id)) == [False]
    async with store.read() as tx:
        assert await tx.mappings.all() == [WORD]


async def test_it_is_taken_back_once(store: Store):
    await keep(store, WORD)
    async with store.begin() as tx:
        assert await tx.mappings.remove(WORD.party_key) == WORD
        assert await tx.mappings.remove(WORD.party_key) is None
        assert await tx.mappings.all() == []


async def test_of_two_at_once_the_first_is_kept(replicas: tuple[Store, Store]):
    one, two = replicas
    other = replace(WORD, customer_id=CustomerId("another"), confirmed_by=ben.id)
    async with asyncio.timeout(20):
        async with one.begin() as tx:
            assert await tx.mappings.add(WORD)
            late = asyncio.create_task(keep(two, other))
            await until_somebody_waits(tx)
        assert await late == [False]
    async with one.read() as tx:
        assert await tx.mappings.all() == [WORD]


async def test_the_books_know_who_has_something_open_now(store: Store):
    def item(name: str, number: str) -> OpenItem:
        return OpenItem(
            customer=name,
            document_number=number,
            due_date=date(2026, 11, 1),
            currency="EUR",
            open_amount=Decimal(5),
        )

    paid, first, second = item("Paid", "1"), item("Owes", "2"), item("Owes", "3")
    async with store.begin() as tx:
        await tx.books.add([paid, first, second], on=date(2026, 11, 20))
        await tx.books.end([paid], on=date(2026, 11, 22))
    async with store.read() as tx:
        assert await tx.books.party_keys() == ["name:owes"]
        assert await tx.books.open_of("name:owes") == [first, second]
        assert await tx.books.open_of("name:paid") == []
