"""The form of an evidence pack: what goes in, and for whom; and what is said with the file."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.matter import Evidence
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import View

REDACTED, COMPLETE = "redacted", "complete"


def evidence_form(
    about: str, parts: Sequence[Evidence], texts: Texts, *, has_thread: bool, kept: str
) -> View:
    """`has_thread`: a redacted one goes where the button was; else everything goes to the person alone."""
    options = {part: _part(part, texts) for part in Evidence}
    place = "thread" if has_thread else "direct"
    redacted = blocks.option(texts("evidence-redacted"), REDACTED, texts(f"evidence-redacted-{place}"))
    complete = blocks.option(texts("evidence-complete"), COMPLETE, texts("evidence-complete-about"))
    return blocks.modal(
        texts("evidence-title"),
        [
            blocks.section(texts.mrkdwn("evidence-about", id=about)),
            blocks.input_block(
                texts("evidence-parts"),
                blocks.checkboxes(
                    ids.EVIDENCE_PARTS, options.values(), ticked=[options[p] for p in Evidence if p in parts]
                ),
                ids.EVIDENCE_PARTS,
            ),
            blocks.input_block(
                texts("evidence-for"),
                blocks.radio_buttons(ids.EVIDENCE_REDACTED, [redacted, complete], chosen=redacted),
                ids.EVIDENCE_REDACTED,
                hint=texts("evidence-hint"),
            ),
        ],
        callback_id=ids.EVIDENCE_FORM,
        submit=texts("evidence-make"),
        close=texts("cancel"),
        private_metadata=kept,
    )


def comment(about: str, sha256: str, filename: str, texts: Texts, *, redacted: bool, by: str) -> str:
    """Beside the file: who made it, and how to tell that it is this one."""
    kind = REDACTED if redacted else COMPLETE
    said = texts.mrkdwn(f"evidence-comment-{kind}", id=about, by=blocks.person(by))
    return f"{said}\n{texts.mrkdwn('evidence-comment-check', sha256=sha256, file=filename)}"


def _part(part: Evidence, texts: Texts) -> blocks.Option:
    return blocks.option(
        texts(f"evidence-part-{part.value}"), part.value, texts(f"evidence-part-{part.value}-about")
    )
