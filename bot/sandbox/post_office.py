"""A sandbox mail server: takes mail by SMTP on loopback, passes it on to nobody, and shows it to whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

MOST_BYTES = 1024 * 1024
_GREETING = b"220 sandbox.invalid ESMTP; nothing leaves this machine"
_EXTENSIONS = b"250-sandbox.invalid\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE %d" % MOST_BYTES


class PostOffice:
    """As much of RFC 5321 as a client needs that sends one mail at a time."""

    def __init__(self, arrived: Callable[[EmailMessage], None]) -> None:
        """`arrived` is called with each mail before it is acknowledged."""
        self.url = ""
        """Where it listens, once it is started."""
        self._arrived = arrived
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"smtp://{host}:{port}"

    async def stop(self) -> None:
        """Harmless when it is not running."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()
        self._server = None

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever called has gone, or says what nobody can read
        finally:
            self._open.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: bytes) -> None:
            writer.write(line + b"\r\n")
            await writer.drain()

        sender = recipients = 0
        await say(_GREETING)
        while True:
            verb = (await reader.readuntil(b"\n")).strip().upper()
            if verb.startswith(b"EHLO"):
                await say(_EXTENSIONS)
            elif verb.startswith((b"HELO", b"NOOP")):
                await say(b"250 OK")
            elif verb.startswith(b"RSET"):
                sender = recipients = 0
                await say(b"250 OK")
            elif verb.startswith(b"MAIL FROM:"):
                sender, recipients = 1, 0
                await say(b"250 OK")
            elif verb.startswith(b"RCPT TO:") and sender:
                recipients += 1
                await say(b"250 OK")
            elif verb == b"DATA" and recipients:
                sender = recipients = 0
                await say(b"354 end with a dot on a line of its own")
                content = await _text(reader)
                if content is None:
                    await say(b"552 too large")
                    continue
                self._arrived(message_from_bytes(content, policy=policy.default.clone(utf8=True)))
                await say(b"250 taken; it goes no further")
            elif verb == b"QUIT":
                await say(b"221 bye")
                return
            else:
                await say(b"503 not now" if verb.startswith((b"RCPT", b"DATA")) else b"502 unknown here")


async def _text(reader: asyncio.StreamReader) -> bytes | None:
    """What comes before the dot; None when it is more than MOST_BYTES."""
    lines: list[bytes] = []
    size = 0
    while (line := await reader.readuntil(b"\n")) not in (b".\r\n", b".\n"):
        size += len(line)
        if size <= MOST_BYTES:
            lines.append(line.removeprefix(b"."))
    return b"".join(lines) if size <= MOST_BYTES else None


def as_message(mail: EmailMessage) -> dict[str, Any]:
    """The mail as a message of the sandbox workspace: whom it is for and what about, then its text as it is."""
    body = mail.get_body(("plain",))
    text = str(body.get_content()).replace("\r\n", "\n").strip() if body else ""
    about = [f"To: {mail['To']}", f"From: {mail['From']}", f"Subject: {mail['Subject']}"]
    return {
        "text": f"{mail['Subject']} ({mail['To']})",
        "blocks": [
            {
                "type": "section",
                "text": {"type": "plain_text", "text": "\n".join(about)[:3000], "emoji": False},
            },
            {"type": "divider"},
            {"type": "section", "text": {"type": "plain_text", "text": text[:3000] or " ", "emoji": False}},
        ],
    }
