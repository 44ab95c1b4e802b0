"""The billing policy: its verdict on one customer in words, and what of it people see in Slack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from bot.domain.action import Reason
from bot.domain.collection import Standing
from bot.domain.policy import BillingPolicy, InForce, Rule, Stage
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block

_OF_MONEY: Final = frozenset({"below_minimum", "amount_not_reached", "lacks_amount"})
"""Rules whose fact is what is owed, and what it would have to be: `EUR 60 < 100.00`."""
_AMOUNT: Final = re.compile(r"\b([A-Z]{3}) (\d+(?:\.\d+)?)(?: < (\d+(?:\.\d+)?))?")


def verdict(
    standing: Standing | None, reason: Reason, texts: Texts, *, broken: Sequence[Rule] = ()
) -> tuple[bool | None, str]:
    """Whether the policy foresees a suspension for this reason, and why; None where it has no say.

    `broken` are the rules that the very request would break, whatever the customer owes.
    """
    if reason is not Reason.NON_PAYMENT:
        return None, texts("rule-not-about", reason=texts(f"reason-{reason}"))
    against = reasons_of(broken, texts)
    if standing is None or not standing.reasons:
        return (False if broken else None), "; ".join([*against, texts("rule-no-books")])
    return standing.proposes_suspension and not broken, "; ".join([*against, *reasons(standing, texts)])


def reasons(standing: Standing, texts: Texts) -> list[str]:
    return reasons_of(standing.reasons, texts)


DATED = ("promised", "snoozed", "step_gap", "not_a_business_day")
"""The rules whose fact is a day; their words are not ISO's."""


def reasons_of(rules: Sequence[Rule], texts: Texts) -> list[str]:
    """Each rule in words, with the fact it was held against."""
    said = []
    for rule in rules:
        name, _, stage = rule.rule.partition(":")
        fact = blocks.harmless(rule.fact)
        if name in ("stage", "before_first_stage"):
            fact = fact.partition(" ")[0]  # of `45 >= 30` only the days: the words tell the rest
        elif name in _OF_MONEY:
            fact = _AMOUNT.sub(lambda found: _money(found, texts), fact)
        elif name in DATED:
            fact = texts.day(date.fromisoformat(rule.fact))
        said.append(texts(f"rule-{name.replace('_', '-')}", stage=stage, fact=fact))
    return said


def _money(found: re.Match[str], texts: Texts) -> str:
    currency, *amounts = found.groups()
    return " < ".join(texts.money(Decimal(amount), currency) for amount in amounts if amount)


def next_step(standing: Standing, texts: Texts) -> str:
    if standing.stage is None:
        return texts("stage-none")
    return texts(f"stage-action-{standing.stage.action}")


MOST_STAGES = 15


def policy(holds: InForce, texts: Texts, *, on: date) -> list[Block]:
    """What is in force for a customer of whom nothing else is said; exceptions are counted, not named."""
    rules = holds.policy
    since = texts.mrkdwn("state-policy-since", at=blocks.moment(holds.since)) if holds.since else ""
    body = [blocks.header(texts("policy")), blocks.section(f"`{rules.version}` {since}".strip())]
    if holds.refused:
        why = blocks.harmless(holds.refused)
        body.append(blocks.section(f"⚠ {texts.mrkdwn('state-policy-refused', why=why)}"))
    stages = rules.stages_for(None, on=on)
    lines = [_stage(stage, rules, texts) for stage in stages[:MOST_STAGES]]
    body.append(blocks.section("\n".join(lines) or texts("public-no-steps")))
    body.append(blocks.section("\n".join(_around(rules, texts, on=on))))
    body.append(blocks.actions(blocks.button(texts("policy-publish"), ids.PUBLISHED_POLICY)))
    body.append(blocks.context(texts("policy-whole")))
    return body


def _stage(stage: Stage, rules: BillingPolicy, texts: Texts) -> str:
    said = []
    if stage.amount is not None:
        said.append(texts("policy-from", amounts=_amounts(stage.amount, texts)))
    if stage.repeat_every_days:
        said.append(texts.count("policy-repeats", stage.repeat_every_days))
    if stage.any_of or stage.all_of:
        said.append(texts("policy-conditions"))
    if stage.requires_stage:
        said.append(texts.mrkdwn("policy-requires", stage=blocks.name(stage.requires_stage)))
    if stage.notice_days:
        said.append(texts.count("policy-notice", stage.notice_days))
    if stage.approvals:
        said.append(texts.count("policy-approvals", stage.approvals))
    head = texts.mrkdwn(
        "why-stage",
        stage=blocks.name(stage.id),
        action=texts(f"stage-action-{stage.action}"),
        days=texts.number(stage.days_overdue + rules.grace_days),
    )
    return f"• {head} " + ("; ".join(said) or texts("policy-any"))


def _around(rules: BillingPolicy, texts: Texts, *, on: date) -> list[str]:
    """What holds for every stage, and how many are excepted."""
    minimum = _amounts(rules.minimum, texts) if rules.minimum else texts("public-any-amount")
    said = [
        texts("policy-minimum", amounts=minimum),
        texts.count("policy-age", rules.max_data_age_hours),
        texts("policy-exceptions", **_counted(rules, texts, on=on)),
    ]
    if rules.calendar.is_of_a_country:
        said.append(texts("policy-calendar", place=texts.place(rules.calendar.name)))
    if rules.quiet_hours:
        begin, end = (f"{clock:%H:%M}" for clock in rules.quiet_hours)
        said.append(texts("policy-quiet", begin=begin, end=end))
    return said


def _counted(rules: BillingPolicy, texts: Texts, *, on: date) -> dict[str, str]:
    return {
        "exempt": texts.number(len({e.tenant for e in rules.exemptions if on <= e.until})),
        "otherwise": texts.number(len([o for o in rules.overrides if on <= o.until])),
        "segments": texts.number(len(rules.segments)),
    }


def _amounts(amounts: Mapping[str, Decimal], texts: Texts) -> str:
    return texts("public-or").join(texts.money(a, currency) for currency, a in sorted(amounts.items()))
