"""Mail by SMTP, over the wire: what arrives, what is refused, and what nobody can know."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import NotReady, Rejected, SignInFailed, Unavailable, Upstream
from bot.domain.letter import one_line
from bot.mail import Outgoing, Tls, composed, sender_of, server_of
from tests.builders import noon
from tests.post_office import CUT, SENDER, SILENCE, PostOffice, mail_to, post_office


def outgoing(**fields: Any) -> Outgoing:
    given = {
        "id": "L-TEST000001",
        "to": "billing@contoso.example",
        "subject": "Overdue payment",
        "text": "Dear Ms Doe,\n\nplease pay.\n.\nKind regards",
        "language": "en",
    }
    return Outgoing(**(given | fields))


async def said_of(office: PostOffice, **options: Any) -> Upstream:
    """What is raised when it is sent now."""
    with pytest.raises(Upstream) as raised:
        await mail_to(office, **options).send(outgoing())
    assert raised.value.system == "mail"
    return raised.value


def body_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


async def test_what_arrives_is_what_was_sent():
    async with post_office() as office:
        await mail_to(office).send(outgoing())
        (mail,) = office.taken
        assert office.recipients == [["billing@contoso.example"]]
        assert mail["From"] == "Billing <billing@partner.example>"
        assert mail["To"] == "billing@contoso.example"
        assert mail["Subject"] == "Overdue payment"
        assert mail["Message-ID"] == "<L-TEST000001@partner.example>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Content-Language"] == "en"
        assert parsedate_to_datetime(mail["Date"]) == noon
        assert mail.get_content_type() == "text/plain"
        assert mail.get_content_charset() == "utf-8"
        assert body_of(mail) == "Dear Ms Doe,\n\nplease pay.\n.\nKind regards\n"


async def test_every_language_arrives_unchanged_in_lines_a_mail_server_takes():
    text = "尊敬的客户：\n\n" + "请付款。" * 300 + "\n\nMit freundlichen Grüßen\n" + "x" * 2000
    subject = "Überfällige Zahlung: 逾期付款 " + "ß" * 80
    async with post_office() as office:
        await mail_to(office).send(outgoing(text=text, subject=subject, language="zh-CN"))
        assert body_of(office.taken[0]) == text + "\n"
        assert office.taken[0]["Subject"] == subject
        assert max(map(len, office.raw[0].split(b"\r\n"))) <= 998
        assert office.raw[0].isascii()


@pytest.mark.parametrize("text", ["Bitte zahlen Sie bis März.", "请付款。"])
async def test_a_short_text_needs_no_server_that_takes_eight_bits(text: str):
    async with post_office() as office:
        await mail_to(office).send(outgoing(text=text))
        assert office.raw[0].isascii()
        assert body_of(office.taken[0]) == text + "\n"


@pytest.mark.parametrize("to", ["jürgen@contoso.example", "a@bücher.example", "会计@例子.中国"])
async def test_an_address_that_is_not_ascii_is_sent_to_where_the_server_offers_it(to: str):
    async with post_office(utf8=True) as office:
        await mail_to(office).send(outgoing(to=to, subject="Überfällig", text="Bitte zahlen Sie bis März."))
        assert office.recipients == [[to]]
        assert office.smtputf8 == [True]
        assert f"To: {to}\r\n".encode() in office.raw[0]
        assert office.taken[0]["Subject"] == "Überfällig"
        assert body_of(office.taken[0]) == "Bitte zahlen Sie bis März.\n"


async def test_an_address_that_is_not_ascii_is_refused_elsewhere_and_says_why():
    async with post_office() as office:
        with pytest.raises(Rejected) as raised:
            await mail_to(office).send(outgoing(to="jürgen@contoso.example"))
        assert raised.value.reason == "no-smtputf8"
        assert office.taken == []


async def test_an_ascii_address_asks_no_more_of_a_server_than_it_must():
    async with post_office(utf8=True) as office:
        await mail_to(office).send(outgoing())
        assert office.smtputf8 == [False]
        assert office.raw[0].isascii()


def test_a_repeat_carries_the_same_message_id():
    first = composed(outgoing(), sender=SENDER, at=noon)
    again = composed(outgoing(), sender=SENDER, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert first["Message-ID"] == again["Message-ID"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"subject": "Pay\r\nBcc: all@example.com"}, id="a header in the subject"),
        pytest.param({"subject": "Pay\nBcc: all@example.com"}, id="a bare line feed in the subject"),
        pytest.param({"to": "a@b.example\r\nBcc: all@example.com"}, id="a header in the address"),
        pytest.param({"to": "a@b.example, c@d.example"}, id="two addresses"),
        pytest.param({"to": "ä@b.example, c@d.example"}, id="two addresses, one not ASCII"),
        pytest.param({"to": "ä@b.example\r\nBcc: all@example.com"}, id="a header behind one not ASCII"),
        pytest.param({"id": "L-1>\r\nBcc: all@example.com\r\nX: <"}, id="a header in the id"),
    ],
)
async def test_nothing_breaks_out_of_its_header(fields):
    async with post_office() as office:
        with pytest.raises(ValueError):  # noqa: PT011  the standard library has no closer one
            await mail_to(office).send(outgoing(**fields))
        assert office.taken == []


async def test_a_subject_that_was_made_one_line_adds_no_header():
    subject = one_line("Contoso\r\nBcc: all@example.com\u2028X-Evil: 1\x00")
    async with post_office() as office:
        await mail_to(office).send(outgoing(subject=subject))
        (mail,) = office.taken
        assert mail["Subject"] == "Contoso Bcc: all@example.com X-Evil: 1"
        assert mail["Bcc"] is None
        assert mail["X-Evil"] is None
        assert office.recipients == [["billing@contoso.example"]]


async def test_a_text_that_looks_like_smtp_stays_a_text():
    text = "one\n.\nMAIL FROM:<x@y.example>\nRCPT TO:<all@example.com>\n\nBcc: all@example.com"
    async with post_office() as office:
        await mail_to(office).send(outgoing(text=text))
        assert body_of(office.taken[0]) == text + "\n"
        assert office.recipients == [["billing@contoso.example"]]


@pytest.mark.parametrize("where", ["at_mail", "at_rcpt", "at_data"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param("550 no such user <billing@contoso.example>", Rejected, id="for good"),
        pytest.param("451 greylisted, come back", NotReady, id="for now"),
    ],
)
async def test_a_definite_no_means_that_it_was_not_sent(where, answer, kind):
    async with post_office() as office:
        setattr(office, where, answer)
        error = await said_of(office)
        assert type(error) is kind
        assert error.reason == answer[:3]
        assert "contoso" not in repr(error)
        assert office.taken == []


@pytest.mark.parametrize("where", ["at_mail", "at_rcpt"])
async def test_a_connection_cut_before_the_text_means_that_it_was_not_sent(where):
    async with post_office() as office:
        setattr(office, where, CUT)
        error = await said_of(office)
        assert (type(error), error.reason) == (NotReady, "cut-off")


async def test_a_connection_cut_over_the_text_means_that_nobody_knows():
    async with post_office() as office:
        office.after_data = CUT
        error = await said_of(office)
        assert (type(error), error.reason) == (Unavailable, "cut-off")
        assert len(office.taken) == 1


async def test_silence_before_the_text_means_that_it_was_not_sent():
    async with post_office() as office:
        office.at_rcpt = SILENCE
        error = await said_of(office, answer_seconds=0.2)
        assert (type(error), error.reason) == (NotReady, "timeout")


async def test_silence_over_the_text_means_that_nobody_knows():
    async with post_office() as office:
        office.after_data = SILENCE
        error = await said_of(office, taken_seconds=0.2)
        assert (type(error), error.reason) == (Unavailable, "timeout")
        assert len(office.taken) == 1


async def test_nobody_there_means_that_it_was_not_sent():
    async with post_office() as office:
        pass
    error = await said_of(office)
    assert (type(error), error.reason) == (NotReady, "unreachable")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for `localhost`, and the file that makes a client trust it."""
    place = tmp_path_factory.mktemp("certificate")
    key, cert = place / "key.pem", place / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


def trusting(certificate: tuple[ssl.SSLContext, Path]) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=str(certificate[1]))
    return {"tls": Tls.STARTTLS, "host": "localhost", "tls_context": context}


async def test_it_signs_in(certificate):
    async with post_office(certificate=certificate[0], signs_in=True) as office:
        await mail_to(office, user="ana@x", password="s3:cret/", **trusting(certificate)).send(outgoing())
        assert len(office.taken) == 1


async def test_a_wrong_password_is_told_from_a_refused_letter(certificate):
    async with post_office(certificate=certificate[0], signs_in=True) as office:
        error = await said_of(office, user="ana@x", password="wrong", **trusting(certificate))
        assert (type(error), error.reason) == (SignInFailed, "535")
        assert office.taken == []


async def test_a_server_without_sign_in_does_not_get_the_letter():
    async with post_office() as office:
        error = await said_of(office, user="ana@x", password="s3:cret/")
        assert (type(error), error.reason) == (SignInFailed, "no-sign-in")
        assert office.taken == []


async def test_starttls_comes_before_anything_is_said(certificate):
    async with post_office(certificate=certificate[0]) as office:
        await mail_to(office, **trusting(certificate)).send(outgoing())
        assert office.encrypted == [True]


async def test_a_certificate_nobody_vouches_for_is_not_accepted(certificate):
    async with post_office(certificate=certificate[0]) as office:
        error = await said_of(office, tls=Tls.STARTTLS, host="localhost")
        assert (type(error), error.reason) == (NotReady, "tls")
        assert office.taken == []


async def test_a_server_without_starttls_does_not_get_the_letter():
    async with post_office() as office:
        error = await said_of(office, tls=Tls.STARTTLS)
        assert (type(error), error.reason) == (NotReady, "no-tls")
        assert office.taken == []


async def test_one_that_is_stopped_lets_go_of_the_connection():
    async with post_office() as office:
        office.after_data = SILENCE
        sending = asyncio.create_task(mail_to(office).send(outgoing()))
        await asyncio.wait_for(office.arrived.wait(), 10)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("smtp://mail.example:2525", ("mail.example", 2525, Tls.STARTTLS, "", ""), id="STARTTLS"),
        pytest.param("smtp://mail.example", ("mail.example", 587, Tls.STARTTLS, "", ""), id="usual port"),
        pytest.param(
            "smtps://u%40x:p%2Fw@mail.example",
            ("mail.example", 465, Tls.FROM_THE_START, "u@x", "p/w"),
            id="TLS",
        ),
        pytest.param("smtp://127.0.0.1:25", ("127.0.0.1", 25, Tls.NONE, "", ""), id="this machine"),
    ],
)
def test_a_server_is_read_from_its_url(url, expected):
    read = server_of(url)
    assert (read.host, read.port, read.tls, read.user, read.password) == expected
    assert "p/w" not in repr(read)


@pytest.mark.parametrize(
    "url", ["http://mail.example", "smtp://", "smtp://a/b@mail.example", "smtp://mail:port"]
)
def test_what_is_no_server_is_refused(url):
    with pytest.raises(ValueError):  # noqa: PT011
        server_of(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("billing@example.com", "billing@example.com"),
        ("Müller & Söhne <billing@example.com>", '"Müller & Söhne" <billing@example.com>'),
        ('"Doe, Billing" <billing@example.com>', '"Doe, Billing" <billing@example.com>'),
    ],
)
def test_a_sender_is_read(text, expected):
    assert str(sender_of(text)).replace('"', "") == expected.replace('"', "")


@pytest.mark.parametrize("text", ["", "billing", "a@b, c@d", "x <a@b>\r\nBcc: c@d", "ä@example.com"])
def test_what_is_no_sender_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        sender_of(text)
