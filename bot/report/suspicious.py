"""The suspicious-activity digest and the backtest of its rules, as documents and in words."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from bot.domain.case import Case, Precision
from bot.domain.customer import TENANT_ID
from bot.domain.signal import Fact, Signal
from bot.domain.suspicious import Backtest, CaseLine, Missing, Said, SuspiciousDigest
from bot.report import Document
from bot.texts import Texts
from handlers.views import digests as overdue_views
from handlers.views import suspicious as views
from handlers.views.signals import sentence


def suspicious(digest: SuspiciousDigest, texts: Texts) -> Document:
    """Open cases, the worst first; money as text, dates ISO, unknown is null."""
    return {
        "digest": "suspicious",
        "date": digest.on.isoformat(),
        "as_of": digest.as_of.isoformat() if digest.as_of else None,
        "banners": [overdue_views.plain_banner(banner, texts) for banner in digest.banners],
        "unavailable": [missing.source.value for missing in digest.missing if not missing.kept],
        "missing": [_missing(missing) for missing in digest.missing],
        "cases": [_line(line, texts) for line in digest.cases],
        "settled": [_line(line, texts) for line in digest.settled],
        "quiet": digest.quiet,
        "precision": [_precision(each) for each in digest.precision],
        "muted": [
            {
                "id": mute.id,
                "tenant": mute.customer_id,
                "rule": mute.rule.value if mute.rule else None,
                "until": mute.until.isoformat(),
                "cap": mute.cap,
                "by": mute.by,
            }
            for mute in digest.mutes
        ],
    }


def suspicious_words(digest: SuspiciousDigest, texts: Texts) -> str:
    """The digest as plain text for a terminal."""
    lines = [texts("suspicious-title", day=texts.day(digest.on)), views.summary(digest, texts)]
    lines += [f"! {overdue_views.plain_banner(banner, texts)}" for banner in digest.banners]
    for line in digest.cases:
        case = line.case
        lines.append(
            f"  {case.score:>4}  {views.plain_name(case, texts)}  ({texts(f'severity-{case.severity}')}, {case.id})"
        )
        lines += [f"        {sentence(signal, texts)}" for signal in case.signals]
    lines += [f"? {views.missing_words(missing, texts)}" for missing in digest.missing]
    return "\n".join(lines)


def rules(found: Backtest) -> Document:
    """What the rules of suspicion would have said over some days, beside what people made of it."""
    return {
        "rules": [_said(said) for said in found.rules],
        "cases": [
            {
                "customer": case.customer_name,
                "tenant": _tenant(case),
                "first_seen": case.first_seen.isoformat(),
                "last_seen": case.last_seen.isoformat(),
                "score": case.score,
                "severity": case.severity.value,
                "rules": sorted({signal.rule.value for signal in case.signals}),
            }
            for case in found.cases
        ],
    }


def rules_words(found: Backtest) -> str:
    """The same for a terminal, a line a rule."""
    lines = [f"Suspicion: {len(found.cases)} cases."]
    for said in found.rules:
        judged = f"{said.right} right, {said.wrong} wrong" if said.precision is not None else "nobody said"
        lines.append(
            f"  {said.rule.value:<22} {said.signals:>5} findings, {said.customers} customers ({judged})"
        )
    return "\n".join(lines)


def _line(line: CaseLine, texts: Texts) -> Document:
    case = line.case
    return {
        "id": case.id,
        "customer": views.plain_name(case, texts),
        "tenant": _tenant(case),
        "score": case.score,
        "severity": case.severity.value,
        "first_seen": case.first_seen.isoformat(),
        "last_seen": case.last_seen.isoformat(),
        "verdict": case.judged.verdict.value if case.judged else None,
        "woke": case.woke,
        "refund_until": case.refund_until.isoformat() if case.refund_until else None,
        "damage": {
            "bought": line.damage.bought,
            "spent": {currency: str(amount) for currency, amount in line.damage.spent.items()},
            "owed": {currency: str(amount) for currency, amount in line.damage.owed.items()},
        },
        "signals": [_signal(signal, texts, is_new=signal.key in case.new_keys) for signal in case.signals],
    }


def _signal(signal: Signal, texts: Texts, *, is_new: bool) -> Document:
    return {
        "rule": signal.rule.value,
        "points": signal.points,
        "at": signal.at.isoformat(),
        "fact": sentence(signal, texts),
        "facts": {name: _fact(fact) for name, fact in signal.facts.items()},
        "evidence": list(signal.evidence),
        "new": is_new,
    }


def _fact(fact: Fact) -> str | int:
    if isinstance(fact, datetime | date):
        return fact.isoformat()
    return str(fact) if isinstance(fact, Decimal) else fact


def _missing(missing: Missing) -> Document:
    return {
        "source": missing.source.value,
        "why": missing.why,
        "kept": missing.kept,
        "failed": missing.failed,
        "until": missing.until.isoformat() if missing.until else None,
    }


def _precision(each: Precision) -> Document:
    return {"rule": each.rule.value, "right": each.right, "wrong": each.wrong}


def _said(said: Said) -> Document:
    return {
        "rule": said.rule.value,
        "signals": said.signals,
        "customers": said.customers,
        "right": said.right,
        "wrong": said.wrong,
        "precision": str(said.precision) if said.precision is not None else None,
    }


def _tenant(case: Case) -> str | None:
    return case.customer_id if TENANT_ID.fullmatch(case.customer_id) else None
