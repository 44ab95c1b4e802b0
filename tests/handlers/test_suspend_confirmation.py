"""*Continue* says what will happen; until *Confirm* nothing is recorded as requested."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def said(stage: Stage, customer: str, **filled_in: str) -> str:
    view = await story.continues(stage.ana, customer, **filled_in)
    return story.words(view).replace("\u2060", "")


async def test_it_says_what_whom_and_why(shared: Stage):
    seen = await said(shared, "contoso", subscription="E3", note="Mails of 3 and 12 November")
    subscription = shared.partner_center.customer("Contoso").subscription("Microsoft 365 E3")
    assert "*Microsoft 365 E3* of *Contoso Ltd* will be suspended." in seen
    assert "contoso.onmicrosoft.com" in seen
    assert subscription.id in seen
    assert "120" in seen
    assert "Non-payment" in seen
    assert "Mails of 3 and 12 November" in seen
    assert story.top(shared.ana)["submit"]["text"] == "Confirm"


async def test_nothing_is_requested_before_confirm(shared: Stage):
    before = shared.slack.messages(story.APPROVALS)
    view = await story.continues(shared.ana, "contoso", subscription="E3")
    assert (await shared.ana.close_modal()).ok
    assert story.top(shared.ana)["callback_id"] == "suspend_form"
    await story.leaves(shared.ana)
    assert await story.requests(shared) == {}
    async with shared.app.core.store.read() as tx:
        assert await tx.audit.of(story.draft_of(view)) == []
    assert shared.slack.messages(story.APPROVALS) == before


async def test_back_and_continue_again_shows_the_confirmation_again(shared: Stage):
    await story.continues(shared.ana, "contoso", subscription="E3")
    assert (await shared.ana.close_modal()).ok
    await shared.ana.choose("reason", "Fraud")
    assert (await shared.ana.submit()).ok
    view = await story.seen(shared.ana)
    assert view["callback_id"] == "suspend_confirmation"
    assert "Fraud" in story.words(view)


async def test_new_commerce_is_billed_to_the_end_of_its_term(shared: Stage):
    seen = await said(shared, "contoso", subscription="E3")
    end = shared.partner_center.customer("Contoso").subscription("Microsoft 365 E3").term_end
    assert end
    day = shared.app.desk.texts.day(end.date())
    texts = shared.app.desk.texts
    for told in (
        texts("effect-cost-term", day=day),
        texts("effect-deleted", day=f"*{day}*"),
        texts("effect-renewal"),
    ):
        assert told in seen


async def test_a_legacy_subscription_costs_nothing_and_lives_ninety_days(shared: Stage):
    seen = await said(shared, "contoso", subscription="Premium × 48")
    texts = shared.app.desk.texts
    last = shared.app.core.backstop.digests.today() + timedelta(days=90)
    assert texts("effect-cost-none") in seen
    assert texts("effect-deleted", day=f"*{texts.day(last)}*") in seen


async def test_an_azure_plan_says_that_nobody_knows_the_day(shared: Stage):
    seen = await said(shared, "tailspin", subscription="Azure plan")
    assert shared.app.desk.texts("effect-azure") in seen
    assert shared.app.desk.texts("effect-deleted-unknown") in seen


@pytest.mark.parametrize(
    ("customer", "reason", "verdict"),
    [
        pytest.param("contoso", "Non-payment", "policy-holds", id="foreseen"),
        pytest.param("humongous", "Non-payment", "policy-broken", id="against it"),
        pytest.param("woodgrove", "Non-payment", "policy-broken", id="not late enough"),
        pytest.param("contoso", "Fraud", "policy-silent", id="another reason"),
    ],
)
async def test_it_says_what_the_billing_policy_thinks_of_it(
    shared: Stage, customer: str, reason: str, verdict: str
):
    words = shared.app.desk.texts(verdict, note="…").partition("…")[0]
    assert words in await said(shared, customer, subscription="365", reason=reason)


async def test_it_says_who_has_to_approve_where_and_until_when(shared: Stage):
    seen = await said(shared, "contoso", subscription="E3")
    assert "1 person other than you has to approve it in <#C0APPROVALS>, within 24 hours." in seen
    assert "Then it acts at once." in seen


@pytest.mark.parametrize("missing", ["customer", "subscription", "reason"])
async def test_continue_with_something_missing_says_what(shared: Stage, missing: str):
    await story.starts(shared.ana, "/csp-suspend")
    filled = {"customer": "Contoso Ltd", "subscription": "Microsoft 365 E3 × 120", "reason": "Fraud"}
    for action_id, option in filled.items():
        if action_id != missing and (missing, action_id) != ("customer", "subscription"):
            await shared.ana.choose(action_id, option)
            await shared.ana.wait_for(partial(_chose, shared, action_id))
    if missing == "subscription":
        await shared.ana.wait_for(
            lambda: any(b["block_id"].startswith("subscription:") for b in story.top(shared.ana)["blocks"])
        )
    errors = ((await shared.ana.submit()).body or {})["errors"]
    assert any(block_id.startswith(missing) for block_id in errors)
    assert (await story.seen(shared.ana))["callback_id"] == "suspend_form"


def _chose(stage: Stage, action_id: str) -> bool:
    return story.is_chosen(story.top(stage.ana), action_id)


async def test_what_cannot_be_suspended_is_refused_with_the_reason(shared: Stage):
    assert "is suspended already" in await said(shared, "trey", subscription="Premium")
    assert "“pending”" in await said(shared, "wingtip", subscription="Basic")
    assert await story.requests(shared) == {}


async def test_a_hostile_note_stays_text(shared: Stage):
    seen = await said(shared, "contoso", subscription="E3", note="<!channel> *now* \u202e<@U0BEN>")
    assert "<!channel>" not in seen
    assert "<@U0BEN>" not in seen
    assert "\u202e" not in seen
