"""Several sources in one set of books: each is kept by itself, read by one at a time, and none is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bot.domain.receivables import FILE, UNKNOWN_PARTY, OpenItem
from bot.store import Store
from bot.store.books import RETIRED, Import
from bot.store.readings import Attempt, Outcome
from bot.store.refresh_tokens import Sealed
from bot.store.store import sync_url
from tests.builders import DAY, HOUR, noon
from tests.store.test_books import MONDAY, TUESDAY, WEDNESDAY, an_item


def of(source: str, **fields: Any) -> OpenItem:
    return replace(an_item(**fields), source=source)


def an_import(source: str = FILE, as_of: date = MONDAY, **fields: Any) -> Import:
    given: dict[str, Any] = {
        "file": "open.csv" if source == FILE else "",
        "sha256": "",
        "mode": "snapshot",
        "applied_at": noon,
        "rejected": 0,
    }
    return Import(source=source, as_of=as_of, **(given | fields))


async def record(store: Store, *imports: Import) -> None:
    async with store.begin() as tx:
        for each in imports:
            await tx.books.record(each)


class TestItems:
    async def test_the_same_number_of_the_same_customer_in_two_sources_is_two_items(self, store: Store):
        async with store.begin() as tx:
            await tx.books.add([of(FILE), of("tryton")], on=MONDAY)
        async with store.begin() as tx:
            await tx.books.end([of("tryton")], on=TUESDAY)
            assert await tx.books.open_on() == [of(FILE)]
            assert await tx.books.open_on(MONDAY) == [of(FILE), of("tryton")]
            assert await tx.books.open_on(source="tryton") == []

    async def test_one_code_in_two_sources_is_two_customers_and_one_tenant_is_one(self, store: Store):
        known_by_code = [of(FILE, tenant=None, customer_code="7"), of("xero", tenant=None, customer_code="7")]
        async with store.begin() as tx:
            await tx.books.add([*known_by_code, of("stripe"), of(FILE, document_number="2")], on=MONDAY)
        async with store.read() as tx:
            assert sorted(await tx.books.party_keys()) == [
                "code:7",
                "tenant:contoso.onmicrosoft.com",
                "xero/code:7",
            ]
            items = await tx.books.open_of("tenant:contoso.onmicrosoft.com")
        assert [item.source for item in items] == ["stripe", FILE]

    async def test_what_an_older_release_writes_came_from_a_file(self, store: Store, migrated_url: str):
        async with store.begin() as tx:
            await tx.books.add([of("tryton")], on=MONDAY)
        engine = create_engine(sync_url(migrated_url), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO open_items (party_key, document_number, instalment, valid_from, item) "
                    "SELECT party_key, 'OLD', instalment, valid_from, item FROM open_items"
                )
            )
        engine.dispose()
        async with store.read() as tx:
            assert [item.source for item in await tx.books.open_on(source=FILE)] == [FILE]


class TestHowSureTheBooksAre:
    async def test_as_sure_as_the_source_of_which_least_is_known(self, store: Store):
        await record(
            store,
            an_import(FILE, MONDAY, rejected=2, incomplete=frozenset({"name:a"})),
            an_import("tryton", WEDNESDAY, rejected=1, incomplete=frozenset({"tryton/code:7"})),
        )
        async with store.read() as tx:
            last = await tx.books.last_import()
            assert last is not None
            assert (last.source, last.as_of, last.rejected) == (FILE, MONDAY, 3)
            assert last.incomplete == {"name:a", "tryton/code:7"}
            assert not last.is_complete
            assert [each.source for each in await tx.books.last_imports()] == [FILE, "tryton"]

    async def test_of_one_day_the_one_read_first_is_the_oldest(self, store: Store):
        await record(
            store,
            an_import("tryton", MONDAY, applied_at=noon + HOUR),
            an_import("stripe", MONDAY, applied_at=noon),
        )
        async with store.read() as tx:
            last = await tx.books.last_import()
        assert last is not None
        assert (last.source, last.applied_at) == ("stripe", noon)

    async def test_a_source_did_not_count_before_it_was_there(self, store: Store):
        await record(store, an_import(FILE, MONDAY), an_import("tryton", WEDNESDAY, rejected=1))
        async with store.read() as tx:
            last = await tx.books.last_import(on=TUESDAY)
        assert last is not None
        assert last.is_complete

    async def test_a_retired_source_counts_no_longer(self, store: Store):
        await record(
            store, an_import(FILE, MONDAY), an_import("tryton", WEDNESDAY), an_import(FILE, WEDNESDAY, mode=RETIRED)
        )  # fmt: skip
        async with store.read() as tx:
            last, earlier = await tx.books.last_import(), await tx.books.last_import(on=TUESDAY)
        assert last is not None
        assert earlier is not None
        assert (last.source, earlier.source) == ("tryton", FILE)

    async def test_of_a_live_source_a_day_has_one_entry_the_last(self, store: Store):
        readings = [an_import("tryton", MONDAY, applied_at=noon + n * HOUR, rejected=n) for n in range(3)]
        await record(store, *readings, an_import(FILE, MONDAY))
        async with store.read() as tx:
            assert await tx.books.last_import_of("tryton") == readings[-1]
        async with store.begin() as tx:
            count = await tx.connection.execute(text("SELECT count(*) FROM imports"))
            assert count.scalar_one() == 2

    async def test_a_reading_that_is_held_makes_everybody_doubtful_from_its_day_on(self, store: Store):
        await record(store, an_import("tryton", MONDAY))
        async with store.begin() as tx:
            await tx.readings.begin("tryton", holder="a", now=noon, until=noon + HOUR)
            await tx.readings.end(Attempt("tryton", WEDNESDAY, noon, Outcome.HELD), holder="a")
        async with store.read() as tx:
            now, then = await tx.books.last_import(), await tx.books.last_import(on=TUESDAY)
        assert now is not None
        assert then is not None
        assert now.incomplete == {UNKNOWN_PARTY}
        assert then.is_complete


class TestWhoReads:
    async def begin(self, store: Store, holder: str, at: datetime = noon) -> bool:
        async with store.begin() as tx:
            return await tx.readings.begin("tryton", holder=holder, now=at, until=at + HOUR)

    async def test_one_at_a_time(self, replicas: tuple[Store, Store]):
        began = await asyncio.gather(*(self.begin(store, f"{n}") for n, store in enumerate(replicas)))
        assert sorted(began) == [False, True]

    async def test_each_source_by_itself(self, store: Store):
        assert await self.begin(store, "a")
        async with store.begin() as tx:
            assert await tx.readings.begin("stripe", holder="b", now=noon, until=noon + HOUR)

    async def test_who_does_not_come_back_is_followed_after_a_while_and_enters_nothing_then(
        self, store: Store
    ):
        assert await self.begin(store, "a")
        assert not await self.begin(store, "b", noon + HOUR - timedelta(seconds=1))
        assert await self.begin(store, "b", noon + HOUR)
        async with store.begin() as tx:
            assert not await tx.readings.holds("tryton", holder="a")
            await tx.readings.end(Attempt("tryton", MONDAY, noon, Outcome.APPLIED), holder="a")
            assert await tx.readings.holds("tryton", holder="b")
            assert await tx.readings.attempts() == {}

    async def test_how_it_ended_is_kept(self, store: Store):
        ended = Attempt("tryton", MONDAY, noon, Outcome.FAILED, {"reason": "401"})
        assert await self.begin(store, "a")
        async with store.begin() as tx:
            await tx.readings.end(ended, holder="a")
        async with store.read() as tx:
            assert await tx.readings.attempts() == {"tryton": ended}
            assert await tx.readings.troubles() == [ended]
            assert await tx.readings.troubles(on=MONDAY - DAY) == []
        assert await self.begin(store, "b")
        async with store.begin() as tx:
            await tx.readings.end(replace(ended, outcome=Outcome.APPLIED), holder="b")
            assert await tx.readings.troubles() == []
            await tx.readings.forget("tryton")
            assert await tx.readings.attempts() == {}


class TestRefreshTokens:
    FIRST = Sealed("origin", "first")

    async def take(self, store: Store, holder: str, at: datetime = noon) -> Sealed | None:
        async with store.begin() as tx:
            return await tx.refresh_tokens.take(
                "xero", holder=holder, now=at, until=at + HOUR, first=self.FIRST
            )

    async def test_one_process_at_a_time(self, replicas: tuple[Store, Store]):
        taken = await asyncio.gather(*(self.take(store, f"{n}") for n, store in enumerate(replicas)))
        assert sorted(taken, key=str) == [None, self.FIRST]

    async def test_the_next_one_has_the_newest(self, store: Store):
        newer = Sealed("origin", "newer")
        assert await self.take(store, "a") == self.FIRST
        async with store.begin() as tx:
            assert await tx.refresh_tokens.keep("xero", newer, holder="a")
            await tx.refresh_tokens.give_back("xero", holder="a")
        assert await self.take(store, "b") == newer

    async def test_whose_turn_is_over_keeps_nothing(self, store: Store):
        assert await self.take(store, "a") == self.FIRST
        assert await self.take(store, "b", noon + HOUR) == self.FIRST
        async with store.begin() as tx:
            assert not await tx.refresh_tokens.keep("xero", Sealed("origin", "late"), holder="a")
            await tx.refresh_tokens.give_back("xero", holder="a")
        assert await self.take(store, "c", noon + HOUR) is None
