"""Breaking the glass over a real database: what still holds, what is on record, and who is told and reminded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from bot.domain.action import Reason
from bot.domain.audit import AuditTag
from bot.domain.errors import (
    AlreadyDecided,
    BeyondRights,
    CodeNeeded,
    GlassKept,
    GlassReviewed,
    Invalid,
    NotFound,
    NotPermitted,
)
from bot.domain.glass import BreakGlass, Finding
from bot.domain.people import Right
from bot.domain.reach import Grant
from bot.domain.request import Status
from bot.domain.step_up import StepUp
from bot.services import jobs
from tests.builders import ana, ben, boss, eve, mei
from tests.services.conftest import OpenWorkshop
from tests.services.test_step_up import STEP, enrols
from tests.services.workshop import AFTER_A_WARNING, PREMIUM, Workshop

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WHY = "Card fraud: 400 new seats in ten minutes"
NIGHT = replace(AFTER_A_WARNING, break_glass=BreakGlass(frozenset({ana.id, boss.id})))


async def told_jobs(w: Workshop, kind: str) -> list[str]:
    """The ids of the jobs of that kind that wait for a worker."""
    schema = "" if w.store.is_sqlite else "dbos."
    async with w.store.read() as tx:
        found = await tx.connection.execute(
            text(f"SELECT workflow_uuid, name FROM {schema}workflow_status ORDER BY created_at")  # noqa: S608  the schema is one of ours
        )
        ids = [row.workflow_uuid for row in found]
    return [id for id in ids if id.startswith(kind)]


async def test_one_person_lets_their_own_request_act_and_it_is_on_record(
    workshop: OpenWorkshop, database_url: str
):
    w = await workshop(policy=NIGHT, database_url=database_url)
    request = await w.placed(reason=Reason.FRAUD, approvals=2)
    assert (await w.requests.break_glass(request.id, by=ana, why=f"  {WHY} ")).status is Status.APPROVED
    assert (await w.run(request)).status is Status.DONE
    assert len(w.patches()) == 1
    (entry,) = [e for e in await w.story(request.id) if e.tag == AuditTag.REQUEST_GLASS_BROKEN]
    assert (entry.by, entry.facts) == (
        ana.id,
        {"why": WHY, "before": "pending", "after": "approved", "own": True, "approvals": 0, "needed": 2},
    )
    broken, of = await w.glass.get(request.id)
    assert (broken.by, broken.reason, broken.at, broken.requested_by) == (ana.id, WHY, w.clock(), ana.id)
    assert of.broken_glass is not None
    assert of.broken_glass.why == WHY
    assert await w.glass.unreviewed() == [broken]
    assert len(await told_jobs(w, f"glass:{request.id}:")) == 1


async def test_who_is_refused_changes_nothing(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT)
    fraud, debt = await w.placed(reason=Reason.FRAUD), await w.placed(PREMIUM)
    for request, by, why, refusal in (
        (fraud, ben, WHY, GlassKept),
        (fraud, eve, WHY, NotPermitted),
        (fraud, ana, "fraud", Invalid),
        (debt, boss, WHY, GlassKept),
    ):
        with pytest.raises(refusal):
            await w.requests.break_glass(request.id, by=by, why=why)
    for request in (fraud, debt):
        assert (await w.requests.get(request.id)).decisions == ()
        with pytest.raises(NotFound):
            await w.glass.get(request.id)
    assert await told_jobs(w, "glass:") == []
    off = await workshop(policy=replace(NIGHT, break_glass=None))
    with pytest.raises(GlassKept) as refused:
        await off.requests.may_break_glass(fraud.id, by=ana)
    assert refused.value.why == "switched-off"


async def test_two_at_once_break_it_once(workshop: OpenWorkshop, database_url: str):
    one = await workshop(policy=NIGHT, database_url=database_url)
    other = await workshop(policy=NIGHT, database_url=database_url)
    request = await one.placed(reason=Reason.FRAUD)
    came_of = await asyncio.gather(
        *(w.requests.break_glass(request.id, by=by, why=WHY) for w, by in ((one, ana), (other, boss))),
        one.requests.approve(request.id, by=ben),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in came_of) == [
        "ActionRequest",
        "AlreadyDecided",
        "AlreadyDecided",
    ]
    broken = [e for e in await one.story(request.id) if e.tag == AuditTag.REQUEST_GLASS_BROKEN]
    assert len(broken) == len(await one.glass.unreviewed())
    assert (await one.run(request)).status is Status.DONE
    assert len(one.patches()) == 1


async def test_the_daily_limit_holds(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT, daily_limit=1)
    first, second = await w.placed(reason=Reason.FRAUD), await w.placed(PREMIUM, reason=Reason.FRAUD)
    for request in (first, second):
        await w.requests.break_glass(request.id, by=ana, why=WHY)
    assert (await w.run(first)).status is Status.DONE
    held = await w.run(second)
    assert (held.status, held.over_daily_limit) == (Status.APPROVED, True)


async def test_a_rehearsal_changes_nothing_and_is_reviewed_all_the_same(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT, dry_run=True)
    request = await w.placed(reason=Reason.FRAUD)
    await w.requests.break_glass(request.id, by=ana, why=WHY)
    assert (await w.run(request)).status is Status.DONE
    assert w.patches() == []
    assert [broken.request_id for broken in await w.glass.unreviewed()] == [request.id]


async def test_what_changed_since_it_was_confirmed_is_left_alone(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT)
    request = await w.placed(reason=Reason.FRAUD)
    w.far_side.change(w.subscription().id, quantity=150)
    await w.requests.break_glass(request.id, by=ana, why=WHY)
    done = await w.run(request)
    assert (done.status, done.must_be_confirmed_again) == (Status.FAILED, True)
    assert w.patches() == []


async def test_where_the_policy_wants_a_code_it_wants_one_of_whoever_breaks_the_glass(workshop: OpenWorkshop):
    w = await workshop(policy=replace(NIGHT, step_up=StepUp(reasons=frozenset({Reason.FRAUD}))))
    request = await w.placed(reason=Reason.FRAUD)
    app = await enrols(w, ana)
    assert (await w.requests.may_break_glass(request.id, by=ana))[1]
    with pytest.raises(CodeNeeded):
        await w.requests.break_glass(request.id, by=ana, why=WHY)
    with pytest.raises(Invalid):
        await w.requests.break_glass(request.id, by=ana, why=WHY, code=app.wrong(w))
    code = app.code(w)
    with pytest.raises(Invalid):
        await w.requests.break_glass(request.id, by=ana, why="short", code=code)
    assert (await w.requests.get(request.id)).status is Status.PENDING
    assert (await w.requests.break_glass(request.id, by=ana, why=WHY, code=code)).status is Status.APPROVED
    tags = [e.tag for e in await w.story(request.id)]
    assert tags.count(AuditTag.AUTHENTICATOR_REFUSED) == 1
    (entry,) = [e for e in await w.story(request.id) if e.tag == AuditTag.REQUEST_GLASS_BROKEN]
    assert entry.facts["code"] is True
    other = await w.placed(PREMIUM, reason=Reason.FRAUD)
    with pytest.raises(Invalid):
        await w.requests.break_glass(other.id, by=ana, why=WHY, code=code)
    w.clock.passes(STEP)
    await w.requests.break_glass(other.id, by=ana, why=WHY, code=app.code(w))


@pytest.mark.parametrize(
    ("grant", "reaches"),
    [
        pytest.param(Grant(Right.APPROVE, reasons=frozenset({Reason.NON_PAYMENT})), {ana}, id="approvers'"),
        pytest.param(Grant(Right.APPROVE, up_to={"EUR": Decimal(1)}), {ana}, id="by amount"),
        pytest.param(Grant(Right.APPROVE, channels=frozenset({"C0APPROVALS"})), {ana, boss}, id="by channel"),
        pytest.param(Grant(Right.OPERATE, who=frozenset({boss.id})), {boss}, id="operators'"),
    ],
)
async def test_the_limits_of_their_right_hold(workshop: OpenWorkshop, grant: Grant, reaches: set[object]):
    w = await workshop(policy=replace(NIGHT, rights=(grant,)))
    free = await workshop(policy=NIGHT)
    request = await free.placed(reason=Reason.FRAUD, by=boss)
    for person in (ana, boss):
        by = replace(person, channel="C0APPROVALS")
        if person in reaches:
            await w.requests.may_break_glass(request.id, by=by)
        else:
            with pytest.raises(BeyondRights):
                await w.requests.break_glass(request.id, by=by, why=WHY)
    assert (await w.requests.get(request.id)).status is Status.PENDING


async def test_one_other_approver_reviews_it(workshop: OpenWorkshop, database_url: str):
    w = await workshop(policy=NIGHT, database_url=database_url)
    request = await w.placed(reason=Reason.FRAUD)
    await w.requests.break_glass(request.id, by=boss, why=WHY)
    for by, refusal in ((boss, NotPermitted), (replace(mei, id=ana.id), NotPermitted), (eve, NotPermitted)):
        with pytest.raises(refusal):
            await w.glass.may_review(request.id, by=by)
        with pytest.raises(refusal):
            await w.glass.review(request.id, Finding.JUSTIFIED, "Fine", by=by)
    came_of = await asyncio.gather(
        *(w.glass.review(request.id, Finding.NOT_JUSTIFIED, "Ben was awake", by=by) for by in (ben, mei)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in came_of) == ["BrokenGlass", GlassReviewed.__name__]
    broken, _ = await w.glass.get(request.id)
    assert broken.reviewed is not None
    assert (broken.reviewed.finding, broken.reviewed.note) == (Finding.NOT_JUSTIFIED, "Ben was awake")
    (entry,) = [e for e in await w.story(request.id) if e.tag == AuditTag.REQUEST_GLASS_REVIEWED]
    assert (entry.by, entry.facts) == (
        broken.reviewed.by,
        {"finding": "not-justified", "note": "Ben was awake", "broken_by": boss.id},
    )
    assert await w.glass.unreviewed() == []


async def test_it_comes_up_once_a_day_until_it_is_reviewed(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT)
    request = await w.placed(reason=Reason.FRAUD)
    await w.requests.break_glass(request.id, by=ana, why=WHY)
    await w.glass.sweep()
    assert await told_jobs(w, "reviews:") == []
    w.clock.passes(20 * HOUR)  # it is 8
    await w.glass.sweep()
    assert await told_jobs(w, "reviews:") == []
    w.clock.passes(HOUR)
    for _ in range(3):
        await w.glass.sweep()
    w.clock.passes(DAY)
    await w.glass.sweep()
    assert await told_jobs(w, "reviews:") == ["reviews:2026-11-24:09", "reviews:2026-11-25:09"]
    await w.glass.review(request.id, Finding.JUSTIFIED, "It was fraud", by=ben)
    w.clock.passes(DAY)
    await w.glass.sweep()
    assert len(await told_jobs(w, "reviews:")) == 2


async def test_whom_slack_would_not_tell_is_tried_again_for_an_hour(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT)
    request = await w.placed(reason=Reason.FRAUD)
    await w.requests.break_glass(request.id, by=ana, why=WHY)
    broken, _ = await w.glass.get(request.id)
    w.clock.passes(timedelta(minutes=6))
    for _ in range(3):
        await w.glass.sweep()
    assert (await told_jobs(w, "glass:"))[1:] == [jobs.tell_glass(broken, again=1).id]
    w.clock.passes(2 * HOUR)
    await w.glass.sweep()
    assert len(await told_jobs(w, "glass:")) == 2


async def test_a_second_click_after_it_acted_is_refused(workshop: OpenWorkshop):
    w = await workshop(policy=NIGHT)
    request = await w.placed(reason=Reason.FRAUD)
    await w.requests.break_glass(request.id, by=ana, why=WHY)
    for by in (ana, boss):
        with pytest.raises(AlreadyDecided):
            await w.requests.break_glass(request.id, by=by, why=WHY)
    assert len([e for e in await w.story(request.id) if e.tag == AuditTag.REQUEST_GLASS_BROKEN]) == 1
