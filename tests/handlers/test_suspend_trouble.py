"""What the person in front of the form sees when Partner Center or Slack is slow, down or of another mind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from handlers import errors, reading
from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBSCRIPTION = "/subscriptions/"
FILLED = ("views.update", "ok")


@pytest.fixture(autouse=True)
def everything_recovers(shared: Stage) -> Iterator[None]:
    yield
    shared.partner_center.faults.clear()
    story.slack_recovers(shared)


async def test_while_partner_center_is_slow_it_says_so_and_then_what_will_happen(
    shared: Stage, customer: str
):
    shared.partner_center.faults.slow(1.5, method="GET", path_contains=SUBSCRIPTION)
    reading = await story.presses_continue(shared.ana, customer)
    assert "Reading the subscription from Partner Center" in story.words(reading)
    assert reading["submit"] is None

    confirmation = await shared.ana.modal_appears(callback_id="suspend_confirmation")
    assert "will be suspended." in story.words(confirmation)
    assert confirmation["id"] == reading["id"]
    assert (await shared.ana.submit()).ok
    await shared.slack.message_appears(story.APPROVALS, lambda m: story.draft_of(confirmation) in m["text"])


async def test_a_view_slack_does_not_have_yet_is_filled_a_moment_later(shared: Stage, customer: str):
    shared.partner_center.faults.slow(1.3, method="GET", path_contains=SUBSCRIPTION)
    shared.slack.fail("views.update", error="not_found", times=2)
    await story.presses_continue(shared.ana, customer)
    await shared.ana.modal_appears(callback_id="suspend_confirmation")


@pytest.mark.parametrize("trouble", ["break_down", "lose_answer", "rate_limit"])
async def test_a_view_slack_cannot_fill_at_the_moment_is_filled_a_moment_later(
    shared: Stage, customer: str, trouble: str
):
    shared.partner_center.faults.slow(1.3, method="GET", path_contains=SUBSCRIPTION)
    getattr(shared.slack, trouble)("views.update")
    seen = shared.slack.exchanges[-1].number
    await story.presses_continue(shared.ana, customer)
    await shared.ana.modal_appears(callback_id="suspend_confirmation")
    await shared.slack.workspace.news.until(
        lambda: [e for e in shared.slack.exchanges if e.number > seen and (e.method, e.status) == FILLED]
    )


async def test_who_waits_before_a_view_that_slack_never_fills_is_told(
    shared: Stage, customer: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PUSHED_WITHIN", (0.0, 0.0))
    shared.partner_center.faults.slow(1.3, method="GET", path_contains=SUBSCRIPTION)
    shared.slack.break_down("views.update", times=10)
    await story.presses_continue(shared.ana, customer)
    await shared.ana.wait_for(
        lambda: [m for m in shared.ana.dms() if "Slack does not answer at the moment" in story.words(m)]
    )


async def test_slow_and_then_an_error_ends_in_words(shared: Stage, customer: str):
    shared.partner_center.faults.slow(1.3, method="GET", path_contains=SUBSCRIPTION)
    shared.partner_center.faults.add(status=404, method="GET", path_contains=SUBSCRIPTION)
    await story.presses_continue(shared.ana, customer)
    await story.modal_says(shared.ana, "Partner Center does not know this subscription")


async def test_who_does_not_wait_for_a_slow_answer_is_left_in_peace(shared: Stage, customer: str):
    shared.partner_center.faults.slow(1.3, method="GET", path_contains=SUBSCRIPTION)
    await story.presses_continue(shared.ana, customer)
    seen = len(shared.slack.exchanges)
    await story.leaves(shared.ana)
    await shared.slack.workspace.news.until(
        lambda: any(e.method == "views.update" for e in shared.slack.exchanges[seen:])
    )
    assert shared.ana.modal() is None


async def test_partner_center_down_is_said_and_nothing_is_requested(shared: Stage, customer: str):
    shared.partner_center.faults.add(status=503, path_contains="/v1/", times=None)
    view = await story.continues(shared.ana, customer)
    if view["callback_id"] != "suspend_confirmation":
        await story.modal_says(
            shared.ana, "Partner Center does not answer at the moment. Nothing was changed."
        )
    assert story.top(shared.ana)["callback_id"] != "suspend_confirmation"


async def test_sign_in_refused_sends_the_person_to_whoever_runs_it(shared: Stage, customer: str):
    shared.partner_center.expire_tokens()
    shared.partner_center.faults.add(
        status=401,
        path_contains="/token",
        body={"error": "invalid_client", "error_description": "AADSTS7000222: expired"},
        times=None,
    )
    await story.continues(shared.ana, customer)
    await story.modal_says(shared.ana, "`backstop check`")


async def test_suspended_meanwhile_is_said_before_anything_is_requested(shared: Stage, customer: str):
    subscription = shared.partner_center.customer(customer).subscriptions[0]
    shared.partner_center.suspend_outside(subscription.id)
    view = await story.continues(shared.ana, customer, subscription=subscription.name)
    assert "This subscription is suspended already." in story.words(view)
    assert view["submit"] is None


async def test_a_subscription_that_is_gone_is_said_under_its_field(shared: Stage, customer: str):
    await story.starts(shared.ana, f"/csp-suspend {customer}")
    if not story.is_chosen(story.top(shared.ana), "subscription"):
        await shared.ana.choose("subscription", (await shared.ana.suggest("subscription", ""))[0])
    await shared.ana.choose("reason", "Fraud")
    gone = f"{shared.partner_center.customer(customer).id}/subscriptions/"
    shared.partner_center.faults.add(status=404, method="GET", path_contains=gone)
    errors = ((await shared.ana.submit()).body or {})["errors"]
    [(field, said)] = errors.items()
    assert field.startswith("subscription:")
    assert said == shared.app.desk.texts("error-invalid-no-such-subscription")


async def test_a_customer_who_is_not_ours_any_more_is_refused(shared: Stage, customer: str):
    directory = shared.partner_center._directory
    directory._keep(replace(shared.partner_center.customer(customer), relationship="advisor"))
    view = await story.continues(shared.ana, customer)
    assert "no rights on this customer" in story.words(view)
    assert view["submit"] is None


async def test_a_form_slack_does_not_open_is_explained_in_the_channel(shared: Stage, customer: str):
    await story.leaves(shared.ana)
    shared.slack.fail("views.open", error="expired_trigger_id")
    assert (await shared.ana.command(f"/csp-suspend {customer}")).ok
    await story.is_told(shared.ana, "expired_trigger_id", channel="csp-billing")


async def test_it_is_explained_even_while_slack_does_not_say_who_is_in_a_group(shared: Stage, customer: str):
    await story.leaves(shared.ana)
    shared.slack.break_down("views.open")
    shared.slack.slow("usergroups.users.list", 0, times=2)  # of the command itself
    shared.slack.break_down("usergroups.users.list", times=10)
    assert (await shared.ana.command(f"/csp-suspend {customer}")).ok
    await story.is_told(shared.ana, "Slack does not answer at the moment", channel="csp-billing")


async def test_and_told_again_while_slack_takes_no_message(
    shared: Stage, customer: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(errors, "AGAIN_AFTER", (0.0, 0.0))
    await story.leaves(shared.ana)
    for method, times in (("views.open", 1), ("chat.postEphemeral", 1), ("chat.postMessage", 2)):
        shared.slack.fail(method, error="internal_error", times=times)
    seen = len(shared.ana.dms())
    assert (await shared.ana.command(f"/csp-suspend {customer}")).ok
    told = await shared.ana.wait_for(lambda: shared.ana.dms()[seen:])
    assert "Slack does not answer at the moment" in story.words(told[0])


async def test_a_lost_answer_to_the_confirmation_is_made_good_by_the_card(shared: Stage, customer: str):
    view = await story.continues(shared.ana, customer)
    shared.slack.fail("chat.postEphemeral", error="internal_error")
    assert (await shared.ana.submit()).ok
    await shared.ana.wait_for(lambda: [m for m in shared.ana.dms() if story.draft_of(view) in story.words(m)])
