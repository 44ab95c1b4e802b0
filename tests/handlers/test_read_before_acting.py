"""Before somebody is cut off for non-payment the accounting systems are read again: they may have paid by now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.services.test_sources import QUERY, Ledger
from tests.services.workshop import Clock
from tests.stage import Stage


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db", Clock())


@pytest.fixture
async def stage(set_stage: SetStage, ledger: Ledger, tmp_path: Path) -> Stage:
    (tmp_path / "open.sql").write_text(QUERY, "utf-8")
    for n in range(1, 5):
        ledger.owes(f"INV-{n}", customer=f"Firm {n}", tenant=f"f{n}.example")
    ledger.owes("INV-9", tenant="contoso.onmicrosoft.com")
    stage = await set_stage(
        receivables_sources=("sql",),
        receivables_sql_url=SecretStr(f"sqlite:///{tmp_path / 'ledger.db'}"),
        receivables_sql_query_file=tmp_path / "open.sql",
    )
    await stage.app.core.backstop.sources.freshen(
        older_than=timedelta(minutes=1), patience=timedelta(seconds=20)
    )
    return stage


async def test_who_paid_meanwhile_is_not_suspended(stage: Stage, ledger: Ledger):
    asked = await story.asks(stage, subscription="E3")
    ledger.paid("INV-9")
    await lets_a_minute_pass(stage)
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Paid, cancelled")
    assert (await asked.status(), asked.writes, asked.at_microsoft) == (Status.WITHDRAWN, 0, "active")


async def test_who_did_not_pay_is(stage: Stage, ledger: Ledger):
    asked = await story.asks(stage, subscription="E3")
    await lets_a_minute_pass(stage)
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")
    assert (asked.writes, asked.at_microsoft) == (1, "suspended")


async def test_a_system_that_is_away_does_not_keep_it_waiting(stage: Stage, ledger: Ledger):
    """What was read before is not old yet; how old it may be is for the billing policy to say."""
    asked = await story.asks(stage, subscription="E3")
    ledger.breaks()
    await lets_a_minute_pass(stage)
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")
    assert asked.at_microsoft == "suspended"


async def lets_a_minute_pass(stage: Stage) -> None:
    """As far as the readings are concerned."""
    async with stage.app.core.store.begin() as tx:
        last = (await tx.readings.attempts())["sql"]
        at = last.at - timedelta(minutes=2)
        await tx.connection.exec_driver_sql(
            "UPDATE readings SET at = ?", (at.replace(tzinfo=None).isoformat(" "),)
        )
