"""Suspicion that others bring: Microsoft's own findings, and people's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from bot.domain.observation import Source
from bot.domain.scene import Scene
from bot.domain.signal import Rule, Severity, Signal

WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {"informational": 0.25, "low": 0.5, "medium": 1.0, "high": 2.0, "critical": 4.0}
)
"""What Microsoft's severity makes of the points; a word that is not known leaves them as they are."""
CONFIDENCE: Final[Mapping[str, float]] = MappingProxyType({"low": 0.75, "medium": 1.0, "high": 2.0})
SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        "informational": Severity.LOW,
        "low": Severity.LOW,
        "medium": Severity.MEDIUM,
        "high": Severity.HIGH,
        "critical": Severity.HIGH,
    }
)
RULES: Final[Mapping[Source, Rule]] = MappingProxyType(
    {Source.FRAUD_EVENTS: Rule.FRAUD_EVENT, Source.SECURITY_ALERTS: Rule.SECURITY_ALERT}
)


def vendor_alerts(scene: Scene) -> Iterator[Signal]:
    """What Microsoft found and nobody resolved; never a test.

    Facts: type, severity, confidence, name (its words as they came, `–` for none), hits (number), day (last seen).
    """
    for alert in scene.past.alerts:
        rule = RULES.get(alert.source)
        if rule is None or alert.is_test or alert.status.strip().lower() == "resolved":
            continue
        severity, sure = alert.severity.strip().lower(), alert.confidence.strip().lower()
        yield scene.signal(
            rule,
            alert.id,
            alert.at,
            strength=WEIGHTS.get(severity, 1.0) * CONFIDENCE.get(sure, 1.0),
            facts={
                "type": alert.type or "–",
                "severity": alert.severity or "–",
                "confidence": alert.confidence or "–",
                "name": alert.name or alert.type or "–",
                "hits": alert.hits,
                "day": scene.day(alert.at),
            },
            evidence=[
                f"{'fraud event' if rule is Rule.FRAUD_EVENT else 'security alert'} {alert.id}",
                *([f"subscription {alert.subscription_id}"] if alert.subscription_id else []),
                *alert.resources,
            ],
            severity=SEVERITIES.get(severity, Severity.MEDIUM),
        )


def reports(scene: Scene) -> Iterator[Signal]:
    """Somebody of the team says so. Facts: by (their id), words (theirs), day."""
    for report in scene.past.reports:
        yield scene.signal(
            Rule.REPORT,
            report.id,
            report.at,
            facts={"by": report.by, "words": report.words or "–", "day": scene.day(report.at)},
            evidence=[f"report {report.id}"],
            severity=Severity.MEDIUM,
        )
