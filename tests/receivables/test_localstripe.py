"""Our use of Stripe's client against somebody else's Stripe: pages, metadata, webhooks it signs itself.

It knows no due dates, numbers or open amounts; those are tested against the recorded shapes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from aiohttp import web

from bot.receivables import stripe_wire
from bot.receivables.json_reads import JsonReads, Pace, http_client
from bot.receivables.stripe import Stripe

from . import localstripe
from .stripe_side import BERLIN

KEY = "sk_test_backstop"
SECRET = "whsec_localstripe"
TENANT = "11111111-2222-4333-8444-55555555555{}"


@pytest.fixture
async def url():
    try:
        async with localstripe.running() as url:
            yield url
    except localstripe.NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture
async def client(url):
    http = http_client()
    reads = JsonReads(home=url, http=http, pace=Pace(), hide=lambda text: text)
    yield stripe_wire.connect(KEY, base_url=url, reads=reads)
    await http.aclose()


async def post(url: str, path: str, form: dict[str, str]) -> dict[str, Any]:
    async with http_client() as http:
        response = await http.post(f"{url}{path}", data=form, auth=httpx.BasicAuth(KEY, ""))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json() if response.content else {}
    return found


def named(n: int) -> dict[str, str]:
    return {"name": f"Customer {n}", "metadata[csp_tenant_id]": TENANT.format(n)}


async def test_pages_and_metadata(url, client):
    made = [await post(url, "/v1/customers", named(n)) for n in range(5)]
    listing = client.v1.customers.list_async({"limit": 2})
    customers = [customer async for customer in stripe_wire.every(listing)]
    assert {c["id"]: c["metadata"]["csp_tenant_id"] for c in customers} == {
        customer["id"]: TENANT.format(n) for n, customer in enumerate(made)
    }


CARD_THAT_FAILS = {
    "type": "card",
    "card[number]": "4000000000000341",
    "card[exp_month]": "12",
    "card[exp_year]": "2030",
    "card[cvc]": "123",
}


async def test_an_invoice_that_stays_open_comes_with_its_customer(url, client):
    customer = (await post(url, "/v1/customers", named(1)))["id"]
    card = (await post(url, "/v1/payment_methods", CARD_THAT_FAILS))["id"]
    await post(url, f"/v1/payment_methods/{card}/attach", {"customer": customer})
    default = {"invoice_settings[default_payment_method]": card}
    await post(url, f"/v1/customers/{customer}", default)
    plan = {"id": "csp", "product[name]": "CSP", "amount": "1250", "currency": "eur", "interval": "month"}
    await post(url, "/v1/plans", plan)
    await post(url, "/v1/subscriptions", {"customer": customer, "items[0][plan]": "csp"})
    listing = client.v1.invoices.list_async({"limit": 2, "expand": ["data.customer"]})
    (invoice,) = [invoice async for invoice in stripe_wire.every(listing)]
    assert invoice["status"] == "open"
    assert invoice["customer"]["metadata"]["csp_tenant_id"] == TENANT.format(1)
    assert (invoice["amount_due"], type(invoice["amount_due"])) == (1250, int)


async def test_an_event_it_signs_is_believed_and_a_forged_one_is_not(url):
    came: asyncio.Future[tuple[Any, bytes]] = asyncio.get_running_loop().create_future()

    async def hook(request: web.Request) -> web.Response:
        if not came.done():
            came.set_result((request.headers.copy(), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    source = Stripe(api_key=KEY, zone=BERLIN, grace_days=7, webhook_secret=SECRET, base_url=url)
    try:
        ours = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await post(url, "/_config/webhooks/backstop", {"url": ours, "secret": SECRET})
        await post(url, "/v1/customers", {"name": "Acme"})
        headers, body = await asyncio.wait_for(came, timeout=30)
        assert source.verify_event(headers, body)
        assert not source.verify_event(headers, body.replace(b"Acme", b"Evil"))
        assert not source.verify_event({**headers, "Stripe-Signature": "t=1,v1=00"}, body)
    finally:
        await source.close()
        await runner.cleanup()
