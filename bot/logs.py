"""How the log is written: lines for people on a terminal, JSON for whoever collects them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

from bot import correlation

TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s%(under)s"
QUIET: Final = ("httpx", "stripe", "dbos", "apscheduler", "alembic")
"""They tell at INFO what nobody asked for."""


class Form(StrEnum):
    JSON = "json"
    TEXT = "text"


def set_up(stream: TextIO, *, form: Form | None, verbose: bool) -> None:
    """Write the log there, unless something writes it already; where no form is asked for, as suits the stream."""
    form = form or (Form.TEXT if stream.isatty() else Form.JSON)
    handler = logging.StreamHandler(stream)
    handler.addFilter(_with_correlation)
    handler.setFormatter(JsonLines() if form is Form.JSON else logging.Formatter(TEXT))
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)  # it warns of a choice we made
    engine = logging.getLogger("dbos")
    engine.handlers[:] = [logging.NullHandler()]  # with none it would bring its own
    engine.propagate = True


class JsonLines(logging.Formatter):
    """One JSON object a line, whatever is in the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if id := getattr(record, "correlation_id", ""):
            line["correlation_id"] = id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _with_correlation(record: logging.LogRecord) -> bool:
    id = correlation.current()
    record.correlation_id = id
    record.under = f" [{id}]" if id else ""
    return True
