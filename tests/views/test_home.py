"""The App Home and the list of what is open keep Slack's limits whatever is in them, and call nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from bot import texts
from bot.domain.aging import Balance
from bot.domain.digest import Banner, OverdueTotals
from bot.domain.money import MINOR_UNITS
from bot.domain.request import Status
from handlers.views import aging_bars, home, replies
from tests.builders import a_request, a_target, an_action, ana, ben, boss, noon
from tests.views import drawn, drawn_home
from tests.views.test_views import complaints, mrkdwn


def a_balance() -> Balance:
    return next(iter(drawn.everything(1).totals.values()))


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


@every_language
def test_very_many_of_everything_fit(language: str):
    """Also what is not a list of what waits: currencies, suspensions, sources, outages, warnings and people."""
    words = texts.in_language(language)
    name = "&<Wörter> *fett* " * 40
    state = drawn.a_state(words)
    full = replace(
        state,
        countdowns=list(state.countdowns) * 500,
        outages=list(state.outages) * 4,
        sources=list(state.sources) * 4,
        policy=replace(state.policy, refused=name),
        counts=dict.fromkeys(Status, 10**6),
    )
    owed = drawn.everything(9, name).totals
    one = next(iter(owed.values()))
    totals = {code: replace(one, currency=code) for code in MINOR_UNITS}
    banners = [Banner("policy_refused", {"why": name, "version": "1"}), *drawn.everything().banners] * 2
    told = drawn_home.told(
        full,
        boss,
        totals,
        exposure=OverdueTotals(drawn_home.AT.date(), tuple(banners), totals, 50_000),
        requests=[a_request(action=an_action(customer_name=name), by=ana)] * 500,
        tickets=[drawn_home.named(name)] * 500,
    )
    shown = home.home(told, words)
    assert complaints(shown) == []
    assert len(shown["blocks"]) <= 100


@pytest.mark.parametrize(
    ("buckets", "bars"),
    [
        pytest.param("400 100 0 0", ["████████████   80%", "███            20%", "0%", "0%"], id="to scale"),
        pytest.param("9999 0 0 1", ["████████████  100%", "0%", "0%", "▏              <1%"], id="a little"),
        pytest.param("1 1 1 1", ["████████████   25%"] * 4, id="all alike"),
    ],
)
def test_the_oldest_debts_are_seen_beside_the_youngest(buckets: str, bars: list[str]):
    balance = replace(a_balance(), by_age=(Decimal(1), *map(Decimal, buckets.split())))
    [chart] = aging_bars.bars({"EUR": balance}, texts.in_language("en"))
    drawn_bars = chart["text"]["text"].replace("&lt;", "<").strip("`").split("```")[-1].splitlines()
    assert drawn_bars[0] == "EUR"
    assert [line[6:].strip() for line in drawn_bars[1:]] == bars
    assert {len(line) for line in drawn_bars[1:]} == {24}


def test_what_is_not_past_due_has_no_chart():
    current = replace(a_balance(), by_age=(Decimal(5), *[Decimal(0)] * 4))
    assert aging_bars.bars({"EUR": current}, texts.in_language("en")) == []


def test_nobody_is_shown_as_waiting_for_their_own_word_or_for_one_they_have_given():
    theirs, mine = a_request(approvals_needed=2), a_request(by=boss, id="R-BOSS000001")
    given = theirs.approve(by=boss, at=noon)
    assert home.awaits(boss, [theirs, mine], []) == ([theirs], [])
    assert home.awaits(boss, [given, mine], []) == ([], [])
    assert home.awaits(ana, [theirs, mine], []) == ([], []), "she may not decide"
