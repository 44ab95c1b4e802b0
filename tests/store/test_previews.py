"""Shared exports come back as they were kept, once each, and their bytes go when nobody needs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import Conflict, NotFound
from bot.domain.preview import FileRefusal, Noted, Preview, PreviewId, PreviewStatus, Reading
from bot.domain.receivables import OpenItem
from bot.store import Store
from bot.store.books import Import
from bot.store.previews import CARD
from tests.builders import DAY, HOUR, a_finding, a_preview, ana, noon

CONTENT = b"\x00\xff\xfe any bytes"


async def keep(store: Store, *previews: Preview, event: str = "Ev1") -> list[bool]:
    async with store.begin() as tx:
        return [await tx.previews.add(preview, event=event) for preview in previews]


async def change(store: Store, preview: Preview, **more: object) -> None:
    async with store.begin() as tx:
        await tx.previews.save(preview, **more)


async def held(store: Store, preview_id: str) -> tuple[bytes | None, str | None]:
    async with store.read() as tx:
        return await tx.previews.content(preview_id), await tx.previews.report(preview_id)


def another(number: int, **fields: object) -> Preview:
    return a_preview(id=PreviewId(f"P-{number}"), file_id=f"F{number}", **fields)


@pytest.mark.parametrize(
    "preview",
    [
        pytest.param(
            a_preview(
                status=PreviewStatus.RECEIVED, finding=None, file="", sha256="", size=0, thread_ts=None
            ),
            id="just received",
        ),
        pytest.param(a_preview(), id="open"),
        pytest.param(
            a_preview(
                reading=Reading(as_of=noon.date(), mode="merge", currency="EUR", date_order="DMY"),
                finding=a_finding(
                    rejects=(Noted("bad_amount", 7, ("line 3", "line 4")),),
                    remarks=(Noted("two_digit_year", 1, ("row 1",)),),
                    held="shrinks",
                    seen_before=noon - DAY,
                ),
                voided="books",
                file="Außenstände 应收.xlsx",
            ),
            id="with all that can be said",
        ),
        pytest.param(a_preview().refused(FileRefusal("unsupported_file", "This is a PDF.")), id="refused"),
        pytest.param(a_preview().discard(by=ana, at=noon + HOUR), id="discarded"),
    ],
)
async def test_it_comes_back_as_it_was_kept(store: Store, preview: Preview):
    await keep(store, preview)
    async with store.begin() as tx:
        assert await tx.previews.get(preview.id) == preview
        await tx.previews.save(preview)
        assert await tx.previews.get(preview.id) == replace(preview, version=1)
        with pytest.raises(NotFound):
            await tx.previews.get("P-NONE")


async def test_what_slack_tells_twice_is_kept_once(replicas: tuple[Store, Store]):
    one, two = replicas
    async with asyncio.timeout(20):
        kept = await asyncio.gather(keep(one, another(1)), keep(two, a_preview(file_id="F1")))
    assert sorted(kept) == [[False], [True]]
    assert await keep(one, a_preview(file_id="F1", id=PreviewId("P-3"))) == [False]


@pytest.mark.parametrize(
    ("status", "event", "is_new"),
    [
        pytest.param(PreviewStatus.OPEN, "Ev2", False, id="while the first one waits"),
        pytest.param(PreviewStatus.DISCARDED, "Ev1", False, id="the very same event, late"),
        pytest.param(PreviewStatus.DISCARDED, "Ev2", True, id="shared again after it is over"),
    ],
)
async def test_sharing_the_same_file_again(store: Store, status: PreviewStatus, event: str, is_new: bool):
    await keep(store, another(1))
    await change(store, another(1, status=status))
    again = a_preview(file_id="F1", id=PreviewId("P-2"), shared_at=noon + HOUR)
    assert await keep(store, again, event=event) == [is_new]
    assert await keep(store, replace(again, id=PreviewId("P-3")), event=event) == [False]


async def test_the_same_file_in_another_channel_is_another_preview(store: Store):
    assert await keep(store, another(1), a_preview(file_id="F1", channel="D0ANA")) == [True, True]


@pytest.mark.parametrize(
    ("status", "left"),
    [
        (PreviewStatus.READING, (CONTENT, "rejects")),
        (PreviewStatus.OPEN, (CONTENT, "rejects")),
        (PreviewStatus.APPLYING, (CONTENT, "rejects")),
        (PreviewStatus.APPLIED, (None, "rejects")),
        (PreviewStatus.REFUSED, (None, "rejects")),
        (PreviewStatus.DISCARDED, (None, None)),
        (PreviewStatus.EXPIRED, (None, None)),
    ],
)
async def test_the_bytes_go_when_it_is_over(store: Store, status: PreviewStatus, left: tuple[object, ...]):
    preview = a_preview()
    await keep(store, preview)
    await change(store, preview, content=CONTENT, report="rejects")
    assert await held(store, preview.id) == (CONTENT, "rejects")
    await change(store, replace(preview, version=1, status=status))
    assert await held(store, preview.id) == left


async def test_the_rejects_go_once_they_are_handed_out(store: Store):
    await keep(store, a_preview())
    await change(store, a_preview(), content=CONTENT, report="rejects")
    async with store.begin() as tx:
        await tx.previews.report_is_given(a_preview().id)
    assert await held(store, a_preview().id) == (CONTENT, None)


async def test_a_save_on_an_older_version_is_refused(store: Store):
    await keep(store, a_preview())
    await change(store, a_preview())
    with pytest.raises(Conflict):
        await change(store, a_preview())


async def test_one_that_was_none_leaves_nothing_behind(store: Store):
    await keep(store, another(1))
    async with store.begin() as tx:
        await tx.previews.remove("P-1")
    assert await keep(store, another(1)) == [True]


async def test_the_sweep_finds_what_nobody_decided(store: Store):
    old = {"shared_at": noon - DAY}
    await keep(
        store,
        another(1, **old),
        another(2, **old, status=PreviewStatus.READING),
        another(3, **old, status=PreviewStatus.APPLYING),
        another(4, **old, status=PreviewStatus.DISCARDED),
        another(5),
    )
    async with store.begin() as tx:
        assert [p.id for p in await tx.previews.undecided(shared_before=noon - DAY)] == ["P-1", "P-2"]


async def test_the_sweep_finds_what_waits_for_a_worker_and_counts(store: Store):
    working = (PreviewStatus.RECEIVED, PreviewStatus.READING, PreviewStatus.APPLYING)
    await keep(store, *(another(n, status=status) for n, status in enumerate(PreviewStatus)))
    async with store.begin() as tx:
        assert await tx.previews.stranded(saved_before=noon - timedelta(seconds=1)) == []
        found = await tx.previews.stranded(saved_before=noon)
        assert {(p.status, tries) for p, tries in found} == {(status, 0) for status in working}
        for preview, _ in found:
            await tx.previews.tried(preview.id)
        assert {tries for _, tries in await tx.previews.stranded(saved_before=noon)} == {1}
        await tx.previews.save(found[0][0])
        assert sorted(t for _, t in await tx.previews.stranded(saved_before=noon)) == [0, 1, 1]


async def test_a_card_that_is_missing_or_older_is_behind(store: Store):
    await keep(store, *(another(n) for n in range(1, 5)), another(5, status=PreviewStatus.READING))
    async with store.begin() as tx:
        for number, drawn in ((2, 0), (3, 0), (4, 0), (5, 0)):
            key = f"{CARD}P-{number}"
            assert await tx.posts.claim(key, channel="C1", at=noon)
            await tx.posts.sent(key, channel="C1", ts=f"{number}.0")
            await tx.posts.drawn(key, version=drawn)
        await tx.previews.save(another(3))
        await tx.previews.save(another(4), report="rejects")
        assert await tx.posts.find(f"{CARD}P-4")
        await tx.posts.drawn(f"{CARD}P-4", version=1)
        span = {"since": noon - HOUR, "until": noon}
        assert sorted(p.id for p in await tx.previews.behind(**span)) == ["P-1", "P-3", "P-4"]
        assert await tx.previews.behind(since=noon + HOUR, until=noon + DAY) == []


async def test_every_import_changes_the_state_of_the_books(store: Store):
    applied = Import("a.csv", "1" * 64, "snapshot", noon.date(), noon, 0)
    async with store.begin() as tx:
        states = [await tx.books.state()]
        for _ in range(2):
            await tx.books.lock()
            await tx.books.record(applied)
            states.append(await tx.books.state())
        assert len(set(states)) == 3
        assert await tx.books.applied("1" * 64, as_of=noon.date()) == noon
        assert await tx.books.applied("1" * 64, as_of=noon.date() - DAY) is None
        assert await tx.books.applied("2" * 64, as_of=noon.date()) is None


async def test_two_who_change_the_books_do_it_one_after_the_other(replicas: tuple[Store, Store]):
    one, two = replicas
    item = OpenItem(
        customer="A",
        document_number="1",
        due_date=noon.date(),
        currency="EUR",
        open_amount=a_finding().owed[0].open,
    )

    async def add(store: Store) -> None:
        async with store.begin() as tx:
            await tx.books.lock()
            if not await tx.books.open_on():
                await tx.books.add([item], on=noon.date())

    async with asyncio.timeout(20):
        await asyncio.gather(*(add(store) for store in (one, two) * 3))
    async with one.read() as tx:
        assert await tx.books.open_on() == [item]
