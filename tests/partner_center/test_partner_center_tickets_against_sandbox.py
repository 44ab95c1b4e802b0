"""Service requests and tickets of Azure's own against the sandbox, over real HTTP, signed in as the settings say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import (
    NotFound,
    Rejected,
    SignInFailed,
    Unavailable,
)
from bot.domain.ticket import VendorState
from bot.microsoft import azure_of, partner_center_of
from bot.partner_center.azure_support import AzureSupport
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.settings import Settings

from .tickets import ABUSE, ANA, SERVICE, a_ticket

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
NAME = "backstop-t-23456789ab"


@pytest.fixture(params=["global"])
async def sandbox(request):
    sandbox = PartnerCenterSandbox(now=lambda: noon, cloud=request.param)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def settings(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def given(**changed: object) -> Settings:
        right = {
            "partner_center_cloud": Cloud(sandbox.cloud),
            "partner_center_tenant_id": sandbox.tenant_id,
            "partner_center_client_id": sandbox.client_id,
            "partner_center_client_secret": sandbox.client_secret,
            "partner_center_refresh_token": sandbox.refresh_token,
            "partner_center_base_url": sandbox.base_url,
            "partner_center_authority_url": sandbox.authority_url,
            "azure_base_url": sandbox.arm_url,
            "backstop_ticket_handover": "azure",
            "backstop_ticket_contact": ANA,
            "backstop_ticket_country": "deu",
        }
        return Settings(**(right | changed))

    return given


@pytest.fixture
async def center(settings):
    center, clients = partner_center_of(settings(), now=lambda: noon)
    yield center
    await asyncio.gather(*(client.aclose() for client in clients))


@pytest.fixture(params=["App+User", "app-only"])
async def azure(settings, request):
    as_user = {} if request.param == "App+User" else {"partner_center_refresh_token": None}
    azure, clients = azure_of(settings(**as_user), now=lambda: noon)
    assert azure is not None
    yield azure
    await asyncio.gather(*(client.aclose() for client in clients))


@pytest.fixture
def where(sandbox):
    """A customer, and an Azure subscription inside their plan."""
    for customer in sandbox.customers:
        for held in customer.subscriptions:
            for child in held.azure_subscriptions:
                return CustomerId(customer.id), SubscriptionId(child.id)
    raise LookupError


async def opened(azure: AzureSupport, where: tuple[CustomerId, SubscriptionId]) -> VendorState:
    return await azure.open(*where, NAME, a_ticket())


class TestServiceRequests:
    async def test_an_engineer_answers_and_closes_it(self, center, sandbox):
        filed = sandbox.file_service_request("Cannot suspend", customer="Contoso Ltd")
        await center.add_note(filed.number, "It still fails.")
        state = await center.service_request(filed.number)
        assert (state.status, [(n.text, n.is_ours) for n in state.notes]) == (
            "open",
            [("It still fails.", True)],
        )
        assert not state.was_answered
        sandbox.microsoft_answers(filed, "We look into it.", status="attention_needed")
        state = await center.service_request(filed.number)
        assert [note.by for note in state.notes if not note.is_ours] == ["Microsoft Support"]
        assert state.was_answered
        sandbox.microsoft_answers(filed, status="closed")
        assert (await center.service_request(filed.number)).is_closed

    async def test_it_is_closed(self, center, sandbox):
        filed = sandbox.file_service_request("Cannot suspend")
        await center.close_service_request(filed.number)
        assert sandbox.service_request(filed.number).status == "closed"

    async def test_one_nobody_filed(self, center):
        with pytest.raises(NotFound):
            await center.service_request("616122292874000")

    async def test_a_lost_answer_leaves_one_note(self, center, sandbox):
        filed = sandbox.file_service_request("Cannot suspend")
        sandbox.faults.lose_answer(method="PATCH")
        with pytest.raises(Unavailable):
            await center.add_note(filed.number, "Once")
        assert [note.text for note in filed.notes] == ["Once"]

    async def test_too_many_requests_and_then_one_note(self, center, sandbox):
        filed = sandbox.file_service_request("Cannot suspend")
        sandbox.faults.add(status=429, method="PATCH", headers={"Retry-After": "0"})
        await center.add_note(filed.number, "Once")
        assert [note.text for note in filed.notes] == ["Once"]

    async def test_the_link_of_a_customer(self, center, sandbox):
        contoso = sandbox.customer("Contoso Ltd")
        link = await center.service_request_link(CustomerId(contoso.id))
        assert link is not None
        assert link.startswith("https://portal.office.com/")
        assert contoso.id in link

    @pytest.mark.parametrize("sandbox", ["china"], indirect=True)
    async def test_21vianet_has_none(self, center, sandbox):
        filed = sandbox.file_service_request("Cannot suspend")
        for call in (
            center.service_request(filed.number),
            center.service_request_link(CustomerId(sandbox.customer("Contoso Ltd").id)),
        ):
            with pytest.raises(NotFound):
                await call


class TestAzure:
    async def test_a_ticket_from_its_opening_to_its_end(self, azure, sandbox, where):
        state = await opened(azure, where)
        ticket = sandbox.azure_ticket(NAME)
        assert (state.number, state.status) == (ticket.number, "open")
        await azure.note(*where, NAME, "It still mines.\nPlease hurry.")
        sandbox.microsoft_answers(ticket, "We look into it.", by="engineer@microsoft.com")
        state = await azure.read(*where, NAME)
        assert [(note.text, note.is_ours) for note in state.notes] == [
            ("It still mines.\nPlease hurry.", True),
            ("We look into it.", False),
        ]
        assert state.notes[0].by == "support@partner.example"
        await azure.close(*where, NAME)
        assert (await azure.read(*where, NAME)).is_closed

    async def test_opening_it_again_gives_the_same(self, azure, sandbox, where):
        assert await opened(azure, where) == await opened(azure, where)
        assert len(sandbox.support.tickets) == 1

    async def test_a_lost_answer_gives_one_ticket(self, azure, sandbox, where):
        sandbox.faults.lose_answer(method="PUT")
        assert (await opened(azure, where)).number == sandbox.azure_ticket(NAME).number
        assert len(sandbox.support.tickets) == 1

    async def test_what_can_be_chosen(self, azure, sandbox):
        services = await azure.services()
        assert (SERVICE, "Subscription management") in services
        assert ABUSE in dict(await azure.problems(SERVICE))

    async def test_all_pages_of_what_was_written(self, azure, sandbox, where):
        await opened(azure, where)
        for n in range(23):
            sandbox.microsoft_answers(sandbox.azure_ticket(NAME), f"{n}")
        state = await azure.read(*where, NAME)
        assert [note.text for note in state.notes] == [f"{n}" for n in range(23)]

    async def test_a_customer_who_has_not_consented_is_asked_anew(self, azure, sandbox, where):
        whose = next(c for c in sandbox.customers if c.id == where[0])
        sandbox.withhold_consent(whose.name)
        with pytest.raises(SignInFailed) as raised:
            await opened(azure, where)
        assert (raised.value.system, raised.value.reason) == ("azure", "invalid_grant")
        sandbox.give_consent(whose.name)
        assert (await opened(azure, where)).number

    async def test_a_subscription_of_somebody_else(self, azure, sandbox, where):
        other = next(c for c in sandbox.customers if c.id != where[0])
        with pytest.raises(Rejected) as raised:
            await azure.open(CustomerId(other.id), where[1], NAME, a_ticket())
        assert raised.value.reason == "not-found"

    async def test_tokens_that_are_refused_are_renewed(self, azure, sandbox, where):
        await opened(azure, where)
        sandbox.expire_tokens()
        assert (await azure.read(*where, NAME)).number

    async def test_no_token_is_in_the_log(self, azure, sandbox, where):
        await opened(azure, where)
        seen = [r for r in sandbox.requests if r.path.endswith(NAME)]
        assert {r.headers["x-ms-authorization-auxiliary"] for r in seen} == {"Bearer ***"}


async def test_the_refresh_token_goes_on_in_the_partners_tenant(settings, sandbox, where):
    """What came back from a customer's tenant is good there only."""
    azure, clients = azure_of(settings(), now=lambda: noon)
    assert azure is not None
    first = sandbox.refresh_token
    await opened(azure, where)
    await asyncio.gather(*(client.aclose() for client in clients))
    redeemed = [r.path for r in sandbox.requests if r.path.endswith("/token")]
    assert [path.split("/")[2] for path in redeemed] == [sandbox.tenant_id, where[0]]
    assert sandbox.refresh_token != first
