"""Service requests: what is read of one, how it is written to, and which links are Microsoft's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from bot.domain.customer import Cloud, CustomerId
from bot.domain.errors import NotFound, Rejected, Throttled, Unavailable
from bot.domain.ticket import VendorNote
from bot.partner_center import service_requests
from bot.partner_center.cloud import hosts_of
from bot.partner_center.fields import Fields, Unreadable, decode

from .far_side import refusal, reply

NUMBER = "616122292874576"
PATH = f"/v1/servicerequests/{NUMBER}"
CONTOSO = CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08")
SERVICES = f"/v1/customers/{CONTOSO}/managedservices"
PORTAL = "https://partner.microsoft.com/dashboard"


def a_request(**fields: object) -> dict[str, object]:
    return {"id": NUMBER, "status": "open", "lastModifiedDate": "2025-03-10T10:00:00Z"} | fields


def a_service(uri: object) -> dict[str, object]:
    return {"id": "Exchange", "links": {"serviceTicket": {"uri": uri, "method": "GET"}}}


def test_the_published_example(samples):
    raw = decode((samples / "serviceRequest.get.json").read_bytes())
    state = service_requests.state(raw, number=NUMBER)
    assert (state.number, state.status, state.is_closed) == (NUMBER, "open", False)
    assert state.changed_at == datetime(2017, 1, 9, 23, 31, 15, 373000, tzinfo=UTC)
    written_at = datetime(2017, 1, 9, 23, 31, 15, 373000, tzinfo=UTC)
    assert state.notes == (VendorNote("Sample Note", "Account", written_at, is_ours=False),)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("open", "open"),
        ("Closed", "closed"),
        ("attention_needed", "attention_needed"),
        ("AttentionNeeded", "attention_needed"),
        (1, "open"),
        (2, "closed"),
        ("3", "attention_needed"),
        (0, "none"),
        ("On_Hold", "On_Hold"),
        (7, "7"),
        (None, ""),
    ],
)
def test_a_status_is_a_word_or_a_number_and_an_unknown_one_is_kept(said, status):
    assert service_requests.state(a_request(status=said), number=NUMBER).status == status


def test_keys_come_in_any_case():
    raw = {"ID": NUMBER, "Status": 2, "Notes": [{"Text": "Done.", "CreatedByName": "Eng"}]}
    state = service_requests.state(raw, number=NUMBER)
    assert (state.is_closed, [note.text for note in state.notes]) == (True, ["Done."])


def test_a_note_is_ours_where_the_requests_own_contact_wrote_it():
    contact = {"firstName": "Ana", "lastName": "Berg"}
    notes = [
        {"text": "We look.", "createdByName": "Engineer", "createdDate": "2025-03-10T09:30:00"},
        {"text": "It burns.", "createdByName": "ANA BERG", "createdDate": "2025-03-10T09:00:00"},
        {"text": " ", "createdByName": "Engineer"},
    ]
    state = service_requests.state(a_request(primaryContact=contact, notes=notes), number=NUMBER)
    assert [(note.text, note.is_ours) for note in state.notes] == [("It burns.", True), ("We look.", False)]
    nameless = service_requests.state(
        a_request(notes=[{"text": "Hello", "createdByName": ""}]), number=NUMBER
    )
    assert not nameless.notes[0].is_ours


def test_another_request_than_asked_for_is_refused():
    with pytest.raises(Unreadable):
        service_requests.state(a_request(id="1"), number=NUMBER)


@pytest.mark.parametrize(
    ("uri", "is_taken"),
    [
        ("https://portal.office.com/Partner/Begin.aspx?CSDEST=Support", True),
        ("https://admin.microsoft.com/", True),
        ("https://portal.azure.cn/", True),
        ("https://partner.gateway.example/x", True),
        ("http://portal.office.com/", False),
        ("https://portal.office.com.evil.example/", False),
        ("https://eviloffice.com/", False),
        ("https://user@portal.office.com/", False),
        ("https://portal.office.com:8443/", False),
        ("https://portal.office.com/|x>", False),
        ("https://portal.office.com/ x", False),
        ("https://[portal.office.com/", False),
        ("javascript:alert(1)", False),
        ("", False),
        (7, False),
    ],
)
def test_only_a_page_of_microsofts_own_is_a_link(uri, is_taken):
    link = service_requests.ticket_link(a_service(uri), portal="https://partner.gateway.example/dashboard")
    assert link == (uri if is_taken else None)


def test_the_recorded_services_have_a_link(samples):
    raw = decode((samples / "managedServices.recorded.json").read_bytes())
    links = {service_requests.ticket_link(each, portal=PORTAL) for each in Fields(raw).each("items")}
    assert links == {
        f"https://portal.office.com/Partner/BeginClientSession.aspx?CTID={CONTOSO}&CSDEST=Support"
    }


async def test_the_first_link_that_is_microsofts_is_given(center, far_side):
    services = [
        {"id": "A"},
        a_service("https://evil.example/"),
        a_service("https://admin.microsoft.com/a"),
        a_service("https://admin.microsoft.com/b"),
    ]
    far_side.on("GET", SERVICES, reply(body={"items": services}), reply(body={"items": services[:2]}))
    assert await center.service_request_link(CONTOSO) == "https://admin.microsoft.com/a"
    assert await center.service_request_link(CONTOSO) is None


async def test_it_is_asked_for_with_the_organisations_own(center, far_side):
    far_side.on("GET", PATH, reply(body=a_request()))
    assert (await center.service_request(NUMBER)).number == NUMBER
    assert far_side.requests[0].headers["IncludeOrganizationRequests"] == "true"


async def test_one_nobody_knows_is_not_found(center, far_side):
    far_side.on("GET", PATH, refusal(404, 7000))
    with pytest.raises(NotFound) as raised:
        await center.service_request(NUMBER)
    assert (raised.value.what, raised.value.name) == ("service-request", NUMBER)


async def test_a_note_has_only_what_changes(center, far_side, samples):
    far_side.on("PATCH", PATH, reply(body=a_request()))
    await center.add_note(NUMBER, "Grüße 你好")
    sent = json.loads(far_side.requests[0].content)
    assert sent == {"NewNote": {"Text": "Grüße 你好"}}
    published = json.loads((samples / "serviceRequest.patch-note.request.json").read_bytes())
    assert "Text" in published["NewNote"]


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(httpx.ReadTimeout("gone"), id="gone"),
        pytest.param(refusal(503, 1), id="503"),
        pytest.param(httpx.RemoteProtocolError("cut"), id="cut"),
    ],
)
async def test_a_note_without_an_answer_is_not_sent_again(center, far_side, lost):
    far_side.on("PATCH", PATH, lost)
    with pytest.raises(Unavailable) as raised:
        await center.add_note(NUMBER, "Hello")
    assert type(raised.value) is Unavailable
    assert len(far_side.requests) == 1


async def test_a_note_that_was_not_taken_is_sent_again_under_one_id(center, far_side, sleeps):
    refused = [reply(429, {"message": "slow down"}, Retry_After="7"), httpx.ConnectError("nobody")]
    far_side.on("PATCH", PATH, *refused, reply(body=a_request()))
    await center.add_note(NUMBER, "Hello")
    assert len({UUID(request.headers["MS-RequestId"]) for request in far_side.requests}) == 1
    assert len(far_side.requests) == 3
    assert sleeps[0] > 7


async def test_it_gives_up_after_some_tries(center, far_side):
    far_side.on("PATCH", PATH, reply(429, {"message": "slow down"}))
    with pytest.raises(Throttled):
        await center.add_note(NUMBER, "Hello")
    assert len(far_side.requests) == 4


async def test_closing_may_be_sent_again(center, far_side):
    far_side.on("PATCH", PATH, httpx.ReadTimeout("gone"), reply(body=a_request(status="closed")))
    await center.close_service_request(NUMBER)
    assert [json.loads(request.content) for request in far_side.requests] == [{"Status": "closed"}] * 2


async def test_a_no_is_a_no(center, far_side):
    far_side.on("PATCH", PATH, refusal(400, 7008))
    with pytest.raises(Rejected):
        await center.close_service_request(NUMBER)
    assert len(far_side.requests) == 1


def test_the_portal_and_azure_may_be_elsewhere():
    cloud = hosts_of(Cloud.CHINA, portal_url="https://gateway.example/x/", arm_url="http://127.0.0.1:1/arm")
    assert (cloud.portal, cloud.arm) == ("https://gateway.example/x", "http://127.0.0.1:1/arm")
