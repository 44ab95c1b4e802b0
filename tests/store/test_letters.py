"""Letters in the database: which of them are warnings on record, and since which day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.customer import CustomerId
from bot.domain.errors import Conflict
from bot.domain.letter import Letter, LetterId, LetterKind
from bot.store import Store
from tests.builders import CONTOSO, DAY, a_letter, ana, noon

TODAY = noon.date()
OTHER = CustomerId("ABCDEF01-2222-4333-8444-555555555555")


def claimed(at: datetime = noon) -> Letter:
    return a_letter(at=at).send(by=ana, at=at, zone=UTC).claim(holder="w-0", at=at)


def copied(at: datetime = noon, **fields: Any) -> Letter:
    return a_letter(at=at, **fields).copied(by=ana, at=at, zone=UTC)


UNKNOWN = claimed().lost_sight_of("unavailable", "timeout")
COUNTS = {
    "sent": claimed().sent(at=noon, zone=UTC),
    "copied": copied(),
    "a final warning": copied(kind=LetterKind.FINAL),
    "unknown, and then found": UNKNOWN.decide(was_sent=True, by=ana, at=noon, zone=UTC),
}
DOES_NOT_COUNT = {
    "a draft": a_letter(),
    "not begun": a_letter().send(by=ana, at=noon, zone=UTC),
    "under way": claimed(),
    "failed": claimed().failed("rejected", "550"),
    "unknown": UNKNOWN,
    "unknown, and then not found": UNKNOWN.decide(was_sent=False, by=ana, at=noon, zone=UTC),
    "a reminder": copied(kind=LetterKind.REMIND),
    "a notice of suspension": copied(kind=LetterKind.SUSPENDED),
    "a notice of resumption": copied(kind=LetterKind.RESUMED),
}


async def keep(store: Store, *letters: Letter) -> None:
    async with store.begin() as tx:
        for n, letter in enumerate(letters):
            await tx.letters.add(renamed(letter, n))


def renamed(letter: Letter, n: int) -> Letter:
    return replace(letter, id=LetterId(f"L-{n}"))


async def warnings(store: Store, on: date = TODAY) -> dict[str, tuple[date, ...]]:
    async with store.read() as tx:
        return await tx.letters.warnings(on=on)


@pytest.mark.parametrize("state", COUNTS)
async def test_it_is_a_warning_once_it_is_on_record_as_sent(store: Store, state: str):
    await keep(store, COUNTS[state])
    assert await warnings(store) == {CONTOSO: (TODAY,)}


@pytest.mark.parametrize("state", DOES_NOT_COUNT)
async def test_anything_else_is_none(store: Store, state: str):
    await keep(store, DOES_NOT_COUNT[state])
    assert await warnings(store) == {}


async def test_each_customer_has_its_own_days_in_order_and_once(store: Store):
    await keep(
        store,
        copied(noon + DAY),
        copied(noon),
        copied(noon, kind=LetterKind.FINAL),
        copied(noon - DAY, customer_id=OTHER),
        copied(noon - DAY, customer_id=CustomerId(OTHER.lower())),
    )
    assert await warnings(store, TODAY + DAY) == {
        CONTOSO: (TODAY, TODAY + DAY),
        OTHER.lower(): (TODAY - DAY,),
    }


async def test_what_was_recorded_later_is_not_known_on_a_day_before(store: Store):
    await keep(store, copied(noon), copied(noon + DAY))
    assert await warnings(store, TODAY - DAY) == {}
    assert await warnings(store, TODAY) == {CONTOSO: (TODAY,)}


async def test_the_day_is_the_partners_not_that_of_the_server(store: Store):
    auckland = ZoneInfo("Pacific/Auckland")
    await keep(store, a_letter().copied(by=ana, at=noon, zone=auckland))
    assert await warnings(store, TODAY) == {}
    assert await warnings(store, TODAY + DAY) == {CONTOSO: (TODAY + DAY,)}


async def test_it_comes_back_as_it_was_kept_and_only_the_first_save_counts(store: Store):
    sent = COUNTS["sent"]
    await keep(store, sent)
    async with store.read() as tx:
        assert await tx.letters.get("L-0", to_change=False) == renamed(sent, 0)
    async with store.begin() as tx:
        await tx.letters.save(renamed(sent, 0))
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.letters.save(renamed(sent, 0))
