"""Both sandboxes with many customers, and the settings that lead to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.slack import SlackSandbox, Workspace
from tests.program import Program, carried_out, settings_of
from tests.stage import slack_sandbox
from tests.survival.office import customers


@dataclass(frozen=True)
class World:
    slack: SlackSandbox
    partner_center: PartnerCenterSandbox
    customers: Iterator[Customer]
    settings: dict[str, str]
    cwd: Path

    def program(self, command: str, *, name: str = "", module: str = "bot", **settings: str) -> Program:
        return Program(
            command, settings=self.settings | settings, cwd=self.cwd, name=name or command, module=module
        )

    def programs(self, command: str, count: int, *, module: str = "bot", **settings: str) -> list[Program]:
        """So many replicas of one command."""
        names = [f"{module}-{command}-{number}" for number in range(count)]
        return [self.program(command, name=name, module=module, **settings) for name in names]


@asynccontextmanager
async def world(
    url: str, *, stock: int, cwd: Path, port: int | None = None, workspace: Workspace | None = None
) -> AsyncIterator[World]:
    """Both sandboxes, many customers, and their copies in the mirror; the sample workspace, unless another is given."""
    known = list(customers(stock, today=utc_now().date()))
    partner_center = PartnerCenterSandbox(now=utc_now, customers=known, page_size=500, latency=0.01)
    slack = slack_sandbox(patience=1, workspace=workspace)
    partner_center.on_change(slack.partner_center_changed)
    await partner_center.start()
    await slack.start()
    try:
        settings = settings_of(slack, partner_center, database_url=url, port=port) | {
            "BACKSTOP_OPERATORS": "S0BILLING,S0APPROVERS,U0EVE",
            "BACKSTOP_MAX_SUSPENSIONS_PER_DAY": "100000",
            "PARTNER_CENTER_MAX_CONCURRENCY": "16",
        }
        sync = await asyncio.to_thread(carried_out, "sync", cwd=cwd, settings=settings, patience=300)
        assert sync.returncode == 0, sync.stderr
        yield World(slack, partner_center, iter(known), settings, cwd)
    finally:
        await slack.stop()
        await partner_center.stop()
