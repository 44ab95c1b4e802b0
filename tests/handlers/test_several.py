"""Several subscriptions of a customer in one request: asked for, carried out, and what failed tried again."""

from __future__ import annotations

from bot.domain.request import Status
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, Transport

CUSTOMER = "Contoso"
ALL = "All 3 that can be suspended"
NAMES = ("Microsoft 365 Business Premium", "Microsoft 365 E3", "Power BI Premium Trial")


async def confirms_all(stage: Stage, *, reason: str = "Non-payment", option: str = ALL) -> story.Json:
    """Choose all subscriptions of Contoso and press *Continue*; the confirmation."""
    await story.starts(stage.ana, "/csp-suspend contoso")
    await stage.ana.suggest("subscription", "")
    assert (await stage.ana.choose("subscription", option)).ok
    await stage.ana.choose("reason", reason)
    assert (await stage.ana.submit()).ok
    return await story.modal_says(stage.ana, "in one request")


async def asks_for_all(stage: Stage, **filled_in: str) -> tuple[story.Json, str]:
    view = await confirms_all(stage, **filled_in)
    assert (await stage.ana.submit()).ok
    request_id = story.draft_of(view)
    card = await stage.slack.message_appears(
        story.APPROVALS, lambda m: request_id in m["text"] and bool(m.get("blocks"))
    )
    return card, request_id


async def shows(stage: Stage, card: story.Json, said: str) -> story.Json:
    return await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == card["ts"] and said in f"{m['text']}\n{story.lines(m)}"
    )


def statuses(stage: Stage) -> list[str]:
    return [s.status for s in stage.partner_center.customer(CUSTOMER).subscriptions]


async def test_all_of_a_customer_are_suspended_by_one_approval(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    view = await confirms_all(stage)
    seen = story.words(view).replace("\u2060", "")
    assert all(name in seen for name in NAMES)
    assert "Microsoft keeps billing you until the term ends" in seen
    assert "1 of them is a trial: Microsoft does not bill it" in seen
    assert "does not bill you while it is suspended" in seen

    card, _ = await asks_for_all(stage)
    assert "3 subscriptions of Contoso Ltd" in card["text"]
    assert statuses(stage) == ["active"] * 3
    assert (await stage.ben.click(card, "Approve")).ok

    done = await shows(stage, card, "3 of 3 done")
    assert all(f"✔ {name}" in story.lines(done) for name in NAMES)
    assert statuses(stage) == ["suspended"] * 3
    assert len(stage.partner_center.writes) == 3
    assert story.buttons(done) == []
    await story.is_messaged(stage.ana, "3 of 3 done")


async def test_what_failed_is_told_one_by_one_and_tried_again_alone(set_stage: SetStage):
    stage = await set_stage()
    card, request_id = await asks_for_all(stage)
    held = stage.partner_center.customer(CUSTOMER).subscription("Microsoft 365 E3")
    e3 = held.id
    refusal = {"code": 800042, "description": "Not supported."}
    stage.partner_center.faults.add(status=400, method="PATCH", path_contains=e3, body=refusal)
    assert (await stage.ben.click(card, "Approve")).ok

    def ends() -> list[str]:
        return [m["text"].partition(":")[0] for m in stage.ana.dms() if request_id in m["text"]]

    failed = await shows(stage, card, "2 of 3 done, 1 failed")
    assert f"✖ Microsoft 365 E3 × {held.quantity}: Partner Center does not allow it" in story.lines(failed)
    assert sorted(statuses(stage)) == ["active", "suspended", "suspended"]
    assert (await stage.eve.click(failed, "Retry failed")).ok
    await story.is_told(stage.eve, "approve", since=card["ts"])
    assert (await stage.app.core.backstop.requests.get(request_id)).status is Status.FAILED

    await stage.ana.wait_for(lambda: len(ends()) == 1 or None)
    assert (await stage.ana.click(failed, "Retry failed")).ok
    await shows(stage, card, "3 of 3 done")
    assert statuses(stage) == ["suspended"] * 3
    assert len(stage.partner_center.writes) == 3, "what was done is not done again"

    await stage.ana.wait_for(lambda: len(ends()) >= 2 or None)
    assert ends() == ["Failed", "Done"], "each end is told"


async def test_what_cannot_be_suspended_is_left_out_and_named(set_stage: SetStage):
    stage = await set_stage()
    trial = stage.partner_center.customer(CUSTOMER).subscription("Power BI Premium Trial")
    stage.partner_center.change(trial.id, status="expired")
    view = await confirms_all(stage)
    seen = story.words(view).replace("\u2060", "")
    assert "2 subscriptions* of *Contoso Ltd*" in seen
    assert "Power BI Premium Trial: Only an active subscription can be suspended." in seen


async def test_one_of_them_asked_for_already_is_left_out_and_named(set_stage: SetStage):
    stage = await set_stage()
    first = await story.asks(stage)
    await story.starts(stage.ana, "/csp-suspend contoso")
    offered = await stage.ana.suggest("subscription", "")
    told = {option["text"]["text"]: option.get("description", {}).get("text", "") for option in offered}
    assert [name for name, said in told.items() if "already asked for" in said] == ["Microsoft 365 E3 × 120"]
    seen = story.words(await confirms_all(stage, option="All 2 that can be suspended"))
    assert "2 subscriptions* of *Contoso Ltd*" in seen.replace("\u2060", "")
    assert f"The same is being asked for already, in request {first.id}." in seen


async def test_one_of_them_asked_for_meanwhile_is_not_asked_for_twice(set_stage: SetStage):
    stage = await set_stage(backstop_operators="U0ANA,U0BEN")
    await confirms_all(stage)
    first = await story.asks(stage, stage.ben)
    assert (await stage.ana.submit()).ok
    await story.modal_says(stage.ana, first.id)


async def test_one_alone_that_is_asked_for_already_is_refused_before_it_is_confirmed(set_stage: SetStage):
    stage = await set_stage()
    first = await story.asks(stage)
    await story.starts(stage.ana, "/csp-suspend contoso")
    assert (await stage.ana.choose("subscription", "E3")).ok
    await stage.ana.choose("reason", "Non-payment")
    assert (await stage.ana.submit()).ok
    await story.modal_says(stage.ana, f"asked for already, in request {first.id}")


async def test_a_customers_suspended_ones_are_resumed_together_the_base_first(set_stage: SetStage):
    stage = await set_stage()
    ours = [c for c in stage.partner_center.customers if c.relationship == "reseller"]
    owner = next(c for c in ours if any(s.parent_id for s in c.subscriptions))
    base = next(s for s in owner.subscriptions if any(o.parent_id == s.id for o in owner.subscriptions))
    stage.partner_center.suspend_outside(base.id)
    await stage.app.core.backstop.customers.refresh()
    await story.starts(stage.ana, f"/csp-resume {owner.domain}")
    await stage.ana.suggest("subscription", "")
    assert (await stage.ana.choose("subscription", "All 2 suspended ones")).ok
    await stage.ana.choose("reason", "Customer request")
    assert (await stage.ana.submit()).ok
    await story.modal_says(stage.ana, "Each add-on follows once the subscription it belongs to is active.")
    assert (await stage.ana.submit()).ok

    await stage.slack.message_appears(story.APPROVALS, lambda m: "2 of 2 done" in story.lines(m))
    resumed = [w.subscription_id for w in stage.partner_center.writes]
    assert len(resumed) == 2
    assert resumed[0] == base.id
