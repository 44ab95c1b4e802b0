"""What accounting systems send to PORT: signed events ask for a reading, everything else is turned away."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot.web import LARGEST_EVENT
from tests.conftest import SetStage
from tests.receivables.business_central_side import CLIENT_STATE, COMPANY, TENANT, BusinessCentralSide
from tests.receivables.business_central_side import SECRET as BUSINESS_CENTRAL_SECRET
from tests.receivables.stripe_side import KEY, WEBHOOK_SECRET, StripeSide
from tests.receivables.xero_side import ORGANISATION, WEBHOOK_KEY, XeroSide
from tests.receivables.xero_side import SECRET as XERO_SECRET
from tests.stage import Stage

JUST_BEFORE = datetime(2026, 11, 23, 12, 1, 59, 700_000, tzinfo=UTC)
"""The window in which events ask for one reading ends a moment later."""
PATIENCE = 20


@dataclass
class Office:
    stage: Stage
    stripe: StripeSide
    xero: XeroSide
    business_central: BusinessCentralSide

    async def sends(
        self, source: str, body: bytes, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> tuple[int, str, Mapping[str, str]]:
        """Status, text and headers of the answer."""
        url = f"http://127.0.0.1:{self.stage.app.port}/receivables/{source}/events{query}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=dict(headers or {})) as answer,
        ):
            return answer.status, await answer.text(), answer.headers

    async def open(self, source: str) -> list[str]:
        async with self.stage.app.core.store.read() as tx:
            return sorted(item.document_number for item in await tx.books.open_on(source=source))

    async def comes_to(self, source: str, *numbers: str) -> None:
        """Wait until these are what is open."""
        async with asyncio.timeout(PATIENCE):
            while await self.open(source) != sorted(numbers):
                await asyncio.sleep(0)


@pytest.fixture
async def office(set_stage: SetStage) -> AsyncIterator[Office]:
    async with AsyncExitStack() as ends:
        stripe, xero = (
            await ends.enter_async_context(StripeSide()),
            await ends.enter_async_context(XeroSide()),
        )
        central = await ends.enter_async_context(BusinessCentralSide())
        for side in (stripe, xero, central):
            for n in range(1, 5):
                side.invoice("Acme", f"INV-{n}", date(2026, 10, 15), "EUR", "100.00")
        stage = await set_stage(
            transport="http",
            now=lambda: JUST_BEFORE,
            receivables_sources=("stripe", "xero", "business-central"),
            receivables_stripe_api_key=SecretStr(KEY),
            receivables_stripe_webhook_secret=SecretStr(WEBHOOK_SECRET),
            receivables_stripe_base_url=stripe.url,
            receivables_xero_client_id="backstop-app",
            receivables_xero_client_secret=SecretStr(XERO_SECRET),
            receivables_xero_refresh_token=SecretStr(xero.refresh_token),
            receivables_xero_organisation_id=ORGANISATION,
            receivables_xero_webhook_key=SecretStr(WEBHOOK_KEY),
            receivables_xero_base_url=xero.url,
            receivables_xero_identity_url=xero.url,
            receivables_business_central_tenant_id=TENANT,
            receivables_business_central_company_id=COMPANY,
            receivables_business_central_client_id="backstop-app",
            receivables_business_central_client_secret=SecretStr(BUSINESS_CENTRAL_SECRET),
            receivables_business_central_client_state=SecretStr(CLIENT_STATE),
            receivables_business_central_base_url=central.url,
            receivables_business_central_authority_url=central.url,
            backstop_secret_key=SecretStr("a key of thirty-two characters, or more"),
        )
        made = Office(stage, stripe, xero, central)
        for source in ("stripe", "xero", "business-central"):
            await made.comes_to(source, "INV-1", "INV-2", "INV-3", "INV-4")
        yield made


def by_stripe(body: bytes) -> dict[str, str]:
    at = int(time.time())
    made = hmac.new(WEBHOOK_SECRET.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={made}"}


def by_xero(body: bytes) -> dict[str, str]:
    made = hmac.new(WEBHOOK_KEY.encode(), body, hashlib.sha256).digest()
    return {"x-xero-signature": base64.b64encode(made).decode()}


def an_event(source: str) -> tuple[bytes, dict[str, str]]:
    """As the vendor sends it when an invoice is paid."""
    value: dict[str, Any]
    match source:
        case "stripe":
            value = {"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {}}}
        case "xero":
            value = {"events": [{"resourceId": "id-1", "eventType": "UPDATE", "eventCategory": "INVOICE"}]}
        case _:
            value = {"value": [{"subscriptionId": "s", "clientState": CLIENT_STATE, "changeType": "updated"}]}
    body = json.dumps(value).encode()
    signs = {"stripe": by_stripe, "xero": by_xero}.get(source)
    return body, signs(body) if signs else {}


async def test_what_is_paid_there_is_read_soon_after_its_event_and_its_repetition_does_no_harm(
    office: Office,
):
    for source, side in (
        ("stripe", office.stripe),
        ("xero", office.xero),
        ("business-central", office.business_central),
    ):
        side.pay("INV-2", "100.00")
        body, headers = an_event(source)
        for _ in range(2):
            status, text, answered = await office.sends(source, body, headers)
            assert (status, text) == (200, "")
            assert "Set-Cookie" not in answered
        await office.comes_to(source, "INV-1", "INV-3", "INV-4")


async def test_everything_else_is_turned_away(office: Office):
    async def status(
        source: str, body: bytes, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> int:
        return (await office.sends(source, body, headers, query))[0]

    asked = [len(side.asked) for side in (office.stripe, office.xero, office.business_central)]
    for source in ("stripe", "xero", "business-central"):
        body, headers = an_event(source)
        forged = body.replace(CLIENT_STATE.encode(), b"guessed") + b" "
        assert await status(source, forged, headers) == 401
        assert await status(source, b"", {}) == 401
        assert await status(source, b" " * (LARGEST_EVENT + 1), headers) == 413
    for source in ("tryton", "sql", "file", "..%2Fslack"):
        assert await status(source, b"{}") == 404
    # Whatever these were, nothing was asked of the accounting systems.
    assert asked == [len(side.asked) for side in (office.stripe, office.xero, office.business_central)]


async def test_they_find_that_somebody_listens_when_they_try(office: Office):
    """Business Central by a token that is said back, Xero by signatures right and wrong."""
    status, text, headers = await office.sends(
        "business-central", b"", query="?validationToken=a%2Bb%20%3Ci%3E"
    )
    assert (status, text) == (200, "a+b <i>")
    assert headers["Content-Type"].startswith("text/plain")
    assert (await office.sends("stripe", b"", query="?validationToken=x"))[0] == 401

    body = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    status, text, _ = await office.sends("xero", body, by_xero(body))
    assert (status, text) == (200, "")
    assert (await office.sends("xero", body, by_xero(body + b" ")))[0] == 401
