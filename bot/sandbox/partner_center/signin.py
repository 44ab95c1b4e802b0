"""The sign-in service: gives tokens for a secret or a refresh token, and knows them again.

Two generations of one endpoint are in use, which differ in what they ask for and in how they write numbers:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

LIFETIME = timedelta(seconds=3600)


class SignInError(Exception):
    """A refusal of the token endpoint, in OAuth's shape."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.code = code
        self.description = description


@dataclass(frozen=True)
class Token:
    """An access token as the sign-in service remembers it."""

    text: str
    audience: str
    has_user: bool
    expires_at: datetime
    tenant: str


class SignIn:
    """One app registration of one partner tenant, to which customers' tenants have consented, too."""

    def __init__(
        self, *, now: Callable[[], datetime], customers: Callable[[], Collection[str]] = tuple
    ) -> None:
        """`customers` are the tenants of customers."""
        self.tenant_id = str(uuid4())
        self.client_id = str(uuid4())
        self.client_secret = secrets.token_urlsafe(24)
        self.refresh_token = secrets.token_urlsafe(48)
        self._tokens: dict[str, Token] = {}
        self._now = now
        self._customers = customers
        self.without_consent: set[str] = set()
        """Tenants of customers who let nobody in."""

    def known(self, text: str) -> Token | None:
        """The token of that text while it is valid."""
        token = self._tokens.get(text)
        return token if token is not None and self._now() < token.expires_at else None

    def expire_tokens(self) -> None:
        """Make every access token worthless; refresh tokens live on."""
        self._tokens.clear()

    def v1(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/oauth2/token`: asked for a resource, numbers come as text."""
        audience = form.get("resource", "")
        if not audience:
            raise SignInError(400, "invalid_request", 900144, "The request body must contain: 'resource'.")
        token = self._grant(tenant, form, audience)
        seconds = int(LIFETIME.total_seconds())
        answer = {
            "token_type": "Bearer",
            "expires_in": str(seconds),
            "ext_expires_in": str(seconds),
            "expires_on": str(int(token.expires_at.timestamp())),
            "not_before": str(int(token.expires_at.timestamp()) - seconds),
            "resource": audience,
            "access_token": token.text,
        }
        return answer | ({"refresh_token": self._next_refresh_token(token)} if token.has_user else {})

    def v2(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/oauth2/v2.0/token`: asked for a scope, numbers are numbers."""
        if "resource" in form:
            raise SignInError(400, "invalid_request", 901002, "The 'resource' parameter is not supported.")
        audience = audience_of(form.get("scope", ""), app_only=form.get("grant_type") == "client_credentials")
        token = self._grant(tenant, form, audience)
        seconds = int(LIFETIME.total_seconds())
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token.text,
        }
        if token.has_user:
            scope = f"{audience}/user_impersonation"
            answer |= {"scope": scope, "refresh_token": self._next_refresh_token(token)}
        return answer

    def _grant(self, tenant: str, form: Mapping[str, str], audience: str) -> Token:
        tenant = tenant.lower()
        is_customers = tenant in self._customers()
        if tenant != self.tenant_id and not is_customers:
            raise SignInError(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("client_id", "").lower() != self.client_id:
            raise SignInError(
                400, "unauthorized_client", 700016, "Application was not found in the directory."
            )
        if not secrets.compare_digest(form.get("client_secret", "").encode(), self.client_secret.encode()):
            raise SignInError(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if tenant in self.without_consent:
            raise SignInError(400, "invalid_grant", 65001, "Nobody has consented to use the application.")
        match form.get("grant_type"):
            case "client_credentials":
                return self._issue(audience, tenant, has_user=False)
            case "refresh_token":
                self._check(form.get("refresh_token", ""))
                if not is_customers:
                    self.refresh_token = secrets.token_urlsafe(48)
                return self._issue(audience, tenant, has_user=True)
            case _:
                raise SignInError(400, "unsupported_grant_type", 70003, "The grant type is not supported.")

    def _check(self, presented: str) -> None:
        if not secrets.compare_digest(presented.encode(), self.refresh_token.encode()):
            raise SignInError(400, "invalid_grant", 70008, "The refresh token has expired or was revoked.")

    def _next_refresh_token(self, token: Token) -> str:
        """In a customer's tenant one that is of no use in the partner's."""
        return self.refresh_token if token.tenant == self.tenant_id else secrets.token_urlsafe(48)

    def _issue(self, audience: str, tenant: str, *, has_user: bool) -> Token:
        text, until = secrets.token_urlsafe(32), self._now() + LIFETIME
        token = Token(text, audience.rstrip("/"), has_user, until, tenant)
        self._tokens[token.text] = token
        return token


def audience_of(scope: str, *, app_only: bool) -> str:
    """Whom a v2 scope is meant for; an app alone may ask for nothing but `.default`."""
    wanted = [word for word in scope.split() if word not in {"offline_access", "openid", "profile"}]
    endings = ("/.default",) if app_only else ("/.default", "/user_impersonation")
    for ending in endings:
        if len(wanted) == 1 and wanted[0].endswith(ending):
            return wanted[0].removesuffix(ending)
    raise SignInError(400, "invalid_scope", 70011, f"The provided value for 'scope' is not valid: {scope}")


def refusal_body(error: SignInError, at: datetime) -> dict[str, Any]:
    """The body in which the sign-in service refuses."""
    trace, correlation, stamp = str(uuid4()), str(uuid4()), f"{at:%Y-%m-%d %H:%M:%S}Z"
    return {
        "error": error.error,
        "error_description": f"AADSTS{error.code}: {error.description}\r\nTrace ID: {trace}\r\n"
        f"Correlation ID: {correlation}\r\nTimestamp: {stamp}",
        "error_codes": [error.code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
