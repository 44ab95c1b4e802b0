"""Which confirmation counts: of one form there may have been several, and a person can have but one of them in mind."""

from __future__ import annotations

from bot.domain.errors import ConfirmationOutdated


def must_be_newest(nonce: str, *, newest: str, request_id: str) -> None:
    """Raise ConfirmationOutdated unless the confirmation came of the newest *Continue* of its form.

    One without a nonce was drawn by a release that gave them none: nobody can tell what it showed.
    """
    if not nonce or nonce != newest:
        raise ConfirmationOutdated(request_id)
