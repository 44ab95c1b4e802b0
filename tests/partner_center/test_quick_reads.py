"""Reads use connections again, lose none by what goes wrong, and speak as httpx does; changes go the old way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.partner_center.quick_reads import QuickReads
from tests.stage import free_port


class Server:
    """Answers once it may; keeps what came, and from where. `/cut` gets no answer, and `/last` is the last."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.peers: list[int] = []
        self.heads: list[bytes] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        self.on_the_way = self.most = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                self.peers.append(writer.get_extra_info("peername")[1])
                self.on_the_way += 1
                self.most = max(self.most, self.on_the_way)
                await self.may.wait()
                self.on_the_way -= 1
                if b" /cut" in head:
                    break
                writer.write(self.answer)
                if b" /last" in head:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    await made.stop()


def a_client(most: int = 4, *, patience: float = 5.0, read: float = 5.0) -> QuickReads:
    return QuickReads(
        timeout=httpx.Timeout(5.0, pool=patience, read=read),
        limits=httpx.Limits(max_connections=most),
        trust_env=False,
        verify=httpx.create_ssl_context(),
    )


async def test_one_after_another_share_a_connection(server: Server):
    url = await server.start()
    async with a_client() as client:
        for _ in range(5):
            assert (await client.get(url)).json() == {}
    assert len(set(server.peers)) == 1


async def test_there_are_no_more_than_there_may_be(server: Server):
    url = await server.start()
    server.may.clear()
    async with a_client(3) as client:
        calls = [asyncio.create_task(client.get(url)) for _ in range(10)]
        await under_way(server, 3)
        server.may.set()
        await asyncio.gather(*calls)
    assert (len(set(server.peers)), server.most) == (3, 3)


async def test_what_fails_or_is_given_up_leaves_its_place(server: Server):
    url = await server.start()
    async with a_client(1) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{url}/cut")
        server.may.clear()
        given_up = asyncio.create_task(client.get(url))
        await under_way(server, 1)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        server.may.set()
        assert (await client.get(url)).status_code == 200


async def test_what_is_not_read_to_its_end_leaves_its_place(server: Server):
    url = await server.start()
    async with a_client(1) as client:
        async with client.stream("GET", url) as answer:
            assert answer.status_code == 200
        assert (await client.get(url)).json() == {}


async def test_who_waits_for_a_place_too_long_is_told(server: Server):
    url = await server.start()
    server.may.clear()
    async with a_client(1, patience=0.01) as client:
        first = asyncio.create_task(client.get(url))
        await under_way(server, 1)
        with pytest.raises(httpx.TimeoutException):
            await client.get(url)
        server.may.set()
        await first


async def test_who_waits_for_an_answer_too_long_is_told(server: Server):
    url = await server.start()
    server.may.clear()
    async with a_client(read=0.01) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", httpx.RemoteProtocolError, id="too short"
        ),
        pytest.param(b"nonsense\r\n\r\n", httpx.RemoteProtocolError, id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            httpx.RemoteProtocolError,
            id="endless header",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
            httpx.DecodingError,
            id="not what it is packed as",
        ),
    ],
)
async def test_what_is_amiss_with_an_answer_is_told_in_httpx_words(
    server: Server, answer: bytes, error: type[Exception]
):
    url, server.answer = await server.start(), answer
    async with a_client() as client:
        with pytest.raises(error):
            await client.get(f"{url}/last")


async def test_where_nobody_listens_it_says_that_nothing_was_sent():
    async with a_client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{free_port()}")


async def test_what_an_answer_is_packed_in_is_unpacked(server: Server):
    packed = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    url, server.answer = await server.start(), head.encode() + packed
    async with a_client() as client:
        assert (await client.get(url)).json() == {"a": 1}


async def test_it_follows_nowhere_and_keeps_no_cookies(server: Server):
    url = await server.start()
    server.answer = (
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    )
    async with a_client() as client:
        for _ in range(2):
            assert (await client.get(f"{url}/here?filter=%7B%22a%22%3A1%7D")).status_code == 302
    assert len(server.heads) == 2
    for head in server.heads:
        assert head.startswith(b"GET /here?filter=%7B%22a%22%3A1%7D HTTP/1.1\r\n")
        assert b"cookie" not in head.lower()


async def test_what_changes_something_is_never_sent_twice_by_itself(server: Server):
    """Aiohttp sends again what a connection that it used again has lost; of a change nobody knows what came of it."""
    url = await server.start()
    async with a_client() as client:
        assert (await client.get(url)).status_code == 200
        for method in ("PATCH", "POST", "PUT", "DELETE"):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.request(method, f"{url}/cut")
    assert [head.split(b" ")[0] for head in server.heads] == [b"GET", b"PATCH", b"POST", b"PUT", b"DELETE"]


async def under_way(server: Server, many: int) -> None:
    async with asyncio.timeout(5):
        while server.on_the_way < many:
            await asyncio.sleep(0)
