"""A person's files in the sandbox Slack, as an app meets them: told of, described, handed out to its token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]
CONTENT = "Kunde;Betrag\r\nÄrger GmbH;1,00".encode("cp1252")


class App:
    """An app that is told of events over HTTP and calls the Web API."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.events: list[Json] = []

    async def hear(self, request: web.Request) -> web.Response:
        self.events.append(json.loads(await request.read()))
        return web.Response()

    async def call(self, slack: SlackSandbox, method: str, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {slack.bot_token}"}
        async with self.session.post(slack.api_url + method, json=arguments, headers=headers) as response:
            answer: Json = await response.json()
            return answer

    def heard(self, kind: str) -> list[Json]:
        return [told["event"] for told in self.events if told["event"]["type"] == kind]


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with aiohttp.ClientSession() as session:
        yield App(session)


@pytest.fixture
async def slack(app: App, scopes: list[str]) -> AsyncIterator[SlackSandbox]:
    server = web.Application()
    server.router.add_post("/", app.hear)
    async with TestServer(server) as listening:
        manifest = {
            "oauth_config": {"scopes": {"bot": scopes}},
            "settings": {
                "event_subscriptions": {"bot_events": ["file_shared", "message.im", "message.channels"]}
            },
        }
        slack = SlackSandbox(manifest=manifest, events_url=str(listening.make_url("/")))
        await slack.start()
        yield slack
        await slack.stop()


@pytest.fixture
def scopes() -> list[str]:
    return ["chat:write", "files:read", "files:write"]


async def fetched(app: App, url: str, token: str | None) -> tuple[int, bytes, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with app.session.get(url, headers=headers, allow_redirects=False) as response:
        return response.status, await response.read(), response.headers.get("Location", "")


@pytest.mark.parametrize(
    ("where", "channel"), [("backstop", "D0ANA"), ("csp-overdue", "C0OVERDUE")], ids=["to the app", "channel"]
)
async def test_an_app_is_told_which_file_and_where_and_asks_for_the_rest(
    app: App, slack: SlackSandbox, where: str, channel: str
):
    ack = await slack.person("ana").upload("Offene Posten.CSV", CONTENT, channel=where, mimetype="text/csv")
    assert ack.ok
    (event,) = app.heard("file_shared")
    assert event == {
        "type": "file_shared",
        "channel_id": channel,
        "file_id": event["file_id"],
        "user_id": "U0ANA",
        "file": {"id": event["file_id"]},
        "event_ts": event["event_ts"],
    }
    file = (await app.call(slack, "files.info", file=event["file_id"]))["file"]
    assert (file["name"], file["mimetype"], file["size"], file["filetype"]) == (
        "Offene Posten.CSV",
        "text/csv",
        len(CONTENT),
        "csv",
    )
    kind = "private" if where == "backstop" else "public"
    (share,) = file["shares"][kind][channel]
    (message,) = slack.messages(channel)
    assert share["ts"] == message["ts"]
    assert (file["ims"], file["channels"]) == (([channel], []) if kind == "private" else ([], [channel]))

    (said,) = app.heard("message")
    assert (said["subtype"], said["user"], said["channel"]) == ("file_share", "U0ANA", channel)
    assert said["files"][0]["url_private_download"] == file["url_private_download"]
    assert await fetched(app, file["url_private_download"], slack.bot_token) == (200, CONTENT, "")
    assert file["url_private_download"].startswith(slack.page_url)


@pytest.mark.parametrize("token", [None, "xoxb-somebody-else"])
async def test_without_the_apps_token_one_is_led_to_the_sign_in_page(
    app: App, slack: SlackSandbox, token: str | None
):
    await slack.person("ana").upload("open.csv", CONTENT, channel="backstop")
    file_id = app.heard("file_shared")[0]["file_id"]
    file = (await app.call(slack, "files.info", file=file_id))["file"]
    for url in (file["url_private"], file["url_private_download"]):
        status, content, location = await fetched(app, url, token)
        assert (status, content) == (302, b"")
        assert location.startswith(f"{slack.page_url}?redir=/files-pri/")


@pytest.mark.parametrize("scopes", [["chat:write"]])
async def test_without_the_scope_it_reads_nothing(app: App, slack: SlackSandbox, scopes: list[str]):
    await slack.person("ana").upload("open.csv", CONTENT, channel="backstop")
    file_id = app.heard("file_shared")[0]["file_id"]
    assert (await app.call(slack, "files.info", file=file_id))["error"] == "missing_scope"
    url = app.heard("message")[0]["files"][0]["url_private_download"]
    assert (await fetched(app, url, slack.bot_token))[0] == 302


async def test_what_is_shared_where_the_app_is_not_it_never_sees(app: App, slack: SlackSandbox):
    await slack.person("ana").upload("open.csv", CONTENT, channel="general")
    assert app.events == []
    (message,) = slack.messages("general")
    file = message["files"][0]
    assert (await app.call(slack, "files.info", file=file["id"]))["error"] == "file_not_found"
    assert (await fetched(app, file["url_private_download"], slack.bot_token))[0] == 404


async def test_a_file_in_a_thread_says_whose_thread(app: App, slack: SlackSandbox):
    ana = slack.person("ana")
    await ana.say("the list?", channel="csp-overdue")
    (asked,) = slack.messages("csp-overdue")
    await ana.upload("open.csv", CONTENT, channel="csp-overdue", thread_ts=asked["ts"], text="here")
    file_id = app.heard("file_shared")[0]["file_id"]
    file = (await app.call(slack, "files.info", file=file_id))["file"]
    (share,) = file["shares"]["public"]["C0OVERDUE"]
    assert share["thread_ts"] == asked["ts"]
    assert slack.messages("csp-overdue")[-1]["text"] == "here"


async def test_of_its_own_files_an_app_hears_as_well(app: App, slack: SlackSandbox):
    announced = await app.call(slack, "files.getUploadURLExternal", filename="rejects.csv", length=3)
    async with app.session.post(announced["upload_url"], data=b"a,b"):
        pass
    files = [{"id": announced["file_id"]}]
    assert (await app.call(slack, "files.completeUploadExternal", files=files, channel_id="C0OVERDUE"))["ok"]
    await slack.workspace.news.until(lambda: app.heard("file_shared"))
    (event,) = app.heard("file_shared")
    assert (event["file_id"], event["user_id"]) == (announced["file_id"], "U0BACKSTOP")


async def test_a_download_can_be_made_to_fail(app: App, slack: SlackSandbox):
    await slack.person("ana").upload("open.csv", CONTENT, channel="backstop")
    url = app.heard("message")[0]["files"][0]["url_private_download"]
    slack.fail("files-pri")
    slack.rate_limit("files-pri")
    statuses = [(await fetched(app, url, slack.bot_token))[0] for _ in range(3)]
    assert statuses == [500, 429, 200]
    (first, *_) = [e for e in slack.exchanges if e.method == "files-pri"]
    assert slack.bot_token not in str(first)
