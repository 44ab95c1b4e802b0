"""A wire that can be cut: a TCP proxy on loopback between one process and its database."""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import urlsplit


class Proxy:
    """Passes everything on until it is cut, and again once it is mended."""

    def __init__(self, url: str) -> None:
        """`url` is the database's."""
        self._url = url
        self._server: asyncio.Server | None = None
        self._is_cut = False
        self._cut_at = b""
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The same database, through the proxy."""
        if self._server is None:
            raise RuntimeError("the proxy was not started")
        there = urlsplit(self._url)
        port = self._server.sockets[0].getsockname()[1]
        return there._replace(netloc=there.netloc.replace(f":{there.port}", f":{port}")).geturl()

    def cut(self) -> None:
        """Drop every connection, and every new one at once."""
        self._is_cut = True
        for end in tuple(self._ends):
            end.transport.abort()

    def cut_after(self, word: bytes) -> None:
        """Pass on the first piece that holds this word, and cut before anything is answered."""
        self._cut_at = word

    def mend(self) -> None:
        self._is_cut = False

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        if self._server:
            self._server.close()
        await asyncio.gather(*self._passing)

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)
        there = urlsplit(self._url)
        if self._is_cut:
            near_out.transport.abort()
            return
        far_in, far_out = await asyncio.open_connection(there.hostname, there.port)
        self._ends |= {near_out, far_out}
        try:
            await asyncio.gather(self._pass_on(near_in, far_out), self._pass_on(far_in, near_out))
        finally:
            self._ends -= {near_out, far_out}

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Until one end is closed; then the other is, too."""
        try:
            while some := await source.read(65536):
                target.write(some)
                await target.drain()
                if self._cut_at and self._cut_at in some:
                    self._cut_at = b""
                    self.cut()
        except ConnectionError:
            pass
        finally:
            target.close()
