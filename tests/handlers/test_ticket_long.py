"""A description far longer than Slack lets type, full of marks: it comes through whole, and nothing in it is obeyed."""

from __future__ import annotations

import json

import pytest

from bot.domain.matter import MOST_DESCRIPTION, shown
from handlers import ids, reading
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.ticketing import CHANNEL, TICKETS, Opened

LONG = ("*bold* <!channel> <@U0BEN> `x` שלום עולם 漢字 \x00\x07\x1b[31m & ~s~\n" * 400)[:20_000]


async def test_twenty_thousand_characters_reach_the_draft_as_they_were_written(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 60.0)  # Slack, which waits three, is not asked
    stage = await set_stage(transport="http", **CHANNEL)
    assert (await stage.ana.command("/csp-ticket contoso")).ok
    await stage.ana.modal_appears(callback_id=ids.TICKET_FORM)
    stage.ana.type(ids.TICKET_TITLE, "*Mail* <!channel>")
    stage.ana.type(ids.TICKET_DESCRIPTION, "short")
    assert (await stage.ana.submit()).ok
    submission = story.delivered(stage, "view_submission")
    typed = submission["view"]["state"]["values"][ids.TICKET_DESCRIPTION][ids.TICKET_DESCRIPTION]

    typed["value"] = "x" * (MOST_DESCRIPTION + 1)
    _, refused = await story.forges(stage, submission)
    assert json.loads(refused)["errors"].keys() == {ids.TICKET_DESCRIPTION}

    typed["value"] = LONG
    status, answer = await story.forges(stage, submission)
    assert status == 200
    view = json.loads(answer)["view"]
    assert view["callback_id"] == ids.TICKET_CONFIRMATION

    assert (await story.forges(stage, submission | {"view": submission["view"] | view}))[0] == 200
    ticket = Opened(stage, story.draft_of(view))
    assert shown(LONG).strip("\n") in await ticket.draft_file()
    said = [m["text"] for m in stage.slack.messages(TICKETS)]
    assert not any("<!channel>" in text or "<@U0BEN>" in text for text in said)
