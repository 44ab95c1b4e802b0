"""The overdue digest in its channel: once a day, within Slack's limits, and harmless whoever is in it."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date, timedelta

import pytest

from bot.domain.people import Person, PersonId, Right
from bot.sandbox.receivables import HEADER, sample_receivables
from bot.sandbox.slack import Player
from handlers.digests import post_overdue
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, Transport

OVERDUE = "csp-overdue"
Debtor = tuple[str, str]
"""Name and domain in the books."""


async def take_in(stage: Stage, debtors: list[Debtor], on: date, *, overdue: int = 40) -> None:
    """Import books in which each of them owes one invoice that fell due so many days before."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADER)
    due, amounts = on - timedelta(days=overdue), ("EUR", "200.00", "200.00")
    for number, (name, domain) in enumerate(debtors, start=1):
        rows.writerow(
            (due - timedelta(days=30), "Invoice", f"INV-{number}", name, domain, due, "Net 30", *amounts)
        )
    taken = await stage.app.core.backstop.receivables.take_in(
        out.getvalue().encode(), file_name="open.csv", as_of=on, even_if_it_shrinks=True
    )
    assert taken.applied, taken


async def post(stage: Stage, on: date) -> story.Json:
    """The digest of that day, once posted."""
    assert await post_overdue(stage.app.desk, on.isoformat())
    return next(m for m in reversed(stage.slack.messages(OVERDUE)) if m.get("thread_ts") in (None, m["ts"]))


ENDS = ("-aging.png", ".xlsx", ".csv")


def files_of(stage: Stage, posted: story.Json) -> list[str]:
    """The names of the files in the thread."""
    thread = [m for m in stage.slack.messages(OVERDUE) if m.get("thread_ts") == posted["ts"]]
    return [file["name"] for m in thread for file in m.get("files", [])]


def turns(message: story.Json) -> list[str]:
    return [text for text in story.buttons(message) if text in ("Previous", "Next")]


def named(message: story.Json) -> list[str]:
    """Who is in it, in order."""
    marked = [line for line in story.lines(message).splitlines() if line.startswith("*Debtor ")]
    return [line.split("*")[1] for line in marked]


async def test_it_is_posted_at_its_time_by_itself(set_stage: SetStage):
    stage = await set_stage(backstop_overdue_cron="* * * * *")
    posted = await stage.slack.message_appears(OVERDUE)
    assert "No receivables have been imported yet" in posted["text"]
    assert "backstop import" in story.words(posted)


async def test_it_is_posted_once_a_day_even_when_asked_for_several_times_at_once(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    await story.imports_books(stage, today)
    asked = (post_overdue(stage.app.desk, today.isoformat()) for _ in range(4))
    assert sorted(await asyncio.gather(*asked)) == [False, False, False, True]
    assert not await post_overdue(stage.app.desk, today.isoformat())
    digests = [m for m in stage.slack.messages(OVERDUE) if m.get("thread_ts") in (None, m["ts"])]
    assert len(digests) == 1
    assert len(story.calls(stage, "chat.postMessage")) == 1

    assert await post_overdue(stage.app.desk, (today + timedelta(days=1)).isoformat())


async def test_after_slack_refused_it_can_be_posted_again(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    stage.slack.fail("chat.postMessage", error="not_in_channel")
    await asyncio.gather(post_overdue(stage.app.desk, today.isoformat()), return_exceptions=True)
    assert stage.slack.messages(OVERDUE) == []
    await post(stage, today)


async def test_from_nobody_to_sixty_debtors_it_keeps_slacks_limits(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    for step, many in enumerate((0, 1, 8, 9, 60)):
        day = today - timedelta(days=5 - step)
        debtors = [(f"Debtor {n:02}", f"debtor{n:02}.example") for n in range(many)]
        await take_in(stage, debtors or [("Debtor 99", "debtor99.example")], day, overdue=40 if many else -3)

        posted = await post(stage, day)

        assert named(posted) == [name for name, _ in debtors[:8]]
        assert ("Nobody is overdue." in story.words(posted)) is (many == 0)
        assert [t for t in story.buttons(posted) if t != "Link"] == (["Next"] if many > 8 else [])
        assert files_of(stage, posted) == ([f"overdue-{day}{end}" for end in ENDS] if many else [])
    rows = list(csv.reader(io.StringIO(_newest_file(stage))))
    assert len(rows) == 61


async def test_the_pages_are_turned_for_the_reader_alone(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [(f"Debtor {n:02}", f"debtor{n:02}.example") for n in range(20)], today)
    posted = await post(stage, today)

    async def turn(who: Player, message: story.Json, button: str, page: str) -> story.Json:
        assert (await who.click(message, button)).ok
        return await story.is_told(who, page, channel=OVERDUE)

    second = await turn(stage.ana, posted, "Next", "Page 2 of 3")
    assert named(second) == [f"Debtor {n:02}" for n in range(8, 16)]
    assert turns(second) == ["Previous", "Next"]
    third = await turn(stage.ana, second, "Next", "Page 3 of 3")
    assert named(third) == [f"Debtor {n:02}" for n in range(16, 20)]
    assert turns(third) == ["Previous"]
    await turn(stage.ana, third, "Previous", "Page 2 of 3")

    assert len([m for m in stage.ana.messages(OVERDUE) if m["ephemeral"]]) == 1
    assert [m for m in stage.ben.messages(OVERDUE) if m["ephemeral"]] == []
    assert named(next(m for m in stage.slack.messages(OVERDUE) if m["ts"] == posted["ts"])) == named(posted)


async def test_its_button_opens_the_form_for_that_customer(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    today = stage.app.core.backstop.digests.today()
    await take_in(
        stage, [("Contoso Ltd", "contoso.onmicrosoft.com"), ("Nobody Ltd", "nobody.example")], today
    )
    posted = await post(stage, today)
    ours = ["Suspend", "Open ticket", "Snooze", "Notice", "Promise to pay", "Owner"]
    assert story.buttons(posted) == [*ours, "Link"]  # no more for the one Partner Center does not know
    assert "Nobody Ltd" in story.words(posted)

    assert (await stage.ana.click(posted, "Suspend")).ok
    view = await stage.ana.modal_appears(callback_id="suspend_form")
    state = view["state"]["values"]
    assert state["customer"]["customer"]["selected_option"]["text"]["text"] == "Contoso Ltd"
    assert state["reason"]["reason"]["selected_option"]["text"]["text"] == "Non-payment"
    assert (await stage.eve.click(posted, "Suspend")).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert stage.eve.modal() is None


async def test_a_match_by_name_alone_is_marked_as_one(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [("contoso ltd", ""), ("Alpine Ski House", "")], today)
    posted = await post(stage, today)
    texts = stage.app.desk.texts
    assert texts("overdue-by-name", domain="contoso.onmicrosoft.com") in story.words(posted)
    assert story.buttons(posted) == [
        "Link",
        "Suspend",
        "Open ticket",
        "Link",
    ]  # two are called Alpine Ski House: no guess


async def test_hostile_names_are_inert(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    hostile = [
        "<!channel> pay",
        "*bold* _it_ `code`",
        '=HYPERLINK("http://evil.example")',
        "evil\u202egnp.exe",
    ]
    hostile += ["<@U0BEN>", "<https://evil.example|Contoso Ltd>", "+1+1", "@SUM(A1)", "-2+3"]
    await take_in(stage, [(name, f"h{n}.example") for n, name in enumerate(hostile)], today)

    posted = await post(stage, today)
    assert (await stage.ana.click(posted, "Next")).ok
    rest = await story.is_told(stage.ana, "Page 2 of 2", channel=OVERDUE)

    for message in (posted, rest):
        said = f"{message['text']}\n{story.words(message)}"
        for live in ("<!channel>", "<@U0BEN>", "<https://evil", "*bold*", "_it_", "`code`", "\u202e"):
            assert live not in said
    assert "&lt;!channel&gt; pay" in story.lines(posted) + story.lines(rest)
    cells = [cell for row in csv.reader(io.StringIO(_newest_file(stage))) for cell in row[:2]]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]


async def test_the_sample_partners_digest_names_the_worst_first_and_keeps_currencies_apart(
    set_stage: SetStage,
):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    assert "Coho Winery" in sample_receivables(today)
    await story.imports_books(stage, today)
    posted = await post(stage, today)
    said = story.lines(posted)
    assert said.index("Coho Winery") < said.index("Lamna Healthcare") < said.index("Fabrikam")
    totals = (await stage.app.core.backstop.digests.overdue(on=today)).totals
    assert set(totals) == {"USD", "EUR", "CNY"}
    for currency in totals:
        assert currency in said


def _newest_file(stage: Stage) -> str:
    file = list(stage.slack.workspace.files.values())[-1]
    assert file.content is not None
    return file.content.decode("utf-8-sig")


async def test_whoever_asks_has_a_digest_of_their_own_and_turns_its_pages_in_place(
    set_stage: SetStage, transport: Transport
):
    stage = await set_stage(transport=transport)
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [(f"Debtor {n:02}", f"debtor{n:02}.example") for n in range(20)], today)
    assert (await stage.ana.command("/csp overdue", channel=OVERDUE)).ok
    first = await story.is_told(stage.ana, "Page 1 of 3", channel=OVERDUE)
    assert (await stage.ana.click(first, "Next")).ok
    second = await story.is_told(stage.ana, "Page 2 of 3", channel=OVERDUE)
    assert second["ts"] == first["ts"]
    assert stage.slack.messages(OVERDUE) == [m for m in stage.slack.messages(OVERDUE) if m["ephemeral"]]
    assert [m for m in stage.ben.messages(OVERDUE) if m["ephemeral"]] == []

    assert (await stage.eve.command("/csp overdue", channel=OVERDUE)).ok
    refused = await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert "Debtor" not in story.words(refused)


async def test_who_may_read_nothing_turns_no_page(set_stage: SetStage):
    stage = await set_stage(transport="http")
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [(f"Debtor {n:02}", "") for n in range(20)], today)
    assert (await stage.eve.click(await post(stage, today), "Next")).ok
    refused = await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert "Debtor" not in story.words(refused)


async def test_a_page_is_shown_though_the_address_of_the_click_is_dead(set_stage: SetStage):
    stage = await set_stage(transport="http")
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [(f"Debtor {n:02}", "") for n in range(20)], today)
    assert (await stage.ana.click(await post(stage, today), "Next")).ok
    await story.is_told(stage.ana, "Page 2 of 3", channel=OVERDUE)
    payload = story.delivered(stage, "block_actions")
    payload["response_url"] += "-gone"
    day, _, page = payload["actions"][0]["value"].partition(":")
    payload["actions"][0]["value"] = f"{day}:{int(page) + 1}"
    assert (await story.forges(stage, payload))[0] == 200
    await story.is_told(stage.ana, "Page 3 of 3", channel=OVERDUE)


async def test_a_page_that_is_none_is_told(set_stage: SetStage):
    stage = await set_stage(transport="http")
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [(f"Debtor {n:02}", "") for n in range(20)], today)
    assert (await stage.ana.click(await post(stage, today), "Next")).ok
    await story.is_told(stage.ana, "Page 2 of 3", channel=OVERDUE)
    payload = story.delivered(stage, "block_actions")
    payload["actions"][0]["value"] = "yesterday:two"
    assert (await story.forges(stage, payload))[0] == 200
    await story.is_told(stage.ana, "This page is no longer there", channel=OVERDUE)


async def test_old_books_say_so_first_and_offer_no_suspension(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock)
    ours = [("Contoso Ltd", "contoso.onmicrosoft.com"), ("Nobody Ltd", "nobody.example")]
    await take_in(stage, ours, stage.app.core.backstop.digests.today())
    clock.moves(timedelta(days=3))
    posted = await post(stage, stage.app.core.backstop.digests.today())
    assert story.buttons(posted) == ["Snooze", "Owner", "Link"]
    assert posted["text"].startswith("⚠ These figures are of")
    assert "Please import a current export" in posted["blocks"][1]["text"]["text"]

    await take_in(stage, ours, stage.app.core.backstop.digests.today())
    await stage.app.core.backstop.followup.look_after(
        (await stage.app.core.backstop.customers.search("contoso"))[0].id,
        owner=PersonId("U0ANA"),
        by=Person(PersonId("U0ANA"), frozenset({Right.OPERATE})),
    )
    current = await stage.slack.message_appears(
        OVERDUE, lambda m: m["ts"] == posted["ts"] and "owner:" in story.lines(m)
    )
    assert story.buttons(current) == [
        "Suspend",
        "Open ticket",
        "Snooze",
        "Notice",
        "Promise to pay",
        "Owner",
        "Link",
    ]


async def test_the_chart_has_its_figures_in_words(set_stage: SetStage):
    stage = await set_stage()
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [("Contoso Ltd", "contoso.onmicrosoft.com")], today)
    await post(stage, today)
    chart = next(f for f in stage.slack.workspace.files.values() if f.name.endswith(".png"))
    assert chart.alt_txt == (
        "EUR\u00a0200.00 past due: 1–30 days: 0.00, 31–60 days: 200.00, 61–90 days: 0.00, 90+ days: 0.00"
    )
    assert chart.content is not None
    assert chart.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("knows_charts", [True, False], ids=["a Slack that draws", "one that does not yet"])
async def test_slack_draws_the_chart_where_it_can_and_gets_a_picture_where_it_cannot(
    set_stage: SetStage, knows_charts: bool
):
    unknown = frozenset() if knows_charts else frozenset({"data_visualization"})
    stage = await set_stage(backstop_native_charts=True, without_blocks=unknown)
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, [("Contoso Ltd", "contoso.onmicrosoft.com")], today)
    await post(stage, today)
    drawn = [
        m
        for m in stage.slack.messages(OVERDUE)
        if any(b["type"] == "data_visualization" for b in m.get("blocks", []))
    ]
    pictures = [f for f in stage.slack.workspace.files.values() if f.name.endswith(".png")]
    assert (len(drawn), len(pictures)) == ((1, 0) if knows_charts else (0, 1))
    assert all("31–60 days: 200.00" in m["text"] and m["thread_ts"] for m in drawn)
    assert not await post_overdue(stage.app.desk, today.isoformat())
    assert len([f for f in stage.slack.workspace.files.values() if f.name.endswith(".png")]) == len(pictures)
