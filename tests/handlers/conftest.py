"""A stage that is set once for a whole module: each test asks about another customer, so none is in another's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from bot.app import Application
from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from tests.handlers import story
from tests.stage import Stage, settings_for, slack_sandbox

MANY = 24


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["socket", "http"])
async def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """Both sandboxes and the application between them, over each transport; Ben may both ask and approve.

    A module that uses it says `pytestmark = pytest.mark.asyncio(loop_scope="module")` and sets no stage besides:
    a process has one engine for its jobs.
    """
    async with AsyncExitStack() as ends:
        partner_center = PartnerCenterSandbox(now=utc_now)
        await partner_center.start()
        ends.push_async_callback(partner_center.stop)
        slack = slack_sandbox()
        await slack.start()
        ends.push_async_callback(slack.stop)
        database = tmp_path_factory.mktemp("shared") / "backstop.db"
        settings = settings_for(
            slack,
            partner_center,
            database_url=f"sqlite:///{database}",
            transport=request.param,
            backstop_operators=("S0BILLING", "U0BEN"),
            backstop_approvers=("S0APPROVERS", "U0BEN"),
        )
        app = Application(settings)
        ends.push_async_callback(app.stop)
        await app.start()
        if request.param == "socket":
            await slack.app_connects()
        await app.core.backstop.customers.refresh_if_old()
        stage = Stage(slack, partner_center, app)
        await story.imports_books(stage, app.core.backstop.digests.today())
        yield stage


@pytest.fixture(scope="module")
def customers(shared: Stage) -> list[str]:
    """Domains of customers nobody has asked about yet."""
    return [customer.domain for customer in shared.partner_center.customers[-MANY:]]


@pytest.fixture
def customer(customers: list[str]) -> str:
    """The domain of a customer this test has to itself; they have an active subscription."""
    return customers.pop()
