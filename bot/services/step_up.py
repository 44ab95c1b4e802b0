"""Authenticators: an admin lets somebody set one up, they enrol, and each code counts once (RFC 6238)."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.errors import Invalid, MayNotEnrol, NotEnrolled
from bot.domain.people import Person, PersonId
from bot.domain.step_up import Authenticator, must_need_codes
from bot.services import jobs
from bot.services.vault import fernet
from bot.store import Store, Tx

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
"""As long as what SHA-1 gives. RFC 4226, section 4"""
DRIFT: Final = (-1, 0, 1)
"""Steps a clock may be off, or a person be slow. RFC 6238, section 5.2"""
ISSUER: Final = "Backstop"
FIELD: Final = "authenticator_code"
"""Where a code is typed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person puts into their app; shown once and never again."""

    text: str
    """For typing."""
    uri: str


def step_of(code: str, key: bytes, *, at: datetime, after: int = 0) -> int | None:
    """The time step this is the code of, newer than `after`; None where it is the code of none.

    Every step is compared, in constant time, whatever the others came to.
    """
    given = code.encode("utf-8", "replace")
    totp = TOTP(key, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303  what authenticator apps know
    now = int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in (now + drift for drift in DRIFT):
        fits = hmac.compare_digest(totp.generate(step * STEP_SECONDS), given)
        if fits and step > after:
            found = step
    return found


class Authenticators:
    def __init__(
        self, store: Store, courier: Courier, *, key: str | None, now: Callable[[], datetime]
    ) -> None:
        """Without a key to seal secrets with nobody can set one up, and no code is ever right."""
        self._store = store
        self._courier = courier
        self._fernet: Fernet | None = fernet(key, "authenticators") if key else None
        self._now = now

    async def open(self, person: PersonId, *, by: Person) -> None:
        """Let somebody else set up an authenticator within a day; what they had is void at once."""
        authenticator = Authenticator.opened(person, by=by, at=self._now())
        async with self._store.begin() as tx:
            before = await tx.authenticators.get(person)
            await tx.authenticators.save(authenticator)
            replaces = before is not None and before.enrolled_at is not None
            await tx.audit.append(AuditTag.AUTHENTICATOR_OPENED, person, by=by.id, replaces=replaces)
            await self._courier.send(
                tx.connection, jobs.tell_authenticator(person, "opened", by=by.id, at=authenticator.opened_at)
            )

    async def begin(self, *, by: Person) -> Shown:
        """A new secret to set up. It counts for nothing before a code of it was given. Raises MayNotEnrol."""
        key = secrets.token_bytes(SECRET_BYTES)
        sealed = self._sealed(by.id, key)
        async with self._store.begin() as tx:
            known = await self._known(tx, by)
            await tx.authenticators.save(known.begun(sealed, by=by, at=self._now()))
        uri = TOTP(key, DIGITS, SHA1(), STEP_SECONDS).get_provisioning_uri(by.id, ISSUER)  # noqa: S303  as above
        return Shown(base64.b32encode(key).decode("ascii"), uri)

    async def enrol(self, code: str, *, by: Person) -> None:
        """The first code shows that they hold the secret. Raises MayNotEnrol, TooManyCodes, Invalid."""
        async with self._store.begin() as tx:
            tried = (await self._known(tx, by)).tried(at=self._now())
            await tx.authenticators.save(tried)
        async with self._store.begin() as tx:
            known = await self._known(tx, by)
            at = self._now()
            done = known.enrolled(self._step(known, code, at), by=by, at=at)
            await tx.authenticators.save(done)
            await tx.audit.append(AuditTag.AUTHENTICATOR_ENROLLED, by.id, by=by.id)
            await self._courier.send(
                tx.connection, jobs.tell_authenticator(by.id, "enrolled", by=by.id, at=at)
            )

    async def ask(self, request_id: str, *, by: Person) -> None:
        """Note for what they are asked a code, and where they clicked. Raises NotEnrolled."""
        async with self._store.begin() as tx:
            known = await tx.authenticators.get(by.id)
            if known is None:
                raise NotEnrolled
            await tx.authenticators.save(known.asked(request_id, channel=by.channel))

    async def count(self, request_id: str, *, by: Person) -> Person:
        """Count a try for good, whatever comes of it; the person as they clicked. Raises NotEnrolled, TooManyCodes."""
        async with self._store.begin() as tx:
            known = await tx.authenticators.get(by.id)
            if known is None:
                raise NotEnrolled
            known.must_be_enrolled()
            await tx.authenticators.save(known.tried(at=self._now()))
        return replace(by, channel=known.channel) if known.request == request_id else by

    async def spend(self, tx: Tx, code: str, *, by: Person) -> None:
        """Take a code for good, together with what it is given for. Raises NotEnrolled, Invalid for a wrong one."""
        known = await tx.authenticators.get(by.id)
        if known is None:
            raise NotEnrolled
        known.must_be_enrolled()
        await tx.authenticators.save(known.spent(self._step(known, code, self._now())))

    async def was_wrong(self, request_id: str, *, by: Person) -> None:
        """Remember that somebody gave a code that did not count."""
        async with self._store.begin() as tx:
            await tx.audit.append(AuditTag.AUTHENTICATOR_REFUSED, request_id, by=by.id)

    async def _known(self, tx: Tx, by: Person) -> Authenticator:
        must_need_codes(by)
        known = await tx.authenticators.get(by.id)
        if known is None:
            raise MayNotEnrol("not-opened")
        return known

    def _step(self, known: Authenticator, code: str, at: datetime) -> int:
        """Raises Invalid for a code that is wrong, too old, or was taken before."""
        key = self._key_of(known)
        step = step_of("".join(code.split()), key, at=at, after=known.last_step) if key else None
        if step is None:
            raise Invalid(FIELD, "wrong-code")
        return step

    def _sealed(self, person: PersonId, key: bytes) -> str:
        """With whose it is inside: nobody's secret can be put in another's place."""
        if self._fernet is None:
            raise MayNotEnrol("no-key")
        return self._fernet.encrypt(person.encode() + b":" + key).decode("ascii")

    def _key_of(self, known: Authenticator) -> bytes | None:
        """None where it cannot be opened with our key, or is somebody else's."""
        if self._fernet is None or not known.secret:
            return None
        try:
            whose, _, key = self._fernet.decrypt(known.secret.encode()).partition(b":")
        except InvalidToken:
            return None
        return key if whose == known.person.encode() else None
