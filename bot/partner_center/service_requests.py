"""Service requests: what Microsoft answers about one, and how it is written to; and the link where one is filed.

learn.microsoft.com/partner-center/developer/get-service-request-details-by-id and update-a-service-request. Creating
one through the API is gone since 2020.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from bot.domain.ticket import VendorNote, VendorState
from bot.partner_center.answers import Trouble
from bot.partner_center.exchange import MORE_TRIES, Call, Exchange
from bot.partner_center.fields import Fields, Unreadable

ORGANISATIONS: Final[Mapping[str, str]] = MappingProxyType({"IncludeOrganizationRequests": "true"})
"""Asks for requests of the organisation, too, not only for those of whoever is signed in."""
_MICROSOFTS: Final = (
    "microsoft.com",
    "microsoftonline.com",
    "azure.com",
    "office.com",
    "windows.net",
    "microsoftonline.cn",
    "azure.cn",
)
_STATUS_BY_NUMBER: Final = MappingProxyType(
    {"0": "none", "1": "open", "2": "closed", "3": "attention_needed"}
)
_STATUSES: Final = MappingProxyType({word.replace("_", ""): word for word in _STATUS_BY_NUMBER.values()})
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def state(raw: object, *, number: str) -> VendorState:
    """What Microsoft has of it by now. Refuses an answer about another one than was asked for.

    A note is ours where its author bears the name of the request's own contact: that much the answer tells. Whoever
    else wrote it, a colleague or Microsoft's engineer, is not known to be us.
    """
    fields = Fields(raw)
    if fields.text("id") != number:
        raise Unreadable("an answer about something else")
    ours = _name(fields.inner("primaryContact"))
    notes = [note for each in fields.each("notes") if (note := _note(Fields(each), ours=ours))]
    return VendorState(
        number=number,
        status=status(fields.text("status")),
        notes=in_order(notes),
        changed_at=fields.moment("lastModifiedDate") or fields.moment("createdDate"),
    )


def status(said: str | None) -> str:
    """It comes as a number or as a word; a word nobody knows stays as it is."""
    said = said or ""
    return _STATUS_BY_NUMBER.get(said) or _STATUSES.get(said.lower().replace("_", "").replace(" ", ""), said)


def in_order(notes: list[VendorNote]) -> tuple[VendorNote, ...]:
    """The oldest first; those without a date before all."""
    return tuple(sorted(notes, key=lambda note: note.at or _LONG_AGO))


def _note(fields: Fields, *, ours: str) -> VendorNote | None:
    text, by = fields.text("text"), fields.text("createdByName") or ""
    if text is None:
        return None
    return VendorNote(text, by, fields.moment("createdDate"), is_ours=bool(ours) and by.casefold() == ours)


def _name(contact: Fields) -> str:
    names = (contact.text("firstName"), contact.text("lastName"))
    return " ".join(filter(None, names)).casefold()


def ticket_link(raw: object, *, portal: str) -> str | None:
    """Where a managed service has its tickets opened, where that is a page of Microsoft's own.

    `portal` is the cloud's own portal.
    """
    uri = Fields(raw).inner("links").inner("serviceTicket").text("uri")
    return uri if uri and _is_microsofts(uri, portal=portal) else None


def _is_microsofts(uri: str, *, portal: str) -> bool:
    try:
        parts, home = urlsplit(uri), urlsplit(portal).hostname
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = parts.scheme == "https" and "@" not in parts.netloc and port in (None, 443)
    shown = all(c.isprintable() and not c.isspace() and c not in "<>|\\" for c in uri)
    return plain and shown and (host == home or any(f".{host}".endswith(f".{own}") for own in _MICROSOFTS))


def to_close(call: Call) -> Call:
    return _patch(call, {"Status": "closed"})


def to_note(call: Call, text: str) -> Call:
    return _patch(call, {"NewNote": {"Text": text}})


def _patch(call: Call, body: object) -> Call:
    return replace(call, method="PATCH", body=json.dumps(body).encode("ascii"))


async def written_once(exchange: Exchange, call: Call) -> None:
    """Send a write whose repetition would show: again only while it is certain that the last one was not taken.

    Raises `Unavailable` where nobody can tell.
    """
    tries = 0
    while isinstance(outcome := await exchange.once(call), Trouble):
        again = outcome.passes and not outcome.effect_open and tries < MORE_TRIES
        if not again or not await exchange.wait(outcome, tries):
            raise outcome.error
        tries += 1
