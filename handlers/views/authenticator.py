"""Forms about codes: the secret that is shown once, and the code that an approval asks for."""

from __future__ import annotations

from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View


def enrol_form(secret: str, uri: str, texts: Texts) -> View:
    """The secret in groups of four, as it is typed, and the address that some apps take."""
    typed = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return blocks.modal(
        texts("rights-enrol-title"),
        [
            blocks.section(texts("rights-enrol-how")),
            blocks.verbatim(typed),
            blocks.verbatim(uri),
            blocks.context(texts("rights-enrol-once")),
            code_input(texts),
        ],
        callback_id=ids.ENROL,
        submit=texts("rights-enrol-submit"),
        close=texts("cancel"),
    )


def enrolled(texts: Texts) -> View:
    return blocks.modal(
        texts("rights-enrol-title"), [blocks.section(texts("rights-enrolled"))], close=texts("close")
    )


def code_form(request_id: str, about: str, texts: Texts) -> View:
    """`about` says in one line of plain words what is being approved."""
    return blocks.modal(
        texts("rights-code-title"),
        [blocks.verbatim(about), blocks.section(texts("rights-code-why")), code_input(texts)],
        callback_id=ids.APPROVE_CODE,
        submit=texts("approve"),
        close=texts("cancel"),
        private_metadata=request_id,
    )


def code_input(texts: Texts) -> Block:
    return blocks.input_block(
        texts("rights-code"),
        blocks.text_input(ids.CODE, multiline=False, most=16),
        ids.CODE,
        hint=texts("rights-code-hint"),
    )
