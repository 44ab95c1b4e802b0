"""The forms behind a case: what is said of it, what is left out of sight, and what is left to do after a fraud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from bot.domain.case import MUTE_DAYS, Case, Mute, Step, Verdict
from bot.domain.people import PersonId
from bot.domain.signal import Rule, RuleBook, Severity, Signal
from bot.domain.suspicious import CaseLine, Hidden
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks, suspicious
from handlers.views.blocks import Block, Option, View
from handlers.views.signals import rule_name

REASON: Final = 200
"""Characters of a note: it stands in one line of the digest."""
WORDS: Final = 1000
MOST_SIGNALS: Final = 12
USUAL_MUTE: Final = timedelta(days=14)
EVERYTHING: Final = "*"

# Microsoft's own list, and of each step the page that says how it is done.
LIST: Final = "https://learn.microsoft.com/partner-center/azure-fraud-notification"
PAGES: Final = MappingProxyType(
    {
        Step.CREDENTIALS: "https://learn.microsoft.com/entra/identity/users/users-revoke-access",
        Step.MFA: "https://learn.microsoft.com/entra/identity/authentication/howto-mfa-getstarted",
        Step.ROLES: "https://learn.microsoft.com/azure/role-based-access-control/role-assignments-remove",
        Step.QUOTA: "https://learn.microsoft.com/azure/quotas/quotas-overview",
        Step.RESOURCES: "https://learn.microsoft.com/azure/azure-resource-manager/management/delete-resource-group",
        Step.CANCEL: "https://learn.microsoft.com/azure/cost-management-billing/manage/cancel-azure-subscription",
    }
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to leave out of the digest. `rule` None is everything; `everybody` all customers."""

    rule: Rule | None
    everybody: bool
    until: date
    cap: int
    note: str


def verdict_form(
    line: CaseLine, verdict: Verdict, texts: Texts, *, on: date, kept: str, has_changed: bool
) -> View:
    """What will be settled, by whose word, and what follows from it; `kept` comes back with the answer."""
    case = line.case
    body = [_case(line, texts)]
    if has_changed:
        body.append(blocks.section(f"⚠ {texts('case-changed-since')}"))
    if case.judged:
        body.append(
            blocks.section(texts.mrkdwn("case-stands", said=suspicious.judged_words(case.judged, texts)))
        )
    body += [
        blocks.section(_signals(suspicious.strongest(case), texts)),
        blocks.context(texts(f"verdict-follows-{verdict}")),
    ]
    if verdict is Verdict.FRAUD and (damage := suspicious.damage_words(line, texts, on=on)):
        body.append(blocks.context(damage))
    is_planned = verdict is Verdict.PLANNED
    if is_planned:
        body.append(_day(None, texts("planned-until"), texts.count("days-at-most", MUTE_DAYS)))
    note = blocks.text_input(ids.NOTE, multiline=False, most=REASON)
    hint = texts("planned-note-hint" if is_planned else "verdict-note-hint")
    body.append(blocks.input_block(texts("form-note"), note, ids.NOTE, optional=not is_planned, hint=hint))
    return blocks.modal(
        texts(f"verdict-title-{verdict}"),
        body,
        callback_id=ids.VERDICT_FORM,
        submit=texts("confirm"),
        close=texts("cancel"),
        private_metadata=kept,
    )


def mute_form(
    line: CaseLine, book: RuleBook, texts: Texts, *, on: date, kept: str, rule: Rule | None = None
) -> View:
    """What to leave out of the digest, until when, and from how many points on it is told anyway."""
    choices = mute_options(line.case, texts)
    chosen = next((c for c in choices if c["value"] == _value(rule, everybody=False)), choices[0])
    cap: Block = {
        "type": "number_input",
        "action_id": ids.MUTE_CAP,
        "is_decimal_allowed": False,
        "initial_value": str(min(100, book.high_from)),
        "min_value": str(book.case_from),
        "max_value": "100",
    }
    bounds = {"least": texts.number(book.case_from), "most": texts.number(100)}
    return blocks.modal(
        texts("mute-title"),
        [
            _case(line, texts),
            blocks.input_block(
                texts("mute-what"),
                blocks.static_select(ids.MUTE_WHAT, texts("mute-what"), choices, chosen=chosen),
                ids.MUTE_WHAT,
            ),
            _day(on + USUAL_MUTE, texts("snooze-until"), texts.count("days-at-most", MUTE_DAYS)),
            blocks.input_block(texts("mute-cap"), cap, ids.MUTE_CAP, hint=texts("mute-cap-hint", **bounds)),
            blocks.input_block(
                texts("snooze-why"),
                blocks.text_input(ids.NOTE, multiline=False, most=REASON),
                ids.NOTE,
                hint=texts("snooze-why-hint"),
            ),
            blocks.context(texts("mute-preview-follows")),
        ],
        callback_id=ids.MUTE_FORM,
        submit=texts("continue"),
        close=texts("cancel"),
        private_metadata=kept,
    )


def mute_options(case: Case, texts: Texts) -> list[Option]:
    """The customer altogether, each rule of the case for the customer, and each for everybody."""
    rules = [rule for rule in Rule if any(signal.rule is rule for signal in case.signals)]
    made = [blocks.option(texts("mute-customer"), _value(None, everybody=False))]
    for everybody, key in ((False, "mute-rule-here"), (True, "mute-rule-everywhere")):
        for rule in rules:
            words = texts(key, rule=blocks.harmless(rule_name(rule, texts)))
            made.append(blocks.option(words, _value(rule, everybody=everybody)))
    return made


def wished(value: str) -> tuple[Rule | None, bool]:
    """Rule and whether it is for everybody, from what was chosen. Raises ValueError for anything else."""
    whom, _, rule = value.partition(":")
    if whom not in ("customer", "everybody") or (whom == "everybody" and rule == EVERYTHING):
        raise ValueError(value)
    return (None if rule == EVERYTHING else Rule(rule)), whom == "everybody"


def mute_preview(
    case: Case, wish: Wish, hidden: Hidden, texts: Texts, *, kept: str, external_id: str = ""
) -> View:
    """What it would have left out; nothing is muted yet."""
    customers = len({customer for customer, _ in hidden.signals})
    said = [
        texts.count("mute-would-hide-signals", len(hidden.signals), days=texts.number(hidden.days)),
        texts.count("mute-would-hide-customers", customers),
        texts.count("mute-would-hide-cases", hidden.cases),
    ]
    body = [
        blocks.section(f"*{wish_words(case, wish, texts)}*"),
        blocks.section(
            texts.sentences(said) if hidden.signals else texts("mute-would-hide-nothing", days=hidden.days)
        ),
    ]
    newest = sorted((signal for _, signal in hidden.signals), key=lambda s: s.at, reverse=True)
    if newest:
        body.append(blocks.section(_signals(newest, texts, dated=True)))
    severe = sum(signal.severity is Severity.HIGH for signal in newest)
    if severe:
        body.append(blocks.section(f"⚠ {texts.count('mute-would-hide-severe', severe)}"))
    if wish.everybody:
        body.append(blocks.section(f"⚠ {texts('mute-everybody')}"))
    return blocks.modal(
        texts("mute-title"),
        body,
        callback_id=ids.MUTE_PREVIEW,
        submit=texts("confirm"),
        close=texts("back"),
        private_metadata=kept,
        external_id=external_id,
    )


def wish_words(case: Case, wish: Wish, texts: Texts) -> Mrkdwn:
    """What is left out and until when, as the digest will say it."""
    mute = Mute(
        id="",
        customer_id=None if wish.everybody else case.customer_id,
        rule=wish.rule,
        until=wish.until,
        cap=wish.cap,
        by=PersonId(""),
        at=case.last_seen,
    )
    return suspicious.mute_words(mute, texts, name=case.customer_name)


def runbook(line: CaseLine, texts: Texts, *, on: date, kept: str) -> View:
    """Microsoft's list: what to do, how, and who did it when; what is left can be ticked off."""
    case = line.case
    done = {ticked.step: ticked for ticked in case.ticked}
    left = [step for step in Step if step not in done]
    body = [
        blocks.section(f"*{suspicious.customer_name(case, texts)}*\n<{LIST}|{texts('runbook-list')}>"),
    ]
    if refund := suspicious.refund_words(case, texts, on=on):
        body.append(blocks.section(f"⏳ {refund}"))
    for number, step in enumerate(Step, start=1):
        mark = "☑" if step in done else "☐"
        title, how = texts(f"step-{step}"), texts(f"step-how-{step}")
        said = f"{mark} *{number}. {title}*\n{how} <{PAGES[step]}|{texts('runbook-page')}>"
        if ticked := done.get(step):
            said += "\n" + texts.mrkdwn(
                "runbook-done", by=blocks.person(ticked.by), at=blocks.moment(ticked.at)
            )
        body.append(blocks.section(said))
    if not left:
        return blocks.modal(
            texts("runbook"), [*body, blocks.context(texts("runbook-all-done"))], close=texts("close")
        )
    boxes: Block = {
        "type": "checkboxes",
        "action_id": ids.RUNBOOK_STEPS,
        "options": [blocks.option(texts(f"step-{step}"), step.value) for step in left],
    }
    body.append(
        blocks.input_block(texts("runbook-tick"), boxes, ids.RUNBOOK_STEPS, hint=texts("runbook-tick-hint"))
    )
    return blocks.modal(
        texts("runbook"),
        body,
        callback_id=ids.RUNBOOK_FORM,
        submit=texts("save"),
        close=texts("cancel"),
        private_metadata=kept,
    )


def judged(line: CaseLine, texts: Texts, *, on: date) -> tuple[str, list[Block]]:
    """The answer to whoever settled it; after a fraud also what to do next, and until when."""
    case = line.case
    if case.judged is None:
        raise ValueError("nothing was said of it")
    verdict = case.judged.verdict
    said = texts.mrkdwn(f"judged-{verdict}", customer=suspicious.customer_name(case, texts))
    if verdict is not Verdict.FRAUD:
        return said, [blocks.section(said)]
    body = [blocks.section(said)]
    if refund := suspicious.refund_words(case, texts, on=on):
        body.append(blocks.section(f"⏳ {refund}"))
    buttons = [suspicious.runbook_button(case, texts)]
    if line.customer:
        suspend = suspicious.suspend_button(case.customer_id, case.customer_name, texts, style="danger")
        buttons.insert(0, suspend)
    return said, [*body, blocks.actions(*buttons)]


def report_form(words: str, texts: Texts, *, kept: str) -> View:
    """Somebody says that something is wrong with a customer; `words` are those of the message."""
    return blocks.modal(
        texts("report-title"),
        [
            blocks.input_block(
                texts("form-customer"),
                blocks.external_select(ids.REPORTED_CUSTOMER, texts("form-customer-placeholder")),
                ids.CUSTOMER,
            ),
            blocks.input_block(
                texts("report-words"),
                blocks.text_input(ids.REPORTED_WORDS, most=WORDS, initial=words),
                ids.REPORTED_WORDS,
                hint=texts("report-words-hint"),
            ),
            blocks.context(texts("report-follows")),
        ],
        callback_id=ids.REPORT_FORM,
        submit=texts("report-submit"),
        close=texts("cancel"),
        private_metadata=kept,
    )


def _case(line: CaseLine, texts: Texts) -> Block:
    case = line.case
    said = f"*{suspicious.customer_name(case, texts)}* · {suspicious.severity_words(case, texts)}"
    if line.customer and line.customer.domain:
        said += f"\n{blocks.name(line.customer.domain)}"
    return blocks.section(said)


def _signals(signals: Sequence[Signal], texts: Texts, *, dated: bool = False) -> str:
    shown = [
        f"• {suspicious.signal_words(signal, texts)}" + (f" ({blocks.moment(signal.at)})" if dated else "")
        for signal in signals[:MOST_SIGNALS]
    ]
    more = len(signals) - MOST_SIGNALS
    return "\n".join([*shown, *([texts.count("requests-more", more)] if more > 0 else [])])


def _day(chosen: date | None, label: str, hint: str) -> Block:
    picker: Block = {"type": "datepicker", "action_id": ids.DATE}
    if chosen:
        picker["initial_date"] = chosen.isoformat()
    return blocks.input_block(label, picker, ids.DATE, hint=hint)


def _value(rule: Rule | None, *, everybody: bool) -> str:
    return f"{'everybody' if everybody else 'customer'}:{rule.value if rule else EVERYTHING}"
