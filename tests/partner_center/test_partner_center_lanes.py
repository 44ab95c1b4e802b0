"""Connections are used again, there are no more of them than there may be, and none is lost by what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.partner_center.lanes import LaneClient


class Server:
    """Answers once it may; keeps where each request came from. `/cut` gets no answer."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.peers: list[int] = []
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
                self.peers.append(writer.get_extra_info("peername")[1])
                self.on_the_way += 1
                self.most = max(self.most, self.on_the_way)
                await self.may.wait()
                self.on_the_way -= 1
                if head.startswith(b"GET /cut"):
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    await made.stop()


def a_client(most: int, *, patience: float = 5.0) -> LaneClient:
    return LaneClient(
        timeout=httpx.Timeout(5.0, pool=patience), limits=httpx.Limits(max_connections=most), trust_env=False
    )


async def test_one_after_another_share_a_connection(server: Server):
    url = await server.start()
    async with a_client(4) as client:
        for _ in range(5):
            assert (await client.get(url)).json() == {}
    assert len(set(server.peers)) == 1


async def test_there_are_no_more_than_there_may_be(server: Server):
    url = await server.start()
    server.may.clear()
    async with a_client(3) as client:
        calls = [asyncio.create_task(client.get(url)) for _ in range(10)]
        async with asyncio.timeout(5):
            while server.on_the_way < 3:
                await asyncio.sleep(0)
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
        async with asyncio.timeout(5):
            while not server.on_the_way:
                await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        server.may.set()
        assert (await client.get(url)).status_code == 200


async def test_who_waits_for_a_place_too_long_is_told(server: Server):
    url = await server.start()
    server.may.clear()
    async with a_client(1, patience=0.01) as client:
        first = asyncio.create_task(client.get(url))
        async with asyncio.timeout(5):
            while not server.on_the_way:
                await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(url)
        server.may.set()
        await first
