"""Addresses that come from outside: nothing is sent there, and no token above all, unless they are Slack's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError

from bot.settings import load
from bot.slack import slack_client
from handlers.slack import UNREACHABLE, may_answer_at
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, free_port

SLACKS = "https://slack.com/api/"


@pytest.mark.parametrize(
    ("url", "api", "is_slacks"),
    [
        ("https://hooks.slack.com/actions/T/1/x", SLACKS, True),
        ("https://hooks.slack-gov.com/actions/T/1/x", "https://slack-gov.com/api/", True),
        ("https://hooks.slack.com/actions/T/1/x", "https://gateway.example/api/", True),
        ("https://gateway.example/actions/T/1/x", "https://gateway.example/api/", True),
        ("http://127.0.0.1:8055/actions/T/1/x", "http://127.0.0.1:8055/api/", True),
        ("http://hooks.slack.com/actions/T/1/x", SLACKS, False),
        ("https://hooks.slack.com.evil.example/", SLACKS, False),
        ("https://hooks.slack.com@evil.example/", SLACKS, False),
        ("https://hooks.slack.com/@evil.example/", SLACKS, True),
        ("https://hooks.slack.com\\@evil.example/", SLACKS, False),
        ("https://hooks.slack.com?@evil.example/", SLACKS, True),
        ("https://evil.example?.slack.com/", SLACKS, False),
        ("https://hooks.slack.com:8443/x", SLACKS, False),
        ("https://slack.com:443@evil.example/", SLACKS, False),
        ("https://hooksXslack.com/", SLACKS, False),
        ("https://evil.example/#hooks.slack.com", SLACKS, False),
        ("http://127.0.0.1:8055/x", SLACKS, False),
        ("http://169.254.169.254/latest/meta-data", SLACKS, False),
        ("file:///etc/passwd", SLACKS, False),
        ("https://[::1/", SLACKS, False),
        (["https://hooks.slack.com/"], SLACKS, False),
        (None, SLACKS, False),
    ],
)
def test_where_a_click_may_be_answered(url: object, api: str, is_slacks: bool):
    assert may_answer_at(url, api) is is_slacks


class Elsewhere:
    """A server that is not Slack's, and what it was asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.leads_to, self.status = "", 302

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(f"{request.url} {dict(request.headers)} {await request.text()}")
        if self.leads_to and str(request.url) != self.leads_to:
            return web.Response(status=self.status, headers={"Location": self.leads_to})
        return web.json_response({"ok": False, "error": "elsewhere"})


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    place = Elsewhere()
    server = web.Application()
    server.router.add_route("*", "/{any:.*}", place.hear)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", place.port).start()
    yield place
    await runner.cleanup()


async def clicks(stage: Stage, **fields: object) -> None:
    """Eve clicks *Approve*, who may not; with these fields in the payload."""
    asked = await story.asks(stage)
    assert (await stage.eve.click(asked.card, "Approve")).ok
    await asked.is_told(stage.eve, "BACKSTOP_APPROVERS")
    seen = len(stage.eve.messages(story.APPROVALS))
    click = story.delivered(stage, "block_actions") | fields
    assert (await story.forges(stage, click))[0] == 200
    await stage.eve.wait_for(lambda: len(stage.eve.messages(story.APPROVALS)) > seen)


async def test_an_answer_goes_to_slack_alone(set_stage: SetStage, elsewhere: Elsewhere):
    stage = await set_stage(transport="http")
    await clicks(stage, response_url=elsewhere.url)
    assert elsewhere.heard == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_token_follows_a_redirect(elsewhere: Elsewhere, status: int):
    elsewhere.leads_to = f"http://localhost:{elsewhere.port}/there"
    elsewhere.status = status
    client = slack_client(
        load(slack_bot_token=SecretStr("xoxb-canary"), slack_api_url=f"{elsewhere.url}/api/")
    )
    with pytest.raises((SlackApiError, *UNREACHABLE)):
        await client.auth_test()
    first, *others = elsewhere.heard
    assert "xoxb-canary" in first
    assert not [one for one in others if "xoxb-canary" in one]
