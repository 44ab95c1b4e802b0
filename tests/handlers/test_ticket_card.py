"""The card of a ticket, its draft in the thread, and who is told and reminded of what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.ticket import TicketStatus
from handlers.ticket_card import card_key, nudge_ticket, show_ticket
from tests.builders import ana
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.ticketing import CHANNEL, PORTAL, TICKETS, a_matter, opens
from tests.services.workshop import Clock
from tests.stage import Stage
from tests.views.test_views import complaints, mrkdwn

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def due_now(stage: Stage, ticket_id: str) -> tuple[str, str]:
    """What the sweep would have people reminded of at this moment."""
    backstop = stage.app.core.backstop
    due = (await backstop.tickets.get(ticket_id)).due(
        at=backstop.now(), zone=backstop.zone, calendar=backstop.policy.calendar, cloud=backstop.cloud
    )
    assert due is not None
    return due.nudge.value, due.key


async def test_a_draft_of_any_length_and_any_signs_is_intact_in_the_thread_and_nothing_is_interpreted(
    set_stage: SetStage,
):
    stage = await set_stage(**CHANNEL)
    line = "*now* <!channel> <https://evil.example|click> `code` \u202eאבג\u2069 &amp; ␀ 漢字 {name}\n"
    text = (line * 500)[:20_000]
    title = "<!channel> *now* \u202e`אבג`"
    ticket = await opens(stage, text=text, matter=a_matter(title=title, description=text))
    card = await ticket.card("To be filed")
    assert await ticket.draft_file() == f"Mailboxes (A)\n\n{text}"
    assert complaints({"blocks": card["blocks"]}) == []
    assert sum(len(words) for words in story.lines(card)) < 12_000
    for said in (card["text"], *mrkdwn(card["blocks"])):
        for live in ("<!channel>", "*now*", "<https://evil", "\u202e"):
            assert live not in said
    (beginning,) = [b for b in card["blocks"] if "now* <!channel>" in str(b) and b["type"] == "section"]
    assert beginning["text"]["type"] == "plain_text"
    (link,) = [e for e in story.elements(card) if e["action_id"] == "ticket_portal"]
    assert link["url"] == PORTAL

    assert (await stage.ana.click(card, "Copy text")).ok
    form = await stage.ana.modal_appears(callback_id="ticket_copy")
    parts = [e["initial_value"] for e in story.elements(form)][1:]
    assert "".join(parts) == text
    assert max(map(len, parts)) <= 3000
    assert (await stage.ana.submit()).ok


async def test_however_often_it_is_shown_there_is_one_card_and_one_file(set_stage: SetStage):
    stage = await set_stage(**CHANNEL)
    ticket = await opens(stage)
    await ticket.draft_file()
    for _ in range(2):
        await show_ticket(stage.app.desk, ticket.id)
    shown = [m for m in stage.slack.messages(TICKETS) if ticket.id in m["text"] or m.get("files")]
    assert [bool(m.get("files")) for m in shown] == [False, True]
    post = await stage.app.core.backstop.posts.find(card_key(ticket.id))
    assert post is not None
    assert post.drawn == (await ticket.now()).version
    assert stage.slack.messages("csp-approvals") == []
    assert stage.ana.dms() == [], "nothing happened that she did not do herself"


async def test_whoever_opened_it_is_reminded_to_file_it_once_a_business_day_and_only_then(
    set_stage: SetStage,
):
    clock = Clock(MONDAY)
    stage = await set_stage(now=clock, **CHANNEL)
    ticket = await opens(stage)
    await ticket.card()
    clock.passes(5 * HOUR)
    nudge, key = await due_now(stage, ticket.id)
    for _ in range(2):
        await nudge_ticket(stage.app.desk, ticket.id, nudge, key)
    await nudge_ticket(stage.app.desk, ticket.id, "inform", key)
    (told,) = stage.ana.dms()
    assert "It has not been filed yet." in story.words(told)
    assert "<#C0TICKETS>" in story.words(told)
    assert await stage.app.core.backstop.posts.find(f"nudge:{ticket.id}:{nudge}:{key}")

    clock.passes(24 * HOUR)
    await nudge_ticket(stage.app.desk, ticket.id, nudge, key)
    assert len(stage.ana.dms()) == 1, "that reminder was for yesterday"
    await stage.app.core.backstop.tickets.file(ticket.id, "SR-1", by=ana)
    await nudge_ticket(stage.app.desk, ticket.id, "file", "2026-11-24")
    assert len(stage.ana.dms()) == 1, "it is filed by now"


async def test_an_overdue_answer_is_said_to_the_opener_in_the_thread_and_on_the_card(set_stage: SetStage):
    clock = Clock(MONDAY)
    stage = await set_stage(now=clock, **CHANNEL)
    ticket = await opens(stage)
    await stage.app.core.backstop.tickets.file(ticket.id, "SR-1", by=ana)
    await ticket.card("First answer from Microsoft due: <!date^1795431600^")
    await ticket.draft_file()  # by now it is on record where the card stands
    clock.passes(3 * HOUR)
    nudge, key = await due_now(stage, ticket.id)
    for _ in range(2):
        await nudge_ticket(stage.app.desk, ticket.id, nudge, key)
    card = await ticket.card("⚠ *Microsoft's first answer is overdue since <!date^1795431600^")
    (told,) = stage.ana.dms()
    assert "Please call Microsoft's support with the number SR-1" in story.words(told)
    replies = [m for m in stage.slack.messages(TICKETS) if m.get("thread_ts") == card["ts"] != m["ts"]]
    assert sum("is overdue since" in m["text"] for m in replies) == 1


async def test_every_approver_who_has_not_spoken_is_reminded_once(set_stage: SetStage):
    clock = Clock(MONDAY)
    stage = await set_stage(now=clock, backstop_approvals_ticket=1, **CHANNEL)
    ticket = await opens(stage)
    await ticket.card(channel="csp-approvals")
    clock.passes(13 * HOUR)
    nudge, key = await due_now(stage, ticket.id)
    for _ in range(2):
        await nudge_ticket(stage.app.desk, ticket.id, nudge, key)
    for approver in (stage.ben, stage.mei):
        (told,) = approver.dms()
        assert ticket.id in told["text"]
    assert stage.ana.dms() == []
    assert await stage.app.core.backstop.posts.find(f"nudge:{ticket.id}:decide:{key}")
    assert (await ticket.now()).status is TicketStatus.PENDING
