"""Tickets of Azure's own: the shapes, what is demanded, and a write that takes its time or loses its answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import NotFound, Rejected, Throttled, Unavailable
from bot.domain.matter import TicketSeverity
from bot.partner_center import azure_wire
from bot.partner_center.azure_support import MOST_CUSTOMERS, MOST_LOOKS, AzureSupport
from bot.partner_center.cloud import hosts_of
from bot.partner_center.fields import Unreadable, decode

from .far_side import FarSide, Reply, noon, reply
from .tickets import ABUSE, ANA, SERVICE, a_ticket

CUSTOMER, SUBSCRIPTION = (
    CustomerId("46a62ece-10ad-42e5-b3f1-b2ed53e6fc08"),
    SubscriptionId("132d901f-189d-4381-9214-fe68e27e05a1"),
)
NAME = "testticket"
HERE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Support"
TICKET = f"{HERE}/supportTickets/{NAME}"
NOTES = f"{TICKET}/communications"
OPERATION = f"{HERE}/operationsStatus/op"
RESULT = f"{HERE}/operationResults/op"
HOST = "https://management.azure.com"


def azures(status: int, code: str) -> Any:
    return reply(status, {"error": {"code": code, "message": "no"}})


def the_ticket(**properties: object) -> Any:
    told = {"supportTicketId": "119120321001170", "status": "Open", "modifiedDate": "2025-03-10T11:00:00Z"}
    contact = {"contactDetails": {"primaryEmailAddress": "support@partner.example"}}
    return reply(body={"name": NAME, "properties": told | contact | properties})


def taken(link: str | None, *, header: str = "Azure_AsyncOperation") -> Any:
    return reply(202, None, **({header: link} if link else {}))


NOWHERE = azures(404, "ResourceNotFound")


class Door(httpx.Auth):
    """Signs in by saying where to."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self.tenant}"
        yield request


@pytest.fixture
async def azure(far_side, sleeps):
    http = httpx.AsyncClient(transport=httpx.MockTransport(far_side), auth=Door("partner"))
    yield AzureSupport(
        cloud=hosts_of(Cloud.GLOBAL),
        http=http,
        sign_in_to=lambda customer: Door(customer),
        contact=ANA,
        country="DEU",
        zone=ZoneInfo("Europe/Berlin"),
        now=lambda: noon,
        sleep=sleeps,
        jitter=lambda: 1.0,
    )
    await http.aclose()


@pytest.fixture
def open_it(azure: AzureSupport):
    async def act(**fields: Any):
        return await azure.open(CUSTOMER, SUBSCRIPTION, NAME, a_ticket(**fields))

    return act


def sent(far_side: FarSide, method: str) -> list[Any]:
    return [json.loads(request.content) for request in far_side.sent(method)]


def test_the_published_ticket(samples):
    raw = decode((samples / "azure.supportTicket.get.json").read_bytes())
    read = azure_wire.ticket_state(raw, name="testticket")
    assert (read.state.number, read.state.status) == ("118032014183770", "open")
    assert read.state.changed_at == datetime(2020, 3, 20, 21, 36, 23, tzinfo=UTC)
    assert read.contact_email == "abc@contoso.com"
    with pytest.raises(Unreadable):
        azure_wire.ticket_state(raw, name="another")


def test_the_published_messages_are_the_contacts_or_somebody_elses(samples):
    raw: Any = decode((samples / "azure.communications.list.json").read_bytes())
    ours = [azure_wire.note(each, contact_email="USER@contoso.com") for each in raw["value"]]
    theirs = [azure_wire.note(each, contact_email="abc@contoso.com") for each in raw["value"]]
    assert [(note.text, note.is_ours) for note in ours] == [("this is a test message", True), ("test", True)]
    assert not any(note.is_ours for note in theirs)


def test_the_published_services(samples):
    raw: Any = decode((samples / "azure.services.list.json").read_bytes())
    assert azure_wire.choice(raw["value"][0]) == (
        "/providers/Microsoft.Support/services/service_guid_1",
        "Billing",
    )


def test_it_has_all_that_the_published_one_has(samples):
    body = azure_wire.ticket_body(
        a_ticket(), contact=ANA, country="DEU", zone=ZoneInfo("Europe/Berlin"), at=noon
    )
    properties = json.loads(body)["properties"]
    published = json.loads((samples / "azure.supportTicket.create.request.json").read_bytes())["properties"]
    left_out = {"fileWorkspaceName", "supportPlanId"}
    assert set(properties) == set(published) - left_out
    assert set(properties["contactDetails"]) - {"phoneNumber"} == set(published["contactDetails"])
    assert (properties["title"], properties["description"]) == (
        "Mining in a customer's subscription",
        "It mines.\nPlease help.",
    )
    assert (properties["serviceId"], properties["problemClassificationId"]) == (SERVICE, ABUSE)
    assert properties["advancedDiagnosticConsent"] == "No"
    assert properties["contactDetails"] == {
        "firstName": "Ana",
        "lastName": "Berg",
        "preferredContactMethod": "email",
        "primaryEmailAddress": "support@partner.example",
        "phoneNumber": "+49 30 1234",
        "preferredTimeZone": "W. Europe Standard Time",
        "country": "DEU",
        "preferredSupportLanguage": "en-us",
    }


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Asia/Shanghai", "China Standard Time"),
        ("America/Los_Angeles", "Pacific Standard Time"),
        ("Europe/Vienna", "W. Europe Standard Time"),
        ("Asia/Kolkata", "India Standard Time"),
        ("UTC", "UTC"),
        ("Antarctica/Troll", "UTC"),
    ],
)
def test_windows_has_names_of_its_own_for_time_zones(zone, name):
    assert azure_wire.windows_zone(ZoneInfo(zone), at=noon) == name


@pytest.mark.parametrize(
    ("fields", "settings", "reason"),
    [
        pytest.param({"problem": None}, {}, "no-problem", id="nothing chosen"),
        pytest.param({}, {"contact": "support@partner.example"}, "no-contact", id="no contact"),
        pytest.param({"contact": "Ana"}, {}, "no-contact", id="the ticket names somebody without an address"),
        pytest.param({}, {"country": ""}, "no-country", id="no country"),
        pytest.param(
            {"severity": TicketSeverity.CRITICAL},
            {"contact": "Ana Berg <a@partner.example>"},
            "no-phone",
            id="critical, without a phone",
        ),
    ],
)
def test_what_azure_demands_and_nobody_has_said(fields, settings, reason):
    given = {"contact": ANA, "country": "DEU", "zone": ZoneInfo("UTC"), "at": noon} | settings
    with pytest.raises(Rejected) as raised:
        azure_wire.ticket_body(a_ticket(**fields), **given)
    assert (raised.value.system, raised.value.reason) == ("azure", reason)


def test_a_critical_one_is_called_about():
    called = a_ticket(severity=TicketSeverity.CRITICAL, contact="Ben Ode <ben@partner.example> +49 30 99")
    body = azure_wire.ticket_body(called, contact=ANA, country="DEU", zone=ZoneInfo("UTC"), at=noon)
    contact = json.loads(body)["properties"]["contactDetails"]
    assert (contact["preferredContactMethod"], contact["firstName"]) == ("phone", "Ben")


async def test_it_is_looked_for_before_it_is_opened(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE, the_ticket())
    far_side.on("PUT", TICKET, the_ticket())
    state = await open_it()
    assert (state.number, state.status) == ("119120321001170", "open")
    assert [request.method for request in far_side.requests] == ["GET", "PUT", "GET"]
    assert {request.url.params["api-version"] for request in far_side.requests} == {"2024-04-01"}
    assert {request.headers["Authorization"] for request in far_side.requests} == {f"Bearer {CUSTOMER}"}


async def test_one_that_is_there_is_taken_as_it_is(open_it, far_side):
    far_side.on("GET", TICKET, the_ticket())
    assert (await open_it()).number == "119120321001170"
    assert far_side.sent("PUT") == []


async def test_a_lost_answer_and_then_a_no_is_looked_into(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE, the_ticket())
    far_side.on("PUT", TICKET, httpx.ReadTimeout("gone"), azures(409, "Conflict"))
    assert (await open_it()).number == "119120321001170"


async def test_a_no_for_one_that_is_not_there_is_a_no(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE)
    far_side.on("PUT", TICKET, azures(400, "BadRequest"))
    with pytest.raises(Rejected) as raised:
        await open_it()
    assert (raised.value.system, raised.value.reason) == ("azure", "BadRequest")


async def test_a_subscription_nobody_knows_is_a_no(open_it, far_side):
    far_side.on("GET", TICKET, azures(404, "SubscriptionNotFound"))
    far_side.on("PUT", TICKET, azures(404, "SubscriptionNotFound"))
    with pytest.raises(Rejected) as raised:
        await open_it()
    assert raised.value.reason == "not-found"


async def test_an_operation_is_followed_to_its_end(open_it, far_side, sleeps):
    far_side.on("GET", TICKET, NOWHERE, the_ticket())
    far_side.on("PUT", TICKET, taken(f"{HOST}{OPERATION}?api-version=2024-04-01"))
    running = reply(200, {"status": "InProgress"}, Retry_After="3")
    far_side.on("GET", OPERATION, running, reply(200, {"status": "Succeeded"}))
    assert (await open_it()).number == "119120321001170"
    assert sleeps == [2.0, 3.0]


async def test_a_location_is_followed_until_it_answers(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE, the_ticket())
    far_side.on("PUT", TICKET, taken(f"{HOST}{RESULT}?api-version=2024-04-01", header="Location"))
    far_side.on("GET", RESULT, reply(202), the_ticket())
    assert (await open_it()).number == "119120321001170"
    assert len([r for r in far_side.sent("GET") if r.url.path == RESULT]) == 2


async def test_an_operation_that_comes_to_nothing(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE)
    far_side.on("PUT", TICKET, taken(f"{HOST}{OPERATION}"))
    failed = {"status": "Failed", "error": {"code": "NoSupportPlan", "message": "none"}}
    far_side.on("GET", OPERATION, reply(200, failed))
    with pytest.raises(Rejected) as raised:
        await open_it()
    assert raised.value.reason == "NoSupportPlan"


async def test_what_never_ends_is_not_waited_for(open_it, far_side, sleeps):
    far_side.on("GET", TICKET, NOWHERE)
    far_side.on("PUT", TICKET, taken(f"{HOST}{OPERATION}"))
    far_side.on("GET", OPERATION, reply(200, {"status": "Running"}, Retry_After="3600"))
    with pytest.raises(Unavailable) as raised:
        await open_it()
    assert raised.value.reason == "still-running"
    assert len(sleeps) == MOST_LOOKS
    assert max(sleeps) == 10.0


@pytest.mark.parametrize(
    "link", ["https://evil.example/op", "http://management.azure.com/op", "//evil.example/", "http://["]
)
async def test_a_link_to_another_host_is_not_followed(open_it, far_side, link):
    far_side.on("GET", TICKET, NOWHERE)
    far_side.on("PUT", TICKET, taken(link))
    with pytest.raises(Unavailable) as raised:
        await open_it()
    assert raised.value.reason == "foreign-link"
    assert {request.url.host for request in far_side.requests} == {"management.azure.com"}


async def test_accepted_and_not_there_yet(open_it, far_side):
    far_side.on("GET", TICKET, NOWHERE)
    far_side.on("PUT", TICKET, taken(None))
    with pytest.raises(Unavailable) as raised:
        await open_it()
    assert (raised.value.system, raised.value.reason) == ("azure", "not-there-yet")


async def test_errors_say_that_they_are_azures(azure, far_side):
    far_side.on("GET", TICKET, reply(429, {"error": {"code": "TooManyRequests"}}, Retry_After="3600"))
    with pytest.raises(Throttled) as raised:
        await azure.read(CUSTOMER, SUBSCRIPTION, NAME)
    assert raised.value.system == "azure"


async def test_all_messages_are_read_page_by_page_oldest_first(azure, far_side):
    def message(name: str, hour: int, sender: str) -> dict[str, object]:
        at = f"2025-03-10T{hour:02d}:00:00Z"
        return {"name": name, "properties": {"body": name, "sender": sender, "createdDate": at}}

    far_side.on("GET", TICKET, the_ticket())
    first = [message("third", 11, "eng@microsoft.com"), message("second", 10, "support@partner.example")]
    last = [message("backstop-1", 9, "eng@microsoft.com"), {"name": "odd", "properties": {}}]
    more = f"{HOST}{NOTES}?api-version=2024-04-01&$skiptoken=2"
    far_side.on("GET", NOTES, reply(body={"value": first, "nextLink": more}), reply(body={"value": last}))
    state = await azure.read(CUSTOMER, SUBSCRIPTION, NAME)
    assert [(note.text, note.is_ours) for note in state.notes] == [
        ("backstop-1", True),
        ("second", True),
        ("third", False),
    ]


async def test_the_next_page_is_never_elsewhere(azure, far_side):
    far_side.on("GET", TICKET, the_ticket())
    far_side.on("GET", NOTES, reply(body={"value": [], "nextLink": "https://evil.example/"}))
    with pytest.raises(Rejected) as raised:
        await azure.read(CUSTOMER, SUBSCRIPTION, NAME)
    assert raised.value.reason == "foreign-link"


async def test_one_that_is_gone_is_not_found(azure, far_side):
    far_side.on("GET", TICKET, NOWHERE)
    with pytest.raises(NotFound):
        await azure.read(CUSTOMER, SUBSCRIPTION, NAME)


async def test_closing_one_that_is_closed_already_is_no_trouble(azure, far_side):
    far_side.on("PATCH", TICKET, azures(400, "BadRequest"))
    far_side.on("GET", TICKET, the_ticket(status="Closed"), the_ticket())
    await azure.close(CUSTOMER, SUBSCRIPTION, NAME)
    assert sent(far_side, "PATCH") == [{"status": "closed"}]
    with pytest.raises(Rejected):
        await azure.close(CUSTOMER, SUBSCRIPTION, NAME)


async def test_sign_ins_are_kept_for_some_customers_only(far_side, sleeps):
    signed_in: list[str] = []

    def sign_in_to(customer: str) -> Door:
        signed_in.append(customer)
        return Door(customer)

    far_side.on("PATCH", TICKET, the_ticket())
    async with httpx.AsyncClient(transport=httpx.MockTransport(far_side)) as http:
        azure = AzureSupport(
            cloud=hosts_of(Cloud.GLOBAL),
            http=http,
            sign_in_to=sign_in_to,
            contact=ANA,
            country="DEU",
            zone=ZoneInfo("UTC"),
            now=lambda: noon,
            sleep=sleeps,
        )
        first, *others = (CustomerId(f"c{n}") for n in range(MOST_CUSTOMERS + 1))
        for customer in (first, *others[:-1], first, others[-1], first, others[0]):
            await azure.close(customer, SUBSCRIPTION, NAME)
    assert signed_in == [first, *others, others[0]]  # the one asked about longest ago had to go


def choices(*names: str) -> Reply:
    listed = [{"id": f"{SERVICE}/{name}", "properties": {"displayName": name}} for name in names]
    return reply(body={"value": listed})


async def test_what_can_be_chosen_is_asked_for_once_an_hour(far_side, sleeps):
    clock = [noon]
    far_side.on("GET", f"{SERVICE}/problemClassifications", choices("one"), choices("two"))
    async with httpx.AsyncClient(transport=httpx.MockTransport(far_side), auth=Door("partner")) as http:
        azure = AzureSupport(
            cloud=hosts_of(Cloud.GLOBAL),
            http=http,
            sign_in_to=lambda customer: Door(customer),
            contact=ANA,
            country="DEU",
            zone=ZoneInfo("UTC"),
            now=lambda: clock[0],
            sleep=sleeps,
        )
        assert [await azure.problems(SERVICE) for _ in range(2)] == [((f"{SERVICE}/one", "one"),)] * 2
        clock[0] = noon.replace(hour=13)
        assert await azure.problems(SERVICE) == ((f"{SERVICE}/two", "two"),)
    assert {request.headers["Authorization"] for request in far_side.requests} == {"Bearer partner"}


@pytest.mark.parametrize("id", ["", "/providers/Microsoft.Support/services/../x", f"{SERVICE}?a=b", "//evil"])
async def test_a_service_that_is_none_is_not_asked_about(azure, far_side, id):
    with pytest.raises(Rejected):
        await azure.problems(id)
    assert far_side.requests == []
