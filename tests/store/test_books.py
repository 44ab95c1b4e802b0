"""The books keep their history: what was open on which day, as the imports told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.receivables import ItemKind, OpenItem
from bot.store import Store
from bot.store.books import Import
from tests.builders import DAY, noon

MONDAY = date(2026, 11, 16)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=n) for n in range(1, 5))


def an_item(**fields: Any) -> OpenItem:
    given: dict[str, Any] = {
        "customer": "Contoso Ltd",
        "tenant": "contoso.onmicrosoft.com",
        "document_number": "INV-1",
        "due_date": date(2026, 10, 1),
        "currency": "USD",
        "open_amount": Decimal("100.00"),
    }
    return OpenItem(**(given | fields))


async def open_on(store: Store, day: date | None = None) -> list[OpenItem]:
    async with store.read() as tx:
        return await tx.books.open_on(day)


async def add(store: Store, *items: OpenItem, on: date) -> None:
    async with store.begin() as tx:
        await tx.books.add(items, on=on)


async def change(store: Store, item: OpenItem, *, on: date) -> None:
    async with store.begin() as tx:
        await tx.books.end([item], on=on)
        await tx.books.add([item], on=on)


async def close(store: Store, item: OpenItem, *, on: date) -> None:
    async with store.begin() as tx:
        await tx.books.end([item], on=on)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(an_item(), id="little known"),
        pytest.param(
            an_item(
                customer="北京云杉科技有限公司",
                customer_code="00100",
                document_number="0200",
                instalment=2,
                kind=ItemKind.CREDIT_NOTE,
                issue_date=date(2026, 9, 1),
                total=Decimal("-1234567890.120"),
                open_amount=Decimal("-0.10"),
                disputed=True,
                promise_to_pay=date(2026, 12, 1),
                dunning_blocked=True,
            ),
            id="everything known",
        ),
    ],
)
async def test_an_item_comes_back_to_the_last_cent(store: Store, item: OpenItem):
    await add(store, item, on=MONDAY)
    assert await open_on(store) == [item]


async def test_between_two_imports_the_earlier_one_holds(store: Store):
    await add(store, an_item(), on=MONDAY)
    part_paid = an_item(open_amount=Decimal("40.00"))
    await change(store, part_paid, on=THURSDAY)
    told = {
        day: await open_on(store, day) for day in (MONDAY - timedelta(days=1), MONDAY, WEDNESDAY, THURSDAY)
    }
    assert list(told.values()) == [[], [an_item()], [an_item()], [part_paid]]
    assert await open_on(store) == [part_paid]


async def test_a_closed_item_was_open_until_the_day_before(store: Store):
    await add(store, an_item(), on=MONDAY)
    await close(store, an_item(), on=WEDNESDAY)
    assert await open_on(store, TUESDAY) == [an_item()]
    assert await open_on(store, WEDNESDAY) == []
    assert await open_on(store) == []


async def test_a_correction_of_the_same_day_replaces_what_was_never_so(store: Store):
    await add(store, an_item(), on=MONDAY)
    await change(store, an_item(open_amount=Decimal(60)), on=TUESDAY)
    await change(store, an_item(open_amount=Decimal(50)), on=TUESDAY)
    assert await open_on(store, MONDAY) == [an_item()]
    assert await open_on(store, TUESDAY) == [an_item(open_amount=Decimal(50))]


async def test_what_opened_and_closed_on_one_day_was_never_open(store: Store):
    await add(store, an_item(), on=MONDAY)
    await close(store, an_item(), on=MONDAY)
    assert await open_on(store, MONDAY) == []


async def test_an_item_that_comes_back_leaves_the_gap_as_it_was(store: Store):
    await add(store, an_item(), on=MONDAY)
    await close(store, an_item(), on=TUESDAY)
    await add(store, an_item(), on=THURSDAY)
    open_days = [day for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY) if await open_on(store, day)]
    assert open_days == [MONDAY, THURSDAY, FRIDAY]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"document_number": "INV-2"}, id="another document"),
        pytest.param({"instalment": 2}, id="another instalment"),
        pytest.param({"tenant": "fabrikam.onmicrosoft.com"}, id="another customer"),
    ],
)
async def test_closing_one_leaves_open(store: Store, other: dict[str, Any]):
    await add(store, an_item(), an_item(**other), on=MONDAY)
    await close(store, an_item(), on=TUESDAY)
    assert await open_on(store) == [an_item(**other)]


async def test_the_last_import_is_the_newest_that_speaks_for_that_day(store: Store):
    first = Import("a.csv", "1" * 64, "snapshot", MONDAY, noon, 0)
    second = Import("b.csv", "2" * 64, "merge", WEDNESDAY, noon + DAY, 2, frozenset({"", "name:宏图"}))
    again = replace(first, file="c.csv")
    async with store.begin() as tx:
        assert await tx.books.last_import() is None
        for applied in (first, second, again):
            await tx.books.record(applied)
    async with store.read() as tx:
        assert await tx.books.last_import(on=MONDAY - timedelta(days=1)) is None
        assert await tx.books.last_import(on=TUESDAY) == again
        assert await tx.books.last_import_of("file") == second


@pytest.mark.parametrize(
    ("modes", "since", "rejected", "doubtful"),
    [
        pytest.param(["snapshot", "merge"], MONDAY, 3, {"", "name:宏图"}, id="a part after all of it"),
        pytest.param(["merge", "merge"], MONDAY, 3, {"", "name:宏图"}, id="parts alone"),
        pytest.param(["merge", "snapshot"], TUESDAY, 2, {"name:宏图"}, id="all of it after a part"),
        pytest.param(["snapshot", "merge", "merge"], MONDAY, 4, {"", "name:宏图"}, id="two parts"),
        pytest.param(["retired", "merge"], TUESDAY, 2, {"name:宏图"}, id="a part after the end"),
        pytest.param(["merge", "merge", "snapshot"], WEDNESDAY, 1, set(), id="all of it after two parts"),
    ],
)
async def test_a_part_makes_the_rest_neither_newer_nor_surer(
    store: Store, modes: list[str], since: date, rejected: int, doubtful: set[str]
):
    applied = [
        Import(
            file=f"{n}.csv",
            sha256=str(n) * 64,
            mode=mode,
            as_of=MONDAY + n * DAY,
            applied_at=noon + n * DAY,
            rejected=(1, 2, 1)[n],
            incomplete=(frozenset({""}), frozenset({"name:宏图"}), frozenset[str]())[n],
        )
        for n, mode in enumerate(modes)
    ]
    async with store.begin() as tx:
        for each in applied:
            await tx.books.record(each)
    async with store.read() as tx:
        last = await tx.books.last_import()
    assert last
    assert (last.as_of, last.applied_at) == (since, noon + (since - MONDAY))
    assert (last.rejected, set(last.incomplete)) == (rejected, doubtful)
    assert last.changed_at == applied[-1].applied_at, "but something was brought up to date"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"source": "xero"}, id="of another source"),
        pytest.param({"document_number": "INV-2"}, id="with another number"),
        pytest.param({"instalment": 2}, id="another instalment"),
        pytest.param({"tenant": "fabrikam.onmicrosoft.com"}, id="of another customer"),
    ],
)
async def test_only_the_item_itself_ends(store: Store, other: dict[str, Any]):
    stays = an_item(**other)
    await add(store, an_item(), stays, on=MONDAY)
    await close(store, an_item(), on=TUESDAY)
    assert await open_on(store) == [stays]
    assert await open_on(store, MONDAY) == [an_item(), stays]


async def test_more_items_than_are_ended_at_once_all_end(store: Store):
    """As many parties and as many items as take two rounds each."""
    many = [an_item(tenant=f"{n % 1100}.onmicrosoft.com", document_number=f"INV-{n}") for n in range(2300)]
    await add(store, *many, on=MONDAY)
    async with store.begin() as tx:
        await tx.books.end(many[1:], on=TUESDAY)
    assert await open_on(store) == many[:1]
    assert len(await open_on(store, MONDAY)) == len(many)


async def test_two_days_are_read_at_once_and_told_apart(store: Store):
    stays, ends = an_item(), an_item(document_number="2")
    async with store.begin() as tx:
        await tx.books.add([stays, ends], on=MONDAY)
        await tx.books.end([ends], on=WEDNESDAY)
        await tx.books.add([an_item(document_number="3")], on=WEDNESDAY)
        await tx.books.add([an_item(document_number="4")], on=THURSDAY)
    async with store.read() as tx:
        parts = [part async for part in tx.books.parts_on(WEDNESDAY, or_on=TUESDAY)]
    found = [(item.document_number, now, then) for part in parts for item, now, then in part.of_both()]
    assert found == [
        (stays.document_number, True, True),
        ("2", False, True),
        ("3", True, False),
    ]
