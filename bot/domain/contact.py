"""Whom Microsoft may call: a person as one line says it, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bot.domain.letter import is_address

_LINE: Final = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<email>[^<>\s]+)>\s*[,;]?\s*(?P<phone>[^<>]*?)\s*")
_PHONE: Final = re.compile(r"[+(]?[0-9][0-9 ()./-]{4,28}")


@dataclass(frozen=True, slots=True)
class ContactPerson:
    first_name: str
    last_name: str
    """The same as the first, where somebody has only one name: Microsoft wants both."""
    email: str
    phone: str = ""


def contact_person(line: str) -> ContactPerson | None:
    """`Ana Berg <support@partner.example> +49 30 1234`; None for what is not such a line. The phone may be missing."""
    found = _LINE.fullmatch(line)
    if found is None or not is_address(found["email"]):
        return None
    names, phone = found["name"].strip("\"' ").split(), found["phone"]
    if not names or (phone and not _PHONE.fullmatch(phone)):
        return None
    first = " ".join(names[:-1]) or names[0]
    return ContactPerson(first, names[-1], found["email"], phone)
