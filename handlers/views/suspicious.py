"""The suspicious-activity digest: what waits for a word, the worst first, a page at a time; what nobody can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.domain.case import Case, Judged, Mute, Precision, Step, Verdict
from bot.domain.digest import Banner
from bot.domain.observation import Source
from bot.domain.signal import Rule, Severity, Signal
from bot.domain.suspicious import CaseLine, Missing, SuspiciousDigest
from bot.texts import Mrkdwn, Texts, escaped
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.countdown import suspended_words
from handlers.views.signals import rule_name, sentence

PAGE: Final = 4
"""Cases a page, three blocks each. With the most of all that may stand around them a message has 32 of Slack's 50
blocks, and stays under the 13,200 characters that all its blocks may have, whatever names and evidence are."""
CASE, NOTES, BANNERS, SETTLED, MUTE, PRECISION, MISSING = 900, 560, 700, 450, 280, 800, 1800
"""Characters each may have; what does not fit is left out line by line."""
SENTENCE, EVIDENCE, NAME = 240, 60, 60
ESCAPED = 120
"""A name may grow that long by being made harmless."""
MOST_REPORTS = 2
MOST_SIGNALS, MOST_EVIDENCE, MOST_SETTLED, MOST_MUTES, MOST_AMOUNTS = 4, 3, 4, 4, 3

SIGNS: Final[Mapping[Severity, str]] = {Severity.HIGH: "▲▲▲", Severity.MEDIUM: "▲▲", Severity.LOW: "▲"}
"""Told apart by their number: nothing depends on a colour."""
_ADDRESS: Final = re.compile(r"https?://[^\s<>|]{1,140}")
_VERDICTS: Final = (
    (Verdict.LEGITIMATE, ids.CALL_LEGITIMATE),
    (Verdict.FRAUD, ids.CALL_FRAUD),
    (Verdict.IGNORE, ids.CALL_IGNORE),
)


class More(StrEnum):
    """What can be chosen behind the three dots beside a verdict."""

    MUTE_RULE = "mute-rule"
    RUNBOOK = "runbook"
    EVIDENCE = "evidence"


def suspicious(digest: SuspiciousDigest, texts: Texts, *, page: int = 0) -> list[Block]:
    """One page of the digest; the first also has what stands around the cases."""
    pages = max(1, -(-len(digest.cases) // PAGE))
    page = min(max(page, 0), pages - 1)
    body = [blocks.header(texts("suspicious-title", day=texts.day(digest.on)))]
    if digest.banners:
        lines = [f"⚠ {_banner(banner, texts)}" for banner in digest.banners]
        body.append(blocks.section(_lines(lines, BANNERS, texts)))
    if digest.cases:
        body.append(blocks.section(f"*{_counted(digest, texts)}*"))
    elif digest.as_of:
        body.append(blocks.section(_nothing(digest, texts)))
    for line in digest.cases[page * PAGE : (page + 1) * PAGE]:
        body += case_card(line, texts, on=digest.on)
    if page == 0:
        body += _settled(digest.settled, texts, on=digest.on)
        body += _mutes(digest, texts)
        body += _beside(digest, texts)
    return [*body, *_footer(digest, texts, page=page, pages=pages)]


def summary(digest: SuspiciousDigest, texts: Texts) -> str:
    """One line for notifications and screen readers; what keeps from seeing comes first."""
    warnings = [f"⚠ {_plain_banner(b, texts)}" for b in digest.banners if b.key != "dry_run"]
    if digest.as_of is None and not digest.cases:
        return " ".join(warnings) or texts("suspicious-summary-never")
    said = _counted(digest, texts) if digest.cases else texts("suspicious-summary-nothing")
    whole = sum(missing.is_whole for missing in digest.missing)
    untold = [texts.count("suspicious-summary-missing", whole)] if whole else []
    return blocks.shortened(texts.sentences([*warnings, said, *untold]), 3000)


def alert(line: CaseLine, texts: Texts, *, on: date) -> list[Block]:
    """A case that is told at once; once settled it loses its buttons and says what was said."""
    head = blocks.header(texts("case-alert-title"))
    if line.case.judged:
        return [head, *_settled([line], texts, on=on)[1:]]
    return [head, *case_card(line, texts, on=on)]


def alert_summary(line: CaseLine, texts: Texts) -> Mrkdwn:
    """The same in one line."""
    case = line.case
    what = signal_words(strongest(case)[0], texts)
    score = texts.number(case.score)
    return texts.mrkdwn("case-alert", customer=customer_name(case, texts), score=score, what=what)


def case_card(line: CaseLine, texts: Texts, *, on: date) -> list[Block]:
    """Who, how bad, since when and what was found; below it what it may cost, and what can be done."""
    case = line.case
    lines = [
        f"*{customer_name(case, texts)}* · {severity_words(case, texts)}",
        texts.mrkdwn("case-seen", first=blocks.moment(case.first_seen), last=blocks.moment(case.last_seen)),
    ]
    if news := _news(case, texts):
        lines.append(news)
    shown = strongest(case)[:MOST_SIGNALS]
    lines += [_found(signal, case, texts) for signal in shown]
    left = len(case.signals) - len(shown)
    body = [blocks.section(_lines(lines, CASE, texts, left=left))]
    if notes := _notes(line, shown, texts, on=on):
        body.append(blocks.context(_fitting(notes, NOTES)))
    return [*body, blocks.actions(*_buttons(line, texts))]


def strongest(case: Case) -> list[Signal]:
    """What is new first, then what counts most; of each rule its strongest before the second of another."""
    ordered = sorted(case.signals, key=lambda s: (s.key not in case.new_keys, -s.points, -s.at.timestamp()))
    seen: set[Rule] = set()
    first = [s for s in ordered if not (s.rule in seen or seen.add(s.rule))]  # type: ignore[func-returns-value]
    return [*first, *(s for s in ordered if s not in first)]


def customer_name(case: Case, texts: Texts) -> Mrkdwn:
    """The name; of a customer nobody knows the name of, the tenant's id."""
    return _name(plain_name(case, texts))


def plain_name(case: Case, texts: Texts) -> str:
    """The same, as it is: outside text. Some findings name no customer; others are about the partner itself."""
    return case.customer_name or case.customer_id or texts("case-nobody")


def severity_words(case: Case, texts: Texts) -> str:
    """In words and with a sign, and the score behind it."""
    said = texts(f"severity-{case.severity}")
    return f"{SIGNS[case.severity]} {said} · {texts('case-score', score=texts.number(case.score))}"


def signal_words(signal: Signal, texts: Texts) -> Mrkdwn:
    """What was found, in one harmless line; whoever reported it by their name."""
    said = _within(sentence(signal, texts), SENTENCE)
    by = str(signal.facts.get("by", ""))
    if signal.rule is Rule.REPORT and by.isalnum():
        return Mrkdwn(said.replace(by, blocks.person(by), 1))
    return said


def refund_words(case: Case, texts: Texts, *, on: date) -> str:
    """How long Microsoft can still be asked for a refund; nothing where nobody called it fraud."""
    if case.refund_until is None:
        return ""
    left = (case.refund_until - on).days
    day = texts.day(case.refund_until)
    return texts("refund-over", day=day) if left < 0 else texts.count("refund-left", left, day=day)


def judged_words(judged: Judged, texts: Texts) -> Mrkdwn:
    """What was said, by whom and when, without the note."""
    said = texts.mrkdwn(
        "case-judged",
        verdict=texts(f"verdict-{judged.verdict}"),
        by=blocks.person(judged.by),
        at=blocks.moment(judged.at),
    )
    if judged.until:
        return Mrkdwn(f"{said} · {texts('case-planned-until', until=texts.day(judged.until))}")
    return said


def case_value(case: Case) -> str:
    return f"{case.id}:{case.version}"


def suspend_button(customer_id: str, customer: str, texts: Texts, *, style: str | None = None) -> Block:
    """Opens the form of a suspension with the reason fraud."""
    label = texts("suspend-label", customer=blocks.harmless(customer))
    return blocks.button(texts("suspend"), ids.SUSPEND_FOR_FRAUD, customer_id, style=style, label=label)


def runbook_button(case: Case, texts: Texts) -> Block:
    label = texts("runbook-label", customer=blocks.harmless(case.customer_name))
    return blocks.button(texts("runbook"), ids.SHOW_RUNBOOK, case_value(case), label=label)


def missing_words(missing: Missing, texts: Texts) -> str:
    """What is missing, why, until when, and what is looked at instead; one line of plain text."""
    until = f"{texts.moment(missing.until, 'UTC')} UTC" if missing.until else ""
    why = _why(missing, texts, until=until)
    source = texts(f"risk-source-{missing.source}")
    return texts.sentences([f"{source}: {why}", texts(f"instead-{missing.source}")])


def _missing_line(missing: Missing, texts: Texts) -> Mrkdwn:
    """The same for Slack, in the reader's own time."""
    until = blocks.moment(missing.until) if missing.until else Mrkdwn()
    why = Mrkdwn(escaped(_why(missing, texts, until="\0")).replace("\0", until))
    source = texts.mrkdwn(f"risk-source-{missing.source}")
    return Mrkdwn(texts.sentences([f"*{source}*: {why}", texts.mrkdwn(f"instead-{missing.source}")]))


def mute_words(mute: Mute, texts: Texts, *, name: str) -> Mrkdwn:
    """What it leaves out, and until when."""
    rule = rule_name(mute.rule, texts) if mute.rule else ""
    if mute.customer_id and rule:
        what = texts.mrkdwn("muted-rule-of-customer", rule=rule, customer=_name(name or mute.customer_id))
    elif mute.customer_id:
        what = texts.mrkdwn("muted-customer", customer=_name(name or mute.customer_id))
    else:
        what = texts.mrkdwn("muted-rule", rule=rule)
    return texts.mrkdwn("muted-until", what=what, until=texts.day(mute.until), cap=texts.number(mute.cap))


def _why(missing: Missing, texts: Texts, *, until: str) -> str:
    why = blocks.shortened(blocks.harmless(missing.why), 60)
    if missing.until:
        return texts("missing-refused", why=why, until=until)
    if missing.why == "cloud":
        return texts("missing-cloud")
    if missing.why == "never":
        return texts("missing-never")
    if missing.why == "nothing-imported":
        return texts("missing-not-imported")
    if missing.failed:
        return texts.count("missing-some", missing.failed)
    if missing.kept:
        return texts.count("missing-broke-off", missing.kept, why=why)
    return texts("missing-failed", why=why)


def _counted(digest: SuspiciousDigest, texts: Texts) -> str:
    """How many wait for a word, and how many of them are severe. Plain text."""
    high = sum(line.case.severity is Severity.HIGH for line in digest.cases)
    said = texts.count("suspicious-summary", len(digest.cases))
    return texts.sentences([said, texts.count("suspicious-summary-high", high)]) if high else said


def _nothing(digest: SuspiciousDigest, texts: Texts) -> Mrkdwn:
    """The empty state says what was looked at, and when."""
    untold = {missing.source for missing in digest.missing if missing.is_whole}
    looked = texts.listed(texts(f"risk-source-{source}") for source in Source if source not in untold)
    if digest.as_of is None or not looked:
        return texts.mrkdwn("suspicious-summary-nothing")
    return texts.mrkdwn("suspicious-nothing", sources=looked, at=blocks.moment(digest.as_of))


def _news(case: Case, texts: Texts) -> str:
    """What has changed since people last looked."""
    said: list[str] = []
    if case.woke:
        last = case.earlier[-1]
        said.append(
            texts.mrkdwn("case-woke", verdict=texts(f"verdict-{last.verdict}"), by=blocks.person(last.by))
        )
    new = sum(signal.key in case.new_keys for signal in case.signals)
    if new == len(case.signals):
        said.append(texts("case-new"))
    elif new:
        said.append(texts.count("case-news", new))
    return " · ".join(said)


def _found(signal: Signal, case: Case, texts: Texts) -> str:
    words = signal_words(signal, texts)
    is_news = signal.key in case.new_keys and len(case.new_keys) < len(case.signals)
    mark = f"*{texts('finding-new')}* " if is_news else ""
    return f"• {mark}{words}"


def _notes(line: CaseLine, shown: Sequence[Signal], texts: Texts, *, on: date) -> list[str]:
    notes = []
    if damage := damage_words(line, texts, on=on):
        notes.append(damage)
    if refund := refund_words(line.case, texts, on=on):
        notes.append(f"⏳ {refund}")
    if line.case.ticked or line.case.refund_until:
        notes.append(_progress(line.case, texts))
    if links := _links(line, texts):
        notes.append(links)
    if line.case.hidden:
        notes.append(texts.count("case-hidden", len(line.case.hidden)))
    if line.customer is None:
        notes.append(texts("case-not-listed"))
    evidence = list(dict.fromkeys(each for signal in shown for each in signal.evidence))
    if evidence:
        named: list[str] = [_within(each, EVIDENCE) for each in evidence[:MOST_EVIDENCE]]
        more = len(evidence) - MOST_EVIDENCE
        named += [texts.count("requests-more", more)] if more > 0 else []
        notes.append(texts.mrkdwn("case-evidence", evidence=Mrkdwn(texts.listed(named))))
    return notes


def _links(line: CaseLine, texts: Texts) -> str:
    """The way to the messages that were reported since the case began; the newest first."""
    said = []
    for report in reversed(line.past.reports):
        if report.at >= line.case.first_seen and _ADDRESS.fullmatch(report.link):
            link = Mrkdwn(f"<{escaped(report.link)}|{texts.mrkdwn('case-reported-message')}>")
            said.append(texts.mrkdwn("case-reported", by=blocks.person(report.by), message=link))
    return " · ".join(said[:MOST_REPORTS])


def damage_words(line: CaseLine, texts: Texts, *, on: date) -> str:
    """What it comes to if it is fraud, as far as anybody knows. Plain text."""
    damage = line.damage
    parts = [texts.count("damage-bought", damage.bought)] if damage.bought else []
    if spent := _amounts(damage.spent, texts):
        parts.append(texts("damage-spent", amounts=spent))
    if owed := _amounts(damage.owed, texts):
        parts.append(texts("damage-owed", amounts=owed))
    if line.running:
        parts.append(texts.count("running", line.running))
    if line.suspended:
        parts.append(suspended_words(line.suspended, texts, on=on))
    return texts("damage", parts=" · ".join(parts)) if parts else ""


def _amounts(amounts: Mapping[str, Decimal], texts: Texts) -> str:
    said = [texts.money(amount, currency) for currency, amount in sorted(amounts.items()) if amount]
    more = len(said) - MOST_AMOUNTS
    return texts.listed([*said[:MOST_AMOUNTS], *([texts.count("requests-more", more)] if more > 0 else [])])


def _progress(case: Case, texts: Texts) -> str:
    return texts("runbook-progress", done=texts.number(len(case.ticked)), all=texts.number(len(Step)))


def _buttons(line: CaseLine, texts: Texts) -> list[Block]:
    """They open forms and decide nothing."""
    case = line.case
    name, value = blocks.harmless(plain_name(case, texts)), case_value(case)
    made = []
    if line.customer:
        label = texts("open-ticket-label", customer=name)
        ticket = blocks.button(texts("open-ticket"), ids.OPEN_TICKET_FOR_FRAUD, value, label=label)
        made = [suspend_button(case.customer_id, name, texts), ticket]
    for verdict, action in _VERDICTS:
        label = texts("case-judge-label", verdict=texts(f"verdict-{verdict}"), customer=name)
        made.append(blocks.button(texts(f"verdict-{verdict}"), action, value, label=label))
    if case.customer_id:
        label = texts("snooze-label", customer=name)
        made.append(blocks.button(texts("snooze"), ids.MUTE_CUSTOMER, value, label=label))
    return [*made, _more((Verdict.PLANNED, More.MUTE_RULE, More.RUNBOOK, More.EVIDENCE), case, texts)]


def _more(choices: Iterable[str], case: Case, texts: Texts) -> Block:
    """Behind three dots what is wanted less often."""
    return {
        "type": "overflow",
        "action_id": ids.MORE_OF_CASE,
        "options": [
            blocks.option(texts(_MORE_WORDS[choice]), f"{choice}:{case_value(case)}") for choice in choices
        ],
    }


_MORE_WORDS: Final[Mapping[str, str]] = {
    Verdict.LEGITIMATE: "verdict-legitimate",
    Verdict.FRAUD: "verdict-fraud",
    Verdict.IGNORE: "verdict-ignore",
    Verdict.PLANNED: "verdict-planned",
    More.MUTE_RULE: "mute-rule",
    More.RUNBOOK: "runbook",
    More.EVIDENCE: "evidence-button",
}


def _settled(lines: Sequence[CaseLine], texts: Texts, *, on: date) -> list[Block]:
    """In short: what was said, by whom; fraud first, for there is something left to do."""
    if not lines:
        return []
    ordered = sorted(lines, key=lambda line: line.case.refund_until is None)
    body = [blocks.section(f"*{texts.count('suspicious-settled', len(lines))}*")]
    for line in ordered[:MOST_SETTLED]:
        case = line.case
        if case.judged is None:
            raise ValueError("only what somebody has settled is shown so")
        said = [f"*{customer_name(case, texts)}* · {judged_words(case.judged, texts)}"]
        if refund := refund_words(case, texts, on=on):
            said.append(f"⏳ {refund} · {_progress(case, texts)}")
        if case.judged.note:
            said.append(_within(case.judged.note, 90))
        others = [verdict for verdict in Verdict if verdict is not case.judged.verdict]
        section = blocks.section(
            _fitting(said, SETTLED), accessory=_more((*others, More.RUNBOOK, More.EVIDENCE), case, texts)
        )
        body.append(section)
    more = len(lines) - MOST_SETTLED
    return [*body, blocks.context(texts.count("requests-more", more))] if more > 0 else body


def _mutes(digest: SuspiciousDigest, texts: Texts) -> list[Block]:
    """What is left out, until when, by whom and why; the next to end first."""
    if not digest.mutes:
        return []
    body = [blocks.section(f"*{texts.count('suspicious-mutes', len(digest.mutes))}*")]
    for mute in sorted(digest.mutes, key=lambda m: (m.until, m.at))[:MOST_MUTES]:
        words = mute_words(
            mute, texts, name=digest.names.get(mute.customer_id, "") if mute.customer_id else ""
        )
        said = [f"{words} · {blocks.person(mute.by)}"]
        if mute.note:
            said.append(_within(mute.note, 90))
        button = blocks.button(texts("unmute"), ids.UNMUTE, mute.id)
        body.append(blocks.section(_fitting(said, MUTE), accessory=button))
    more = len(digest.mutes) - MOST_MUTES
    return [*body, blocks.context(texts.count("requests-more", more))] if more > 0 else body


def _beside(digest: SuspiciousDigest, texts: Texts) -> list[Block]:
    """How often the rules were right, and what nobody could tell."""
    body: list[Block] = []
    if digest.precision:
        parts = [_right(precision, texts) for precision in digest.precision]
        said = [f"*{texts('suspicious-precision')}*", *parts]
        body.append(blocks.context(_lines(said, PRECISION, texts)))
    if digest.missing:
        said = [f"*{texts('suspicious-missing')}*", *(f"• {_missing_line(m, texts)}" for m in digest.missing)]
        body.append(blocks.section(_lines(said, MISSING, texts)))
    return [blocks.divider(), *body] if body else []


def _right(precision: Precision, texts: Texts) -> Mrkdwn:
    of = precision.right + precision.wrong
    return texts.mrkdwn(
        "precision-line",
        rule=rule_name(precision.rule, texts),
        right=texts.number(precision.right),
        of=texts.number(of),
    )


def _footer(digest: SuspiciousDigest, texts: Texts, *, page: int, pages: int) -> list[Block]:
    said: list[str] = []
    if digest.as_of:
        said.append(texts.mrkdwn("suspicious-as-of", at=blocks.moment(digest.as_of)))
    if digest.quiet:
        said.append(texts.count("suspicious-quiet", digest.quiet))
    if pages > 1:
        said.append(texts("suspicious-page", page=texts.number(page + 1), pages=texts.number(pages)))
    foot = [blocks.context(" · ".join(said))] if said else []
    turns = []
    value = f"{digest.on.isoformat()}:{page}"
    if page > 0:
        turns.append(blocks.button(texts("previous"), ids.SUSPICIOUS_PREVIOUS, value))
    if page < pages - 1:
        turns.append(blocks.button(texts("next"), ids.SUSPICIOUS_NEXT, value))
    return [*foot, blocks.actions(*turns)] if turns else foot


def _banner(said: Banner, texts: Texts) -> str:
    facts = {name: _within(fact, 400) for name, fact in said.facts.items()}
    return texts.mrkdwn(f"banner-{said.key.replace('_', '-')}", **facts)


def _plain_banner(said: Banner, texts: Texts) -> str:
    facts = {name: blocks.shortened(blocks.harmless(fact), 400) for name, fact in said.facts.items()}
    return escaped(texts(f"banner-{said.key.replace('_', '-')}", **facts))


def _lines(lines: Sequence[str], limit: int, texts: Texts, *, left: int = 0) -> str:
    """As many lines as fit, none of them in part, and how many are left out besides those `left` out before."""
    kept: list[str] = []
    room = limit - len(texts.count("requests-more", 10**6)) - 1
    for number, line in enumerate(lines):
        if number and sum(map(len, kept)) + len(kept) + len(line) > room:
            left += len(lines) - number
            break
        kept.append(line)
    return "\n".join([*kept, *([texts.count("requests-more", left)] if left > 0 else [])])


def _fitting(lines: Sequence[str], limit: int) -> str:
    """The first line, and of the others those that there is room for."""
    kept: list[str] = []
    for line in lines:
        if not kept or sum(map(len, kept)) + len(kept) + len(line) <= limit:
            kept.append(line)
    return "\n".join(kept)


def _name(outside: str) -> Mrkdwn:
    """A name that stays short even when every character of it has to be escaped."""
    limit = NAME
    while len(said := blocks.name(outside, limit)) > ESCAPED:
        limit -= 5
    return said


def _within(outside: str, most: int) -> Mrkdwn:
    """Outside text made harmless and at most so long, whatever has to be escaped in it."""
    limit = most
    while len(said := blocks.name(outside, limit)) > most:
        limit -= max(1, limit // 10)
    return said
