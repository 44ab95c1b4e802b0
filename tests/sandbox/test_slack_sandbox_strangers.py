"""Slack's own clients against the sandbox: what they accept, Slack's wire is likely to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox

FORM = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Suspend"},
    "submit": {"type": "plain_text", "text": "Continue"},
    "blocks": [
        {
            "type": "input",
            "block_id": "customer-block",
            "label": {"type": "plain_text", "text": "Customer"},
            "element": {"type": "external_select", "action_id": "customer", "min_query_length": 1},
        }
    ],
}
CONTOSO = {"text": {"type": "plain_text", "text": "Contoso"}, "value": "contoso"}
APPROVE = {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk reads these and does not know NO_PROXY."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    slack = SlackSandbox()
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
def client(slack: SlackSandbox) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


@pytest.fixture
def app(slack: SlackSandbox, client: AsyncWebClient) -> AsyncApp:
    """A small bot: a command opens a form, the form posts a card, the card can be approved."""
    app = AsyncApp(client=client, signing_secret=slack.signing_secret, process_before_response=True)

    @app.command("/csp-suspend")
    async def open_form(ack: Any, body: dict[str, Any]) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()

    @app.options("customer")
    async def suggest(ack: Any) -> None:
        await ack(options=[CONTOSO])

    @app.view("form")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        chosen = view["state"]["values"]["customer-block"]["customer"]["selected_option"]["value"]
        blocks = [{"type": "actions", "elements": [APPROVE]}]
        await client.chat_postMessage(channel="C0APPROVALS", text=chosen, blocks=blocks)
        await ack()

    @app.action("approve")
    async def approve(ack: Any, respond: Any, body: dict[str, Any]) -> None:
        await ack()
        await respond(text=f"approved by {body['user']['id']}", replace_original=True)

    @app.event("app_home_opened")
    async def show_home(event: dict[str, Any]) -> None:
        await client.views_publish(
            user_id=event["user"], view={"type": "home", "blocks": [{"type": "divider"}]}
        )

    return app


async def play(slack: SlackSandbox) -> None:
    """Ana asks, Ben approves."""
    ana, ben = slack.person("ana"), slack.person("ben")
    assert (await ana.command("/csp-suspend contoso")).ok
    await ana.modal_appears(callback_id="form")
    await ana.choose("customer", "Contoso")
    assert (await ana.submit()).ok
    assert ana.modal() is None
    card = await slack.message_appears("csp-approvals", lambda message: message["text"] == "contoso")
    assert (await ben.click(card, "Approve")).ok
    await slack.message_appears("csp-approvals", lambda message: message["text"] == "approved by U0BEN")
    assert (await ana.open_home())["blocks"][0]["type"] == "divider"


@asynccontextmanager
async def socket_mode(slack: SlackSandbox, app: AsyncApp) -> AsyncIterator[None]:
    handler: Any = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()
    try:
        await slack.app_connects()
        yield
    finally:
        await handler.close_async()


async def test_bolt_plays_along_over_socket_mode(slack: SlackSandbox, app: AsyncApp):
    async with socket_mode(slack, app):
        await play(slack)


async def test_bolt_plays_along_over_signed_http(slack: SlackSandbox, app: AsyncApp):
    async def events(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    server = web.Application()
    server.router.add_post("/slack/events", events)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        slack.events_url = f"http://{host}:{port}/slack/events"
        assert await slack.verify_events_url()
        await play(slack)
    finally:
        await runner.cleanup()


async def test_bolt_comes_back_after_a_disconnect_frame(slack: SlackSandbox, app: AsyncApp):
    async with socket_mode(slack, app):
        await slack.disconnect("refresh_requested")
        await slack.app_connects()
        assert (await slack.person("ana").command("/csp-suspend")).ok


async def test_the_sdk_understands_refusals(client: AsyncWebClient):
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel="C0BILLING", text="x", blocks=[{"type": "marquee"}])
    assert refused.value.response["error"] == "invalid_blocks"


async def test_the_sdk_understands_rate_limits(slack: SlackSandbox, client: AsyncWebClient):
    slack.rate_limit("chat.postMessage", retry_after=7)
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel="C0BILLING", text="x")
    assert (refused.value.response.status_code, refused.value.response.headers["Retry-After"]) == (429, "7")


async def test_the_sdk_uploads_a_file(slack: SlackSandbox, client: AsyncWebClient):
    answer = await client.files_upload_v2(
        filename="overdue.csv",
        content="a,b",
        title="Overdue",
        channel="C0OVERDUE",
        initial_comment="the list",
    )
    assert answer["ok"]
    message = await slack.message_appears("csp-overdue")
    assert (message["text"], message["files"][0]["title"], message["files"][0]["size"]) == (
        "the list",
        "Overdue",
        3,
    )


async def test_the_sdk_reads_page_after_page(client: AsyncWebClient):
    handles = [user["name"] async for page in await client.users_list(limit=2) for user in page["members"]]
    assert handles == ["ana", "ben", "mei", "eve", "backstop"]


async def test_the_sdk_looks_everything_up(client: AsyncWebClient):
    assert (await client.auth_test())["bot_id"] == "B0BACKSTOP"
    assert (await client.users_info(user="U0EVE", include_locale=True))["user"]["locale"] == "de-DE"
    assert (await client.usergroups_users_list(usergroup="S0BILLING"))["users"] == ["U0ANA"]
    assert (await client.conversations_info(channel="C0GENERAL"))["channel"]["is_member"] is False
    assert (await client.conversations_join(channel="C0GENERAL"))["channel"]["is_member"] is True
    assert (await client.team_info())["team"]["id"] == "T0NORTHWIND"
    assert (await client.bots_info(bot="B0BACKSTOP"))["bot"]["app_id"] == "A0BACKSTOP"
