"""The clock a suspension starts: who is told of the data that is going to be deleted, when, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from bot.core import utc_now
from bot.domain.customer import SubscriptionId
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.services import jobs
from handlers.notices import MOST_WARNINGS, Notices
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

PREMIUM = "Microsoft 365 Business Premium"  # a legacy seat: 90 days
LIVES = timedelta(days=90)


def told(messages: list[story.Json]) -> list[str]:
    return [m["text"] for m in messages if f"{PREMIUM} of Contoso" in m["text"] and "deleted" in m["text"]]


async def dawns(stage: Stage, day: date) -> None:
    """That morning's job."""
    await stage.app.core.courier.post(jobs.warn_of_deletion(datetime.combine(day, time(8), UTC)))


async def hear(stage: Stage, times: int) -> None:
    """Wait until the requester and the channel were told so often."""
    await stage.ana.wait_for(lambda: len(told(stage.ana.dms())) >= times or None)
    await stage.slack.message_appears(
        "csp-approvals", lambda _: len(told(stage.slack.messages("csp-approvals"))) >= times
    )


async def suspended(stage: Stage) -> date:
    """Contoso's legacy seats, suspended today; the day after which their data is gone."""
    asked = await story.asks(stage, subscription="Premium")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    return stage.app.core.backstop.digests.today() + LIVES


async def test_who_approves_reads_first_until_when_it_has_to_be_resumed(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage, subscription="Premium")
    deadline = stage.app.core.backstop.digests.today() + LIVES
    day = stage.app.desk.texts.day(deadline)
    assert f"resumed by *{day}* at the latest" in story.words(asked.card)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    done = await asked.shows("Done")
    assert f"Unless resumed by *{day}*" in story.words(done)
    assert "at the latest" not in story.words(done)


async def test_what_is_put_off_lives_on_from_its_day(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage, subscription="Premium")
    digests = stage.app.core.backstop.digests
    request = await stage.app.core.backstop.requests.get(asked.id)
    later = replace(request, not_before=utc_now() + timedelta(days=5))
    [now], [then] = await digests.deadlines_of(request), await digests.deadlines_of(later)
    assert now
    assert then == now + timedelta(days=5)
    strange = replace(request, targets=(replace(request.targets[0], subscription_id=SubscriptionId("gone")),))
    assert await digests.deadlines_of(strange) == (None,)


async def test_channel_and_requester_hear_of_each_warning_once(set_stage: SetStage):
    stage = await set_stage()
    deadline = await suspended(stage)

    for count, left in enumerate((30, 14, 7, 3, 1, -1), start=1):
        for day in (left + 1, left, left):  # the day before, the day, and the same day again
            await dawns(stage, deadline - timedelta(days=day))
        await hear(stage, count)

    assert len(told(stage.ana.dms())) == 6
    in_channel = told(stage.slack.messages("csp-approvals"))
    assert len(in_channel) == 6
    assert "in 30 days" in in_channel[0]
    assert "in 1 day" in in_channel[4]
    assert "may be deleted already" in in_channel[5]


async def test_whoever_was_away_is_told_once_and_the_nearest(set_stage: SetStage):
    stage = await set_stage()
    deadline = await suspended(stage)
    await dawns(stage, deadline - timedelta(days=5))
    await stage.ana.wait_for(lambda: told(stage.ana.dms()) or None)
    assert ["in 5 days" in text for text in told(stage.ana.dms())] == [True]


async def suspended_outside(stage: Stage, customer: str, name: str) -> date | None:
    """Somebody suspended it in the portal and Backstop has read it; the end of its term."""
    held = stage.partner_center.customer(customer).subscription(name)
    stage.partner_center.suspend_outside(held.id)
    await stage.app.core.backstop.customers.refresh()
    return held.term_end.date() if held.term_end else None


def in_channel(stage: Stage, *names: str) -> list[str]:
    """What the channel was told of the deletion of these."""
    seen = (m["text"].replace("\u2060", "") for m in stage.slack.messages("csp-approvals"))
    return [text for text in seen if "data" in text and all(name in text for name in names)]


async def heard_in_channel(stage: Stage, times: int, *names: str) -> None:
    await stage.slack.message_appears("csp-approvals", lambda _: len(in_channel(stage, *names)) >= times)


async def test_what_somebody_else_suspended_is_warned_of_in_the_channel(set_stage: SetStage):
    stage = await set_stage()
    ends = await suspended_outside(stage, "Adatum", "Microsoft 365 Business Standard")
    assert ends is not None
    for count, left in enumerate((30, 14, 7, 3, 1, -1), start=1):
        for _ in range(2):
            await dawns(stage, ends - timedelta(days=left))
        await heard_in_channel(stage, count, "Adatum", "Standard")
    told = in_channel(stage, "Adatum", "Standard")
    assert len(told) == 6
    assert "in 30 days" in told[0]
    assert "may be deleted already" in told[5]
    assert stage.ana.dms() == []


async def test_what_was_over_before_anybody_heard_of_it_is_left_in_peace(set_stage: SetStage):
    stage = await set_stage()
    ends = await suspended_outside(stage, "Adatum", "Microsoft 365 Business Standard")
    assert ends is not None
    notices = Notices(stage.app.desk)
    await notices.warn_of_deletion((ends + timedelta(days=1)).isoformat())
    assert in_channel(stage, "Adatum", "Standard") == []


async def test_a_deadline_nobody_knows_is_told_of_once(set_stage: SetStage):
    silent = PartnerCenterSandbox(now=utc_now)
    silent.faults.add(status=404, path_contains="/auditrecords", times=None)
    # Trey Research has something suspended, and nobody knows since when
    stage = await set_stage(partner_center=silent)
    notices, today = Notices(stage.app.desk), stage.app.core.backstop.digests.today()
    for day in (0, 1, 60):
        await notices.warn_of_deletion((today + timedelta(days=day)).isoformat())
    (told,) = in_channel(stage, "Trey Research")
    assert "is not known. Treat it as urgent." in told
    assert stage.ana.dms() == []


async def test_many_unknown_deadlines_do_not_keep_the_known_ones_waiting(set_stage: SetStage):
    stage = await set_stage()
    for customer in stage.partner_center.customers:
        for held in customer.subscriptions:
            if held.kind == "legacy seat" and held.status == "active":
                stage.partner_center.suspend_outside(held.id)
    async with stage.app.core.store.begin() as tx:  # so that nothing is known of when
        await tx.connection.exec_driver_sql("DELETE FROM subscriptions")
    ends = await suspended_outside(stage, "Adatum", "Microsoft 365 Business Standard")
    assert ends is not None
    await Notices(stage.app.desk).warn_of_deletion((ends - timedelta(days=3)).isoformat())
    assert len(in_channel(stage, "Adatum", "Standard")) == 1
    assert len([text for text in in_channel(stage) if "is not known" in text]) <= MOST_WARNINGS


async def test_a_resumption_stops_the_clock(set_stage: SetStage):
    stage = await set_stage()
    await suspended(stage)
    asked = await story.asks(stage, stage.ana, subscription="Premium", command="/csp-resume")
    await asked.shows("Done")
    counting = await stage.app.core.backstop.digests.countdowns()
    assert "Contoso Ltd" not in [c.customer.name for c in counting if c.customer]
