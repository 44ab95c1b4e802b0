"""Where the time goes, from a click in Slack to its jobs and to each call to Microsoft, for an OpenTelemetry collector.

Off unless OpenTelemetry's own variables name a collector: then nothing of it is imported, and every span is `_Nobodys`.
A span says what was done and what came of it: no name, no text that anybody wrote, no secret.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import urlsplit

from bot import correlation

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TOLD_OF_JOBS: Final = ("request_id", "ticket_id")
"""Arguments of jobs that are in the span: ids of our own, which mean nothing outside the database."""

log = logging.getLogger(__name__)

Facts = dict[str, str | int]


class Span(Protocol):
    """For as long as it takes; what raises in it has failed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, type: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def answered(self, status: int) -> None: ...

    def failed(self, why: str) -> None:
        """`why` is a word of ours."""
        ...


class Tracer(Protocol):
    def root(self, name: str, facts: Facts, *, trace: str) -> Span:
        """The first span of a trace."""
        ...

    def after(self, name: str, facts: Facts, *, trace: str) -> Span:
        """A span of some process that follows from the first of that trace; of a trace of its own where it is blank."""
        ...

    def within(self, name: str, facts: Facts) -> Span:
        """A span of a call that leaves us, in the one we are in."""
        ...

    def end(self) -> None: ...


class _Nobodys:
    """A span nobody is told of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answered(self, status: int) -> None:
        pass

    def failed(self, why: str) -> None:
        pass


_NOBODYS: Final = _Nobodys()
_tracer: Tracer | None = None


def begin(*, cloud: str) -> None:
    """Send spans from now on, where a collector is named. What is wrong with that is logged, and stops nothing."""
    global _tracer
    named = next((name for name in ENDPOINTS if os.environ.get(name, "").strip()), None)
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if _tracer or named is None or is_off or exporter != "otlp":
        return
    try:
        from bot.otlp import Sender

        _tracer = Sender(cloud=cloud, to=_host(os.environ[named]))
    except ImportError:
        log.warning("%s is set, but no traces are sent: pip install 'backstop[otel]' is missing", named)
    except Exception as error:  # whatever another of its variables says
        log.warning("no traces are sent: OpenTelemetry cannot be set up (%s)", type(error).__name__)


def end() -> None:
    """Send what is left, for a few seconds at most; it waits."""
    global _tracer
    ending, _tracer = _tracer, None
    if ending:
        ending.end()


def click(kind: str, name: str) -> Span:
    """What Slack waits for. `name` is what we listen to, never what was sent."""
    if _tracer is None:
        return _NOBODYS
    id = correlation.current()
    facts: Facts = {"backstop.slack.kind": kind, "backstop.slack.name": name, **_correlated(id)}
    return _tracer.root(f"{kind} {name}", facts, trace=id)


def job(name: str, args: Mapping[str, Any]) -> Span:
    """A job of the courier, in whatever process; it belongs to the click that it follows from."""
    if _tracer is None:
        return _NOBODYS
    id = correlation.current()
    told: Facts = {f"backstop.{arg}": str(args[arg]) for arg in TOLD_OF_JOBS if arg in args}
    return _tracer.after(f"job {name}", {"backstop.job": name, **told, **_correlated(id)}, trace=id)


def call(
    method: str, url: str, *, template: Callable[[str], str], correlation_id: str, request_id: object
) -> Span:
    """One request to Microsoft, and the wait for its turn. `template` makes of the address what names nobody."""
    if _tracer is None:
        return _NOBODYS
    route = template(url)
    facts: Facts = {
        "http.request.method": method,
        "url.template": route,
        "server.address": urlsplit(url).hostname or "",
        "backstop.request_id_at_microsoft": str(request_id),
        **_correlated(correlation_id),
    }
    return _tracer.within(f"{method} {route}", facts)


def _correlated(id: str) -> Facts:
    return {"backstop.correlation_id": id} if id else {}


def _host(url: str) -> str:
    """Without what else may be in an address, such as a password."""
    try:
        parts = urlsplit(url.strip())
        return f"{parts.hostname or '?'}:{parts.port}" if parts.port else parts.hostname or "?"
    except ValueError:
        return "?"
