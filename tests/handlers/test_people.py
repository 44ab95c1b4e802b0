"""Who clicked, by what Slack says of them: full members alone have rights, and where Slack is silent nobody decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Outsider, Unavailable
from bot.domain.people import Outside, Right
from bot.policy_file import packaged
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import Group
from handlers import stamps
from handlers.people import DECISION_SECONDS, Home, People, is_of_a_workflow, outside
from tests.builders import noon
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import slack_sandbox

RIGHTS = """
[[rights]]
may = "approve"
who = ["S0LEADS"]
reasons = ["non_payment"]
"""
HOME = Home("T1")
SECOND = timedelta(seconds=1)
BEN = {"user": {"id": "U0BEN"}, "type": "block_actions"}
ANA = {"user": {"id": "U0ANA"}, "type": "block_actions"}
BY_A_WORKFLOW = [
    {**BEN, "function_data": {"execution_id": "Fx1"}},
    {**BEN, "bot_access_token": "xwfp-1"},
    {"type": "view_submission", "user": {"id": "U0BEN"}, "workflow_step": {"workflow_id": "1"}},
    {"type": "event_callback", "event": {"type": "function_executed", "inputs": {"user": "U0BEN"}}},
]


class ReadOut(tuple[str, ...]):
    """The members of a group, which tell that they were looked at."""

    read: asyncio.Event

    def __new__(cls, members: tuple[str, ...]) -> Self:
        made = super().__new__(cls, members)
        made.read = asyncio.Event()
        return made

    def __iter__(self) -> Iterator[str]:
        self.read.set()
        return super().__iter__()


class Asking:
    """People over a sandboxed Slack, at a time of the test's own."""

    def __init__(self, slack: SlackSandbox) -> None:
        self.slack = slack
        self.at = noon
        self.ticks = False
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        client.proxy = None
        self._client = client
        self.people = self.people_of()

    def people_of(self, *, patience: float = DECISION_SECONDS) -> People:
        """Who knows nobody yet."""
        people = People(
            self._client,
            named={Right.OPERATE: ("U0BEN",), Right.APPROVE: ("S0APPROVERS",), Right.AUDIT: ("U0EVE",)},
            language="en",
            now=self._now,
            patience=patience,
        )
        people.home = Home(self.slack.workspace.id)
        return people

    def _now(self) -> datetime:
        """`ticks` has it go on with each look, as a real one does."""
        if self.ticks:
            self.at += timedelta(microseconds=1)
        return self.at

    def patient(self) -> None:
        """Have the client wait as long as Slack tells it to, as the product's does."""
        self._client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=3))

    def has(self, who: str, **said: Any) -> None:
        """Have Slack say something else of somebody."""
        people = self.slack.workspace.people
        people[who] = replace(people[who], **said)

    def asked(self, method: str) -> int:
        return sum(each.method == method for each in self.slack.exchanges)


@pytest_asyncio.fixture
async def asking() -> AsyncIterator[Asking]:
    slack = slack_sandbox()
    await slack.start()
    yield Asking(slack)
    await slack.stop()


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"is_restricted": True}, Outside.GUEST),
        ({"is_restricted": True, "is_ultra_restricted": True}, Outside.GUEST),
        ({"is_stranger": True}, Outside.STRANGER),
        ({"team": "T9"}, Outside.STRANGER),
        ({"is_deactivated": True}, Outside.DEACTIVATED),
        ({"is_bot": True}, Outside.BOT),
    ],
)
async def test_who_is_no_full_member_has_no_right_whatever_the_lists_say(
    asking: Asking, said: dict[str, Any], what: Outside
):
    asking.has("U0BEN", **said)
    with pytest.raises(Outsider) as refused:
        await asking.people.who_clicked(BEN)
    assert refused.value.why == what
    looks = await asking.people.who_looks(BEN)
    assert (looks.rights, looks.outside) == (frozenset(), what)


@pytest.mark.parametrize("body", BY_A_WORKFLOW)
async def test_a_workflow_decides_nothing_in_anybodys_name(asking: Asking, body: dict[str, Any]):
    with pytest.raises(Outsider) as refused:
        await asking.people.who_clicked(body)
    assert refused.value.why == Outside.WORKFLOW
    assert not (await asking.people.who_looks(body)).rights


async def test_every_list_gives_its_own_right_and_no_other(asking: Asking):
    assert (await asking.people.who_clicked({"user": {"id": "U0EVE"}})).rights == {Right.AUDIT}
    assert (await asking.people.who_clicked({"user": {"id": "U0MEI"}})).rights == {Right.APPROVE}
    assert (await asking.people.who_clicked({"user": {"id": "U0ANA"}})).rights == frozenset()
    assert await asking.people.holders(Right.AUDIT) == {"U0EVE"}


async def test_whom_slack_does_not_know_is_a_stranger(asking: Asking):
    with pytest.raises(Outsider) as refused:
        await asking.people.who_clicked({"user": {"id": "U0NOBODY"}})
    assert refused.value.why == Outside.STRANGER


async def test_who_became_a_guest_decides_nothing_a_minute_later_at_the_latest(asking: Asking):
    assert (await asking.people.who_clicked(BEN)).rights == {Right.OPERATE, Right.APPROVE}
    asking.has("U0BEN", is_restricted=True)
    asking.at += 60 * SECOND
    with pytest.raises(Outsider):
        await asking.people.who_clicked(BEN)


async def test_a_person_is_asked_for_once_a_minute_and_the_groups_at_each_decision(asking: Asking):
    for _ in range(3):
        await asking.people.who_clicked(BEN)
        await asking.people.who_looks(BEN)
        await asking.people.language_of("U0BEN")
        asking.at += SECOND
    assert asking.asked("users.info") == 1
    assert asking.asked("usergroups.users.list") == 3


async def test_of_many_clicks_at_once_few_ask_who_is_in_a_group(asking: Asking):
    """Slack answers that question twenty times a minute."""
    await asking.people.who_clicked(BEN)
    asking.ticks = True
    asking.slack.slow("usergroups.users.list", 0.05)
    first = asyncio.create_task(asking.people.who_clicked(BEN))
    await asyncio.sleep(0)
    people = await asyncio.gather(first, *(asking.people.who_clicked(BEN) for _ in range(20)))
    assert {person.rights for person in people} == {frozenset({Right.OPERATE, Right.APPROVE})}
    assert asking.asked("usergroups.users.list") == 1 + 2, "those who came later do not go by the first"


async def test_who_is_removed_while_somebody_else_is_asked_for_does_not_go_by_that_answer(asking: Asking):
    asking.ticks = True
    members = ReadOut(("U0BEN",))
    asking.slack.workspace.groups["S0APPROVERS"] = Group("S0APPROVERS", "approvers", "Approvers", members)
    asking.slack.slow("usergroups.users.list", 0.05)
    before = asyncio.create_task(asking.people.who_clicked(BEN))
    await members.read.wait()
    asking.slack.workspace.groups["S0APPROVERS"] = Group("S0APPROVERS", "approvers", "Approvers", ())
    assert (await asking.people.who_clicked(BEN)).rights == {Right.OPERATE}
    assert (await before).rights == {Right.OPERATE, Right.APPROVE}


async def test_while_slack_takes_its_time_who_was_in_a_group_counts_for_a_minute(asking: Asking):
    asking.people = asking.people_of(patience=1.0)
    await asking.people.who_clicked(BEN)
    asking.slack.rate_limit("usergroups.users.list", retry_after=30, times=2)
    asking.patient()
    asking.at += 59 * SECOND
    assert Right.APPROVE in (await asking.people.who_clicked(BEN)).rights
    asking.at += SECOND
    with pytest.raises(Unavailable):
        await asking.people.who_clicked(BEN)


async def test_what_was_answered_before_the_clock_was_put_back_is_asked_anew(asking: Asking):
    await asking.people.who_clicked(BEN)
    asking.at -= 3600 * SECOND
    asking.slack.workspace.groups["S0APPROVERS"] = Group("S0APPROVERS", "approvers", "Approvers", ())
    asking.has("U0BEN", is_restricted=True)
    with pytest.raises(Outsider):
        await asking.people.who_clicked(BEN)
    assert (await asking.people.who_clicked(ANA)).rights == frozenset()


async def test_where_slack_does_not_say_who_it_is_nobody_decides_and_reading_goes_on(asking: Asking):
    asking.slack.fail("users.info", times=9)
    with pytest.raises(Unavailable):
        await asking.people.who_clicked(BEN)
    assert (await asking.people.who_looks(BEN)).rights == {Right.OPERATE, Right.APPROVE}


async def test_a_guest_stays_one_while_slack_is_silent(asking: Asking):
    asking.has("U0BEN", is_restricted=True)
    await asking.people.who_looks(BEN)
    asking.at += 3600 * SECOND
    asking.slack.fail("users.info", times=9)
    assert (await asking.people.who_looks(BEN)).outside is Outside.GUEST


async def test_before_it_is_known_whose_workspace_this_is_nobody_decides(asking: Asking):
    asking.people.home = None
    with pytest.raises(Unavailable):
        await asking.people.who_clicked(BEN)


@pytest.mark.parametrize(
    ("user", "home", "expected"),
    [
        ({"id": "U1", "team_id": "T1"}, HOME, None),
        ({"id": "USLACKBOT", "team_id": "T1", "is_bot": False}, HOME, Outside.BOT),
        ({"id": "U1", "team_id": "T1", "is_workflow_bot": True}, HOME, Outside.BOT),
        ({"id": "U1"}, HOME, None),
        ({"id": "U1", "team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, Home("T1", "E1"), None),
        (
            {"id": "U1", "team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}},
            Home("T1", "E1"),
            Outside.STRANGER,
        ),
        ({"id": "U1", "team_id": "T2", "enterprise_user": {"enterprise_id": ""}}, HOME, Outside.STRANGER),
    ],
)
def test_full_members_are_of_the_workspace_or_of_its_organisation(
    user: dict[str, Any], home: Home, expected: Outside | None
):
    assert outside(user, home) is expected


def test_what_people_do_is_of_no_workflow():
    assert not is_of_a_workflow(BEN)
    assert not is_of_a_workflow({"command": "/csp", "user_id": "U0BEN"})


async def test_a_guest_on_the_list_of_approvers_is_told_so_and_it_is_on_record(set_stage: SetStage):
    stage = await set_stage()
    people = stage.slack.workspace.people
    people["U0BEN"] = replace(people["U0BEN"], is_restricted=True)
    asked = await story.asks(stage)

    assert (await stage.ben.click(asked.card, "Approve")).ok

    await asked.is_told(stage.ben, "Guests have no rights")
    assert await asked.refusals() == [("U0BEN", "outsider")]
    assert asked.writes == 0
    assert "Guests have no rights" in story.words((await stage.ben.command("/csp requests")).body or {})


async def test_an_auditor_reads_the_trail_and_decides_nothing(set_stage: SetStage):
    stage = await set_stage(backstop_auditors=("U0EVE",))
    asked = await story.asks(stage)

    assert asked.id in story.words((await stage.eve.command(f"/csp audit {asked.id}")).body or {})
    assert "Contoso" in story.words((await stage.eve.command("/csp requests")).body or {})
    assert (await stage.eve.click(asked.card, "Approve")).ok
    await asked.is_told(stage.eve, "BACKSTOP_APPROVERS")
    assert "BACKSTOP_OPERATORS" in story.words((await stage.eve.command("/csp-suspend contoso")).body or {})
    assert "Wie genehmigt wurde" in story.words((await stage.eve.command("/csp stamps")).body or {})
    assert await asked.refusals() == [("U0EVE", "not-permitted")] * 2

    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.shows("Done")
    next_month = (stage.app.core.backstop.now().replace(day=1) + timedelta(days=32)).date().replace(day=1)
    for _ in range(2):
        await stamps.post(stage.app.desk, next_month.isoformat())
    told = [m for m in stage.slack.messages(story.APPROVALS) if ": 1; within seconds: 1;" in story.words(m)]
    assert len(told) == 1
    assert "BACKSTOP_AUDITORS" in story.words((await stage.ana.command("/csp stamps")).body or {})


async def test_who_approves_beyond_their_rights_is_told_how_far_they_reach(
    set_stage: SetStage, tmp_path: Path
):
    policy = tmp_path / "policy.toml"
    policy.write_text(packaged() + RIGHTS, "utf-8")
    stage = await set_stage(backstop_policy_file=policy)
    stage.slack.workspace.groups["S0LEADS"] = Group("S0LEADS", "leads", "Leads", ("U0BEN",))
    asked = await story.asks(stage, reason="Fraud")

    assert (await stage.mei.click(asked.card, "Approve")).ok
    await asked.is_told(stage.mei, "其中既没有您")
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_told(stage.ben, "may = approve, reasons = non_payment")
    assert await asked.refusals() == [("U0MEI", "beyond-rights"), ("U0BEN", "beyond-rights")]
    assert asked.writes == 0
