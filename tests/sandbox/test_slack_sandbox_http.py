"""The sandbox Slack delivering over signed HTTP, to an app that is a plain web server."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]


@dataclass
class Endpoint:
    """What an app serves at its request URL: it keeps what came and answers what the test wants."""

    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.requests.append((dict(request.headers), raw))
        if raw.startswith(b'{"type":"url_verification"'):
            return web.Response(text=json.loads(raw)["challenge"])
        return self.answers.pop(0) if self.answers else web.Response()


@pytest.fixture
async def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def slack(endpoint: Endpoint) -> AsyncIterator[SlackSandbox]:
    server = web.Application()
    server.router.add_post("/slack/events", endpoint.take)
    async with TestServer(server) as listening:
        slack = SlackSandbox(events_url=str(listening.make_url("/slack/events")), retry_delays=(0, 0, 0))
        await slack.start()
        yield slack
        await slack.stop()


def signature(slack: SlackSandbox, headers: dict[str, str], raw: bytes) -> str:
    signed = b"v0:" + headers["X-Slack-Request-Timestamp"].encode() + b":" + raw
    return "v0=" + hmac.new(slack.signing_secret.encode(), signed, hashlib.sha256).hexdigest()


async def test_a_command_is_a_signed_form(slack: SlackSandbox, endpoint: Endpoint):
    assert (await slack.person("ana").command("/csp find A & B")).ok
    [(headers, raw)] = endpoint.requests
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["X-Slack-Signature"] == signature(slack, headers, raw)
    assert abs(time.time() - int(headers["X-Slack-Request-Timestamp"])) < 60
    fields = parse_qs(raw.decode())
    assert (fields["command"], fields["text"], fields["user_id"]) == (["/csp"], ["find A & B"], ["U0ANA"])


async def test_an_interaction_is_json_in_a_form_field(slack: SlackSandbox, endpoint: Endpoint):
    await slack.person("ana").shortcut("suspend")
    [(headers, raw)] = endpoint.requests
    assert headers["X-Slack-Signature"] == signature(slack, headers, raw)
    assert json.loads(parse_qs(raw.decode())["payload"][0])["callback_id"] == "suspend"


async def test_an_event_is_json(slack: SlackSandbox, endpoint: Endpoint):
    with pytest.raises(TimeoutError):
        await slack.person("ana").open_home(timeout=0)  # the app publishes nothing
    [(headers, raw)] = endpoint.requests
    assert headers["Content-Type"] == "application/json"
    event = json.loads(raw)
    assert (event["type"], event["event"]["type"]) == ("event_callback", "app_home_opened")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(text="in words"), id="plain text"),
        pytest.param(lambda: web.json_response({"text": "in words"}), id="JSON"),
    ],
)
async def test_an_answer_to_a_command_is_posted(answer: Any, slack: SlackSandbox, endpoint: Endpoint):
    endpoint.answers = [answer()]
    await slack.person("ana").command("/csp")
    assert [message["text"] for message in slack.person("ana").messages()] == ["in words"]


async def test_any_status_but_200_is_an_error_for_the_person(slack: SlackSandbox, endpoint: Endpoint):
    endpoint.answers = [web.Response(status=404)]
    assert (await slack.person("ana").command("/csp")).error == "dispatch_failed"


async def test_nobody_listening_is_not_delivered(slack: SlackSandbox):
    slack.events_url = "http://127.0.0.1:9/slack/events"
    assert (await slack.person("ana").command("/csp")).error == "not_delivered"


async def test_an_event_is_tried_three_times_more(slack: SlackSandbox, endpoint: Endpoint):
    endpoint.answers = [web.Response(status=500) for _ in range(5)]
    with pytest.raises(TimeoutError):
        await slack.person("ana").open_home(timeout=0)
    await slack.person("ana").wait_for(lambda: len(slack.exchanges) == 4)
    retries = [(h.get("X-Slack-Retry-Num"), h.get("X-Slack-Retry-Reason")) for h, _ in endpoint.requests]
    assert retries == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
    assert len({raw for _, raw in endpoint.requests}) == 1


async def test_the_app_may_ask_for_no_retries(slack: SlackSandbox, endpoint: Endpoint):
    endpoint.answers = [web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
    with pytest.raises(TimeoutError):
        await slack.person("ana").open_home(timeout=0)
    await slack.person("ana").command("/csp")
    assert len(endpoint.requests) == 2


async def test_commands_are_never_retried(slack: SlackSandbox, endpoint: Endpoint):
    endpoint.answers = [web.Response(status=500)]
    await slack.person("ana").command("/csp")
    await slack.person("ana").command("/csp")
    assert len(endpoint.requests) == 2


async def test_a_redelivery_has_the_same_body(slack: SlackSandbox, endpoint: Endpoint):
    await slack.person("ana").command("/csp")
    await slack.redeliver()
    (_, first), (headers, second) = endpoint.requests
    assert first == second
    assert headers["X-Slack-Signature"] == signature(slack, headers, second)


async def test_a_replay_is_the_same_to_the_letter(slack: SlackSandbox, endpoint: Endpoint):
    await slack.person("ana").command("/csp")
    await slack.redeliver(replay=True)
    first, second = endpoint.requests
    assert first == second


async def test_an_events_url_proves_itself(slack: SlackSandbox, endpoint: Endpoint):
    assert await slack.verify_events_url()
    [(headers, raw)] = endpoint.requests
    assert headers["X-Slack-Signature"] == signature(slack, headers, raw)
