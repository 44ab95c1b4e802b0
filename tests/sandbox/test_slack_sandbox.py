"""The sandbox Slack over its own wire: Web API, Socket Mode, modals and clicks, as an app meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]
noon = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """A time of day and a stopwatch the test moves."""

    def __init__(self) -> None:
        self.now = noon
        self.seconds = 0.0


class App:
    """An app on the bare wire: calls the Web API, and answers envelopes with what the test has told it to."""

    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session
        self.envelopes: list[Json] = []
        self.frames: list[Json] = []
        self.used: list[aiohttp.ClientWebSocketResponse] = []
        self.answers: dict[str, Callable[[Json], Awaitable[Json | None]]] = {}
        self.is_silent = False
        self._readers: list[asyncio.Task[None]] = []
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def call(self, method: str, *, token: str | None = None, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {self.slack.bot_token if token is None else token}"}
        async with self.session.post(
            self.slack.api_url + method, json=arguments, headers=headers
        ) as response:
            answer: Json = await response.json()
            return answer

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        opened = await self.call("apps.connections.open", token=self.slack.app_token)
        socket = await self.open_socket(opened["url"])
        self.frames.append(await socket.receive_json())
        self._readers.append(asyncio.create_task(self._read(socket)))
        return socket

    async def open_socket(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        socket: aiohttp.ClientWebSocketResponse = await self.session.ws_connect(url, **options)
        self._sockets.append(socket)
        return socket

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            envelope = json.loads(frame.data)
            if envelope["type"] == "disconnect":
                self.frames.append(envelope)
                continue
            self.envelopes.append(envelope)
            self.used.append(socket)
            payload = envelope["payload"]
            answer = self.answers.get(payload.get("type", payload.get("command")))
            ack: Json = {"envelope_id": envelope["envelope_id"]}
            if answer is not None and (said := await answer(payload)) is not None:
                ack["payload"] = said
            if not self.is_silent:
                await socket.send_json(ack)


def saying(answer: Json | None) -> Callable[[Json], Awaitable[Json | None]]:
    async def say(_payload: Json) -> Json | None:
        return answer

    return say


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def a_modal(*blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("Form"),
        "submit": plain("Go"),
        "blocks": list(blocks),
        **more,
    }


def text_input(action_id: str = "why", **more: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": action_id}
    return {
        "type": "input",
        "block_id": f"{action_id}-block",
        "label": plain("Why"),
        "element": element,
        **more,
    }


def buttons(*names: str, **more: Any) -> Json:
    elements = [
        {"type": "button", "action_id": name, "text": plain(name.title()), "value": "42"} for name in names
    ]
    return {
        "type": "actions",
        "block_id": "buttons",
        "elements": [{**element, **more} for element in elements],
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackSandbox]:
    slack = SlackSandbox(now=lambda: clock.now, monotonic=lambda: clock.seconds)
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def app(slack: SlackSandbox) -> AsyncIterator[App]:
    async with aiohttp.ClientSession() as session:
        app = App(slack, session)
        yield app
        await app.close()


@pytest.fixture
async def trigger(app: App, slack: SlackSandbox) -> Callable[[], Awaitable[str]]:
    """A fresh trigger id of Ana's."""
    await app.connect()

    async def fresh() -> str:
        await slack.person("ana").command("/csp")
        return str(app.envelopes[-1]["payload"]["trigger_id"])

    return fresh


# Web API


async def test_a_message_is_kept_as_slack_would(app: App, slack: SlackSandbox):
    sent = await app.call(
        "chat.postMessage", channel="#csp-approvals", text="hi", blocks=[buttons("approve")]
    )
    assert sent["channel"] == "C0APPROVALS"
    [message] = slack.messages("csp-approvals")
    assert message["ts"] == sent["ts"] == sent["message"]["ts"]
    assert (message["user"], message["bot_id"], message["app_id"]) == (
        "U0BACKSTOP",
        "B0BACKSTOP",
        "A0BACKSTOP",
    )
    assert message["blocks"][0]["elements"][0]["text"] == {
        "type": "plain_text",
        "text": "Approve",
        "emoji": True,
    }


@pytest.mark.parametrize("how", ["form", "json", "multipart", "query"])
async def test_arguments_may_come_as(how: str, app: App, slack: SlackSandbox):
    arguments = {"channel": "C0BILLING", "text": "ü", "blocks": json.dumps([{"type": "divider"}])}
    body: Json = {
        "form": {"data": arguments},
        "json": {"json": arguments},
        "query": {"params": arguments},
    }.get(how, {})
    if how == "multipart":
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in arguments.items():
            form.add_field(name, value)
        body = {"data": form}
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    async with app.session.post(slack.api_url + "chat.postMessage", headers=headers, **body) as response:
        assert (await response.json())["ok"]
    assert [(m["text"], m["blocks"][0]["type"]) for m in slack.messages("csp-billing")] == [("ü", "divider")]


async def test_auth_test_takes_an_empty_json_body_and_tells_the_scopes(app: App, slack: SlackSandbox):
    headers = {"Authorization": f"Bearer {slack.bot_token}", "Content-Type": "application/json"}
    async with app.session.post(slack.api_url + "auth.test", headers=headers) as response:
        assert (await response.json())["team_id"] == "T0NORTHWIND"
        assert "chat:write" in response.headers["x-oauth-scopes"]


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        pytest.param("chat.explode", {}, "unknown_method", id="no such method"),
        pytest.param("auth.test", {"token": "xoxb-stolen"}, "invalid_auth", id="a wrong token"),
        pytest.param("auth.test", {"token": ""}, "not_authed", id="no token"),
        pytest.param(
            "chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found", id="no channel"
        ),
        pytest.param(
            "chat.postMessage", {"channel": "#general", "text": "x"}, "not_in_channel", id="not a member"
        ),
        pytest.param("chat.postMessage", {"channel": "C0BILLING"}, "no_text", id="nothing to say"),
        pytest.param(
            "chat.postMessage",
            {"channel": "C0BILLING", "attachments": [{"text": "x"}]},
            "invalid_arguments",
            id="attachments",
        ),
        pytest.param(
            "chat.postMessage",
            {"channel": "C0BILLING", "blocks": [{"type": "section", "text": plain("x" * 3000)}] * 5},
            "msg_blocks_too_long",
            id="too much in all",
        ),
        pytest.param(
            "chat.postMessage",
            {"channel": "C0BILLING", "blocks": "no json"},
            "invalid_blocks_format",
            id="no blocks",
        ),
        pytest.param(
            "chat.update",
            {"channel": "C0BILLING", "ts": "1.2", "text": "x"},
            "message_not_found",
            id="no message",
        ),
        pytest.param(
            "chat.postEphemeral",
            {"channel": "C0BILLING", "user": "U0NOBODY", "text": "x"},
            "user_not_found",
            id="nobody",
        ),
        pytest.param(
            "views.open",
            {"view": a_modal(), "trigger_id": "1.2.3"},
            "invalid_trigger_id",
            id="made-up trigger",
        ),
        pytest.param("views.update", {"view": a_modal(), "view_id": "V1"}, "not_found", id="no view"),
        pytest.param("users.info", {"user": "U0NOBODY"}, "user_not_found", id="no user"),
        pytest.param("usergroups.users.list", {"usergroup": "S1"}, "no_such_subteam", id="no group"),
    ],
)
async def test_refuses(method: str, arguments: Json, error: str, app: App):
    assert (await app.call(method, **arguments))["error"] == error


async def test_the_app_token_opens_sockets_and_nothing_else(app: App, slack: SlackSandbox):
    assert (await app.call("auth.test", token=slack.app_token))["error"] == "not_allowed_token_type"
    assert (await app.call("apps.connections.open"))["error"] == "not_allowed_token_type"


async def test_a_missing_scope_is_named(clock: Clock):
    slack = SlackSandbox(manifest={"oauth_config": {"scopes": {"bot": ["commands"]}}})
    await slack.start()
    try:
        async with aiohttp.ClientSession() as session:
            answer = await App(slack, session).call("chat.postMessage", channel="C0BILLING", text="x")
    finally:
        await slack.stop()
    assert answer == {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "commands"}


async def test_bad_blocks_are_explained_with_a_pointer(app: App):
    answer = await app.call(
        "chat.postMessage", channel="C0BILLING", blocks=[{"type": "section", "text": plain("x" * 3001)}]
    )
    problem = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert answer == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [problem],
        "response_metadata": {"messages": [f"[ERROR] {problem}"]},
    }


async def test_a_direct_message_goes_to_a_user_id(app: App, slack: SlackSandbox):
    sent = await app.call("chat.postMessage", channel="U0ANA", text="psst")
    opened = await app.call("conversations.open", users="U0ANA")
    assert sent["channel"] == opened["channel"]["id"]
    assert [message["text"] for message in slack.person("ana").dms()] == ["psst"]
    assert slack.person("ben").dms() == []


async def test_only_one_person_sees_an_ephemeral_message(app: App, slack: SlackSandbox):
    sent = await app.call("chat.postEphemeral", channel="C0BILLING", user="U0ANA", text="only you")
    [seen] = slack.person("ana").messages("csp-billing")
    assert (seen["ts"], seen["ephemeral"]) == (sent["message_ts"], True)
    assert slack.person("ben").messages("csp-billing") == []
    assert (await app.call("conversations.history", channel="C0BILLING"))["messages"] == []


async def test_an_ephemeral_message_cannot_be_updated(app: App):
    sent = await app.call("chat.postEphemeral", channel="C0BILLING", user="U0ANA", text="only you")
    answer = await app.call("chat.update", channel="C0BILLING", ts=sent["message_ts"], text="no")
    assert answer["error"] == "message_not_found"


async def test_an_update_keeps_blocks_it_does_not_mention(app: App, slack: SlackSandbox):
    sent = await app.call("chat.postMessage", channel="C0BILLING", text="old", blocks=[buttons("go")])
    await app.call("chat.update", channel="C0BILLING", ts=sent["ts"], text="new")
    [message] = slack.messages("csp-billing")
    assert (message["text"], message["blocks"][0]["block_id"], "edited" in message) == (
        "new",
        "buttons",
        True,
    )
    await app.call("chat.update", channel="C0BILLING", ts=sent["ts"], text="bare", blocks=[])
    assert "blocks" not in slack.messages("csp-billing")[0]


async def test_long_text_is_cut_when_posted_and_refused_in_an_update(app: App, slack: SlackSandbox):
    sent = await app.call("chat.postMessage", channel="C0BILLING", text="x" * 40_001)
    assert len(slack.messages("csp-billing")[0]["text"]) == 40_000
    answer = await app.call("chat.update", channel="C0BILLING", ts=sent["ts"], text="x" * 4_001)
    assert answer["error"] == "msg_too_long"


async def test_a_bot_changes_only_its_own_messages(app: App, slack: SlackSandbox):
    await slack.person("ana").say("mine")
    [message] = slack.messages("csp-billing")
    place = {"channel": "C0BILLING", "ts": message["ts"]}
    assert (await app.call("chat.update", **place, text="yours"))["error"] == "cant_update_message"
    assert (await app.call("chat.delete", **place))["error"] == "cant_delete_message"


async def test_a_thread_counts_its_replies(app: App, slack: SlackSandbox):
    parent = await app.call("chat.postMessage", channel="C0BILLING", text="parent")
    await app.call("chat.postMessage", channel="C0BILLING", text="reply", thread_ts=parent["ts"])
    history = await app.call("conversations.history", channel="C0BILLING")
    assert [(m["text"], m["reply_count"]) for m in history["messages"]] == [("parent", 1)]
    thread = await app.call("conversations.replies", channel="C0BILLING", ts=parent["ts"])
    assert [m["text"] for m in thread["messages"]] == ["parent", "reply"]


async def test_history_comes_newest_first_and_in_pages(app: App):
    for text in "abc":
        await app.call("chat.postMessage", channel="C0BILLING", text=text)
    first = await app.call("conversations.history", channel="C0BILLING", limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    second = await app.call("conversations.history", channel="C0BILLING", limit=2, cursor=cursor)
    assert [[m["text"] for m in page["messages"]] for page in (first, second)] == [["c", "b"], ["a"]]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_a_person_has_a_language_and_a_time_zone(app: App):
    mei = (await app.call("users.info", user="U0MEI", include_locale=True))["user"]
    assert (mei["locale"], mei["tz"], mei["tz_offset"]) == ("zh-CN", "Asia/Shanghai", 8 * 3600)


async def test_a_user_group_has_its_members(app: App):
    groups = (await app.call("usergroups.list"))["usergroups"]
    assert {group["handle"] for group in groups} == {"billing", "csp-approvers"}
    members = await app.call("usergroups.users.list", usergroup="S0APPROVERS")
    assert members["users"] == ["U0BEN", "U0MEI"]


async def test_a_file_is_announced_sent_and_then_shared(app: App, slack: SlackSandbox):
    announced = await app.call("files.getUploadURLExternal", filename="overdue.csv", length=5, alt_txt="list")
    async with app.session.post(announced["upload_url"], data=b"a,b,c") as response:
        assert await response.text() == "OK - 5"
    files = [{"id": announced["file_id"], "title": "Overdue"}]
    done = await app.call(
        "files.completeUploadExternal", files=files, channel_id="C0OVERDUE", initial_comment="all"
    )
    assert done["ok"]
    message = await slack.message_appears("csp-overdue")
    assert (message["text"], message["files"][0]["title"]) == ("all", "Overdue")
    info = (await app.call("files.info", file=announced["file_id"]))["file"]
    (share,) = info["shares"]["public"]["C0OVERDUE"]
    assert (share["ts"], share["channel_name"]) == (message["ts"], "csp-overdue")


async def test_a_file_that_never_came_cannot_be_shared(app: App):
    announced = await app.call("files.getUploadURLExternal", filename="overdue.csv", length=5)
    done = await app.call(
        "files.completeUploadExternal", files=[{"id": announced["file_id"]}], channel_id="C0OVERDUE"
    )
    assert done["error"] == "file_not_found"


async def test_message_ids_never_repeat_though_time_stands_still(app: App):
    sent = [(await app.call("chat.postMessage", channel="C0BILLING", text="x"))["ts"] for _ in range(3)]
    assert len(set(sent)) == 3
    assert sent == sorted(sent)


async def test_a_reaction_is_added_once(app: App, slack: SlackSandbox):
    sent = await app.call("chat.postMessage", channel="C0BILLING", text="x")
    place = {"channel": "C0BILLING", "timestamp": sent["ts"], "name": "eyes"}
    assert (await app.call("reactions.add", **place))["ok"]
    assert (await app.call("reactions.add", **place))["error"] == "already_reacted"
    assert slack.messages("csp-billing")[0]["reactions"] == [
        {"name": "eyes", "users": ["U0BACKSTOP"], "count": 1}
    ]


# Trouble on demand


async def test_a_rate_limit_says_when_to_come_back(app: App, slack: SlackSandbox):
    slack.rate_limit("chat.postMessage", retry_after=7)
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    async with app.session.post(slack.api_url + "chat.postMessage", headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert await response.json() == {"ok": False, "error": "ratelimited"}
    assert (await app.call("chat.postMessage", channel="C0BILLING", text="x"))["ok"]


async def test_a_failure_on_demand_does_nothing(app: App, slack: SlackSandbox):
    slack.fail("chat.postMessage", error="fatal_error")
    assert (await app.call("chat.postMessage", channel="C0BILLING", text="x"))["error"] == "fatal_error"
    assert slack.messages("csp-billing") == []


async def test_a_lost_answer_leaves_the_message_posted(app: App, slack: SlackSandbox):
    slack.lose_answer("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await app.call("chat.postMessage", channel="C0BILLING", text="x")
    assert [message["text"] for message in slack.messages("csp-billing")] == ["x"]


async def test_a_breakdown_does_nothing_and_a_slow_answer_comes_after_the_message(
    app: App, slack: SlackSandbox
):
    slack.break_down("chat.postMessage")
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    async with app.session.post(slack.api_url + "chat.postMessage", headers=headers) as response:
        assert response.status == 500
    assert slack.messages("csp-billing") == []

    slack.slow("chat.postMessage", 60)
    calling = asyncio.create_task(app.call("chat.postMessage", channel="C0BILLING", text="x"))
    await slack.message_appears("csp-billing", lambda message: message["text"] == "x")
    assert not calling.done()
    calling.cancel()

    slack.break_down("chat.postMessage")
    slack.mend()
    assert (await app.call("chat.postMessage", channel="C0BILLING", text="y"))["ok"]


async def test_exchanges_are_recorded_without_tokens(app: App, slack: SlackSandbox):
    await app.connect()
    await slack.person("ana").command("/csp help")
    opened, command = slack.exchanges
    assert (opened.method, opened.status, opened.direction) == (
        "apps.connections.open",
        "ok",
        "app → workspace",
    )
    assert "ticket=…" in opened.response["url"]
    assert (command.method, command.request["payload"]["text"]) == ("/csp", "help")
    assert command.request["payload"]["token"] == "…"


# Socket Mode


async def test_a_socket_is_greeted(app: App):
    await app.connect()
    [hello] = app.frames
    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert hello["connection_info"] == {"app_id": "A0BACKSTOP"}


async def test_a_ticket_opens_one_socket(app: App, slack: SlackSandbox):
    opened = await app.call("apps.connections.open", token=slack.app_token)
    await app.open_socket(opened["url"])
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await app.open_socket(opened["url"])


async def test_a_ping_comes_back_with_its_data(app: App, slack: SlackSandbox):
    opened = await app.call("apps.connections.open", token=slack.app_token)
    socket = await app.open_socket(opened["url"], autoping=False)
    await socket.receive_json()
    await socket.ping(b"sdk-ping-pong:1763800000.5")
    pong = await socket.receive()
    assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1763800000.5")


async def test_a_command_arrives_in_slacks_shape(app: App, slack: SlackSandbox):
    await app.connect()
    ack = await slack.person("ana").command("/csp-suspend contoso ltd")
    [envelope] = app.envelopes
    assert ack.ok
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    payload = envelope["payload"]
    assert (
        payload.items()
        >= {
            "team_id": "T0NORTHWIND",
            "channel_id": "C0BILLING",
            "channel_name": "csp-billing",
            "user_id": "U0ANA",
            "user_name": "ana",
            "command": "/csp-suspend",
            "text": "contoso ltd",
            "api_app_id": "A0BACKSTOP",
            "is_enterprise_install": "false",
        }.items()
    )
    assert payload["trigger_id"].count(".") == 2
    assert "/commands/T0NORTHWIND/" in payload["response_url"]


@pytest.mark.parametrize(("response_type", "seen_by_ben"), [("ephemeral", 0), ("in_channel", 1)])
async def test_what_a_command_is_answered_with_is_posted(
    response_type: str, seen_by_ben: int, app: App, slack: SlackSandbox
):
    await app.connect()
    app.answers["/csp"] = saying({"text": "help", "response_type": response_type})
    assert (await slack.person("ana").command("/csp help")).ok
    assert [m["text"] for m in slack.person("ana").messages("csp-billing")] == ["help"]
    assert len(slack.person("ben").messages("csp-billing")) == seen_by_ben


async def test_each_payload_goes_to_one_of_the_sockets(app: App, slack: SlackSandbox):
    sockets = [await app.connect(), await app.connect()]
    for number in range(4):
        await slack.person("ana").command(f"/csp {number}")
    assert [app.used.count(socket) for socket in sockets] == [2, 2]
    assert [envelope["payload"]["text"] for envelope in app.envelopes] == ["0", "1", "2", "3"]


async def test_the_eleventh_socket_is_sent_away(app: App, slack: SlackSandbox):
    for _ in range(11):
        await app.connect()
    assert app.frames[-1]["type"] == "disconnect"
    assert app.frames[-1]["reason"] == "too_many_websockets"


async def test_after_a_disconnect_frame_payloads_go_elsewhere(app: App, slack: SlackSandbox):
    await app.connect()
    await slack.disconnect("refresh_requested")
    assert (await slack.person("ana").command("/csp")).error == "not_delivered"
    await app.connect()
    assert (await slack.person("ana").command("/csp")).ok


async def test_nobody_connected_is_seen_at_once(slack: SlackSandbox):
    assert (await slack.person("ana").command("/csp")).error == "not_delivered"


async def test_an_app_that_keeps_silent_is_a_timeout(clock: Clock):
    slack = SlackSandbox(ack_seconds=0.01)
    await slack.start()
    async with aiohttp.ClientSession() as session:
        app = App(slack, session)
        app.is_silent = True
        await app.connect()
        assert (await slack.person("ana").command("/csp")).error == "timeout"
        await app.close()
    await slack.stop()


async def test_a_payload_can_be_delivered_again(app: App, slack: SlackSandbox):
    await app.connect()
    await slack.person("ana").command("/csp once")
    await slack.redeliver()
    first, second = app.envelopes
    assert first["payload"] == second["payload"]
    assert first["envelope_id"] != second["envelope_id"]


# Modals


async def test_a_trigger_opens_one_view(app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]):
    trigger_id = await trigger()
    opened = await app.call("views.open", trigger_id=trigger_id, view=a_modal())
    again = await app.call("views.open", trigger_id=trigger_id, view=a_modal())
    assert again["error"] == "exchanged_trigger_id"
    modal = slack.person("ana").modal()
    assert modal is not None
    assert (modal["id"], modal["hash"]) == (opened["view"]["id"], opened["view"]["hash"])
    assert slack.person("ben").modal() is None


async def test_a_trigger_dies_after_three_seconds(
    app: App, clock: Clock, trigger: Callable[[], Awaitable[str]]
):
    in_time, late = await trigger(), await trigger()
    clock.seconds = 3.0
    assert (await app.call("views.open", trigger_id=in_time, view=a_modal()))["ok"]
    clock.seconds = 3.1
    assert (await app.call("views.open", trigger_id=late, view=a_modal()))["error"] == "expired_trigger_id"


async def test_the_sandboxs_own_time_does_not_age_a_trigger(
    app: App, clock: Clock, trigger: Callable[[], Awaitable[str]]
):
    trigger_id = await trigger()
    clock.now += timedelta(days=1)
    assert (await app.call("views.open", trigger_id=trigger_id, view=a_modal()))["ok"]


async def test_a_stack_is_three_views_deep(
    app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    root = await app.call("views.open", trigger_id=await trigger(), view=a_modal())
    second = await app.call("views.push", trigger_id=await trigger(), view=a_modal())
    assert (second["view"]["root_view_id"], second["view"]["previous_view_id"]) == (root["view"]["id"],) * 2
    assert (await app.call("views.push", trigger_id=await trigger(), view=a_modal()))["ok"]
    answer = await app.call("views.push", trigger_id=await trigger(), view=a_modal())
    assert answer["error"] == "push_limit_reached"
    assert len(slack.person("ana").modals()) == 3


async def test_an_update_with_an_old_hash_is_a_conflict(app: App, trigger: Callable[[], Awaitable[str]]):
    view = (await app.call("views.open", trigger_id=await trigger(), view=a_modal()))["view"]
    place = {"view_id": view["id"], "hash": view["hash"], "view": a_modal()}
    assert (await app.call("views.update", **place))["ok"]
    assert (await app.call("views.update", **place))["error"] == "hash_conflict"


async def test_an_external_id_finds_its_view_and_is_taken(app: App, trigger: Callable[[], Awaitable[str]]):
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(external_id="mine"))
    updated = await app.call("views.update", external_id="mine", view=a_modal(external_id="mine"))
    assert updated["ok"]
    pushed = await app.call("views.push", trigger_id=await trigger(), view=a_modal(external_id="mine"))
    assert pushed["error"] == "duplicate_external_id"


async def test_a_view_of_more_than_250_kb_is_too_large(app: App, trigger: Callable[[], Awaitable[str]]):
    blocks = [{"type": "section", "text": plain("ä" * 3000)}] * 50
    answer = await app.call("views.open", trigger_id=await trigger(), view=a_modal(*blocks))
    assert answer["error"] == "view_too_large"


async def test_a_title_that_is_too_long_is_an_invalid_argument(
    app: App, trigger: Callable[[], Awaitable[str]]
):
    answer = await app.call("views.open", trigger_id=await trigger(), view=a_modal(title=plain("x" * 25)))
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]


@pytest.fixture
async def form(app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]) -> Json:
    """A form in front of Ana."""
    await app.call(
        "views.open", trigger_id=await trigger(), view=a_modal(text_input(), private_metadata="kept")
    )
    return await slack.person("ana").modal_appears()


async def test_an_empty_required_field_is_slacks_own_error(app: App, slack: SlackSandbox, form: Json):
    before = len(app.envelopes)
    ack = await slack.person("ana").submit()
    assert ack.body == {
        "response_action": "errors",
        "errors": {"why-block": "Please complete this required field."},
    }
    assert len(app.envelopes) == before


async def test_a_submission_carries_what_was_entered_and_closes(app: App, slack: SlackSandbox, form: Json):
    ana = slack.person("ana")
    ana.type("why", "fraud")
    assert (await ana.submit()).ok
    payload = app.envelopes[-1]["payload"]
    assert (payload["type"], payload["view"]["private_metadata"]) == ("view_submission", "kept")
    values = payload["view"]["state"]["values"]
    assert values == {"why-block": {"why": {"type": "plain_text_input", "value": "fraud"}}}
    assert ana.modal() is None


async def test_errors_leave_the_form_open(app: App, slack: SlackSandbox, form: Json):
    app.answers["view_submission"] = saying(
        {"response_action": "errors", "errors": {"why-block": "Say more"}}
    )
    ana = slack.person("ana")
    ana.type("why", "x")
    ack = await ana.submit()
    assert ack.ok
    assert ack.body is not None
    assert ack.body["errors"] == {"why-block": "Say more"}
    assert ana.modal() is not None


async def test_errors_must_name_a_field(app: App, slack: SlackSandbox, form: Json):
    app.answers["view_submission"] = saying({"response_action": "errors", "errors": {"nowhere": "Say more"}})
    slack.person("ana").type("why", "x")
    assert (await slack.person("ana").submit()).error == "invalid_response"


@pytest.mark.parametrize(
    ("action", "titles"),
    [("update", ["Next"]), ("push", ["Form", "Next"]), ("clear", [])],
)
async def test_a_submission_may_be_answered_with(
    action: str, titles: list[str], app: App, slack: SlackSandbox, form: Json
):
    app.answers["view_submission"] = saying({"response_action": action, "view": a_modal(title=plain("Next"))})
    slack.person("ana").type("why", "x")
    assert (await slack.person("ana").submit()).ok
    assert [modal["title"]["text"] for modal in slack.person("ana").modals()] == titles


async def test_a_view_in_an_answer_is_checked_like_any_other(app: App, slack: SlackSandbox, form: Json):
    app.answers["view_submission"] = saying(
        {"response_action": "update", "view": a_modal(title=plain("x" * 25))}
    )
    slack.person("ana").type("why", "x")
    ack = await slack.person("ana").submit()
    assert ack.error == "invalid_response"
    assert ack.detail == ("must be less than 25 characters [json-pointer:/view/title/text]",)


async def test_what_was_typed_survives_an_update(app: App, slack: SlackSandbox, form: Json):
    slack.person("ana").type("why", "by hand")
    await app.call("views.update", view_id=form["id"], view=a_modal(buttons("more"), text_input()))
    modal = slack.person("ana").modal()
    assert modal is not None
    assert modal["state"]["values"]["why-block"]["why"]["value"] == "by hand"


async def test_an_input_without_dispatch_action_waits_for_the_submission(
    app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    picker = {"type": "datepicker", "action_id": "day"}
    block = {"type": "input", "block_id": "d", "label": plain("Day"), "element": picker}
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(block))
    before = len(app.envelopes)
    assert (await slack.person("ana").pick("day", "2026-11-23")).ok
    assert len(app.envelopes) == before
    await slack.person("ana").submit()
    values = app.envelopes[-1]["payload"]["view"]["state"]["values"]
    assert values == {"d": {"day": {"type": "datepicker", "selected_date": "2026-11-23"}}}


@pytest.mark.parametrize(("notify", "heard"), [(True, ["view_closed"]), (False, [])])
async def test_closing_is_told_only_on_request(
    notify: bool, heard: list[str], app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(notify_on_close=notify))
    before = len(app.envelopes)
    await slack.person("ana").close_modal()
    assert [envelope["payload"]["type"] for envelope in app.envelopes[before:]] == heard
    assert slack.person("ana").modal() is None


# Suggestions


def external(**more: Any) -> Json:
    element = {"type": "external_select", "action_id": "who", **more}
    return {"type": "input", "block_id": "who-block", "label": plain("Who"), "element": element}


def groups() -> Json:
    options = [{"text": plain(name), "value": name.lower()} for name in ("Contoso", "Contoso Asia")]
    return {"option_groups": [{"label": plain("Active"), "options": options}]}


@pytest.mark.parametrize(("typed", "asked"), [("con", 1), ("co", 0)])
async def test_too_short_a_text_asks_nobody(
    typed: str, asked: int, app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(external()))
    app.answers["block_suggestion"] = saying(groups())
    await slack.person("ana").suggest("who", typed)
    suggestions = [e["payload"] for e in app.envelopes if e["payload"].get("type") == "block_suggestion"]
    assert [(p["value"], p["action_id"], p["block_id"]) for p in suggestions] == [
        ("con", "who", "who-block")
    ] * asked


async def test_what_is_suggested_can_be_chosen(
    app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(external(min_query_length=1)))
    app.answers["block_suggestion"] = saying(groups())
    ana = slack.person("ana")
    assert [option["value"] for option in await ana.suggest("who", "c")] == ["contoso", "contoso asia"]
    await ana.choose("who", "Asia")
    await ana.submit()
    chosen = app.envelopes[-1]["payload"]["view"]["state"]["values"]["who-block"]["who"]
    assert chosen["selected_option"]["value"] == "contoso asia"


async def test_a_suggestion_of_more_than_100_options_is_refused(
    app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(external()))
    app.answers["block_suggestion"] = saying({"options": [{"text": plain("x"), "value": "x"}] * 101})
    with pytest.raises(LookupError, match="no more than 100 items"):
        await slack.person("ana").suggest("who", "contoso")


async def test_a_select_with_dispatch_action_is_heard_at_once(
    app: App, slack: SlackSandbox, trigger: Callable[[], Awaitable[str]]
):
    option = {"text": plain("Fraud"), "value": "fraud"}
    element = {"type": "static_select", "action_id": "reason", "options": [option]}
    block = {
        "type": "input",
        "block_id": "r",
        "label": plain("Reason"),
        "element": element,
        "dispatch_action": True,
    }
    await app.call("views.open", trigger_id=await trigger(), view=a_modal(block))
    await slack.person("ana").choose("reason", "Fraud")
    payload = app.envelopes[-1]["payload"]
    assert payload["type"] == "block_actions"
    assert payload["actions"][0]["selected_option"]["value"] == "fraud"
    assert payload["view"]["state"]["values"]["r"]["reason"]["selected_option"]["value"] == "fraud"
    assert payload["container"] == {"type": "view", "view_id": payload["view"]["id"]}


# Clicks


@pytest.fixture
async def card(app: App, slack: SlackSandbox) -> Json:
    """A card with two buttons in front of everybody."""
    await app.connect()
    await app.call(
        "chat.postMessage", channel="C0APPROVALS", text="card", blocks=[buttons("approve", "deny")]
    )
    return slack.messages("csp-approvals")[0]


@pytest.mark.parametrize("name", ["approve", "Approve"])
async def test_a_button_is_found_by_its_id_or_its_text(name: str, app: App, slack: SlackSandbox, card: Json):
    await slack.person("ben").click(card, name)
    payload = app.envelopes[-1]["payload"]
    [action] = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "buttons", "42")
    assert payload["user"] == {"id": "U0BEN", "username": "ben", "name": "ben", "team_id": "T0NORTHWIND"}
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == card["ts"]
    assert payload["channel"] == {"id": "C0APPROVALS", "name": "csp-approvals"}
    assert app.envelopes[-1]["accepts_response_payload"] is False


async def test_backing_out_of_a_confirm_dialog_delivers_nothing(app: App, slack: SlackSandbox):
    await app.connect()
    confirm = {
        "title": plain("Sure?"),
        "text": plain("Really?"),
        "confirm": plain("Yes"),
        "deny": plain("No"),
    }
    await app.call("chat.postMessage", channel="C0BILLING", text="x", blocks=[buttons("go", confirm=confirm)])
    [message] = slack.messages("csp-billing")
    assert (await slack.person("ana").click(message, "go", confirm=False)).error == "not_confirmed"
    assert app.envelopes == []
    assert (await slack.person("ana").click(message, "go")).ok


async def test_a_button_that_is_gone_cannot_be_clicked(app: App, slack: SlackSandbox, card: Json):
    await app.call("chat.update", channel="C0APPROVALS", ts=card["ts"], text="done", blocks=[])
    with pytest.raises(LookupError):
        await slack.person("ben").click(card, "approve")


async def test_a_link_button_is_heard_too(app: App, slack: SlackSandbox):
    await app.connect()
    await app.call(
        "chat.postMessage", channel="C0BILLING", text="x", blocks=[buttons("open", url="https://example.com")]
    )
    await slack.person("ana").click(slack.messages("csp-billing")[0], "open")
    assert app.envelopes[-1]["payload"]["actions"][0]["url"] == "https://example.com"


async def respond(app: App, **said: Any) -> tuple[int, str]:
    url = app.envelopes[-1]["payload"]["response_url"]
    async with app.session.post(url, json=said) as response:
        return response.status, await response.text()


async def test_a_response_url_replaces_the_original(app: App, slack: SlackSandbox, card: Json):
    await slack.person("ben").click(card, "approve")
    assert await respond(app, text="approved", replace_original=True) == (200, "ok")
    [message] = slack.messages("csp-approvals")
    assert (message["text"], "blocks" in message) == ("approved", False)


async def test_a_response_url_deletes_the_original(app: App, slack: SlackSandbox, card: Json):
    await slack.person("ben").click(card, "approve")
    await respond(app, delete_original=True)
    assert slack.messages("csp-approvals") == []


async def test_a_response_is_ephemeral_unless_it_says_otherwise(app: App, slack: SlackSandbox, card: Json):
    await slack.person("ben").click(card, "approve")
    await respond(app, text="for you")
    await respond(app, text="for all", response_type="in_channel")
    assert [m["text"] for m in slack.person("ben").messages("csp-approvals")] == [
        "card",
        "for you",
        "for all",
    ]
    assert [m["text"] for m in slack.person("mei").messages("csp-approvals")] == ["card", "for all"]


async def test_a_response_url_serves_five_times(app: App, slack: SlackSandbox, card: Json):
    await slack.person("ben").click(card, "approve")
    answers = [await respond(app, text="x") for _ in range(6)]
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]


async def test_a_response_url_lives_half_an_hour(app: App, slack: SlackSandbox, clock: Clock, card: Json):
    await slack.person("ben").click(card, "approve")
    clock.now += timedelta(minutes=30)
    assert await respond(app, text="x") == (404, "expired_url")


# Home, shortcuts, events


async def test_the_home_tab_shows_what_the_app_publishes(app: App, slack: SlackSandbox):
    await app.connect()

    async def publish(_payload: Json) -> None:
        await app.call(
            "views.publish", user_id="U0ANA", view={"type": "home", "blocks": [buttons("refresh")]}
        )

    app.answers["event_callback"] = publish
    home = await slack.person("ana").open_home()
    assert (home["type"], home["blocks"][0]["block_id"]) == ("home", "buttons")
    event = app.envelopes[0]["payload"]["event"]
    assert (event["type"], event["user"], event["tab"]) == ("app_home_opened", "U0ANA", "home")
    await slack.person("ana").click_home("refresh")
    assert app.envelopes[-1]["payload"]["view"]["id"] == home["id"]


async def test_shortcuts_come_with_and_without_a_message(app: App, slack: SlackSandbox, card: Json):
    await slack.person("ana").shortcut("suspend")
    await slack.person("ana").shortcut("ticket", card)
    plain_one, on_message = (envelope["payload"] for envelope in app.envelopes)
    assert (plain_one["type"], plain_one["callback_id"]) == ("shortcut", "suspend")
    assert (on_message["type"], on_message["message"]["ts"]) == ("message_action", card["ts"])


async def test_only_what_the_manifest_registers_is_delivered():
    manifest = {
        "features": {
            "slash_commands": [{"command": "/csp", "description": "d", "should_escape": True}],
            "shortcuts": [
                {"name": "Open ticket", "type": "message", "callback_id": "ticket", "description": "d"}
            ],
        },
        "settings": {"event_subscriptions": {"bot_events": ["message.channels", "app_mention"]}},
    }
    slack = SlackSandbox(manifest=manifest)
    await slack.start()
    async with aiohttp.ClientSession() as session:
        app = App(slack, session)
        await app.connect()
        ana = slack.person("ana")
        assert (await ana.command("/other")).error == "unknown_command"
        assert (await ana.shortcut("ticket")).error == "unknown_shortcut"
        assert (await ana.command("/csp ask @ben in #csp-billing")).ok
        await ana.say("hello <@U0BACKSTOP>")
        await app.close()
    await slack.stop()
    command, message, mention = (envelope["payload"] for envelope in app.envelopes)
    assert command["text"] == "ask <@U0BEN|ben> in <#C0BILLING|csp-billing>"
    assert (message["event"]["type"], message["event"]["channel_type"]) == ("message", "channel")
    assert mention["event"]["type"] == "app_mention"


async def test_a_port_that_is_taken_is_refused(slack: SlackSandbox):
    port = int(slack.api_url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="address already in use"):
        await SlackSandbox().start(port)
