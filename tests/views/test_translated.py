"""A copy in another language says what the card says, and offers nothing that would act a second time."""

from __future__ import annotations

from typing import Any

import pytest

from bot import texts
from handlers import ids
from handlers.views import digests, suspicious
from handlers.views.request_card import request_card
from handlers.views.translated import TURNS, Card, copied, offered
from tests.builders import a_request, noon
from tests.views import drawn, drawn_suspicious
from tests.views.test_views import complaints

every_language = pytest.mark.parametrize("language", texts.LANGUAGES)


def clickable(body: list[dict[str, Any]]) -> list[str]:
    found = [e["action_id"] for b in body if b["type"] == "actions" for e in b["elements"]]
    return found + [b["accessory"]["action_id"] for b in body if b.get("accessory")]


def test_the_way_to_it_stands_last_in_the_row_of_buttons():
    words = texts.in_language("en")
    card = offered(request_card(a_request(), words), Card.REQUEST, "R-TEST000001", words)
    assert clickable(card) == [ids.APPROVE, ids.DENY, ids.WITHDRAW, ids.IN_MY_LANGUAGE]
    assert card[-1]["elements"][-1]["value"] == "request:R-TEST000001"
    assert "Deutsch" in card[-1]["elements"][-1]["text"]["text"], "who reads no English finds their language"


def test_a_card_that_is_over_has_nothing_to_click_and_a_digest_gets_a_row_for_it():
    words = texts.in_language("de")
    over = [b for b in request_card(a_request(), words) if b["type"] != "actions"]
    assert clickable(offered(over, Card.REQUEST, "R-TEST000001", words)) == []
    assert clickable(offered(over, Card.OVERDUE, "2026-11-23", words)) == [ids.IN_MY_LANGUAGE]


@every_language
def test_the_longest_digests_still_fit_with_it_and_so_do_their_copies(language: str):
    words = texts.in_language(language)
    for body in (
        digests.overdue(drawn.everything(), words),
        suspicious.suspicious(drawn_suspicious.everything(), words),
    ):
        shared = offered(body, Card.OVERDUE, "2026-11-23", words)
        copy = copied(body, words, at=noon)
        for shown in (shared, copy):
            assert len(shown) <= 50
            assert complaints(drawn.message(shown)) == []
        assert set(clickable(copy)) <= TURNS
        assert len(clickable(copy)) < len(clickable(shared))


def test_a_copy_says_what_the_card_says_and_that_it_is_one():
    words = texts.in_language("zh-CN")
    card = request_card(a_request(), words)
    *said, last = copied(card, words, at=noon)
    assert said == [block for block in card if block["type"] != "actions"]
    assert "仅供您查看的副本" in last["elements"][0]["text"]
