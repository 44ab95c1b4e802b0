"""The way to Slack in Socket Mode: kept open, and opened anew at another address where one leads nowhere."""

from __future__ import annotations

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

PING_SECONDS = 5.0
"""A connection that breaks is noticed, and tried again, within so long; one that is silent, within four times that."""


class SlackSocket:
    def __init__(
        self, app: AsyncApp, token: str, client: AsyncWebClient, *, ping_seconds: float = PING_SECONDS
    ) -> None:
        self._handler = AsyncSocketModeHandler(app, token, web_client=client, ping_interval=ping_seconds)
        self._handler.client.proxy = client.proxy

    async def connect(self) -> None:
        """Return when it is open; for as long as it cannot be, it is tried again."""
        await self._handler.connect_async()  # type: ignore[no-untyped-call]

    async def hears(self) -> bool:
        """Whether it is open and what comes through it is read; the SDK looks at the first alone."""
        client = self._handler.client
        reads = (client.message_receiver, client.message_processor)
        return await self._is_connected() and all(task is not None and not task.done() for task in reads)

    async def _is_connected(self) -> bool:
        return bool(await self._handler.client.is_connected())

    async def look_after(self) -> None:
        """Have it ask Slack for another address while it has no connection.

        An address is good for one connection and soon for none, but the SDK goes on with the one it has for ever.
        """
        if not await self._is_connected():
            self._handler.client.wss_uri = None

    async def close(self) -> None:
        await self._handler.close_async()  # type: ignore[no-untyped-call]
