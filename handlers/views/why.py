"""`/csp why`: where the billing policy has a customer, rule by rule, the answer in the first sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from bot.domain.collection import StageTrace
from bot.domain.inquiry import Answer, Choice, Inquiry, Nobody, Owed
from bot.domain.policy import Rule
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.countdown import suspended_words
from handlers.views.policy import reasons_of

MOST_CURRENCIES = 8
MOST_STAGES = 12
MOST_DAYS = 5
MOST_REASON = 200
MOST_SAID = 1200
MOST_PART = 2200
_SLACK_ID = re.compile(r"[UW][A-Z0-9]{2,}")


def why(answer: Answer, words: str, texts: Texts) -> list[Block]:
    match answer:
        case Inquiry():
            return _inquiry(answer, texts)
        case Choice(customers, debtors):
            lines = [f"• *{blocks.name(c.name)}*  {blocks.name(c.domain or c.id)}" for c in customers]
            lines += [f"• *{blocks.name(name)}*  {texts('why-unlinked-short')}" for name in debtors]
            return [
                blocks.section(texts.mrkdwn("why-several", words=blocks.name(words))),
                blocks.section("\n".join(lines)),
            ]
        case Nobody(near):
            body = [blocks.section(texts.mrkdwn("why-nobody", words=blocks.name(words)))]
            if near:
                names = Mrkdwn(texts.listed(f"*{blocks.name(name)}*" for name in near))
                body.append(blocks.section(texts.mrkdwn("why-near", names=names)))
            return body


def _inquiry(asked: Inquiry, texts: Texts) -> list[Block]:
    body = [blocks.section(_verdict(asked, texts))]
    if notes := list(_about_whom(asked, texts)):
        body.append(_part("", notes))
    if asked.owed:
        lines = [_owed(owed, texts) for owed in asked.owed[:MOST_CURRENCIES]]
        left = len(asked.owed) - MOST_CURRENCIES
        lines += [texts.count("overdue-more-currencies", left)] if left > 0 else []
        body.append(_part(texts("why-owed"), lines))
    if asked.as_of:
        stages = [_stage(traced, asked, texts) for traced in asked.trace.stages[:MOST_STAGES]]
        body += [_part(texts("why-stages"), stages)] if stages else []
        body.append(_part(texts("why-holds-back"), _brakes(asked, texts)))
    if episode := list(_episode(asked, texts)):
        body.append(_part(texts("why-episode"), episode))
    body.append(blocks.context(_rests_on(asked, texts)))
    return body


def _part(title: str, lines: Sequence[str]) -> Block:
    """Of several that share what a message may hold."""
    titled = [f"*{title}*", *lines] if title else lines
    return blocks.section(blocks.shortened("\n".join(titled), MOST_PART))


def _verdict(asked: Inquiry, texts: Texts) -> str:
    """The answer, in one sentence."""
    stands, name = asked.trace.standing, blocks.name(asked.name)
    if asked.as_of is None:
        return texts.mrkdwn("why-not-proposed", customer=name, reasons=texts("rule-no-books"))
    if stands.proposes_cancel:
        key, rules = "why-proposed-cancel", stands.reasons
    elif stands.proposes_suspension:
        key, rules = "why-proposed-suspend", stands.reasons
    elif stands.proposes_resume:
        key, rules = "why-proposed-resume", stands.reasons
    else:
        key, rules = "why-not-proposed", asked.trace.against
    return texts.mrkdwn(key, customer=name, reasons=_said(rules, texts))


def _said(rules: Sequence[Rule], texts: Texts) -> Mrkdwn:
    return blocks.name("; ".join(reasons_of(rules, texts)), MOST_SAID)


def _about_whom(asked: Inquiry, texts: Texts) -> Iterator[str]:
    if asked.customer is None:
        yield texts("why-unlinked")
        if asked.suggestion:
            yield texts.mrkdwn("why-suggestion", customer=blocks.name(asked.suggestion.name))
    for name in asked.namesakes[:MOST_DAYS]:
        yield texts.mrkdwn("why-namesake", debtor=blocks.name(name))
    for exemption in asked.exemptions:
        actions = texts.listed(texts(f"stage-action-{action}") for action in sorted(exemption.actions))
        yield texts.mrkdwn(
            "why-exempt",
            actions=actions,
            reason=blocks.name(exemption.reason, MOST_REASON),
            until=texts.day(exemption.until),
            by=_who(exemption.by),
        )
    if override := asked.override:
        yield texts.mrkdwn(
            "why-override",
            reason=blocks.name(override.reason, MOST_REASON),
            until=texts.day(override.until),
            by=_who(override.by),
        )
    for segment in asked.segments:
        yield texts.mrkdwn("why-segment", segment=blocks.name(segment.name))


def _who(by: str) -> Mrkdwn:
    """Whoever answers for an exception: somebody in Slack, or a name as the file has it."""
    return blocks.person(by) if _SLACK_ID.fullmatch(by) else blocks.name(by)


def _owed(owed: Owed, texts: Texts) -> str:
    def amount(key: str, **facts: object) -> str:
        return texts(f"why-owed-{key}", **facts)

    currency = owed.currency
    said = [amount("open", amount=texts.amount(owed.open, currency))]
    if owed.not_due:
        said.append(amount("not-due", amount=texts.amount(owed.not_due, currency)))
    for key, part in (
        ("disputed", owed.disputed),
        ("blocked", owed.blocked),
        ("promised", owed.promised),
        ("credits", owed.credits),
    ):
        if part:
            said.append(amount(key, amount=texts.amount(part, currency)))
    counts = texts.amount(owed.counts, currency)
    said.append(
        texts.count("why-owed-counts", owed.oldest_days, amount=counts)
        if owed.counts
        else texts("why-owed-nothing")
    )
    if owed.minimum is not None:
        said.append(amount("minimum", amount=texts.amount(owed.minimum, currency)))
    return f"• {currency}: " + "; ".join(said)


def _stage(traced: StageTrace, asked: Inquiry, texts: Texts) -> str:
    stage = traced.stage
    head = texts.mrkdwn(
        "why-stage",
        stage=blocks.name(stage.id),
        action=texts(f"stage-action-{stage.action}"),
        days=texts.number(traced.from_days),
    )
    return f"• {head} " + "; ".join(_came_to(traced, asked, texts))


def _came_to(traced: StageTrace, asked: Inquiry, texts: Texts) -> Iterator[str]:
    if traced.due_in:
        yield texts("why-due", currencies=texts.listed(traced.due_in))
    elif traced.lacks:
        yield texts("why-not-due", reasons=_said(traced.lacks, texts))
    else:
        yield texts("why-not-due", reasons=_said(asked.trace.standing.reasons[:1], texts))
    if traced.waits and traced.due_in:
        yield _said([traced.waits], texts)
    if traced.exempt:
        yield texts("why-exempt-here", until=texts.day(traced.exempt.until))
    if traced.fired:
        yield texts("why-fired", days=_days(traced.fired, texts))
    if traced.recorded:
        yield texts("why-recorded", day=texts.day(traced.recorded))
    if traced.fires:
        yield texts("why-fires")


def _days(days: Sequence[date], texts: Texts) -> str:
    shown = texts.listed(texts.day(day) for day in days[-MOST_DAYS:])
    return f"… {shown}" if len(days) > MOST_DAYS else shown


def _brakes(asked: Inquiry, texts: Texts) -> list[str]:
    if not asked.trace.brakes:
        return [texts("why-nothing-holds-back")]
    return [f"• {_said([brake], texts)}" for brake in asked.trace.brakes]


def _episode(asked: Inquiry, texts: Texts) -> Iterator[str]:
    if asked.history.began:
        yield texts("why-began", day=texts.day(asked.history.began))
    if asked.suspended:
        yield suspended_words(asked.suspended, texts, on=asked.on)
    if asked.facts.suspended_for_debt and not asked.trace.standing.proposes_resume:
        exit = asked.holds.policy.exit
        key = f"why-exit-{exit.when.replace('_', '-')}" if exit.proposes_resume else "why-exit-none"
        yield texts(key)


def _rests_on(asked: Inquiry, texts: Texts) -> str:
    said = [texts("overdue-as-of", day=texts.day(asked.as_of))] if asked.as_of else []
    if asked.age_hours is not None:
        said.append(texts.count("why-age", asked.age_hours))
    said.append(f"{texts('state-policy')} `{asked.holds.policy.version}`")
    return " · ".join(said)
