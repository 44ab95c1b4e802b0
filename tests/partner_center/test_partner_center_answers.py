"""Responses and what they mean."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from bot.domain.errors import (
    AccessDenied,
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
from bot.partner_center.answers import Answer, Sought, Trouble, decipher, seconds_to_wait

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


def trouble(status: int, body: bytes = b"", **headers: str) -> Trouble:
    outcome = decipher(
        status,
        httpx.Headers(headers),
        body,
        correlation_id="c-1",
        sought=Sought("subscription", "s-1"),
        now=noon,
    )
    assert isinstance(outcome, Trouble)
    return outcome


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        pytest.param(400, 2001, Rejected, id="quantity changed while suspended"),
        pytest.param(400, 2006, Rejected, id="offer takes no updates"),
        pytest.param(400, 2011, Rejected, id="deleted"),
        pytest.param(400, 2012, NotFound, id="id cannot be converted"),
        pytest.param(404, 20003, NotFound, id="no such subscription"),
        pytest.param(400, 2055, Conflict, id="stale etag"),
        pytest.param(412, None, Conflict, id="stale etag, said by the status"),
        pytest.param(400, 800040, Rejected, id="status change not allowed"),
        pytest.param(400, 800042, Rejected, id="not supported"),
        pytest.param(400, 800096, Rejected, id="status cannot be updated"),
        pytest.param(400, 900141, Rejected, id="status cannot be updated, new commerce"),
        pytest.param(400, 800082, NotReady, id="not ready"),
        pytest.param(400, 800091, Rejected, id="is suspended"),
        pytest.param(403, 900115, Rejected, id="plan with active children"),
        pytest.param(409, 27009, Rejected, id="parent not active"),
        pytest.param(409, 800060, NotReady, id="being processed"),
        pytest.param(409, 800064, NotReady, id="being processed, 800064"),
        pytest.param(409, 900104, NotReady, id="being processed, 900104"),
        pytest.param(409, 4711, Conflict, id="a conflict nobody described"),
        pytest.param(401, 400, SignInFailed, id="no token"),
        pytest.param(401, 900420, SignInFailed, id="wrong audience"),
        pytest.param(401, None, SignInFailed, id="no body at all"),
        pytest.param(403, 2032, AccessDenied, id="no rights"),
        pytest.param(403, 20002, AccessDenied, id="no relationship"),
        pytest.param(403, 900150, AccessDenied, id="no rights, 900150"),
        pytest.param(403, 900159, AccessDenied, id="no rights, 900159"),
        pytest.param(403, 900308, AccessDenied, id="no rights, 900308"),
        pytest.param(403, 800073, Rejected, id="account under review"),
        pytest.param(403, 800069, Rejected, id="failed the risk check"),
        pytest.param(404, 1000, NotFound, id="not found"),
        pytest.param(404, 60003, NotFound, id="no such tenant"),
        pytest.param(404, 800111, NotFound, id="no such entitlement"),
        pytest.param(400, 3000, Rejected, id="bad property"),
        pytest.param(400, 800002, Rejected, id="bad input"),
        pytest.param(400, 900118, Rejected, id="bad customer id"),
        pytest.param(400, 900307, Rejected, id="a reason nobody may cancel for"),
        pytest.param(417, None, Rejected, id="expectation failed"),
        pytest.param(408, None, Unavailable, id="took too long"),
        pytest.param(429, None, Throttled, id="too many requests"),
        pytest.param(500, 800003, Unavailable, id="server error"),
        pytest.param(500, 800094, Unavailable, id="update failed"),
        pytest.param(500, 2055, Unavailable, id="a server error is one, whatever its code"),
        pytest.param(501, None, FeatureMissing, id="not implemented"),
        pytest.param(503, None, Unavailable, id="unavailable"),
        pytest.param(302, None, Unavailable, id="a redirect, which is not followed"),
    ],
)
def test_every_code_has_its_error(status, code, error):
    body = b"" if code is None else b'\xef\xbb\xbf{"Code": %d, "description": "no"}' % code
    found = trouble(status, body).error
    assert type(found) is error
    if isinstance(found, Upstream):
        assert (found.reason, found.status, found.correlation_id) == (str(code or status), status, "c-1")


def test_a_recorded_refusal(samples):
    error = trouble(403, (samples / "error.20002.json").read_bytes()).error
    assert isinstance(error, AccessDenied)
    assert (error.reason, error.detail[:13]) == ("20002", "Reseller CAID")


def test_a_recorded_request_to_slow_down(samples):
    throttled = trouble(429, (samples / "error.429.json").read_bytes(), **{"retry-after": "57"})
    assert (throttled.retry_after, throttled.effect_open, throttled.passes) == (57.0, False, True)


def test_what_was_not_found_is_named():
    error = trouble(404, b'{"code": "20003"}').error
    assert isinstance(error, NotFound)
    assert (error.what, error.name) == ("subscription", "s-1")


def test_a_page_instead_of_json_is_kept_short():
    error = trouble(502, b"<html>" + b"x" * 10_000).error
    assert isinstance(error, Unavailable)
    assert len(error.detail) == 200


@pytest.mark.parametrize(
    ("status", "is_open"),
    [
        *((status, False) for status in (400, 401, 403, 404, 409, 429, 501)),
        *((status, True) for status in (303, 408, 500, 502, 503, 504)),
    ],
)
def test_when_a_write_may_have_taken_effect(status, is_open):
    assert trouble(status).effect_open is is_open


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("57", 57.0, id="seconds"),
        pytest.param("Mon, 10 Mar 2025 12:01:30 GMT", 90.0, id="a date"),
        pytest.param("Mon, 10 Mar 2025 11:00:00 GMT", 0.0, id="a date gone by"),
        pytest.param("-5", 0.0, id="less than nothing"),
        pytest.param("soon", None, id="neither"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_retry_after(header, seconds):
    assert seconds_to_wait(header, now=noon) == seconds


def test_a_success_without_json_is_a_success():
    outcome = decipher(
        202, httpx.Headers(), b"", correlation_id="c-1", sought=Sought("subscription", "s-1"), now=noon
    )
    assert outcome == Answer(None)
