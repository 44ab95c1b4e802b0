"""What the client sends to read, and how patient it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import AccessDenied, NotFound, Rejected, SignInFailed, Throttled, Unavailable
from bot.partner_center import exchange
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import hosts_of

from .far_side import drips, refusal, reply

CONTOSO = CustomerId("c/1?")
PLAN = SubscriptionId("s#1")
CUSTOMERS = "/v1/customers"
ONE = f"{CUSTOMERS}/c%2F1%3F"
SUBSCRIPTION = f"{ONE}/subscriptions/s%231"


def collection(*ids: str, next_uri: str | None = None, token: str | None = None) -> dict[str, object]:
    headers = [{"key": "MS-ContinuationToken", "value": token}] if token else []
    links = {"next": {"uri": next_uri, "method": "GET", "headers": headers}} if next_uri else {}
    return {"totalCount": 99, "items": [{"id": id} for id in ids], "links": links}


async def listed(center: PartnerCenter, **options: int) -> list[str]:
    return [customer.id async for customer in center.customers(**options)]


async def test_what_every_request_carries(center, far_side):
    far_side.on("GET", ONE, reply(body={"id": "C1"}))
    await center.customer(CONTOSO)
    await center.customer(CONTOSO)
    first, second = (request.headers for request in far_side.requests)
    assert {name: first[name] for name in ("Accept", "MS-Contract-Version", "X-Locale")} == {
        "Accept": "application/json",
        "MS-Contract-Version": "v1",
        "X-Locale": "en-US",
    }
    assert first["MS-PartnerCenter-Application"] == "Backstop"
    for name in ("MS-RequestId", "MS-CorrelationId"):
        assert UUID(first[name]) != UUID(second[name])
    assert "Content-Type" not in first


@pytest.mark.parametrize(
    ("ask", "path"),
    [
        pytest.param(lambda pc: pc.customer(CONTOSO), ONE, id="a customer"),
        pytest.param(lambda pc: pc.subscriptions(CONTOSO), f"{ONE}/subscriptions", id="subscriptions"),
        pytest.param(lambda pc: pc.subscription(CONTOSO, PLAN), SUBSCRIPTION, id="a subscription"),
        pytest.param(lambda pc: pc.add_ons(CONTOSO, PLAN), f"{SUBSCRIPTION}/addons", id="add-ons"),
        pytest.param(
            lambda pc: pc.azure_children(CONTOSO, PLAN),
            f"{SUBSCRIPTION}/azureEntitlements",
            id="Azure subscriptions",
        ),
        pytest.param(
            lambda pc: pc.azure_child(CONTOSO, PLAN, "e/1"),
            f"{SUBSCRIPTION}/azureEntitlements/e%2F1",
            id="an Azure subscription",
        ),
    ],
)
async def test_ids_are_encoded_in_paths(center, far_side, ask, path):
    far_side.on("GET", path, reply(body={"id": "E/1", "status": "active", "items": []}))
    await ask(center)
    assert far_side.requests[0].url.raw_path.decode() == path


async def test_customers_are_searched_by_the_start_of_a_field(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(body=collection("A", "B")))
    found = await center.search_customers("Müller & Söhne", field="Domain", size=5)
    assert [customer.id for customer in found] == ["a", "b"]
    query = far_side.requests[0].url.params
    assert query["size"] == "5"
    assert json.loads(query["filter"]) == {
        "Field": "Domain",
        "Value": "Müller & Söhne",
        "Operator": "starts_with",
    }


async def test_customers_are_paged_by_seeking(center, far_side):
    broken_uri = "/customers?size=2?seekOperation=Next"
    far_side.on(
        "GET",
        CUSTOMERS,
        reply(body=collection("A", "B", next_uri=broken_uri, token="t-1")),
        reply(body=collection(next_uri=broken_uri, token="t-2")),
        reply(body=collection("C")),
    )
    assert await listed(center, size=2) == ["a", "b", "c"]
    asked = [(r.url.query, r.headers.get("MS-ContinuationToken")) for r in far_side.requests]
    following = b"size=2&seekOperation=Next"
    assert asked == [(b"size=2", None), (following, "t-1"), (following, "t-2")]
    assert len({request.headers["MS-CorrelationId"] for request in far_side.requests}) == 1
    assert len({request.headers["MS-RequestId"] for request in far_side.requests}) == 3


@pytest.mark.parametrize(
    "following",
    [
        pytest.param(
            {"links": {"next": {"headers": [{"key": "MS-ContinuationToken", "value": "t-1"}]}}},
            id="in a header of the link",
        ),
        pytest.param({"links": {"next": {"method": "GET"}}, "continuationToken": "t-1"}, id="in the body"),
        pytest.param(
            {"Links": {"Next": {"Uri": "", "Headers": [{"Key": "ms-continuationtoken", "Value": "t-1"}]}}},
            id="in other cases",
        ),
        pytest.param({"Links": {"Next": {"Uri": None}}, "ContinuationToken": "t-1"}, id="in Pascal's case"),
    ],
)
async def test_a_token_without_an_address_leads_to_the_next_page(center, far_side, following):
    far_side.on(
        "GET", CUSTOMERS, reply(body={"items": [{"id": "A"}], **following}), reply(body=collection("B"))
    )
    assert await listed(center, size=1) == ["a", "b"]
    second = far_side.requests[1]
    assert (second.url.query, second.headers["MS-ContinuationToken"]) == (b"size=1&seekOperation=Next", "t-1")


@pytest.mark.parametrize("following", [{}, {"next": None}, None], ids=["no next", "a null", "no links"])
async def test_a_list_ends_where_there_is_no_next(center, far_side, following):
    body = {"items": [{"id": "A"}], "links": following, "continuationToken": "t"}
    far_side.on("GET", CUSTOMERS, reply(body=body))
    assert await listed(center) == ["a"]
    assert len(far_side.requests) == 1


@pytest.mark.parametrize(
    "following",
    [
        pytest.param({}, id="nothing in it"),
        pytest.param({"uri": " ", "headers": [{"key": "Else", "value": "t"}]}, id="blanks"),
        pytest.param("/customers?offset=1", id="no link"),
    ],
)
async def test_a_next_page_that_cannot_be_asked_for_is_no_end(center, far_side, following):
    far_side.on("GET", CUSTOMERS, reply(body={"items": [{"id": "A"}], "links": {"next": following}}))
    with pytest.raises(Unavailable) as unavailable:
        await listed(center)
    assert (unavailable.value.reason, len(far_side.requests)) == ("unreadable", 1)
    assert unavailable.value.correlation_id == far_side.requests[0].headers["MS-CorrelationId"]


async def test_a_page_with_an_address_alone_is_asked_for_without_the_last_token(center, far_side):
    far_side.on(
        "GET",
        CUSTOMERS,
        reply(body=collection("A", next_uri="/customers", token="t-1")),
        reply(body=collection("B", next_uri="/customers?offset=2")),
        reply(body=collection("C")),
    )
    assert await listed(center) == ["a", "b", "c"]
    third = far_side.requests[2]
    assert (third.url.query, third.headers.get("MS-ContinuationToken")) == (b"offset=2", None)


async def test_lists_are_paged_by_their_link(center, far_side):
    far_side.on(
        "GET",
        f"{ONE}/subscriptions",
        reply(body=collection("A", next_uri="/customers/c%2F1%3F/subscriptions?offset=1")),
        reply(body=collection("B")),
    )
    assert [s.id for s in await center.subscriptions(CONTOSO)] == ["a", "b"]
    assert far_side.requests[1].url.query == b"offset=1"


async def test_behind_a_gateway_the_list_is_read_through_it_though_links_name_microsoft(connect, far_side):
    gateway = hosts_of(Cloud.GLOBAL, base_url="http://gateway.example/gw")
    following = "https://api.partnercenter.microsoft.com/v1/customers?size=1&offset=1"
    far_side.on(
        "GET",
        "/gw/v1/customers",
        reply(body=collection("A", next_uri=following)),
        reply(body=collection("B")),
    )
    assert await listed(connect(cloud=gateway), size=1) == ["a", "b"]
    assert {request.url.host for request in far_side.requests} == {"gateway.example"}
    assert far_side.requests[1].url.query == b"size=1&offset=1"


async def test_a_repeated_token_ends_the_list_with_an_error(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(body=collection("A", next_uri="/customers", token="t")))
    with pytest.raises(Unavailable) as endless:
        await listed(center)
    assert (endless.value.reason, len(far_side.requests)) == ("endless-list", 2)


async def test_a_list_without_an_end_ends_with_an_error(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(body=collection("A", next_uri="/customers?offset=1")))
    with pytest.raises(Unavailable) as endless:
        await listed(center)
    assert endless.value.reason == "endless-list"


async def test_a_link_to_another_host_is_not_followed(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(body=collection("A", next_uri="https://evil.example/v1/customers")))
    with pytest.raises(Rejected) as rejected:
        await listed(center)
    assert (rejected.value.reason, len(far_side.requests)) == ("foreign-link", 1)


async def test_broken_items_are_left_out_and_reported(center, far_side, caplog):
    far_side.on("GET", CUSTOMERS, reply(body={"items": [{"id": "A"}, {"name": "nobody"}, None]}))
    assert await listed(center) == ["a"]
    assert "2 items could not be read" in caplog.text


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}"], ids=["nothing", "a page", "a list", "no id"])
async def test_an_answer_that_is_none_is_told(center, far_side, body):
    far_side.on("GET", ONE, lambda _: httpx.Response(200, content=body))
    with pytest.raises(Unavailable) as unavailable:
        await center.customer(CONTOSO)
    assert unavailable.value.reason == "unreadable"
    assert unavailable.value.correlation_id == far_side.requests[0].headers["MS-CorrelationId"]


@pytest.mark.parametrize(
    ("first", "slept"),
    [
        pytest.param(reply(500), 1.0, id="a server error"),
        pytest.param(reply(408), 1.0, id="a timeout of the server's"),
        pytest.param(reply(302, location="https://evil.example"), 1.0, id="a redirect"),
        pytest.param(reply(429, retry_after="57"), 58.0, id="too many requests, seconds"),
        pytest.param(reply(429, retry_after="Mon, 10 Mar 2025 12:00:30 GMT"), 31.0, id="the same, a date"),
        pytest.param(reply(503, retry_after="5"), 6.0, id="unavailable for a while"),
        pytest.param(httpx.ReadTimeout("late"), 1.0, id="no answer in time"),
        pytest.param(httpx.ConnectError("closed"), 1.0, id="no connection"),
        pytest.param(httpx.RemoteProtocolError("cut"), 1.0, id="a connection cut"),
    ],
)
async def test_reading_is_tried_again_after(center, far_side, sleeps, first, slept):
    far_side.on("GET", ONE, first, reply(body={"id": "C1"}))
    assert (await center.customer(CONTOSO)).id == "c1"
    assert sleeps == [slept]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(refusal(400, 3000), Rejected, id="a bad request"),
        pytest.param(reply(401), SignInFailed, id="not signed in"),
        pytest.param(refusal(403, 20002), AccessDenied, id="no relationship"),
        pytest.param(refusal(404, 60003), NotFound, id="not found"),
        pytest.param(refusal(417, 1), Rejected, id="expectation failed"),
        pytest.param(reply(429, retry_after="86400"), Throttled, id="asked to stay away for a day"),
    ],
)
async def test_reading_is_not_tried_again_after(center, far_side, sleeps, said, error):
    far_side.on("GET", ONE, said)
    with pytest.raises(error):
        await center.customer(CONTOSO)
    assert (len(far_side.requests), sleeps) == (1, [])


async def test_patience_ends_after_three_more_tries(center, far_side, sleeps):
    far_side.on("GET", ONE, reply(503))
    with pytest.raises(Unavailable) as unavailable:
        await center.customer(CONTOSO)
    assert (len(far_side.requests), sleeps) == (4, [1.0, 2.0, 4.0])
    assert {r.headers["MS-CorrelationId"] for r in far_side.requests} == {unavailable.value.correlation_id}


async def test_a_body_without_end_is_not_read_to_its_end(center, far_side):
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * exchange.LARGEST_BODY:
            sent += 1024 * 1024
            yield b" " * 1024 * 1024

    far_side.on("GET", ONE, lambda _: httpx.Response(200, content=flood()))
    with pytest.raises(Rejected) as rejected:
        await center.customer(CONTOSO)
    assert rejected.value.reason == "too-large"
    assert sent <= exchange.LARGEST_BODY + 1024 * 1024


async def test_an_answer_that_drips_in_for_ever_is_tried_again(connect, far_side, sleeps):
    far_side.on("GET", ONE, drips, reply(body={"id": "C1"}))
    async with asyncio.timeout(10):
        assert (await connect(longest_answer=0.2).customer(CONTOSO)).id == "c1"
    assert (len(far_side.requests), sleeps) == (2, [1.0])


async def test_what_goes_on_dripping_is_told_as_a_timeout(connect, far_side):
    far_side.on("GET", ONE, drips)
    with pytest.raises(Unavailable) as unavailable:
        async with asyncio.timeout(10):
            await connect(longest_answer=0.02).customer(CONTOSO)
    assert (unavailable.value.reason, len(far_side.requests)) == ("timeout", 4)
    assert unavailable.value.correlation_id == far_side.requests[0].headers["MS-CorrelationId"]


async def test_only_so_many_requests_are_on_their_way(connect):
    on_their_way, most = 0, 0

    async def far_side(_request: httpx.Request) -> httpx.Response:
        nonlocal on_their_way, most
        on_their_way += 1
        most = max(most, on_their_way)
        for _ in range(5):
            await asyncio.sleep(0)
        on_their_way -= 1
        return httpx.Response(200, json={"id": "C1"})

    center = connect(far_side, max_concurrency=3)
    await asyncio.gather(*(center.customer(CONTOSO) for _ in range(12)))
    assert most == 3


async def test_who_waits_holds_no_place(connect, far_side):
    """With a single place, somebody else gets an answer while we wait to try again."""
    far_side.on("GET", ONE, reply(503), reply(body={"id": "C1"}))
    far_side.on("GET", CUSTOMERS, reply(body=collection("A")))
    meanwhile: list[str] = []

    async def sleep(_seconds: float) -> None:
        meanwhile.extend(await listed(center))

    center = connect(max_concurrency=1, sleep=sleep)
    await asyncio.wait_for(center.customer(CONTOSO), timeout=5)
    assert meanwhile == ["a"]


async def test_signing_in_asks_for_one_customer(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(body=collection("A")))
    await center.sign_in()
    assert far_side.requests[0].url.query == b"size=1"


async def test_signing_in_in_vain_is_told(center, far_side):
    far_side.on("GET", CUSTOMERS, reply(401))
    with pytest.raises(SignInFailed):
        await center.sign_in()
