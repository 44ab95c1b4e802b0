"""The sandbox's mail server, asked by real clients of SMTP; it delivers to nobody."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from urllib.parse import urlsplit

import aiosmtplib
import pytest

from bot.sandbox.post_office import MOST_BYTES, PostOffice, as_message

ARRIVED = list[EmailMessage]


@pytest.fixture
def arrived() -> ARRIVED:
    return []


@pytest.fixture
async def port(arrived: ARRIVED) -> AsyncIterator[int]:
    office = PostOffice(arrived.append)
    await office.start()
    address = urlsplit(office.url)
    assert (address.scheme, address.hostname) == ("smtp", "127.0.0.1")
    yield address.port or 0
    await office.stop()


def a_mail(text: str = "Please pay.\n", to: str = "billing@contoso.example") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Northwind <billing@northwind.example>", to, "Überfällig"
    mail.set_content(text)
    return mail


async def dialogue(port: int, said: bytes) -> bytes:
    """All it answers to that, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_what_arrives_is_what_was_sent(port: int, arrived: ARRIVED):
    await aiosmtplib.send(a_mail("one\n.\n..two\n逾期\n"), hostname="127.0.0.1", port=port, start_tls=False)
    (mail,) = arrived
    assert (mail["To"], mail["Subject"]) == ("billing@contoso.example", "Überfällig")
    assert str(mail.get_content()).replace("\r\n", "\n") == "one\n.\n..two\n逾期\n"


async def test_an_address_that_is_not_ascii_arrives(port: int, arrived: ARRIVED):
    mail = a_mail(to="会计@例子.中国")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(mail)

    await asyncio.to_thread(send)
    assert arrived[0]["To"] == "会计@例子.中国"


async def test_two_mails_over_one_connection_are_two(port: int, arrived: ARRIVED):
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        await client.send_message(a_mail("one"))
        await client.send_message(a_mail("two"))
    assert [str(mail.get_content()).strip() for mail in arrived] == ["one", "two"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(b"EHLO x\r\nDATA\r\n", b"503", id="a text before an address"),
        pytest.param(b"EHLO x\r\nRCPT TO:<a@b.example>\r\n", b"503", id="an address before a sender"),
        pytest.param(b"VRFY a@b.example\r\n", b"502", id="a word it does not know"),
    ],
)
async def test_what_is_out_of_order_is_refused(port: int, arrived: ARRIVED, said: bytes, answer: bytes):
    assert (await dialogue(port, said)).splitlines()[-1].startswith(answer)
    assert arrived == []


async def test_a_text_that_breaks_off_is_no_mail(port: int, arrived: ARRIVED):
    await dialogue(
        port, b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n"
    )
    assert arrived == []


async def test_a_text_that_is_too_large_is_refused(port: int, arrived: ARRIVED):
    line = b"x" * 998 + b"\r\n"
    said = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n" + line * (
        MOST_BYTES // 1000 + 1000
    )
    answer = await dialogue(port, said + b".\r\nQUIT\r\n")
    assert b"\r\n552 " in answer
    assert answer.endswith(b"221 bye\r\n")
    assert arrived == []


def test_a_mail_is_shown_with_whom_it_is_for_and_its_text_as_it_is():
    shown = as_message(a_mail("Dear *Sir* <!channel>,\n\nplease pay.\n"))
    about, _, text = shown["blocks"]
    assert about["text"]["text"].splitlines()[0] == "To: billing@contoso.example"
    assert text["text"] == {
        "type": "plain_text",
        "text": "Dear *Sir* <!channel>,\n\nplease pay.",
        "emoji": False,
    }
