"""An event is believed when Microsoft signed it, with a certificate from where Microsoft has them, and it is fresh."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from bot.domain.customer import Cloud
from bot.domain.errors import Unavailable
from bot.partner_center.certificates import Certificates
from bot.partner_center.cloud import hosts_of
from bot.partner_center.webhook import LARGEST, PartnerCenterEvent, Unsigned, Unusable, Webhook
from bot.sandbox.partner_center.certificates import Issued, authority, signer

NOON = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
URL = "https://3psostorageacct.blob.core.windows.net/cert/pcnotifications-dispatch.microsoft.com.cer"
ISSUER = "http://www.microsoft.com/pkiops/certs/issuing.crt"
CUSTOMER, AZURE = "46a62ece-10ad-42e5-b3f1-b2ed53e6fc08", "2a7064fb-1e33-4007-974e-352cb3f2c805"
API = "https://api.partnercenter.microsoft.com"
NAME = "pcnotifications-dispatch.microsoft.com"


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


class Shelf:
    """Certificates by their address, as hosts have them; keeps what was asked for."""

    def __init__(self, **files: bytes) -> None:
        self.files: dict[str, bytes | int | Exception] = {}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        said = self.files.get(str(request.url), 404)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, int):
            return httpx.Response(said, headers={"Location": URL})
        return httpx.Response(200, content=said)


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("Test root", at=NOON)


@pytest.fixture(scope="module")
def issuer(root: Issued) -> Issued:
    return authority("Test issuing authority", at=NOON, by=root)


@pytest.fixture(scope="module")
def signs(issuer: Issued) -> Issued:
    return signer(NAME, by=issuer, at=NOON, issuer_url=ISSUER)


@pytest.fixture(scope="module")
def trusted(root: Issued, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("roots") / "root.pem"
    file.write_bytes(root.pem)
    return file


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(issuer: Issued, signs: Issued) -> Shelf:
    shelf = Shelf()
    shelf.files |= {URL: signs.der, ISSUER: issuer.der}
    return shelf


@pytest.fixture
async def webhook(shelf: Shelf, clock: Clock, trusted: Path):
    async with httpx.AsyncClient(transport=httpx.MockTransport(shelf), follow_redirects=True) as http:
        certificates = Certificates(http=http, now=clock, more_roots=trusted)
        yield Webhook(cloud=hosts_of(Cloud.GLOBAL), certificates=certificates, now=clock)


def an_event(**fields: Any) -> bytes:
    told = {
        "EventName": "subscription-updated",
        "ResourceUri": f"http://api.partnercenter.microsoft.com/webhooks/v1/customers/{CUSTOMER}/subscriptions/{AZURE}",
        "ResourceName": "subscription",
        "AuditUri": None,
        "ResourceChangeUtcDate": "2025-03-10T11:19:06.3520276+00:00",
    }
    return json.dumps({key: value for key, value in (told | fields).items() if value != ""}).encode()


def signed(body: bytes, by: Issued, **fields: str) -> httpx.Headers:
    signature = base64.b64encode(by.key.sign(body, padding.PKCS1v15(), SHA256())).decode()
    told = {
        "Authorization": f"Signature {signature}",
        "X-MS-Certificate-Url": URL,
        "X-MS-Signature-Algorithm": "rsa-sha256",
    }
    return httpx.Headers({key: value for key, value in (told | fields).items() if value})


async def test_an_event_of_a_subscription(webhook, signs):
    body = an_event()
    event = await webhook.verify(signed(body, signs), body)
    assert (event.name, event.customer_id, event.subscription_id) == ("subscription-updated", CUSTOMER, AZURE)
    assert not event.is_test


@pytest.mark.parametrize(
    ("name", "uri", "about"),
    [
        pytest.param(
            "azure-fraud-event-detected",
            f"{API}/v1/fraudEvents?SubscriptionId={AZURE.upper()}&EventStatus=Active",
            (None, AZURE),
            id="a fraud event",
        ),
        pytest.param(
            "usagerecords-thresholdExceeded", f"{API}/v1/customers/usagerecords", (None, None), id="usage"
        ),
        pytest.param(
            "something-new", f"{API}/v9/customers/{CUSTOMER.upper()}", (CUSTOMER, None), id="a new kind"
        ),
        pytest.param(
            "subscription-updated",
            f"{API}:443/v1/customers/x'--/subscriptions/a..b",
            (None, None),
            id="no ids",
        ),
    ],
)
async def test_what_an_event_is_about(webhook, signs, name, uri, about):
    body = an_event(EventName=name, ResourceUri=uri)
    event = await webhook.verify(signed(body, signs), body)
    assert (event.name, event.customer_id, event.subscription_id) == (name, *about)


@pytest.mark.parametrize(
    "name", ["subscription-updated", "azure-fraud-event-detected", "usagerecords-thresholdExceeded"]
)
async def test_the_published_events_can_be_read(webhook, signs, clock, samples, name):
    clock.at = NOON  # the certificate is of that time; the samples are older, so they are told of now
    told = json.loads((samples / f"webhook.{name}.json").read_bytes())
    body = json.dumps(told | {"ResourceChangeUtcDate": "2025-03-10T11:00:00.3520276+00:00"}).encode()
    assert (await webhook.verify(signed(body, signs), body)).name == name


async def test_a_test_event_may_be_about_any_machine_and_of_any_day(webhook, signs):
    body = an_event(
        EventName="test-created",
        ResourceUri="http://localhost:16722/v1/webhooks/registration/test",
        ResourceChangeUtcDate="2017-11-16T16:19:06.3520276+00:00",
    )
    event = await webhook.verify(signed(body, signs), body)
    assert event.is_test
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs), body + b" ")


@pytest.mark.parametrize("scheme", ["Signature ", "signature ", ""])
async def test_the_signature_may_come_in_its_own_header(webhook, signs, scheme):
    body = an_event()
    headers = signed(body, signs)
    headers["x-ms-signature"] = scheme + headers.pop("Authorization").removeprefix("Signature ")
    assert (await webhook.verify(headers, body)).customer_id == CUSTOMER


async def test_the_same_event_has_the_same_key(webhook, signs):
    keys = []
    for body in (an_event(), an_event(AuditUri="x"), an_event(ResourceChangeUtcDate="2025-03-10T11:19:07Z")):
        keys.append((await webhook.verify(signed(body, signs), body)).key)
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) <= 48


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"Authorization": ""}, id="no signature"),
        pytest.param({"Authorization": "Signature "}, id="an empty one"),
        pytest.param({"Authorization": "Signature n0t-base64!"}, id="no base64"),
        pytest.param({"Authorization": "Bearer abc"}, id="another scheme"),
        pytest.param(
            {"Authorization": "", "x-ms-signature": "Bearer abcd"}, id="another scheme in its own header"
        ),
        pytest.param(
            {"Authorization": "Signature " + base64.b64encode(b"x" * 256).decode()}, id="a wrong one"
        ),
        pytest.param({"X-MS-Signature-Algorithm": ""}, id="no algorithm"),
        pytest.param({"X-MS-Signature-Algorithm": "rsa-sha1"}, id="a weak algorithm"),
        pytest.param({"X-MS-Signature-Algorithm": "none"}, id="none at all"),
        pytest.param({"X-MS-Certificate-Url": ""}, id="no certificate"),
    ],
)
async def test_what_is_not_signed_is_not_believed(webhook, signs, fields):
    body = an_event()
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs, **fields), body)


async def test_a_body_that_was_changed_is_not_believed(webhook, signs):
    body = an_event()
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs), body.replace(b"updated", b"deleted"))


async def test_a_signature_over_a_weaker_hash_is_not_believed(webhook, signs):
    body = an_event()
    weak = base64.b64encode(signs.key.sign(body, padding.PKCS1v15(), SHA1())).decode()  # noqa: S303  it must be refused
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs, Authorization=f"Signature {weak}"), body)


@pytest.mark.parametrize(
    "url",
    [
        "http://3psostorageacct.blob.core.windows.net/cert/a.cer",
        "https://evil.blob.core.windows.net/cert/a.cer",
        "https://3psostorageacct.blob.core.windows.net.evil.example/cert/a.cer",
        "https://3psostorageacct.blob.core.windows.net@evil.example/cert/a.cer",
        "https://evil.example@3psostorageacct.blob.core.windows.net/cert/a.cer",
        "https://3psostorageacct.blob.core.windows.net:8443/cert/a.cer",
        "https://evil.example/?https://3psostorageacct.blob.core.windows.net/",
        "https://127.0.0.1/a.cer",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[",
        "https://3psostorageacct.blob.core.windows.net/\r\nX: y",
    ],
)
async def test_a_certificate_is_fetched_from_microsofts_host_only(webhook, shelf, signs, url):
    shelf.files[url] = signs.der
    body = an_event()
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs, **{"X-MS-Certificate-Url": url}), body)
    assert shelf.asked == []


async def test_a_redirect_is_not_followed(webhook, shelf, signs):
    shelf.files[URL] = 302
    body = an_event()
    with pytest.raises(Unavailable):
        await webhook.verify(signed(body, signs), body)
    assert shelf.asked == [URL]


async def refused(webhook: Webhook, shelf: Shelf, by: Issued, *, why: str, body: bytes | None = None) -> None:
    """That nothing signed with this certificate is believed, and why."""
    shelf.files[URL] = by.der
    body = body or an_event()
    with pytest.raises(Unsigned, match=why):
        await webhook.verify(signed(body, by), body)


async def test_a_chain_that_ends_at_nobody_we_trust(webhook, shelf):
    stranger = authority("Test root", at=NOON)  # of the same name even
    by = authority("Test issuing authority", at=NOON, by=stranger)
    shelf.files[ISSUER] = by.der
    await refused(webhook, shelf, signer(NAME, by=by, at=NOON, issuer_url=ISSUER), why="certificate-chain")


async def test_a_certificate_that_vouches_for_itself(webhook, shelf):
    await refused(webhook, shelf, authority(NAME, at=NOON), why="certificate-chain")


async def test_a_certificate_whose_issuer_cannot_be_had(webhook, shelf, issuer):
    await refused(webhook, shelf, signer(NAME, by=issuer, at=NOON), why="certificate-chain")


async def test_an_issuer_is_fetched_from_known_hosts_only(webhook, shelf, issuer):
    for place in (
        "http://evil.example/issuer.crt",
        "http://169.254.169.254/",
        "ldap://x/",
        "http://127.0.0.1/",
    ):
        shelf.files[place] = issuer.der
        await refused(
            webhook, shelf, signer(NAME, by=issuer, at=NOON, issuer_url=place), why="certificate-chain"
        )
    assert set(shelf.asked) == {URL}


@pytest.mark.parametrize(
    ("is_authority", "may_issue"),
    [pytest.param(False, True, id="by its word"), pytest.param(True, False, id="by its use")],
)
async def test_an_issuer_that_is_no_authority(webhook, shelf, root, is_authority, may_issue):
    """Whoever has any certificate must not make others from it."""
    by = authority("A server", at=NOON, by=root, is_authority=is_authority, may_issue=may_issue)
    shelf.files[ISSUER] = by.der
    await refused(webhook, shelf, signer(NAME, by=by, at=NOON, issuer_url=ISSUER), why="certificate-chain")


async def test_an_issuer_of_another_organisation(webhook, shelf, root):
    by = authority("Other authority", at=NOON, by=root, organisation="Not Microsoft Corporation")
    shelf.files[ISSUER] = by.der
    await refused(webhook, shelf, signer(NAME, by=by, at=NOON, issuer_url=ISSUER), why="organisation")


async def test_a_certificate_that_has_ended(webhook, shelf, issuer):
    ended = signer(NAME, by=issuer, at=NOON - timedelta(days=30), lasts=timedelta(days=30), issuer_url=ISSUER)
    await refused(webhook, shelf, ended, why="certificate-chain")


async def test_a_certificate_that_has_not_begun(webhook, shelf, issuer):
    to_come = signer(NAME, by=issuer, at=NOON + timedelta(days=2), issuer_url=ISSUER)
    await refused(webhook, shelf, to_come, why="certificate-chain")


async def test_a_key_that_is_too_small(webhook, shelf, issuer):
    await refused(webhook, shelf, signer(NAME, by=issuer, at=NOON, issuer_url=ISSUER, bits=1024), why="key")


@pytest.mark.parametrize("said", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nx", b"x" * 70_000])
async def test_what_is_no_certificate(webhook, shelf, signs, said):
    shelf.files[URL] = said
    body = an_event()
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, signs), body)


async def test_a_chain_that_comes_along_needs_no_second_fetch(webhook, shelf, issuer, signs):
    shelf.files = {URL: signs.pem + issuer.pem}
    body = an_event()
    await webhook.verify(signed(body, signs), body)
    assert shelf.asked == [URL]


async def test_a_certificate_is_kept_for_hours(webhook, shelf, signs, clock):
    body = an_event()
    for _ in range(3):
        await webhook.verify(signed(body, signs), body)
    assert shelf.asked == [URL, ISSUER]
    clock.at += timedelta(hours=13)
    await webhook.verify(signed(body, signs), body)
    assert shelf.asked == [URL, ISSUER] * 2


async def test_a_kept_certificate_ends_when_it_ends(webhook, shelf, issuer, clock):
    short = signer(NAME, by=issuer, at=NOON, lasts=timedelta(days=1, hours=2), issuer_url=ISSUER)
    shelf.files[URL] = short.der
    body = an_event()
    await webhook.verify(signed(body, short), body)
    clock.at += timedelta(hours=3)
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, short), body)


async def test_a_certificate_that_is_renewed_under_its_address_is_believed(
    webhook, shelf, issuer, signs, clock
):
    body, other = an_event(), signer(NAME, by=issuer, at=NOON, issuer_url=ISSUER)
    await webhook.verify(signed(body, signs), body)
    shelf.files[URL] = other.der
    with pytest.raises(Unsigned):
        await webhook.verify(signed(body, other), body)
    clock.at += timedelta(minutes=6)
    await webhook.verify(signed(body, other), body)


async def test_a_host_that_is_away_shuts_nobody_out_who_was_known(webhook, shelf, signs, clock):
    body = an_event()
    await webhook.verify(signed(body, signs), body)
    shelf.files[URL] = httpx.ConnectError("away")
    clock.at += timedelta(hours=13)
    await webhook.verify(signed(body, signs), body)
    with pytest.raises(Unavailable):
        await webhook.verify(signed(body, signs), body + b" ")


async def test_nobody_can_make_us_fetch_without_end(webhook, shelf, signs):
    body = an_event()
    for number in range(40):
        with pytest.raises(Unavailable):
            await webhook.verify(signed(body, signs, **{"X-MS-Certificate-Url": f"{URL}{number}"}), body)
    assert len(shelf.asked) == 20


async def test_the_same_certificate_with_another_query_each_is_fetched_once(webhook, shelf, signs):
    body = an_event()
    for number in range(40):
        url = f"{URL}?{number}"
        await webhook.verify(signed(body, signs, **{"X-MS-Certificate-Url": url}), body)
    assert shelf.asked == [URL, ISSUER]


async def test_whoever_names_many_addresses_does_not_shut_microsoft_out(webhook, shelf, issuer, signs):
    body = an_event()
    await webhook.verify(signed(body, signs), body)
    forged = signed(body, signs)
    for number in range(40):
        url = URL.replace("/cert/", f"/copy{number}/")
        shelf.files[url] = signs.pem + issuer.pem  # one fetch each
        forged["X-MS-Certificate-Url"] = url
        with pytest.raises((Unsigned, Unavailable)):
            await webhook.verify(forged, body + b" ")
    asked = len(shelf.asked)
    await webhook.verify(signed(body, signs), body)
    assert len(shelf.asked) == asked, "it is still kept"


async def test_a_renewed_certificate_is_fetched_whatever_others_had_us_fetch(
    webhook, shelf, issuer, signs, clock
):
    body, other = an_event(), signer(NAME, by=issuer, at=NOON, issuer_url=ISSUER)
    await webhook.verify(signed(body, signs), body)
    shelf.files[URL] = other.der
    clock.at += timedelta(minutes=6)
    for number in range(40):
        with pytest.raises(Unavailable):
            await webhook.verify(signed(body, signs, **{"X-MS-Certificate-Url": f"{URL}{number}"}), body)
    await webhook.verify(signed(body, other), body)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param(
            {"ResourceUri": "https://evil.example/v1/customers/x"}, "foreign-address", id="another host"
        ),
        pytest.param({"ResourceUri": f"{API}.evil.example/v1"}, "foreign-address", id="a longer host"),
        pytest.param({"ResourceUri": f"https://x@{API[8:]}/v1"}, "foreign-address", id="a user"),
        pytest.param({"ResourceUri": f"{API}:8443/v1"}, "foreign-address", id="another port"),
        pytest.param({"ResourceUri": f"{API}:x/v1"}, "foreign-address", id="no port"),
        pytest.param({"ResourceUri": f"ftp://{API[8:]}/v1"}, "foreign-address", id="another scheme"),
        pytest.param({"ResourceUri": ""}, "foreign-address", id="nothing"),
        pytest.param({"EventName": ""}, "no-name", id="no name"),
        pytest.param({"ResourceChangeUtcDate": "2025-03-02T11:00:00Z"}, "too-old", id="an old one"),
        pytest.param({"ResourceChangeUtcDate": "2025-03-10T14:00:00Z"}, "too-old", id="one to come"),
        pytest.param({"ResourceChangeUtcDate": "soon"}, "no-moment", id="no moment"),
        pytest.param({"ResourceChangeUtcDate": ""}, "no-moment", id="no moment at all"),
    ],
)
async def test_a_signed_event_that_cannot_be_used(webhook, signs, fields, why):
    body = an_event(**fields)
    with pytest.raises(Unusable, match=why):
        await webhook.verify(signed(body, signs), body)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'"text"', b"[" * 5000])
async def test_a_signed_body_that_is_no_event(webhook, signs, body):
    with pytest.raises(Unusable):
        await webhook.verify(signed(body, signs), body)


async def test_a_body_that_is_too_large_is_not_looked_at(webhook, shelf, signs):
    body = an_event(ResourceName="x" * LARGEST)
    with pytest.raises(Unusable, match="too-large"):
        await webhook.verify(signed(body, signs), body)
    assert shelf.asked == []


async def test_only_public_authorities_are_trusted_unless_told(shelf, clock, signs):
    async with httpx.AsyncClient(transport=httpx.MockTransport(shelf)) as http:
        webhook = Webhook(
            cloud=hosts_of(Cloud.GLOBAL), certificates=Certificates(http=http, now=clock), now=clock
        )
        body = an_event()
        with pytest.raises(Unsigned, match="certificate-chain"):
            await webhook.verify(signed(body, signs), body)


@pytest.mark.parametrize(
    ("hosts", "url", "is_fetched"),
    [
        pytest.param(["gate.example"], "https://gate.example/a.cer", True, id="another host"),
        pytest.param(["gate.example:8443"], "https://gate.example:8443/a.cer", True, id="with a port"),
        pytest.param(["gate.example"], "http://gate.example/a.cer", False, id="never without TLS"),
        pytest.param(["gate.example"], URL, False, id="Microsoft's no more"),
        pytest.param(["127.0.0.1:99"], "http://127.0.0.1:99/a.cer", True, id="this machine"),
        pytest.param(["127.0.0.1:99"], "http://127.0.0.1:98/a.cer", False, id="another port of it"),
    ],
)
async def test_the_hosts_can_be_set(clock, trusted, shelf, issuer, signs, hosts, url, is_fetched):
    shelf.files = {url: signs.pem + issuer.pem}
    async with httpx.AsyncClient(transport=httpx.MockTransport(shelf)) as http:
        certificates = Certificates(http=http, now=clock, hosts=hosts, more_roots=trusted)
        webhook = Webhook(cloud=hosts_of(Cloud.GLOBAL), certificates=certificates, now=clock)
        body = an_event()
        headers = signed(body, signs, **{"X-MS-Certificate-Url": url})
        if is_fetched:
            assert isinstance(await webhook.verify(headers, body), PartnerCenterEvent)
        else:
            with pytest.raises(Unsigned):
                await webhook.verify(headers, body)
    assert bool(shelf.asked) is is_fetched
