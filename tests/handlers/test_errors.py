"""Whatever goes wrong, nobody is left without an answer, and nobody is shown a traceback."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.story import Clock
from tests.stage import Stage, Transport

MINUTE = timedelta(minutes=1)
REFERENCE = re.compile(r"`([0-9a-f]{8})`")


async def test_an_unforeseen_error_gives_a_reference_that_is_in_the_log(
    set_stage: SetStage, transport: Transport, caplog: pytest.LogCaptureFixture
):
    stage = await set_stage(transport=transport)
    asked = await story.asks(stage)
    await story.continues(stage.ana, "fourthcoffee")
    async with stage.app.core.store.begin() as tx:  # a word no release of ours has ever written
        await tx.connection.exec_driver_sql("UPDATE requests SET reason = 'whim', id = id")
        await tx.connection.exec_driver_sql(
            "UPDATE drafts SET confirmed = json_object('half', 1, 'nonce', json_extract(confirmed, '$.nonce'))"
        )

    said = [story.words((await stage.ana.command("/csp requests")).body or {})]
    assert (await stage.ben.click(asked.card, "Approve")).ok
    said.append(story.words(await asked.is_told(stage.ben, "reference")))
    assert (await stage.ana.submit()).ok
    said.append(story.words(await story.seen(stage.ana)))
    said.append(story.words(await stage.ana.open_home()))

    for words in said:
        found = REFERENCE.search(words)
        assert found, words
        assert f"reference {found[1]}" in caplog.text
        assert not re.search("Traceback|Error|whim|half|reason =", words)
    assert asked.writes == 0


async def test_while_the_user_groups_cannot_be_read_nobody_is_let_in_and_everybody_is_told(
    set_stage: SetStage, transport: Transport
):
    clock = Clock()
    stage = await set_stage(transport=transport, now=clock)
    asked = await story.asks(stage)
    clock.moves(2 * MINUTE)  # who may look is remembered for a minute, who may act is not
    stage.slack.fail("usergroups.users.list", error="internal_error", times=1000)

    for line in ("/csp status", "/csp-suspend contoso"):
        ack = await stage.ana.command(line)
        assert "Slack does not answer at the moment. Nothing was changed." in story.words(ack.body or {})
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_told(stage.ben, "Slack does not answer at the moment. Nothing was changed.")
    home = await stage.ben.open_home()
    assert story.words(home).startswith("⚠ Slack does not answer at the moment. Nothing was changed.")
    assert asked.id not in story.words(home)

    assert await asked.status() is Status.PENDING
    story.slack_recovers(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")


async def test_a_group_nobody_has_heard_of_lets_nobody_in(set_stage: SetStage):
    stage = await set_stage(backstop_operators=("S0NOSUCH",))
    ack = await stage.ana.command("/csp-suspend contoso")
    assert "BACKSTOP_OPERATORS" in story.words(ack.body or {})


async def test_an_unknown_button_is_answered(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    message = await says(stage, "of_an_older_release")
    assert (await stage.ana.click(message, "Old")).ok
    await story.is_told(stage.ana, "belongs to an older version")


async def test_a_page_nobody_can_turn_to_is_answered(set_stage: SetStage):
    stage = await set_stage()
    message = await says(stage, "overdue_next")
    assert (await stage.ana.click(message, "Old")).ok
    await story.is_told(stage.ana, "This page is no longer there")


async def test_the_database_away_is_said_and_nothing_is_lost(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage)
    async with stage.app.core.store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE requests RENAME TO elsewhere")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_told(stage.ben, "Nothing was changed.")
    async with stage.app.core.store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO requests")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")


async def says(stage: Stage, action_id: str) -> story.Json:
    """A message of ours with one button."""
    button = {
        "type": "button",
        "action_id": action_id,
        "value": "nonsense",
        "text": {"type": "plain_text", "text": "Old"},
    }
    client = AsyncWebClient(token=stage.slack.bot_token, base_url=stage.slack.api_url)
    client.proxy = None
    await client.chat_postMessage(
        channel="C0APPROVALS", text="old", blocks=[{"type": "actions", "elements": [button]}]
    )
    return await stage.slack.message_appears(story.APPROVALS, lambda m: m["text"] == "old")
