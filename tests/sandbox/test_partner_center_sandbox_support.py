"""The sandbox's support desks: service requests as published, and Azure's tickets, refused as Azure refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox.partner_center import Contact, PartnerCenterSandbox
from bot.sandbox.partner_center.support import SupportDesk

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples" / "partner_center"
SUPPORT = "providers/Microsoft.Support"
VERSION = {"api-version": "2024-04-01"}
AUXILIARY = "x-ms-authorization-auxiliary"


class Caller:
    """A client as small as can be."""

    def __init__(self, pc: PartnerCenterSandbox, http: httpx.AsyncClient) -> None:
        self.pc = pc
        self.http = http

    async def grant(self, resource: str, *, tenant: str | None = None, as_user: bool = False) -> Any:
        form = {"client_id": self.pc.client_id, "client_secret": self.pc.client_secret, "resource": resource}
        form |= {"grant_type": "client_credentials"}
        if as_user:
            form |= {"grant_type": "refresh_token", "refresh_token": self.pc.refresh_token}
        url = f"{self.pc.authority_url}/{tenant or self.pc.tenant_id}/oauth2/token"
        return (await self.http.post(url, data=form)).json()

    async def send(self, method: str, path: str, *, as_user: bool = True, **more: Any) -> httpx.Response:
        """To Partner Center."""
        token = (await self.grant(self.pc.base_url, as_user=as_user))["access_token"]
        return await self._send(method, f"{self.pc.base_url}/v1{path}", token, **more)

    async def arm(
        self,
        method: str,
        path: str,
        *,
        tenant: str | None = None,
        resource: str | None = None,
        auxiliary: bool = True,
        **more: Any,
    ) -> httpx.Response:
        token = (await self.grant(resource or self.pc.arm_url, tenant=tenant))["access_token"]
        ours = (await self.grant(self.pc.arm_url))["access_token"]
        headers = {AUXILIARY: f"Bearer {ours}"} if auxiliary else {}
        given = {"params": VERSION, "headers": headers} | more
        return await self._send(method, f"{self.pc.arm_url}/{path}", token, **given)

    async def _send(self, method: str, url: str, token: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        return await self.http.request(method, url, headers=headers, **more)


def read(response: httpx.Response) -> Any:
    return json.loads(response.content.decode("utf-8-sig"))


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8-sig"))


@pytest.fixture(params=["global"])
async def pc(request) -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=lambda: NOON, cloud=request.param)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def caller(pc) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Caller(pc, http)


@pytest.fixture
def whose(pc) -> tuple[str, str]:
    """A customer with an Azure subscription inside their plan, and where its tickets are."""
    for customer in pc.customers:
        for held in customer.subscriptions:
            for child in held.azure_subscriptions:
                return customer.id, f"subscriptions/{child.id}/{SUPPORT}/supportTickets"
    raise LookupError


async def a_body(caller: Caller, **changed: Any) -> dict[str, Any]:
    service = read(await caller.arm("GET", f"{SUPPORT}/services"))["value"][0]
    problems = await caller.arm("GET", f"{SUPPORT}/services/{service['name']}/problemClassifications")
    published = sample("azure.supportTicket.create.request")["properties"]
    chosen = {
        "serviceId": service["id"],
        "problemClassificationId": read(problems)["value"][0]["id"],
    }
    return {"properties": published | chosen | changed}


class TestServiceRequests:
    async def test_one_is_drawn_as_published(self, pc, caller):
        filed = pc.file_service_request("TrialSR", customer="Contoso Ltd", severity="critical")
        pc.microsoft_answers(filed, "Sample Note")
        drawn = read(await caller.send("GET", f"/servicerequests/{filed.number}", as_user=False))
        published = sample("serviceRequest.get")
        assert set(published) <= set(drawn)
        assert set(drawn["notes"][0]) == set(published["notes"][0])
        assert (drawn["lastClosedDate"], drawn["severity"]) == ("0001-01-01T00:00:00", "critical")

    async def test_the_published_note_is_taken(self, pc, caller):
        """Though all it says of the rest is null, none and never."""
        filed = pc.file_service_request("Cannot suspend")
        sent = sample("serviceRequest.patch-note.request")
        answered = await caller.send("PATCH", f"/servicerequests/{filed.number}", json=sent)
        assert answered.status_code == 200
        assert (filed.status, [note.text for note in filed.notes]) == ("open", ["Sample Note"])

    async def test_a_repeated_request_id_counts_once(self, pc, caller):
        filed = pc.file_service_request("Cannot suspend")
        once = {"MS-RequestId": "5ea2a1a1-6a4f-4d3b-9a6f-0c5f2f6f3d11"}
        for _ in range(2):
            path, body = f"/servicerequests/{filed.number}", {"NewNote": {"Text": "Once"}}
            assert (await caller.send("PATCH", path, json=body, headers=once)).status_code == 200
        assert len(filed.notes) == 1

    @pytest.mark.parametrize(
        "body", [{}, {"NewNote": {"Text": ""}}, {"Status": "gone"}, {"Status": 9}, []], ids=str
    )
    async def test_what_changes_nothing_or_nonsense_is_refused(self, pc, caller, body):
        filed = pc.file_service_request("Cannot suspend")
        answered = await caller.send("PATCH", f"/servicerequests/{filed.number}", json=body)
        assert answered.status_code == 400
        assert (filed.status, filed.notes) == ("open", [])

    async def test_a_closed_one_takes_no_note(self, pc, caller):
        filed = pc.file_service_request("Cannot suspend")
        path = f"/servicerequests/{filed.number}"
        assert read(await caller.send("PATCH", path, json={"Status": 2}))["status"] == "closed"
        assert filed.closed_at == NOON
        assert (await caller.send("PATCH", path, json={"NewNote": {"Text": "x"}})).status_code == 400

    async def test_lists_are_for_app_and_user(self, pc, caller):
        pc.file_service_request("One", customer="Contoso Ltd")
        closed = pc.file_service_request("Two")
        pc.microsoft_answers(closed, status="closed")
        assert (await caller.send("GET", "/servicerequests", as_user=False)).status_code == 403
        wanted = {"Field": "Status", "Value": "open", "Operator": "equals"}
        found = read(await caller.send("GET", "/servicerequests", params={"filter": json.dumps(wanted)}))
        assert [each["title"] for each in found["items"]] == ["One"]
        contoso = pc.customer("Contoso Ltd").id
        theirs = read(await caller.send("GET", f"/customers/{contoso}/servicerequests"))
        assert [each["title"] for each in theirs["items"]] == ["One"]

    async def test_services_are_drawn_as_recorded(self, pc, caller):
        contoso = pc.customer("Contoso Ltd").id
        drawn = read(await caller.send("GET", f"/customers/{contoso}/managedservices"))["items"][0]
        recorded = sample("managedServices.recorded")["items"][0]
        assert set(drawn) == set(recorded)
        assert set(drawn["links"]) == set(recorded["links"])

    async def test_where_there_is_no_portal_any_number_is_one_filed_just_now(self, pc, caller):
        assert (await caller.send("GET", "/servicerequests/77")).status_code == 404
        pc.support.takes_any_number = True
        assert read(await caller.send("GET", "/servicerequests/77"))["id"] == "77"
        assert (await caller.send("GET", "/servicerequests/x7")).status_code == 400

    async def test_where_there_is_no_portal_an_engineer_answers_once_a_minute_has_passed(self):
        desk, contact = SupportDesk(takes_any_number=True), Contact(first_name="A", last_name="B", email="c")
        told = [
            len(found.notes)
            for seconds in (0, 59, 60, 600)
            if (found := desk.asked_about("77", at=NOON + timedelta(seconds=seconds), contact=contact))
        ]
        assert told == [0, 0, 1, 1]

    @pytest.mark.parametrize("pc", ["china"], indirect=True)
    async def test_21vianet_has_none(self, pc, caller):
        filed = pc.file_service_request("Cannot suspend")
        contoso = pc.customer("Contoso Ltd").id
        for path in (f"/servicerequests/{filed.number}", f"/customers/{contoso}/managedservices"):
            assert (await caller.send("GET", path)).status_code == 404
        assert (await caller.arm("GET", f"{SUPPORT}/services")).status_code == 404

    async def test_the_page_shows_them(self, pc, caller):
        pc.file_service_request("<b>Cannot</b> suspend")
        page = (await caller.http.get(pc.base_url)).text
        assert "&lt;b&gt;Cannot&lt;/b&gt; suspend" in page


class TestAzure:
    async def test_the_published_ticket_is_taken_and_drawn(self, caller, whose):
        customer, path = whose
        put = await caller.arm("PUT", f"{path}/One", tenant=customer, json=await a_body(caller))
        assert put.status_code == 200
        drawn = read(await caller.arm("GET", f"{path}/one", tenant=customer))
        published = sample("azure.supportTicket.get")
        assert set(drawn) == set(published)
        shown = {"supportTicketId", "status", "createdDate", "modifiedDate", "contactDetails", "title"}
        assert shown <= set(drawn["properties"]) & set(published["properties"])
        again = await caller.arm("PUT", f"{path}/ONE", tenant=customer, json=await a_body(caller))
        assert (again.status_code, read(again)["error"]["code"]) == (409, "Conflict")

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"title": ""}, "title"),
            ({"contactDetails": {"firstName": "Ana"}}, "lastName"),
            ({"severity": "critical"}, "phoneNumber"),
            ({"severity": "dire"}, "severity"),
            ({"serviceId": "/providers/Microsoft.Support/services/x"}, "problem classification"),
        ],
        ids=["no title", "half a contact", "critical without a phone", "a severity of its own", "a mix-up"],
    )
    async def test_what_is_missing_is_named(self, pc, caller, whose, changed, named):
        customer, path = whose
        body = await a_body(caller, **changed)
        put = await caller.arm("PUT", f"{path}/One", tenant=customer, json=body)
        assert put.status_code == 400
        assert named in read(put)["error"]["message"]
        assert pc.support.tickets == {}

    async def test_a_ticket_may_take_its_time(self, pc, caller, whose):
        customer, path = whose
        pc.support.looks_until_done = 2
        put = await caller.arm("PUT", f"{path}/One", tenant=customer, json=await a_body(caller))
        assert (put.status_code, put.headers["Retry-After"]) == (202, "1")
        link = httpx.URL(put.headers["Azure-AsyncOperation"])
        operation = str(link.copy_with(query=None)).removeprefix(f"{pc.arm_url}/")
        looks = [read(await caller.arm("GET", operation, tenant=customer)) for _ in range(2)]
        assert [look["status"] for look in looks] == ["InProgress", "Succeeded"]
        assert (await caller.arm("GET", f"{path}/One", tenant=customer)).status_code == 200

    async def test_a_customers_ticket_is_shown_to_both_tokens_only(self, pc, caller, whose):
        customer, path = whose
        other = next(c.id for c in pc.customers if c.id != customer)
        for given, status in (
            ({"tenant": None}, 404),
            ({"tenant": other}, 404),
            ({"tenant": customer, "auxiliary": False}, 401),
            ({"tenant": customer, "resource": pc.base_url}, 401),
            ({"tenant": customer, "params": {"api-version": "2020-04-01"}}, 400),
        ):
            assert (await caller.arm("GET", f"{path}/One", **given)).status_code == status, given

    async def test_a_token_of_a_customers_tenant_is_not_for_partner_center(self, pc, caller, whose):
        token = (await caller.grant(pc.base_url, tenant=whose[0]))["access_token"]
        answered = await caller.http.get(
            f"{pc.base_url}/v1/customers", headers={"Authorization": f"Bearer {token}"}
        )
        assert answered.status_code == 401

    async def test_a_refresh_token_is_lent_to_a_customers_tenant(self, pc, caller, whose):
        before = pc.refresh_token
        lent = await caller.grant(pc.arm_url, tenant=whose[0], as_user=True)
        assert pc.refresh_token == before != lent["refresh_token"]
        kept = await caller.grant(pc.arm_url, as_user=True)
        assert pc.refresh_token == kept["refresh_token"] != before

    async def test_messages_are_drawn_as_published_ten_at_a_time(self, pc, caller, whose):
        customer, path = whose
        await caller.arm("PUT", f"{path}/One", tenant=customer, json=await a_body(caller))
        body = {"properties": {"subject": "Hello", "body": "Hello", "sender": "a@partner.example"}}
        for n in range(11):
            note = await caller.arm("PUT", f"{path}/One/communications/n{n}", tenant=customer, json=body)
            assert note.status_code == 200
        first = read(await caller.arm("GET", f"{path}/One/communications", tenant=customer))
        published = sample("azure.communications.list")["value"][0]
        assert len(first["value"]) == 10
        assert set(first["value"][0]) == set(published)
        assert set(first["value"][0]["properties"]) == set(published["properties"])
        assert first["nextLink"].startswith(f"{pc.arm_url}/{path}/One/communications?")

    async def test_a_message_has_a_name_of_its_own_and_an_app_says_who_sends_it(self, pc, caller, whose):
        customer, path = whose
        await caller.arm("PUT", f"{path}/One", tenant=customer, json=await a_body(caller))
        note, body = f"{path}/One/communications/n", {"subject": "Hello", "body": "Hello"}
        unsent = await caller.arm("PUT", note, tenant=customer, json={"properties": body})
        assert unsent.status_code == 400
        sent = {"properties": body | {"sender": "a@partner.example"}}
        assert (await caller.arm("PUT", note, tenant=customer, json=sent)).status_code == 200
        assert (await caller.arm("PUT", note, tenant=customer, json=sent)).status_code == 409

    async def test_it_is_closed_as_published(self, pc, caller, whose):
        customer, path = whose
        await caller.arm("PUT", f"{path}/One", tenant=customer, json=await a_body(caller))
        patched = await caller.arm("PATCH", f"{path}/One", tenant=customer, json={"status": "closed"})
        assert read(patched)["properties"]["status"] == "Closed"
        odd = await caller.arm("PATCH", f"{path}/One", tenant=customer, json={"status": "gone"})
        assert odd.status_code == 400
