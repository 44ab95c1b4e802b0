"""Slack's end of the socket behaves badly: addresses that lead nowhere, farewells by the dozen, a cut amid an ack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import Application
from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.slack_socket import SlackSocket
from bot.start_up import StartFailed
from handlers.listeners import Kind
from tests.attacks.mutations import DEEP, DEPTHS, MANY, bend_somewhere
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.strange_slack import StrangeSlack
from tests.handlers.test_listeners import SAID, listening
from tests.stage import settings_for, slack_sandbox

SOON = 0.05


@pytest.fixture
async def slack() -> AsyncIterator[StrangeSlack]:
    slack = StrangeSlack()
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def socket(slack: StrangeSlack) -> AsyncIterator[SlackSocket]:
    """Not connected yet; it listens for `/csp`."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    client.proxy = None
    socket = SlackSocket(listening([], Kind.COMMAND), slack.app_token, client, ping_seconds=SOON)
    yield socket
    await socket.close()


def _more_than(seen: int, slack: StrangeSlack) -> bool:
    return slack.refused > seen


async def answers(slack: StrangeSlack) -> bool:
    """Whether a command that is brought over the socket is acknowledged."""
    await slack.brings("slash_commands", {"team_id": "T", "user_id": "U"} | SAID[Kind.COMMAND])
    return True


async def test_an_address_that_leads_nowhere_is_not_tried_for_ever(slack: StrangeSlack, socket: SlackSocket):
    slack.dead_links = 2
    connecting = asyncio.create_task(socket.connect())
    for _ in range(2):
        seen = slack.refused
        await slack.until(partial(_more_than, seen, slack))
        await socket.look_after()
    await connecting
    assert await answers(slack)


async def test_one_that_is_open_and_silent_is_not_heard_and_another_is_sought(
    slack: StrangeSlack, socket: SlackSocket
):
    slack.deaf_links = 1
    await socket.connect()
    assert await socket.hears()
    slack.dead_links = 1
    await socket.look_after()
    await slack.until(partial(_more_than, 0, slack))
    assert not await socket.hears()
    await socket.look_after()
    assert await answers(slack)
    assert await socket.hears()


async def test_nor_when_the_connection_is_renewed(slack: StrangeSlack, socket: SlackSocket):
    await socket.connect()
    assert await answers(slack)
    slack.dead_links = 1
    await slack.disconnects()
    await slack.until(lambda: slack.refused)
    await socket.look_after()
    assert await answers(slack)


@pytest.mark.parametrize(
    "times", [pytest.param(150, id="some"), pytest.param(5_000, id="all", marks=pytest.mark.long)]
)
async def test_bent_envelopes_leave_it_listening(slack: StrangeSlack, socket: SlackSocket, times: int):
    await socket.connect()
    for frame in bent_envelopes(times):
        await slack.sends(frame)
    assert await answers(slack)


def bent_envelopes(times: int) -> list[str]:
    said = {"team_id": "T", "user_id": "U"} | SAID[Kind.COMMAND]
    envelope = {
        "envelope_id": "e",
        "type": "slash_commands",
        "accepts_response_payload": True,
        "payload": said,
    }
    frames: list[str] = []

    @settings(MANY, derandomize=True, max_examples=times)
    @given(st.data(), st.sampled_from(DEPTHS))
    def collect(data: st.DataObject, depth: int) -> None:
        bent = {"frame": envelope}
        for _ in range(data.draw(st.integers(1, 3))):
            bent = data.draw(bend_somewhere(bent, ["hello", "warning", "interactive", "events_api"]))
        text = json.dumps(bent.get("frame")).replace(f'"{DEEP}"', "[" * depth + "]" * depth)
        frames.append(text[: data.draw(st.sampled_from([None, None, None, 1, 9, 40]))])

    collect()
    return frames


async def test_farewells_by_the_dozen_end_in_one_connection(slack: StrangeSlack, socket: SlackSocket):
    await socket.connect()
    assert await answers(slack)
    await slack.disconnects(12)
    assert await answers(slack)
    await socket.look_after()
    assert await answers(slack)


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
@pytest.mark.parametrize("trouble", ["fail", "lose_answer"])
async def test_a_slack_that_is_down_at_the_start_is_told_in_one_line(
    sqlite_url: str, method: str, trouble: str
):
    slack, partner_center = slack_sandbox(), PartnerCenterSandbox(now=utc_now)
    await slack.start()
    await partner_center.start()
    app = Application(settings_for(slack, partner_center, database_url=sqlite_url, transport="socket"))
    getattr(slack, trouble)(method, times=9)
    try:
        with pytest.raises(StartFailed, match=r"^SLACK_API_URL: Slack does not answer at http.* \([\w-]+\)$"):
            await app.start()
    finally:
        await app.stop()
        await partner_center.stop()
        await slack.stop()


async def test_a_click_whose_ack_was_cut_off_counts(set_stage: SetStage, monkeypatch: pytest.MonkeyPatch):
    stage = await set_stage()
    asked = await story.asks(stage)
    delivery = stage.slack._delivery
    (link,) = delivery._sockets
    assert link.ws._req
    sends, wire = link.ws.send_str, link.ws._req.transport
    assert wire

    async def sends_and_is_cut(frame: str) -> None:
        await sends(frame)
        wire.close()

    monkeypatch.setattr(link.ws, "send_str", sends_and_is_cut)
    monkeypatch.setattr(delivery, "ack_seconds", 0.5)
    assert not (await stage.ben.click(asked.card, "Approve")).ok

    await asked.shows("Done")
    await asked.is_messaged("Done")
    assert asked.writes == 1
    assert len(await asked.audited("request:approved")) == 1
