"""Stripe's own client over our way of asking: reads only, bounded, tried again. Needs the extra `stripe`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, Final

import stripe

from bot.domain.errors import Rejected
from bot.receivables.fields import MOST_ROWS
from bot.receivables.json_reads import JsonReads
from bot.receivables.live import SYSTEM

API_VERSION: Final = "2026-10-28.endive"
"""The shapes this was written for, whatever the account's default is."""

# It would write an id of this machine to the home directory and tell Stripe about the system we run on.
stripe.enable_telemetry = False


class _OurHttp(stripe.HTTPClient):
    name = "backstop"

    def __init__(self, reads: JsonReads) -> None:
        super().__init__()
        self._reads = reads

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if method.lower() != "get":
            raise Rejected(system=SYSTEM, reason="read-only")
        reply = await self._reads.get(url, headers=headers)
        return reply.body, 200, reply.headers


def connect(api_key: str, *, base_url: str, reads: JsonReads) -> stripe.StripeClient:
    """A client that asks `base_url`; tries and limits are those of `reads`."""
    return stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses={"api": base_url.rstrip("/")},
        max_network_retries=0,
        http_client=_OurHttp(reads),
    )


async def every(first: Awaitable[stripe.ListObject[Any]]) -> AsyncIterator[dict[str, Any]]:
    """Every object of a listing, page after page; raises where it cannot be read to its end.

    The client's own iterator takes an empty page for the end even where it says that more will come.
    """
    seen: set[str] = set()
    asked = first
    while True:
        read = await page(asked)
        rows = [_dict(row) for row in read.data]
        new = {str(row.get("id")) for row in rows} - seen
        seen |= new
        for row in rows:
            yield row
        if not read.has_more:
            return
        if not new:
            raise Rejected(system=SYSTEM, reason="paging-loop")
        if len(seen) > MOST_ROWS:
            raise Rejected(system=SYSTEM, reason="too-many-rows")
        asked = read.next_page_async()


async def page(asked: Awaitable[stripe.ListObject[Any]]) -> stripe.ListObject[Any]:
    """One page that is a page; the client makes objects of whatever came."""
    try:
        read = await asked
        sound = isinstance(read.data, list) and isinstance(read.has_more, bool)
    except (stripe.StripeError, AttributeError, KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise Rejected(system=SYSTEM, reason="unexpected-answer")
    return read


def _dict(row: Any) -> dict[str, Any]:
    return row.to_dict() if isinstance(row, stripe.StripeObject) else {}


def is_signed(client: stripe.StripeClient, body: bytes, header: str | None, secret: str) -> bool:
    """Whether Stripe signed this body with our endpoint's secret, in the last five minutes."""
    try:
        client.construct_event(body, header, secret)
    except (stripe.SignatureVerificationError, ValueError, AttributeError, TypeError, LookupError):
        return False
    return True
