"""What the billing policy says of a request itself: how many approvals, how long it may wait, which products."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_resume import resumes, suspended
from tests.handlers.test_several import confirms_all

POLICY = """
schema = 1

[[stage]]
id = "suspend"
days_overdue = 30
action = "propose_suspend"
expires_hours = 2
scope = { exclude_products = ["legacy-seat"], max_subscriptions = 1 }

[exit]
approvals = 1
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY, "utf-8")
    return path


async def time_to_live(asked: story.Asked) -> timedelta:
    request = await asked.stage.app.core.backstop.requests.get(asked.id)
    return request.expires_at - request.placed_at


async def test_a_proposal_lapses_when_the_policy_says_so(set_stage: SetStage, policy_file: Path):
    stage = await set_stage(backstop_policy_file=policy_file)
    assert await time_to_live(await story.asks(stage)) == timedelta(hours=2)
    fraud = await story.asks(stage, subscription="Premium × 48", reason="Fraud")
    assert await time_to_live(fraud) == timedelta(hours=24)


async def test_resuming_who_did_not_pay_takes_the_approvals_of_the_policy(
    set_stage: SetStage, policy_file: Path
):
    stage = await set_stage(backstop_policy_file=policy_file)
    await suspended(stage)
    asked = await resumes(stage, reason="Customer request")
    assert await asked.status() is Status.PENDING


async def test_a_product_the_policy_leaves_out_is_against_it_and_said(set_stage: SetStage, policy_file: Path):
    stage = await set_stage(backstop_policy_file=policy_file)
    texts = stage.app.desk.texts
    view = await story.continues(stage.ana, subscription="Premium × 48")
    seen = story.words(view).replace("\u2060", "")
    assert "It does not call for this" in seen
    assert texts("rule-out-of-scope", fact="Microsoft 365 Business Premium") in seen


async def test_of_all_subscriptions_those_left_out_stay_and_too_many_are_said(
    set_stage: SetStage, policy_file: Path
):
    stage = await set_stage(backstop_policy_file=policy_file)
    seen = story.words(await confirms_all(stage)).replace("\u2060", "")
    texts = stage.app.desk.texts
    assert texts("error-out-of-scope") in seen
    assert texts("rule-too-many", fact="1") in seen
