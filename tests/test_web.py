"""What `/readyz` makes of checks that hold, fail or never answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp

from bot import web
from bot.courier import COMES_UP, OVERDUE
from bot.scheduler import SILENCE
from bot.slack_socket import PING_SECONDS
from bot.store import Store
from bot.web import CHECK_SECONDS, Check, Web
from tests.builders import noon
from tests.proxy import Proxy

LONG = 30.0

Ask = Callable[..., Awaitable[tuple[int, Mapping[str, bool]]]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Ask a server with these checks whether it is ready: the status, and what holds."""
    async with AsyncExitStack() as ends:
        session = await ends.enter_async_context(aiohttp.ClientSession())

        async def asked(**checks: Check) -> tuple[int, Mapping[str, bool]]:
            server = Web(app=None, checks=checks)
            await server.start(0, host="127.0.0.1")
            ends.push_async_callback(server.stop)
            async with session.get(f"http://127.0.0.1:{server.port}/readyz") as answer:
                said = await answer.json()
            assert said["ok"] is (answer.status == 200)
            return answer.status, said["checks"]

        yield asked


async def holds() -> bool:
    return True


async def fails() -> bool:
    raise LookupError


async def never_answers() -> bool:
    await asyncio.Event().wait()
    return True


async def test_one_check_that_fails_makes_it_red_and_is_named(ask: Ask):
    assert await ask(one=holds) == (200, {"one": True})
    assert await ask(one=holds, two=fails) == (503, {"one": True, "two": False})


async def test_what_does_not_answer_does_not_hold(ask: Ask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "CHECK_SECONDS", 0.05)
    assert await ask(one=never_answers, two=holds) == (503, {"one": False, "two": True})


async def test_a_stop_does_not_wait_for_who_never_ends_to_send(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "ENDS_WITHIN", 0.1)
    server = Web(app=AsyncApp(signing_secret="s", token="xoxb-0"), checks={}, signing_secret="s")
    await server.start(0, host="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /slack/events HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    )
    assert b"100" in await reader.readline(), "it waits for what is to come"
    async with asyncio.timeout(LONG):
        await server.stop()
        await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "silence",
    [
        pytest.param(0.0, id="database"),
        pytest.param(SILENCE, id="scheduler"),
        pytest.param(max(OVERDUE, COMES_UP), id="courier"),
        pytest.param(4 * PING_SECONDS, id="slack"),  # how long the SDK waits for a sign of life
    ],
)
def test_whatever_has_died_is_red_within_a_minute(silence: float):
    # That each is red after so long is shown in test_scheduler, test_courier and attacks/test_socket.
    assert silence + CHECK_SECONDS <= 60


async def test_a_database_that_is_gone_is_red_and_green_again_when_it_is_back(ask: Ask, postgres_url: str):
    async with Proxy(postgres_url) as wire:
        store = Store(wire.url, now=lambda: noon)

        async def answers() -> bool:
            await store.ping()
            return True

        assert (await ask(database=answers))[0] == 200
        wire.cut()
        assert await ask(database=answers) == (503, {"database": False})
        wire.mend()
        assert (await ask(database=answers))[0] == 200
        await store.close()
