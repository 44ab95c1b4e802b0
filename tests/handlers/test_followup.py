"""*Snooze*, *Promise to pay* and *Owner* in Slack: forms, rights, and the digest that shows what was said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.sandbox.slack import Player
from handlers import ids
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_digests import OVERDUE, post, take_in
from tests.stage import Stage, Transport

DEBTORS = [("Contoso Ltd", "contoso.onmicrosoft.com"), ("Fabrikam, Inc.", "fabrikam.onmicrosoft.com")]


async def digest(stage: Stage) -> story.Json:
    today = stage.app.core.backstop.digests.today()
    await take_in(stage, DEBTORS, today)
    return await post(stage, today)


async def opens(who: Player, message: story.Json, button: str, form: str) -> story.Json:
    """Contoso's: it comes first."""
    assert (await who.click(message, button)).ok
    return await who.modal_appears(callback_id=form)


async def redrawn(stage: Stage, posted: story.Json, said: str) -> story.Json:
    return await stage.slack.message_appears(
        OVERDUE, lambda m: m["ts"] == posted["ts"] and said in story.lines(m)
    )


async def snoozes(stage: Stage, posted: story.Json, why: str = "waits for a credit & <more>") -> story.Json:
    await opens(stage.ana, posted, "Snooze", "snooze_form")
    stage.ana.type("note", why)
    assert (await stage.ana.submit()).ok
    return await redrawn(stage, posted, "Snoozed: 1 customer")


async def audited(stage: Stage) -> list[tuple[str, str]]:
    async with stage.app.core.store.read() as tx:
        tags = ("customer:", "access:")
        return [(str(e.tag), e.by) async for e in tx.audit.since() if str(e.tag).startswith(tags)]


async def test_a_snoozed_customer_goes_to_the_end_and_can_be_woken(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    posted = await digest(stage)
    form = await opens(stage.ana, posted, "Snooze", "snooze_form")
    assert "Contoso Ltd" in story.lines(form)
    refused = await stage.ana.submit()
    assert "note" in ((refused.body or {}).get("errors") or {})
    await stage.ana.close_modal()

    after = await snoozes(stage, posted)
    said = story.lines(after)
    assert "waits for a credit &amp; &lt;more&gt;" in said
    assert "<@U0ANA>" in said
    assert said.index("Fabrikam") < said.index("Contoso")
    await story.is_told(stage.ana, "snoozed until", channel=OVERDUE)

    form = await opens(stage.ana, after, "Change", "snooze_form")
    assert "waits for a credit" in str(form["state"])
    assert (await stage.ana.click_modal("Wake up")).ok
    await story.modal_says(stage.ana, "is awake again")
    awake = await redrawn(stage, posted, "*Contoso Ltd*")
    awake = await stage.slack.message_appears(
        OVERDUE, lambda m: m["ts"] == posted["ts"] and "Snoozed" not in story.lines(m)
    )
    assert story.buttons(awake) == story.buttons(posted)
    assert await audited(stage) == [("customer:snoozed", "U0ANA"), ("customer:woken", "U0ANA")]


@pytest.mark.parametrize(
    ("days", "said"),
    [pytest.param(0, "after today", id="today"), pytest.param(91, "At most 90 days", id="too far ahead")],
)
async def test_a_day_that_will_not_do_is_told_under_its_field(set_stage: SetStage, days: int, said: str):
    stage = await set_stage()
    posted = await digest(stage)
    await opens(stage.ana, posted, "Snooze", "snooze_form")
    stage.ana.type("note", "because")
    day = stage.app.core.backstop.digests.today() + timedelta(days=days)
    await stage.ana.pick("date", day.isoformat())
    refused = await stage.ana.submit()
    assert said in ((refused.body or {}).get("errors") or {})["date"]
    assert await audited(stage) == []


async def test_a_promise_is_shown_and_the_next_one_is_an_approvers(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    posted = await digest(stage)
    soon = stage.app.core.backstop.digests.today() + timedelta(days=3)
    await opens(stage.ana, posted, "Promise to pay", "promise_form")
    await stage.ana.pick("date", (soon + timedelta(days=30)).isoformat())
    refused = await stage.ana.submit()
    assert "At most 14 days" in ((refused.body or {}).get("errors") or {})["date"]
    await stage.ana.pick("date", soon.isoformat())
    stage.ana.type("note", "Jim, by phone")
    assert (await stage.ana.submit()).ok
    after = await redrawn(stage, posted, "promised to pay until")
    await story.is_told(stage.ana, "promise to pay recorded until", channel=OVERDUE)

    assert (await stage.ana.click(after, "Promise to pay")).ok
    await story.modal_says(stage.ana, "lets an operator record 1")
    await story.leaves(stage.ana)
    form = await opens(stage.ben, after, "Promise to pay", "promise_form")
    assert "1 promise since the debt began" in story.lines(form)
    assert "Jim, by phone" in story.lines(form)
    await stage.ben.pick("date", (soon + timedelta(days=2)).isoformat())
    assert (await stage.ben.submit()).ok
    await story.is_told(stage.ben, "promise to pay recorded until", channel=OVERDUE)
    assert await audited(stage) == [
        ("customer:promised", "U0ANA"),
        ("access:refused", "U0ANA"),
        ("customer:promised", "U0BEN"),
    ]


async def test_an_owner_is_named_in_the_row(set_stage: SetStage):
    stage = await set_stage()
    posted = await digest(stage)
    await opens(stage.ana, posted, "Owner", "owner_form")
    await stage.ana.pick("owner", "U0MEI")
    assert (await stage.ana.submit()).ok
    after = await redrawn(stage, posted, "owner: <@U0MEI>")
    await story.is_told(stage.ana, "looks after this customer from now on", channel=OVERDUE)
    form = await opens(stage.ana, after, "Owner", "owner_form")
    assert story.element(form, "owner")["initial_user"] == "U0MEI"
    await stage.ana.pick("owner", None)
    assert (await stage.ana.submit()).ok
    await stage.slack.message_appears(
        OVERDUE, lambda m: m["ts"] == posted["ts"] and "owner:" not in story.lines(m)
    )


async def test_to_wake_somebody_the_books_are_not_read(set_stage: SetStage):
    stage = await set_stage()
    after = await snoozes(stage, await digest(stage))
    await opens(stage.ana, after, "Change", "snooze_form")
    async with story.books_unanswered():
        assert (await stage.ana.click_modal("Wake up")).ok
        await story.modal_says(stage.ana, "is awake again")


FORMS = [("Snooze", "snooze_form"), ("Promise to pay", "promise_form"), ("Owner", "owner_form")]


@pytest.mark.parametrize(("button", "form"), FORMS)
async def test_a_form_is_acknowledged_and_open_before_the_books_are_read(
    set_stage: SetStage, button: str, form: str
):
    stage = await set_stage()
    posted = await digest(stage)
    async with story.books_unanswered():
        await opens(stage.ana, posted, button, ids.READING)
    await stage.ana.modal_appears(callback_id=form)


@pytest.mark.parametrize("button", [button for button, _ in FORMS])
async def test_who_waits_for_a_form_hears_it_where_the_books_cannot_be_read(set_stage: SetStage, button: str):
    stage = await set_stage()
    posted = await digest(stage)
    async with stage.app.core.store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE open_items RENAME TO gone")
    assert (await stage.ana.click(posted, button)).ok
    await story.modal_says(stage.ana, "database")


@pytest.mark.parametrize("button", ["Snooze", "Promise to pay", "Owner"])
async def test_who_may_not_is_told_so_and_sees_no_form(set_stage: SetStage, button: str):
    stage = await set_stage()
    posted = await digest(stage)
    assert (await stage.eve.click(posted, button)).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert stage.eve.modal() is None
    assert await audited(stage) == [("access:refused", "U0EVE")]


async def test_the_right_is_read_again_when_the_form_is_sent(set_stage: SetStage):
    stage = await set_stage()
    posted = await digest(stage)
    await opens(stage.ana, posted, "Snooze", "snooze_form")
    stage.ana.type("note", "because")
    groups = stage.slack.workspace.groups
    groups["S0BILLING"] = replace(groups["S0BILLING"], members=())
    assert (await stage.ana.submit()).ok
    assert "BACKSTOP_OPERATORS" in story.words(await story.seen(stage.ana))
    assert await audited(stage) == [("access:refused", "U0ANA")]


async def test_the_same_form_sent_twice_does_it_once(set_stage: SetStage):
    stage = await set_stage(transport="http")
    posted = await digest(stage)
    await snoozes(stage, posted)
    payload = story.delivered(stage, "view_submission")
    status, _ = await story.forges(stage, payload)
    assert status == 200
    assert await audited(stage) == [("customer:snoozed", "U0ANA")]
