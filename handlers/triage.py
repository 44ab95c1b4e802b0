"""What people make of a case: a verdict, a mute, a step of the runbook; each with a form that says what follows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncRespond

from bot.domain.case import Step, Verdict, check_mute
from bot.domain.errors import Invalid, NotFound
from bot.domain.people import Person, Right
from bot.domain.signal import Rule
from bot.domain.suspicious import CaseLine
from bot.services.new_id import new_nonce
from handlers import alerts, errors, ids, packing, reading, slack
from handlers.desk import Desk
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.reading import Waiting
from handlers.views import blocks, forms, suspicious
from handlers.views import triage as views

_VERDICTS: Final = {
    ids.CALL_LEGITIMATE: Verdict.LEGITIMATE,
    ids.CALL_FRAUD: Verdict.FRAUD,
    ids.CALL_IGNORE: Verdict.IGNORE,
}


def register(listen: Listeners, desk: Desk) -> None:
    for action, verdict in _VERDICTS.items():
        listen.action(action)(partial(ask_for_verdict, desk, verdict=verdict))
    listen.action(ids.MUTE_CUSTOMER)(partial(ask_to_mute, desk))
    listen.action(ids.SHOW_RUNBOOK)(partial(show_runbook, desk))
    listen.action(ids.MORE_OF_CASE)(partial(choose, desk))
    listen.action(ids.UNMUTE)(partial(unmute, desk))
    listen.view(ids.VERDICT_FORM)(partial(judge, desk))
    listen.view(ids.MUTE_FORM)(partial(preview, desk))
    listen.view(ids.MUTE_PREVIEW)(partial(mute, desk))
    listen.view(ids.RUNBOOK_FORM)(partial(tick, desk))


async def choose(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """What was chosen behind the three dots."""
    option = body["actions"][0].get("selected_option") or {}
    what, _, value = str(option.get("value") or "").partition(":")
    if what == suspicious.More.RUNBOOK:
        await show_runbook(desk, ack, body, value=value)
    elif what == suspicious.More.EVIDENCE:
        await packing.offer(desk, ack, body, value.partition(":")[0])
    elif what == suspicious.More.MUTE_RULE:
        await ask_to_mute(desk, ack, body, value=value)
    else:
        try:
            verdict = Verdict(what)
        except ValueError:
            raise NotFound("case", what) from None
        await ask_for_verdict(desk, ack, body, verdict=verdict, value=value)


async def ask_for_verdict(
    desk: Desk, ack: AsyncAck, body: dict[str, Any], *, verdict: Verdict, value: str = ""
) -> None:
    """Show what will be settled; nothing is yet. The right is read again when the form is sent."""
    person = await _may_triage(desk, body)
    line, version = await _clicked(desk, body, value)
    await ack()
    form = views.verdict_form(
        line,
        verdict,
        desk.texts_for(person),
        on=desk.backstop.digests.today(),
        kept=f"{suspicious.case_value(line.case)} {verdict} {slack.place(body)}",
        has_changed=version != str(line.case.version),
    )
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.VERDICT_FORM))


async def judge(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Confirm*: what was acknowledged is in the database."""
    person = await desk.people.who_clicked(body)
    value, verdict_word, channel = _kept(body)
    case_id, _, version = value.partition(":")
    verdict = Verdict(verdict_word)
    line = await desk.backstop.cases.get(case_id)
    case = await desk.backstop.cases.judge(
        case_id,
        verdict,
        by=person,
        version=int(version),
        note=_note(body),
        until=_day(body) if verdict is Verdict.PLANNED else None,
    )
    await ack()
    where = {"user": body["user"], "channel": {"id": channel}}
    work = _say_judged(desk, where, person, replace(line, case=case))
    desk.after_ack(errors.behind_ack(desk, where, person, work, attempted=ids.VERDICT_FORM))


async def ask_to_mute(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, value: str = "") -> None:
    """Only for approvers: what nobody sees costs nobody's attention, and perhaps a lot of money."""
    person = await desk.people.who_clicked(body)
    person.must(Right.APPROVE)
    line, _ = await _clicked(desk, body, value)
    await ack()
    # *Mute rule* begins with the strongest rule of the case, *Snooze* with the customer.
    first = suspicious.strongest(line.case)[0].rule if value else None
    form = views.mute_form(
        line,
        desk.backstop.policy.risk,
        desk.texts_for(person),
        on=desk.backstop.digests.today(),
        kept=f"{line.case.id} {slack.place(body)}",
        rule=first,
    )
    desk.after_ack(errors.opened(desk, body, person, form, attempted=ids.MUTE_FORM))


async def preview(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Continue*: count what it would have left out. With many customers that takes longer than Slack waits."""
    person = await desk.people.who_clicked(body)
    wish = _wish(body)
    case_id, _, channel = str(body["view"].get("private_metadata") or "").partition(" ")
    backstop, texts = desk.backstop, desk.texts_for(person)
    check_mute(wish.until, wish.cap, by=person, on=backstop.digests.today(), book=backstop.policy.risk)
    case = (await backstop.cases.get(case_id)).case
    kept = _written(case_id, channel, wish)
    waiting = (
        f"mute:{new_nonce()}"  # each has its own, so that an older count never fills the view of a newer one
    )

    async def counted() -> blocks.View:
        hidden = await backstop.cases.preview(None if wish.everybody else case.customer_id, wish.rule)
        return views.mute_preview(case, wish, hidden, texts, kept=kept, external_id=waiting)

    wait = forms.wait_view(texts("mute-title"), texts("mute-counting"), texts, external_id=waiting)
    await reading.push(desk, ack, counted(), Waiting(wait, person, attempted=ids.MUTE_FORM))


async def mute(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Confirm*: now it is left out. Customer and right are read again."""
    person = await desk.people.who_clicked(body)
    case_id, channel, wish = _read(str(body["view"].get("private_metadata") or ""))
    case = (await desk.backstop.cases.get(case_id)).case
    await desk.backstop.cases.mute(
        None if wish.everybody else case.customer_id,
        wish.rule,
        until=wish.until,
        cap=wish.cap,
        note=wish.note,
        by=person,
    )
    await ack(response_action="clear")
    where = {"user": body["user"], "channel": {"id": channel}}
    texts = desk.texts_for(person)
    desk.after_ack(errors.tell(desk, where, texts.mrkdwn("muted", what=views.wish_words(case, wish, texts))))


async def unmute(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    """End a mute; a second click changes nothing."""
    person = await desk.people.who_clicked(body)
    ended = await desk.backstop.cases.unmute(str(body["actions"][0].get("value") or ""), by=person)
    await ack()
    said = desk.texts_for(person)("unmuted" if ended else "unmuted-before")
    desk.after_ack(errors.tell(desk, body, said, respond))


async def show_runbook(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, value: str = "") -> None:
    person = await _may_triage(desk, body)
    line, _ = await _clicked(desk, body, value)
    await ack()
    view = views.runbook(
        line,
        desk.texts_for(person),
        on=desk.backstop.digests.today(),
        kept=f"{line.case.id} {slack.place(body)}",
    )
    desk.after_ack(errors.opened(desk, body, person, view, attempted=ids.SHOW_RUNBOOK))


async def tick(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """What was ticked is done by this person, unless somebody was first."""
    person = await desk.people.who_clicked(body)
    case_id, _, channel = str(body["view"].get("private_metadata") or "").partition(" ")
    for option in given(body["view"], ids.RUNBOOK_STEPS).get("selected_options") or ():
        await desk.backstop.cases.tick(case_id, Step(str(option["value"])), by=person)
    line = await desk.backstop.cases.get(case_id)
    await ack()
    texts = desk.texts_for(person)
    facts = {"done": texts.number(len(line.case.ticked)), "all": texts.number(len(Step))}
    said = f"*{suspicious.customer_name(line.case, texts)}*: {texts('runbook-progress', **facts)}"
    desk.after_ack(errors.tell(desk, {"user": body["user"], "channel": {"id": channel}}, said))


async def _may_triage(desk: Desk, body: dict[str, Any]) -> Person:
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE if Right.APPROVE not in person.rights else Right.APPROVE)
    return person


async def _clicked(desk: Desk, body: dict[str, Any], value: str = "") -> tuple[CaseLine, str]:
    """The case as it stands now, and the version of it that was shown where the button was."""
    clicked = value or str(body["actions"][0].get("value") or "")
    case_id, _, version = clicked.partition(":")
    return await desk.backstop.cases.get(case_id), version


async def _say_judged(desk: Desk, where: dict[str, Any], person: Person, line: CaseLine) -> None:
    """The case may be out of the digest by now, as what is planned is: its own message says what was said of it."""
    said, shown = views.judged(line, desk.texts_for(person), on=desk.backstop.digests.today())
    await errors.tell(desk, where, said, shown=shown)
    await alerts.redraw(desk, line)


def _wish(body: dict[str, Any]) -> views.Wish:
    """What was filled in. Raises Invalid under the field that will not do."""
    view = body["view"]
    try:
        rule, everybody = views.wished(chosen(view, ids.MUTE_WHAT))
    except ValueError:
        raise Invalid(ids.MUTE_WHAT, "missing") from None
    try:
        cap = int(str(given(view, ids.MUTE_CAP).get("value") or ""))
    except ValueError:
        raise Invalid(ids.MUTE_CAP, "missing") from None
    return views.Wish(rule, everybody, _day(body), cap, _note(body))


def _written(case_id: str, channel: str, wish: views.Wish) -> str:
    rule = wish.rule.value if wish.rule else None
    return json.dumps(
        [case_id, channel, rule, wish.everybody, wish.until.isoformat(), wish.cap, wish.note],
        ensure_ascii=False,
    )


def _read(kept: str) -> tuple[str, str, views.Wish]:
    case_id, channel, rule, everybody, until, cap, note = json.loads(kept)
    wish = views.Wish(Rule(rule) if rule else None, everybody, date.fromisoformat(until), cap, note)
    return case_id, channel, wish


def _kept(body: dict[str, Any]) -> tuple[str, str, str]:
    value, verdict, channel = (str(body["view"].get("private_metadata") or "") + "  ").split(" ")[:3]
    return value, verdict, channel


def _day(body: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(given(body["view"], ids.DATE).get("selected_date") or ""))
    except ValueError:
        raise Invalid(ids.DATE, "missing") from None


def _note(body: dict[str, Any]) -> str:
    return str(given(body["view"], ids.NOTE).get("value") or "").strip()[: views.REASON]
