"""The first message to somebody who opens Backstop: what it does, what they may do, what to try, where to ask."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from bot.domain.people import Person, Right
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks
from handlers.views.blocks import Block

MOST_NAMED: Final = 5

_MAY: Final = (
    (Right.OPERATE, "welcome-may-operate"),
    (Right.APPROVE, "welcome-may-approve"),
    (Right.AUDIT, "rights-may-audit"),
    (Right.ADMINISTER, "rights-may-administer"),
)
_ACTING: Final = frozenset({Right.OPERATE, Right.APPROVE})
_BOTH: Final = ("welcome-try-overdue", "welcome-try-suspend", "welcome-try-requests")
_TO_TRY: Final = {
    frozenset({Right.OPERATE}): ("welcome-try-overdue", "welcome-try-find", "welcome-try-suspend"),
    frozenset({Right.APPROVE}): ("welcome-try-requests", "welcome-try-overdue", "welcome-try-why"),
    frozenset({Right.OPERATE, Right.APPROVE}): _BOTH,
    frozenset[Right](): ("welcome-try-home", "welcome-try-help", "welcome-try-channels"),
}
_TO_READ: Final = ("rights-try-audit", "welcome-try-overdue", "welcome-try-requests")


def welcome(person: Person, others: Collection[str], texts: Texts) -> tuple[str, list[Block]]:
    """In one line, and whole; `others` hold a right and can be asked."""
    may = [texts(key) for right, key in _MAY if right in person.rights] or [texts("help-no-rights")]
    confirm = texts("confirm")
    tries = [f"{n}. {texts(key, confirm=confirm)}" for n, key in enumerate(_worth_a_try(person), start=1)]
    said = texts("welcome-title")
    return said, [
        blocks.header(said),
        blocks.section(texts.sentences([texts("help-intro"), texts("welcome-record")])),
        blocks.section(f"*{texts('welcome-may')}*\n" + "\n".join(may)),
        blocks.section(f"*{texts('welcome-try')}*\n" + "\n".join(tries)),
        blocks.context(_where_to_ask(others, texts)),
    ]


def _worth_a_try(person: Person) -> tuple[str, ...]:
    acting = person.rights & _ACTING
    return _TO_READ if person.rights and not acting else _TO_TRY[acting]


def _where_to_ask(others: Collection[str], texts: Texts) -> str:
    if not others:
        return texts("welcome-ask-nobody")
    named = [blocks.person(id) for id in sorted(others)[:MOST_NAMED]]
    return texts.mrkdwn("welcome-ask", who=Mrkdwn(texts.listed(named)))
