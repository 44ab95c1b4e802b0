"""The ids of what people ask for."""

from __future__ import annotations

import secrets
from typing import Final

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 O 1 I L U."""
_LENGTH: Final = 10


def new_id(letter: str) -> str:
    """Short enough to say on the phone, random enough that nobody guesses one: 49 bits, after that letter."""
    number, characters = (
        secrets.randbits(96),
        "",
    )  # so many that none of the characters is likelier than another
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        characters += _ALPHABET[place]
    return f"{letter}-{characters}"
