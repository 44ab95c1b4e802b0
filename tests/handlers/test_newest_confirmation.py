"""*Confirm* does what the confirmation on the screen says, however long an earlier *Continue* is still read."""

from __future__ import annotations

import pytest

from bot.domain.request import Status
from handlers import ids, reading
from tests.conftest import SetStage
from tests.handlers import story, ticketing
from tests.stage import Stage

E3, PREMIUM = "Microsoft 365 E3", "Microsoft 365 Business Premium"
OUTDATED = "This confirmation is not up to date any more"
SLOW = 4.0


@pytest.fixture(autouse=True)
def hardly_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read shows as being read a little sooner."""
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0.5)


async def overtakes(
    stage: Stage, command: str, first: str, then: str, *, slow: str, reason: str = "Customer request"
) -> story.Json:
    """*Continue* with one, and while that is still read *Back* and *Continue* with another; its confirmation.

    What is read for the first ends behind it, while Slack fills no view.
    """
    stage.partner_center.faults.slow(SLOW, method="GET", path_contains=slow)
    await story.starts(stage.ana, f"{command} contoso")
    await continues(stage, first, reason)
    assert story.top(stage.ana)["callback_id"] == ids.READING, "the first is not slow enough"
    assert (await stage.ana.close_modal()).ok
    await continues(stage, then, reason)
    view = await story.seen(stage.ana)
    stage.slack.break_down("views.update", times=20)
    seen = len(story.calls(stage, "views.update"))

    await stage.app.desk.drain()

    assert len(story.calls(stage, "views.update")) == seen, "the first fills no view"
    story.slack_recovers(stage)
    assert story.top(stage.ana) == view
    assert then.removesuffix(" ×") in story.words(view).replace("\u2060", "")
    return view


async def continues(stage: Stage, subscription: str, reason: str) -> None:
    await stage.ana.suggest(ids.SUBSCRIPTION, "")
    assert (await stage.ana.choose(ids.SUBSCRIPTION, subscription)).ok
    await stage.ana.choose(ids.REASON, reason)
    assert (await stage.ana.submit()).ok


async def continues_slowly_with_a_ticket(stage: Stage) -> None:
    assert (await stage.ana.command("/csp-ticket contoso")).ok
    await stage.ana.modal_appears(callback_id=ids.TICKET_FORM)
    stage.ana.type(ids.TICKET_DESCRIPTION, "Since Monday.")
    stage.ana.type(ids.TICKET_TITLE, "Mail is late")
    stage.partner_center.faults.slow(SLOW, method="GET", path_contains="/subscriptions")
    assert (await stage.ana.submit()).ok
    assert story.top(stage.ana)["callback_id"] == ids.READING


def held(stage: Stage, name: str) -> str:
    return stage.partner_center.customer("Contoso").subscription(name).id


@pytest.mark.parametrize("first", ["E3", "All 3 that can be suspended"], ids=["one", "all"])
async def test_a_slower_one_before_it_is_not_suspended(set_stage: SetStage, first: str):
    stage = await set_stage()
    slow = f"/subscriptions/{held(stage, E3)}" if first == "E3" else "/subscriptions"
    view = await overtakes(stage, "/csp-suspend", first, PREMIUM, slow=slow)

    assert (await stage.ana.submit()).ok

    request = await stage.app.core.backstop.requests.get(story.draft_of(view))
    assert [t.name for t in request.targets] == [PREMIUM]


async def test_a_slower_one_before_it_is_not_resumed(set_stage: SetStage):
    stage = await set_stage()
    for name in (E3, PREMIUM):
        stage.partner_center.suspend_outside(held(stage, name))
    await stage.app.core.backstop.customers.refresh()
    slow = f"/subscriptions/{held(stage, E3)}"
    await overtakes(stage, "/csp-resume", "E3", PREMIUM, slow=slow)

    assert (await stage.ana.submit()).ok

    await stage.slack.message_appears(story.APPROVALS, lambda m: m["text"].startswith("Done"))
    assert [w.subscription_id for w in stage.partner_center.writes] == [held(stage, PREMIUM)]


async def test_what_goes_wrong_with_the_slower_one_is_not_shown(set_stage: SetStage):
    stage = await set_stage()
    slow = f"/subscriptions/{held(stage, E3)}"
    stage.partner_center.faults.add(status=404, method="GET", path_contains=slow)
    stage.partner_center.faults.slow(SLOW, method="GET", path_contains=slow)
    await overtakes(stage, "/csp-suspend", "E3", PREMIUM, slow=slow)
    assert stage.ana.dms() == []
    assert (await stage.ana.submit()).ok
    assert await story.requests(stage) == {Status.PENDING: 1}


async def test_of_an_earlier_confirmation_nothing_is_placed(set_stage: SetStage):
    stage = await set_stage(transport="http")
    earlier = await story.continues(stage.ana, subscription="E3")
    assert (await stage.ana.close_modal()).ok
    await continues(stage, PREMIUM, "Fraud")
    newest = await story.seen(stage.ana)
    submitted = story.delivered(stage, "view_submission")
    draft = story.draft_of(newest)

    for carried in (earlier["private_metadata"], draft, f"{draft}:"):
        status, answer = await story.forges(
            stage, submitted | {"view": newest | {"private_metadata": carried}}
        )
        assert status == 200
        assert OUTDATED in answer
    assert await story.requests(stage) == {}

    assert (await stage.ana.submit()).ok
    again = await stage.slack.redeliver()
    assert (again.ok, again.body) == (True, {"response_action": "clear"})
    request = await stage.app.core.backstop.requests.get(draft)
    assert [t.name for t in request.targets] == [PREMIUM]
    assert await story.requests(stage) == {Status.PENDING: 1}


async def test_from_an_earlier_list_of_what_runs_nothing_is_cancelled(set_stage: SetStage):
    stage = await set_stage(transport="http")
    owner = "Humongous Insurance"
    earlier = await story.continues(stage.ana, owner, subscription="Azure plan", reason="Fraud")
    assert (await stage.ana.close_modal()).ok
    await stage.ana.choose(ids.REASON, "Misuse")
    assert (await stage.ana.submit()).ok
    newest = await story.seen(stage.ana)
    block = next(b["block_id"] for b in newest["blocks"] if b.get("accessory"))
    assert (await stage.ana.click_modal(ids.CANCEL_AZURE, block_id=block)).ok
    shown = await story.modal_says(stage.ana, "because it is compromised")
    clicked = story.delivered(stage, "block_actions")

    status, _ = await story.forges(stage, clicked | {"view": earlier})

    assert status == 200
    await stage.ana.wait_for(lambda: [m for m in stage.ana.dms() if OUTDATED in story.words(m)])
    assert story.top(stage.ana) == shown


async def test_a_slower_ticket_before_it_is_not_opened(set_stage: SetStage):
    stage = await set_stage(**ticketing.CHANNEL)
    await continues_slowly_with_a_ticket(stage)
    assert (await stage.ana.close_modal()).ok
    stage.ana.type(ids.TICKET_TITLE, "Mail is lost")
    assert (await stage.ana.submit()).ok
    view = await story.modal_says(stage.ana, "The draft")
    stage.slack.break_down("views.update", times=20)
    await stage.app.desk.drain()
    story.slack_recovers(stage)
    assert story.top(stage.ana) == view

    assert (await stage.ana.submit()).ok

    ticket = await stage.app.core.backstop.tickets.get(story.draft_of(view))
    assert ticket.matter
    assert ticket.matter.title == "Mail is lost"
    assert "Mail is lost" in story.words(view)


@pytest.mark.parametrize("transport", ["socket", "http"])
@pytest.mark.parametrize("seconds", [0, SLOW], ids=["read at once", "read slowly"])
async def test_one_that_is_delivered_twice_is_one(set_stage: SetStage, transport: str, seconds: float):
    stage = await set_stage(transport=transport)
    await story.starts(stage.ana, "/csp-suspend contoso")
    if seconds:
        slow = f"/subscriptions/{held(stage, E3)}"
        stage.partner_center.faults.slow(seconds, method="GET", path_contains=slow)
    await continues(stage, E3, "Customer request")

    again = await stage.slack.redeliver()

    await stage.app.desk.drain()
    view = await story.seen(stage.ana)
    assert view["callback_id"] == ids.SUSPEND_CONFIRMATION
    assert again.ok
    assert again.body
    assert again.body["view"].get("private_metadata", "") in ("", view["private_metadata"])
    assert (await stage.ana.submit()).ok
    assert await story.requests(stage) == {Status.PENDING: 1}
    assert stage.ana.dms() == []


async def test_a_ticket_s_that_is_delivered_twice_is_one(set_stage: SetStage):
    stage = await set_stage(**ticketing.CHANNEL)
    await continues_slowly_with_a_ticket(stage)

    assert (await stage.slack.redeliver()).ok

    view = await story.modal_says(stage.ana, "The draft")
    await stage.app.desk.drain()
    assert (await stage.ana.submit()).ok
    ticket = await stage.app.core.backstop.tickets.get(story.draft_of(view))
    assert ticket.matter
