"""The App Home: who sees what when they open it, and what its buttons do."""

from __future__ import annotations

import pytest

from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_who_asked_sees_their_request_and_who_decides_the_way_to_its_card(shared: Stage, customer: str):
    asked = await story.asks(shared, customer=customer)
    mine, theirs = await shared.ana.open_home(), await shared.mei.open_home()
    assert "Waits for your decision" not in story.words(mine)
    assert asked.id in story.words(mine).partition("What you asked for")[2]
    to_decide = story.words(theirs).partition("等待您审批")[2].partition("未完成的工单")[0]
    assert asked.id in to_decide
    assert f"/{asked.card['ts']}|查看并审批>" in to_decide
    assert (await shared.ana.click(asked.card, "Withdraw")).ok
    assert asked.id not in story.words(await shared.mei.open_home())


async def test_its_buttons_open_the_forms_and_what_comes_of_it_is_told_in_a_message(
    shared: Stage, customer: str
):
    assert story.buttons(await shared.ana.open_home()) == ["Suspend", "Resume", "Open ticket"]
    assert (await shared.ana.click_home("Resume")).ok
    await shared.ana.modal_appears(callback_id="resume_form")
    await story.leaves(shared.ana)
    assert (await shared.ana.click_home("Suspend")).ok
    await shared.ana.modal_appears(callback_id="suspend_form")
    await shared.ana.choose("customer", (await shared.ana.suggest("customer", customer))[0])
    await shared.ana.choose("subscription", (await shared.ana.suggest("subscription", ""))[0])
    await shared.ana.choose("reason", "Fraud")
    assert (await shared.ana.submit()).ok
    request_id = story.draft_of(await story.seen(shared.ana))
    assert (await shared.ana.submit()).ok
    said = await story.is_messaged(shared.ana, request_id)
    assert "waits for approval in <#C0APPROVALS>" in story.words(said)


async def test_it_is_written_again_when_its_viewer_has_changed_what_it_shows(shared: Stage, customer: str):
    await shared.ana.open_home()
    asked = await story.asks(shared, customer=customer)
    assert await shared.ana.wait_for(lambda: asked.id in story.words(shared.ana.home() or {}))
    assert (await shared.ana.click(asked.card, "Withdraw")).ok
    assert await shared.ana.wait_for(lambda: asked.id not in story.words(shared.ana.home() or {}))


async def test_the_figures_are_those_of_the_digest(shared: Stage):
    assert (await shared.ana.command("/csp overdue")).ok
    told = await shared.ana.wait_for(
        lambda: next((m for m in shared.ana.messages("csp-billing") if _fields(m)), None)
    )
    totals = _fields(told)[0]
    home = await shared.ana.open_home()
    assert totals in [[without_id(f) for f in b["fields"]] for b in home["blocks"] if b.get("fields")]
    assert "• Receivables, the imported file: of " in story.words(home), "what they rest on"


def _fields(shown: story.Json) -> list[list[story.Json]]:
    return [b["fields"] for b in shown.get("blocks", []) if b.get("fields")]


def without_id(field: story.Json) -> story.Json:
    return {name: field[name] for name in ("type", "text", "verbatim")}


async def test_a_newcomer_reads_what_this_is_and_whom_to_ask_and_no_customers_name(shared: Stage):
    home = await shared.eve.open_home()
    said = story.words(home)
    assert story.buttons(home) == []
    assert "*operator*" in said
    assert "<@U0ANA>" in said.partition("Aktionen anfragen dürfen")[2]
    assert not [c.name for c in shared.partner_center.customers if c.name in said]
