"""Breaking the glass as people see it in Slack: the button, the form, who is told, the review, the daily reminder."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.domain.glass import Finding
from bot.domain.request import Status
from bot.policy_file import packaged
from bot.sandbox.slack import Player
from bot.texts import for_locale
from handlers import glass
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_authenticator import code
from tests.stage import Stage

WHY = "Card fraud: 400 new seats in ten minutes"
BREAK_GLASS = '\n[break_glass]\nwho = ["U0ANA", "S0APPROVERS"]\n'
STEP_UP = '\n[step_up]\nreasons = ["fraud"]\n'
TOLD = "Glass broken for Contoso"


async def set_up(set_stage: SetStage, tmp_path: Path, policy: str = BREAK_GLASS, **settings: Any) -> Stage:
    file = tmp_path / "policy.toml"
    file.write_text(packaged() + policy, "utf-8")
    return await set_stage(backstop_policy_file=file, **settings)


async def says(stage: Stage, policy: str) -> None:
    """Have the policy file say something else."""
    file = stage.app.settings.backstop_policy_file
    assert file
    file.write_text(packaged() + policy, "utf-8")
    await stage.app.core.backstop.policies.reread()


async def opens(who: Player, asked: story.Asked) -> story.Json:
    assert (await who.click(asked.card, "Break glass")).ok
    return await who.modal_appears(callback_id="glass_form")


async def breaks(who: Player, asked: story.Asked, why: str = WHY) -> None:
    await opens(who, asked)
    who.type("glass_reason", why)
    assert (await who.submit()).ok


async def told_in(stage: Stage, channel: str = story.APPROVALS, said: str = TOLD) -> story.Json:
    return await stage.slack.message_appears(channel, lambda m: said in m["text"])


def of_glass(who: Player) -> list[story.Json]:
    """The direct messages about it, each in its reader's own language."""
    title = for_locale(who.person.locale)("glass-told-title")
    return [m for m in who.dms() if title in story.words(m) and WHY in story.words(m)]


async def test_one_person_lets_it_act_everybody_is_told_once_and_another_reviews_it(
    set_stage: SetStage, tmp_path: Path
):
    stage = await set_up(set_stage, tmp_path, backstop_escalation_channel="C0BILLING")
    asked = await story.asks(stage, reason="Fraud")
    form = await opens(stage.ana, asked)
    assert "on your word alone" in story.words(form)
    stage.ana.type("glass_reason", WHY)
    assert (await stage.ana.submit()).ok
    done = await asked.shows("Done")
    assert "Glass broken by <@U0ANA>" in story.words(done)
    assert WHY in story.words(done)
    assert asked.writes == 1

    card = await told_in(stage)
    assert story.buttons(card) == ["Review"]
    assert WHY in story.words(card)
    second = await told_in(stage, "csp-billing")
    assert story.buttons(second) == []
    for who in (stage.ana, stage.ben, stage.mei):
        await who.wait_for(partial(of_glass, who))
    assert "in your name" in story.words(of_glass(stage.ana)[0])
    assert of_glass(stage.eve) == []
    for _ in range(2):
        await glass.tell(stage.app.desk, asked.id)
    assert [len(of_glass(who)) for who in (stage.ana, stage.ben, stage.mei)] == [1, 1, 1]
    assert len([m for m in stage.slack.messages(story.APPROVALS) if TOLD in m["text"]]) == 1

    assert (await stage.ana.click(card, "Review")).ok
    await story.is_told(stage.ana, "needs the right *approver*", since=card["ts"])
    assert (await stage.ben.click(card, "Review")).ok
    await stage.ben.modal_appears(callback_id="glass_review")
    await stage.ben.choose("glass_finding", "Not justified: it should have waited")
    stage.ben.type("glass_note", "Mei was awake")
    assert (await stage.ben.submit()).ok
    reviewed = await stage.slack.message_appears(
        story.APPROVALS, lambda m: m["ts"] == card["ts"] and "Mei was awake" in story.words(m)
    )
    assert "by <@U0BEN>" in story.words(reviewed)
    assert story.buttons(reviewed) == []
    await story.is_messaged(stage.ana, "Mei was awake")
    assert len(of_glass(stage.mei)) == 1
    assert [e.by for e in await asked.audited("request:glass-reviewed")] == ["U0BEN"]


async def test_who_is_not_named_or_has_no_right_is_refused_and_a_debt_has_no_button(
    set_stage: SetStage, tmp_path: Path
):
    stage = await set_up(set_stage, tmp_path, '\n[break_glass]\nwho = ["U0EVE", "U0MEI"]\n')
    debt = await story.asks(stage, subscription="Premium")
    assert story.buttons(debt.card) == ["Approve", "Deny", "Withdraw"]
    asked = await story.asks(stage, reason="Fraud")
    assert story.buttons(asked.card) == ["Approve", "Deny", "Withdraw", "Break glass"]
    for who, said in ((stage.ben, "names neither you"), (stage.eve, "approver")):
        assert (await who.click(asked.card, "Break glass")).ok
        await asked.is_told(who, said)
        assert who.modal() is None
    people = stage.slack.workspace.people
    people["U0MEI"] = replace(people["U0MEI"], is_restricted=True)
    assert (await stage.mei.click(asked.card, "Break glass")).ok
    assert await asked.status() is Status.PENDING
    assert sorted(await asked.refusals()) == [
        ("U0BEN", "glass-kept"),
        ("U0EVE", "not-permitted"),
        ("U0MEI", "outsider"),
    ]


async def test_without_the_table_nobody_sees_the_button(set_stage: SetStage):
    stage = await set_stage()
    asked = await story.asks(stage, reason="Fraud")
    assert story.buttons(asked.card) == ["Approve", "Deny", "Withdraw"]


async def test_a_forged_form_lets_nothing_through(set_stage: SetStage, tmp_path: Path):
    """A form for another request, or with a reason that says nothing: the form is filled in by hand."""
    stage = await set_up(set_stage, tmp_path, transport="http")
    asked = await story.asks(stage, reason="Fraud")
    debt = await story.asks(stage, subscription="Premium")

    def form(request_id: str, why: str) -> story.Json:
        values = {"glass_reason": {"glass_reason": {"type": "plain_text_input", "value": why}}}
        view = {
            "type": "modal",
            "callback_id": "glass_form",
            "private_metadata": request_id,
            "state": {"values": values},
        }
        return {"type": "view_submission", "user": {"id": "U0ANA"}, "view": view, "team": {"id": "T0"}}

    for request_id, why, said in (
        (asked.id, "fraud", "at least 20 characters"),
        (asked.id, "   ", "fill this in"),
        (debt.id, WHY, "it can wait for an approver"),
        ("R-NOBODYS", WHY, "no such request"),
    ):
        status, text = await story.forges(stage, form(request_id, why))
        assert (status, said in text) == (200, True), text
    for request in (asked, debt):
        assert await request.status() is Status.PENDING
        assert request.writes == 0


async def test_a_stolen_session_is_not_enough_where_the_policy_wants_a_code(
    set_stage: SetStage, tmp_path: Path
):
    stage = await set_up(
        set_stage,
        tmp_path,
        BREAK_GLASS + STEP_UP,
        backstop_admins=("U0EVE",),
        backstop_secret_key=SecretStr("k" * 32),
    )
    asked = await story.asks(stage, reason="Fraud")
    assert (await stage.ana.click(asked.card, "Break glass")).ok
    await asked.is_told(stage.ana, "you have set none up")
    assert (await stage.eve.command("/csp authenticator U0ANA")).ok
    assert (await stage.ana.command("/csp authenticator")).ok
    form = await stage.ana.modal_appears(callback_id="enrol_authenticator")
    secret = form["blocks"][1]["text"]["text"]
    stage.ana.type("authenticator_code", code(secret))
    assert (await stage.ana.submit()).ok
    await story.leaves(stage.ana)

    assert "authenticator_code" in str(await opens(stage.ana, asked))
    await story.leaves(stage.ana)
    await says(stage, BREAK_GLASS)
    assert "authenticator_code" not in str(await opens(stage.ana, asked))
    await says(stage, BREAK_GLASS + STEP_UP)  # while she fills the form in
    stage.ana.type("glass_reason", WHY)
    assert (await stage.ana.submit()).ok
    await story.modal_says(stage.ana, "wants a code")
    assert await asked.status() is Status.PENDING
    stage.ana.type("authenticator_code", "12345")
    assert "wrong, too old" in str((await stage.ana.submit()).body)
    assert await asked.status() is Status.PENDING
    stage.ana.type("authenticator_code", code(secret, later=1))
    assert (await stage.ana.submit()).ok
    await asked.shows("Done")


async def test_it_comes_up_every_day_until_it_is_reviewed(set_stage: SetStage, tmp_path: Path):
    clock = story.Clock()
    stage = await set_up(set_stage, tmp_path, now=clock)
    asked = await story.asks(stage, reason="Fraud")
    await breaks(stage.ana, asked)
    card = await told_in(stage)
    status = story.words((await stage.ben.command("/csp status")).body or {})
    assert "1 broken glass waits" in status
    assert asked.id in status

    def reminders() -> list[story.Json]:
        return [m for m in stage.slack.messages(story.APPROVALS) if "waits for its review" in m["text"]]

    def reminded(times: int) -> bool:
        return len(reminders()) == times

    async def sweeps() -> None:
        for _ in range(3):
            await stage.app.core.backstop.glass.sweep()

    nine = clock().replace(hour=9, minute=30) + timedelta(days=1)
    for day in (1, 2):
        clock.moves(nine + timedelta(days=day - 1) - clock())
        await sweeps()
        await stage.slack.workspace.news.until(partial(reminded, day), timeout=10)
        await glass.remind(stage.app.desk, clock().date().isoformat())
        assert len(reminders()) == day
    assert asked.id in story.words(reminders()[0])
    assert card["ts"] != reminders()[0]["ts"]
    await stage.app.core.backstop.glass.review(
        asked.id,
        Finding.JUSTIFIED,
        "It was fraud",
        by=await stage.app.desk.people.who_clicked({"user": {"id": "U0BEN"}}),
    )
    clock.moves(timedelta(days=1))
    await sweeps()
    await glass.remind(stage.app.desk, clock().date().isoformat())
    assert len(reminders()) == 2
