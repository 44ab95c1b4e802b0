"""The ids of what people ask for, and of what they are shown before they do."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from typing import Final

_ALPHABET: Final = b"23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 O 1 I L U."""
_LENGTH: Final = 10
_FAIR: Final = 256 - 256 % len(_ALPHABET)
"""So many of a byte's values are shared out evenly; of the others some characters would be likelier than the rest."""
_CHARACTERS: Final = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_UNFAIR: Final = bytes(range(_FAIR, 256))


def new_id(letter: str) -> str:
    """Short enough to say on the phone, random enough that nobody guesses one: 49 bits, after that letter."""
    drawn = b""
    while len(drawn) < _LENGTH:
        drawn += secrets.token_bytes(2 * _LENGTH).translate(_CHARACTERS, _UNFAIR)
    return f"{letter}-{drawn[:_LENGTH].decode()}"


def new_nonce() -> str:
    """Which *Continue* a confirmation came of; nobody reads it, and nobody guesses one: 96 bits."""
    return secrets.token_urlsafe(12)


def nonce_of(draft_id: str, click: str) -> str:
    """The nonce of a *Continue* that may be delivered more than once: of the very same click always the same one."""
    return urlsafe_b64encode(hashlib.sha256(f"{draft_id}:{click}".encode()).digest()[:12]).decode()
