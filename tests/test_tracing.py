"""Traces as a collector gets them: one from the click to Microsoft that names nobody, and none when it is off."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from aiohttp import web

from bot import correlation, tracing
from bot.core import utc_now
from bot.domain.customer import Cloud
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import hosts_of
from bot.partner_center.routes import template
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.arm_api import ARM
from bot.sandbox.partner_center.risk_api import GRAPH
from tests.conftest import SetStage
from tests.handlers import story
from tests.partner_center.far_side import FarSide, Sleeps, noon, refusal, reply
from tests.stage import Stage, free_port

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

PATIENCE = 20
VARIABLES = ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", *tracing.ENDPOINTS)


class Collector:
    """Takes traces in over OTLP/HTTP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self._news = asyncio.Event()
        self.bodies: list[bytes] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        if self.status == 200:
            self.bodies.append(body)
        self.asked += 1
        self._news.set()
        return web.Response(status=self.status, content_type="application/x-protobuf")

    async def is_asked(self, times: int) -> None:
        """Wait until it has been, so often."""
        async with asyncio.timeout(PATIENCE):
            while self.asked < times:
                self._news.clear()
                await self._news.wait()

    @property
    def resources(self) -> list[Any]:
        return [
            of
            for body in self.bodies
            for of in cast(Any, ExportTraceServiceRequest.FromString(body)).resource_spans
        ]

    @property
    def spans(self) -> list[Any]:
        return [span for of in self.resources for scope in of.scope_spans for span in scope.spans]


def facts(span: Any) -> dict[str, Any]:
    return {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in span.attributes}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    tracing.end()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    opened = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", opened.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    opened.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield opened
    await runner.cleanup()


@pytest.fixture
def listening(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return collector


async def all_is_sent() -> None:
    await asyncio.to_thread(tracing.end)


async def suspended(stage: Stage) -> story.Asked:
    asked = await story.asks(stage)
    await stage.ben.click(asked.card, "Approve")
    await asked.shows("Done")
    return asked


async def test_a_click_its_job_and_the_write_at_microsoft_are_one_trace_that_names_nobody(
    listening: Collector, set_stage: SetStage
):
    stage = await set_stage()
    asked = await suspended(stage)
    (patch,) = [r for r in stage.partner_center.requests if r.method == "PATCH"]
    id = patch.headers["MS-CorrelationId"]
    await all_is_sent()

    (write,) = [span for span in listening.spans if span.name.startswith("PATCH ")]
    trace = UUID(id).bytes
    (click,) = [s for s in listening.spans if s.trace_id == trace and not s.parent_span_id]
    (job,) = [s for s in listening.spans if s.trace_id == trace and s.name == "job execute"]
    assert write.trace_id == trace, "whoever has the correlation id has the trace"
    assert write.parent_span_id == job.span_id
    assert job.parent_span_id == click.span_id
    assert click.start_time_unix_nano < job.start_time_unix_nano < write.start_time_unix_nano
    assert click.name.startswith("block action ")
    assert facts(click)["backstop.slack.kind"] == "block action"
    assert facts(job) == {
        "backstop.job": "execute",
        "backstop.request_id": asked.id,
        "backstop.correlation_id": id,
    }
    assert facts(write) == {
        "http.request.method": "PATCH",
        "url.template": "/v1/customers/{id}/subscriptions/{id}",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
        "backstop.request_id_at_microsoft": patch.headers["MS-RequestId"],
        "backstop.correlation_id": id,
    }
    assert {facts(of.resource)["service.name"] for of in listening.resources} == {"backstop"}
    assert {facts(of.resource)["backstop.cloud"] for of in listening.resources} == {"global"}
    assert {scope.scope.name for of in listening.resources for scope in of.scope_spans} == {"backstop"}

    given, sent = stage.app.settings, b"".join(listening.bodies)
    secrets = (given.slack_bot_token, given.slack_app_token, given.partner_center_client_secret)
    contoso = next(c for c in stage.partner_center.customers if c.domain == "contoso.onmicrosoft.com")
    for word in (
        *("Contoso", "contoso", "U0ANA", "U0BEN", "C0APPROVALS", given.partner_center_tenant_id),
        *(contoso.id, asked.subscription_id),
        *(secret.get_secret_value() for secret in secrets if secret),
    ):
        assert word
        assert word.encode() not in sent


async def test_each_try_at_microsoft_is_a_span_and_says_what_came_of_it(listening: Collector):
    far_side = FarSide()
    far_side.on(
        "GET",
        "/v1/customers",
        refusal(429, 999, Retry_After="0"),
        httpx.ConnectTimeout("canary"),
        reply(200, {"items": []}),
    )
    tracing.begin(cloud="global")
    async with httpx.AsyncClient(transport=httpx.MockTransport(far_side)) as http:
        center = PartnerCenter(cloud=hosts_of(Cloud.GLOBAL), http=http, now=lambda: noon, sleep=Sleeps())
        await center.sign_in()
    await all_is_sent()
    assert {span.name for span in listening.spans} == {"GET /v1/customers"}
    throttled, silent, answered = sorted(listening.spans, key=lambda span: span.start_time_unix_nano)
    assert facts(throttled)["server.address"] == "api.partnercenter.microsoft.com"
    assert (facts(throttled)["http.response.status_code"], facts(throttled)["error.type"]) == (
        429,
        "throttled",
    )
    assert "http.response.status_code" not in facts(silent)
    assert facts(silent)["error.type"] == "unavailable"
    assert "error.type" not in facts(answered)
    assert [span.status.code for span in (throttled, silent, answered)] == [2, 2, 0]
    assert len({span.trace_id for span in listening.spans}) == 3, "nobody clicked"
    assert len({facts(span)["backstop.correlation_id"] for span in listening.spans}) == 1
    assert b"canary" not in b"".join(listening.bodies)


async def test_what_fails_says_of_which_kind_it_was_and_not_in_which_words(listening: Collector):
    tracing.begin(cloud="global")
    with pytest.raises(LookupError), tracing.job("note", {"word": "canary", "request_id": "r1"}):
        raise LookupError("canary")
    await all_is_sent()
    (failed,) = listening.spans
    assert facts(failed) == {"backstop.job": "note", "backstop.request_id": "r1", "error.type": "LookupError"}
    assert failed.status.code == 2
    assert b"canary" not in b"".join(listening.bodies)


async def test_a_collector_that_is_away_is_told_of_once_and_once_when_it_is_back(
    listening: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")  # shorter than it would wait before a second try
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    tracing.begin(cloud="global")
    listening.status = 503

    async def does(word: str) -> None:
        before = listening.asked
        with tracing.job(word, {}):
            pass
        await listening.is_asked(before + 1)

    await does("lost")
    await does("lost too")
    listening.status = 200
    await does("taken")
    await does("taken too")
    await all_is_sent()
    assert {span.name for span in listening.spans} == {"job taken", "job taken too"}
    told = [r.getMessage() for r in caplog.records if "opentelemetry" in r.name or r.name == "bot.otlp"]
    where = listening.url.removeprefix("http://")
    assert told == [
        f"the collector at {where} takes no traces: they are lost until it does",
        f"the collector at {where} takes traces again",
    ]


async def test_where_nobody_listens_the_work_is_done_and_one_line_says_so(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:canary@127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "canary")  # no header: the library would repeat it
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    stage = await set_stage()
    assert (await stage.ana.command("/csp help")).ok
    await all_is_sent()
    said = [r.getMessage() for r in caplog.records if "opentelemetry" in r.name or r.name == "bot.otlp"]
    assert len(said) == 1
    assert "takes no traces" in said[0]
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["not named", "blank", "switched off", "no traces"],
)
def test_off_is_off_and_imports_nothing(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "bot.otlp", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tracing.begin(cloud="global")
    spans = [
        tracing.click("command", "/csp"),
        tracing.job("note", {}),
        tracing.call("GET", "https://x.example/v1", template=template, correlation_id="", request_id=""),
    ]
    assert len({id(span) for span in spans}) == 1, "nothing is made"
    assert "bot.otlp" not in sys.modules, "the one room that imports OpenTelemetry"


def test_a_missing_library_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.delitem(sys.modules, "bot.otlp", raising=False)
    monkeypatch.setitem(
        sys.modules, "opentelemetry.sdk.trace", None
    )  # what an import finds where it is missing
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    tracing.begin(cloud="global")
    assert [r.getMessage() for r in caplog.records] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent: pip install 'backstop[otel]' is missing"
    ]
    assert tracing.job("note", {}) is tracing.job("other", {})


def test_a_variable_that_will_not_do_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "canary")
    tracing.begin(cloud="global")
    assert [r.getMessage() for r in caplog.records] == [
        "no traces are sent: OpenTelemetry cannot be set up (ValueError)"
    ]
    assert tracing.job("note", {}) is tracing.job("other", {})


async def test_of_a_trace_all_processes_keep_the_same(listening: Collector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.3")
    dice = random.Random(20)
    ids = [str(UUID(int=dice.getrandbits(128), version=4)) for _ in range(200)]
    tracing.begin(cloud="global")
    for id in ids:
        with correlation.under(id), tracing.click("command", "/csp"):
            pass
    await all_is_sent()
    clicks = {span.trace_id for span in listening.spans}
    listening.bodies.clear()
    tracing.begin(cloud="global")  # as another process
    for id in ids:
        with correlation.under(id), tracing.job("note", {}):
            pass
    await all_is_sent()
    assert {span.trace_id for span in listening.spans} == clicks
    assert 40 <= len(clicks) <= 80, "three in ten"


def test_every_path_of_microsofts_is_known_by_its_words():
    far_side = PartnerCenterSandbox(now=utc_now)
    server = far_side._server
    rooms = (server.api, server.risk, server.support, server.arm)
    paths = {path for room in rooms for _, path, _ in room.routes() if "{rest" not in path}
    assert len(paths) > 20
    for path in paths:
        meant = re.sub(r"{\w+}", "{id}", path.removeprefix(ARM).removeprefix(GRAPH))
        asked = re.sub(r"{\w+}", "Contoso", path.removeprefix(ARM).removeprefix(GRAPH))
        assert template(f"https://api.example{asked}?filter=Contoso") == meant
