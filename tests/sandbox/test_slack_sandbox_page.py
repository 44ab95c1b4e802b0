"""The page's protocol: who may speak it, what it shows to whom, and what it does."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.server import UPLOAD_LIMIT

Json = dict[str, Any]


class Page:
    """A browser's part of the protocol."""

    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        self.url = slack.page_url
        self.session = session
        self.origin = slack.page_url.rstrip("/")

    async def get(self, path: str, **query: str) -> Json:
        async with self.session.get(self.url + "page/api/" + path, params=query) as response:
            answer: Json = await response.json()
            return answer

    async def post(self, path: str, **said: Any) -> Json:
        headers = {"Origin": self.origin}
        async with self.session.post(self.url + "page/api/" + path, json=said, headers=headers) as response:
            answer: Json = await response.json()
            return answer


class App:
    """An app that calls the Web API."""

    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session

    async def call(self, method: str, *, token: str | None = None, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {token or self.slack.bot_token}"}
        async with self.session.post(
            self.slack.api_url + method, json=arguments, headers=headers
        ) as response:
            answer: Json = await response.json()
            return answer


class Pane:
    """A Partner Center with one subscription, `s1`."""

    def __init__(self) -> None:
        self.status = "active"

    def snapshot(self) -> Json:
        return {"cloud": "global", "customers": [], "log": []}

    def suspend_outside(self, subscription_id: str) -> None:
        self._become("suspended", subscription_id)

    def resume_outside(self, subscription_id: str) -> None:
        self._become("active", subscription_id)

    def order_burst(self, customer_id: str) -> None:
        raise LookupError(customer_id)

    def switch_fault(self, name: str, *, on: bool) -> None:
        raise LookupError(name)

    def _become(self, status: str, subscription_id: str) -> None:
        if subscription_id != "s1":
            raise LookupError(subscription_id)
        self.status = status


@pytest.fixture
def pane() -> Pane:
    return Pane()


@pytest.fixture
async def slack(pane: Pane) -> AsyncIterator[SlackSandbox]:
    manifest = {
        "features": {
            "slash_commands": [{"command": "/csp", "description": "Ask", "usage_hint": "help"}],
            "shortcuts": [{"name": "Open ticket", "type": "message", "callback_id": "t", "description": "d"}],
        },
        "settings": {"interactivity": {"is_enabled": True}},
        "oauth_config": {"scopes": {"bot": ["chat:write", "files:write"]}},
    }
    slack = SlackSandbox(manifest=manifest, partner_center=pane)
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def page(slack: SlackSandbox, session: aiohttp.ClientSession) -> Page:
    return Page(slack, session)


@pytest.fixture
async def app(slack: SlackSandbox, session: aiohttp.ClientSession) -> App:
    return App(slack, session)


async def test_it_shows_the_workspace_to_one_person(page: Page, app: App):
    await app.call("chat.postMessage", channel="C0BILLING", text="hi")
    state = await page.get("state", **{"as": "U0ANA"})
    assert (state["workspace"]["name"], state["me"]) == ("Northwind Cloud (sandbox)", "U0ANA")
    assert [c["with"] for c in state["channels"] if c["kind"] == "dm"] == ["U0BACKSTOP"]
    assert {c["name"]: c["unread"] for c in state["channels"]}["csp-billing"] == 1
    assert state["commands"] == [{"command": "/csp", "description": "Ask", "usage_hint": "help"}]
    assert state["shortcuts"][0]["callback_id"] == "t"
    assert {"id": "S0BILLING", "handle": "billing"} in state["groups"]
    assert (state["app"]["connected"], state["app"]["home_tab"]) == (False, False)


@pytest.mark.parametrize(
    ("asked", "me"),
    [
        pytest.param({"as": "U0MEI"}, "U0MEI", id="an id"),
        pytest.param({"as": "ben"}, "U0BEN", id="a handle"),
        pytest.param({}, "U0ANA", id="nobody"),
        pytest.param({"as": "carl"}, "U0ANA", id="a stranger"),
        pytest.param({"as": "backstop"}, "U0ANA", id="the app"),
    ],
)
async def test_whoever_comes_plays_somebody(asked: dict[str, str], me: str, page: Page):
    assert (await page.get("state", **asked))["me"] == me


async def test_reading_clears_the_unread_mark(page: Page, app: App):
    await app.call("chat.postMessage", channel="C0BILLING", text="hi")
    await page.post("read", channel="C0BILLING", **{"as": "U0ANA"})
    unread = {
        me: {c["name"]: c["unread"] for c in (await page.get("state", **{"as": me}))["channels"]}[
            "csp-billing"
        ]
        for me in ("U0ANA", "U0BEN")
    }
    assert unread == {"U0ANA": 0, "U0BEN": 1}


async def test_threads_are_kept_out_of_the_channel(page: Page, app: App):
    parent = await app.call("chat.postMessage", channel="C0BILLING", text="parent")
    await app.call("chat.postMessage", channel="C0BILLING", text="reply", thread_ts=parent["ts"])
    ana = {"as": "U0ANA", "channel": "C0BILLING"}
    assert [m["text"] for m in (await page.get("messages", **ana))["messages"]] == ["parent"]
    thread = await page.get("messages", **ana, thread_ts=parent["ts"])
    assert [m["text"] for m in thread["messages"]] == ["parent", "reply"]


async def test_a_long_channel_comes_in_pages(page: Page, app: App):
    for number in range(101):
        await app.call("chat.postMessage", channel="C0BILLING", text=str(number))
    ana = {"as": "U0ANA", "channel": "C0BILLING"}
    latest = await page.get("messages", **ana)
    assert (latest["messages"][0]["text"], latest["messages"][-1]["text"], latest["more"]) == (
        "1",
        "100",
        True,
    )
    older = await page.get("messages", **ana, before=latest["messages"][0]["ts"])
    assert ([m["text"] for m in older["messages"]], older["more"]) == (["0"], False)


async def test_nobody_reads_anothers_direct_messages(page: Page):
    assert (await page.get("messages", **{"as": "U0BEN"}, channel="D0ANA")) == {
        "ok": False,
        "error": "channel_not_found",
    }


async def events_of(page: Page, count: int, act: Any, **query: str) -> list[Json]:
    """Open a stream, act, and give the first events."""
    async with page.session.get(page.url + "page/api/stream", params=query) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        await stream.content.readuntil(b"\n\n")
        await act()
        found: list[Json] = []
        while len(found) < count:
            chunk = (await stream.content.readuntil(b"\n\n")).decode()
            if "data: " in chunk:
                found.append(json.loads(chunk.partition("data: ")[2]))
        return found


async def test_the_stream_tells_what_happens(page: Page, app: App):
    async def act() -> None:
        sent = await app.call("chat.postMessage", channel="C0BILLING", text="hi")
        await app.call("chat.update", channel="C0BILLING", ts=sent["ts"], text="ho")
        await app.call("chat.postEphemeral", channel="C0BILLING", user="U0BEN", text="not for Ana")
        await app.call("chat.delete", channel="C0BILLING", ts=sent["ts"])

    events = await events_of(page, 3, act, **{"as": "U0ANA"})
    assert [(event["type"], event["message"]["text"]) for event in events] == [
        ("message", "hi"),
        ("message_changed", "ho"),
        ("message_deleted", "ho"),
    ]


async def test_a_page_that_cannot_keep_up_is_sent_to_start_over(page: Page, slack: SlackSandbox):
    url = page.url + "page/api/stream"
    async with asyncio.timeout(30), page.session.get(url, params={"as": "U0ANA"}) as stream:
        assert await stream.content.readuntil(b"\n\n") == b"retry: 500\n\n"
        for _ in range(2001):
            slack.partner_center_changed()
        rest = await stream.content.read()
    assert rest.count(b"data: ") <= 1


async def test_the_wire_is_shown_on_request_with_tokens_masked(page: Page, app: App):
    async def act() -> None:
        await app.call("apps.connections.open", token=app.slack.app_token)

    [event] = await events_of(page, 1, act, **{"as": "U0ANA", "wire": "1"})
    assert (event["type"], event["exchange"]["method"]) == ("exchange", "apps.connections.open")
    assert "ticket=…" in event["exchange"]["response"]["url"]


async def test_what_the_app_did_not_do_is_an_answer_and_no_fault_of_the_page(
    page: Page, session: aiohttp.ClientSession
):
    said = {"as": "U0ANA", "channel": "C0BILLING", "text": "/csp help"}
    async with session.post(
        page.url + "page/api/command", json=said, headers={"Origin": page.origin}
    ) as response:
        assert (response.status, await response.json()) == (200, {"ok": False, "error": "not_delivered"})


async def test_a_command_nobody_hears_says_so(page: Page):
    ana = {"as": "U0ANA", "channel": "C0BILLING"}
    assert (await page.post("command", **ana, text="/csp help"))["error"] == "not_delivered"
    assert (await page.post("command", **ana, text="/nope"))["error"] == "unknown_command"


async def test_a_person_writes_and_shares_a_file(page: Page, session: aiohttp.ClientSession):
    await page.post("say", text="look", channel="C0BILLING", **{"as": "U0ANA"})
    form = aiohttp.FormData({"as": "U0ANA", "channel": "C0BILLING"})
    form.add_field("file", b"a,b", filename="list.csv", content_type="text/csv")
    async with session.post(
        page.url + "page/api/upload", data=form, headers={"Origin": page.origin}
    ) as response:
        assert (await response.json())["ok"]
    said, shared = (await page.get("messages", **{"as": "U0BEN"}, channel="C0BILLING"))["messages"]
    assert (said["text"], shared["files"][0]["name"]) == ("look", "list.csv")
    url = page.origin + shared["files"][0]["url"]
    async with session.get(url, params={"as": "U0BEN"}) as response:
        assert await response.read() == b"a,b"
        assert response.headers["Content-Disposition"] == "attachment"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_file_goes_into_a_thread_with_words(page: Page, session: aiohttp.ClientSession):
    await page.post("say", text="the list?", channel="C0BILLING", **{"as": "U0BEN"})
    (asked,) = (await page.get("messages", **{"as": "U0ANA"}, channel="C0BILLING"))["messages"]
    form = aiohttp.FormData(
        {"as": "U0ANA", "channel": "C0BILLING", "thread_ts": asked["ts"], "text": "here it is"}
    )
    form.add_field("file", b"a,b", filename="list.csv", content_type="text/csv")
    async with session.post(
        page.url + "page/api/upload", data=form, headers={"Origin": page.origin}
    ) as response:
        assert (await response.json())["ok"]
    thread = await page.get("messages", **{"as": "U0BEN"}, channel="C0BILLING", thread_ts=asked["ts"])
    assert [m["text"] for m in thread["messages"]] == ["the list?", "here it is"]
    assert thread["messages"][1]["files"][0]["name"] == "list.csv"


async def test_a_file_larger_than_the_sandbox_takes_is_refused(page: Page, session: aiohttp.ClientSession):
    form = aiohttp.FormData({"as": "U0ANA", "channel": "C0BILLING"})
    form.add_field("file", io.BytesIO(bytes(UPLOAD_LIMIT + 1)), filename="list.csv", content_type="text/csv")
    async with session.post(
        page.url + "page/api/upload", data=form, headers={"Origin": page.origin}
    ) as response:
        assert (response.status, (await response.json())["error"]) == (413, "file_too_large")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("click", {"channel": "C0BILLING", "ts": "1.2", "action": {"action_id": "x"}}),
        ("click", {"channel": "C0BILLING", "ts": "1.2"}),
        ("submit", {"view_id": "V1", "state": {}}),
        ("suggest", {"view_id": "V1", "action_id": "x", "value": "abc"}),
        ("close", {"view_id": "V1"}),
        ("shortcut", {"callback_id": "nope"}),
        ("say", {"channel": "C0BILLING", "text": " "}),
        ("command", {"channel": "C0NOWHERE", "text": "/csp"}),
    ],
)
async def test_what_is_not_there_cannot_be_used(path: str, said: Json, page: Page):
    answer = await page.post(path, **said, **{"as": "U0ANA"})
    assert answer["ok"] is False
    assert answer["error"]


async def test_the_partner_center_pane_gets_its_state(page: Page):
    assert (await page.get("partner-center"))["cloud"] == "global"


async def test_a_subscription_is_suspended_and_resumed_past_the_app(page: Page, pane: Pane):
    eve = {"as": "U0EVE", "subscription_id": "s1"}
    assert await page.post("partner-center", action="suspend", **eve) == {"ok": True}
    assert pane.status == "suspended"
    assert await page.post("partner-center", action="resume", **eve) == {"ok": True}
    assert pane.status == "active"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"action": "delete", "subscription_id": "s1"}, "unknown_action"),
        ({"action": "suspend", "subscription_id": "s2"}, "subscription_not_found"),
        ({"action": "suspend"}, "subscription_not_found"),
    ],
)
async def test_nothing_else_is_done_past_the_app(said: Json, error: str, page: Page, pane: Pane):
    assert (await page.post("partner-center", **said, **{"as": "U0ANA"}))["error"] == error
    assert pane.status == "active"


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost:1", 200), ("[::1]:8055", 200)],
)
async def test_only_loopback_names_are_served(
    host: str, status: int, page: Page, session: aiohttp.ClientSession
):
    url = page.url + "page/api/state"
    async with session.get(url, params={"as": "U0ANA"}, headers={"Host": host}) as response:
        assert response.status == status


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
async def test_other_sites_cannot_act(headers: dict[str, str], page: Page, session: aiohttp.ClientSession):
    said = {"as": "U0ANA", "channel": "C0BILLING", "text": "x"}
    async with session.post(page.url + "page/api/say", json=said, headers=headers) as response:
        assert (response.status, await response.json()) == (403, {"ok": False, "error": "forbidden_origin"})
    assert (await page.get("messages", **{"as": "U0ANA"}, channel="C0BILLING"))["messages"] == []


@pytest.mark.parametrize("me", ["U0BACKSTOP", "U0NOBODY", ""])
async def test_nobody_acts_as_a_stranger_or_the_bot(me: str, page: Page):
    assert (await page.post("say", text="x", channel="C0BILLING", **{"as": me}))["error"] == "unknown_person"


@pytest.mark.parametrize(
    "path", ["..%2f__init__.py", "%2e%2e/page/index.html", ".hidden.js", "nothing.js", "a//b.js"]
)
async def test_nothing_but_the_pages_own_files_is_served(
    path: str, page: Page, session: aiohttp.ClientSession
):
    async with session.get(URL(page.url + "page/" + path, encoded=True)) as response:
        assert response.status == 404


def test_the_page_stays_small():
    page = files("bot.sandbox") / "page"
    assert sum(len(file.read_bytes()) for file in page.iterdir()) <= 150_000


async def test_nothing_runs_on_the_page_but_its_own_files(page: Page, session: aiohttp.ClientSession):
    async with session.get(page.url) as response:
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy


SELECT = {"type": "external_select", "action_id": "who", "min_query_length": 1}
FORM = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Form"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "b",
            "label": {"type": "plain_text", "text": "Who"},
            "element": SELECT,
            "dispatch_action": True,
        }
    ],
}
CONTOSO = {"text": {"type": "plain_text", "text": "Contoso", "emoji": True}, "value": "c1"}


@pytest.fixture
async def heard(slack: SlackSandbox, app: App) -> AsyncIterator[list[Json]]:
    """What an app over HTTP hears; it opens a form at a command and offers one option."""
    heard: list[Json] = []

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        payload = json.loads(str(form["payload"])) if "payload" in form else dict(form)
        heard.append(payload)
        if "command" in payload:
            await app.call("views.open", trigger_id=payload["trigger_id"], view=FORM)
        return (
            web.json_response({"options": [CONTOSO]})
            if payload.get("type") == "block_suggestion"
            else web.Response()
        )

    server = web.Application()
    server.router.add_post("/", take)
    async with TestServer(server) as listening:
        slack.events_url = str(listening.make_url("/"))
        yield heard


async def test_a_form_is_filled_in_and_submitted(page: Page, heard: list[Json]):
    ana = {"as": "U0ANA"}
    assert await page.post("command", **ana, channel="C0BILLING", text="/csp help") == {"ok": True}
    [view] = (await page.get("state", **ana))["modal"]
    place = {**ana, "view_id": view["id"]}
    empty = await page.post("submit", **place, state={"values": {}})
    assert (empty["response_action"], empty["errors"]) == (
        "errors",
        {"b": "Please complete this required field."},
    )
    offered = await page.post("suggest", **place, block_id="b", action_id="who", value="con")
    assert offered == {"ok": True, "options": [CONTOSO]}
    action = {"type": "external_select", "block_id": "b", "action_id": "who", "selected_option": CONTOSO}
    assert await page.post("click", **place, action=action, state={"values": {}}) == {"ok": True}
    values = {"b": {"who": {"type": "external_select", "selected_option": CONTOSO}}}
    assert await page.post("submit", **place, state={"values": values}) == {
        "ok": True,
        "response_action": None,
    }
    assert [payload.get("type", "command") for payload in heard] == [
        "command",
        "block_suggestion",
        "block_actions",
        "view_submission",
    ]
    assert heard[-1]["view"]["state"]["values"] == values
    assert (await page.get("state", **ana))["modal"] == []


async def test_a_form_is_closed(page: Page, heard: list[Json]):
    ana = {"as": "U0ANA"}
    await page.post("command", **ana, channel="C0BILLING", text="/csp help")
    [view] = (await page.get("state", **ana))["modal"]
    assert await page.post("close", **ana, view_id=view["id"]) == {"ok": True}
    assert (await page.get("state", **ana))["modal"] == []


async def test_nobody_uses_anothers_form(page: Page, heard: list[Json]):
    await page.post("command", **{"as": "U0ANA"}, channel="C0BILLING", text="/csp help")
    [view] = (await page.get("state", **{"as": "U0ANA"}))["modal"]
    answer = await page.post("submit", **{"as": "U0EVE"}, view_id=view["id"], state={"values": {}})
    assert answer == {"ok": False, "error": "view_not_found"}


async def test_a_button_says_what_the_app_put_on_it_not_what_the_page_claims(
    page: Page, app: App, heard: list[Json]
):
    button = {
        "type": "button",
        "action_id": "go",
        "text": {"type": "plain_text", "text": "Go"},
        "value": "true",
    }
    blocks = [{"type": "actions", "block_id": "a", "elements": [button]}]
    sent = await app.call("chat.postMessage", channel="C0BILLING", text="card", blocks=blocks)
    action = {"type": "button", "block_id": "a", "action_id": "go", "value": "forged"}
    await page.post("click", **{"as": "U0ANA"}, channel="C0BILLING", ts=sent["ts"], action=action)
    assert heard[-1]["actions"][0]["value"] == "true"
