"""The sandbox Partner Center answers, and refuses, as the real one is known to."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from bot.sandbox.partner_center import (
    AzureSubscription,
    Customer,
    Kind,
    PartnerCenterSandbox,
    Subscription,
    sample_customers,
)
from bot.sandbox.receivables import sample_receivables

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOM = b"\xef\xbb\xbf"


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


class Caller:
    """A client as small as can be: signs in, sends, decodes."""

    def __init__(self, pc: PartnerCenterSandbox, http: httpx.AsyncClient) -> None:
        self.pc = pc
        self.http = http
        self.token = ""

    async def grant(self, path: str = "oauth2/token", **form: str) -> httpx.Response:
        secrets = {"client_id": self.pc.client_id, "client_secret": self.pc.client_secret}
        tenant = form.pop("tenant", self.pc.tenant_id)
        return await self.http.post(f"{self.pc.authority_url}/{tenant}/{path}", data=secrets | form)

    async def sign_in(self, *, as_user: bool = False) -> None:
        how = {"grant_type": "client_credentials"}
        if as_user:
            how = {"grant_type": "refresh_token", "refresh_token": self.pc.refresh_token}
        self.token = (await self.grant(resource=self.pc.base_url, **how)).json()["access_token"]

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return await self.http.request(method, f"{self.pc.base_url}/v1{path}", headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:
        return read(await self.send("GET", path, **more))

    async def set_status(
        self, customer: Customer, held: Subscription, status: str, **headers: str
    ) -> httpx.Response:
        """Read, change the status, send everything back, as the documents ask."""
        path = place(customer, held)
        resource = await self.get(path)
        etag = resource["attributes"]["etag"]
        condition = {"If-Match": f'"{etag}"'} if etag else {}
        return await self.send("PATCH", path, json=resource | {"status": status}, headers=condition | headers)


def read(response: httpx.Response) -> Any:
    return json.loads(response.content.decode("utf-8-sig"))


def refusal(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, read(response)["code"]


def place(customer: Customer, held: Subscription) -> str:
    return f"/customers/{customer.id}/subscriptions/{held.id}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pc(clock: Clock) -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=clock)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def caller(pc: PartnerCenterSandbox) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient() as http:
        made = Caller(pc, http)
        await made.sign_in()
        pc.requests.clear()
        yield made


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[1] / "samples" / "partner_center"


@pytest.fixture
def contoso(pc: PartnerCenterSandbox) -> Customer:
    return pc.customer("Contoso")


@pytest.fixture
def legacy(contoso: Customer) -> Subscription:
    return contoso.subscription("Microsoft 365 Business Premium")


@pytest.fixture
def modern(contoso: Customer) -> Subscription:
    return contoso.subscription("Microsoft 365 E3")


# Signing in


async def test_v1_tokens_write_numbers_as_text_and_v2_tokens_as_numbers(pc, caller):
    app_only = {"grant_type": "client_credentials"}
    v1 = (await caller.grant(resource=pc.base_url, **app_only)).json()
    v2 = (await caller.grant("oauth2/v2.0/token", scope=f"{pc.base_url}/.default", **app_only)).json()
    assert (v1["expires_in"], v1["resource"]) == ("3600", pc.base_url)
    assert v1["expires_on"] == str(int((NOON + timedelta(hours=1)).timestamp()))
    assert v2["expires_in"] == 3600
    assert "refresh_token" not in v1 | v2


@pytest.mark.parametrize("path", ["oauth2/token", "oauth2/v2.0/token"])
async def test_each_use_of_a_refresh_token_replaces_it(pc, caller, path):
    target = {"resource": pc.base_url} if path == "oauth2/token" else {"scope": f"{pc.base_url}/.default"}
    first = pc.refresh_token
    grant = {"grant_type": "refresh_token", **target}
    answered = (await caller.grant(path, refresh_token=first, **grant)).json()
    assert answered["refresh_token"] == pc.refresh_token != first
    again = await caller.grant(path, refresh_token=first, **grant)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert again.json()["error_codes"] == [70008]
    assert (await caller.grant(path, refresh_token=pc.refresh_token, **grant)).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "refused"),
    [
        pytest.param({"client_secret": "guess"}, (401, "invalid_client"), id="secret"),
        pytest.param({"client_id": str(uuid4())}, (400, "unauthorized_client"), id="client"),
        pytest.param({"tenant": str(uuid4())}, (400, "invalid_request"), id="tenant"),
        pytest.param({"grant_type": "password"}, (400, "unsupported_grant_type"), id="grant"),
        pytest.param({"resource": ""}, (400, "invalid_request"), id="no resource"),
    ],
)
async def test_sign_in_is_refused_with_a_wrong(pc, caller, wrong, refused):
    form = {"grant_type": "client_credentials", "resource": pc.base_url}
    response = await caller.grant(**form | wrong)
    assert (response.status_code, response.json()["error"]) == refused
    assert response.json()["error_description"].startswith("AADSTS")


async def test_a_v2_scope_of_an_app_alone_must_be_the_default_one(pc, caller):
    scope = f"{pc.base_url}/user_impersonation"
    response = await caller.grant("oauth2/v2.0/token", grant_type="client_credentials", scope=scope)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


async def test_a_request_without_a_token_is_answered_by_a_header_only(caller):
    response = await caller.send("GET", "/customers", headers={"Authorization": ""})
    assert (response.status_code, response.headers["WWW-Authenticate"], response.content) == (
        401,
        "Bearer",
        b"",
    )


async def test_a_token_for_somebody_else_is_refused(caller):
    form = {"grant_type": "client_credentials", "resource": "https://graph.windows.net"}
    caller.token = (await caller.grant(**form)).json()["access_token"]
    assert refusal(await caller.send("GET", "/customers")) == (401, 900420)


async def test_a_token_dies_after_an_hour_or_on_demand(pc, caller, clock):
    clock.at += timedelta(minutes=59)
    assert (await caller.send("GET", "/customers")).status_code == 200
    clock.at += timedelta(minutes=1)
    assert refusal(await caller.send("GET", "/customers")) == (401, 400)
    await caller.sign_in()
    pc.expire_tokens()
    assert refusal(await caller.send("GET", "/customers")) == (401, 400)


async def test_the_company_profile_needs_a_person_behind_the_app(caller, contoso):
    path = f"/customers/{contoso.id}/profiles/company"
    assert refusal(await caller.send("GET", path)) == (403, 900329)
    await caller.sign_in(as_user=True)
    assert (await caller.get(path))["companyName"] == "Contoso Ltd"


# Reading


async def test_paging_gives_every_customer_exactly_once(pc, caller):
    seen: list[str] = []
    sizes: list[int] = []
    query: dict[str, str] = {"size": "500"}
    headers: dict[str, str] = {}
    while True:
        listed = await caller.get("/customers", params=query, headers=headers)
        seen += [item["id"] for item in listed["items"]]
        sizes.append(listed["totalCount"])
        following = listed["links"].get("next")
        if following is None:
            break
        query = {"size": "500", "seekOperation": "Next"}
        headers = {header["key"]: header["value"] for header in following["headers"]}
        assert list(headers) == ["MS-ContinuationToken"]
    assert seen == [customer.id for customer in pc.customers]
    assert sizes == [25, 21]


async def test_a_smaller_size_is_obeyed_and_none_means_the_servers(caller):
    assert len((await caller.get("/customers?size=3"))["items"]) == 3
    assert len((await caller.get("/customers?size=0"))["items"]) == 25


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("seekOperation=Next", {}, id="seek without a token"),
        pytest.param("size=5", {"MS-ContinuationToken": "e30="}, id="token without seek"),
        pytest.param("seekOperation=Next", {"MS-ContinuationToken": "made up"}, id="made-up token"),
        pytest.param("size=many", {}, id="size that is no number"),
        pytest.param("filter=contoso", {}, id="filter that is no JSON"),
    ],
)
async def test_the_list_refuses_a(caller, query, headers):
    assert refusal(await caller.send("GET", f"/customers?{query}", headers=headers)) == (400, 3000)


@pytest.mark.parametrize(
    ("wanted", "domains"),
    [
        pytest.param(("CompanyName", "contoso", "starts_with"), ["contoso"], id="name, whatever the case"),
        pytest.param(
            ("CompanyName", "Alpine Ski House", "starts_with"),
            ["alpineskihouse", "alpineskihouse-davos"],
            id="two of one name",
        ),
        pytest.param(("Domain", "YUN", "starts_with"), ["yunshan"], id="domain"),
        pytest.param(("CompanyName", "深圳", "starts_with"), ["qicheng"], id="Chinese name"),
        pytest.param(("CompanyName", "toso", "starts_with"), [], id="not the beginning"),
        pytest.param(("Domain", "contoso", "equals"), [], id="equals is not begins"),
        pytest.param(("IndirectReseller", "x", "starts_with"), [], id="no resellers in between"),
    ],
)
async def test_search_finds(caller, wanted, domains):
    text = json.dumps(dict(zip(("Field", "Value", "Operator"), wanted, strict=True)))
    found = await caller.get("/customers", params={"size": "0", "filter": text})
    assert [item["companyProfile"]["domain"].partition(".")[0] for item in found["items"]] == domains


async def test_search_knows_no_substring(caller):
    text = json.dumps({"Field": "CompanyName", "Value": "toso", "Operator": "substring"})
    assert refusal(await caller.send("GET", "/customers", params={"filter": text})) == (400, 3000)


async def test_every_answer_begins_with_a_byte_order_mark_and_echoes_the_ids(caller, contoso):
    ids = {"MS-RequestId": str(uuid4()), "MS-CorrelationId": str(uuid4())}
    for path in ("/customers", f"/customers/{contoso.id}", "/customers/nobody", "/nowhere"):
        response = await caller.send("GET", path, headers=ids)
        assert response.content.startswith(BOM)
        assert {name: response.headers[name] for name in ids} == ids


async def test_ids_change_their_case_and_are_found_in_any(caller, contoso, legacy):
    listed = await caller.get(f"/customers/{contoso.id.upper()}/subscriptions")
    shouted = listed["items"][0]["id"]
    assert shouted == legacy.id.upper()
    assert (await caller.get(f"/customers/{contoso.id}/subscriptions/{shouted}"))["id"] == legacy.id


async def test_a_field_without_a_value_is_absent(caller, contoso, legacy, modern):
    old, new = await caller.get(place(contoso, legacy)), await caller.get(place(contoso, modern))
    assert None not in old.values()
    assert {"termDuration", "suspensionReasons", "parentSubscriptionId"}.isdisjoint(old)
    assert (old["billingType"], new["termDuration"], new["offerId"].count(":")) == ("license", "P1Y", 2)


async def test_only_legacy_offers_have_an_etag(caller, contoso, legacy, modern):
    assert (await caller.get(place(contoso, legacy)))["attributes"]["etag"]
    assert (await caller.get(place(contoso, modern)))["attributes"]["etag"] == ""


async def test_dates_are_written_in_two_ways(caller, contoso, legacy, modern):
    assert (await caller.get(place(contoso, legacy)))["creationDate"] == "2026-07-06T09:30:12.427Z"
    assert (await caller.get(place(contoso, modern)))["creationDate"] == "2026-08-20T09:30:12.4270000+00:00"


async def test_the_billing_profile_names_the_person_to_warn(caller, pc):
    customer = pc.customer("Müller")
    profile = await caller.get(f"/customers/{customer.id}/profiles/billing")
    assert (profile["lastName"], profile["language"]) == ("Müller", "de")


async def test_the_full_customer_has_profile_and_relationship(caller, contoso):
    full = await caller.get(f"/customers/{contoso.id}")
    assert (full["companyProfile"]["domain"], full["relationshipToPartner"]) == (contoso.domain, "reseller")


async def test_an_azure_plan_lists_what_runs_in_it(caller, pc):
    bank = pc.customer("Woodgrove Bank")
    plan = bank.subscription("Azure plan")
    listed = await caller.get(f"{place(bank, plan)}/azureEntitlements")
    assert Counter(item["status"] for item in listed["items"]) == {"active": 2, "inactive": 1}


async def test_a_base_lists_its_add_ons(caller, pc):
    lamna = pc.customer("Lamna")
    listed = await caller.get(f"{place(lamna, lamna.subscription('Office 365 E3'))}/addons")
    assert [item["offerName"] for item in listed["items"]] == ["Microsoft Teams Phone Standard"]


async def test_software_is_ordered_without_a_subscription(caller, pc):
    customer = pc.customer("City Power")
    listed = await caller.get(f"/customers/{customer.id}/orders")
    lines = [line for order in listed["items"] for line in order["lineItems"]]
    assert ["subscriptionId" in line for line in lines] == [False, True]


async def test_a_burst_of_orders_shows_in_orders_and_subscriptions(caller, pc, contoso):
    orders, subscriptions = f"/customers/{contoso.id}/orders", f"/customers/{contoso.id}/subscriptions"
    before = [len((await caller.get(path))["items"]) for path in (orders, subscriptions)]
    pc.place_orders("Contoso", 6)
    after = [await caller.get(path) for path in (orders, subscriptions)]
    assert [len(listed["items"]) for listed in after] == [count + 6 for count in before]
    assert after[0]["items"][-1]["creationDate"].startswith("2026-11-23T12:00")
    assert len({item["id"] for item in after[1]["items"]}) == len(after[1]["items"])


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        pytest.param("/customers/{other}", (404, 60003), id="unknown customer"),
        pytest.param("/customers/contoso", (400, 900118), id="customer that is no id"),
        pytest.param("/customers/{contoso}/subscriptions/{other}", (404, 20003), id="unknown subscription"),
        pytest.param("/customers/{advised}/subscriptions", (403, 20002), id="customer we only advise"),
        pytest.param("/usagerecords", (404, 1000), id="path that is not there"),
    ],
)
async def test_reading_is_refused_for_a(caller, pc, contoso, path, refused):
    known = {"other": uuid4(), "contoso": contoso.id, "advised": pc.customer("Relecloud").id}
    assert refusal(await caller.send("GET", path.format_map(known))) == refused


# Suspending and resuming


async def test_a_legacy_seat_is_suspended_and_answers_with_capitalised_keys(caller, pc, contoso, legacy):
    response = await caller.set_status(contoso, legacy, "suspended")
    answered = read(response)
    assert response.content.startswith(BOM)
    assert (answered["Status"], answered["ParentSubscriptionId"]) == ("suspended", None)
    assert answered["Attributes"]["ObjectType"] == "Subscription"
    assert "status" not in answered
    now = await caller.get(place(contoso, legacy))
    assert (now["status"], now["suspensionReasons"]) == ("suspended", ["CustomerCancellation"])
    assert now["attributes"]["etag"] == answered["Attributes"]["Etag"]
    assert [write.changes for write in pc.writes] == [{"status": ("active", "suspended")}]


async def test_a_resumed_legacy_seat_has_no_reasons_left(caller, contoso, legacy):
    await caller.set_status(contoso, legacy, "suspended")
    assert (await caller.set_status(contoso, legacy, "active")).status_code == 200
    now = await caller.get(place(contoso, legacy))
    assert (now["status"], "suspensionReasons" in now) == ("active", False)


async def test_new_commerce_loses_its_automatic_renewal_for_good(caller, contoso, modern):
    suspended = read(await caller.set_status(contoso, modern, "suspended"))
    assert (suspended["status"], suspended["autoRenewEnabled"]) == ("suspended", False)
    assert "suspensionReasons" not in suspended
    assert read(await caller.set_status(contoso, modern, "active"))["autoRenewEnabled"] is False


async def test_asking_for_what_is_so_already_changes_nothing(caller, pc, contoso, legacy):
    before = pc.subscription(legacy.id)
    assert (await caller.set_status(contoso, legacy, "active")).status_code == 200
    assert (pc.writes, pc.subscription(legacy.id)) == ([], before)


@pytest.mark.parametrize("left_out", ["autoRenewEnabled", "quantity", "attributes", "actions", "orderId"])
async def test_a_resource_is_refused_without(caller, pc, contoso, legacy, left_out):
    resource = await caller.get(place(contoso, legacy))
    condition = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    del resource[left_out]
    sent = resource | {"status": "suspended"}
    response = await caller.send("PATCH", place(contoso, legacy), json=sent, headers=condition)
    assert refusal(response) == (400, 3000)
    assert read(response)["data"] == [left_out.lower()]
    assert pc.writes == []


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        pytest.param({"offerId": "another"}, (400, 3000), id="another offer"),
        pytest.param({"surprise": 1}, (400, 3000), id="a field nobody knows"),
        pytest.param({"Status": "active"}, (400, 3000), id="a field twice"),
        pytest.param({"quantity": "48"}, (400, 3000), id="a number as text"),
        pytest.param({"status": "paused"}, (400, 3000), id="a status nobody knows"),
        pytest.param({"status": "deleted"}, (400, 800040), id="deletion"),
        pytest.param({"status": "pending"}, (400, 800040), id="a status only Microsoft sets"),
    ],
)
async def test_an_update_is_refused_with(caller, pc, contoso, legacy, change, refused):
    resource = await caller.get(place(contoso, legacy))
    condition = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    sent = resource | {"status": "suspended"} | change
    response = await caller.send("PATCH", place(contoso, legacy), json=sent, headers=condition)
    assert refusal(response) == refused
    assert pc.writes == []


async def test_unknown_nulls_links_and_the_case_of_keys_do_not_matter(caller, contoso, legacy):
    resource = await caller.get(place(contoso, legacy))
    condition = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    del resource["links"]
    sent = {key[:1].upper() + key[1:]: value for key, value in resource.items()}
    sent |= {"Status": "suspended", "PartnerId": None}
    response = await caller.send("PATCH", place(contoso, legacy), json=sent, headers=condition)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("if_match", "refused"),
    [
        pytest.param(None, (400, 3000), id="none"),
        pytest.param("{etag}", (400, 3000), id="one without quotes"),
        pytest.param('"{etag}', (400, 3000), id="one with half its quotes"),
        pytest.param("*", (400, 3000), id="a star"),
        pytest.param('"b2xk"', (400, 2055), id="an old one"),
    ],
)
async def test_an_update_is_refused_with_an_etag_like(caller, contoso, legacy, if_match, refused):
    resource = await caller.get(place(contoso, legacy))
    headers = {"If-Match": if_match.format(etag=resource["attributes"]["etag"])} if if_match else {}
    sent = resource | {"status": "suspended"}
    assert refusal(await caller.send("PATCH", place(contoso, legacy), json=sent, headers=headers)) == refused


async def test_an_etag_where_there_is_none_is_refused(caller, contoso, modern):
    response = await caller.set_status(contoso, modern, "suspended", **{"If-Match": '""'})
    assert refusal(response) == (400, 3000)


async def test_any_change_makes_an_etag_stale(caller, pc, contoso, legacy):
    resource = await caller.get(place(contoso, legacy))
    pc.change(legacy.id, quantity=49)
    condition = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    sent = resource | {"status": "suspended"}
    response = await caller.send("PATCH", place(contoso, legacy), json=sent, headers=condition)
    assert refusal(response) == (400, 2055)


@pytest.mark.parametrize(
    ("owner", "name", "wanted", "refused"),
    [
        pytest.param("Wingtip", "Microsoft 365 Business Basic", "suspended", (400, 800040), id="pending"),
        pytest.param("Coho", "Microsoft 365 Business Standard", "active", (400, 800040), id="expired"),
        pytest.param(
            "Proseware", "Microsoft 365 Business Premium", "suspended", (400, 800040), id="unheard of"
        ),
        pytest.param("Woodgrove", "Azure plan", "suspended", (403, 900115), id="Azure plan at work"),
        pytest.param(
            "City", "Windows Server 2025 Standard, 16 cores", "suspended", (400, 800042), id="software"
        ),
        pytest.param(
            "Humongous",
            "Reserved VM instance, D4s v5, one year",
            "suspended",
            (400, 800042),
            id="reservation",
        ),
    ],
)
async def test_the_status_cannot_be_changed_of_what_is(caller, pc, owner, name, wanted, refused):
    customer = pc.customer(owner)
    held = customer.subscription(name)
    assert refusal(await caller.set_status(customer, held, wanted)) == refused
    assert pc.subscription(held.id) == held


@pytest.mark.parametrize("owner", ["Tailspin", "Fabrikam"])
async def test_an_idle_azure_plan_can_be_suspended(caller, pc, owner):
    customer = pc.customer(owner)
    response = await caller.set_status(customer, customer.subscription("Azure plan"), "suspended")
    assert read(response)["status"] == "suspended"


async def test_what_is_deleted_stays_so(caller, pc, contoso, legacy):
    pc.change(legacy.id, status="deleted")
    assert refusal(await caller.set_status(contoso, legacy, "active")) == (400, 2011)


@pytest.mark.parametrize(("change", "code"), [({"quantity": 50}, 2001), ({"friendlyName": "new"}, 800091)])
async def test_what_is_suspended_cannot_otherwise_be_updated(caller, pc, contoso, legacy, change, code):
    pc.suspend_outside(legacy.id)
    resource = await caller.get(place(contoso, legacy))
    condition = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    response = await caller.send("PATCH", place(contoso, legacy), json=resource | change, headers=condition)
    assert refusal(response) == (400, code)


async def test_a_base_takes_its_add_ons_down_and_must_come_back_first(caller, pc):
    lamna = pc.customer("Lamna")
    base, add_on = lamna.subscription("Office 365 E3"), lamna.subscription("Microsoft Teams Phone Standard")
    await caller.set_status(lamna, base, "suspended")
    assert pc.subscription(add_on.id).status == "suspended"
    assert [write.add_ons for write in pc.writes] == [(add_on.id,)]
    assert refusal(await caller.set_status(lamna, add_on, "active")) == (409, 27009)
    await caller.set_status(lamna, base, "active")
    assert pc.subscription(add_on.id).status == "suspended"
    assert (await caller.set_status(lamna, add_on, "active")).status_code == 200


@pytest.mark.parametrize(("cloud", "days"), [("global", 90), ("china", 60)])
async def test_a_legacy_suspension_can_be_lifted_only_for_a_while(clock, cloud, days):
    sandbox = PartnerCenterSandbox(now=clock, cloud=cloud)
    await sandbox.start()
    customer = sandbox.customer("Contoso")
    held = customer.subscription("Microsoft 365 Business Premium")
    async with httpx.AsyncClient() as http:
        caller = Caller(sandbox, http)
        sandbox.suspend_outside(held.id)
        clock.at += timedelta(days=days)
        await caller.sign_in()
        assert refusal(await caller.set_status(customer, held, "active")) == (400, 800040)
        clock.at -= timedelta(seconds=1)
        assert (await caller.set_status(customer, held, "active")).status_code == 200
    await sandbox.stop()


async def test_nothing_is_resumed_after_the_end_of_its_term(caller, pc, clock, contoso, modern):
    pc.change(modern.id, status="suspended", term_end=NOON)
    assert refusal(await caller.set_status(contoso, modern, "active")) == (400, 800040)


# Cancelling what runs in an Azure plan


COMPROMISE = {"cancellationReason": "compromise"}


@pytest.fixture
def bank(pc: PartnerCenterSandbox) -> Customer:
    return pc.customer("Woodgrove Bank")


@pytest.fixture
def plan(bank: Customer) -> Subscription:
    return bank.subscription("Azure plan")


def inside(customer: Customer, plan: Subscription, number: int = 0) -> str:
    return f"{place(customer, plan)}/azureEntitlements/{plan.azure_subscriptions[number].id}"


async def test_one_azure_subscription_is_read_by_its_id(caller, bank, plan):
    listed = await caller.get(f"{place(bank, plan)}/azureEntitlements")
    assert await caller.get(inside(bank, plan)) == listed["items"][0]
    unknown = f"{place(bank, plan)}/azureEntitlements/{uuid4()}"
    assert refusal(await caller.send("GET", unknown)) == (404, 800111)
    assert refusal(await caller.send("POST", f"{unknown}/cancel", json=COMPROMISE)) == (404, 800111)


async def test_a_cancellation_is_accepted_at_once_and_shows_after_ten_minutes(caller, pc, clock, bank, plan):
    request_id = {"MS-RequestId": str(uuid4())}
    response = await caller.send("POST", f"{inside(bank, plan)}/cancel", json=COMPROMISE, headers=request_id)
    assert (response.status_code, read(response)["status"]) == (202, "active")
    child = plan.azure_subscriptions[0]
    (write,) = pc.writes
    assert (write.subscription_id, write.azure_subscription_id) == (plan.id, child.id)
    assert (write.changes, write.request_id) == (
        {"status": ("active", "inactive")},
        request_id["MS-RequestId"],
    )
    clock.at += timedelta(minutes=10, seconds=-1)
    assert (await caller.get(inside(bank, plan)))["status"] == "active"
    assert pc.subscription(plan.id).azure_subscriptions[0].status == "active"
    clock.at += timedelta(seconds=1)
    assert pc.subscription(plan.id).azure_subscriptions[0].status == "inactive"
    listed = await caller.get(f"{place(bank, plan)}/azureEntitlements")
    assert [item["status"] for item in listed["items"]] == ["inactive", "active", "inactive"]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        pytest.param({"cancellationReason": "nonPayment"}, (400, 900307), id="another reason"),
        pytest.param({"cancellationReason": None}, (400, 800002), id="no reason"),
        pytest.param({}, (400, 800002), id="nothing"),
        pytest.param(COMPROMISE | {"status": "active"}, (400, 800002), id="something more"),
        pytest.param(["compromise"], (400, 3000), id="a list"),
    ],
)
async def test_a_cancellation_is_refused_with(caller, pc, bank, plan, body, refused):
    assert refusal(await caller.send("POST", f"{inside(bank, plan)}/cancel", json=body)) == refused
    assert pc.writes == []


async def test_a_cancellation_is_refused_without_json(caller, pc, bank, plan):
    response = await caller.send("POST", f"{inside(bank, plan)}/cancel", content=b"compromise")
    assert (refusal(response), pc.writes) == ((400, 3000), [])


async def test_a_repeated_cancellation_is_told_the_first_answer_whatever_the_time(
    caller, pc, clock, bank, plan
):
    request_id = {"MS-RequestId": str(uuid4())}
    path = f"{inside(bank, plan)}/cancel"
    first = await caller.send("POST", path, json=COMPROMISE, headers=request_id)
    clock.at += timedelta(minutes=11)
    second = await caller.send("POST", path, json=COMPROMISE, headers=request_id)
    assert (second.status_code, second.content) == (202, first.content)
    assert len(pc.writes) == 1


async def test_a_second_cancellation_is_refused_while_the_first_is_under_way_and_after(
    caller, pc, clock, bank, plan
):
    path = f"{inside(bank, plan)}/cancel"
    await caller.send("POST", path, json=COMPROMISE)
    assert refusal(await caller.send("POST", path, json=COMPROMISE)) == (409, 800060)
    clock.at += timedelta(minutes=10)
    assert refusal(await caller.send("POST", path, json=COMPROMISE)) == (400, 800040)
    assert len(pc.writes) == 1


async def test_two_azure_subscriptions_are_cancelled_each_by_itself(caller, pc, clock, bank, plan):
    for number in (0, 1):
        await caller.send("POST", f"{inside(bank, plan, number)}/cancel", json=COMPROMISE)
    clock.at += timedelta(minutes=10)
    assert {child.status for child in pc.subscription(plan.id).azure_subscriptions} == {"inactive"}
    assert read(await caller.set_status(bank, plan, "suspended"))["status"] == "suspended"


async def test_only_what_is_inside_can_be_cancelled(caller, contoso, legacy, plan):
    path = f"{place(contoso, legacy)}/azureEntitlements/{plan.azure_subscriptions[0].id}/cancel"
    assert refusal(await caller.send("POST", path, json=COMPROMISE)) == (404, 800111)


# The activity log


async def log_of(caller: Caller, **query: str) -> list[dict[str, Any]]:
    """The records, oldest first, page after page."""
    records: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    while True:
        listed = await caller.get("/auditrecords", params=query, headers=headers)
        records += listed["items"]
        following = listed["links"].get("next")
        if following is None:
            return records
        query |= {"seekOperation": "Next"}
        headers = {header["key"]: header["value"] for header in following["headers"]}


def filtered(field: str, value: str, operator: str) -> dict[str, str]:
    return {"filter": json.dumps({"Field": field, "Value": value, "Operator": operator})}


def told(record: dict[str, Any]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in record["customizedData"]}


async def test_every_change_leaves_a_record(caller, pc, contoso, legacy, modern):
    await caller.set_status(contoso, legacy, "suspended")
    await caller.set_status(contoso, legacy, "active")
    pc.suspend_outside(modern.id)
    pc.resume_outside(modern.id)
    pc.place_orders("Contoso", 2)
    records = await log_of(caller, **filtered("CustomerId", contoso.id.upper(), "equals"))
    updates = [record for record in records if record["resourceType"] == "subscription"]
    assert [(told(r)["SubscriptionId"].lower(), told(r)["Status"]) for r in updates] == [
        (legacy.id, "Suspended"),
        (legacy.id, "Active"),
        (modern.id, "Suspended"),
        (modern.id, "Active"),
    ]
    assert [r["operationType"] for r in records] == ["update_subscription"] * 4 + ["create_order"] * 2
    assert [("applicationId" in r, "userPrincipalName" in r) for r in updates] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]


async def test_a_refused_change_and_one_that_changes_nothing_leave_no_record(caller, contoso, legacy):
    await caller.set_status(contoso, legacy, "active")
    await caller.set_status(contoso, legacy, "deleted")
    assert await log_of(caller, **filtered("CustomerId", contoso.id, "equals")) == []


async def test_a_record_has_the_shape_of_those_recorded(caller, pc, contoso, legacy, samples):
    pc.suspend_outside(legacy.id, at=NOON - timedelta(days=3, microseconds=-1))
    pc.place_orders("Contoso")
    response = await caller.send("GET", "/auditrecords", params=filtered("CustomerId", contoso.id, "equals"))
    assert response.content.startswith(BOM)
    suspended, ordered = read(response)["items"]
    recorded = json.loads((samples / "auditRecords.list.recorded.json").read_bytes().decode("utf-8-sig"))
    order, _, update = recorded["items"]
    for made, real in ((suspended, update), (ordered, order)):
        assert made.keys() <= real.keys()
        assert real.keys() - made.keys() == {"applicationId", "sessionId"}
        assert told(made).keys() == told(real).keys()
    assert suspended["operationDate"] == "2026-11-20T12:00:00.0000010Z"
    values = [json.loads(suspended[key])["Status"] for key in ("resourceOldValue", "resourceNewValue")]
    assert values == ["active", "suspended"]
    assert json.loads(ordered["resourceNewValue"])["LineItems"][0]["Quantity"] == 25


async def test_an_add_on_that_went_along_has_its_own_record(caller, pc):
    lamna = pc.customer("Lamna")
    pc.suspend_outside(lamna.subscription("Office 365 E3").id)
    records = await log_of(caller, **filtered("CustomerId", lamna.id, "equals"))
    assert {told(r)["SubscriptionName"] for r in records} == {
        "Office 365 E3",
        "Microsoft Teams Phone Standard",
    }


async def test_who_was_suspended_from_the_beginning_has_a_record_of_that_time(caller, pc):
    trey = pc.customer("Trey Research")
    (record,) = await log_of(caller, **filtered("CustomerId", trey.id, "equals"))
    assert (record["operationDate"][:10], told(record)["Status"]) == ("2026-11-02", "Suspended")


async def test_a_suspension_can_lie_in_the_past(pc, legacy):
    earlier = NOON - timedelta(days=40)
    assert pc.suspend_outside(legacy.id, "Fraud", at=earlier).suspended_at == earlier
    assert pc.subscription(legacy.id).suspension_reasons == ("Fraud",)


async def test_the_log_is_in_the_order_of_what_happened(caller, pc, contoso, legacy, modern):
    pc.suspend_outside(modern.id)
    pc.suspend_outside(legacy.id, at=NOON - timedelta(days=4))
    records = await log_of(caller, **filtered("CustomerId", contoso.id, "equals"))
    assert [told(record)["SubscriptionId"].lower() for record in records] == [legacy.id, modern.id]


async def test_the_log_is_paged_by_seeking(caller, pc, contoso):
    pc.place_orders("Contoso", 7)
    wanted = filtered("CustomerId", contoso.id, "equals") | {"size": "3"}
    first = await caller.get("/auditrecords", params=wanted)
    assert (len(first["items"]), first["totalCount"]) == (3, 3)
    records = await log_of(caller, **wanted)
    assert len({record["id"] for record in records}) == len(records) == 7


@pytest.mark.parametrize(
    ("query", "days_ago"),
    [
        pytest.param({}, [30, 5, 0], id="the last thirty days if nothing is said"),
        pytest.param({"startDate": "2026-08-25", "endDate": "2026-09-24"}, [90, 60], id="both ends included"),
        pytest.param({"startDate": "2026-08-25"}, [90, 60], id="thirty days from a start"),
        pytest.param({"startDate": "2026-11-18", "endDate": "2026-11-22"}, [5], id="before today"),
    ],
)
async def test_the_log_tells_of(caller, pc, contoso, legacy, query, days_ago):
    for ago in (90, 60, 30, 5, 0):
        pc.suspend_outside(legacy.id, at=NOON - timedelta(days=ago))
    records = await log_of(caller, **filtered("CustomerId", contoso.id, "equals"), **query)
    dates = [date.fromisoformat(record["operationDate"][:10]) for record in records]
    assert [(NOON.date() - day).days for day in dates] == days_ago


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        pytest.param(("CompanyName", "TOSO", "substring"), 2, id="a part of the name"),
        pytest.param(("ResourceType", "Subscription", "equals"), 2, id="subscriptions, Trey's among them"),
        pytest.param(("ResourceType", "order", "equals"), 1, id="orders"),
        pytest.param(("CustomerId", "nobody", "equals"), 0, id="nobody"),
    ],
)
async def test_the_log_is_filtered_by(caller, pc, legacy, wanted, count):
    pc.suspend_outside(legacy.id)
    pc.place_orders("Contoso")
    assert len(await log_of(caller, **filtered(*wanted))) == count


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"startDate": "2026-08-24"}, id="start more than ninety days ago"),
        pytest.param({"startDate": "2026-09-01", "endDate": "2026-10-02"}, id="span of over thirty days"),
        pytest.param({"startDate": "2026-11-20", "endDate": "2026-11-19"}, id="end before its start"),
        pytest.param({"startDate": "20261120"}, id="date without dashes"),
        pytest.param({"endDate": "tomorrow"}, id="date that is none"),
        pytest.param(filtered("CustomerId", "c", "starts_with"), id="operator of another list"),
        pytest.param(filtered("Domain", "c", "equals"), id="field of another list"),
        pytest.param({"filter": "contoso"}, id="filter that is no JSON"),
    ],
)
async def test_the_log_refuses_a(caller, query):
    assert refusal(await caller.send("GET", "/auditrecords", params=query)) == (400, 3000)


async def test_a_token_of_the_log_serves_nothing_else(caller, pc):
    pc.place_orders("Contoso", 3)
    listed = await caller.get("/auditrecords", params={"size": "1", "startDate": "2026-11-01"})
    headers = {header["key"]: header["value"] for header in listed["links"]["next"]["headers"]}
    for path in ("/customers?", "/auditrecords?startDate=2026-11-02&"):
        response = await caller.send("GET", f"{path}seekOperation=Next", headers=headers)
        assert refusal(response) == (400, 3000)


async def test_the_log_needs_a_token(caller):
    caller.token = "made up"
    assert refusal(await caller.send("GET", "/auditrecords")) == (401, 400)


async def test_china_has_no_log_and_no_cancellation(clock):
    sandbox = PartnerCenterSandbox(now=clock, cloud="china")
    await sandbox.start()
    bank = sandbox.customer("Woodgrove")
    child = inside(bank, bank.subscription("Azure plan"))
    async with httpx.AsyncClient() as http:
        caller = Caller(sandbox, http)
        await caller.sign_in()
        for method, path in (("GET", "/auditrecords"), ("GET", child), ("POST", f"{child}/cancel")):
            body = COMPROMISE if method == "POST" else None
            assert refusal(await caller.send(method, path, json=body)) == (404, 1000)
    assert sandbox.writes == []
    await sandbox.stop()


# Repeating a write


async def test_a_repeated_request_is_told_the_first_answer_and_done_once(caller, pc, contoso, legacy):
    resource = await caller.get(place(contoso, legacy))
    headers = {"If-Match": f'"{resource["attributes"]["etag"]}"', "MS-RequestId": str(uuid4())}
    sent = resource | {"status": "suspended"}
    first, second = [
        await caller.send("PATCH", place(contoso, legacy), json=sent, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, second.content) == (200, first.content)
    assert [write.request_id for write in pc.writes] == [headers["MS-RequestId"]]


async def test_repeats_at_the_same_moment_act_once(caller, pc, contoso, legacy):
    resource = await caller.get(place(contoso, legacy))
    headers = {"If-Match": f'"{resource["attributes"]["etag"]}"', "MS-RequestId": str(uuid4())}
    sent = resource | {"status": "suspended"}
    answers = await asyncio.gather(
        *(caller.send("PATCH", place(contoso, legacy), json=sent, headers=headers) for _ in range(5))
    )
    assert {answered.status_code for answered in answers} == {200}
    assert len(pc.writes) == 1


async def test_a_refusal_is_repeated_too(caller, pc, contoso, legacy):
    request_id = str(uuid4())
    stale = {"If-Match": '"b2xk"', "MS-RequestId": request_id}
    assert refusal(await caller.set_status(contoso, legacy, "suspended", **stale)) == (400, 2055)
    fresh = {"MS-RequestId": request_id.upper()}
    assert refusal(await caller.set_status(contoso, legacy, "suspended", **fresh)) == (400, 2055)
    assert pc.writes == []


async def test_a_request_id_cannot_serve_two_resources(caller, contoso, legacy, modern):
    request_id = {"MS-RequestId": str(uuid4())}
    await caller.set_status(contoso, legacy, "suspended", **request_id)
    assert refusal(await caller.set_status(contoso, modern, "suspended", **request_id)) == (400, 3000)


async def test_a_request_id_is_a_guid(caller, contoso, legacy):
    response = await caller.set_status(contoso, legacy, "suspended", **{"MS-RequestId": "42"})
    assert refusal(response) == (400, 3000)


async def test_without_a_request_id_a_repeat_is_a_new_request(caller, pc, contoso, legacy):
    resource = await caller.get(place(contoso, legacy))
    headers = {"If-Match": f'"{resource["attributes"]["etag"]}"'}
    sent = resource | {"status": "suspended"}
    await caller.send("PATCH", place(contoso, legacy), json=sent, headers=headers)
    again = await caller.send("PATCH", place(contoso, legacy), json=sent, headers=headers)
    assert refusal(again) == (400, 2055)


# Faults


async def test_a_throttled_request_looks_unlike_other_refusals_and_does_nothing(caller, pc, contoso, legacy):
    pc.faults.add(method="PATCH", path_contains="/subscriptions/", status=429, headers={"Retry-After": "7"})
    response = await caller.set_status(contoso, legacy, "suspended")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert read(response) == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 7 seconds."}
    assert pc.writes == []
    assert (await caller.set_status(contoso, legacy, "suspended")).status_code == 200


async def test_a_fault_is_met_as_often_as_said_or_until_cleared(caller, pc):
    pc.faults.add(status=500, path_contains="/CUSTOMERS", times=2)
    statuses = [(await caller.send("GET", "/customers")).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    pc.faults.add(status=503, body="<html>Bad gateway</html>", times=None)
    answers = [await caller.send("GET", "/customers") for _ in range(3)]
    assert {(answered.status_code, answered.text) for answered in answers} == {
        (503, "<html>Bad gateway</html>")
    }
    pc.faults.clear()
    assert (await caller.send("GET", "/customers")).status_code == 200


async def test_a_lost_answer_hides_what_was_done(caller, pc, contoso, legacy):
    request_id = {"MS-RequestId": str(uuid4())}
    pc.faults.lose_answer(method="PATCH")
    with pytest.raises(httpx.TransportError):
        await caller.set_status(contoso, legacy, "suspended", **request_id)
    assert (len(pc.writes), pc.requests[-1].lost) == (1, True)
    repeated = await caller.send("PATCH", place(contoso, legacy), json={}, headers=request_id)
    assert read(repeated)["Status"] == "suspended"


async def test_a_change_in_between_makes_the_etag_stale(caller, pc, contoso, legacy):
    pc.faults.change_meanwhile(quantity=60)
    assert refusal(await caller.set_status(contoso, legacy, "suspended")) == (400, 2055)
    assert pc.subscription(legacy.id).quantity == 60
    assert (await caller.set_status(contoso, legacy, "suspended")).status_code == 200


async def test_a_change_in_between_of_what_nobody_has_is_just_not_found(caller, pc, contoso):
    pc.faults.change_meanwhile()
    response = await caller.send("PATCH", f"/customers/{contoso.id}/subscriptions/{uuid4()}", json={})
    assert refusal(response) == (404, 20003)


async def test_a_slow_answer_comes_after_the_effect(caller, pc, contoso, legacy):
    pc.faults.slow(3600, method="PATCH")
    suspended = asyncio.Event()
    pc.on_change(suspended.set)
    waiting = asyncio.create_task(caller.set_status(contoso, legacy, "suspended"))
    async with asyncio.timeout(30):
        await suspended.wait()
    assert (pc.subscription(legacy.id).status, waiting.done()) == ("suspended", False)
    waiting.cancel()


async def test_a_refusal_saves_the_other_faults_for_the_next_request(caller, pc, contoso, legacy):
    pc.faults.lose_answer(method="PATCH")
    pc.faults.add(method="PATCH", status=500)
    assert refusal(await caller.set_status(contoso, legacy, "suspended")) == (500, 800003)
    with pytest.raises(httpx.TransportError):
        await caller.set_status(contoso, legacy, "suspended")


# Looking in from outside


async def test_requests_are_kept_without_their_secrets(caller, pc):
    await caller.sign_in(as_user=True)
    await caller.send("GET", "/customers?size=2")
    kept = pc.requests[-2:]
    assert [(seen.method, seen.status) for seen in kept] == [("POST", 200), ("GET", 200)]
    assert kept[1].query == {"size": "2"}
    assert kept[1].headers["Authorization"] == "Bearer ***"
    secrets = (pc.client_secret, pc.refresh_token, caller.token)
    assert not any(secret in repr(kept) for secret in secrets)


async def test_listeners_hear_of_changes_from_either_side(caller, pc, contoso, legacy):
    heard: list[str] = []
    pc.on_change(lambda: heard.append(pc.subscription(legacy.id).status))
    await caller.set_status(contoso, legacy, "suspended")
    pc.resume_outside(legacy.id)
    pc.suspend_outside(legacy.id, "Fraud")
    assert (heard[0], heard[1], heard[-1]) == ("suspended", "active", "suspended")
    assert pc.subscription(legacy.id).suspension_reasons == ("Fraud",)


async def test_the_snapshot_is_plain_json_with_the_last_200_requests(caller, pc, contoso, legacy):
    for _ in range(201):
        await caller.send("GET", "/nowhere")
    await caller.set_status(contoso, legacy, "suspended")
    snapshot = json.loads(json.dumps(pc.snapshot()))
    row = next(row for row in snapshot["customers"] if row["name"] == "Contoso Ltd")
    assert row["subscriptions"][0] == {
        "id": legacy.id,
        "name": "Microsoft 365 Business Premium",
        "offer_id": legacy.offer_id,
        "status": "suspended",
        "kind": "legacy seat",
        "quantity": 48,
        "term_end": "2027-07-06",
        "suspension_reasons": ["CustomerCancellation"],
        "is_trial": False,
        "parent_id": None,
        "changed_at": NOON.isoformat(),
        "azure_subscriptions": [],
    }
    assert len(snapshot["log"]) == 200
    assert (snapshot["log"][-1]["method"], snapshot["log"][-1]["status"]) == ("PATCH", 200)


async def test_the_page_shows_the_state_escaped_and_without_a_script(caller, pc, legacy):
    pc.change(legacy.id, nickname="<script>alert(1)</script>")
    await caller.send("GET", "/<b>nowhere")
    response = await caller.http.get(pc.base_url)
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in response.text
    assert "<b>" not in response.text
    assert "&lt;script&gt;" in response.text
    assert "北京云杉科技有限公司" in response.text


async def test_the_page_shows_what_runs_in_an_azure_plan(caller, pc, plan):
    pc.change(
        plan.id, azure_subscriptions=(AzureSubscription(id="1", name="<i>Shop</i>", status="inactive"),)
    )
    shown = (await caller.http.get(pc.base_url)).text
    assert "&lt;i&gt;Shop&lt;/i&gt;</bdi>: inactive" in shown


async def test_the_state_outlives_a_restart_on_the_same_port(caller, pc, contoso, legacy):
    pc.suspend_outside(legacy.id)
    port = int(pc.base_url.rpartition(":")[2])
    await pc.stop()
    with pytest.raises(httpx.ConnectError):
        await caller.send("GET", "/customers")
    await pc.start(port)
    assert (await caller.get(place(contoso, legacy)))["status"] == "suspended"


async def test_a_taken_port_is_an_error(pc, clock):
    other = PartnerCenterSandbox(now=clock)
    with pytest.raises(OSError, match="address already in use"):
        await other.start(int(pc.base_url.rpartition(":")[2]))


def test_a_customer_is_found_by_name_domain_id_or_beginning(clock):
    pc = PartnerCenterSandbox(now=clock)
    contoso = pc.customer("contoso ltd")
    assert pc.customer(contoso.id.upper()) == pc.customer("Contoso.onmicrosoft.com") == contoso
    with pytest.raises(LookupError):
        pc.customer("Alpine Ski House")
    with pytest.raises(LookupError):
        pc.customer("Nobody")


# Samples


def test_sample_ids_and_names_never_vary_while_dates_follow_the_day():
    monday, later = sample_customers(date(2026, 11, 23)), sample_customers(date(2027, 3, 1))
    assert monday == sample_customers(date(2026, 11, 23))
    names = [
        [(c.id, c.name, [(s.id, s.name) for s in c.subscriptions]) for c in day] for day in (monday, later)
    ]
    assert names[0] == names[1]
    expired = [s for c in monday for s in c.subscriptions if s.term_end and s.term_end <= NOON]
    assert [s.status for s in expired] == ["expired"]


def test_sample_customers_are_many_and_each_thing_has_its_own_id():
    customers = sample_customers(NOON.date())
    ids = [c.id for c in customers] + [s.id for c in customers for s in c.subscriptions]
    assert len(customers) >= 44
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(one)) == one for one in ids)
    assert [name for name, count in Counter(c.name for c in customers).items() if count > 1] == [
        "Alpine Ski House"
    ]


def test_sample_subscriptions_are_of_every_kind_and_state():
    held = [s for c in sample_customers(NOON.date()) for s in c.subscriptions]
    assert {s.kind for s in held} == set(Kind)
    assert {"active", "suspended", "pending", "expired", "pendingTransfer"} == {s.status for s in held}
    assert {s.term_duration for s in held} == {None, "P1M", "P1Y", "P3Y"}
    assert any(s.is_trial for s in held)
    assert any(s.parent_id for s in held)


def test_an_azure_subscription_can_be_stopped_from_a_test(clock):
    pc = PartnerCenterSandbox(now=clock)
    plan = pc.customer("Woodgrove").subscription("Azure plan")
    stopped = tuple(
        AzureSubscription(id=a.id, name=a.name, status="inactive") for a in plan.azure_subscriptions
    )
    assert pc.change(plan.id, azure_subscriptions=stopped).version == plan.version + 1


# The receivables beside it


def ledger(today: date) -> list[dict[str, str]]:
    rows = list(csv.reader(io.StringIO(sample_receivables(today))))
    return [dict(zip(rows[4], row, strict=True)) for row in rows[5:]]


def days_overdue(row: dict[str, str], today: date) -> int:
    return (today - date.fromisoformat(row["Due Date"])).days


def bucket(days: int) -> str:
    limits = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))
    return next((name for limit, name in limits if days <= limit), "90+")


def test_the_export_has_every_bucket_in_every_currency():
    today = NOON.date()
    buckets = defaultdict(set)
    for row in ledger(today):
        buckets[row["Currency"]].add(bucket(days_overdue(row, today)))
    everything = {"current", "1-30", "31-60", "61-90", "90+"}
    assert buckets == {"USD": everything, "EUR": everything, "CNY": everything}


def test_the_export_follows_the_day():
    assert sample_receivables(NOON.date()) == sample_receivables(NOON.date())
    first, later = ledger(date(2026, 11, 23)), ledger(date(2027, 2, 1))
    assert [days_overdue(row, date(2026, 11, 23)) for row in first] == [
        days_overdue(row, date(2027, 2, 1)) for row in later
    ]


def test_all_debtors_but_one_are_customers_at_partner_center():
    known = {(c.name, c.domain) for c in sample_customers(NOON.date())}
    debtors = {(row["Customer"], row["Domain"]) for row in ledger(NOON.date())}
    assert {name for name, _ in debtors - known} == {"Halden Marine Supplies"}
    assert len(debtors) >= 22


def test_contoso_owes_the_most_in_dollars_and_has_for_45_days():
    today = NOON.date()
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for row in ledger(today):
        if row["Currency"] == "USD" and days_overdue(row, today) > 0:
            owed[row["Customer"]] += Decimal(row["Open Balance"])
    assert max(owed, key=lambda name: owed[name]) == "Contoso Ltd"
    assert max(days_overdue(row, today) for row in ledger(today) if row["Customer"] == "Contoso Ltd") == 45


def test_credits_are_negative_and_numbers_are_unique():
    rows = ledger(NOON.date())
    assert len({row["Num"] for row in rows}) == len(rows) >= 40
    for row in rows:
        assert (Decimal(row["Open Balance"]) < 0) == (row["Transaction Type"] == "Credit Memo")
