"""The billing policy as customers may read it, in Markdown and as a page: what happens when, and what they can do.

Nothing internal gets in: no channel, no approval, no customer, no name of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from html import escape
from string import Template

from bot.domain.capability import Cloud, SubscriptionKind
from bot.domain.policy import BillingPolicy, Condition, Stage, StageAction
from bot.texts import Texts

LOSES_DATA = (
    SubscriptionKind.NEW_COMMERCE_SEAT,
    SubscriptionKind.LEGACY_SEAT,
    SubscriptionKind.LEGACY_AZURE,
)
"""Of which data a suspension may cost: those the policy may name."""


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


Part = str | Bullets | Table
"""A paragraph is plain text; a line break in it is one on the page, too."""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """What the text says, before it is Markdown or a page; all of it is plain text."""

    language: str
    title: str
    intro: str
    sections: tuple[Section, ...]
    footer: str


def published(
    policy: BillingPolicy, texts: Texts, *, cloud: Cloud, zone: str, on: date, since: date | None
) -> Published:
    """The policy as it holds on that day for a customer of whom nothing else was agreed.

    `since` is the day it came into force; None where that is not known. `zone` is that of the quiet hours.
    """
    stages = policy.stages_for(None, on=on)
    suspends = next((s for s in stages if s.action is StageAction.PROPOSE_SUSPEND), None)
    sections = [_steps(policy, stages, texts)]
    if suspends:
        sections.append(
            Section(texts("public-before"), (Bullets(tuple(_before(policy, suspends, on, zone, texts))),))
        )
    sections.append(Section(texts("public-keeps"), (Bullets(tuple(_keeps(policy, texts))),)))
    if suspends:
        sections += [
            Section(texts("public-back"), (Bullets(tuple(_back(policy, texts))),)),
            _data(policy, cloud, texts),
        ]
    contact = policy.contact or texts("public-contact-none")
    sections.append(Section(texts("public-contact"), (contact, texts("public-individual"))))
    key = "public-version" if since else "public-as-of"
    return Published(
        language=texts.language,
        title=texts("public-title"),
        intro=texts("public-intro"),
        sections=tuple(sections),
        footer=texts(key, version=policy.version, day=texts.day(since or on)),
    )


def _steps(policy: BillingPolicy, stages: Sequence[Stage], texts: Texts) -> Section:
    if not stages:
        return Section(texts("public-steps"), (texts("public-no-steps"),))
    head = (texts("public-day"), texts("public-what"), texts("public-amounts"))
    rows = tuple(
        (
            texts.number(stage.days_overdue + policy.grace_days),
            texts.sentences(_what(stage, texts)),
            _from(policy, stage, texts),
        )
        for stage in stages
    )
    notes = [texts("public-counted")]
    if policy.minimum:
        notes.append(texts("public-minimum"))
    if any(stage.amount is not None for stage in stages):
        notes.append(texts(f"public-currencies-{policy.currency_unlisted}"))
    return Section(texts("public-steps"), (Table(head, rows), texts.sentences(notes)))


def _what(stage: Stage, texts: Texts) -> Iterator[str]:
    yield texts(f"public-step-{stage.action}")
    if stage.repeat_every_days == 1:
        yield texts("public-repeat-daily")
    elif stage.repeat_every_days:
        yield texts.count("public-repeat", stage.repeat_every_days)
    if stage.action.cuts_off and (left_out := stage.scope.exclude_products):
        kinds = sorted(texts(f"public-kind-{kind}") for kind in left_out)
        yield texts("public-not-affected", kinds=texts("public-semicolon").join(kinds))
    if any_of := _conditions(stage.any_of, texts):
        yield texts("public-if-any", conditions=any_of)
    if all_of := _conditions(stage.all_of, texts):
        yield texts("public-if-all", conditions=all_of)


def _conditions(conditions: Sequence[Condition], texts: Texts) -> str:
    """In words; empty where one overdue invoice is all that is asked for, since every step has that."""
    said = [_condition(c, texts) for c in conditions]
    return "" if "" in said and len(said) == 1 else texts("public-semicolon").join(filter(None, said))


def _condition(condition: Condition, texts: Texts) -> str:
    parts = []
    if condition.items_overdue and condition.items_overdue > 1:
        parts.append(texts.count("public-if-items", condition.items_overdue))
    if condition.oldest_days:
        parts.append(texts.count("public-if-days", condition.oldest_days))
    if condition.amount:
        parts.append(texts("public-if-amount", amounts=_amounts(condition.amount, texts)))
    return reduce(lambda one, other: texts("public-both", one=one, other=other), parts) if parts else ""


def _from(policy: BillingPolicy, stage: Stage, texts: Texts) -> str:
    """From which amounts on: the stage's own, or the least that is pursued at all."""
    if stage.amount is not None:
        least = {c: max(a, policy.minimum.get(c, Decimal(0))) for c, a in stage.amount.items()}
        return _amounts(least, texts)
    if not policy.minimum:
        return texts("public-any-amount")
    return texts("public-others-any", amounts=_amounts(policy.minimum, texts))


def _amounts(amounts: Mapping[str, Decimal], texts: Texts) -> str:
    return texts("public-or").join(
        texts.money(amount, currency) for currency, amount in sorted(amounts.items())
    )


def _before(policy: BillingPolicy, suspends: Stage, on: date, zone: str, texts: Texts) -> Iterator[str]:
    warning = _warning(policy, suspends)
    if warning:
        days = warning.notice_days
        yield texts.count("public-notice", days) if days else texts("public-warned")
    if policy.min_step_gap_days:
        yield texts.count("public-gap", policy.min_step_gap_days)
    yield texts("public-checked")
    if policy.calendar.is_of_a_country:
        yield texts("public-business", place=texts.place(policy.calendar.name))
    elif policy.calendar.name:
        yield texts("public-business-own")
    if policy.no_cutoff_before_days_off:
        yield texts("public-before-days-off")
    if policy.quiet_hours:
        begin, end = (f"{clock:%H:%M}" for clock in policy.quiet_hours)
        yield texts("public-quiet", begin=begin, end=end, zone=zone)
    for freeze in policy.freezes:
        if freeze.last >= on:
            yield texts("public-freeze", first=texts.day(freeze.first), last=texts.day(freeze.last))


def _warning(policy: BillingPolicy, stage: Stage) -> Stage | None:
    """The warning without which that stage does not come."""
    by_id = {s.id: s for s in policy.stages if s.enabled}
    required = by_id.get(stage.requires_stage or "")
    if required is None or required.action is StageAction.WARN:
        return required
    return _warning(policy, required)


def _keeps(policy: BillingPolicy, texts: Texts) -> Iterator[str]:
    yield texts("public-pay")
    if policy.exit.partial_payment == "hold":
        yield texts("public-part")
    yield texts("public-dispute")
    if policy.exit.promise_times:
        times = policy.exit.promise_times
        often = texts("public-promise-once") if times == 1 else texts.count("public-promise-times", times)
        yield texts.sentences([texts.count("public-promise", policy.exit.promise_days), often])


def _back(policy: BillingPolicy, texts: Texts) -> Iterator[str]:
    yield texts(f"public-back-{policy.exit.when.replace('_', '-')}")
    if policy.exit.confirm_readings > 1:
        yield texts.count("public-back-readings", policy.exit.confirm_readings)
    yield texts("public-back-by-us" if policy.exit.proposes_resume else "public-back-ask")


def _data(policy: BillingPolicy, cloud: Cloud, texts: Texts) -> Section:
    days = policy.deletion_days.get(cloud, {})
    head = (texts("public-kind"), texts("public-deleted"))
    rows = tuple((texts(f"public-kind-{kind}"), _deleted(kind, days.get(kind), texts)) for kind in LOSES_DATA)
    return Section(
        texts("public-data"),
        (texts("public-data-kept"), Table(head, rows), texts("public-data-term-earlier")),
    )


def _deleted(kind: SubscriptionKind, days: int | None, texts: Texts) -> str:
    if days is not None:
        return texts.count("public-deleted-days", days)
    is_seat = kind is SubscriptionKind.NEW_COMMERCE_SEAT
    return texts("public-deleted-term" if is_seat else "public-deleted-unknown")


# Markdown

_MARKS = re.compile(r"([\\`*_\[\]<>|#~])")
_BULLET = re.compile(r"^(\s*)([-+=])", re.MULTILINE)
_NUMBERED = re.compile(r"^(\s*\d+)([.)])(?=\s|$)", re.MULTILINE)


def markdown(text: Published) -> str:
    parts = [f"# {_md(text.title)}", _md(text.intro)]
    for section in text.sections:
        parts.append(f"## {_md(section.title)}")
        parts += [_md_part(part) for part in section.parts]
    return "\n\n".join([*parts, "---", _md(text.footer)]) + "\n"


def _md_part(part: Part) -> str:
    match part:
        case Bullets(items):
            return "\n".join(f"- {_md(item)}" for item in items)
        case Table(head, rows):
            lines = [head, tuple("---" for _ in head), *rows]
            escaped = [row if n == 1 else tuple(map(_md, row)) for n, row in enumerate(lines)]
            return "\n".join(f"| {' | '.join(row)} |" for row in escaped)
        case str():
            return "  \n".join(_md(line) for line in part.splitlines())


def _md(text: str) -> str:
    """Plain text in which Markdown finds no mark of its own."""
    return _NUMBERED.sub(r"\1\\\2", _BULLET.sub(r"\1\\\2", _MARKS.sub(r"\\\1", text)))


# A page of its own

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; font: 1.05rem/1.6 system-ui, sans-serif;
  background: Canvas; color: CanvasText; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; vertical-align: top; padding: .45rem .7rem .45rem 0; border-bottom: 1px solid GrayText;
  overflow-wrap: normal; }
li { margin: .3rem 0; }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid GrayText; font-size: .9rem; }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  h2 { break-after: avoid; }
  tr, li { break-inside: avoid; }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$intro</p>
$sections
</main>
<footer><p>$footer</p></footer>
</body>
</html>
""")


def page(text: Published) -> str:
    """A page that needs nothing beside it: for a phone, for a screen light or dark, and for paper."""
    return _PAGE.substitute(
        language=escape(text.language),
        title=escape(text.title),
        intro=escape(text.intro),
        sections="\n".join(_section(section, n) for n, section in enumerate(text.sections, start=1)),
        footer=escape(text.footer),
    )


def _section(section: Section, number: int) -> str:
    body = "\n".join(_html(part, f"s{number}") for part in section.parts)
    return f'<section aria-labelledby="s{number}">\n<h2 id="s{number}">{escape(section.title)}</h2>\n{body}\n</section>'


def _html(part: Part, heading: str) -> str:
    match part:
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Table(head, rows):
            first = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
            body = "\n".join(_row(row) for row in rows)
            return (
                f'<table aria-labelledby="{heading}">\n<thead><tr>{first}</tr></thead>\n'
                f"<tbody>\n{body}\n</tbody>\n</table>"
            )
        case str():
            return "<p>" + "<br>\n".join(escape(line) for line in part.splitlines()) + "</p>"


def _row(cells: Sequence[str]) -> str:
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr><th scope="row">{escape(cells[0])}</th>{rest}</tr>'
