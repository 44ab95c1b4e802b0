"""Slack's limits on blocks and views, and its words for them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack.block_kit import BlockKit, is_too_large, is_too_long, option_errors
from bot.sandbox.slack.inputs import Inputs, Unknown

Json = dict[str, Any]

CHART: Json = {
    "type": "data_visualization",
    "title": "Overdue",
    "chart": {"type": "pie", "segments": [{"label": "1-30", "value": 1}]},
}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str = "Contoso", value: str = "c1") -> Json:
    return {"text": plain(text), "value": value}


def section(text: str = "hello", **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str = "go", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain("Go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def an_input(element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": "b", "label": plain("Label"), "element": element, **more}


def a_modal(*blocks: Json, **more: Any) -> Json:
    submit = {"submit": plain("Go")}
    return {"type": "modal", "title": plain("Title"), "blocks": list(blocks), **submit, **more}


def a_select(count: int = 1, **more: Any) -> Json:
    options = [option(value=str(n)) for n in range(count)]
    return {"type": "static_select", "action_id": "s", "options": options, **more}


A_CONFIRM = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes"), "deny": plain("No")}


@pytest.mark.parametrize(
    ("block", "error"),
    [
        pytest.param(
            section("x" * 3001),
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
            id="section text",
        ),
        pytest.param(
            section(""), "must be more than 0 characters [json-pointer:/blocks/0/text/text]", id="empty text"
        ),
        pytest.param(
            {"type": "section"},
            "must define either `text` or `fields` [json-pointer:/blocks/0]",
            id="empty section",
        ),
        pytest.param(
            {"type": "section", "fields": [plain("x")] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
            id="fields",
        ),
        pytest.param(
            {"type": "section", "fields": [plain("x" * 2001)]},
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
            id="a field's text",
        ),
        pytest.param(
            {"type": "header", "text": plain("x" * 151)},
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
            id="header",
        ),
        pytest.param(
            {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
            "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
            id="mrkdwn in a header",
        ),
        pytest.param(
            {"type": "context", "elements": [plain("x")] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
            id="context elements",
        ),
        pytest.param(
            actions(*[button(str(n)) for n in range(26)]),
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
            id="actions elements",
        ),
        pytest.param(
            actions(button(), button()),
            "action_id must be unique within the block [json-pointer:/blocks/0/elements]",
            id="two buttons of one name",
        ),
        pytest.param(
            actions(button(text=plain("x" * 76))),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
            id="button text",
        ),
        pytest.param(
            actions(button(value="x" * 2001)),
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
            id="button value",
        ),
        pytest.param(
            actions(button(url="x" * 3001)),
            "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
            id="button url",
        ),
        pytest.param(
            actions(button(accessibility_label="x" * 76)),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/accessibility_label]",
            id="accessibility label",
        ),
        pytest.param(
            actions(button(style="loud")),
            "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]",
            id="button style",
        ),
        pytest.param(
            actions(button("x" * 256)),
            "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
            id="action_id",
        ),
        pytest.param(
            section(block_id="x" * 256),
            "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
            id="block_id",
        ),
        pytest.param(
            actions(button(confirm={**A_CONFIRM, "title": plain("x" * 101)})),
            "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
            id="confirm title",
        ),
        pytest.param(
            actions(button(confirm={**A_CONFIRM, "text": plain("x" * 301)})),
            "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
            id="confirm text",
        ),
        pytest.param(
            actions(button(confirm={**A_CONFIRM, "deny": plain("x" * 31)})),
            "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
            id="confirm deny",
        ),
        pytest.param(
            actions(a_select(101)),
            "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
            id="options",
        ),
        pytest.param(
            actions(a_select(placeholder=plain("x" * 151))),
            "must be less than 151 characters [json-pointer:/blocks/0/elements/0/placeholder/text]",
            id="placeholder",
        ),
        pytest.param(
            actions(a_select(initial_option=option("Fabrikam", "other"))),
            "initial option must be one of the options [json-pointer:/blocks/0/elements/0]",
            id="an initial option that is not offered",
        ),
        pytest.param(
            actions({"type": "overflow", "options": [option("x" * 76)]}),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]",
            id="option text",
        ),
        pytest.param(
            actions({"type": "overflow", "options": [option(value="x" * 151)]}),
            "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]",
            id="option value",
        ),
        pytest.param(
            actions({"type": "overflow", "options": [option()] * 6}),
            "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]",
            id="overflow options",
        ),
        pytest.param(
            actions({"type": "radio_buttons", "options": [option()] * 11}),
            "no more than 10 items allowed [json-pointer:/blocks/0/elements/0/options]",
            id="radio buttons",
        ),
        pytest.param(
            {"type": "image", "image_url": "https://example.com/a.png"},
            "missing required field: alt_text [json-pointer:/blocks/0]",
            id="an image nobody can read",
        ),
        pytest.param(
            {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101},
            "no more than 100 items allowed [json-pointer:/blocks/0/rows]",
            id="table rows",
        ),
        pytest.param(
            {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]},
            "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]",
            id="table columns",
        ),
        pytest.param(
            {"type": "markdown", "text": "x" * 12_001},
            "must be less than 12001 characters [json-pointer:/blocks/0/text]",
            id="markdown",
        ),
        pytest.param(
            section(color="red"),
            "invalid additional property: color [json-pointer:/blocks/0]",
            id="an invented key",
        ),
        pytest.param(
            {"type": "marquee"},
            "unsupported type: marquee [json-pointer:/blocks/0/type]",
            id="an invented block",
        ),
        pytest.param(
            {"type": "alert", "text": plain("x")},
            "unsupported type: alert [json-pointer:/blocks/0/type]",
            id="an alert in a message",
        ),
        pytest.param(
            CHART | {"title": "x" * 51},
            "must be less than 51 characters [json-pointer:/blocks/0/title]",
            id="chart title",
        ),
    ],
)
def test_refuses_in_a_message(block: Json, error: str):
    assert BlockKit().message_errors([block]) == [error]


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        pytest.param(
            [section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]", id="51 blocks"
        ),
        pytest.param(
            [section(block_id="a"), section(block_id="a")],
            "block_id must be unique [json-pointer:/blocks/1/block_id]",
            id="two blocks of one name",
        ),
        pytest.param(
            [{"type": "markdown", "text": "x" * 6_001}] * 2,
            "markdown blocks must be less than 12001 characters in all [json-pointer:/blocks]",
            id="too much markdown in all",
        ),
        pytest.param(
            [CHART] * 3,
            "no more than 2 data_visualization blocks allowed [json-pointer:/blocks]",
            id="three charts",
        ),
    ],
)
def test_refuses_together(blocks: list[Json], error: str):
    assert BlockKit().message_errors(blocks) == [error]


@pytest.mark.parametrize(
    ("view", "error"),
    [
        pytest.param(
            a_modal(title=plain("x" * 25)),
            "must be less than 25 characters [json-pointer:/view/title/text]",
            id="title",
        ),
        pytest.param(
            a_modal(submit=plain("x" * 25)),
            "must be less than 25 characters [json-pointer:/view/submit/text]",
            id="submit",
        ),
        pytest.param(
            a_modal(close=plain("x" * 25)),
            "must be less than 25 characters [json-pointer:/view/close/text]",
            id="close",
        ),
        pytest.param(
            a_modal(private_metadata="x" * 3001),
            "must be less than 3001 characters [json-pointer:/view/private_metadata]",
            id="private_metadata",
        ),
        pytest.param(
            a_modal(callback_id="x" * 256),
            "must be less than 256 characters [json-pointer:/view/callback_id]",
            id="callback_id",
        ),
        pytest.param(
            a_modal(*[section()] * 101),
            "no more than 100 items allowed [json-pointer:/view/blocks]",
            id="blocks",
        ),
        pytest.param(
            a_modal(an_input({"type": "plain_text_input", "action_id": "t"}, label=plain("x" * 2001))),
            "must be less than 2001 characters [json-pointer:/view/blocks/0/label/text]",
            id="label",
        ),
        pytest.param(
            a_modal(an_input(button())),
            "unsupported type: button [json-pointer:/view/blocks/0/element/type]",
            id="a button as input",
        ),
        pytest.param(
            a_modal(an_input({"type": "plain_text_input", "action_id": "t"}), submit=None),
            "`submit` is required when an input block is in the `blocks` array [json-pointer:/view]",
            id="nothing to submit with",
        ),
        pytest.param(
            {"type": "home", "blocks": []},
            "unsupported type: home [json-pointer:/view/type]",
            id="a home as modal",
        ),
    ],
)
def test_refuses_in_a_view(view: Json, error: str):
    assert BlockKit().view_errors(view) == [error]


def test_takes_everything_at_its_limit():
    options = [option(value="v" * 150) for _ in range(100)]
    message = [
        section(
            "x" * 3000, block_id="b" * 255, accessory=a_select(placeholder=plain("x" * 150), options=options)
        ),
        {"type": "header", "text": plain("x" * 150)},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2000}] * 10},
        actions(*[button(str(n), value="v" * 2000, confirm=A_CONFIRM) for n in range(25)]),
        {"type": "context", "elements": [plain("x")] * 10},
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "x" * 2000},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 20] * 100},
        *[{"type": "divider"}] * 43,
    ]
    assert BlockKit().message_errors(message) == []


def test_a_workspace_may_not_know_a_newer_block_yet():
    assert BlockKit().message_errors([CHART]) == []
    refused = BlockKit(without=frozenset({"data_visualization"})).message_errors([CHART])
    assert refused == ["unsupported type: data_visualization [json-pointer:/blocks/0/type]"]


def test_all_texts_together_have_a_limit():
    assert is_too_long([section("x" * 3000)] * 5)
    assert not is_too_long([section("x" * 3000)] * 4)


def test_a_view_has_a_limit_in_bytes():
    assert is_too_large(a_modal(*[section("ä" * 3000)] * 42))
    assert not is_too_large(a_modal(*[section("a" * 3000)] * 42))


def test_a_suggestion_gives_either_options_or_groups():
    assert option_errors({"options": []}) == []
    assert option_errors({"option_groups": [{"label": plain("Active"), "options": [option()]}]}) == []
    assert option_errors({"options": [option()] * 101}) == [
        "no more than 100 items allowed [json-pointer:/options]"
    ]
    assert option_errors({}) == ["must define either `options` or `option_groups` [json-pointer:]"]


def text_field(**more: Any) -> Json:
    return an_input({"type": "plain_text_input", "action_id": "t", **more})


def test_an_initial_value_counts_as_entered():
    assert Inputs([text_field(initial_value="as before")]).value("b", "t") == "as before"


def test_a_fixed_menu_takes_only_what_it_offers():
    inputs = Inputs([an_input(a_select(2))])
    inputs.enter("b", "s", {"value": "1", "text": plain("forged")})
    assert inputs.value("b", "s") == option(value="1")
    with pytest.raises(Unknown):
        inputs.enter("b", "s", {"value": "7"})


def test_what_was_entered_survives_an_update_of_the_view():
    inputs = Inputs([text_field()])
    inputs.enter("b", "t", "by hand")
    assert inputs.after_update([text_field(initial_value="new default")]).value("b", "t") == "by hand"
    assert inputs.after_update([{**text_field(), "block_id": "other"}]).value("other", "t") is None


@pytest.mark.parametrize(
    ("element", "value", "complaint"),
    [
        pytest.param({"type": "plain_text_input"}, "", "Please complete this required field.", id="empty"),
        pytest.param(
            {"type": "plain_text_input", "min_length": 3},
            "ab",
            "Please use at least 3 characters.",
            id="short",
        ),
        pytest.param(
            {"type": "plain_text_input", "max_length": 1},
            "ab",
            "Please use no more than 1 characters.",
            id="long",
        ),
        pytest.param(
            {"type": "number_input", "is_decimal_allowed": False},
            "x",
            "Please enter a number.",
            id="no number",
        ),
        pytest.param(
            {"type": "number_input", "is_decimal_allowed": False},
            "1.5",
            "Please enter a whole number.",
            id="a fraction",
        ),
        pytest.param(
            {"type": "email_text_input"}, "ana", "Please enter a valid email address.", id="no address"
        ),
        pytest.param({"type": "email_text_input"}, "ana@example.com", None, id="an address"),
    ],
)
def test_slack_itself_looks_at_what_is_entered(element: Json, value: str, complaint: str | None):
    blocks = [an_input({"action_id": "t", **element})]
    inputs = Inputs(blocks)
    inputs.enter("b", "t", value)
    assert inputs.complaints(blocks) == ({"b": complaint} if complaint else {})
