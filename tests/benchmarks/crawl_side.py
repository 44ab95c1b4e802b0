"""A Partner Center that does nothing but answer: a process of its own, so lean that it is nobody's bottleneck.

`python -m tests.benchmarks.crawl_side CUSTOMERS SUBSCRIPTIONS LATENCY_MS` prints its port. Every answer but sign-in and
its own `/_` paths comes after the latency, and is counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from bot.sandbox.partner_center import bodies
from bot.sandbox.partner_center.offers import ordered

JWT = "e30.e30.e30"
CUSTOMER, NUMBER, QUANTITY = "11111111-2222-3333-4444-555555555555", "987654321", 7654


class Stock:
    """Customers by their number. The first `changed` of them have changed since the beginning."""

    def __init__(self, customers: int, subscriptions: int) -> None:
        self.customers = customers
        self.changed = 0
        self.requests = 0
        self._held = _template(subscriptions)

    def subscriptions(self, customer: str) -> bytes:
        number = int(customer[:8], 16)
        quantity = 20 + (number < self.changed)
        body = self._held.replace(CUSTOMER, customer).replace(NUMBER, f"{number:09}")
        return body.replace(str(QUANTITY), str(quantity)).encode()

    def page(self, size: int, first: int) -> bytes:
        last = min(first + size, self.customers)
        items = [
            {
                "id": id_of(number),
                "companyProfile": {
                    "tenantId": id_of(number).upper(),
                    "domain": f"customer{number}.onmicrosoft.com",
                    "companyName": f"Customer {number} {'GmbH' if number % 3 else '有限公司'}",
                    "attributes": {"objectType": "CustomerCompanyProfile"},
                },
                "relationshipToPartner": "reseller",
                "attributes": {"objectType": "Customer"},
            }
            for number in range(first, last)
        ]
        more = {"headers": [{"key": "MS-ContinuationToken", "value": str(last)}], "uri": "/customers"}
        links = {"next": more} if last < self.customers else {}
        return json.dumps({"totalCount": len(items), "items": items, "links": links}).encode()

    def records(self) -> bytes:
        now = datetime.now(UTC).isoformat()
        items = [
            {
                "id": f"record-{number}",
                "partnerId": "99999999-0000-0000-0000-000000000000",
                "customerId": id_of(number),
                "operationType": "update_subscription",
                "operationStatus": "succeeded",
                "operationDate": now,
            }
            for number in range(self.changed)
        ]
        return json.dumps({"totalCount": len(items), "items": items, "links": {}}).encode()


class Answers(asyncio.Protocol):
    """HTTP/1.1 with the least of everything: keep-alive, one request at a time on a connection."""

    def __init__(self, stock: Stock, latency: float) -> None:
        self._stock = stock
        self._latency = latency
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        if len(rest) < int(headers.get("content-length", 0)):
            return
        self._data = b""
        url = urlsplit(lines[0].split(" ")[1])
        latency = self._latency
        if url.path.startswith("/_") or url.path.endswith("/token"):
            latency = 0.0
        else:
            self._stock.requests += 1
        body = self._body(url.path, parse_qs(url.query), headers)
        asyncio.get_running_loop().call_later(latency, self._answer, body)

    def _answer(self, body: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )

    def _body(self, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> bytes:
        stock = self._stock
        match path.strip("/").split("/"):
            case [*_, "token"]:
                token = {"token_type": "Bearer", "expires_in": "3599", "access_token": JWT}
                return json.dumps(token).encode()
            case ["_count"]:
                return str(stock.requests).encode()
            case ["_change", number]:
                stock.changed = int(number)
                return b""
            case ["v1", "customers"] if "filter" in query:
                return json.dumps({"totalCount": 0, "items": []}).encode()  # nobody is asked for who is here
            case ["v1", "customers"]:
                first = int(headers.get("ms-continuationtoken", 0))
                return stock.page(int(query["size"][0]), first)
            case ["v1", "customers", customer, "subscriptions"]:
                return stock.subscriptions(customer)
            case ["v1", "auditrecords"]:
                return stock.records()
        return b"{}"


def id_of(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def _template(subscriptions: int) -> str:
    """What a customer has, with places for its id, its number and a quantity."""
    from bot.sandbox.partner_center.samples import sample_customers

    now = datetime.now(UTC)
    some = sample_customers(now.date())[0]
    held = [
        bodies.subscription(
            some, ordered(CUSTOMER, n, quantity=QUANTITY, at=now, name="Microsoft 365 E3", is_trial=False)
        )
        for n in range(subscriptions)
    ]
    for n, each in enumerate(held):
        each["id"] = f"{n:08x}-0000-4000-9000-000{NUMBER}"
    return json.dumps(bodies.collection(held)).replace(some.id, CUSTOMER)


async def main(customers: int, subscriptions: int, latency_ms: float) -> None:
    stock = Stock(customers, subscriptions)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(stock, latency_ms / 1000), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
