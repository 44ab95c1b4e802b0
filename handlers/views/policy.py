"""The billing policy's verdict on one customer, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.action import Reason
from bot.domain.collection import Standing
from bot.domain.policy import Rule
from bot.texts import Texts
from handlers.views import blocks


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


def reasons_of(rules: Sequence[Rule], texts: Texts) -> list[str]:
    """Each rule in words, with the fact it was held against."""
    said = []
    for rule in rules:
        name, _, stage = rule.rule.partition(":")
        fact = blocks.harmless(rule.fact)
        if name in ("stage", "before_first_stage"):
            fact = fact.partition(" ")[0]  # of `45 >= 30` only the days: the words tell the rest
        said.append(texts(f"rule-{name.replace('_', '-')}", stage=stage, fact=fact))
    return said


def next_step(standing: Standing, texts: Texts) -> str:
    if standing.stage is None:
        return texts("stage-none")
    return texts(f"stage-action-{standing.stage.action}")
