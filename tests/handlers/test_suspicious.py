"""What looks wrong, in Slack: one post a day, a severe case at once, and what people make of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.case import Step, Verdict
from bot.domain.customer import CustomerId
from bot.domain.observation import Observation, Reported, Source, VendorAlert
from bot.domain.signal import Severity
from bot.domain.suspicious import CaseLine
from bot.sandbox.slack import Player
from handlers import ids
from handlers.suspicious import post_suspicious, redraw_suspicious, tell_case
from tests.builders import HOUR, ana, boss
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, Transport

CHANNEL = "csp-suspicious"
CONTOSO = "contoso"
NEVER = "0 0 29 2 *"


async def staged(set_stage: SetStage, **settings: Any) -> Stage:
    """With a channel for what looks wrong; nothing is posted by itself."""
    return await set_stage(
        backstop_suspicious_channel="C0SUSPICIOUS",
        backstop_suspicious_cron=NEVER,
        **settings,
    )


def today(stage: Stage) -> str:
    return stage.app.core.backstop.digests.today().isoformat()


def customer(stage: Stage, name: str = "Contoso") -> CustomerId:
    return CustomerId(next(c.id for c in stage.partner_center.customers if c.name.startswith(name)))


def an_alert(
    stage: Stage, name: str = "Contoso", *, ago: timedelta = HOUR, id: str = "event-1"
) -> VendorAlert:
    """Microsoft found something severe."""
    at = stage.app.core.backstop.now() - ago
    return VendorAlert(
        customer(stage, name),
        at,
        f"{id}-{name}",
        Source.FRAUD_EVENTS,
        "NetworkConnectionsToCryptoMiningPools",
        severity="high",
        confidence="high",
        status="active",
        first_at=at,
    )


def a_report(stage: Stage, name: str = "Contoso", *, id: str = "click-1", words: str = "odd") -> Reported:
    """Somebody says that something is wrong; by itself it is not severe."""
    return Reported(customer(stage, name), stage.app.core.backstop.now() - HOUR, id, ana.id, words)


async def see(stage: Stage, *seen: Observation) -> None:
    async with stage.app.core.store.begin() as tx:
        await tx.observations.keep(seen, at=stage.app.core.backstop.now())


async def post(stage: Stage) -> story.Json:
    """Today's digest, once posted."""
    assert await post_suspicious(stage.app.desk, today(stage))
    return posts(stage)[0]


def posts(stage: Stage) -> list[story.Json]:
    """What everybody sees in the channel, threads left out."""
    return [
        m
        for m in stage.slack.messages(CHANNEL)
        if not m["ephemeral"] and m.get("thread_ts") in (None, m["ts"])
    ]


async def the_case(stage: Stage) -> CaseLine:
    digest = await stage.app.core.backstop.cases.digest()
    (line,) = (*digest.cases, *digest.settled)
    return line


async def redrawn(stage: Stage, posted: story.Json, said: str) -> story.Json:
    return await stage.slack.message_appears(
        CHANNEL, lambda m: m["ts"] == posted["ts"] and said in story.lines(m)
    )


async def opens(
    who: Player, message: story.Json, button: str, form: str, *, option: Any = None
) -> story.Json:
    assert (await who.click(message, button, option=option)).ok
    return await who.modal_appears(callback_id=form)


async def audited(stage: Stage, *subjects: str) -> list[str]:
    async with stage.app.core.store.read() as tx:
        return [str(e.tag) async for e in tx.audit.since() if str(e.tag).startswith(subjects)]


class TestDigest:
    async def test_five_runs_make_one_case_one_post_and_no_message_besides(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        posted = [await post_suspicious(stage.app.desk, today(stage)) for _ in range(5)]
        assert posted == [True, False, False, False, False]
        (message,) = posts(stage)
        assert "Contoso" in story.lines(message)
        assert await audited(stage, "case:") == ["case:opened"]

    async def test_asked_for_several_times_at_once_it_is_posted_once(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        asked = (post_suspicious(stage.app.desk, today(stage)) for _ in range(4))
        assert sorted(await asyncio.gather(*asked)) == [False, False, False, True]
        assert len(posts(stage)) == 1

    async def test_says_what_was_looked_at_where_nothing_is_wrong(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await stage.app.core.backstop.watch.read()
        said = story.lines(await post(stage))
        assert "Nothing waits for anybody's word. Looked at: Orders" in said

    async def test_without_a_channel_nothing_is_posted(self, set_stage: SetStage):
        stage = await set_stage()
        await see(stage, an_alert(stage))
        assert not await post_suspicious(stage.app.desk, today(stage))
        assert posts(stage) == []

    async def test_after_slack_refused_it_can_be_posted_again(self, set_stage: SetStage):
        stage = await staged(set_stage)
        stage.slack.fail("chat.postMessage", error="not_in_channel")
        await asyncio.gather(post_suspicious(stage.app.desk, today(stage)), return_exceptions=True)
        assert posts(stage) == []
        await post(stage)

    async def test_the_pages_are_turned_for_the_reader_alone(self, set_stage: SetStage, transport: Transport):
        stage = await staged(set_stage, transport=transport)
        names = [c.name for c in stage.partner_center.customers][:6]
        await see(stage, *(a_report(stage, name, id=f"click-{n}") for n, name in enumerate(names)))
        posted = await post(stage)
        assert "Page 1 of 2" in story.words(posted)
        assert (await stage.ben.click(posted, "Next")).ok
        second = await story.is_told(stage.ben, "Page 2 of 2", channel=CHANNEL)
        assert "Next" not in story.buttons(second)
        assert (await stage.ben.click(second, "Previous")).ok
        await story.is_told(stage.ben, "Page 1 of 2", channel=CHANNEL)
        assert len([m for m in stage.ben.messages(CHANNEL) if m["ephemeral"]]) == 1
        assert "Page 1 of 2" in story.words(posts(stage)[0])

    async def test_its_chart_is_in_the_thread_once(self, set_stage: SetStage):
        from bot.domain.observation import Spent
        from tests.views.drawn_suspicious import spent_by_day

        stage = await staged(set_stage)
        now = stage.app.core.backstop.now()
        told = spent_by_day(customer(stage))
        moved = now - told[-1].at
        spent = [Spent(s.customer_id, s.at + moved, s.amount, s.currency, s.budget) for s in told]
        await see(stage, an_alert(stage), *spent)
        posted = await post(stage)
        await post_suspicious(stage.app.desk, today(stage))
        thread = [m for m in stage.slack.messages(CHANNEL) if m.get("thread_ts") == posted["ts"] != m["ts"]]
        files = [file["name"] for m in thread for file in m.get("files", [])]
        assert files == [f"suspicious-{today(stage)}-spend.png"]

    async def test_slash_csp_shows_it_to_one_person_with_the_right(
        self, set_stage: SetStage, transport: Transport
    ):
        stage = await staged(set_stage, transport=transport)
        await see(stage, an_alert(stage))
        assert (await stage.ana.command("/csp suspicious", channel=CHANNEL)).ok
        await story.is_told(stage.ana, "1 case waits", channel=CHANNEL)
        assert posts(stage) == []
        assert (await stage.eve.command("/csp suspicious", channel=CHANNEL)).ok
        assert [m for m in stage.eve.messages(CHANNEL) if "Contoso" in story.words(m)] == []


class TestAtOnce:
    async def test_a_severe_case_has_a_message_of_its_own_once(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        (case,) = await stage.app.core.backstop.cases.record()
        await asyncio.gather(*(tell_case(stage.app.desk, case.id, 0) for _ in range(4)))
        (message,) = posts(stage)
        assert "Contoso" in message["text"]
        assert "Fraud" in story.buttons(message)

    async def test_not_what_the_digest_told(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        await post(stage)
        line = await the_case(stage)
        assert line.case.severity is Severity.HIGH
        await tell_case(stage.app.desk, line.case.id, 0)
        assert len(posts(stage)) == 1

    async def test_but_what_came_after_the_digest(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await post(stage)
        await see(stage, an_alert(stage))
        (case,) = await stage.app.core.backstop.cases.record()
        await tell_case(stage.app.desk, case.id, 0)
        assert len(posts(stage)) == 2

    async def test_not_what_was_settled_meanwhile_or_is_not_severe(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage), a_report(stage, "Fabrikam"))
        (severe,) = await stage.app.core.backstop.cases.record()
        digest = await stage.app.core.backstop.cases.digest()
        mild = next(line.case for line in digest.cases if line.case.id != severe.id)
        await stage.app.core.backstop.cases.judge(
            severe.id, Verdict.LEGITIMATE, by=boss, version=severe.version
        )
        for case in (severe, mild):
            await tell_case(stage.app.desk, case.id, 0)
        await tell_case(stage.app.desk, "C-NOTTHERE", 0)
        assert posts(stage) == []

    async def test_it_shows_what_was_said_of_it(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        (case,) = await stage.app.core.backstop.cases.record()
        await tell_case(stage.app.desk, case.id, 0)
        (message,) = posts(stage)
        await stage.app.core.backstop.cases.judge(case.id, Verdict.IGNORE, by=boss, version=case.version)
        settled = await redrawn(stage, message, "Ignore, by")
        assert story.buttons(settled) == []
        before = len(story.calls(stage, "chat.update"))
        await redraw_suspicious(stage.app.desk, today(stage))
        assert len(story.calls(stage, "chat.update")) == before


class TestVerdict:
    async def test_fraud_offers_the_suspension_and_the_runbook(
        self, set_stage: SetStage, transport: Transport
    ):
        stage = await staged(set_stage, transport=transport)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        form = await opens(stage.ana, posted, "Fraud", ids.VERDICT_FORM)
        assert "Contoso" in story.lines(form)
        stage.ana.type("note", "their admin says so")
        assert (await stage.ana.submit()).ok
        told = await story.is_told(stage.ana, "called fraud", channel=CHANNEL)
        assert story.buttons(told) == ["Suspend", "Runbook"]
        assert "days left to ask Microsoft for a refund" in story.words(told)
        assert "their admin says so" in story.lines(await redrawn(stage, posted, "Fraud, by <@U0ANA>"))

        assert (await stage.ana.click(told, "Suspend")).ok
        form = await stage.ana.modal_appears(callback_id="suspend_form")
        chosen = form["state"]["values"]["reason"]["reason"]["selected_option"]["text"]["text"]
        assert chosen == "Fraud"

    @pytest.mark.parametrize(
        ("button", "said"),
        [("Legitimate", "called legitimate"), ("Ignore", "ignored"), ("Planned", "planned")],
    )
    async def test_each_settles_the_case(self, set_stage: SetStage, button: str, said: str):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        if button == "Planned":
            await opens(stage.ana, posted, ids.MORE_OF_CASE, ids.VERDICT_FORM, option="Planned")
            tomorrow = stage.app.core.backstop.digests.today() + timedelta(days=1)
            await stage.ana.pick("date", tomorrow.isoformat())
            stage.ana.type("note", "told us on Monday")
        else:
            await opens(stage.ana, posted, button, ids.VERDICT_FORM)
        assert (await stage.ana.submit()).ok
        await story.is_told(stage.ana, said, channel=CHANNEL)
        await redrawn(stage, posted, f"{button}, by <@U0ANA>")
        assert "case:judged" in await audited(stage, "case:")

    async def test_of_a_case_that_changed_meanwhile_is_not_taken(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        await opens(stage.ana, posted, "Legitimate", ids.VERDICT_FORM)
        await see(stage, a_report(stage))
        await stage.app.core.backstop.cases.record()
        assert (await stage.ana.submit()).ok
        await story.modal_says(stage.ana, "has changed meanwhile")
        assert (await the_case(stage)).case.is_open
        await stage.ana.close_modal()
        form = await opens(stage.ana, posted, "Legitimate", ids.VERDICT_FORM)
        assert "has changed since the message" in story.words(form)
        assert (await stage.ana.submit()).ok
        assert not (await the_case(stage)).case.is_open

    async def test_of_a_planned_change_needs_a_day_in_reach(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        await opens(stage.ana, posted, ids.MORE_OF_CASE, ids.VERDICT_FORM, option="Planned")
        far = stage.app.core.backstop.digests.today() + timedelta(days=91)
        await stage.ana.pick("date", far.isoformat())
        stage.ana.type("note", "told us")
        refused = await stage.ana.submit()
        assert "At most 90 days" in str((refused.body or {}).get("errors"))

    @pytest.mark.parametrize("button", ["Fraud", "Legitimate", "Ignore", "Snooze", "Suspend", "Open ticket"])
    async def test_nobody_without_the_right_gets_a_form(self, set_stage: SetStage, button: str):
        stage = await staged(set_stage)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        assert (await stage.eve.click(posted, button)).ok
        await story.is_told(stage.eve, "BACKSTOP_", channel=CHANNEL)
        assert stage.eve.modal() is None
        assert await audited(stage, "access:") == ["access:refused"]

    async def test_the_right_is_read_again_when_the_form_is_sent(self, set_stage: SetStage):
        stage = await staged(set_stage, backstop_approvers=("S0APPROVERS",))
        await see(stage, an_alert(stage))
        posted = await post(stage)
        await opens(stage.ana, posted, "Legitimate", ids.VERDICT_FORM)
        groups = stage.slack.workspace.groups
        groups["S0BILLING"] = replace(groups["S0BILLING"], members=())
        assert (await stage.ana.submit()).ok
        await story.modal_says(stage.ana, "BACKSTOP_OPERATORS")
        assert (await the_case(stage)).case.is_open


class TestMute:
    async def test_is_previewed_confirmed_and_ended(self, set_stage: SetStage, transport: Transport):
        stage = await staged(set_stage, transport=transport)
        await see(stage, a_report(stage))
        posted = await post(stage)
        await opens(stage.ben, posted, "Snooze", ids.MUTE_FORM)
        stage.ben.type("note", "they move this week")
        assert (await stage.ben.submit()).ok
        preview = await story.modal_says(stage.ben, "would have left out 1 finding")
        assert "1 case would not have been shown" in story.words(preview)
        assert await audited(stage, "case:muted") == []
        assert (await stage.ben.submit()).ok
        await story.is_told(stage.ben, "Left out of the digest", channel=CHANNEL)
        muted = await redrawn(stage, posted, "Muted: 1")
        assert "they move this week" in story.lines(muted)
        assert "Fraud" not in story.buttons(muted)

        assert (await stage.ana.click(muted, "Unmute")).ok
        await story.is_told(stage.ana, "Not muted any more", channel=CHANNEL)
        awake = await stage.slack.message_appears(
            CHANNEL, lambda m: m["ts"] == posted["ts"] and "Muted" not in story.lines(m)
        )
        assert "Fraud" in story.buttons(awake)

    async def test_is_for_approvers(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, a_report(stage))
        posted = await post(stage)
        assert (await stage.ana.click(posted, "Snooze")).ok
        await story.is_told(stage.ana, "approve", channel=CHANNEL)
        assert stage.ana.modal() is None

    @pytest.mark.parametrize(
        ("days", "cap", "said"),
        [
            pytest.param(0, "80", "after today", id="ends today"),
            pytest.param(91, "80", "At most 90 days", id="too long"),
            pytest.param(5, "39", "From 40 to 100", id="a cap below a case"),
        ],
    )
    async def test_has_an_end_and_a_cap(self, set_stage: SetStage, days: int, cap: str, said: str):
        stage = await staged(set_stage)
        await see(stage, a_report(stage))
        posted = await post(stage)
        await opens(stage.ben, posted, "Snooze", ids.MUTE_FORM)
        until = stage.app.core.backstop.digests.today() + timedelta(days=days)
        await stage.ben.pick("date", until.isoformat())
        stage.ben.type("cap", cap)
        stage.ben.type("note", "why not")
        refused = await stage.ben.submit()
        errors = (refused.body or {}).get("errors") or {}
        assert errors
        if cap == "80":
            assert said in str(errors)

    async def test_of_a_rule_says_so(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await see(stage, a_report(stage), a_report(stage, "Fabrikam", id="click-2"))
        posted = await post(stage)
        await opens(stage.ben, posted, ids.MORE_OF_CASE, ids.MUTE_FORM, option="Mute a rule")
        everywhere = next(
            o
            for o in story.element(story.top(stage.ben), ids.MUTE_WHAT)["options"]
            if o["text"]["text"].startswith("All customers")
        )
        await stage.ben.choose(ids.MUTE_WHAT, everywhere)
        stage.ben.type("note", "we try it out")
        assert (await stage.ben.submit()).ok
        preview = await story.modal_says(stage.ben, "2 findings")
        assert "This concerns all customers" in story.words(preview)
        assert (await stage.ben.submit()).ok
        await redrawn(stage, posted, "all customers")


class TestRunbook:
    async def test_what_is_ticked_says_who_did_it(self, set_stage: SetStage, transport: Transport):
        stage = await staged(set_stage, transport=transport)
        await see(stage, an_alert(stage))
        posted = await post(stage)
        await opens(stage.ana, posted, ids.MORE_OF_CASE, ids.RUNBOOK_FORM, option="Runbook")
        await stage.ana.choose(ids.RUNBOOK_STEPS, ["Reset credentials", "Require a second factor"])
        assert (await stage.ana.submit()).ok
        await story.is_told(stage.ana, "2 of 6 steps", channel=CHANNEL)
        await redrawn(stage, posted, "Runbook: 2 of 6 steps done")
        form = await opens(stage.ben, posts(stage)[0], ids.MORE_OF_CASE, ids.RUNBOOK_FORM, option="Runbook")
        assert "Done by <@U0ANA>" in story.lines(form)
        left = story.element(form, ids.RUNBOOK_STEPS)["options"]
        assert [option["value"] for option in left] == [step.value for step in Step][2:]
        assert await audited(stage, "case:step") == ["case:step-done"] * 2


class TestReport:
    async def reports(self, stage: Stage, who: Player, name: str = "Contoso") -> story.Json:
        said = await stage.eve.say("Somebody at Contoso <ordered> 900 seats", channel="csp-billing")
        assert said.ok
        message = next(m for m in stage.slack.messages("csp-billing") if "900 seats" in m["text"])
        assert (await who.shortcut(ids.REPORT_SHORTCUT, message)).ok
        return message

    async def test_of_a_message_makes_a_case_with_the_way_back(
        self, set_stage: SetStage, transport: Transport
    ):
        stage = await staged(set_stage, transport=transport)
        message = await self.reports(stage, stage.ana)
        form = await stage.ana.modal_appears(callback_id=ids.REPORT_FORM)
        assert "900 seats" in str(form["state"])
        await stage.ana.choose(ids.REPORTED_CUSTOMER, "Contoso Ltd")
        assert (await stage.ana.submit()).ok
        await story.is_told(stage.ana, "is a case now", channel="csp-billing")
        (reported,) = (await the_case(stage)).past.reports
        assert reported.by == "U0ANA"
        assert "900 seats" in reported.words
        assert message["ts"] in reported.words
        posted = await post(stage)
        assert f"{message['ts']}|the message>" in story.lines(posted)

    @pytest.mark.parametrize(
        "words", ["See\nhttps://evil.example/pay-now", "See\n\x1ehttps://evil.example/pay-now"]
    )
    async def test_an_address_in_the_words_is_not_the_way_back(self, set_stage: SetStage, words: str):
        stage = await staged(set_stage)
        message = await self.reports(stage, stage.ana)
        await stage.ana.modal_appears(callback_id=ids.REPORT_FORM)
        for channel in stage.slack.workspace.channels.values():
            channel.posts.pop(message["ts"], None)  # it was deleted, so Slack has no link to it
        await stage.ana.choose(ids.REPORTED_CUSTOMER, "Contoso Ltd")
        stage.ana.type(ids.REPORTED_WORDS, words)
        assert (await stage.ana.submit()).ok
        await story.is_told(stage.ana, "is a case now", channel="csp-billing")
        posted = await post(stage)
        assert "pay-now" in story.words(posted)
        assert "<https://evil" not in story.lines(posted)
        assert message["ts"] not in story.lines(posted)

    async def test_is_for_those_who_may_settle_cases(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await self.reports(stage, stage.eve)
        await story.is_told(stage.eve, "BACKSTOP_", channel="csp-billing")
        assert stage.eve.modal() is None

    async def test_without_a_customer_is_not_taken(self, set_stage: SetStage):
        stage = await staged(set_stage)
        await self.reports(stage, stage.ana)
        await stage.ana.modal_appears(callback_id=ids.REPORT_FORM)
        refused = await stage.ana.submit()
        assert "customer" in ((refused.body or {}).get("errors") or {})
