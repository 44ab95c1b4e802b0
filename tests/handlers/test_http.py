"""What the HTTP side lets in."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import free_port

PATIENCE = 30


async def test_only_what_slack_signed_and_just_now_has_an_effect(set_stage: SetStage):
    stage = await set_stage(transport="http")
    asked = await story.asks(stage)
    await stage.eve.click(asked.card, "Approve")
    click = story.delivered(stage, "block_actions") | {"response_url": ""}
    click["user"]["id"] = "U0BEN"
    body = urlencode({"payload": json.dumps(click)}).encode()
    secret, now = stage.slack.signing_secret, int(time.time())
    good = story.signed(secret, body)
    refused = {
        "signed with another secret": story.signed("0" * 32, body),
        "signed for another body": story.signed(secret, body + b"&"),
        "six minutes old": story.signed(secret, body, stamp=str(now - 360)),
        "of the future": story.signed(secret, body, stamp=str(now + 360)),
        "a time that is no number": story.signed(secret, body, stamp="yesterday"),
        "a time of other digits": story.signed(secret, body, stamp="٣٣٣"),
        "a negative time": story.signed(secret, body, stamp="-1"),
        "no signature": {"X-Slack-Request-Timestamp": str(now)},
        "no time": {"X-Slack-Signature": good["X-Slack-Signature"]},
        "nothing": {},
    }
    for what, headers in refused.items():
        if not all(value.isascii() for value in headers.values()):
            headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        status, answer = await story.posts(stage, body, headers)
        assert status == 401, what
        assert "Traceback" not in answer
    assert await asked.status() is Status.PENDING

    assert (await story.posts(stage, body, good))[0] == 200
    await asked.shows("Done")


async def test_nonsense_tells_nobody_anything_and_stops_nothing(set_stage: SetStage):
    stage = await set_stage(transport="http")
    for body in (b"", b"payload=", b"payload={", b"payload=%00", b"\xff\xfe", b"payload=[]", b"payload=null"):
        assert (await story.posts(stage, body, {}))[0] == 401
        status, answer = await story.posts(stage, body, story.signed(stage.slack.signing_secret, body))
        assert status < 500
        assert "Traceback" not in answer
    assert await stage.slack.verify_events_url()
    assert (await stage.ana.command("/csp help")).ok


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_health_and_readiness(set_stage: SetStage, mode: str):
    port = free_port()
    given = {"transport": "http"} if mode == "http" else {"transport": "socket", "port": port}
    stage = await set_stage(**given)
    root = f"http://127.0.0.1:{stage.app.port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{root}/healthz") as answer:
            assert (answer.status, (await answer.json())["ok"]) == (200, True)
        async with session.get(f"{root}/readyz") as answer:
            assert answer.status == 200
            needed = {"database", "scheduler", "courier"} | ({"slack"} if mode == "socket" else set())
            assert (await answer.json())["checks"] == dict.fromkeys(needed, True)
        async with session.post(f"{root}/slack/events", data=b"") as answer:
            assert answer.status == (401 if mode == "http" else 404)
        await stage.app._scheduler.stop()
        assert (await comes_to(session, root, 503))["scheduler"] is False
        await stage.app.core.courier.close()
        assert (await comes_to(session, root, 503))["courier"] is False
        async with session.get(f"{root}/healthz") as answer:
            assert answer.status == 200


async def test_a_lost_socket_is_red_and_green_again_when_it_is_back(set_stage: SetStage):
    stage = await set_stage(port=free_port())
    root = f"http://127.0.0.1:{stage.app.port}"
    async with aiohttp.ClientSession() as session:
        stage.slack.fail("apps.connections.open", error="internal_error", times=1)
        await stage.slack.disconnect("link_disabled")
        assert (await comes_to(session, root, 503))["slack"] is False
        await stage.slack.app_connects()
        assert (await comes_to(session, root, 200))["slack"] is True

        socket = stage.app._socket
        assert socket
        socket._handler.client.message_processor.cancel()  # open, and nobody reads what comes through it
        assert (await comes_to(session, root, 503))["slack"] is False


async def comes_to(session: aiohttp.ClientSession, root: str, status: int) -> dict[str, bool]:
    """What is checked, once `/readyz` answers so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(f"{root}/readyz") as answer:
                if answer.status == status:
                    checks: dict[str, bool] = (await answer.json())["checks"]
                    return checks
