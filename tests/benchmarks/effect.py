"""How soon an approval takes effect at Microsoft: `python -m tests.benchmarks.effect`.

From the click on *Approve* until Partner Center, 10 ms away, has carried the write out; beside it the same write
by a bare call of the API. Every process is the real program.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

from bot.core import utc_now
from bot.domain.customer import CustomerId, SubscriptionId
from bot.microsoft import partner_center_of
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.slack import SlackSandbox
from handlers import ids
from tests import postgres
from tests.benchmarks.table import Figures, table
from tests.program import Program, carried_out, settings_of
from tests.stage import settings_for, slack_sandbox
from tests.survival.office import APPROVALS, Office, buttons, customers

LATENCY = 0.01
REQUESTS = 40


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="backstop-effect-") as directory, postgres.server() as server:
        cwd = Path(directory)
        rows = [
            ("bare call: look, write, look", await bare()),
            ("approve → effect, SQLite", await approved(f"sqlite:///{cwd / 'backstop.db'}", cwd)),
        ]
        if server:
            database = postgres.new_database(server)
            rows.append(("approve → effect, Postgres", await approved(database, cwd)))
    print(table(rows))


async def bare() -> Figures:
    """Our client alone, already signed in."""
    stock, slack, far_side = await sandboxes()
    settings = settings_for(slack, far_side, database_url="sqlite:///unused.db", transport="socket")
    partner_center, clients = partner_center_of(settings, now=utc_now)

    async def suspend(customer: Customer) -> None:
        await partner_center.suspend(
            CustomerId(customer.id), SubscriptionId(customer.subscriptions[0].id), ms_request_id=uuid4()
        )

    try:
        await partner_center.sign_in()
        return await until_effect(stock, slack, far_side, suspend)
    finally:
        for client in clients:
            await client.aclose()
        await far_side.stop()
        await slack.stop()


async def approved(database_url: str, cwd: Path) -> Figures:
    """Everything is placed before the first approval; one is approved when the last has taken effect."""
    stock, slack, far_side = await sandboxes()
    settings = settings_of(slack, far_side, database_url=database_url)
    settings["BACKSTOP_MAX_SUSPENSIONS_PER_DAY"] = str(REQUESTS)
    try:
        synced = await asyncio.to_thread(carried_out, "sync", cwd=cwd, settings=settings)
        synced.check_returncode()
        async with Program("run", settings=settings, cwd=cwd, fresh=True) as program:
            await program.start()
            await program.comes_up()
            office = Office(slack, up=slack.app_connects)
            for customer in stock:
                await office.ask(slack.person("ana"), customer)

            async def approve(customer: Customer) -> None:
                card = await slack.message_appears(
                    APPROVALS, lambda m: customer.name in str(m) and ids.APPROVE in buttons(m)
                )
                await slack.person("ben").click(card, ids.APPROVE)

            return await until_effect(stock, slack, far_side, approve)
    finally:
        await far_side.stop()
        await slack.stop()


async def sandboxes() -> tuple[list[Customer], SlackSandbox, PartnerCenterSandbox]:
    """Both started, and who is to be suspended."""
    stock = list(customers(REQUESTS, today=utc_now().date()))
    far_side = PartnerCenterSandbox(now=utc_now, customers=stock, latency=LATENCY)
    slack = slack_sandbox(patience=1)
    far_side.on_change(slack.partner_center_changed)
    await far_side.start()
    await slack.start()
    return stock, slack, far_side


async def until_effect(
    stock: list[Customer],
    slack: SlackSandbox,
    far_side: PartnerCenterSandbox,
    begin: Callable[[Customer], Coroutine[Any, Any, None]],
) -> Figures:
    """One after another, from the beginning until the subscription is suspended."""
    taken: list[float] = []
    for customer in stock:
        subscription = customer.subscriptions[0].id

        def suspended(subscription: str = subscription) -> bool:
            return far_side.subscription(subscription).status == "suspended"

        begun = time.perf_counter()
        beginning = asyncio.create_task(begin(customer))
        await slack.workspace.news.until(suspended, timeout=5)
        taken.append((time.perf_counter() - begun) * 1000)
        await beginning
    return Figures(taken, sum(taken) / 1000)


if __name__ == "__main__":
    asyncio.run(main())
