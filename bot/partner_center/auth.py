"""Signing in: an `httpx.Auth` that gets, renews and guards our access token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

import httpx

from bot.domain.errors import SignInFailed, Throttled, Unavailable
from bot.partner_center.cloud import CloudHosts, same_origin
from bot.partner_center.fields import Fields, Unreadable, decode

log = logging.getLogger(__name__)

RENEW_BEFORE: Final = timedelta(minutes=5)
LONGEST_SIGN_IN: Final = 60.0
"""Seconds from asking for a token to the last byte of the answer. Less than a call may take, in which we sign in:
what waited for a token in vain is known not to have been sent."""
_UNSTATED_LIFETIME: Final = timedelta(minutes=10)
_LONGEST_DETAIL: Final = 200


@dataclass(frozen=True, slots=True)
class AppRegistration:
    """The partner's own application in its Entra tenant."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    renew_at: datetime
    ends_at: datetime


class Turn(Protocol):
    """The refresh token, for as long as nobody else may use it."""

    @property
    def token(self) -> str: ...

    async def keep(self, new: str) -> None:
        """Put a new one in its place, so that it is there whatever becomes of us."""
        ...


class RefreshTokens(Protocol):
    """Where the refresh token is for all processes that use it: each use may replace it."""

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Have it for ourselves. Raises Unavailable while another process has it."""
        ...


class InProcess:
    """The refresh token for all who sign in with it in this process, where nobody else keeps it."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Turn]:
        async with self._lock:
            yield self

    async def keep(self, new: str) -> None:
        self.token = new


class Borrowed:
    """The refresh token for signing in to another tenant: what comes back is good there only, and is not kept.

    learn.microsoft.com/entra/identity-platform/refresh-tokens: one is not revoked for having been used.
    """

    def __init__(self, lender: RefreshTokens) -> None:
        self._lender = lender

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Turn]:
        async with self._lender.turn() as turn:
            yield _Loan(turn.token)


@dataclass(frozen=True, slots=True)
class _Loan:
    token: str = field(repr=False)

    async def keep(self, new: str) -> None:
        """It is of no use to the lender."""


async def in_memory(_refresh_token: str) -> None:
    """Keep a new refresh token nowhere else: it lives as long as the process."""


class SignIn(httpx.Auth):
    """App-only; with a refresh token App+User (Secure Application Model), which some calls demand.

    learn.microsoft.com/partner-center/developer/partner-center-authentication

    However many requests need a token, one renewal is under way; a request that is cancelled does not cancel
    it. A new refresh token is given to `keep` before the access token that came with it is used. Where the
    refresh token itself is refused (`invalid_grant`), this sign-in stays off: only a person can sign in anew.
    """

    def __init__(
        self,
        *,
        cloud: CloudHosts,
        app: AppRegistration,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        resource: str | None = None,
        refresh_token: str | None = None,
        keep: Callable[[str], Awaitable[None]] = in_memory,
        refresh_tokens: RefreshTokens | None = None,
        longest_answer: float = LONGEST_SIGN_IN,
    ) -> None:
        """`http` is for the authority alone, and signs in nowhere.

        With `refresh_tokens` the newest one is taken from there and kept there; `refresh_token` and `keep` are for
        one process by itself.
        `resource` is the address the token is for, and the only place it goes: Partner Center's API unless told.
        """
        self._cloud = cloud
        self._resource = resource or cloud.api
        self._app = app
        self._http = http
        self._now = now
        self._refresh_token = refresh_token
        self._keep = keep
        self._shared = refresh_tokens
        self._longest_answer = longest_answer
        self._token: Token | None = None
        self._renewal: asyncio.Task[Token] | None = None
        self._refused: str | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not same_origin(str(request.url), self._resource):
            raise SignInFailed(reason="foreign-host")
        token = await self._valid_token()
        request.headers["Authorization"] = f"Bearer {token.value}"
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            renewed = await self._renewed(token)
            request.headers["Authorization"] = f"Bearer {renewed.value}"
            yield request

    async def token(self, *, spent: Token | None = None) -> Token:
        """One that is valid; other than the one that is spent."""
        return await (self._renewed(spent) if spent else self._valid_token())

    async def _valid_token(self) -> Token:
        token = self._token
        if token is not None and self._now() < token.renew_at:
            return token
        try:
            return await self._renewed(token)
        except Unavailable:
            if token is None or self._now() >= token.ends_at:
                raise
            return token  # renewing early is a precaution; the old one still opens the door

    async def _renewed(self, spent: Token | None) -> Token:
        """A token other than the one that is spent; whoever comes while it is fetched shares it."""
        if self._token is not None and self._token is not spent:
            return self._token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewal_ended)
        return await asyncio.shield(self._renewal)

    def _renewal_ended(self, renewal: asyncio.Task[Token]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # seen, even where everybody who waited for it is gone

    async def _renew(self) -> Token:
        if self._refused is not None:
            raise SignInFailed(reason=self._refused)
        if self._shared is None:
            return await self._fetched(self._keep)
        async with self._shared.turn() as turn:
            self._refresh_token = turn.token
            return await self._fetched(turn.keep)

    async def _fetched(self, keep: Callable[[str], Awaitable[None]]) -> Token:
        asked_at = self._now()
        answer = await self._ask()
        new_refresh_token = answer.text("refresh_token")
        if self._refresh_token is not None and new_refresh_token not in (None, self._refresh_token):
            self._refresh_token = new_refresh_token
            await keep(str(new_refresh_token))
        value = answer.text("access_token")
        if value is None:
            raise SignInFailed(reason="no-token")
        lifetime = _lifetime(answer)
        self._token = Token(
            value=value,
            renew_at=asked_at + max(lifetime - RENEW_BEFORE, lifetime / 2),
            ends_at=asked_at + lifetime,
        )
        return self._token

    async def _ask(self) -> Fields:
        try:
            # Everybody waits for the one renewal: it must come to an end.
            async with asyncio.timeout(self._longest_answer):
                response = await self._http.post(
                    self._cloud.token_url(self._app.tenant_id),
                    data=self._form(),
                    headers={"Accept": "application/json"},
                    follow_redirects=False,
                )
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable(reason="sign-in-unreachable", detail=type(error).__name__) from None
        answer = _fields(response.content)
        if response.status_code == HTTPStatus.OK:
            return answer
        raise self._refusal(response.status_code, answer)

    def _form(self) -> dict[str, str]:
        form = {"client_id": self._app.client_id, "client_secret": self._app.client_secret}
        if self._refresh_token is None:
            form |= {"grant_type": "client_credentials"}
        else:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        if self._cloud.entra_version == "v1":
            return form | {"resource": self._resource}
        # `offline_access` asks for the next refresh token:
        # learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
        delegated = f"{self._resource}/user_impersonation offline_access"
        return form | {"scope": f"{self._resource}/.default" if self._refresh_token is None else delegated}

    def _refusal(self, status: int, answer: Fields) -> SignInFailed | Unavailable:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(reason="sign-in", status=status)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(reason="sign-in", status=status)
        reason = answer.text("error") or "sign-in"
        if self._refresh_token is not None and reason == "invalid_grant":
            self._refused = reason
            log.error("The refresh token is refused; App+User stays off until a person signs in anew.")
        return SignInFailed(
            reason=reason,
            status=status,
            correlation_id=answer.text("correlation_id") or "",
            detail=self._without_secrets(answer.text("error_description") or "")[:_LONGEST_DETAIL],
        )

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._app.client_secret, self._refresh_token)):
            text = text.replace(secret, "***")
        return text


AUXILIARY: Final = "x-ms-authorization-auxiliary"


class OnBehalf(httpx.Auth):
    """Signs in to a customer's tenant, and shows the partner's own token beside it.

    learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant
    """

    def __init__(self, customer: SignIn, partner: SignIn) -> None:
        self._customer = customer
        self._partner = partner

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        spent = await self._partner.token()
        request.headers[AUXILIARY] = f"Bearer {spent.value}"
        async with aclosing(self._customer.async_auth_flow(request)) as flow:
            response = yield await anext(flow)
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return
            # It does not say which of the two it refuses.
            request.headers[AUXILIARY] = f"Bearer {(await self._partner.token(spent=spent)).value}"
            yield await flow.asend(response)


def _fields(body: bytes) -> Fields:
    try:
        return Fields(decode(body))
    except Unreadable:
        return Fields(None)


def _lifetime(answer: Fields) -> timedelta:
    """v1 gives its numbers as text, v2 as integers."""
    seconds = answer.number("expires_in")
    if seconds is None or not 0 < seconds < 10**7:
        return _UNSTATED_LIFETIME
    return timedelta(seconds=int(seconds))
