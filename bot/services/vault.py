"""Keeps a refresh token that changes with every use: encrypted, and for one process at a time.

The vendor takes each token once. Two processes that use the same one shut each other out, and a new one that is
lost shuts all of them out until a person signs in anew.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from bot.domain.errors import Invalid, SignInFailed, Unavailable
from bot.store import Store, Tx
from bot.store.refresh_tokens import Sealed

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

LEASE: Final = timedelta(minutes=5)
"""Longer than any authority is waited for."""
SYSTEM: Final = "receivables"

log = logging.getLogger(__name__)


class Vault:
    """The place of one such token. `first` is what a person signed in with; a new one there begins anew."""

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        first: str,
        key: str,
        now: Callable[[], datetime],
        system: str = SYSTEM,
    ) -> None:
        """Raises `Invalid` without the package that encrypts. `system` is whose token it is, for errors."""
        self._store = store
        self._system = system
        self._name = name
        self._fernet = fernet(key, name)
        self._first = first
        self._origin = hashlib.sha256(f"{name}:{first}".encode()).hexdigest()
        self._now = now

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[_Turn]:
        """Have it for ourselves. Raises Unavailable while another process has it, or without the database."""
        holder, now = uuid4().hex, self._now()
        async with self._store.begin() as tx:
            sealed = await tx.refresh_tokens.take(
                self._name, holder=holder, now=now, until=now + LEASE, first=self._seal(self._first)
            )
        if sealed is None:
            raise Unavailable(self._system, "sign-in-elsewhere")
        try:
            yield _Turn(self, self._opened(sealed), holder)
        finally:
            with suppress(Unavailable):  # without the database the lease ends by itself
                async with self._store.begin() as tx:
                    await tx.refresh_tokens.give_back(self._name, holder=holder)

    async def put(self, token: str, *, holder: str) -> None:
        """Write down a token the vendor has given us already: whatever happens then, the old one is spent."""
        sealed = self._seal(token)
        kept = False

        async def work(tx: Tx) -> None:
            nonlocal kept
            kept = await tx.refresh_tokens.keep(self._name, sealed, holder=holder)

        await self._store.keep(work)
        if not kept:
            log.error("the turn with the refresh token of %s was over before it was kept", self._name)
            raise Unavailable(self._system, "sign-in-elsewhere")

    def _seal(self, token: str) -> Sealed:
        return Sealed(self._origin, self._fernet.encrypt(token.encode()).decode("ascii"))

    def _opened(self, sealed: Sealed) -> str:
        from cryptography.fernet import InvalidToken

        if sealed.origin != self._origin:
            return self._first  # a person has signed in anew since
        try:
            return self._fernet.decrypt(sealed.text.encode()).decode()
        except InvalidToken:
            raise SignInFailed(self._system, "other-secret-key") from None


class _Turn:
    def __init__(self, vault: Vault, token: str, holder: str) -> None:
        self._vault = vault
        self._token = token
        self._holder = holder

    @property
    def token(self) -> str:
        return self._token

    async def keep(self, new: str) -> None:
        await self._vault.put(new, holder=self._holder)
        self._token = new


def fernet(key: str, name: str) -> Fernet:
    """A key of the text's own for this purpose; the text is long and random, so no stretching is needed."""
    try:
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ModuleNotFoundError:
        raise Invalid(name, "extra-not-installed") from None
    derived = HKDF(SHA256(), length=32, salt=None, info=f"backstop:{name}".encode()).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
