"""What comes to /slack/events without Slack's signature is not even parsed; what cannot be read is turned away."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.web import MOST_BYTES, Web
from handlers.listeners import Kind
from tests.handlers.story import signed
from tests.handlers.test_listeners import HEARD, SAID, listening

SECRET = "s" * 32  # of `an_app` it is another, for Bolt looks at none there
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DEEP = b"payload=" + b"[" * 100_000
COMMAND = urlencode({"team_id": "T", "user_id": "U"} | SAID[Kind.COMMAND]).encode()

Sign = Callable[[bytes], dict[str, str]]
"""Of a body, when it is sent: a signature soon is too old."""


class Door:
    def __init__(self, port: int, heard: list[object]) -> None:
        self._url = f"http://127.0.0.1:{port}/slack/events"
        self.heard = heard

    async def takes(self, body: bytes, headers: dict[str, str]) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url, data=io.BytesIO(body), headers=FORM | headers) as answer,
        ):
            assert "Traceback" not in await answer.text()
            return answer.status


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    heard: list[object] = []
    server = Web(app=listening(heard, *HEARD), checks={}, signing_secret=SECRET)
    await server.start(0, host="127.0.0.1")
    yield Door(server.port, heard)
    await server.stop()


async def test_what_is_signed_is_heard(door: Door):
    assert await door.takes(COMMAND, signed(SECRET, COMMAND)) == 200
    assert door.heard == [Kind.COMMAND]


def nothing(_body: bytes) -> dict[str, str]:
    return {}


def tomorrow(body: bytes) -> dict[str, str]:
    return signed(SECRET, body, stamp=str(int(time.time()) + 86_400))


@pytest.mark.parametrize(
    ("body", "sign", "status"),
    [
        pytest.param(COMMAND, nothing, 401, id="no signature"),
        pytest.param(COMMAND, partial(signed, "other" * 6), 401, id="another secret"),
        pytest.param(COMMAND, partial(signed, SECRET, stamp="9" * 5_000), 401, id="a time of 5,000 digits"),
        pytest.param(COMMAND, tomorrow, 401, id="a later time"),
        pytest.param(DEEP, nothing, 401, id="deep, unsigned"),
        pytest.param(DEEP, partial(signed, SECRET), 400, id="deep, signed"),
        pytest.param(b"\xff" * 9, lambda _body: signed(SECRET, b"?"), 401, id="no text"),
        pytest.param(b"x" * (MOST_BYTES + 1), nothing, 413, id="far too much"),
        pytest.param(b"ssl_check=1&token=t", nothing, 200, id="whether our certificate is good"),
        pytest.param(b"ssl_check=1&" + COMMAND, nothing, 200, id="a command beside that"),
        pytest.param(b'{"ssl_check": "1", "command": "/csp"}', nothing, 401, id="the same in JSON"),
        pytest.param(b"ssl_check=1&" + b"x" * 2_000, nothing, 401, id="and far too much beside it"),
    ],
)
async def test_nothing_comes_of(door: Door, body: bytes, sign: Sign, status: int):
    assert await door.takes(body, sign(body)) == status
    assert door.heard == []


@pytest.mark.parametrize("payload", [[1], None, 1, "text"], ids=str)
async def test_what_is_no_payload_is_turned_away(door: Door, payload: object):
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert await door.takes(body, signed(SECRET, body)) in (400, 404)
    assert door.heard == []
