"""A bare Bolt app that acknowledges `/csp-suspend` at once, over our own web server or Bolt's Socket Mode."""

from __future__ import annotations

import argparse
import asyncio
import os

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.web import Web
from tests.program import UP


async def acknowledge(ack: AsyncAck) -> None:
    await ack()


async def serve(*, process_before_response: bool) -> None:
    """Until the process is ended; settings as the program's own."""
    client = AsyncWebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(
        client=client,
        signing_secret=os.environ["SLACK_SIGNING_SECRET"],
        process_before_response=process_before_response,
    )
    app.command("/csp-suspend")(acknowledge)
    port = os.environ.get("PORT")
    if port:
        web = Web(app=app, checks={}, signing_secret=os.environ["SLACK_SIGNING_SECRET"])
        await web.start(int(port), host="127.0.0.1")
    else:
        socket = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"], web_client=client)
        await socket.connect_async()  # type: ignore[no-untyped-call]
    print(UP, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--process-before-response", action="store_true")
    asyncio.run(serve(process_before_response=parser.parse_args().process_before_response))
