"""A shared export: looked at, applied once and as it was shown, or let go; whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import NotPermitted, PreviewSettled
from bot.domain.people import Person
from bot.domain.preview import FileRefusal, Preview, PreviewStatus, Reading
from bot.services import jobs
from bot.services.previews import LOST_AFTER, MOST_TRIES, SHARED_WITHIN, SLOW
from tests.builders import DAY, ana, ben, boss, eve, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Workshop

TODAY = noon.date()
HEADER = "Customer,Tenant ID,Invoice No,Due Date,Currency,Balance"


def a_file(
    *numbers: int, header: str = HEADER, row: str = "Firm {n},f{n}.example,{n},2026-10-01,EUR,5.00"
) -> bytes:
    return "\n".join([header, *(row.format(n=n) for n in numbers)]).encode()


TEN = a_file(*range(10))
WITHOUT_CURRENCY = a_file(
    1, 2, header="Customer,Invoice No,Due Date,Balance", row="Firm {n},{n},2026-10-01,5.00"
)
EITHER_WAY = a_file(1, 2, row="Firm {n},f{n}.example,{n},03/04/2026,EUR,5.00")


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    return await workshop()


async def received(w: Workshop, content: bytes = TEN, *, by: Person = ana, file_id: str = "F1") -> str:
    preview = await w.previews.receive(file_id=file_id, event=f"Ev-{file_id}", channel="C0OVERDUE", by=by)
    assert preview is not None
    await w.previews.fetched(preview.id, content, file="open.csv", thread_ts="1.0")
    return preview.id


async def previewed(w: Workshop, content: bytes = TEN, **options: Any) -> Preview:
    preview_id = await received(w, content, **options)
    await w.previews.read(preview_id)
    return await w.previews.get(preview_id)


async def applied(w: Workshop, preview: Preview, *, by: Person = ana) -> Preview:
    """Applied by a person and carried out by a worker."""
    await w.previews.apply(preview.id, by=by, sha256=preview.sha256, seal=preview.seal)
    await w.previews.carry_out(preview.id)
    return await w.previews.get(preview.id)


async def open_items(w: Workshop) -> list[str]:
    async with w.store.read() as tx:
        return sorted(item.document_number for item in await tx.books.open_on())


async def content(w: Workshop, preview: Preview) -> bytes | None:
    async with w.store.read() as tx:
        return await tx.previews.content(preview.id)


async def waiting(w: Workshop, name: str) -> list[str]:
    """The previews for which such a job was handed over."""
    found = await w.courier._ready().list_workflows_async(status=["ENQUEUED"])
    inputs = [w.input["args"] for w in found if w.input]
    return [args["preview_id"] for called, args in inputs if called == name]


async def tags(w: Workshop, preview: Preview) -> list[str]:
    return [event.tag for event in await w.story(preview.id)]


class TestReading:
    async def test_it_says_what_the_file_would_do_and_changes_nothing(self, w: Workshop):
        await applied(w, await previewed(w, a_file(*range(8))))
        rows = [*(f"Firm {n},f{n}.example,{n},2026-10-01,EUR,{n}.00" for n in range(3, 10)), "A,,x,?,EUR,1"]
        data = "\n".join([HEADER, *rows, rows[0], "Total,,,,,9"]).encode()
        found = (await previewed(w, data, file_id="F2")).finding
        assert found is not None
        assert (found.accepted, found.rejected, found.skipped, found.duplicates) == (7, 1, 1, 1)
        assert (found.new, found.changed, found.unchanged) == (2, 4, 1)
        # the rejected row names a customer whose items are nowhere: what is absent closes nevertheless
        assert (found.closed, found.kept) == (3, 0)
        assert [(o.currency, str(o.open), str(o.overdue)) for o in found.owed] == [("EUR", "42.00", "42.00")]
        assert [(note.code, note.rows, note.where) for note in found.rejects] == [
            ("bad_date", 1, ("line 9",))
        ]
        assert await open_items(w) == [str(n) for n in range(8)]

    async def test_the_rejects_are_a_report_until_they_are_handed_out(self, w: Workshop):
        preview = await previewed(w, a_file(1) + b"\n=cmd(),f9.example,9,?,EUR,1")
        report = await w.previews.report(preview.id)
        assert report is not None
        assert "bad_date" in report
        assert "'=cmd()" in report
        await w.previews.report_is_given(preview.id)
        assert await w.previews.report(preview.id) is None
        assert await w.previews.report((await previewed(w, file_id="F2")).id) is None

    async def test_two_workers_who_read_it_at_once_do_no_harm(self, w: Workshop):
        preview_id = await received(w)
        await asyncio.gather(*(w.previews.read(preview_id) for _ in range(3)))
        preview = await w.previews.get(preview_id)
        assert (preview.status, preview.version) == (PreviewStatus.OPEN, 2)
        assert await tags(w, preview) == ["receivables:received", "receivables:previewed"]

    async def test_what_slack_tells_twice_is_fetched_once(self, w: Workshop):
        first = await received(w)
        assert await w.previews.receive(file_id="F1", event="Ev-F1", channel="C0OVERDUE", by=ana) is None
        assert await waiting(w, jobs.FETCH_EXPORT) == [first]
        await w.previews.fetched(first, b"something else", file="x.csv", thread_ts=None)
        assert (await w.previews.get(first)).sha256 == hashlib.sha256(TEN).hexdigest()

    async def test_nobody_without_the_right_shares_one(self, w: Workshop):
        for person in (eve, ben):
            with pytest.raises(NotPermitted):
                await w.previews.receive(file_id="F1", event="Ev1", channel="C0OVERDUE", by=person)
        assert await waiting(w, jobs.FETCH_EXPORT) == []

    @pytest.mark.parametrize(
        ("data", "code", "status"),
        [
            pytest.param(b"%PDF-1.7", "unsupported_file", PreviewStatus.REFUSED, id="no table"),
            pytest.param(WITHOUT_CURRENCY, "missing_currency", PreviewStatus.OPEN, id="which currency"),
            pytest.param(EITHER_WAY, "ambiguous_date_order", PreviewStatus.OPEN, id="which order"),
        ],
    )
    async def test_a_refused_file_is_kept_only_where_a_person_can_help(
        self, w: Workshop, data: bytes, code: str, status: PreviewStatus
    ):
        preview = await previewed(w, data)
        assert preview.refusal is not None
        assert (preview.refusal.code, preview.status, preview.finding) == (code, status, None)
        assert await content(w, preview) == (data if status is PreviewStatus.OPEN else None)
        assert (await w.story(preview.id))[-1].facts["refused"] == code

    @pytest.mark.parametrize(
        ("data", "reading"),
        [
            pytest.param(WITHOUT_CURRENCY, Reading(as_of=TODAY, currency="CHF"), id="the currency"),
            pytest.param(EITHER_WAY, Reading(as_of=TODAY, date_order="MDY"), id="the order of dates"),
        ],
    )
    async def test_told_what_was_missing_it_is_read_anew(self, w: Workshop, data: bytes, reading: Reading):
        refused = await previewed(w, data)
        await w.previews.read_as(refused.id, reading, by=ana, seal=refused.seal)
        await w.previews.read(refused.id)
        preview = await w.previews.get(refused.id)
        assert preview.finding is not None
        assert (preview.status, preview.finding.accepted) == (PreviewStatus.OPEN, 2)
        assert (await applied(w, preview)).status is PreviewStatus.APPLIED
        async with w.store.read() as tx:
            items = await tx.books.open_on()
        if reading.currency:
            assert {item.currency for item in items} == {"CHF"}
        else:
            assert {item.due_date.month for item in items} == {3}

    async def test_a_day_older_than_the_books_can_only_be_changed(self, w: Workshop):
        await applied(w, await previewed(w))
        preview = await previewed(w, a_file(1), file_id="F2")
        await w.previews.read_as(preview.id, Reading(as_of=TODAY - DAY), by=ana, seal=preview.seal)
        await w.previews.read(preview.id)
        older = await w.previews.get(preview.id)
        assert older.finding is not None
        assert older.finding.held == "older_than_books"
        with pytest.raises(PreviewSettled):
            await applied(w, older)
        assert len(await open_items(w)) == 10

    async def test_a_large_file_has_a_card_while_it_is_read(self, w: Workshop):
        small = await received(w)
        large = await received(w, TEN + b"\n" * SLOW, file_id="F2")
        assert await waiting(w, jobs.SHOW_PREVIEW) == [large]
        assert sorted(await waiting(w, jobs.READ_EXPORT)) == sorted([small, large])


class TestApplying:
    async def test_the_books_say_what_the_file_says_and_the_file_goes(self, w: Workshop):
        preview = await applied(w, await previewed(w))
        assert preview.status is PreviewStatus.APPLIED
        assert len(await open_items(w)) == 10
        assert await content(w, preview) is None
        last = await w.receivables.last_import()
        assert last is not None
        assert (last.sha256, last.as_of) == (preview.sha256, TODAY)

    async def test_it_is_in_the_audit_trail_who_received_previewed_and_applied_what(self, w: Workshop):
        preview = await applied(w, await previewed(w), by=boss)
        received, seen = await w.story(preview.id)
        assert (received.tag, received.by, received.facts["sha256"]) == (
            "receivables:received",
            ana.id,
            preview.sha256,
        )
        assert (seen.tag, seen.facts["accepted"], seen.facts["new"]) == ("receivables:previewed", 10, 10)
        (done,) = await w.story(preview.sha256[:16])
        assert (done.tag, done.by) == ("receivables:imported", boss.id)
        assert (done.facts["preview"], done.facts["sha256"], done.facts["new"]) == (
            preview.id,
            preview.sha256,
            10,
        )

    async def test_a_worker_who_comes_twice_writes_once(self, w: Workshop):
        preview = await applied(w, await previewed(w))
        await asyncio.gather(*(w.previews.carry_out(preview.id) for _ in range(3)))
        assert len(await w.story(preview.sha256[:16])) == 1
        assert len(await open_items(w)) == 10

    async def test_a_second_click_says_who_was_first_and_changes_nothing(self, w: Workshop):
        preview = await previewed(w)
        await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        for why in ("applying", "applied"):
            with pytest.raises(PreviewSettled) as refusal:
                await w.previews.apply(preview.id, by=boss, sha256=preview.sha256, seal=preview.seal)
            assert (refusal.value.why, refusal.value.by) == (why, ana.id)
            await w.previews.carry_out(preview.id)
        assert len(await w.story(preview.sha256[:16])) == 1

    async def test_of_two_who_click_at_once_one_is_first(self, w: Workshop):
        preview = await previewed(w)
        came_of = await asyncio.gather(
            *(
                w.previews.apply(preview.id, by=person, sha256=preview.sha256, seal=preview.seal)
                for person in (ana, boss)
            ),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in came_of) == ["Preview", "PreviewSettled"]
        assert len(await waiting(w, jobs.APPLY_EXPORT)) == 1

    async def test_the_same_file_once_more_would_change_nothing_and_says_so(self, w: Workshop):
        await applied(w, await previewed(w))
        again = await previewed(w, file_id="F2")
        assert again.finding is not None
        assert again.finding.changes_nothing
        assert again.finding.seen_before == noon
        assert again.finding.unchanged == 10
        await applied(w, again)
        assert len(await open_items(w)) == 10

    async def test_what_was_shown_otherwise_is_not_applied(self, w: Workshop):
        preview = await previewed(w)
        with pytest.raises(PreviewSettled) as refusal:
            await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal="0" * 16)
        assert refusal.value.why == "changed"
        assert (await w.previews.get(preview.id)).status is PreviewStatus.OPEN

    async def test_an_import_in_between_voids_it_and_it_is_looked_at_anew(self, w: Workshop):
        preview = await previewed(w)
        await w.receivables.take_in(a_file(*range(5)), file_name="cli.csv", as_of=TODAY)
        with pytest.raises(PreviewSettled) as refusal:
            await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        assert refusal.value.why == "books"
        assert len(await open_items(w)) == 5
        await w.previews.read(preview.id)
        fresh = await w.previews.get(preview.id)
        assert fresh.finding is not None
        assert (fresh.status, fresh.voided, fresh.finding.new) == (PreviewStatus.OPEN, "books", 5)
        assert (await applied(w, fresh)).voided is None
        assert len(await open_items(w)) == 10

    async def test_an_import_between_the_click_and_the_worker_voids_it_too(self, w: Workshop):
        preview = await previewed(w)
        await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        await w.receivables.take_in(a_file(*range(5)), file_name="cli.csv", as_of=TODAY)
        await w.previews.carry_out(preview.id)
        assert len(await open_items(w)) == 5
        fresh = await w.previews.get(preview.id)
        assert (fresh.status, fresh.voided, fresh.by) == (PreviewStatus.READING, "books", None)

    async def test_another_policy_voids_it(self, w: Workshop, workshop: OpenWorkshop):
        preview = await previewed(w)
        restarted = await workshop(rules="policy-2")
        with pytest.raises(PreviewSettled) as refusal:
            await restarted.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        assert refusal.value.why == "rules"
        assert await open_items(w) == []

    async def test_bytes_that_are_not_those_of_the_hash_are_never_applied(self, w: Workshop):
        preview = await previewed(w)
        await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        async with w.store.begin() as tx:
            applying = await tx.previews.get(preview.id)
            await tx.previews.save(applying, content=a_file(1))
        await w.previews.carry_out(preview.id)
        damaged = await w.previews.get(preview.id)
        assert damaged.refusal == FileRefusal("damaged")
        assert (damaged.status, await open_items(w)) == (PreviewStatus.REFUSED, [])

    async def test_what_shrinks_the_books_says_so_and_a_person_may_apply_it(self, w: Workshop):
        await applied(w, await previewed(w))
        preview = await previewed(w, a_file(*range(6)), file_id="F2")
        assert preview.finding is not None
        assert (preview.finding.held, preview.finding.shrinks_by, preview.finding.closed) == (
            "shrinks",
            40,
            4,
        )
        assert (await applied(w, preview)).status is PreviewStatus.APPLIED
        assert len(await open_items(w)) == 6

    async def test_merged_it_closes_nothing(self, w: Workshop):
        await applied(w, await previewed(w))
        preview = await previewed(w, a_file(1, 11), file_id="F2")
        await w.previews.read_as(preview.id, Reading(as_of=TODAY, mode="merge"), by=ana, seal=preview.seal)
        await w.previews.read(preview.id)
        await applied(w, await w.previews.get(preview.id))
        assert len(await open_items(w)) == 11


class TestLettingGo:
    async def test_discarded_the_file_goes_and_the_books_stay(self, w: Workshop):
        preview = await previewed(w)
        discarded = await w.previews.discard(preview.id, by=boss)
        assert (discarded.status, discarded.by) == (PreviewStatus.DISCARDED, boss.id)
        assert await content(w, preview) is None
        assert await open_items(w) == []
        last = (await w.story(preview.id))[-1]
        assert (last.tag, last.by, last.facts["sha256"], last.facts["accepted"]) == (
            "receivables:discarded",
            boss.id,
            preview.sha256,
            10,
        )
        with pytest.raises(PreviewSettled):
            await applied(w, preview)

    @pytest.mark.parametrize("person", [eve, ben])
    async def test_nobody_without_the_right_decides(self, w: Workshop, person: Person):
        preview = await previewed(w)
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: w.previews.apply(preview.id, by=person, sha256=preview.sha256, seal=preview.seal),
            lambda: w.previews.discard(preview.id, by=person),
            lambda: w.previews.read_as(preview.id, Reading(as_of=TODAY), by=person, seal=preview.seal),
            lambda: w.previews.may_decide(preview.id, by=person, seal=preview.seal),
        ]
        for attempt in attempts:
            with pytest.raises(NotPermitted):
                await attempt()
        assert (await w.previews.get(preview.id)).status is PreviewStatus.OPEN

    async def test_after_a_day_it_expires_by_itself(self, w: Workshop):
        preview = await previewed(w)
        w.clock.passes(DAY - timedelta(seconds=1))
        await w.previews.sweep()
        assert (await w.previews.get(preview.id)).status is PreviewStatus.OPEN
        w.clock.passes(timedelta(seconds=1))
        with pytest.raises(PreviewSettled):
            await w.previews.apply(preview.id, by=ana, sha256=preview.sha256, seal=preview.seal)
        await w.previews.sweep()
        assert (await w.previews.get(preview.id)).status is PreviewStatus.EXPIRED
        assert await content(w, preview) is None
        assert (await w.story(preview.id))[-1].tag == "receivables:expired"


class TestSweep:
    async def test_what_a_dead_worker_left_is_handed_out_again(self, w: Workshop):
        fetching = await w.previews.receive(file_id="F0", event="Ev0", channel="C0OVERDUE", by=ana)
        assert fetching is not None
        reading = await received(w)
        applying = await previewed(w, file_id="F2")
        await w.previews.apply(applying.id, by=ana, sha256=applying.sha256, seal=applying.seal)
        expected = {jobs.FETCH_EXPORT: fetching.id, jobs.READ_EXPORT: reading, jobs.APPLY_EXPORT: applying.id}

        async def handed_out() -> dict[str, int]:
            return {name: (await waiting(w, name)).count(id) for name, id in expected.items()}

        before = await handed_out()
        await w.previews.sweep()
        assert await handed_out() == before, "its job is not lost yet"
        w.clock.passes(LOST_AFTER)
        await w.previews.sweep()
        assert await handed_out() == {name: n + 1 for name, n in before.items()}
        await w.previews.sweep()
        assert await handed_out() == {name: n + 1 for name, n in before.items()}, "it has just been"

    async def test_what_cannot_be_fetched_or_read_is_given_up(self, w: Workshop):
        fetching = await w.previews.receive(file_id="F0", event="Ev0", channel="C0OVERDUE", by=ana)
        assert fetching is not None
        reading = await received(w)
        for _ in range(MOST_TRIES + 1):
            w.clock.passes(LOST_AFTER)
            await w.previews.sweep()
        for preview_id, code in ((fetching.id, "unreachable"), (reading, "unreadable")):
            preview = await w.previews.get(preview_id)
            assert preview.refusal == FileRefusal(code)
            assert preview.status is PreviewStatus.REFUSED

    async def test_a_card_slack_did_not_take_is_shown_again(self, w: Workshop):
        preview = await previewed(w)
        before = (await waiting(w, jobs.SHOW_PREVIEW)).count(preview.id)
        w.clock.passes(LOST_AFTER)
        await w.previews.sweep()
        assert (await waiting(w, jobs.SHOW_PREVIEW)).count(preview.id) == before + 1

    async def test_rejects_that_slack_never_takes_are_not_kept_for_ever(self, w: Workshop):
        preview = await applied(w, await previewed(w, TEN + b"\nx,,99,?,EUR,1"))
        w.clock.passes(2 * DAY)
        await w.previews.sweep()
        assert await w.previews.report(preview.id)
        w.clock.passes(timedelta(seconds=1))
        await w.previews.sweep()
        assert await w.previews.report(preview.id) is None

    async def test_a_file_slack_knows_before_its_message_is_asked_for_again_for_a_moment(self, w: Workshop):
        preview = await w.previews.receive(file_id="F0", event="Ev0", channel="C0OVERDUE", by=ana)
        assert preview is not None
        assert await w.previews.fetch_later(preview)
        found = await w.courier._ready().list_workflows_async(status=["DELAYED", "ENQUEUED"])
        fetching = [w.input["args"] for w in found if w.input and w.input["args"][0] == jobs.FETCH_EXPORT]
        assert len(fetching) == 2
        w.clock.passes(SHARED_WITHIN)
        assert not await w.previews.fetch_later(preview)

    async def test_a_file_that_cannot_be_fetched_says_why(self, w: Workshop):
        preview = await w.previews.receive(file_id="F0", event="Ev0", channel="C0OVERDUE", by=ana)
        assert preview is not None
        await w.previews.cannot_be_fetched(preview.id, FileRefusal("gone"), file="x.csv", thread_ts="1.0")
        gone = await w.previews.get(preview.id)
        assert (gone.status, gone.refusal, gone.file) == (
            PreviewStatus.REFUSED,
            FileRefusal("gone"),
            "x.csv",
        )
        assert await waiting(w, jobs.SHOW_PREVIEW) == [preview.id]


async def test_on_postgres_it_is_the_same(workshop: OpenWorkshop, postgres_url: str):
    w = await workshop(database_url=postgres_url)
    preview = await previewed(w, TEN + b"\nx,,9,?,EUR,1")
    assert await w.previews.report(preview.id)
    came_of = await asyncio.gather(
        *(
            w.previews.apply(preview.id, by=person, sha256=preview.sha256, seal=preview.seal)
            for person in (ana, boss)
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in came_of) == ["Preview", "PreviewSettled"]
    await asyncio.gather(*(w.previews.carry_out(preview.id) for _ in range(3)))
    assert len(await open_items(w)) == 10
    assert len(await w.story(preview.sha256[:16])) == 1
    await w.previews.sweep()
