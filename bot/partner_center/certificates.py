"""The certificates with which Microsoft signs its events: fetched from named hosts only, and checked up to a root.

learn.microsoft.com/partner-center/developer/partner-center-webhooks#how-to-authenticate-the-callback
Whether a certificate was revoked is not asked.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import certifi
import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

from bot.domain.errors import Unavailable

MICROSOFTS_HOSTS: Final = frozenset({"3psostorageacct.blob.core.windows.net"})
"""Where the published example has its certificate. Never all of `blob.core.windows.net`, where names are for rent."""
ORGANISATION: Final = "Microsoft Corporation"
"""Whose the authority is that issued it, as Microsoft's own example checks."""

# Where those who issue certificates to Microsoft publish their own (`caIssuers`); what comes from there is believed
# only as far as a root vouches for it, so it may come over plain http, as it does.
_ISSUERS_HOSTS: Final = frozenset({"www.microsoft.com", "caissuers.microsoft.com", "cacerts.digicert.com"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KEPT_FOR: Final = timedelta(hours=12)
_SURE_FOR: Final = timedelta(minutes=5)
"""A certificate may be renewed under its old address: one that is older than this is fetched anew before we say no."""
_MOST_KEPT: Final = 16
_MOST_FETCHES: Final = 20
_FETCHES_WITHIN: Final = timedelta(minutes=5)
"""Anybody can make us fetch from those hosts, so only so often; what has signed an event is counted apart."""
_LARGEST: Final = 64 * 1024
_LONGEST: Final = 30.0
"""Seconds for one certificate, as httpx limits the wait for the next byte only and the others wait for this one."""
_SMALLEST_KEY: Final = 2048
_LONGEST_WAY: Final = 4
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Untrusted(Exception):
    """Why a certificate, or what it is to have signed, is not believed; a key for the log."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: rsa.RSAPublicKey
    not_before: datetime
    not_after: datetime
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Certificates by their address, at most `_MOST_KEPT`, and when we last fetched for it."""

    kept: dict[str, _Kept] = field(default_factory=dict)
    fetches: deque[datetime] = field(default_factory=deque)

    def put(self, url: str, kept: _Kept) -> None:
        while url not in self.kept and len(self.kept) >= _MOST_KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[url] = kept


class Certificates:
    """Checked ones, kept for some hours. One fetch at a time."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        hosts: Iterable[str] = MICROSOFTS_HOSTS,
        more_roots: Path | None = None,
    ) -> None:
        """`http` signs in nowhere. `hosts` may say a port; of this machine's own ones http will do.

        `more_roots` is a PEM file of authorities that are trusted besides the usual ones.
        """
        self._http = http
        self._now = now
        self._hosts = frozenset(host.lower() for host in hosts)
        self._more_roots = more_roots
        self._roots: tuple[x509.Certificate, ...] | None = None
        # Anybody can name an address. One whose certificate has signed an event makes way only for another such.
        self._proven, self._unproven = _Shelf(), _Shelf()
        self._turn = asyncio.Lock()

    async def check(self, url: str, *, signature: bytes, of: bytes) -> None:
        """Raise Untrusted unless the certificate at that address signed it (RSA, SHA-256), Unavailable without one."""
        if not self._may_fetch(url, self._hosts, plain=False):
            raise Untrusted("certificate-host")
        url = _address(url)
        kept, now = self._shelf(url).kept.get(url), self._now()
        is_signed = kept is not None and _signed(kept, signature, of, now)
        if kept is not None and now < kept.fetched_at + (_KEPT_FOR if is_signed else _SURE_FOR):
            if is_signed:
                self._prove(url, kept)
                return
            raise Untrusted("signature")
        try:
            renewed = await self._renewed(url, kept)
        except Unavailable:
            if kept is not None and is_signed:
                self._prove(url, kept)
                return  # whoever keeps us from looking anew must not shut Microsoft out
            raise
        if not _signed(renewed, signature, of, now):
            raise Untrusted("signature")
        self._prove(url, renewed)

    def _shelf(self, url: str) -> _Shelf:
        return self._proven if url in self._proven.kept else self._unproven

    def _prove(self, url: str, kept: _Kept) -> None:
        if url not in self._proven.kept:
            self._unproven.kept.pop(url, None)
            self._proven.put(url, kept)

    async def _renewed(self, url: str, old: _Kept | None) -> _Kept:
        async with self._turn:
            kept = self._shelf(url).kept.get(url)
            if kept is not None and kept is not old:
                return kept  # somebody else has just fetched it
            kept = await self._checked(url, self._shelf(url).fetches)
            self._shelf(url).put(url, kept)
            return kept

    async def _checked(self, url: str, fetches: deque[datetime]) -> _Kept:
        leaf, *given = _certificates(await self._fetch(url, fetches))
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _SMALLEST_KEY:
            raise Untrusted("key")
        if _organisation(leaf.issuer) != ORGANISATION:
            raise Untrusted("organisation")
        roots = self._trusted()
        now = self._now()
        _verify(leaf, [*given, *await self._issuers(leaf, given, roots, fetches)], roots, now)
        return _Kept(key, leaf.not_valid_before_utc, leaf.not_valid_after_utc, now)

    async def _issuers(
        self,
        leaf: x509.Certificate,
        given: list[x509.Certificate],
        roots: Iterable[x509.Certificate],
        fetches: deque[datetime],
    ) -> list[x509.Certificate]:
        """The authorities between it and a root that did not come along, from where each certificate says."""
        found, current, known = list[x509.Certificate](), leaf, {root.subject for root in roots}
        for _ in range(_LONGEST_WAY):
            if current.issuer in known:
                break
            along = next((issuer for issuer in given if issuer.subject == current.issuer), None)
            if along is None:
                url = _issuer_url(current)
                if url is None or not self._may_fetch(url, self._hosts | _ISSUERS_HOSTS, plain=True):
                    break
                along = _certificates(await self._fetch(url, fetches))[0]
                found.append(along)
            current = along
        return found

    async def _fetch(self, url: str, fetches: deque[datetime]) -> bytes:
        now = self._now()
        while fetches and fetches[0] <= now - _FETCHES_WITHIN:
            fetches.popleft()
        if len(fetches) >= _MOST_FETCHES:
            raise Unavailable(reason="too-many-certificates")
        fetches.append(now)
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_LONGEST),
                self._http.stream("GET", url, follow_redirects=False) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise Unavailable(reason="certificate", status=response.status_code)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise Untrusted("certificate-size")
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable(reason="certificate", detail=type(error).__name__) from None
        return bytes(body)

    def _may_fetch(self, url: str, hosts: frozenset[str], *, plain: bool) -> bool:
        try:
            parts = urlsplit(url)
            host, netloc = (parts.hostname or "").lower(), parts.netloc.lower()
            usable = parts.port != 0 and "@" not in netloc and url.isascii() and url.isprintable()
        except ValueError:
            return False
        default = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
        if not usable or netloc.removesuffix(default) not in hosts or parts.fragment:
            return False
        return parts.scheme == "https" or (parts.scheme == "http" and (plain or host in _LOOPBACK))

    def _trusted(self) -> tuple[x509.Certificate, ...]:
        if self._roots is None:
            files = [Path(certifi.where()), *([self._more_roots] if self._more_roots else [])]
            self._roots = tuple(root for file in files for root in _roots(file.read_bytes()))
        return self._roots


def _address(url: str) -> str:
    """Without a query: to a file it says nothing, and with another one each the same file would count as many."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower(), query="").geturl()


def _signed(kept: _Kept, signature: bytes, of: bytes, now: datetime) -> bool:
    if not kept.not_before <= now <= kept.not_after:
        return False
    try:
        kept.key.verify(signature, of, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _certificates(body: bytes) -> list[x509.Certificate]:
    """One in DER, or one or more in PEM."""
    try:
        if b"-----BEGIN" in body:
            return x509.load_pem_x509_certificates(body)
        return [x509.load_der_x509_certificate(body)]
    except ValueError:
        raise Untrusted("not-a-certificate") from None


def _roots(pem: bytes) -> list[x509.Certificate]:
    """All that can be read: of the public authorities some are older than today's rules for certificates."""
    read = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in _PEM.findall(pem):
            with suppress(ValueError):
                read.append(x509.load_pem_x509_certificate(block))
    return read


def _organisation(name: x509.Name) -> str | None:
    named = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(named[0].value) if len(named) == 1 else None


def _issuer_url(certificate: x509.Certificate) -> str | None:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    places = (
        a.access_location for a in access if a.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    )
    return next((p.value for p in places if isinstance(p, x509.UniformResourceIdentifier)), None)


def _verify(
    leaf: x509.Certificate,
    between: list[x509.Certificate],
    roots: tuple[x509.Certificate, ...],
    now: datetime,
) -> None:
    """What it may be used for is not looked at: it signs, which no usage of the public web is about."""
    authority = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs_certificates)
    )
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(now)
        .max_chain_depth(_LONGEST_WAY)
        .extension_policies(ca_policy=authority, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, between)
    except (verification.VerificationError, ValueError):
        raise Untrusted("certificate-chain") from None


def _signs_certificates(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority that may not sign certificates")
