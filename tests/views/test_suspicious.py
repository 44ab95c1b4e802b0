"""The suspicious-activity digest keeps Slack's limits whatever is in it, and leaves nobody out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import texts
from bot.domain.case import REFUND_DAYS, Step, Ticked, Verdict
from bot.domain.customer import CustomerId
from bot.domain.people import PersonId
from bot.domain.signal import Rule, RuleBook, Severity
from bot.domain.suspicious import Damage, Hidden
from handlers import ids, spend_chart
from handlers.views import suspicious, triage
from tests.builders import DAY, a_customer, noon
from tests.views import drawn_suspicious as drawn
from tests.views.test_views import complaints

every_language = pytest.mark.parametrize("language", texts.LANGUAGES)
ENGLISH = texts.in_language("en")


@every_language
@pytest.mark.parametrize("cases", [0, 1, 4, 5, 49, 500, 5000])
def test_a_digest_of_any_size_keeps_slacks_limits_on_every_page(cases: int, language: str):
    words = texts.in_language(language)
    digest = drawn.everything(cases)
    assert len(suspicious.summary(digest, words)) < 4000
    pages = max(1, -(-cases // suspicious.PAGE))
    for page in sorted({0, 1, pages // 2, pages - 1, pages, 10**6}):
        assert complaints(drawn.message(suspicious.suspicious(digest, words, page=page))) == []


@every_language
@pytest.mark.parametrize("name", ["&", "&" * 500, "*" * 500, "<!channel> " * 50, "漢" * 500, "é_~`" * 99, ""])
def test_a_digest_of_any_words_keeps_slacks_limits_and_calls_nobody(name: str, language: str):
    words = texts.in_language(language)
    digest = drawn.everything(9, name)
    for page in range(3):
        view = drawn.message(suspicious.suspicious(digest, words, page=page))
        assert complaints(view) == []
        assert [text for text in mrkdwn(view) if "<!channel>" in text] == []
    line = digest.cases[0]
    assert "<!channel>" not in suspicious.alert_summary(line, words) + suspicious.summary(digest, words)
    assert complaints(drawn.message(suspicious.alert(line, words, on=drawn.TODAY))) == []


@every_language
def test_the_longest_case_fits_its_forms(language: str):
    words = texts.in_language(language)
    line = drawn.everything(2).cases[0]
    hidden = Hidden(90, tuple((line.case.customer_id, signal) for signal in line.case.signals), 10**6)
    wish = triage.Wish(Rule.SEAT_JUMP, True, drawn.TODAY + 90 * DAY, 100, drawn.HUGE)
    all_done = tuple(Ticked(step, PersonId("U0ANA"), noon) for step in Step)
    for view in (
        *(
            triage.verdict_form(line, v, words, on=drawn.TODAY, kept=drawn.KEPT, has_changed=True)
            for v in Verdict
        ),
        triage.mute_form(line, RuleBook(), words, on=drawn.TODAY, kept="kept"),
        triage.mute_preview(line.case, wish, hidden, words, kept="k" * 3000),
        triage.runbook(
            replace(line, case=replace(line.case, ticked=all_done)), words, on=drawn.TODAY, kept="kept"
        ),
        triage.report_form(drawn.HUGE * 50, words, kept="kept"),
    ):
        assert complaints(view) == []


def test_every_case_is_on_one_page_the_worst_first():
    digest = drawn.many(49)
    shown = [
        element["value"]
        for page in range(-(-49 // suspicious.PAGE))
        for block in suspicious.suspicious(digest, ENGLISH, page=page)
        if block["type"] == "actions"
        for element in block["elements"]
        if element.get("action_id") == ids.CALL_FRAUD
    ]
    assert shown == [suspicious.case_value(line.case) for line in digest.cases]
    assert len(set(shown)) == 49


def test_how_bad_it_is_is_told_without_a_colour():
    said = {
        severity: suspicious.severity_words(drawn.a_case(severity=severity), ENGLISH) for severity in Severity
    }
    assert len({words.split()[0] for words in said.values()}) == len(Severity)
    assert {words.split()[1] for words in said.values()} == {"Low", "Medium", "High"}


def test_buttons_hold_opaque_ids_alone():
    line = drawn.a_line(drawn.NEW)
    held = re.findall(r'"value": "([^"]+)"', json.dumps(suspicious.case_card(line, ENGLISH, on=drawn.TODAY)))
    assert {value.rpartition("C-TEST000001:3")[2] or "ours" for value in held} == {
        "ours",
        line.case.customer_id,
    }


def test_what_partner_center_does_not_list_cannot_be_suspended_from_here():
    gone = drawn.a_line(drawn.NEW, customer=None)
    assert ids.SUSPEND_FOR_FRAUD in json.dumps(
        suspicious.case_card(drawn.a_line(drawn.NEW), ENGLISH, on=drawn.TODAY)
    )
    assert ids.SUSPEND_FOR_FRAUD not in json.dumps(suspicious.case_card(gone, ENGLISH, on=drawn.TODAY))


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        pytest.param(0, "60 days left", id="the first day"),
        pytest.param(REFUND_DAYS - 1, "1 day left", id="the day before"),
        pytest.param(REFUND_DAYS, "0 days left", id="the last day"),
        pytest.param(REFUND_DAYS + 1, "ended on", id="too late"),
    ],
)
def test_the_refund_window_is_counted_down(passed: int, said: str):
    case = drawn.a_case(judged=drawn.a_judgement())
    on = case.first_seen.date() + timedelta(days=passed)
    assert said in suspicious.refund_words(case, ENGLISH, on=on)


def test_nobody_asks_for_a_refund_of_what_nobody_called_fraud():
    assert suspicious.refund_words(drawn.NEW, ENGLISH, on=drawn.TODAY) == ""


def test_the_strongest_of_each_rule_comes_before_the_second_of_another_and_what_is_new_first():
    weak, strong, stronger = (
        drawn.a_signal(Rule.OFF_HOURS, key="weak", points=5),
        drawn.a_signal(Rule.SEAT_JUMP, key="strong", points=45),
        drawn.a_signal(Rule.SEAT_JUMP, key="stronger", points=60),
    )
    case = drawn.a_case(weak, strong, stronger)
    assert [s.key for s in suspicious.strongest(case)] == ["stronger", "weak", "strong"]
    assert suspicious.strongest(replace(case, new_keys=frozenset({"weak"})))[0].key == "weak"


def test_no_damage_known_says_nothing_of_it():
    line = drawn.a_line(drawn.NEW, damage=Damage(), running=None)
    assert suspicious.damage_words(line, ENGLISH, on=drawn.TODAY) == ""


@every_language
@pytest.mark.parametrize("missing", drawn.MISSING, ids=lambda m: m.source)
def test_what_is_missing_reads_the_same_on_a_terminal(missing: Any, language: str):
    said = suspicious.missing_words(missing, texts.in_language(language))
    assert "\n" not in said
    assert "<!date" not in said
    assert "*" not in said


def test_what_can_be_muted_comes_back_as_it_was_chosen():
    case = drawn.a_case()
    chosen = [triage.wished(option["value"]) for option in triage.mute_options(case, ENGLISH)]
    assert chosen[0] == (None, False)
    assert (Rule.REPORT, False) in chosen
    assert (Rule.REPORT, True) in chosen


@pytest.mark.parametrize("value", ["", "everybody:*", "everybody:nothing", "customer:", "x:seat_jump"])
def test_nothing_else_can_be_muted(value: str):
    with pytest.raises(ValueError):  # noqa: PT011
        triage.wished(value)


class TestSpendChart:
    def test_shows_the_worst_of_whom_a_spend_is_known(self):
        lines = []
        for n in range(9):
            id = CustomerId(f"t-{n}")
            spent = drawn.spent_by_day(id) if n % 9 else ()
            line = drawn.a_line(drawn.a_case(customer_id=id, customer_name=f"Customer {n}"))
            lines.append(replace(line, past=replace(line.past, spent=spent)))
        shown = spend_chart.panels(lines, on=drawn.TODAY)
        assert [panel.name for panel in shown] == [f"Customer {n}" for n in range(1, 7)]
        assert {len(panel.days) for panel in shown} == {60}
        assert {len(panel.above) for panel in shown} == {3}

    @every_language
    def test_says_the_figures_and_is_read_at_the_width_of_a_phone(self, language: str):
        from io import BytesIO

        from PIL import Image

        line = drawn.a_line(drawn.a_case(customer_name="Kontoso & <Söhne>"))
        line = replace(line, past=replace(line.past, spent=drawn.spent_by_day()))
        shown, words = spend_chart.panels([line], on=drawn.TODAY), texts.in_language(language)
        said = spend_chart.in_words(shown, words)
        assert "Kontoso & <Söhne>" in said
        assert words.amount(shown[0].days[-1][1], "EUR") in said
        picture = spend_chart.picture(shown, words)
        assert picture is not None
        image = Image.open(BytesIO(picture))
        assert image.width == 760
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)

    def test_is_not_drawn_of_nothing(self):
        assert spend_chart.panels([drawn.a_line()], on=drawn.TODAY) == ()
        assert spend_chart.picture((), ENGLISH) is None

    def test_of_a_new_currency_only_that_is_shown(self):
        dollars = tuple(replace(s, currency="USD") for s in drawn.spent_by_day(days=10))
        euros = tuple(replace(s, at=s.at - 20 * DAY) for s in drawn.spent_by_day(days=10))
        line = drawn.a_line()
        line = replace(line, past=replace(line.past, spent=(*euros, *dollars)))
        (panel,) = spend_chart.panels([line], on=drawn.TODAY)
        assert panel.currency == "USD"
        assert len(panel.days) == 9


def mrkdwn(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for item in node for text in mrkdwn(item)]
    if not isinstance(node, dict):
        return []
    if node.get("type") == "mrkdwn":
        return [str(node["text"])]
    return [text for item in node.values() for text in mrkdwn(item)]


def test_a_customer_without_a_name_is_known_by_its_tenant():
    line = drawn.a_line(drawn.a_case(customer_name=""), customer=a_customer())
    assert line.case.customer_id in json.dumps(suspicious.case_card(line, ENGLISH, on=drawn.TODAY))
