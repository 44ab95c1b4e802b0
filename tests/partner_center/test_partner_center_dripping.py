"""Over real connections: what goes on coming and never ends is given up, and its connection with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from bot.domain.customer import Cloud
from bot.domain.errors import Unavailable
from bot.partner_center.answers import Answer, Sought, Trouble
from bot.partner_center.auth import AppRegistration, SignIn
from bot.partner_center.cloud import hosts_of
from bot.partner_center.exchange import Call, Exchange, http_client

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Dripping:
    """Answers `/whole` at once; of everything else the head, or the body, comes drop by drop."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /whole" in head:
                writer.write(WHOLE)
                return
            writer.write(HEAD if b" /head" in head else HEAD + b"\r\n")
            while True:
                writer.write(b"x: y\r\n" if b" /head" in head else b" ")
                await writer.drain()
                await asyncio.sleep(0.001)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()


@pytest.fixture
async def dripping() -> AsyncIterator[Dripping]:
    made = Dripping()
    yield made
    await made.stop()


def now() -> datetime:
    return datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


def an_exchange(http: httpx.AsyncClient, longest_answer: float = 0.1) -> Exchange:
    return Exchange(
        http=http,
        max_concurrency=1,
        now=now,
        sleep=asyncio.sleep,
        jitter=lambda: 1.0,
        locale="en-US",
        longest_answer=longest_answer,
    )


def a_call(method: str, url: str) -> Call:
    body = b"{}" if method == "PATCH" else None
    return Call(method, url, Sought("customer", ""), correlation_id="c", body=body)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_body_without_end_is_given_up(dripping: Dripping, method: str):
    url = await dripping.start()
    async with asyncio.timeout(10), http_client() as http:
        exchange = an_exchange(http)
        trouble = await exchange.once(a_call(method, f"{url}/body"))
        assert isinstance(trouble, Trouble)
        assert isinstance(trouble.error, Unavailable)
        assert (trouble.error.reason, trouble.effect_open) == ("timeout", True)
        await dripping.left.wait()
        assert isinstance(await an_exchange(http, 5.0).once(a_call(method, f"{url}/whole")), Answer)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_head_without_end_is_given_up(dripping: Dripping, method: str):
    """Be it because it takes too long, or because it is too large."""
    url = await dripping.start()
    async with asyncio.timeout(10), http_client() as http:
        trouble = await an_exchange(http).once(a_call(method, f"{url}/head"))
        assert isinstance(trouble, Trouble)
        assert (type(trouble.error), trouble.effect_open) == (Unavailable, True)
        await dripping.left.wait()


async def test_waiting_for_a_turn_takes_nothing_from_the_time_for_an_answer(dripping: Dripping):
    """With a single place, the last one waits longer than an answer may take, and gets one all the same."""
    url = await dripping.start()
    async with asyncio.timeout(10), http_client() as http:
        exchange = an_exchange(http, 0.2)
        calls = [a_call("GET", f"{url}/{path}") for path in ("body", "body", "whole")]
        outcomes = await asyncio.gather(*(exchange.once(call) for call in calls))
    assert [type(outcome) for outcome in outcomes] == [Trouble, Trouble, Answer]


async def test_a_token_without_end_is_given_up(dripping: Dripping):
    url = await dripping.start()
    async with asyncio.timeout(10), http_client() as authority:
        sign_in = SignIn(
            cloud=hosts_of(Cloud.GLOBAL, authority_url=url),
            app=AppRegistration("tenant", "app", "secret"),
            http=authority,
            now=now,
            longest_answer=0.1,
        )
        with pytest.raises(Unavailable) as unavailable:
            await sign_in.token()
        assert unavailable.value.reason == "sign-in-unreachable"
        await dripping.left.wait()


async def test_a_token_without_end_leaves_no_doubt_whether_a_write_was_sent(dripping: Dripping):
    url = await dripping.start()
    cloud = hosts_of(Cloud.GLOBAL, base_url=f"{url}/api", authority_url=url)
    app = AppRegistration("tenant", "app", "secret")
    async with asyncio.timeout(10), http_client() as authority:
        sign_in = SignIn(cloud=cloud, app=app, http=authority, now=now, longest_answer=0.1)
        async with http_client(auth=sign_in) as http:
            trouble = await an_exchange(http, 5.0).once(a_call("PATCH", f"{cloud.api}/v1/x"))
    assert isinstance(trouble, Trouble)
    assert isinstance(trouble.error, Unavailable)
    assert (trouble.error.reason, trouble.effect_open) == ("sign-in-unreachable", False)
