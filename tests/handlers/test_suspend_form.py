"""The form of `/csp-suspend`: prefilled, searched and searchable."""

from __future__ import annotations

import pytest

from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def form(stage: Stage, line: str, said: str = "") -> story.Json:
    await story.starts(stage.ana, line)
    return await story.modal_says(stage.ana, said)


def chosen(view: story.Json, action_id: str) -> str | None:
    for inputs in view["state"]["values"].values():
        if action_id in inputs and inputs[action_id]["selected_option"]:
            return str(inputs[action_id]["selected_option"]["text"]["text"])
    return None


async def test_without_text_the_form_is_empty(shared: Stage):
    view = await form(shared, "/csp-suspend")
    assert [view["title"]["text"], view["submit"]["text"]] == ["Suspend subscription", "Continue"]
    labels = [b["label"]["text"] for b in view["blocks"] if b["type"] == "input"]
    assert labels == ["Customer", "Subscription", "Reason", "When", "Note"]
    reasons = story.element(view, "reason")["options"]
    assert story.names(reasons) == ["Non-payment", "Fraud", "Misuse", "Customer request"]
    assert chosen(view, "customer") is None


async def test_one_match_is_filled_in(shared: Stage):
    view = await form(shared, "/csp-suspend contoso", "is *Contoso Ltd*")
    assert chosen(view, "customer") == "Contoso Ltd"
    assert chosen(view, "subscription") is None


async def test_the_only_active_subscription_is_filled_in_too(shared: Stage):
    view = await form(shared, "/csp-suspend fourth", "is *Fourth Coffee*")
    assert chosen(view, "subscription") == "Microsoft 365 Business Basic × 14"


async def test_several_matches_are_offered_with_their_domains(shared: Stage):
    view = await form(shared, "/csp-suspend alpine", "2 customers match “alpine”.")
    assert chosen(view, "customer") is None
    offered = await shared.ana.suggest("customer", "")
    assert [(o["text"]["text"], o["description"]["text"]) for o in offered] == [
        ("Alpine Ski House", "alpineskihouse-davos.onmicrosoft.com"),
        ("Alpine Ski House", "alpineskihouse.onmicrosoft.com"),
    ]


async def test_no_match_says_so_and_everybody_is_offered(shared: Stage):
    await form(shared, "/csp-suspend <!here>", "No customer matches “&lt;!here&gt;”.")
    assert len(await shared.ana.suggest("customer", "")) > 40


async def test_a_customer_of_somebody_else_cannot_be_chosen(shared: Stage):
    view = await form(shared, "/csp-suspend relecloud", "No customer matches")
    assert chosen(view, "customer") is None
    assert "Relecloud" not in story.names(await shared.ana.suggest("customer", "relecloud"))


async def test_a_subscription_id_fills_both_in(shared: Stage):
    subscription = shared.partner_center.customer("Contoso").subscription("Microsoft 365 E3")
    for typed in (subscription.id, f"  {subscription.id.upper()} "):
        view = await form(shared, f"/csp-suspend {typed}", "Contoso Ltd")
        assert chosen(view, "customer") == "Contoso Ltd"
        assert chosen(view, "subscription") == "Microsoft 365 E3 × 120"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("cont", ["Contoso Ltd"]),
        ("月", []),
        ("上海", ["上海澜图信息技术有限公司"]),
        ("gruenwald.onm", ["Bäckerei Grünwald GmbH & Co. KG"]),
    ],
)
async def test_customers_are_offered_while_one_types(shared: Stage, typed: str, offered: list[str]):
    await form(shared, "/csp-suspend")
    found = story.names(await shared.ana.suggest("customer", typed))
    assert found == offered if offered else len(found) > 40


async def test_subscriptions_of_the_chosen_customer_and_of_nobody_else_are_offered(shared: Stage):
    await form(shared, "/csp-suspend")
    assert await shared.ana.suggest("subscription", "") == []

    assert (await shared.ana.choose("customer", "Contoso Ltd")).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), "customer"))
    contoso = {
        "Microsoft 365 Business Premium × 48",
        "Microsoft 365 E3 × 120",
        "Power BI Premium Trial × 25",
    }
    offered = set(story.names(await shared.ana.suggest("subscription", "")))
    assert offered == contoso | {"All 3 that can be suspended"}
    assert story.names(await shared.ana.suggest("subscription", "e3")) == ["Microsoft 365 E3 × 120"]
    await shared.ana.choose("subscription", "Microsoft 365 E3 × 120")

    assert (await shared.ana.choose("customer", "Adatum Corporation")).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), "subscription") is None)
    now_offered = set(story.names(await shared.ana.suggest("subscription", "")))
    assert now_offered == {
        "Microsoft 365 Business Standard × 65",
        "Exchange Online (Plan 1) × 10",
        "All 2 that can be suspended",
    }


async def test_the_reason_stays_when_the_customer_changes(shared: Stage):
    await form(shared, "/csp-suspend contoso", "Contoso")
    await shared.ana.choose("reason", "Misuse")
    assert (await shared.ana.choose("customer", "Fourth Coffee")).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), "subscription"))
    view = story.top(shared.ana)
    assert chosen(view, "reason") == "Misuse"
    assert chosen(view, "subscription") == "Microsoft 365 Business Basic × 14"


async def test_what_is_suspended_already_stays_in_sight_behind_what_is_active(shared: Stage):
    await form(shared, "/csp-suspend trey", "Trey Research")
    offered = await shared.ana.suggest("subscription", "")
    assert [(o["text"]["text"], o["description"]["text"]) for o in offered] == [
        ("Project Plan 3 × 4", "active"),
        ("Microsoft 365 Business Premium × 29", "suspended"),
    ]


async def test_the_global_shortcut_opens_the_empty_form(shared: Stage):
    await story.leaves(shared.ana)
    assert (await shared.ana.shortcut("suspend_subscription")).ok
    view = await shared.ana.modal_appears(callback_id="suspend_form")
    assert chosen(view, "customer") is None


async def test_a_button_of_find_opens_the_form_for_that_customer(shared: Stage):
    await story.leaves(shared.ana)
    assert (await shared.ana.command("/csp find fourth coffee")).ok
    answer = shared.ana.messages()[-1]
    assert (await shared.ana.click(answer, "Suspend")).ok
    view = await shared.ana.modal_appears(callback_id="suspend_form")
    assert chosen(view, "customer") == "Fourth Coffee"
    assert chosen(view, "reason") == "Non-payment"


async def test_without_the_right_neither_form_nor_names_are_given_out(shared: Stage):
    ack = await shared.eve.command("/csp-suspend contoso")
    assert "BACKSTOP_OPERATORS" in story.words(ack.body or {})
    assert "Contoso" not in story.words(ack.body or {})
    assert (await shared.eve.shortcut("suspend_subscription")).ok
    await shared.eve.wait_for(lambda: [m for m in shared.eve.dms() if "BACKSTOP_OPERATORS" in m["text"]])
    assert shared.eve.modal() is None


async def test_a_form_carries_nothing_but_an_opaque_id(shared: Stage):
    view = await form(shared, "/csp-suspend contoso", "Contoso")
    assert view["private_metadata"].startswith("R-")
    assert len(view["private_metadata"]) == 12
