"""A broken glass, drawn: the card that may be broken, the form, what everybody is told, and the review."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from bot.domain.action import Reason
from bot.domain.glass import BreakGlass, BrokenGlass, Finding
from bot.texts import Texts
from handlers.views import glass
from handlers.views.request_card import request_card
from tests.builders import DAY, HOUR, a_request, an_action, ana, ben, boss, noon, targets

Drawing = Callable[[Texts], dict[str, Any]]

WHY: Final = "Card fraud <!channel>: *400* new seats in ten minutes"
PENDING: Final = a_request(action=an_action(reason=Reason.FRAUD), targets=targets(3))
RULE: Final = BreakGlass(frozenset({ana.id, boss.id}))
AT: Final = noon + timedelta(minutes=3)
BROKEN: Final = BrokenGlass(PENDING.id, boss.id, WHY, AT, ana.id)
OWN: Final = replace(BROKEN, by=ana.id)
REVIEWED: Final = BROKEN.review(
    Finding.NOT_JUSTIFIED, "Ben was on call; see <https://example.com>", by=ben, at=noon + DAY
)
REQUEST: Final = PENDING.break_glass(RULE, by=boss, at=AT, why=WHY)
REHEARSED: Final = replace(REQUEST, dry_run=True)
WAITING: Final = [replace(BROKEN, request_id=f"R-{n}", at=noon - n * HOUR) for n in range(12)]


def _message(draw: Callable[[Texts], Sequence[dict[str, Any]]]) -> Drawing:
    return lambda texts: {"blocks": list(draw(texts))}


VIEWS: Mapping[str, Drawing] = {
    "card-breakable": _message(lambda texts: request_card(PENDING, texts, breakable=True)),
    "card-glass-broken": _message(lambda texts: request_card(REQUEST, texts, breakable=True)),
    "glass-form": lambda texts: glass.glass_form(PENDING, texts, needs_code=False, everybody="C0APPROVALS"),
    "glass-form-code": lambda texts: glass.glass_form(
        replace(PENDING, dry_run=True), texts, needs_code=True, everybody="C0APPROVALS", reason=WHY
    ),
    "glass-card": _message(lambda texts: glass.glass_card(BROKEN, REQUEST, texts)),
    "glass-card-own": _message(lambda texts: glass.glass_card(OWN, REHEARSED, texts)),
    "glass-card-reviewed": _message(lambda texts: glass.glass_card(REVIEWED, REQUEST, texts)),
    "glass-told": _message(
        lambda texts: glass.message_to(ben.id, BROKEN, REQUEST, texts, channel="C0APPROVALS")
    ),
    "glass-told-yours": _message(
        lambda texts: glass.message_to(boss.id, BROKEN, REQUEST, texts, channel="C0APPROVALS")
    ),
    "glass-review": lambda texts: glass.review_form(BROKEN, REQUEST, texts),
    "glass-reminder": _message(lambda texts: glass.reminder(WAITING, texts)[1]),
    "glass-reminder-one": _message(lambda texts: glass.reminder([BROKEN], texts)[1]),
}
