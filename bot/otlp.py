"""Spans as OpenTelemetry has them, sent over OTLP/HTTP as its own variables say. Needs `backstop[otel]`.

The id of a trace is the correlation id, and the id of its first span is half of that: so a process that knows no more
than the correlation id finds its place, and a person finds the trace by the id that cards, log and Microsoft show.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import trace as traces
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

GRACE: Final = 3.0
"""Seconds in which what is left may be sent at the end."""
HALF: Final = (1 << 64) - 1
RANDOM: Final = (1 << 56) - 1
"""The last bits of a correlation id; among those before them some are the same in all."""
WORDY: Final = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal", "opentelemetry.util")
"""They tell of every try, where we tell once; and repeat a header that will not do, which may be a secret."""

log = logging.getLogger(__name__)

Facts = dict[str, str | int]


class Sender:
    """Makes spans and sends them, in a thread of its own, to the collector `to`."""

    def __init__(self, *, cloud: str, to: str) -> None:
        for name in WORDY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        resource = Resource.create({"backstop.cloud": cloud})
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "backstop"}))
        self._ids = _Ids()
        self._exporter = _Exporter(OTLPSpanExporter(), to)
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.sampler = _ByTrace(self._provider.sampler)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("backstop")

    def root(self, name: str, facts: Facts, *, trace: str) -> _Span:
        with self._ids.given(_id_of(trace)):
            span = self._tracer.start_span(name, Context(), SpanKind.SERVER, facts)
        return _Span(span)

    def after(self, name: str, facts: Facts, *, trace: str) -> _Span:
        id, under = _id_of(trace), Context()
        if id:
            first = SpanContext(id, id & HALF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            under = traces.set_span_in_context(NonRecordingSpan(first), under)
        return _Span(self._tracer.start_span(name, under, SpanKind.CONSUMER, facts))

    def within(self, name: str, facts: Facts) -> _Span:
        return _Span(self._tracer.start_span(name, None, SpanKind.CLIENT, facts))

    def end(self) -> None:
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(GRACE)
        if closing.is_alive():
            self._exporter.is_away()
            self._exporter.shutdown()


class _Span:
    __slots__ = ("_span", "_token")

    def __init__(self, span: traces.Span) -> None:
        self._span = span

    def __enter__(self) -> Self:
        self._token = contexts.attach(traces.set_span_in_context(self._span))
        return self

    def __exit__(
        self, type: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if type is not None:
            self.failed(type.__name__)  # its words may be anybody's
        contexts.detach(self._token)
        self._span.end()

    def answered(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)

    def failed(self, why: str) -> None:
        self._span.set_attribute("error.type", why)
        self._span.set_status(StatusCode.ERROR)


class _Ids(RandomIdGenerator):
    """Random, but for the first span of a trace whose id is given."""

    def __init__(self) -> None:
        self._given: ContextVar[int] = ContextVar("backstop_trace", default=0)

    @contextmanager
    def given(self, id: int) -> Iterator[None]:
        token = self._given.set(id)
        try:
            yield
        finally:
            self._given.reset(token)

    def generate_trace_id(self) -> int:
        return self._given.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self._given.get() & HALF or super().generate_span_id()


class _ByTrace(Sampler):
    """Has OTEL_TRACES_SAMPLER decide by the trace's id alone, so that every process keeps the same traces."""

    def __init__(self, chosen: Sampler) -> None:
        self._chosen = chosen

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *more: Any, **named: Any
    ) -> SamplingResult:
        # A ratio is taken of the first bits of the lower half, and there correlation ids are all alike.
        return self._chosen.should_sample(None, (trace_id & RANDOM) << 8, name, *more, **named)

    def get_description(self) -> str:
        return f"ByTrace({self._chosen.get_description()})"


class _Exporter(SpanExporter):
    """Says once that the collector does not take spans, and once that it does again."""

    def __init__(self, exporter: OTLPSpanExporter, to: str) -> None:
        self._exporter = exporter
        self._to = to
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.is_away()
        elif self._is_away:
            self._is_away = False
            log.info("the collector at %s takes traces again", self._to)
        return result

    def is_away(self) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("the collector at %s takes no traces: they are lost until it does", self._to)

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


def _id_of(trace: str) -> int:
    """As a number; 0 where it is none."""
    try:
        return UUID(trace).int
    except ValueError:
        return 0
