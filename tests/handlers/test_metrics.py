"""`/metrics`, asked for as Prometheus asks: what it tells, and what it must not tell."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from bot import metrics
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage, free_port

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
LABELS = {
    "le": None,
    "api": {"partner_center", "graph"},
    "answer": {"2xx", "4xx", "5xx", "throttled", "none"},
    "kind": {"request", "ticket"},
    "digest": {"overdue", "suspicious"},
}
"""All there may be, and of which values; whoever adds one thinks of whom it names."""


@pytest.fixture(autouse=True)
def _told_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "KEPT_SECONDS", 0.0)


async def told(stage: Stage) -> tuple[Samples, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{stage.app.port}/metrics") as answer,
    ):
        page = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    return found, page


def one(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"backstop_{name}", frozenset(labels.items())]


async def test_what_a_request_leaves_behind(set_stage: SetStage):
    stage = await set_stage(transport="http")
    before, _ = await told(stage)
    assert one(before, "approvals_waiting", kind="request") == 0
    stage.partner_center.faults.add(method="PATCH", status=429, headers={"Retry-After": "0"})
    asked = await story.asks(stage)
    waiting, _ = await told(stage)
    assert one(waiting, "approvals_waiting", kind="request") == 1
    assert one(waiting, "approvals_waiting", kind="ticket") == 0
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")

    after, page = await told(stage)
    assert one(after, "approvals_waiting", kind="request") == 0
    acks = one(after, "ack_seconds_count") - one(before, "ack_seconds_count")
    assert acks >= 4, "the command, the two steps of the form, the click"
    assert 0 < one(after, "ack_seconds_sum") < 3 * one(after, "ack_seconds_count")
    assert one(after, "ack_seconds_bucket", le="+Inf") == one(after, "ack_seconds_count")
    assert one(after, "microsoft_requests_total", api="partner_center", answer="throttled") == 1
    assert one(after, "microsoft_requests_total", api="partner_center", answer="2xx") > one(
        before, "microsoft_requests_total", api="partner_center", answer="2xx"
    )
    assert one(after, "partner_center_calls_at_once") < one(before, "partner_center_calls_at_once")
    assert one(after, "queue_depth") >= 0
    assert 0 <= one(after, "mirror_age_seconds") < 600

    for (name, labels), _value in after.items():
        for label, value in labels:
            assert label in LABELS, f"{name} has a label {label}"
            allowed = LABELS[label]
            assert allowed is None or value in allowed, f"{name}: {label}={value}"
    given = stage.app.settings
    secrets = (given.slack_bot_token, given.slack_signing_secret, given.partner_center_client_secret)
    for word in (
        *("Contoso", "contoso", "U0ANA", "C0APPROVALS", asked.id, given.partner_center_tenant_id),
        *(secret.get_secret_value() for secret in secrets if secret),
    ):
        assert word
        assert word not in page


async def test_an_overdue_digest_that_is_missing_gets_later(set_stage: SetStage):
    clock = story.Clock()
    stage = await set_stage(now=clock, port=free_port(), backstop_overdue_cron="* * * * *")
    posts, channel = stage.app.core.backstop.posts, "C0OVERDUE"

    async def sent() -> tuple[str, str]:
        return channel, "17.1"

    await posts.once(f"digest:overdue:{channel}:2026-01-01", sent, channel=channel)
    clock.moves(timedelta(days=2))
    found, _ = await told(stage)
    assert 0 <= one(found, "digest_lateness_seconds", digest="overdue") < 120


async def test_what_the_database_does_not_tell_is_left_out_and_the_rest_is_told(set_stage: SetStage):
    stage = await set_stage(transport="http")
    assert (await stage.ana.command("/csp help")).ok
    async with stage.app.core.store.begin() as tx:
        await tx.connection.execute(text("ALTER TABLE marks RENAME TO gone"))
    found, _ = await told(stage)
    assert ("backstop_mirror_age_seconds", frozenset()) not in found
    assert one(found, "queue_depth") >= 0
    assert one(found, "ack_seconds_count") >= 1
    assert ("process_resident_memory_bytes", frozenset()) in found


async def test_whoever_asks_again_at_once_is_told_the_same(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(metrics, "KEPT_SECONDS", 3600.0)
    stage = await set_stage(transport="http")
    _, first = await told(stage)
    assert (await stage.ana.command("/csp help")).ok
    assert (await told(stage))[1] == first
