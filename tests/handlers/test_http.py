"""What the HTTP side lets in."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import free_port


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
            assert (await answer.json())["checks"] == {"database": True, "slack": True}
        async with session.post(f"{root}/slack/events", data=b"") as answer:
            assert answer.status == (401 if mode == "http" else 404)
        await stage.app.core.store.close()
        async with session.get(f"{root}/healthz") as answer:
            assert answer.status == 200
