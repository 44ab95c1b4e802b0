"""Exports taken in while others write: nobody waits while one is compared, and what is written is right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import Engine, event

from bot.services.intake import MOST_TRIES
from bot.store import Tx
from bot.store.books import Import
from tests.builders import CONTOSO, DAY
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import TODAY, a_row, take_in
from tests.services.workshop import Workshop, writes
from tests.store.test_books import an_item

PATIENCE = 20


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    return await workshop()


@contextmanager
def looks_at_the_books() -> Iterator[asyncio.Semaphore]:
    """One for each time that somebody has begun to read what is open: on SQLite that is what was open just then."""
    looks = asyncio.Semaphore(0)

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if reads_the_books(statement):
            looks.release()

    event.listen(Engine, "after_cursor_execute", look)
    try:
        yield looks
    finally:
        event.remove(Engine, "after_cursor_execute", look)


def reads_the_books(statement: str) -> bool:
    return statement.startswith("SELECT") and "CAST(open_items.item" in statement


def owed(*numbers: str) -> list[str]:
    return [a_row(number, "Contoso Ltd", CONTOSO, 45, "500.00") for number in numbers]


async def numbers(w: Workshop) -> list[str]:
    async with w.store.read() as tx:
        return sorted(item.document_number for item in await tx.books.open_on())


async def another_comes_in(w: Workshop, tx: Tx, *, as_of: date = TODAY) -> None:
    await tx.books.record(
        Import(file="other.csv", sha256="", mode="merge", as_of=as_of, applied_at=w.clock(), rejected=0)
    )


async def test_nobody_who_writes_waits_while_an_export_is_compared(w: Workshop):
    await take_in(w, *owed("1", "2"))
    with writes() as each:
        assert (await take_in(w, *owed("1", "2"))).applied
    assert each
    assert not [s for statements in each for s in statements if reads_the_books(s)]


async def test_a_dry_run_keeps_nobody_from_writing(w: Workshop):
    await take_in(w, *owed("1", "2"))
    with writes() as each:
        shown = await take_in(w, *owed("1"), apply=False)
    assert (shown.applied, shown.held, each) == (False, None, [])


class TestTheBooksChangeMeanwhile:
    async def test_of_two_that_open_the_same_item_one_does(self, w: Workshop):
        with looks_at_the_books() as looks:
            async with asyncio.timeout(PATIENCE), w.store.begin():
                late = [
                    asyncio.create_task(take_in(w, *owed("1", number), mode="merge")) for number in ("2", "3")
                ]
                for _ in late:
                    await looks.acquire()
            assert all(intake.applied for intake in await asyncio.gather(*late))
        assert await numbers(w) == ["1", "2", "3"]

    async def test_one_of_an_earlier_day_is_refused(self, w: Workshop):
        with looks_at_the_books() as looks:
            async with asyncio.timeout(PATIENCE), w.store.begin() as tx:
                late = asyncio.create_task(take_in(w, *owed("1"), as_of=TODAY - DAY))
                await looks.acquire()
                await another_comes_in(w, tx)
            assert (await late).held == "older_than_books"
        assert await numbers(w) == []

    async def test_one_that_would_close_too_much_now_is_held(self, w: Workshop):
        with looks_at_the_books() as looks:
            async with asyncio.timeout(PATIENCE), w.store.begin() as tx:
                late = asyncio.create_task(take_in(w, *owed("1")))
                await looks.acquire()
                await tx.books.add([an_item(document_number=n) for n in "23"], on=TODAY)
                await another_comes_in(w, tx)
            assert (await late).held == "shrinks"
        assert await numbers(w) == ["2", "3"]

    async def test_however_often_it_comes_to_an_end(self, w: Workshop):
        with looks_at_the_books() as looks, writes() as each:
            late = asyncio.create_task(take_in(w, *owed("1")))
            for _ in range(MOST_TRIES):
                async with asyncio.timeout(PATIENCE):
                    await looks.acquire()
                    async with w.store.begin() as tx:  # asked for while it has yet to fetch what is open
                        await another_comes_in(w, tx)
            assert (await late).applied
        assert [s for s in each[-1] if reads_the_books(s)]
