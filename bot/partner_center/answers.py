"""A response → an `Answer`, or a `Trouble` with its named error; no I/O. Microsoft's codes as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from bot.domain.errors import (
    AccessDenied,
    BackstopError,
    Conflict,
    FeatureMissing,
    NotFound,
    NotReady,
    Rejected,
    SignInFailed,
    Throttled,
    Unavailable,
    Upstream,
)
from bot.partner_center.fields import Fields, Unreadable, decode, number


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `value` is None where the body was not JSON: for a write, success all the same."""

    value: object
    status: int = field(default=HTTPStatus.OK, compare=False)
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Found in any case."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What came instead of a success, and what is known about it."""

    error: BackstopError
    retry_after: float | None = None
    """Seconds for which we were asked to stay away."""
    effect_open: bool = False
    """A write may have taken effect all the same."""

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later."""
        return isinstance(self.error, Unavailable)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a call asks about; what was not found if the answer is 404."""

    what: str
    name: str


STALE_ETAG: Final = "2055"

# learn.microsoft.com/partner-center/developer/error-codes. Codes that a status says as well are not listed.
_BY_CODE: Final[Mapping[str, type[BackstopError]]] = MappingProxyType(
    {
        "2012": NotFound,  # the id cannot be converted
        "20003": NotFound,  # no such subscription
        "1000": NotFound,
        "60003": NotFound,  # no such tenant
        "800111": NotFound,  # no such Azure entitlement
        STALE_ETAG: Conflict,
        "800082": NotReady,
        "800060": NotReady,  # being processed
        "800064": NotReady,
        "900104": NotReady,
        "27009": Rejected,  # an add-on cannot be enabled while its base is not active
        "800069": Rejected,  # failed the risk check
        "800073": Rejected,  # the customer's account is under review
        "800074": Rejected,
        "800075": Rejected,
        "900115": Rejected,  # the Azure plan has active Azure subscriptions
    }
)
_BY_STATUS: Final[Mapping[int, type[BackstopError]]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: SignInFailed,
        HTTPStatus.FORBIDDEN: AccessDenied,
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.REQUEST_TIMEOUT: Unavailable,
        HTTPStatus.CONFLICT: Conflict,
        HTTPStatus.PRECONDITION_FAILED: Conflict,
        HTTPStatus.TOO_MANY_REQUESTS: Throttled,
        HTTPStatus.NOT_IMPLEMENTED: FeatureMissing,
    }
)
_CODE_DECIDES: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}
)
_LONGEST_DETAIL: Final = 200


def decipher(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    correlation_id: str,
    sought: Sought,
    now: datetime,
) -> Answer | Trouble:
    """Turn a response into what it means. `headers` must find its keys in any case."""
    value = _value(body)
    if HTTPStatus(200) <= status < HTTPStatus(300):
        return Answer(value, status, headers)
    fields = Fields(value)
    if isinstance(fields.raw("error"), Mapping):  # Microsoft Graph: learn.microsoft.com/graph/errors
        fields = fields.inner("error")
    code = fields.text("code") or str(status)
    kind = _kind_of_error(status, code)
    detail = fields.text("description") or fields.text("message") or body.decode("utf-8", "replace")
    return Trouble(
        error=_error(kind, code, status, correlation_id, detail[:_LONGEST_DETAIL], sought),
        retry_after=seconds_to_wait(headers.get("Retry-After"), now=now),
        effect_open=kind is Unavailable,
    )


def _value(body: bytes) -> object:
    try:
        return decode(body)
    except Unreadable:
        return None


def _kind_of_error(status: int, code: str) -> type[BackstopError]:
    if status in _CODE_DECIDES and code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # A redirect is not followed (the token would travel); like a 5xx it says nothing about what was done.
    return Rejected if 400 <= status < 500 else Unavailable


def _error(
    kind: type[BackstopError], code: str, status: int, correlation_id: str, detail: str, sought: Sought
) -> BackstopError:
    if issubclass(kind, Upstream):
        return kind(reason=code, status=status, correlation_id=correlation_id, detail=detail)
    return NotFound(sought.what, sought.name)


def seconds_to_wait(retry_after: str | None, *, now: datetime) -> float | None:
    """The seconds `Retry-After` asks for, given in seconds or as a date; None when it does not say."""
    if retry_after is None:
        return None
    seconds = number(retry_after.strip())
    if seconds is not None:
        return max(0.0, float(seconds))
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
