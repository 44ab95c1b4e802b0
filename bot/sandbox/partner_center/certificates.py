"""Authorities of our own making, which issue what the sandbox signs its events with; nobody trusts them unasked.

They are a root, an authority below it, and what that issues, as with Microsoft's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

ORGANISATION = "Microsoft Corporation"
BITS = 2048


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def authority(
    name: str,
    *,
    at: datetime,
    by: Issued | None = None,
    organisation: str = ORGANISATION,
    is_authority: bool = True,
    may_issue: bool = True,
) -> Issued:
    """One that may issue, for ten years from the day before; without `by` it vouches for itself.

    Unless told otherwise: `is_authority` is what it says of itself, `may_issue` what its key may be used for.
    """
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=may_issue,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return _issue(
        _name(name, organisation),
        by=by,
        begins=at - timedelta(days=1),
        ends=at + timedelta(days=3650),
        extend=lambda builder: builder.add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
        ).add_extension(usage, critical=True),
    )


def signer(
    name: str,
    *,
    by: Issued,
    at: datetime,
    lasts: timedelta = timedelta(days=180),
    issuer_url: str | None = None,
    bits: int = BITS,
) -> Issued:
    """One that signs, from the day before; `issuer_url` is where its issuer's certificate can be had."""

    def extend(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        if issuer_url is None:
            return builder
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)
        )
        return builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)

    begins = at - timedelta(days=1)
    return _issue(
        _name(name, ORGANISATION), by=by, begins=begins, ends=begins + lasts, extend=extend, bits=bits
    )


def _issue(
    subject: x509.Name,
    *,
    by: Issued | None,
    begins: datetime,
    ends: datetime,
    extend: Callable[[x509.CertificateBuilder], x509.CertificateBuilder],
    bits: int = BITS,
) -> Issued:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    issuer, signs = (by.certificate.subject, by.key) if by else (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key()), critical=False)
    )
    return Issued(extend(builder).sign(signs, SHA256()), key)


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
