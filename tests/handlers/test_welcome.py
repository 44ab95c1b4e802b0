"""The first-run guide: one direct message to whoever opens the app's messages, in their language, and never another."""

from __future__ import annotations

import aiohttp
import pytest

from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_whoever_opens_the_messages_is_welcomed_once_in_their_language(shared: Stage):
    assert (await shared.mei.open_messages()).ok
    said = await story.is_messaged(shared.mei, "欢迎使用 Backstop")
    assert "您是 *approver*" in story.words(said)
    assert "`/csp requests`" in story.words(said)
    assert (await shared.slack.redeliver()).ok
    assert (await shared.mei.open_messages()).ok
    await nothing_is_left_to_do(shared)
    assert len(shared.mei.dms()) == 1


async def test_who_may_do_nothing_reads_whom_to_ask_and_no_customers_name(shared: Stage):
    async with aiohttp.ClientSession() as page:
        where = f"{shared.slack.page_url}page/api/messages"
        async with page.get(where, params={"as": "U0EVE", "channel": "D0EVE"}) as answer:
            assert answer.ok, "as the page of the sandbox opens them"
    said = story.words(await story.is_messaged(shared.eve, "Willkommen"))
    assert "Sie dürfen noch nichts" in said
    assert "<@U0ANA>" in said
    assert not [c.name for c in shared.partner_center.customers if c.name in said]


async def test_the_home_tab_welcomes_nobody_and_one_that_failed_is_made_up_for(shared: Stage):
    await shared.ben.open_home()
    await nothing_is_left_to_do(shared)
    assert shared.ben.dms() == []
    shared.slack.fail("chat.postMessage", error="channel_not_found")
    assert (await shared.ben.open_messages()).ok
    await nothing_is_left_to_do(shared)
    assert shared.ben.dms() == [], "Slack took nothing"
    assert (await shared.ben.open_messages()).ok
    assert "never your own requests" in story.words(await story.is_messaged(shared.ben, "Welcome"))


async def test_an_answer_that_is_lost_is_no_reason_to_greet_twice(shared: Stage):
    shared.slack.lose_answer("chat.postMessage")
    assert (await shared.ana.open_messages()).ok
    await story.is_messaged(shared.ana, "Welcome")
    await nothing_is_left_to_do(shared)
    assert (await shared.ana.open_messages()).ok
    await nothing_is_left_to_do(shared)
    assert len(shared.ana.dms()) == 1


async def nothing_is_left_to_do(stage: Stage) -> None:
    """What was begun after the acks so far has come to its end."""
    await stage.app.desk.drain()
