"""A request that somebody captured, sent again to the letter while Slack's signature still holds."""

from __future__ import annotations

import asyncio

import aiohttp
from slack_bolt.async_app import AsyncApp

from bot.domain.request import Status
from bot.services.signatures import KEPT, Signatures
from bot.store import Store
from bot.web import Web
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_followup import audited, digest, redrawn, snoozes
from tests.services.workshop import Clock
from tests.stage import Stage


async def sent_again(stage: Stage, captured: tuple[bytes, dict[str, str]]) -> int:
    status, answer = await story.posts(stage, *captured)
    assert "Traceback" not in answer
    return status


def captured(stage: Stage) -> tuple[bytes, dict[str, str]]:
    """What Slack sent last, and how it had signed it."""
    posted = stage.slack._delivery._last_posted
    assert posted
    return posted.body, posted.headers


async def test_it_does_not_undo_what_was_done_since(set_stage: SetStage):
    stage = await set_stage(transport="http")
    posted = await digest(stage)
    await snoozes(stage, posted)
    snooze = captured(stage)
    after = await redrawn(stage, posted, "Snoozed: 1 customer")
    assert (await stage.ana.click(after, "Change")).ok
    await stage.ana.modal_appears(callback_id="snooze_form")
    assert (await stage.ana.click_modal("Wake up")).ok
    await story.modal_says(stage.ana, "is awake again")

    assert await sent_again(stage, snooze) == 200

    assert await audited(stage) == [("customer:snoozed", "U0ANA"), ("customer:woken", "U0ANA")]


async def test_an_approval_counts_once(set_stage: SetStage):
    stage = await set_stage(transport="http", backstop_approvals_suspend=2)
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    approval = captured(stage)

    assert await sent_again(stage, approval) == 200

    assert await asked.status() is Status.PENDING
    assert len(await asked.audited("request:approved")) == 1
    assert await asked.refusals() == []


async def test_of_several_replicas_one_takes_it(database_url: str):
    clock = Clock()
    stores = [Store(database_url, now=clock) for _ in range(2)]
    one, other = (Signatures(store, now=clock) for store in stores)
    try:
        assert sorted(await asyncio.gather(*(each.is_new("v0=1") for each in (one, other)))) == [False, True]
        assert await other.is_new("v0=2")
        clock.passes(KEPT / 2)
        await one.forget_old()
        assert not await one.is_new("v0=2")
        clock.passes(KEPT)
        await other.forget_old()  # it has not held for long by now
        assert await one.is_new("v0=2")
    finally:
        for store in stores:
            await store.close()


async def test_who_does_not_know_the_answer_says_that_it_came_before():
    async def is_new(_signature: str) -> bool:
        return False

    body = b"command=%2Fcsp&text=help"
    server = Web(
        app=AsyncApp(signing_secret="s", token="xoxb-0"), checks={}, signing_secret="s", is_new=is_new
    )
    await server.start(0, host="127.0.0.1")
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{server.port}/slack/events", data=body, headers=story.signed("s", body)
            ) as answer,
        ):
            assert answer.status == 409
    finally:
        await server.stop()
