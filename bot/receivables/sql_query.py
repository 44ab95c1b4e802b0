"""Looks at the partner's query before it is ever sent: one SELECT, nothing hidden, `:as_of` and nothing else.

This is the fence, not the wall. What keeps the books safe is the read-only transaction (`sql_read`) and an
account that may only read. So the fence is simple and strict: what databases read differently (comments,
backslashes in strings, dollar quotes) is refused rather than understood.
"""

from __future__ import annotations

import re
from typing import Final


def _tokens(*, brackets_quote: bool) -> re.Pattern[str]:
    bracket = r"|\[[^\]\\]*\]" if brackets_quote else ""
    return re.compile(
        rf"""
          (?P<quoted>'(?:[^'\\]|'')*'|"(?:[^"\\]|"")*"|`[^`\\]*`{bracket})
        | (?P<cast>::)
        | (?P<parameter>(?<![\w$]):[\w$]+)
        | (?P<word>[^\W\d][\w$]*)
        | (?P<number>\d+(?:\.\d+)?)
        | (?P<end>;)
        | (?P<comment>--|/\*|\#)
        | (?P<unclear>['"`\\$])
        | (?P<other>\S)
        """,
        re.VERBOSE,
    )


_TOKENS: Final = {quote: _tokens(brackets_quote=quote) for quote in (True, False)}
_BRACKETS_QUOTE: Final = frozenset({"mssql", "sqlite"})
_HASH_COMMENTS: Final = frozenset({"mysql", "mariadb"})
_PARAMETER_IN_TEXT: Final = re.compile(r"(?<![:\w$\\]):[\w$]+(?![:\w$])")
"""What SQLAlchemy's `text()` takes for a parameter, wherever it stands."""
_OTHER_QUOTES: Final = frozenset({"q", "nq"})
"""Oracle's q'[…]', in which a quotation mark does not end the string."""
_WRITES: Final = frozenset(
    {
        *("insert", "update", "delete", "merge", "into", "truncate", "create", "alter", "drop", "grant"),
        *("revoke", "deny", "exec", "execute", "backup", "restore", "shutdown", "dbcc", "kill", "bulk"),
    }
)
"""Words with which one statement changes something, or begins another where no semicolon is needed (T-SQL)."""


class QueryRefused(ValueError):
    """The query is not sent. `reason` is a key, `found` what is in the way; no value of the query is in it."""

    def __init__(self, reason: str, found: str = "") -> None:
        super().__init__(f"{reason}: {found}" if found else reason)
        self.reason = reason
        self.found = found


def checked(query: str, *, dialect: str) -> str:
    """The query as it may be sent, without its last semicolon. Raises `QueryRefused`."""
    tokens = list(_TOKENS[dialect in _BRACKETS_QUOTE].finditer(query))
    if tokens and tokens[-1].lastgroup == "end":
        tokens.pop()
    if not tokens or tokens[0][0].lower() not in {"select", "with"}:
        raise QueryRefused("not-a-select")
    before, sent, upto = "", "", 0
    for token in tokens:
        _refuse_unless_clear(token, before, dialect)
        before = token[0].lower()
        if token.lastgroup == "parameter":  # parted from a cast behind it, `text()` knows it for what it is
            sent += query[upto : token.end()] + " "
            upto = token.end()
    return (sent + query[upto : tokens[-1].end()]).strip()


def _refuse_unless_clear(token: re.Match[str], before: str, dialect: str) -> None:
    text = token[0]
    match token.lastgroup:
        case "end":
            raise QueryRefused("more-than-one-statement")
        case "word" if text.lower() in _WRITES:
            raise QueryRefused("writes", text.lower())
        case "comment" if text != "#" or dialect in _HASH_COMMENTS:
            raise QueryRefused("comment", text)
        case "unclear":
            raise QueryRefused("unclear-quotes", text)
        case "quoted" if before in _OTHER_QUOTES:
            raise QueryRefused("unclear-quotes", before)
        case "quoted" if _PARAMETER_IN_TEXT.search(text):
            raise QueryRefused("colon-in-text")
        case "parameter" if text != ":as_of":
            raise QueryRefused("unknown-parameter", text)
