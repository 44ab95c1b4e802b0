"""The App Home and the list of what is open keep Slack's limits whatever is in them, and call nobody."""

from __future__ import annotations

import re

import pytest

from bot import texts
from handlers.views import home, replies
from tests.builders import a_request, a_target, an_action, ana, ben, boss, noon
from tests.views import drawn, drawn_home
from tests.views.test_views import complaints, mrkdwn

every_language = pytest.mark.parametrize("language", texts.LANGUAGES)


@every_language
@pytest.mark.parametrize("name", ["&" * 500, "<!channel> " * 50, "漢" * 500, "é_~`" * 99])
def test_many_of_any_name_fit(name: str, language: str):
    words = texts.in_language(language)
    asked = a_request(action=an_action(customer_name=name), targets=[a_target(name=name)], by=ana)
    requests, tickets = [asked] * 200, [drawn_home.named(name)] * 200
    listed = drawn.message(replies.open_requests(requests, words, channel="C1", tickets=tickets, at=noon))
    shown = [listed]
    for viewer in (ana, ben, boss):
        told = drawn_home.told(
            drawn.a_state(words), viewer, drawn.everything(9, name).totals, requests=requests, tickets=tickets
        )
        shown.append(home.home(told, words))
    for view in shown:
        assert complaints(view) == []
        assert len(view["blocks"]) <= (100 if view.get("type") == "home" else 50)
        assert [text for text in mrkdwn(view) if "<!channel>" in text] == []
        assert [text for text in mrkdwn(view) if re.search(r"\b[13][89]\d\b", text)], (
            "how many more there are"
        )


def test_nobody_is_shown_as_waiting_for_their_own_word_or_for_one_they_have_given():
    theirs, mine = a_request(approvals_needed=2), a_request(by=boss, id="R-BOSS000001")
    given = theirs.approve(by=boss, at=noon)
    assert home.awaits(boss, [theirs, mine], []) == ([theirs], [])
    assert home.awaits(boss, [given, mine], []) == ([], [])
    assert home.awaits(ana, [theirs, mine], []) == ([], []), "she may not decide"
