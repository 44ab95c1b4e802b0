"""Sends one mail by SMTP, and says for certain whether it was sent, was not, or nobody knows."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime
from enum import StrEnum
from urllib.parse import unquote, urlsplit

import aiosmtplib

from bot.domain.errors import NotReady, Rejected, SignInFailed, Unavailable, Upstream

MAIL = "mail"
ANSWER_SECONDS = 20.0
"""For every answer but the last."""
TAKEN_SECONDS = 60.0
"""For the answer to the text itself; RFC 5321 (4.5.3.2.6) would give a server ten minutes, nobody waits so long."""
TOTAL_SECONDS = 4 * ANSWER_SECONDS + TAKEN_SECONDS + 2.0
"""No mail takes longer: to be let in, to name whom it is for, to hand the text over, and to part."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_ANSWER = (aiosmtplib.SMTPException, OSError, TimeoutError)
"""What the client raises: a refusal, or no answer that could be understood."""
_IN_ASCII = SMTPUTF8.clone(utf8=False, cte_type="7bit")
_IN_UTF8 = SMTPUTF8.clone(cte_type="7bit")
"""Headers as they are; the text still in ASCII, which every server takes (RFC 6531 asks for no more)."""
_SENDER = re.compile(r"\s*(?:(?P<name>[^<>\r\n]*)<)?(?P<address>[^<>@\s]+@[^<>@\s]+?)>?\s*")


class Tls(StrEnum):
    FROM_THE_START = "smtps"
    STARTTLS = "starttls"
    """Asked for before anything is said; a server without it is not used."""
    NONE = "none"
    """On this very machine only."""


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    tls: Tls
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`id` becomes the Message-ID, so that whoever sees a mail twice can tell that it is one."""

    id: str
    to: str
    subject: str
    text: str
    language: str


def server_of(url: str) -> MailServer:
    """Read `smtp[s]://[user:password@]host[:port]`. Raises ValueError."""
    read = urlsplit(url)
    if read.scheme not in ("smtp", "smtps") or not read.hostname:
        raise ValueError("must be smtp://[user:password@]host:port, or smtps:// for TLS from the start")
    if read.path not in ("", "/") or read.query or read.fragment:
        raise ValueError("must end behind the port; write @ / ? # in a password as %40 %2F %3F %23")
    if read.scheme == "smtps":
        tls, usual = Tls.FROM_THE_START, 465
    else:
        tls, usual = (Tls.NONE if read.hostname in _LOOPBACK else Tls.STARTTLS), 587
    user, password = unquote(read.username or ""), unquote(read.password or "")
    return MailServer(read.hostname, read.port or usual, tls, user, password)


def sender_of(text: str) -> Address:
    """Read `Billing <billing@example.com>` or the address alone. Raises ValueError."""
    found = _SENDER.fullmatch(text)
    if not found:
        raise ValueError(
            "must be an address, with a name before it or without: Billing <billing@example.com>"
        )
    try:
        address = Address(display_name=(found["name"] or "").strip().strip('"'), addr_spec=found["address"])
        address.addr_spec.encode("ascii")
    except (ValueError, IndexError) as error:
        raise ValueError(f"{found['address']!r} is not a mail address") from error
    return address


class Mail:
    def __init__(
        self,
        server: MailServer,
        *,
        sender: Address,
        now: Callable[[], datetime],
        tls_context: ssl.SSLContext | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        taken_seconds: float = TAKEN_SECONDS,
    ) -> None:
        """`tls_context` is for a server whose certificate only its owner knows."""
        self._server = server
        self._sender = sender
        self._now = now
        self._tls_context = tls_context
        self._answer_seconds = answer_seconds
        self._taken_seconds = taken_seconds

    @property
    def sender(self) -> Address:
        """Whom mail is from."""
        return self._sender

    async def send(self, outgoing: Outgoing) -> None:
        """Send it once. Every error means that it was not sent, except a plain `Unavailable` (no subclass).

        Raises NotReady (try again later), Rejected, SignInFailed; and Unavailable when the server fell silent
        over the text: then nobody knows. An address that is not ASCII is sent to where the server offers SMTPUTF8
        (RFC 6531), else Rejected: `no-smtputf8`.
        """
        content = bytes(composed(outgoing, sender=self._sender, at=self._now()))
        async with self._connected() as client:
            try:
                async with asyncio.timeout(self._answer_seconds * 2):
                    await self._addressed(client, outgoing.to)
            except _NO_ANSWER as error:
                raise _refusal(error) from error
            try:
                async with asyncio.timeout(self._taken_seconds):
                    await client.data(content)
            except _NO_ANSWER as error:
                raise _refusal(error) if _is_definite(error) else _silence(error) from error

    async def _addressed(self, client: aiosmtplib.SMTP, to: str) -> None:
        """Name whom it is from and whom it is for."""
        if to.isascii():
            await client.mail(self._sender.addr_spec)
            await client.rcpt(to)
            return
        await client.ehlo()
        if not client.supports_extension("smtputf8"):
            raise Rejected(MAIL, "no-smtputf8")
        await client.mail(self._sender.addr_spec, options=["SMTPUTF8", "BODY=8BITMIME"])
        await client.rcpt(to, encoding="utf-8")

    async def sign_in(self) -> None:
        """See that the server lets us in; raises what stands in the way."""
        async with self._connected():
            pass

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Encrypted and signed in as the server's address says. Raises NotReady, Rejected, SignInFailed."""
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.tls is Tls.FROM_THE_START,
            start_tls=self._server.tls is Tls.STARTTLS,
            tls_context=self._tls_context or ssl.create_default_context(),
            local_hostname=self._sender.domain,
            timeout=self._answer_seconds,
        )
        try:
            try:
                async with asyncio.timeout(self._answer_seconds * 2):
                    await self._introduced(client)
            except _NO_ANSWER as error:
                raise _refusal(error) from error
            yield client
            with suppress(*_NO_ANSWER):
                await client.quit(timeout=2)  # it is done; how we part changes nothing
        finally:
            client.close()

    async def _introduced(self, client: aiosmtplib.SMTP) -> None:
        await client.connect()
        if self._server.user:
            try:
                await client.login(self._server.user, self._server.password)
            except aiosmtplib.SMTPResponseException as error:
                if not 500 <= error.code < 600:
                    raise
                raise SignInFailed(MAIL, str(error.code), error.code) from error
            except aiosmtplib.SMTPException as error:
                if type(error) is not aiosmtplib.SMTPException:
                    raise
                raise SignInFailed(MAIL, "no-sign-in") from error  # it offers none that we know


def composed(outgoing: Outgoing, *, sender: Address, at: datetime) -> EmailMessage:
    """The mail as it is sent. Raises ValueError for an address or a subject that would break out of its header."""
    message = EmailMessage(policy=_IN_ASCII if outgoing.to.isascii() else _IN_UTF8)
    message["From"] = sender
    message["To"] = _addressee(outgoing.to)
    message["Subject"] = outgoing.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{outgoing.id}@{sender.domain}>"
    # No out-of-office shall answer it: RFC 3834, section 5.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(outgoing.text, charset="utf-8")
    message["Content-Language"] = outgoing.language  # behind the text: setting that takes such headers away
    return message


def _addressee(to: str) -> Address:
    """The address, which the standard library reads only in ASCII: its shape is judged with `x` for the others."""
    read = Address(addr_spec="".join(c if c.isascii() else "x" for c in to))
    return read if to.isascii() else Address(username=to.rpartition("@")[0], domain=to.rpartition("@")[2])


def _is_definite(error: Exception) -> bool:
    """Whether the server said no: RFC 5321 (4.2.1) lets it refuse with 4xx and 5xx, after the text as well."""
    return isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600


def _refusal(error: Exception) -> Upstream:
    """It was not sent: by a definite no, or because it never came to the text."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500:
        return Rejected(MAIL, str(error.code), error.code)
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 400:
        return NotReady(MAIL, str(error.code), error.code)
    return NotReady(MAIL, _word(error))


def _silence(error: Exception) -> Unavailable:
    return Unavailable(MAIL, _word(error))


def _word(error: Exception) -> str:
    """A short word; never the server's own sentence, which may repeat the address."""
    if isinstance(error.__cause__, ssl.SSLError) or isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "cut-off"
    if isinstance(error, aiosmtplib.SMTPConnectError | OSError):
        return "unreachable"
    return "no-tls" if type(error) is aiosmtplib.SMTPException else "unreadable"
