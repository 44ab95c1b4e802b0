"""A ticket that Azure Resource Manager opens itself: what the form asks besides, and what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app import Application
from bot.core import utc_now
from bot.domain.ticket import Way
from bot.sandbox.partner_center import PartnerCenterSandbox
from handlers import ids
from tests.handlers import story
from tests.handlers.test_ticket_form import begins, confirms, continues
from tests.stage import Stage, settings_for, slack_sandbox


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Where problems of a service go to Azure."""
    async with AsyncExitStack() as ends:
        far_side, slack = PartnerCenterSandbox(now=utc_now), slack_sandbox()
        for side in (far_side, slack):
            await side.start()
            ends.push_async_callback(side.stop)
        settings = settings_for(
            slack,
            far_side,
            database_url=f"sqlite:///{tmp_path / 'azure.db'}",
            transport="socket",
            azure_base_url=far_side.arm_url,
            partner_center_refresh_token=SecretStr(far_side.refresh_token),
            backstop_ticket_handover="portal, service=azure",
            backstop_ticket_contact="Ana Berg <support@partner.example> +49 30 1234",
            backstop_ticket_country="deu",
        )
        app = Application(settings)
        ends.push_async_callback(app.stop)
        await app.start()
        await slack.app_connects()
        await app.core.backstop.customers.refresh_if_old()
        yield Stage(slack, far_side, app)


async def test_a_problem_of_azures_is_chosen_from_azures_own_list(stage: Stage):
    customer, plan = next(
        (c, s) for c in stage.partner_center.customers for s in c.subscriptions if s.azure_subscriptions
    )
    first = await begins(stage.ana, customer.domain)
    assert not [b for b in first["blocks"] if b.get("block_id", "").startswith(ids.TICKET_SERVICE)]
    offered = await stage.ana.suggest(ids.TICKET_SUBSCRIPTION, "")
    await stage.ana.choose(
        ids.TICKET_SUBSCRIPTION, next(option for option in offered if option["value"] == plan.id)
    )
    await stage.ana.wait_for(lambda: ids.TICKET_SERVICE in str(story.top(stage.ana)["blocks"]) or None)

    inside, *_ = await stage.ana.suggest(ids.TICKET_AZURE, "")
    assert inside["value"] in {child.id for child in plan.azure_subscriptions}
    await stage.ana.choose(ids.TICKET_AZURE, inside)
    assert await stage.ana.suggest(ids.TICKET_PROBLEM, "") == []
    service, *_ = await stage.ana.suggest(ids.TICKET_SERVICE, "")
    assert (await stage.ana.choose(ids.TICKET_SERVICE, service)).ok
    problem, *_ = await stage.ana.suggest(ids.TICKET_PROBLEM, "")
    await stage.ana.choose(ids.TICKET_PROBLEM, problem)

    assert (await continues(stage.ana, "Machines are gone")).ok
    assert "Azure opens it itself" in story.words(await story.modal_says(stage.ana, "The draft"))
    ticket = await confirms(stage, stage.ana)
    assert (ticket.hand_over.way, ticket.about.azure_id) == (Way.AZURE, inside["value"])
    assert ticket.matter
    assert ticket.matter.problem
    assert ticket.matter.problem.service_name == service["text"]["text"]
    assert ticket.matter.problem.classification_name == problem["text"]["text"]
    assert f"Azure service: {service['text']['text']}\n" in ticket.text
    assert ticket.portal == f"https://portal.azure.com/{customer.domain}"
