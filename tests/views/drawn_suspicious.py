"""What looks wrong, drawn: the digest, single cases, and the forms behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bot.domain.case import Case, CaseId, Judged, Mute, Precision, Step, Ticked, Verdict
from bot.domain.customer import Countdown, Customer, CustomerId, Known
from bot.domain.digest import Banner
from bot.domain.observation import Past, Reported, Source, Spent, linked
from bot.domain.signal import Fact, Rule, RuleBook, Severity, Signal
from bot.domain.suspicious import CaseLine, Damage, Hidden, Missing, SuspiciousDigest, worst_first
from bot.texts import Texts
from handlers.views import suspicious, triage
from tests.builders import CONTOSO, DAY, HOUR, a_customer, a_subscription, ana, ben, mei, noon
from tests.domain.suspicious import finding

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

TODAY = noon.date()
HUGE = "&<*Größe*>" * 60
KEPT = "C-TEST000001:3 fraud C0SUSPICIOUS"


FACTS: Mapping[Rule, Mapping[str, Fact]] = {rule: finding(rule).facts for rule in Rule}
"""Those that the rules really give."""


def a_signal(rule: Rule = Rule.SEAT_JUMP, **fields: Any) -> Signal:
    given: dict[str, Any] = {
        "key": f"{rule}:{fields.get('at', noon).isoformat()}",
        "at": noon - 3 * HOUR,
        "points": 45,
        "facts": FACTS[rule],
        "evidence": ("subscription aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",),
    }
    return Signal(rule, **(given | fields))


FRAUD_EVENT = a_signal(
    Rule.FRAUD_EVENT, key="fraud", points=80, severity=Severity.HIGH, evidence=("fraud event 5f2c",)
)
REPORT = a_signal(Rule.REPORT, key="report", points=60, at=noon - HOUR, evidence=("report V0001",))
JUMP = a_signal(key="jump", at=noon - DAY)


def a_case(*signals: Signal, **fields: Any) -> Case:
    found = signals or (JUMP, FRAUD_EVENT, REPORT)
    given: dict[str, Any] = {
        "id": CaseId("C-TEST000001"),
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "signals": found,
        "score": min(100, sum(signal.points for signal in found)),
        "severity": Severity.HIGH,
        "first_seen": found[0].at,
        "last_seen": found[-1].at,
        "version": 3,
    }
    return Case(**(given | fields))


def a_line(case: Case | None = None, **fields: Any) -> CaseLine:
    shown = case or a_case()
    given: dict[str, Any] = {
        "customer": a_customer(id=shown.customer_id, name=shown.customer_name),
        "damage": Damage(bought=375, spent={"EUR": Decimal("18420.75")}, owed={"EUR": Decimal("612.40")}),
        "past": Past(shown.customer_id),
        "running": 4,
    }
    return CaseLine(shown, **(given | fields))


def a_judgement(verdict: Verdict = Verdict.FRAUD, **fields: Any) -> Judged:
    given: dict[str, Any] = {"note": "the customer's admin says it was not them", "keys": {"jump": 45}}
    return Judged(verdict, ben.id, noon - 2 * HOUR, **(given | fields))


def a_mute(**fields: Any) -> Mute:
    given: dict[str, Any] = {
        "id": "M-TEST000001",
        "customer_id": CONTOSO,
        "rule": None,
        "until": TODAY + 10 * DAY,
        "cap": 80,
        "by": mei.id,
        "at": noon - DAY,
        "note": "moves 300 people this week",
    }
    return Mute(**(given | fields))


def a_digest(*lines: CaseLine, **fields: Any) -> SuspiciousDigest:
    given: dict[str, Any] = {
        "on": TODAY,
        "at": noon,
        "as_of": noon - timedelta(minutes=20),
        "banners": (),
        "missing": (),
        "cases": worst_first(lines),
    }
    return SuspiciousDigest(**(given | fields))


def spent_by_day(customer: CustomerId = CONTOSO, *, days: int = 70, burst: int = 3) -> tuple[Spent, ...]:
    """A month of some forty a day that begins anew, and many times that at the end."""
    amount, found = Decimal(0), []
    for n in range(days):
        if n % 30 == 0:
            amount = Decimal(0)
        amount += Decimal(40 + n % 5) if n < days - burst else Decimal(900)
        found.append(Spent(customer, noon - (days - 1 - n) * DAY, amount, "EUR", Decimal(2000)))
    return tuple(found)


MISSING = (
    Missing(Source.AUDIT_RECORDS, "unavailable timeout", kept=120),
    Missing(Source.USAGE, "access_denied 20002", until=noon + DAY),
    Missing(Source.FRAUD_EVENTS, "cloud"),
    Missing(Source.SECURITY_ALERTS, "cloud"),
    Missing(Source.ORDERS, "some", kept=40, failed=2),
    Missing(Source.SUBSCRIPTIONS, "unavailable"),
    Missing(Source.BOOKS, "nothing-imported"),
    Missing(Source.PEOPLE, "never"),
)
PRECISION = (Precision(Rule.SEAT_JUMP, 3, 1), Precision(Rule.FRAUD_EVENT, 12, 0))
NEW = a_case(new_keys=frozenset({"jump", "fraud", "report"}))
SOME_NEW = a_case(new_keys=frozenset({"report"}))
WOKE = a_case(
    new_keys=frozenset({"fraud"}),
    earlier=(a_judgement(Verdict.LEGITIMATE),),
    hidden=(a_signal(Rule.OFF_HOURS, key="off"),),
)
TICKED = (Ticked(Step.CREDENTIALS, ana.id, noon - HOUR), Ticked(Step.MFA, ben.id, noon - HOUR))
CALLED_FRAUD = a_case(judged=a_judgement(), ticked=TICKED)
PLANNED = a_case(
    judged=a_judgement(Verdict.PLANNED, until=TODAY + 20 * DAY, note="migration"),
    id=CaseId("C-TEST000002"),
    customer_name="Fabrikam, Inc.",
)
QUIET_ONE = a_case(
    a_signal(Rule.OFF_HOURS, points=15, key="off"),
    id=CaseId("C-TEST000003"),
    severity=Severity.LOW,
    customer_id=CustomerId("99999999-2222-4333-8444-555555555555"),
    customer_name="",
)
REPORTED = (
    Reported(CONTOSO, noon - HOUR, "V0001", ana.id, linked("odd", "https://acme.slack.com/archives/C1/p1")),
    Reported(CONTOSO, noon - HOUR, "V0002", ben.id, "no link"),
    Reported(
        CONTOSO,
        noon - 90 * DAY,
        "V0000",
        ben.id,
        linked("of before", "https://acme.slack.com/archives/C1/p0"),
    ),
    Reported(CONTOSO, noon - HOUR, "V0003", ben.id, linked("bad", "https://acme.example/<!channel>")),
    Reported(CONTOSO, noon - HOUR, "V0004", ben.id, "pasted\nhttps://evil.example/pay-now"),
)
SUSPENDED = Countdown(a_subscription(), a_customer(), TODAY + 60 * DAY)


def many(cases: int) -> SuspiciousDigest:
    lines = [
        a_line(
            replace(
                SOME_NEW,
                id=CaseId(f"C-{n:04}"),
                customer_id=CustomerId(f"t-{n:04}"),
                customer_name=f"Customer {n:04}",
                severity=list(Severity)[-1 - n % 3],
                score=100 - n % 60,
            )
        )
        for n in range(cases)
    ]
    return a_digest(*lines)


def _wordy(rule: Rule, words: str) -> dict[str, Fact]:
    """What the rule gives, with such words wherever others wrote some."""
    return {
        name: words if isinstance(fact, str) and name != "currency" else fact
        for name, fact in FACTS[rule].items()
    }


def everything(cases: int = 30, words: str = HUGE) -> SuspiciousDigest:
    """The most that can stand on a first page, at its longest."""
    signals = tuple(
        a_signal(
            rule, key=f"{rule}:{n}:{words}", points=60, evidence=(words,) * 20, facts=_wordy(rule, words)
        )
        for rule in Rule
        for n in range(20)
    )
    money = {code: Decimal(10**12) for code in ("EUR", "USD", "CNY", "GBP", "CHF", "JPY", "SEK", "PLN")}
    gone = Countdown(a_subscription(name=words), a_customer(name=words), None, known=Known.UNKNOWN)
    case = a_case(
        *signals,
        customer_name=words,
        score=100,
        new_keys=frozenset(signal.key for signal in signals[1:]),
        earlier=(a_judgement(note=words),),
        hidden=signals,
        ticked=TICKED,
        version=10**6,
    )
    line = a_line(
        case,
        damage=Damage(10**9, money, money),
        suspended=(gone, SUSPENDED) * 20,
        past=Past(CONTOSO, reports=tuple(replace(REPORTED[0], at=noon, id=str(n)) for n in range(50))),
        running=10**6,
        customer=a_customer(name=words),
    )
    listed = replace(line, customer=None)
    settled = replace(line, case=replace(case, judged=a_judgement(until=TODAY + 80 * DAY, note=words)))
    return a_digest(
        *[line if n % 2 else listed for n in range(cases)],
        settled=(settled,) * 30,
        banners=(
            Banner("never_looked", {}),
            Banner("policy_refused", {"why": words, "version": "b67fdefa4544"}),
            Banner("dry_run", {}),
        ),
        missing=tuple(Missing(source, words, kept=10**6, until=noon + DAY) for source in Source),
        quiet=10**6,
        mutes=tuple(a_mute(note=words, rule=rule) for rule in (None, *Rule)),
        names={CONTOSO: words},
        precision=tuple(Precision(rule, 10**6, 10**6) for rule in Rule),
    )


def message(blocks: list[Json]) -> Json:
    return {"blocks": blocks}


def _digests() -> dict[str, Drawing]:
    beside = {"missing": MISSING, "precision": PRECISION, "quiet": 2}
    pages = {
        "one": (a_digest(a_line(NEW)), 0),
        "several": (
            a_digest(
                a_line(WOKE, past=Past(CONTOSO, reports=REPORTED), suspended=(SUSPENDED,)),
                a_line(replace(SOME_NEW, severity=Severity.MEDIUM, score=60)),
                a_line(QUIET_ONE, customer=None, damage=Damage(), running=None),
            ),
            0,
        ),
        "settled": (
            a_digest(a_line(NEW), settled=(a_line(PLANNED), a_line(CALLED_FRAUD)), **beside),
            0,
        ),
        "mutes": (
            a_digest(
                mutes=(
                    a_mute(),
                    a_mute(id="M-TEST000002", rule=Rule.SEAT_JUMP, note=""),
                    a_mute(id="M-TEST000003", customer_id=None, rule=Rule.OFF_HOURS, note="we work at night"),
                ),
                names={CONTOSO: "Contoso Ltd"},
            ),
            0,
        ),
        "nothing": (a_digest(missing=MISSING[2:4]), 0),
        "never-looked": (a_digest(as_of=None, banners=(Banner("never_looked", {}),)), 0),
        "dry-run": (a_digest(a_line(NEW), banners=(Banner("dry_run", {}),)), 0),
        "first-page": (many(12), 0),
        "middle-page": (many(12), 1),
        "last-page": (many(12), 2),
        "everything": (everything(), 0),
    }

    def page(digest: SuspiciousDigest, number: int) -> Drawing:
        return lambda texts: message(suspicious.suspicious(digest, texts, page=number))

    return {f"suspicious-{name}": page(*shown) for name, shown in pages.items()}


def _alerts() -> dict[str, Drawing]:
    def drawing(line: CaseLine) -> Drawing:
        return lambda texts: message(suspicious.alert(line, texts, on=TODAY))

    return {"case-alert": drawing(a_line(NEW)), "case-alert-settled": drawing(a_line(CALLED_FRAUD))}


def _forms() -> dict[str, Drawing]:
    book, line = RuleBook(), a_line(SOME_NEW)
    customers: list[Customer] = [a_customer(), a_customer(id=CustomerId("t-2"))]
    hidden = Hidden(
        90, tuple((customer.id, signal) for customer in customers for signal in (JUMP, REPORT)), 1
    )
    severe = Hidden(90, tuple((CONTOSO, replace(FRAUD_EVENT, key=str(n))) for n in range(20)), 3)
    until = TODAY + 14 * DAY
    for_one = triage.Wish(None, False, until, 80, "moves")
    for_all = triage.Wish(Rule.SEAT_JUMP, True, until, 95, "moves")

    def verdict(verdict: Verdict, line: CaseLine = line, *, has_changed: bool = False) -> Drawing:
        return lambda texts: triage.verdict_form(
            line, verdict, texts, on=TODAY, kept=KEPT, has_changed=has_changed
        )

    def preview(wish: triage.Wish, found: Hidden) -> Drawing:
        return lambda texts: triage.mute_preview(line.case, wish, found, texts, kept="kept")

    def answer(verdict: Verdict) -> Drawing:
        case = a_case(judged=a_judgement(verdict))
        return lambda texts: message(triage.judged(a_line(case), texts, on=TODAY)[1])

    def runbook(*done: Ticked) -> Drawing:
        case = replace(CALLED_FRAUD, ticked=done)
        return lambda texts: triage.runbook(a_line(case), texts, on=TODAY, kept=KEPT)

    return {
        **{f"verdict-{word}": verdict(word) for word in Verdict},
        "verdict-changed": verdict(Verdict.FRAUD, has_changed=True),
        "verdict-again": verdict(Verdict.LEGITIMATE, a_line(CALLED_FRAUD)),
        "mute-form": lambda texts: triage.mute_form(line, book, texts, on=TODAY, kept="kept"),
        "mute-form-rule": lambda texts: triage.mute_form(
            line, book, texts, on=TODAY, kept="kept", rule=Rule.REPORT
        ),
        "mute-preview": preview(for_one, hidden),
        "mute-preview-everybody": preview(for_all, severe),
        "mute-preview-nothing": preview(for_all, Hidden(90, (), 0)),
        "runbook": runbook(*TICKED),
        "runbook-done": runbook(*(Ticked(step, ana.id, noon) for step in Step)),
        "report-form": lambda texts: triage.report_form("Odd <orders> *again*", texts, kept="C1 1.2"),
        **{f"answer-{word}": answer(word) for word in Verdict},
    }


VIEWS: dict[str, Drawing] = {**_digests(), **_alerts(), **_forms()}
