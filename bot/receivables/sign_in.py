"""Signing in to an accounting system: gets, renews and guards our access token."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Final, Protocol

import httpx

from bot.domain.errors import SignInFailed, Throttled, Unavailable
from bot.receivables.json_reads import LONGEST_ANSWER, NotJson, decode, sent
from bot.receivables.live import SYSTEM

log = logging.getLogger(__name__)

RENEW_BEFORE: Final = timedelta(minutes=5)
_UNSTATED_LIFETIME: Final = timedelta(minutes=10)
_LONGEST_DETAIL: Final = 200


class Turn(Protocol):
    """The refresh token, for as long as nobody else may use it."""

    @property
    def token(self) -> str: ...

    async def keep(self, new: str) -> None:
        """Put a new one in its place, so that it is there whatever becomes of us."""
        ...


class RefreshTokens(Protocol):
    """Where a refresh token is that changes with every use, for all processes that use it."""

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Have it for ourselves. Raises Unavailable while another process has it."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """Our application at the vendor's authority, and what it may ask for."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    in_header: bool = False
    """Id and secret go into the `Authorization` header (RFC 6749, 2.3.1), not into the form."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime
    ends_at: datetime


class SignIn:
    """By client credentials, or by a refresh token where one is given.

    However many requests need a token, one renewal is under way; a request that is cancelled does not cancel
    it. A new refresh token is kept before the access token that came with it is used. A refresh token that is
    refused (`invalid_grant`) is not tried again: only a person can sign in anew.
    """

    def __init__(
        self,
        grant: Grant,
        *,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        refresh_tokens: RefreshTokens | None = None,
    ) -> None:
        """`http` is for the authority alone, and signs in nowhere."""
        self._grant = grant
        self._http = http
        self._now = now
        self._refresh_tokens = refresh_tokens
        self._token: _Token | None = None
        self._renewal: asyncio.Task[_Token] | None = None
        self._known: deque[str] = deque(maxlen=2)
        """The last refresh tokens that went out and came in: no error may repeat them."""
        self._unkept: dict[str, str] = {}
        """The successor of the token that is still in its place because the new one could not be put there."""
        self._refused = ""

    async def close(self) -> None:
        """Let a renewal come to its end, so that its refresh token is kept; then close the connection."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])
        await self._http.aclose()

    def without_secrets(self, text: str) -> str:
        token = self._token.value if self._token else ""
        ours = (self._grant.client_secret, _basic(self._grant), token, *self._known)
        for secret in filter(None, ours):
            text = text.replace(secret, "***")
        return text

    async def bearer(self) -> str:
        token = self._token
        if token is None:
            return await self._renewed()
        if self._now() < token.renew_at:
            return token.value
        try:
            return await self._renewed()
        except Unavailable:
            if self._now() >= token.ends_at:
                raise
            return token.value  # renewing early is a precaution; the old one still opens the door

    async def another(self, spent: str) -> str:
        if self._token is not None and self._token.value != spent:
            return self._token.value
        return await self._renewed()

    async def _renewed(self) -> str:
        """A new token; whoever comes while it is fetched shares it."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewal_ended)
        return (await asyncio.shield(self._renewal)).value

    def _renewal_ended(self, renewal: asyncio.Task[_Token]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # seen, even where everybody who waited for it is gone

    async def _renew(self) -> _Token:
        if self._refresh_tokens is None:
            return self._taken(self._now(), await self._ask({"grant_type": "client_credentials"}))
        async with self._refresh_tokens.turn() as turn:
            token = self._unkept.get(turn.token, turn.token)
            if token == self._refused:
                raise SignInFailed(system=SYSTEM, reason="invalid_grant")
            asked_at = self._now()
            answer = await self._exchanged(token)
            new = answer.get("refresh_token")
            if isinstance(new, str) and new not in ("", token):
                self._known.append(new)
                self._unkept = {turn.token: new}
                await turn.keep(new)
            self._unkept = {}
        return self._taken(asked_at, answer)

    async def _exchanged(self, refresh_token: str) -> Mapping[str, object]:
        self._known.append(refresh_token)
        try:
            return await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})
        except SignInFailed as error:
            if error.reason == "invalid_grant":
                self._refused = refresh_token
                log.error(
                    "The refresh token is refused; these receivables stay off until a person signs in anew."
                )
            raise

    def _taken(self, asked_at: datetime, answer: Mapping[str, object]) -> _Token:
        value = answer.get("access_token")
        if not isinstance(value, str) or not value:
            raise SignInFailed(system=SYSTEM, reason="no-token")
        lifetime = _lifetime(answer.get("expires_in"))
        self._token = _Token(
            value=value,
            renew_at=asked_at + max(lifetime - RENEW_BEFORE, lifetime / 2),
            ends_at=asked_at + lifetime,
        )
        return self._token

    async def _ask(self, asked: Mapping[str, str]) -> Mapping[str, object]:
        grant = self._grant
        headers = {"Accept": "application/json"}
        if grant.in_header:
            headers["Authorization"] = f"Basic {_basic(grant)}"
        request = self._http.build_request("POST", grant.token_url, data=self._form(asked), headers=headers)
        try:
            async with asyncio.timeout(LONGEST_ANSWER):
                response, body = await sent(self._http, request)
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable(
                system=SYSTEM, reason="sign-in-unreachable", detail=type(error).__name__
            ) from None
        try:
            value = decode(body or b"")
        except NotJson:
            value = None
        answer = value if isinstance(value, Mapping) else {}
        if response.status_code == HTTPStatus.OK and answer:
            return answer
        raise self._refusal(response.status_code, answer)

    def _form(self, asked: Mapping[str, str]) -> dict[str, str]:
        grant = self._grant
        form = {} if grant.in_header else {"client_id": grant.client_id, "client_secret": grant.client_secret}
        return form | ({"scope": grant.scope} if grant.scope else {}) | dict(asked)

    def _refusal(self, status: int, answer: Mapping[str, object]) -> SignInFailed | Unavailable:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(system=SYSTEM, reason="sign-in", status=status)
        passes = status in (HTTPStatus.OK, HTTPStatus.REQUEST_TIMEOUT)
        if passes or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(system=SYSTEM, reason="sign-in", status=status)
        reason = self.without_secrets(str(answer.get("error") or "sign-in"))[:80]
        said = self.without_secrets(str(answer.get("error_description") or ""))
        return SignInFailed(system=SYSTEM, reason=reason, status=status, detail=said[:_LONGEST_DETAIL])


def _basic(grant: Grant) -> str:
    return base64.b64encode(f"{grant.client_id}:{grant.client_secret}".encode()).decode("ascii")


def _lifetime(seconds: object) -> timedelta:
    """Some authorities give the number as text."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal():
        seconds = int(seconds[:9])
    if not isinstance(seconds, int | Decimal) or not 0 < seconds < 10**7:
        return _UNSTATED_LIFETIME
    return timedelta(seconds=int(seconds))
