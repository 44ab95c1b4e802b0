"""Tell Microsoft what came of what it found suspicious, once people have said so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from bot.domain.audit import AuditTag
from bot.domain.capability import Feature
from bot.domain.errors import Invalid
from bot.domain.observation import Source, VendorAlert
from bot.domain.vendor import AlertUpdate, FraudUpdate, Outcome, outcome_of
from bot.services.features import Features
from bot.store import Store

SETTLED: Final = frozenset({"resolved"})

T = TypeVar("T")


class HearsOfFraud(Protocol):
    async def resolve_fraud_events(self, update: FraudUpdate) -> None: ...


class HearsOfAlerts(Protocol):
    async def update_alert(self, update: AlertUpdate) -> None: ...


class WriteBack:
    def __init__(
        self,
        store: Store,
        features: Features,
        partner_center: HearsOfFraud,
        graph: HearsOfAlerts,
        *,
        now: Callable[[], datetime],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._features = features
        self._partner_center = partner_center
        self._graph = graph
        self._now = now
        self._dry_run = dry_run

    async def tell(self, case_id: str) -> None:
        """Mark there what the newest verdict on the case settles; saying it twice does no harm.

        Only what Microsoft had told of when the verdict was given, and always by its ids.
        """
        async with self._store.read() as tx:
            row = await tx.cases.get(case_id)
            said = (await tx.cases.said(until=self._now(), only=[row.customer_id])).get(row.customer_id, ())
            past = await tx.observations.of(row.customer_id, until=self._now())
        judged = next((each.judged for each in reversed(said) if each.case_id == row.id), None)
        if judged is None:
            return
        told = [
            alert
            for alert in past.alerts
            if not alert.is_test
            and alert.status.lower() not in SETTLED
            and (alert.first_at or alert.at) <= judged.at
        ]
        outcome = outcome_of(judged.verdict)
        by_subscription: dict[str, list[VendorAlert]] = {}
        for alert in told:
            if alert.source is Source.FRAUD_EVENTS and alert.subscription_id:
                by_subscription.setdefault(alert.subscription_id, []).append(alert)
        for theirs in by_subscription.values():
            await self._fraud_events(case_id, theirs, outcome)
        for alert in told:
            if alert.source is Source.SECURITY_ALERTS:
                await self._alert(case_id, alert, outcome)

    async def _fraud_events(self, case_id: str, events: list[VendorAlert], outcome: Outcome) -> None:
        subscription = events[0].subscription_id
        if subscription is None:
            return
        try:
            update = FraudUpdate(subscription, tuple(event.id for event in events), outcome)
        except Invalid:  # events without an id cannot be named to Microsoft
            return
        call = partial(self._told, self._partner_center.resolve_fraud_events, update)
        done = await self._features.ask(Feature.FRAUD_EVENTS, call)
        await self._record(case_id, Source.FRAUD_EVENTS, [e.id for e in events], outcome, done=bool(done))

    async def _alert(self, case_id: str, alert: VendorAlert, outcome: Outcome) -> None:
        try:
            update = AlertUpdate(alert.id, outcome)
        except Invalid:
            return
        call = partial(self._told, self._graph.update_alert, update)
        done = await self._features.ask(Feature.SECURITY_ALERTS, call)
        await self._record(case_id, Source.SECURITY_ALERTS, [alert.id], outcome, done=bool(done))

    async def _told(self, tell: Callable[[T], Awaitable[None]], update: T) -> bool:
        if not self._dry_run:
            await tell(update)
        return True

    async def _record(
        self, case_id: str, source: Source, ids: list[str], outcome: Outcome, *, done: bool
    ) -> None:
        async with self._store.begin() as tx:
            await tx.audit.append(
                AuditTag.ALERT_RESOLVED,
                case_id,
                source=source.value,
                ids=ids,
                outcome=outcome.value,
                done=done,
                dry_run=self._dry_run,
            )
