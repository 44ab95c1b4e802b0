"""How Partner Center says no: status, code and description in one exception."""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than 2xx, in the shape `{code, description, data, source}`.

    Codes and words: https://learn.microsoft.com/partner-center/developer/error-codes
    """

    def __init__(self, status: int, code: int, description: str, *data: str) -> None:
        super().__init__(f"{status}/{code} {description}")
        self.status = status
        self.code = code
        self.description = description
        self.data = data


class TokenMissing(Exception):
    """A request without a token, answered by 401 and `WWW-Authenticate` only, without a body."""


def invalid(description: str, *fields: str) -> ApiError:
    """400/3000: the request itself is wrong."""
    return ApiError(400, 3000, f"Invalid property: {description}", *fields)
