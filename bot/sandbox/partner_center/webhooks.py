"""The events that the sandbox sends, signed as Partner Center signs them; to this machine only.

https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from bot.sandbox.partner_center import certificates
from bot.sandbox.partner_center.certificates import Issued

if TYPE_CHECKING:
    from bot.sandbox.partner_center.api import Handler

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SIGNER, ISSUER = "/webhooks/certificates/signer.cer", "/webhooks/certificates/issuer.cer"


class Webhooks:
    """Sends events. Who is to believe them has to trust `root_pem`, and `host` to have certificates."""

    def __init__(self, *, base_url: Callable[[], str], now: Callable[[], datetime]) -> None:
        self._base_url = base_url
        self._now = now
        self._root: Issued | None = None
        self._issuer: Issued | None = None
        self._signer: Issued | None = None
        self.fetches: list[str] = []
        """Which certificates were asked for."""

    @property
    def root_pem(self) -> bytes:
        return self._authorities()[0].pem

    @property
    def host(self) -> str:
        return urlsplit(self._base_url()).netloc

    @property
    def certificate_url(self) -> str:
        return self._base_url() + SIGNER

    def renew(self) -> None:
        """Sign with a new certificate from now on, under the old address."""
        self._signer = None

    def body(
        self,
        name: str,
        *,
        customer_id: str | None = None,
        subscription_id: str | None = None,
        at: datetime | None = None,
        uri: str | None = None,
    ) -> bytes:
        """An event as Partner Center words it."""
        return json.dumps(
            {
                "EventName": name,
                "ResourceUri": uri or self._uri(name, customer_id, subscription_id),
                "ResourceName": name.partition("-")[0],
                "AuditUri": None,
                "ResourceChangeUtcDate": (at or self._now()).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00"),
            }
        ).encode()

    def headers(self, body: bytes, *, in_its_own: bool = False) -> dict[str, str]:
        """The signature of a body; `in_its_own` header where the registration asks for that."""
        signature = base64.b64encode(self._sign().key.sign(body, padding.PKCS1v15(), SHA256())).decode()
        where = {"x-ms-signature": signature} if in_its_own else {"Authorization": f"Signature {signature}"}
        return {
            **where,
            "Content-Type": "application/json",
            "X-MS-Certificate-Url": self.certificate_url,
            "X-MS-Signature-Algorithm": "rsa-sha256",
        }

    async def send(
        self, to: str, name: str, *, headers: Mapping[str, str] | None = None, **about: Any
    ) -> int:
        """Sign and send an event; the status that came back. ValueError for another machine's address.

        `about` is as with `body`; `headers` take the place of those the signature comes in.
        """
        if urlsplit(to).hostname not in LOOPBACK:
            raise ValueError("the sandbox sends to this machine only")
        body = self.body(name, **about)
        signed = await asyncio.to_thread(self.headers, body)
        sent = {**signed, **(headers or {})}
        async with (
            aiohttp.ClientSession() as session,
            session.post(to, data=body, headers=sent) as response,
        ):
            return response.status

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [("GET", SIGNER, self._serve_signer), ("GET", ISSUER, self._serve_issuer)]

    async def _serve_signer(self, request: web.Request) -> web.Response:
        return self._serve(request, self._sign())

    async def _serve_issuer(self, request: web.Request) -> web.Response:
        return self._serve(request, self._authorities()[1])

    def _serve(self, request: web.Request, issued: Issued) -> web.Response:
        self.fetches.append(request.path)
        return web.Response(body=issued.der, content_type="application/pkix-cert")

    def _uri(self, name: str, customer_id: str | None, subscription_id: str | None) -> str:
        base = self._base_url()
        if name == "azure-fraud-event-detected":
            query = urlencode({"SubscriptionId": subscription_id or "", "EventStatus": "Active"})
            return f"{base}/v1/fraudEvents?{query}"
        if customer_id is None:
            return f"{base}/v1/customers/usagerecords"
        below = f"/subscriptions/{subscription_id}" if subscription_id else ""
        return f"{base}/webhooks/v1/customers/{customer_id}{below}"

    def _authorities(self) -> tuple[Issued, Issued]:
        if self._root is None or self._issuer is None:
            self._root = certificates.authority("Sandbox root", at=self._now())
            self._issuer = certificates.authority("Sandbox issuing authority", at=self._now(), by=self._root)
        return self._root, self._issuer

    def _sign(self) -> Issued:
        if self._signer is None:
            _, issuer = self._authorities()
            self._signer = certificates.signer(
                "pcnotifications-dispatch.sandbox.example",
                by=issuer,
                at=self._now(),
                issuer_url=self._base_url() + ISSUER,
            )
        return self._signer
