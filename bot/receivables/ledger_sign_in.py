"""Signing in to an accounting system: gets, renews and guards our access token."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Final

import httpx

from bot.domain.errors import SignInFailed, Throttled, Unavailable
from bot.receivables.ledger_wire import LONGEST_ANSWER, SYSTEM, NotJson, decode, sent

log = logging.getLogger(__name__)

RENEW_BEFORE: Final = timedelta(minutes=5)
_UNSTATED_LIFETIME: Final = timedelta(minutes=10)
_LONGEST_DETAIL: Final = 200

Keep = Callable[[str], Awaitable[None]]
"""Puts a new refresh token where the next start of the program finds it."""


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


class LedgerSignIn:
    """By client credentials, or by a refresh token where one is given.

    However many requests need a token, one renewal is under way; a request that is cancelled does not cancel
    it. A new refresh token is given to `keep` before the access token that came with it is used. Where the
    refresh token itself is refused (`invalid_grant`), this sign-in stays off: only a person can sign in anew.
    """

    def __init__(
        self,
        grant: Grant,
        *,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        refresh_token: str | None = None,
        keep: Keep | None = None,
    ) -> None:
        """`http` is for the authority alone, and signs in nowhere."""
        self._grant = grant
        self._http = http
        self._now = now
        self._refresh_token = refresh_token
        self._keep = keep
        self._token: _Token | None = None
        self._renewal: asyncio.Task[_Token] | None = None
        self._refused = False

    async def close(self) -> None:
        """Let a renewal come to its end, so that its refresh token is kept; then close the connection."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])
        await self._http.aclose()

    def without_secrets(self, text: str) -> str:
        token = self._token.value if self._token else None
        for secret in filter(
            None, (self._grant.client_secret, _basic(self._grant), self._refresh_token, token)
        ):
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
        if self._refused:
            raise SignInFailed(system=SYSTEM, reason="invalid_grant")
        asked_at = self._now()
        answer = await self._ask()
        value, new = answer.get("access_token"), answer.get("refresh_token")
        if self._refresh_token is not None and isinstance(new, str) and new not in ("", self._refresh_token):
            self._refresh_token = new
            if self._keep is not None:
                await self._keep(new)
        if not isinstance(value, str) or not value:
            raise SignInFailed(system=SYSTEM, reason="no-token")
        lifetime = _lifetime(answer.get("expires_in"))
        self._token = _Token(
            value=value,
            renew_at=asked_at + max(lifetime - RENEW_BEFORE, lifetime / 2),
            ends_at=asked_at + lifetime,
        )
        return self._token

    async def _ask(self) -> Mapping[str, object]:
        grant = self._grant
        headers = {"Accept": "application/json"}
        if grant.in_header:
            headers["Authorization"] = f"Basic {_basic(grant)}"
        request = self._http.build_request("POST", grant.token_url, data=self._form(), headers=headers)
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

    def _form(self) -> dict[str, str]:
        grant = self._grant
        form = {} if grant.in_header else {"client_id": grant.client_id, "client_secret": grant.client_secret}
        if grant.scope:
            form |= {"scope": grant.scope}
        if self._refresh_token is None:
            return form | {"grant_type": "client_credentials"}
        return form | {"grant_type": "refresh_token", "refresh_token": self._refresh_token}

    def _refusal(self, status: int, answer: Mapping[str, object]) -> SignInFailed | Unavailable:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(system=SYSTEM, reason="sign-in", status=status)
        passes = status in (HTTPStatus.OK, HTTPStatus.REQUEST_TIMEOUT)
        if passes or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(system=SYSTEM, reason="sign-in", status=status)
        reason = self.without_secrets(str(answer.get("error") or "sign-in"))[:80]
        if self._refresh_token is not None and reason == "invalid_grant":
            self._refused = True
            log.error(
                "The refresh token is refused; these receivables stay off until a person signs in anew."
            )
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
