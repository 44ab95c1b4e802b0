"""Slack's rules for blocks, messages and views, with its own complaints.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from bot.sandbox.slack.shapes import (
    Findings,
    Rule,
    any_of,
    anything,
    array,
    boolean,
    enum,
    integer,
    one_of,
    shape,
    string,
    text,
    typed,
)

Json = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
BLOCKS_TEXT = 13_200  # measured: all blocks of a message together fail near this many characters
MARKDOWN_TEXT = 12_000
VIEW_BYTES = 250_000
CHARTS_PER_MESSAGE = 2

_id = string(255, at_least=1)
_style = enum("primary", "danger")
_placeholder = text(150, plain=True)
_date = string(10, at_least=10)
_confirm = shape(
    {"title": text(100, plain=True), "text": text(300), "confirm": text(30, plain=True)},
    {"deny": text(30, plain=True), "style": _style},
)
_dispatch = shape({}, {"trigger_actions_on": array(2, enum("on_enter_pressed", "on_character_entered"))})


def _option(*, plain: bool) -> Rule:
    label = text(75, plain=plain)
    return shape(
        {"text": label, "value": string(150, at_least=1)},
        {"description": label, "url": string(3000)},
    )


_plain_option = _option(plain=True)
_rich_option = _option(plain=False)
_options = array(100, _plain_option)
_option_groups = array(100, shape({"label": text(75, plain=True), "options": _options}, {}))
# An answer to a suggestion request may be empty: nothing was found.
_answer = shape(
    {},
    {
        "options": array(100, _plain_option, at_least=0),
        "option_groups": array(
            100,
            shape({"label": text(75, plain=True), "options": array(100, _plain_option, at_least=0)}, {}),
            at_least=0,
        ),
    },
    also=one_of("options", "option_groups"),
)


def _element(required: dict[str, Rule], optional: dict[str, Rule], *, also: Rule = anything) -> Rule:
    return shape({"type": anything, **required}, {"action_id": _id, **optional}, also=also)


def _menu(required: dict[str, Rule], optional: dict[str, Rule], *, also: Rule = anything) -> Rule:
    common: dict[str, Rule] = {"placeholder": _placeholder, "confirm": _confirm, "focus_on_load": boolean}
    return _element(required, {**common, **optional}, also=also)


def _initial_among_options(value: Json, pointer: str, findings: Findings) -> None:
    groups = value.get("option_groups") or [{"options": value.get("options") or []}]
    try:
        offered = {option["value"] for group in groups for option in group["options"]}
        chosen = value.get("initial_options") or [value["initial_option"]] if _has_initial(value) else []
        for option in chosen:
            if option["value"] not in offered:
                findings.add("initial option must be one of the options", pointer)
    except (KeyError, TypeError):
        return  # malformed options have been complained about already


def _has_initial(value: Json) -> bool:
    return value.get("initial_options") is not None or value.get("initial_option") is not None


def _static_menu(value: Json, pointer: str, findings: Findings) -> None:
    one_of("options", "option_groups")(value, pointer, findings)
    _initial_among_options(value, pointer, findings)


_static = {"options": _options, "option_groups": _option_groups}
_external: dict[str, Rule] = {"min_query_length": integer(0, 100)}
_many: dict[str, Rule] = {"max_selected_items": integer(1, 100)}
_filter = {
    "filter": shape(
        {},
        {
            "include": array(4, enum("im", "mpim", "private", "public")),
            "exclude_external_shared_channels": boolean,
            "exclude_bot_users": boolean,
        },
    )
}
_typed_in: dict[str, Rule] = {
    "placeholder": _placeholder,
    "dispatch_action_config": _dispatch,
    "focus_on_load": boolean,
}
_image_source = one_of("image_url", "slack_file")
_image_fields: dict[str, Rule] = {
    "image_url": string(3000, at_least=1),
    "slack_file": shape({}, {"id": string(255), "url": string(3000)}, also=one_of("id", "url")),
}
_image = shape({"type": anything, "alt_text": string(2000, at_least=1)}, _image_fields, also=_image_source)

ELEMENTS: dict[str, Rule] = {
    "button": _element(
        {"text": text(75, plain=True)},
        {
            "value": string(2000),
            "url": string(3000),
            "style": _style,
            "confirm": _confirm,
            "accessibility_label": string(75),
        },
    ),
    "overflow": _element({"options": array(5, _plain_option)}, {"confirm": _confirm}),
    "static_select": _menu({}, {**_static, "initial_option": _plain_option}, also=_static_menu),
    "multi_static_select": _menu({}, {**_static, **_many, "initial_options": _options}, also=_static_menu),
    "external_select": _menu({}, {**_external, "initial_option": _plain_option}),
    "multi_external_select": _menu({}, {**_external, **_many, "initial_options": _options}),
    "users_select": _menu({}, {"initial_user": _id}),
    "multi_users_select": _menu({}, {**_many, "initial_users": array(100, _id)}),
    "conversations_select": _menu(
        {},
        {
            **_filter,
            "initial_conversation": _id,
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
        },
    ),
    "multi_conversations_select": _menu(
        {},
        {
            **_filter,
            **_many,
            "initial_conversations": array(100, _id),
            "default_to_current_conversation": boolean,
        },
    ),
    "channels_select": _menu({}, {"initial_channel": _id, "response_url_enabled": boolean}),
    "multi_channels_select": _menu({}, {**_many, "initial_channels": array(100, _id)}),
    "radio_buttons": _element(
        {"options": array(10, _rich_option)},
        {"initial_option": _rich_option, "confirm": _confirm, "focus_on_load": boolean},
        also=_initial_among_options,
    ),
    "checkboxes": _element(
        {"options": array(10, _rich_option)},
        {"initial_options": array(10, _rich_option), "confirm": _confirm, "focus_on_load": boolean},
        also=_initial_among_options,
    ),
    "datepicker": _menu({}, {"initial_date": _date}),
    "timepicker": _menu({}, {"initial_time": string(5, at_least=5), "timezone": string(255)}),
    "datetimepicker": _element(
        {},
        {
            "initial_date_time": integer(1_000_000_000, 9_999_999_999),
            "confirm": _confirm,
            "focus_on_load": boolean,
        },
    ),
    "plain_text_input": _element(
        {},
        {
            **_typed_in,
            "initial_value": string(3000),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
        },
    ),
    "email_text_input": _element({}, {**_typed_in, "initial_value": string(3000)}),
    "url_text_input": _element({}, {**_typed_in, "initial_value": string(3000)}),
    "number_input": _element(
        {"is_decimal_allowed": boolean},
        {**_typed_in, "initial_value": string(64), "min_value": string(64), "max_value": string(64)},
    ),
    "rich_text_input": _element({}, {**_typed_in, "initial_value": anything}),
    "file_input": _element({}, {"filetypes": array(100, string(64)), "max_files": integer(1, 10)}),
    "feedback_buttons": _element({"positive_button": anything, "negative_button": anything}, {}),
    "icon_button": _element(
        {"icon": string(255), "text": text(75, plain=True)},
        {
            "value": string(2000),
            "confirm": _confirm,
            "accessibility_label": string(75),
            "visible_to_user_ids": array(100, _id),
        },
    ),
    "workflow_button": _element(
        {"text": text(75, plain=True), "workflow": anything},
        {"style": _style, "accessibility_label": string(75)},
    ),
    "image": _image,
}

_TYPED_IN = {
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
    "rich_text_input",
    "file_input",
}
_FEEDBACK = {"feedback_buttons", "icon_button"}
_MENUS = ELEMENTS.keys() - _TYPED_IN - _FEEDBACK - {"image"}
_in_actions = typed(ELEMENTS, only=_MENUS | {"rich_text_input"})
_as_accessory = typed(ELEMENTS, only=_MENUS - {"datetimepicker"} | {"image"})
_in_input = typed(ELEMENTS, only=(_MENUS | _TYPED_IN) - {"button", "overflow", "workflow_button"})
_in_context = typed({"image": _image, "plain_text": text(3000), "mrkdwn": text(3000)})
_cell = typed(
    {
        "raw_text": shape({"type": anything, "text": string(3000)}, {}),
        "raw_number": shape({"type": anything}, {"value": anything, "text": anything}),
        "rich_text": shape({"type": anything, "elements": anything}, {"block_id": _id}),
        "mrkdwn": text(3000),
        "plain_text": text(3000),
    }
)


def _block(required: dict[str, Rule], optional: dict[str, Rule], *, also: Rule = anything) -> Rule:
    return shape({"type": anything, **required}, {"block_id": string(255), **optional}, also=also)


def _open_block(required: dict[str, Rule], known: dict[str, Rule]) -> Rule:
    """A block whose other fields still grow: what is known is checked, the rest let through."""

    def check(value: Any, pointer: str, findings: Findings) -> None:
        rules: dict[str, Rule] = {"block_id": string(255), **required, **known}
        for key in required:
            if value.get(key) is None:
                findings.add(f"missing required field: {key}", pointer)
        for key, rule in rules.items():
            if value.get(key) is not None:
                rule(value[key], f"{pointer}/{key}", findings)

    return check


def _any_block(value: Any, pointer: str, findings: Findings) -> None:
    typed(BLOCKS, only=BLOCKS.keys() - {"input", "container"})(value, pointer, findings)


_table_columns: dict[str, Rule] = {"column_settings": array(20, anything, at_least=0)}

BLOCKS: dict[str, Rule] = {
    "section": _block(
        {},
        {
            "text": text(3000),
            "fields": array(10, text(2000)),
            "accessory": _as_accessory,
            "expand": boolean,
        },
        also=any_of("text", "fields"),
    ),
    "divider": _block({}, {}),
    "header": _block({"text": text(150, plain=True)}, {}),
    "context": _block({"elements": array(10, _in_context)}, {}),
    "actions": _block({"elements": array(25, _in_actions)}, {}),
    "input": _block(
        {"label": text(2000, plain=True), "element": _in_input},
        {"hint": text(2000, plain=True), "optional": boolean, "dispatch_action": boolean},
    ),
    "image": _block(
        {"alt_text": string(2000, at_least=1)},
        {**_image_fields, "title": text(2000, plain=True)},
        also=_image_source,
    ),
    "markdown": _block({"text": string(MARKDOWN_TEXT, at_least=1)}, {}),
    "rich_text": _block({"elements": array(1000, anything, at_least=0)}, {}),
    "table": _block({"rows": array(100, array(20, _cell))}, _table_columns),
    "video": _open_block(
        {"alt_text": string(2000), "title": text(199, plain=True), "video_url": string(3000)}, {}
    ),
    "alert": _open_block(
        {"text": anything}, {"level": enum("default", "info", "warning", "error", "success")}
    ),
    "card": _open_block({}, {"title": text(150), "subtitle": text(150), "body": text(200)}),
    "carousel": _open_block({"elements": array(10, typed({"card": _open_block({}, {})}))}, {}),
    "container": _open_block(
        {"child_blocks": array(10, _any_block)}, {"title": text(150, plain=True), "subtitle": text(150)}
    ),
    "context_actions": _block({"elements": array(5, typed(ELEMENTS, only=_FEEDBACK))}, {}),
    "task_card": _open_block({"task_id": string(255), "title": anything, "status": anything}, {}),
    "plan": _open_block({"title": anything}, {"tasks": array(50, anything, at_least=0)}),
    "data_table": _open_block({}, {}),
    "data_visualization": _open_block({"title": string(50), "chart": anything}, {}),
}

_ON_MODALS_ONLY = {"alert"}
_ON_MESSAGES_ONLY = {
    "table",
    "data_table",
    "data_visualization",
    "markdown",
    "task_card",
    "plan",
    "context_actions",
}

_view = {
    "modal": shape(
        {"type": anything, "title": text(24, plain=True), "blocks": anything},
        {
            "close": text(24, plain=True),
            "submit": text(24, plain=True),
            "private_metadata": string(3000),
            "callback_id": string(255),
            "external_id": string(255),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": shape(
        {"type": anything, "blocks": anything},
        {
            "private_metadata": string(3000),
            "callback_id": string(255),
            "external_id": string(255),
            # Accepted and ignored by Slack: they belong to modals.
            "title": anything,
            "submit": anything,
            "close": anything,
            "clear_on_close": boolean,
            "notify_on_close": boolean,
        },
    ),
}


class BlockKit:
    """Checks what an app wants to show; `without` names block types this workspace does not know yet."""

    def __init__(self, *, without: frozenset[str] = frozenset()) -> None:
        on_messages = BLOCKS.keys() - _ON_MODALS_ONLY - without
        on_modals = BLOCKS.keys() - _ON_MESSAGES_ONLY - without
        self._surfaces = {
            "message": array(MESSAGE_BLOCKS, typed(BLOCKS, only=on_messages), at_least=0),
            "modal": array(VIEW_BLOCKS, typed(BLOCKS, only=on_modals), at_least=0),
            "home": array(VIEW_BLOCKS, typed(BLOCKS, only=on_modals - _ON_MODALS_ONLY), at_least=0),
        }

    def message_errors(self, blocks: Any) -> list[str]:
        """Say what is wrong with a message's blocks; an empty list when nothing is."""
        findings = Findings()
        self._surfaces["message"](blocks, "/blocks", findings)
        if not findings.errors:
            _check_ids(blocks, "/blocks", findings)
            _check_totals(blocks, findings)
        return findings.errors

    def view_errors(self, view: Any, *, kinds: tuple[str, ...] = ("modal",)) -> list[str]:
        """Say what is wrong with a view; an empty list when nothing is."""
        findings = Findings()
        typed(_view, only=kinds)(view, "/view", findings)
        if findings.errors:
            return findings.errors
        self._surfaces[view["type"]](view["blocks"], "/view/blocks", findings)
        if not findings.errors:
            _check_ids(view["blocks"], "/view/blocks", findings)
        has_inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in view["blocks"])
        if view["type"] == "modal" and has_inputs and view.get("submit") is None:
            findings.add("`submit` is required when an input block is in the `blocks` array", "/view")
        return findings.errors


def option_errors(answer: Any) -> list[str]:
    """Say what is wrong with an answer to `block_suggestion`."""
    findings = Findings()
    _answer(answer, "", findings)
    return findings.errors


def is_too_long(blocks: list[Json]) -> bool:
    """Whether all texts of a message's blocks together are more than Slack takes (`msg_blocks_too_long`)."""
    return sum(len(words) for words in _texts(blocks)) > BLOCKS_TEXT


def is_too_large(view: Json) -> bool:
    """Whether a view is more than Slack takes (`view_too_large`)."""
    return len(json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()) > VIEW_BYTES


def completed(blocks: list[Json]) -> list[Json]:
    """Fill in what Slack fills in: ids that were left out, `emoji` and `verbatim` of texts."""
    for block in blocks:
        block["block_id"] = block.get("block_id") or secrets.token_urlsafe(4)[:5]
        _complete(block)
    return blocks


def _complete(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _complete(item)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if kind == "plain_text":
        node.setdefault("emoji", True)
    elif kind == "mrkdwn":
        node.setdefault("verbatim", False)
    elif kind in ELEMENTS and kind != "image":
        node["action_id"] = node.get("action_id") or secrets.token_urlsafe(4)[:5]
    for item in node.values():
        if isinstance(item, dict | list):
            _complete(item)


def _check_ids(blocks: list[Json], pointer: str, findings: Findings) -> None:
    """Block ids are unique in a message or view, action ids within their block."""
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = block.get("block_id")
        if block_id and block_id in seen:
            findings.add("block_id must be unique", f"{pointer}/{index}/block_id")
        seen.add(block_id or "")
        action_ids = [
            e["action_id"] for e in block.get("elements", ()) if isinstance(e, dict) and e.get("action_id")
        ]
        if len(action_ids) != len(set(action_ids)):
            findings.add("action_id must be unique within the block", f"{pointer}/{index}/elements")


def _check_totals(blocks: list[Json], findings: Findings) -> None:
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN_TEXT:
        findings.add(f"markdown blocks must be less than {MARKDOWN_TEXT + 1} characters in all", "/blocks")
    if sum(block["type"] == "data_visualization" for block in blocks) > CHARTS_PER_MESSAGE:
        findings.add(f"no more than {CHARTS_PER_MESSAGE} data_visualization blocks allowed", "/blocks")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key == "text" and isinstance(item, str):
                yield item
            elif isinstance(item, dict | list):
                yield from _texts(item)
