"""The first message to somebody, drawn for every combination of rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.domain.people import Person
from bot.texts import Texts
from handlers.views.welcome import welcome
from tests.builders import ada, ana, ben, boss, eve, ida


def _greeting(person: Person, *others: str) -> Callable[[Texts], dict[str, Any]]:
    def drawn(texts: Texts) -> dict[str, Any]:
        text, blocks = welcome(person, others, texts)
        return {"text": text, "blocks": blocks}

    return drawn


VIEWS: Mapping[str, Callable[[Texts], dict[str, Any]]] = {
    "welcome-operator": _greeting(ana, ben.id),
    "welcome-approver": _greeting(ben, ana.id, *(f"U{n:04}" for n in range(20))),
    "welcome-both": _greeting(boss),
    "welcome-auditor-and-admin": _greeting(replace(ida, rights=ida.rights | ada.rights), ana.id),
    "welcome-nobody": _greeting(eve, ana.id, ben.id),
}
