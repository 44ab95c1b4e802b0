"""From an unpaid invoice in a real Tryton to a suspension, and from its payment there to a proposed resumption."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.core import utc_now
from bot.domain.request import Status
from bot.report import digests as report
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.samples import sample_customers
from bot.services import jobs
from bot.texts import in_language
from tests import tryton
from tests.conftest import SetStage
from tests.handlers import story
from tests.program import carried_out
from tests.stage import Stage

DOMAIN = "acme.onmicrosoft.com"
"""What Tryton has as the identifier of its customer Acme GmbH."""
POLICY = """
schema = 1

[[stage]]
id = "suspend"
days_overdue = 30
action = "propose_suspend"
"""


class Office:
    """A stage whose books are in a Tryton, and the command line beside it, on one database."""

    def __init__(self, stage: Stage, server: tryton.Server, cwd: Path) -> None:
        self.stage = stage
        self._server = server
        self._cwd = cwd
        self._settings = {
            "DATABASE_URL": stage.app.settings.database_url,
            "BACKSTOP_POLICY_FILE": str(stage.app.settings.backstop_policy_file),
            "RECEIVABLES_SOURCES": "tryton",
            "RECEIVABLES_TRYTON_URL": server.url,
            "RECEIVABLES_TRYTON_DATABASE": tryton.DATABASE,
            "RECEIVABLES_TRYTON_KEY": server.key,
        }

    async def runs(self, *arguments: str) -> Any:
        """What `backstop … --json` prints, in a process of its own."""
        done = await asyncio.to_thread(
            carried_out, *arguments, "--json", cwd=self._cwd, settings=self._settings
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def is_paid(self, *numbers_and_amounts: str) -> None:
        """As the accountant of the partner books it."""
        words = [
            word
            for number, amount in zip(numbers_and_amounts[::2], numbers_and_amounts[1::2], strict=True)
            for word in ("pay", number, amount)
        ]
        await asyncio.to_thread(self._server.act, *words)

    async def acme(self, *, by_command: bool = False) -> dict[str, Any]:
        """What the digest has of the customer now: as a debtor, or as one who has paid."""
        digests = self.stage.app.core.backstop.digests
        if by_command:
            digest = await self.runs("digest", "overdue")
        else:
            digest = report.overdue(await digests.overdue(), in_language("en"))
        tenant = self.stage.partner_center.customer(DOMAIN).id
        (found,) = [row for row in digest["customers"] if row["tenant"] == tenant]
        return dict(found)


async def test_an_invoice_goes_overdue_access_is_suspended_it_is_paid_and_a_resumption_is_proposed(
    set_stage: SetStage, tryton_of_its_own: tryton.Server, tmp_path: Path
):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    first, *others = sample_customers(utc_now().date())
    acme = replace(first, name="Acme GmbH", domain=DOMAIN)
    partner_center = PartnerCenterSandbox(now=utc_now, customers=[acme, *others])
    server = tryton_of_its_own
    stage = await set_stage(
        partner_center=partner_center,
        backstop_policy_file=policy,
        receivables_sources=("tryton",),
        receivables_tryton_url=server.url,
        receivables_tryton_database=tryton.DATABASE,
        receivables_tryton_key=SecretStr(server.key),
    )
    office = Office(stage, server, tmp_path)

    # It is overdue there, so it is in the digest, which is posted once Tryton was read.
    today = stage.app.core.backstop.digests.today()
    await stage.app.core.courier.post(jobs.post_overdue(today))
    posted = await stage.slack.message_appears("csp-overdue")
    assert "Acme GmbH" in story.lines(posted)
    assert "Suspend" in story.buttons(posted)
    debtor = await office.acme()
    assert (debtor["customer"], debtor["mapped"], debtor["proposal"]) == ("Acme GmbH", True, "suspend")
    assert debtor["amounts"]["EUR"]["overdue"].removesuffix(".00") in (
        "1200",
        "1500",
    )  # 300 more since 30 November

    # Ana asks, Ben approves, and the subscription is suspended at Partner Center.
    asked = await story.asks(stage, customer=DOMAIN, subscription="E3")
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")
    assert (await asked.status(), asked.at_microsoft) == (Status.DONE, "suspended")

    # Paid there, but not read yet: nothing is proposed on what is not known.
    await office.is_paid("1", "1200.00", "6", "300.00")
    assert (await office.acme())["proposal"] != "resume"

    # Read again: it is gone from the debts, and a resumption is proposed.
    (reading,) = (await office.runs("read"))["sources"]
    assert (reading["source"], reading["outcome"], reading["changes"]["closed"]) == ("tryton", "applied", 2)
    paid = await office.acme(by_command=True)
    assert paid["proposal"] == "resume"
    assert [row["subscription"] for row in paid["suspended"]] == [asked.subscription_id]
