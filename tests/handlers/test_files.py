"""A shared file is had from Slack alone, with the limits kept on its way, and the token is shown to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import SignInFailed, Throttled, Unavailable
from handlers.files import CannotFetch, SharedFile, download, look_up
from handlers.slack import is_slacks

Json = dict[str, Any]
TOKEN = "xoxb-1"
MOST = 1000


class FarSide:
    """Slack's Web API and its files, as a test has them answer; `asked` is every path with the token it came with."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.file: Json = {}
        self.answer: Json = {}
        self.respond = web.Response(body=b"a,b", content_type="text/csv")
        self.chunks = 0
        self._server: TestServer | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/files.info", self._info)
        app.router.add_get("/{path:.*}", self._hand_out)
        self._server = TestServer(app)
        await self._server.start_server()

    async def stop(self) -> None:
        if self._server:
            await self._server.close()

    def address(self, path: str) -> str:
        assert self._server is not None
        return str(self._server.make_url(path))

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response(self.answer or {"ok": True, "file": self.file})

    async def _hand_out(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Authorization")))
        if not self.chunks:
            return self.respond
        stream = web.StreamResponse(headers={"Content-Type": "text/csv"})
        await stream.prepare(request)
        try:
            for _ in range(self.chunks):
                await stream.write(b"x" * 600)
        except ConnectionError:
            pass
        return stream


@pytest.fixture
async def slack() -> AsyncIterator[FarSide]:
    far_side = FarSide()
    await far_side.start()
    yield far_side
    await far_side.stop()


@pytest.fixture
async def elsewhere() -> AsyncIterator[FarSide]:
    far_side = FarSide()
    await far_side.start()
    yield far_side
    await far_side.stop()


def client(slack: FarSide) -> AsyncWebClient:
    made = AsyncWebClient(token=TOKEN, base_url=slack.address("/api/"), retry_handlers=[])
    made.proxy = None
    return made


def a_file(url: str, **fields: Any) -> SharedFile:
    given: Json = {"name": "a.csv", "mimetype": "text/csv", "size": 3, "url": url, "thread_ts": "1.0"}
    return SharedFile(**(given | fields))


async def fetched(slack: FarSide, **fields: Any) -> bytes:
    given = {"url": slack.address("/files-pri/a")} | fields
    return await download(client(slack), a_file(**given), most=MOST)


async def code(work: Any) -> str:
    with pytest.raises(CannotFetch) as refusal:
        await work
    return refusal.value.refusal.code


class TestDownload:
    async def test_the_bytes_come_for_the_token(self, slack: FarSide):
        assert await fetched(slack) == b"a,b"
        assert slack.asked == [("/files-pri/a", f"Bearer {TOKEN}")]

    async def test_no_more_is_read_than_is_allowed_whatever_its_size_is_said_to_be(self, slack: FarSide):
        slack.chunks = 1
        assert len(await fetched(slack)) == 600
        slack.chunks = 100_000
        assert await code(fetched(slack)) == "too_large"

    async def test_one_that_says_it_is_larger_is_not_even_asked_for(self, slack: FarSide):
        assert await code(fetched(slack, size=MOST + 1)) == "too_large"
        assert slack.asked == []

    async def test_another_host_is_neither_asked_nor_shown_the_token(
        self, slack: FarSide, elsewhere: FarSide
    ):
        file = a_file(elsewhere.address("/files-pri/a"))
        assert await code(download(client(slack), file, most=MOST)) == "strange-address"
        slack.respond = web.Response(status=302, headers={"Location": elsewhere.address("/a")})
        assert await code(fetched(slack)) == "no-scope"
        assert elsewhere.asked == []

    async def test_a_sign_in_page_is_not_taken_for_the_file(self, slack: FarSide):
        slack.respond = web.Response(text="<!DOCTYPE html>", content_type="text/html")
        assert await code(fetched(slack)) == "no-scope"

    async def test_a_table_that_is_html_is_the_readers_business(self, slack: FarSide):
        slack.respond = web.Response(text="<table>", content_type="text/html")
        assert await fetched(slack, mimetype="text/html") == b"<table>"

    async def test_what_is_kept_elsewhere_is_not_fetched(self, slack: FarSide):
        assert await code(fetched(slack, url="")) == "not-at-slack"

    async def test_a_file_that_is_gone_is_gone(self, slack: FarSide):
        slack.respond = web.Response(status=404)
        assert await code(fetched(slack)) == "gone"

    @pytest.mark.parametrize(("status", "error"), [(429, Throttled), (500, Unavailable), (503, Unavailable)])
    async def test_trouble_at_slack_may_pass(self, slack: FarSide, status: int, error: type[Exception]):
        slack.respond = web.Response(status=status)
        with pytest.raises(error):
            await fetched(slack)

    async def test_so_may_a_slack_that_is_not_there(self, slack: FarSide):
        there, file = client(slack), a_file(slack.address("/files-pri/a"))
        await slack.stop()
        with pytest.raises(Unavailable):
            await download(there, file, most=MOST)


class TestLookUp:
    async def test_it_takes_the_address_that_hands_the_bytes_out(self, slack: FarSide):
        slack.file = {
            "name": "Offene Posten.csv",
            "mimetype": "text/csv",
            "size": 7,
            "url_private": "https://slack.com/x",
            "url_private_download": "https://slack.com/download/x",
            "shares": {
                "public": {"C1": [{"ts": "1.0"}, {"ts": "3.0", "thread_ts": "2.0"}], "C2": [{"ts": "9.0"}]},
                "private": {"D1": [{"ts": "4.0"}]},
            },
        }
        found = await look_up(client(slack), "F1", channel="C1")
        expected = {"name": "Offene Posten.csv", "size": 7, "thread_ts": "2.0"}
        assert found == a_file("https://slack.com/download/x", **expected)
        assert (await look_up(client(slack), "F1", channel="D1")).thread_ts == "4.0"
        assert (await look_up(client(slack), "F1", channel="C3")).thread_ts is None

    @pytest.mark.parametrize(
        "kind", [{"is_external": True}, {"mode": "external"}, {"mode": "tombstone"}], ids=str
    )
    async def test_what_is_not_kept_at_slack_has_no_address(self, slack: FarSide, kind: Json):
        slack.file = {"name": "a.csv", "url_private_download": slack.address("/a"), **kind}
        assert (await look_up(client(slack), "F1", channel="C1")).url == ""

    @pytest.mark.parametrize(
        ("mimetype", "is_talk"),
        [
            ("image/png", True),
            ("video/mp4", True),
            ("audio/mpeg", True),
            ("application/pdf", True),
            ("text/csv", False),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", False),
            ("application/octet-stream", False),
            ("", False),
        ],
    )
    async def test_people_share_pictures_to_look_at(self, mimetype: str, is_talk: bool):
        assert a_file("", mimetype=mimetype).is_talk is is_talk

    @pytest.mark.parametrize(
        ("error", "said"),
        [("file_not_found", "gone"), ("file_deleted", "gone"), ("missing_scope", "no-scope")],
    )
    async def test_what_will_never_be_had_is_told_apart(self, slack: FarSide, error: str, said: str):
        slack.answer = {"ok": False, "error": error}
        assert await code(look_up(client(slack), "F1", channel="C1")) == said

    @pytest.mark.parametrize(
        ("error", "kind"), [("fatal_error", Unavailable), ("invalid_auth", SignInFailed)]
    )
    async def test_other_trouble_is_told_as_such(self, slack: FarSide, error: str, kind: type[Exception]):
        slack.answer = {"ok": False, "error": error}
        with pytest.raises(kind):
            await look_up(client(slack), "F1", channel="C1")


@pytest.mark.parametrize(
    ("url", "api", "is_ours"),
    [
        ("https://files.slack.com/files-pri/T-F/download/a.csv", "https://slack.com/api/", True),
        ("https://slack.com/a", "https://slack.com/api/", True),
        ("http://files.slack.com/a", "https://slack.com/api/", False),
        ("https://files.slack.com:8443/a", "https://slack.com/api/", False),
        ("https://notslack.com/a", "https://slack.com/api/", False),
        ("https://slack.com.evil.example/a", "https://slack.com/api/", False),
        ("https://files.slack.com@evil.example/a", "https://slack.com/api/", False),
        ("https://evil.example/?slack.com", "https://slack.com/api/", False),
        ("https://files.slack-gov.com/a", "https://slack-gov.com/api/", True),
        ("http://127.0.0.1:8055/files-pri/a", "http://127.0.0.1:8055/api/", True),
        ("http://127.0.0.1:8056/files-pri/a", "http://127.0.0.1:8055/api/", False),
        ("https://[::1/a", "https://slack.com/api/", False),
        ("", "https://slack.com/api/", False),
    ],
)
def test_whose_address_it_is(url: str, api: str, is_ours: bool):
    assert is_slacks(url, api) is is_ours
