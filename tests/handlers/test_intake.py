"""A receivables export dropped into Slack: previewed in its thread, applied once and as it was shown, or discarded."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.audit import AuditEvent
from bot.receivables.detect import LARGEST_FILE
from bot.sandbox.slack import Player
from bot.services.previews import LOST_AFTER
from handlers.intake import show_preview
from tests.builders import DAY
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.story import Clock, Json
from tests.stage import Stage, Transport

OVERDUE = "csp-overdue"
MERGED = "Part of what is open\n*Shared by*\n<@U0ANA>\n*Rows of the file*"
DONE = "The books say now what the file says"
HEADER = "Customer,Tenant ID,Invoice No,Due Date,Currency,Balance"
ROW = "Firm {n},f{n}.example,{n},2026-10-01,EUR,5.00"


def a_file(*numbers: int, header: str = HEADER, row: str = ROW) -> bytes:
    return "\n".join([header, *(row.format(n=n) for n in numbers)]).encode()


TEN = a_file(*range(10))
WITH_REJECTS = TEN + b"\n=1+1,f11.example,11,someday,EUR,1.00\nFirm,f12.example,12,2026-10-01,EUR,lots"
WITHOUT_CURRENCY = a_file(
    1, 2, header="Customer,Invoice No,Due Date,Balance", row="Firm {n},{n},2026-10-01,5"
)
EITHER_WAY = a_file(1, 2, row="Firm {n},f{n}.example,{n},03/04/2026,EUR,5.00")


async def drops(
    stage: Stage,
    content: bytes = TEN,
    *,
    by: Player | None = None,
    channel: str = OVERDUE,
    name: str = "open.csv",
    **options: Any,
) -> Json:
    """Share a file; the message it was shared with."""
    who = by or stage.ana
    assert (await who.upload(name, content, channel=channel, mimetype="text/csv", **options)).ok
    return [m for m in who.messages(place(who, channel)) if m.get("files")][-1]


def place(who: Player, channel: str) -> str:
    return f"D{who.person.id[1:]}" if channel == "backstop" else channel


def in_thread(stage: Stage, shared: Json) -> list[Json]:
    """What the bot has said under the file, for everybody."""
    return [
        m
        for m in stage.slack.messages(shared["channel"])
        if m.get("thread_ts") == shared["ts"] and m["ts"] != shared["ts"] and not m["ephemeral"]
    ]


def cards(stage: Stage, shared: Json) -> list[Json]:
    return [m for m in in_thread(stage, shared) if m.get("blocks")]


async def card_says(stage: Stage, shared: Json, said: str) -> Json:
    """Wait until the card in the file's thread says so."""
    return await stage.slack.message_appears(
        shared["channel"],
        lambda m: m.get("thread_ts") == shared["ts"] and said in f"{m['text']}\n{story.lines(m)}",
    )


async def previewed(stage: Stage, content: bytes = TEN, **options: Any) -> tuple[Json, Json]:
    """Share a file and wait for its preview: message and card."""
    shared = await drops(stage, content, **options)
    return shared, await card_says(stage, shared, "Apply or discard?")


async def applied(stage: Stage, content: bytes = TEN, **options: Any) -> Json:
    shared, card = await previewed(stage, content, **options)
    assert (await stage.ana.click(card, "Apply")).ok
    return await card_says(stage, shared, DONE)


async def open_items(stage: Stage) -> list[str]:
    async with stage.app.core.store.read() as tx:
        return sorted((item.document_number for item in await tx.books.open_on()), key=int)


async def audited(stage: Stage, tag: str) -> list[AuditEvent]:
    async with stage.app.core.store.read() as tx:
        return [e async for e in tx.audit.since() if e.tag == tag]


async def refused(stage: Stage) -> list[tuple[str, str]]:
    return [(e.by, str(e.facts["error"])) for e in await audited(stage, "access:refused")]


def fetches(stage: Stage) -> int:
    return sum(e.method == "files-pri" for e in stage.slack.exchanges)


@pytest.fixture
async def stage(set_stage: SetStage) -> Stage:
    return await set_stage()


class TestDropping:
    @pytest.mark.parametrize("channel", ["backstop", OVERDUE], ids=["to the app", "in the overdue channel"])
    async def test_the_preview_is_in_the_thread_and_changes_nothing(
        self, set_stage: SetStage, transport: Transport, channel: str
    ):
        stage = await set_stage(transport=transport)
        shared, card = await previewed(stage, WITH_REJECTS, channel=channel)
        said = story.lines(card)
        assert "open.csv" in said
        assert "Accepted: 10\nRejected: 2\nSkipped (totals, blank): 0\nDuplicates: 0\nNot open: 0" in said
        assert "New: 10\nChanged: 0\nUnchanged: 0\nClosed: 0" in said
        assert "EUR\u00a050.00 open, 50.00 overdue" in said
        assert "• 1 × the amount cannot be read (line 13)" in said
        assert story.buttons(card) == ["Apply", "Settings…", "Discard"]
        assert await open_items(stage) == []

        assert (await stage.ana.click(card, "Apply")).ok
        done = await card_says(stage, shared, DONE)
        assert story.buttons(done) == []
        assert len(await open_items(stage)) == 10
        assert len(cards(stage, shared)) == 1

    async def test_the_confirmation_carries_the_files_hash_and_the_previews_id(self, stage: Stage):
        _, card = await previewed(stage)
        preview_id, sha256, _ = story.element(card, "export_apply")["value"].split(":")
        (received,) = await audited(stage, "receivables:received")
        assert (received.subject, received.facts["sha256"]) == (preview_id, sha256)
        assert sha256[:12] in story.lines(card)

    async def test_the_rejects_are_a_file_in_the_thread_that_is_safe_to_open(self, stage: Stage):
        shared, _ = await previewed(stage, WITH_REJECTS)
        attached = await stage.slack.message_appears(
            OVERDUE, lambda m: m.get("thread_ts") == shared["ts"] != m["ts"] and bool(m.get("files"))
        )
        (file,) = attached["files"]
        assert (file["name"], attached["user"]) == ("rejected-rows.csv", "U0BACKSTOP")
        content = stage.slack.workspace.files[file["id"]].content
        assert content is not None
        assert content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        assert [(row[0], row[2]) for row in rows[1:]] == [("line 12", "bad_date"), ("line 13", "bad_amount")]
        assert "'=1+1" in rows[1]

    async def test_our_own_files_are_not_taken_for_exports(self, stage: Stage):
        shared, _ = await previewed(stage, WITH_REJECTS)
        await calls(stage, "file_shared", 2)
        await previewed(stage, a_file(1), name="another.csv")
        assert len(await audited(stage, "receivables:received")) == 2
        assert len(cards(stage, shared)) == 1
        assert await refused(stage) == []

    async def test_without_rejects_there_is_no_file(self, stage: Stage):
        shared, card = await previewed(stage)
        await show_preview(stage.app.desk, story.element(card, "export_apply")["value"].split(":")[0])
        assert [m for m in in_thread(stage, shared) if m.get("files")] == []

    async def test_in_a_direct_message_the_card_speaks_the_persons_language(self, set_stage: SetStage):
        stage = await set_stage(backstop_operators=("U0EVE",))
        shared = await drops(stage, WITHOUT_CURRENCY, by=stage.eve, channel="backstop")
        card = await card_says(stage, shared, "Die Datei nennt keine Währung")
        assert story.buttons(card) == ["Einstellungen…", "Verwerfen"]

    async def test_shared_as_an_answer_the_card_is_in_that_thread(self, stage: Stage):
        await stage.ben.say("the list, please", channel=OVERDUE)
        (asked,) = stage.slack.messages(OVERDUE)
        await drops(stage, thread_ts=asked["ts"])
        await stage.slack.message_appears(
            OVERDUE, lambda m: m.get("thread_ts") == asked["ts"] and "Apply or discard?" in m["text"]
        )

    async def test_slack_telling_twice_makes_one_card(self, set_stage: SetStage, transport: Transport):
        stage = await set_stage(transport=transport)
        shared, _ = await previewed(stage)
        for _ in range(3):
            assert (await stage.slack.redeliver(last=False)).ok
        await previewed(stage, a_file(1), name="another.csv")  # whose card would come after any other
        assert len(cards(stage, shared)) == 1
        assert fetches(stage) == 2

    async def test_a_file_in_another_channel_is_left_alone(self, stage: Stage):
        await drops(stage, channel="csp-billing")
        await previewed(stage)
        assert len(await audited(stage, "receivables:received")) == 1
        assert [m for m in stage.slack.messages("csp-billing") if m.get("user") == "U0BACKSTOP"] == []

    async def test_people_may_talk_in_pictures(self, stage: Stage):
        for who in (stage.ana, stage.ben):
            picture = {"channel": OVERDUE, "mimetype": "image/png"}
            assert (await who.upload("graph.png", b"\x89PNG", **picture)).ok
        await previewed(stage)
        assert await refused(stage) == []
        assert len(await audited(stage, "receivables:received")) == 1

    async def test_to_the_app_even_a_picture_gets_an_answer(self, stage: Stage):
        assert (await stage.ana.upload("a.png", b"\x89PNG\0", channel="backstop", mimetype="image/png")).ok
        (shared,) = [m for m in stage.ana.dms() if m.get("files")]
        card = await card_says(stage, shared, "Nothing was taken: This is not a text file")
        assert story.buttons(card) == []

    @pytest.mark.parametrize("channel", ["backstop", OVERDUE])
    async def test_without_the_right_one_hears_which_is_missing_and_nothing_is_fetched(
        self, set_stage: SetStage, transport: Transport, channel: str
    ):
        stage = await set_stage(transport=transport)
        for who in (stage.ben, stage.eve):
            await drops(stage, by=who, channel=channel)
            await story.is_told(who, "BACKSTOP_OPERATORS", channel=place(who, channel))
        assert await refused(stage) == [("U0BEN", "not-permitted"), ("U0EVE", "not-permitted")]
        assert fetches(stage) == 0
        assert await audited(stage, "receivables:received") == []

    async def test_where_rights_cannot_be_read_nobody_is_let_in(self, stage: Stage):
        stage.slack.fail("usergroups.users.list", error="fatal_error", times=9)
        await drops(stage)
        await story.is_told(stage.ana, "Slack", channel=OVERDUE)
        assert fetches(stage) == 0


class TestFetching:
    async def test_a_file_that_is_too_large_is_not_even_fetched(self, stage: Stage):
        shared = await drops(stage, b"x" * (LARGEST_FILE + 1))
        await card_says(stage, shared, "more than 20 MB")
        assert fetches(stage) == 0

    @pytest.mark.parametrize("fault", ["files.info", "files-pri"])
    async def test_a_slack_that_does_not_answer_is_asked_again(self, set_stage: SetStage, fault: str):
        clock = Clock()
        stage = await set_stage(now=clock)
        stage.slack.fail(fault, error="fatal_error")
        shared = await drops(stage)
        await calls(stage, fault)
        clock.moves(LOST_AFTER)
        await stage.app.core.backstop.previews.sweep()
        await card_says(stage, shared, "Apply or discard?")

    async def test_a_file_deleted_meanwhile_says_so(self, stage: Stage):
        stage.slack.fail("files.info", error="file_not_found")
        await drops(stage)
        card = await stage.slack.message_appears(OVERDUE, lambda m: "was not taken" in m["text"])
        assert "deleted in Slack before it was read" in story.lines(card)

    async def test_without_the_scope_it_says_who_can_help(self, stage: Stage):
        stage.slack.fail("files.info", error="missing_scope")
        await drops(stage)
        card = await stage.slack.message_appears(OVERDUE, lambda m: "was not taken" in m["text"])
        assert "`backstop manifest`" in story.lines(card)


class TestDeciding:
    @pytest.mark.parametrize("button", ["Apply", "Settings…", "Discard"])
    async def test_without_the_right_one_is_refused_alone(self, stage: Stage, button: str):
        shared, card = await previewed(stage)
        for who in (stage.ben, stage.eve):
            assert (await who.click(card, button)).ok
            await story.is_told(who, "BACKSTOP_OPERATORS", channel=OVERDUE)
            assert who.modal() is None
        assert story.buttons(cards(stage, shared)[0]) == ["Apply", "Settings…", "Discard"]
        assert await open_items(stage) == []

    async def test_a_right_that_was_taken_away_since_does_not_count(self, stage: Stage):
        _, card = await previewed(stage)
        groups = stage.slack.workspace.groups
        groups["S0BILLING"] = replace(groups["S0BILLING"], members=("U0EVE",))
        assert (await stage.ana.click(card, "Apply")).ok
        await story.is_told(stage.ana, "BACKSTOP_OPERATORS", channel=OVERDUE)
        assert await open_items(stage) == []

    async def test_applying_twice_changes_nothing_and_says_so(self, stage: Stage):
        shared, card = await previewed(stage)
        stage.slack.fail("chat.update", error="fatal_error", times=99)  # so that the card keeps its buttons
        for _ in range(2):
            assert (await stage.ana.click(card, "Apply")).ok
        await story.is_told(stage.ana, "<@U0ANA> has already applied this", channel=OVERDUE)
        await until_open(stage, 10)
        assert (await stage.ana.click(card, "Apply")).ok
        await story.is_told(stage.ana, "Applying it twice changes nothing", channel=OVERDUE)
        story.slack_recovers(stage)
        assert (await stage.ana.click(card, "Discard")).ok
        await card_says(stage, shared, "The books say now what the file says")
        assert len(await audited(stage, "receivables:imported")) == 1

    async def test_the_same_file_once_more_says_that_nothing_would_change(self, stage: Stage):
        await applied(stage)
        shared, card = await previewed(stage, name="again.csv")
        said = story.lines(card)
        assert "This very file was applied for this day before" in said
        assert "Applying it would change nothing" in said
        assert "New: 0\nChanged: 0\nUnchanged: 10\nClosed: 0" in said
        assert (await stage.ana.click(card, "Apply")).ok
        await card_says(stage, shared, "Nothing had to be changed")

    async def test_discarding_deletes_the_file_here_and_is_remembered(self, stage: Stage):
        shared, card = await previewed(stage)
        assert (await stage.ana.click(card, "Discard")).ok
        gone = await card_says(stage, shared, "<@U0ANA> discarded this")
        assert story.buttons(gone) == []
        preview_id, sha256, _ = story.element(card, "export_apply")["value"].split(":")
        async with stage.app.core.store.read() as tx:
            assert await tx.previews.content(preview_id) is None
        (event,) = await audited(stage, "receivables:discarded")
        assert (event.by, event.facts["sha256"], event.facts["accepted"]) == ("U0ANA", sha256, 10)

    async def test_what_shrinks_the_books_asks_once_more(self, stage: Stage):
        await applied(stage)
        shared, card = await previewed(stage, a_file(*range(4)), name="short.csv")
        assert "60 % of the open items would close" in story.lines(card)
        assert story.buttons(card) == ["Apply anyway", "Settings…", "Discard"]
        dialog = story.element(card, "export_apply")["confirm"]
        assert "6 items will be closed" in dialog["text"]["text"]
        assert not (await stage.ana.click(card, "Apply anyway", confirm=False)).ok
        assert len(await open_items(stage)) == 10
        assert (await stage.ana.click(card, "Apply anyway")).ok
        await card_says(stage, shared, DONE)
        assert await open_items(stage) == ["0", "1", "2", "3"]

    async def test_an_import_in_between_voids_it_and_the_card_shows_what_holds_now(self, stage: Stage):
        shared, card = await previewed(stage)
        receivables, today = stage.app.core.backstop.receivables, stage.app.core.backstop.previews.today()
        await receivables.take_in(a_file(0, 1, 2), file_name="cli.csv", as_of=today)
        assert (await stage.ana.click(card, "Apply")).ok
        await story.is_told(stage.ana, "the books have changed since this preview", channel=OVERDUE)
        fresh = await card_says(stage, shared, "This was not applied: the books have changed")
        assert "New: 7\nChanged: 0\nUnchanged: 3" in story.lines(fresh)
        assert await open_items(stage) == ["0", "1", "2"]
        assert (await stage.ana.click(fresh, "Apply")).ok
        await card_says(stage, shared, DONE)
        assert len(await open_items(stage)) == 10

    async def test_a_hash_of_another_file_is_refused(self, set_stage: SetStage):
        stage = await set_stage(transport="http")
        _, card = await previewed(stage)
        assert (await stage.ana.click(card, "Settings…")).ok
        forged = story.delivered(stage, "block_actions")
        preview_id, _, seal = story.element(card, "export_apply")["value"].split(":")
        forged["actions"][0] |= {"action_id": "export_apply", "value": f"{preview_id}:{'0' * 64}:{seal}"}
        await story.forges(stage, forged)
        await story.is_told(stage.ana, "This button is for another file", channel=OVERDUE)
        for value in ("", "P-NONE", f"P-NONE:{'0' * 64}:{seal}"):
            forged["actions"][0]["value"] = value
            await story.forges(stage, forged)
        await story.is_told(stage.ana, "There is no such preview", channel=OVERDUE)
        assert await open_items(stage) == []

    async def test_after_a_day_it_has_expired(self, set_stage: SetStage):
        clock = Clock()
        stage = await set_stage(now=clock)
        shared, card = await previewed(stage)
        clock.moves(DAY)
        assert (await stage.ana.click(card, "Apply")).ok
        await story.is_told(stage.ana, "This preview has expired", channel=OVERDUE)
        await stage.app.core.backstop.previews.sweep()
        gone = await card_says(stage, shared, "Nobody decided within a day")
        assert story.buttons(gone) == []
        assert await open_items(stage) == []


class TestSettings:
    async def test_a_file_without_currency_is_asked_about_in_the_card(
        self, set_stage: SetStage, transport: Transport
    ):
        stage = await set_stage(transport=transport)
        shared = await drops(stage, WITHOUT_CURRENCY)
        card = await card_says(stage, shared, "The file names no currency")
        assert story.buttons(card) == ["Settings…", "Discard"]
        await opens(stage, card)
        errors = ((await stage.ana.submit()).body or {})["errors"]
        assert list(errors) == ["export_currency"]
        stage.ana.type("export_currency", "XXX")
        assert "no currency code" in ((await stage.ana.submit()).body or {})["errors"]["export_currency"]
        stage.ana.type("export_currency", "chf")
        assert (await stage.ana.submit()).ok
        assert stage.ana.modal() is None
        fresh = await card_says(stage, shared, "Apply or discard?")
        assert "CHF\u00a010.00 open" in story.lines(fresh)
        assert "Everything that is open · CHF" in story.lines(fresh)
        assert (await stage.ana.click(fresh, "Apply")).ok
        await until_open(stage, 2)

    async def test_dates_that_can_be_read_in_two_ways_are_asked_about(self, stage: Stage):
        shared = await drops(stage, EITHER_WAY)
        await opens(stage, await card_says(stage, shared, "can be read in two ways"))
        assert list(((await stage.ana.submit()).body or {})["errors"]) == ["export_date_order"]
        await stage.ana.choose("export_date_order", "Day first")
        assert (await stage.ana.submit()).ok
        await card_says(stage, shared, "Everything that is open · DMY")

    async def test_a_part_is_merged_as_of_another_day(self, stage: Stage):
        today = stage.app.core.backstop.previews.today()
        receivables = stage.app.core.backstop.receivables
        await receivables.take_in(TEN, file_name="cli.csv", as_of=today - 2 * DAY)
        shared, card = await previewed(stage, a_file(3, 99), name="part.csv")
        await opens(stage, card)
        await stage.ana.choose("export_mode", "Part of what is open")
        for day, said in ((today + DAY, "not come yet"), (today - 3 * DAY, "already speak for")):
            await stage.ana.pick("export_as_of", day.isoformat())
            assert said in ((await stage.ana.submit()).body or {})["errors"]["export_as_of"]
        await stage.ana.pick("export_as_of", (today - DAY).isoformat())
        assert (await stage.ana.submit()).ok
        merged = await card_says(stage, shared, MERGED)
        assert "New: 1\nChanged: 0\nUnchanged: 1\nClosed: 0" in story.lines(merged)
        assert (await stage.ana.click(merged, "Apply")).ok
        await until_open(stage, 11)
        last = await receivables.last_file()
        assert last is not None
        assert (last.as_of, last.mode) == (today - DAY, "merge")

    async def test_what_was_shown_before_the_settings_changed_does_not_count(self, set_stage: SetStage):
        stage = await set_stage(transport="http")
        shared, card = await previewed(stage)
        await opens(stage, card)
        before = story.delivered(stage, "block_actions")
        await stage.ana.choose("export_mode", "Part of what is open")
        assert (await stage.ana.submit()).ok
        await card_says(stage, shared, MERGED)
        before["actions"][0] |= {"action_id": "export_apply"}
        await story.forges(stage, before)
        await story.is_told(stage.ana, "This is not what you have seen", channel=OVERDUE)
        assert await open_items(stage) == []

    async def test_the_form_of_a_preview_that_is_over_says_so(self, stage: Stage):
        shared, card = await previewed(stage)
        await opens(stage, card)
        assert (await stage.ana.click(card, "Apply")).ok
        await card_says(stage, shared, DONE)
        assert (await stage.ana.submit()).ok
        await story.modal_says(stage.ana, "has already applied this")


class TestTrouble:
    async def test_a_card_slack_did_not_take_is_posted_once_in_the_end(self, set_stage: SetStage):
        clock = Clock()
        stage = await set_stage(now=clock)
        stage.slack.fail("chat.postMessage", error="fatal_error")
        shared = await drops(stage)
        await calls(stage, "chat.postMessage")
        clock.moves(LOST_AFTER)
        for _ in range(3):
            await stage.app.core.backstop.previews.sweep()
        await card_says(stage, shared, "Apply or discard?")
        assert len(cards(stage, shared)) == 1

    async def test_a_rejects_file_slack_refuses_does_no_harm(self, stage: Stage):
        stage.slack.fail("files.getUploadURLExternal", error="missing_scope")
        shared, card = await previewed(stage, WITH_REJECTS)
        await calls(stage, "files.getUploadURLExternal")
        assert (await stage.ana.click(card, "Apply")).ok
        await card_says(stage, shared, DONE)


async def opens(stage: Stage, card: Json) -> Json:
    assert (await stage.ana.click(card, "Settings…")).ok
    return await stage.ana.modal_appears(callback_id="export_settings_form")


async def until_open(stage: Stage, many: int) -> None:
    """Wait until so many items are open in the books."""
    async with asyncio.timeout(30):
        while len(await open_items(stage)) != many:
            await asyncio.sleep(0)


async def calls(stage: Stage, method: str, many: int = 1) -> None:
    """Wait until that method was called so often, or that event told."""
    await stage.slack.workspace.news.until(
        lambda: [e for e in stage.slack.exchanges if e.method == method][many - 1 :]
    )
