"""The form of an evidence pack, drawn, and what stands beside the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.domain.matter import Evidence
from bot.texts import Texts
from handlers.views import blocks, evidence
from tests.builders import ana

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

TICKET = "T-TEST000001"


def _form(*parts: Evidence, has_thread: bool) -> Drawing:
    return lambda texts: evidence.evidence_form(
        TICKET, parts, texts, has_thread=has_thread, kept=f"{TICKET} C0TICKETS 1795435200.000100"
    )


def _comment(*, redacted: bool) -> Drawing:
    def draw(texts: Texts) -> Json:
        file = f"evidence-{TICKET}-{'redacted' if redacted else 'complete'}-20261123T120000Z.zip"
        said = evidence.comment(TICKET, "0123456789abcdef" * 4, file, texts, redacted=redacted, by=ana.id)
        return {"text": said, "blocks": [blocks.section(said)]}

    return draw


VIEWS: dict[str, Drawing] = {
    "form-evidence": _form(*Evidence, has_thread=True),
    "form-evidence-of-some-parts": _form(Evidence.NOTICES, Evidence.AUDIT, has_thread=False),
    "reply-evidence-redacted": _comment(redacted=True),
    "reply-evidence-complete": _comment(redacted=False),
}
