"""The far side of SMTP: a real mail server (aiosmtpd) on loopback, on our loop, that can refuse and fall silent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bot.mail import Mail, MailServer, Tls
from tests.builders import noon

SENDER = Address("Billing", "billing", "partner.example")
CUT = "cut"
"""In place of an answer: the connection goes."""
SILENCE = "silence"
"""In place of an answer: nothing comes, for as long as the client waits."""


@dataclass
class PostOffice:
    """`at_rcpt` and `at_data` are what it says there instead of taking it; `after_data` cuts it off once taken."""

    port: int = 0
    at_mail: str = ""
    at_rcpt: str = ""
    at_data: str = ""
    after_data: str = ""
    slow: asyncio.Event | None = None
    """Once the text is taken, it answers when this is set."""
    taken: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    smtputf8: list[bool] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    # What aiosmtpd calls

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._says(server, self.at_mail) or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self._says(server, self.at_rcpt):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if said := await self._says(server, self.at_data):
            return said
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        self.taken.append(message_from_bytes(content, policy=policy.default.clone(utf8=True)))
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        self.smtputf8.append(bool(envelope.smtp_utf8))
        self.arrived.set()
        if self.slow:
            await self.slow.wait()
        return await self._says(server, self.after_data) or "250 OK"

    async def _says(self, server: SMTP, said: str) -> str:
        if said == CUT:
            _abort(server)
        if said == SILENCE:
            await asyncio.Event().wait()
        return "" if said in (CUT, SILENCE) else said


def right_password(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    ok = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ana@x", b"s3:cret/")
    return AuthResult(success=ok, handled=False)


@asynccontextmanager
async def post_office(
    *, certificate: ssl.SSLContext | None = None, signs_in: bool = False, utf8: bool = False
) -> AsyncIterator[PostOffice]:
    """Open for as long as the block lasts; with a certificate it insists on STARTTLS, and only then signs people in."""
    office = PostOffice()
    made: list[SMTP] = []

    def one() -> SMTP:
        server = SMTP(
            office,
            hostname="post-office.example",
            enable_SMTPUTF8=utf8,
            tls_context=certificate,
            require_starttls=certificate is not None,
            authenticator=right_password if signs_in else None,
            auth_required=signs_in,
            loop=asyncio.get_running_loop(),
        )
        made.append(server)
        return server

    listening = await asyncio.get_running_loop().create_server(one, "127.0.0.1", 0)
    office.port = listening.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        listening.close()
        for server in made:
            _abort(server)
            if task := getattr(server, "_handler_coroutine", None):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await listening.wait_closed()


def _abort(server: SMTP) -> None:
    # Python before 3.11.3 fails to abort a TLS transport that is closed already.
    if isinstance(server.transport, asyncio.WriteTransport) and not server.transport.is_closing():
        server.transport.abort()


def mail_to(office: PostOffice, *, tls: Tls = Tls.NONE, now: Any = None, **options: Any) -> Mail:
    """Our side of it; impatient, so that a test of silence does not take a minute."""
    server = MailServer(
        options.pop("host", "127.0.0.1"),
        office.port,
        tls,
        options.pop("user", ""),
        options.pop("password", ""),
    )
    return Mail(server, sender=SENDER, now=now or (lambda: noon), **options)
