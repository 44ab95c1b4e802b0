"""Slack's Block Kit as small functions that keep its limits (docs.slack.dev/reference/block-kit)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.texts import Mrkdwn, escaped

Block = dict[str, Any]
View = dict[str, Any]
Option = dict[str, Any]

SECTION, HEADER, FIELD, BUTTON, OPTION, TITLE, CONFIRM, NOTE = 3000, 150, 2000, 75, 75, 24, 300, 1000
MOST_FIELDS, MOST_OPTIONS, MOST_BLOCKS = 10, 100, 50

__all__ = ["Block", "Mrkdwn", "Option", "View", "escaped"]


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def harmless(text: str) -> str:
    """Outside text on one line, without control characters and direction overrides."""
    kept = (c if c.isprintable() and unicodedata.bidirectional(c) not in _OVERRIDES else " " for c in text)
    return " ".join("".join(kept).split())


_OVERRIDES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, limit) or " ", "emoji": False}


def mrkdwn(text: str, limit: int = SECTION) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": shortened(text, limit) or " ", "verbatim": True}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str, *, accessory: Block | None = None, block_id: str | None = None) -> Block:
    block: Block = {"type": "section", "text": mrkdwn(text)}
    if accessory:
        block["accessory"] = accessory
    if block_id:
        block["block_id"] = block_id
    return block


def fields(rows: Sequence[tuple[str, str]]) -> Block:
    """Label over value, two columns; labels are ours, values are mrkdwn."""
    return columns(*(f"*{label}*\n{value}" for label, value in rows))


def verbatim(text: str) -> Block:
    """Plain text exactly as it is, line by line; at most as much as a section holds."""
    return {"type": "section", "text": plain(text, SECTION)}


def columns(*texts: str, accessory: Block | None = None) -> Block:
    """Mrkdwn in two columns, row by row; one on a narrow screen."""
    block: Block = {"type": "section", "fields": [mrkdwn(text, FIELD) for text in texts[:MOST_FIELDS]]}
    if accessory:
        block["accessory"] = accessory
    return block


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text, SECTION) for text in texts[:10]]}


def divider() -> Block:
    return {"type": "divider"}


def actions(*elements: Block, block_id: str | None = None) -> Block:
    block: Block = {"type": "actions", "elements": list(elements)}
    if block_id:
        block["block_id"] = block_id
    return block


def button(
    text: str,
    action_id: str,
    value: str = "",
    *,
    style: str | None = None,
    confirm: Block | None = None,
    label: str | None = None,
) -> Block:
    """`label` is what a screen reader says where the text alone would be ambiguous."""
    made: Block = {"type": "button", "text": plain(text, BUTTON), "action_id": action_id}
    if value:
        made["value"] = value
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    if label:
        made["accessibility_label"] = shortened(label, BUTTON)
    return made


def confirm_dialog(title: str, text: str, yes: str, no: str, *, danger: bool = False) -> Block:
    made: Block = {
        "title": plain(title, 100),
        "text": plain(text, CONFIRM),
        "confirm": plain(yes, 30),
        "deny": plain(no, 30),
    }
    if danger:
        made["style"] = "danger"
    return made


def option(text: str, value: str, description: str = "") -> Option:
    made: Option = {"text": plain(text, OPTION), "value": value}
    if description:
        made["description"] = plain(description, OPTION)
    return made


def external_select(
    action_id: str, placeholder: str, *, chosen: Option | None = None, focus: bool = False
) -> Block:
    made: Block = {
        "type": "external_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "min_query_length": 0,
    }
    if chosen:
        made["initial_option"] = chosen
    if focus:
        made["focus_on_load"] = True
    return made


def static_select(
    action_id: str, placeholder: str, options: Iterable[Option], *, chosen: Option | None = None
) -> Block:
    made: Block = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "options": list(options)[:MOST_OPTIONS],
    }
    if chosen:
        made["initial_option"] = chosen
    return made


def radio_buttons(action_id: str, options: Iterable[Option], *, chosen: Option | None = None) -> Block:
    made: Block = {"type": "radio_buttons", "action_id": action_id, "options": list(options)}
    if chosen:
        made["initial_option"] = chosen
    return made


def checkboxes(action_id: str, options: Iterable[Option], *, ticked: Sequence[Option] = ()) -> Block:
    made: Block = {"type": "checkboxes", "action_id": action_id, "options": list(options)}
    if ticked:
        made["initial_options"] = list(ticked)
    return made


def text_input(
    action_id: str, *, multiline: bool = True, least: int = 0, most: int = NOTE, initial: str = ""
) -> Block:
    made: Block = {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": multiline,
        "max_length": most,
    }
    if least:
        made["min_length"] = least
    if initial:
        made["initial_value"] = shortened(initial, most)
    return made


def input_block(
    label: str,
    element: Block,
    block_id: str,
    *,
    optional: bool = False,
    hint: str = "",
    tells_at_once: bool = False,
) -> Block:
    """`tells_at_once`: Slack reports a choice when it is made, not only on submit."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": element,
        "optional": optional,
    }
    if hint:
        block["hint"] = plain(hint, 2000)
    if tells_at_once:
        block["dispatch_action"] = True
    return block


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    close: str,
    callback_id: str = "",
    submit: str | None = None,
    private_metadata: str = "",
    external_id: str = "",
) -> View:
    view: View = {
        "type": "modal",
        "title": plain(title, TITLE),
        "close": plain(close, TITLE),
        "blocks": list(blocks)[:100],
    }
    if callback_id:
        view["callback_id"] = callback_id
    if submit:
        view["submit"] = plain(submit, TITLE)
    if private_metadata:
        view["private_metadata"] = private_metadata
    if external_id:
        view["external_id"] = external_id
    return view


def person(user_id: str) -> Mrkdwn:
    return Mrkdwn(f"<@{escaped(user_id)}>")


def channel(channel_id: str) -> Mrkdwn:
    return Mrkdwn(f"<#{escaped(channel_id)}>")


def moment(at: datetime, *, seconds: bool = False) -> Mrkdwn:
    """A moment in the reader's own zone and language, with its seconds where less than a minute counts."""
    fallback = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")
    time = "{time_secs}" if seconds else "{time}"
    return Mrkdwn(f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {time}|{fallback}>")


def name(outside: str, limit: int = 80) -> Mrkdwn:
    """A customer's or a product's name in mrkdwn: harmless, short, and bold only through our own marks.

    Characters that mrkdwn takes as marks get a zero-width word joiner beside them, so that they stay what they are.
    """
    safe = escaped(shortened(harmless(outside), limit))
    return Mrkdwn("".join(f"\u2060{c}\u2060" if c in "*_~`" else c for c in safe))


def bare_name(outside: str, limit: int = 80) -> Mrkdwn:
    """The same for a text that stands in no block, where Slack itself makes links of addresses.

    A word joiner behind each mark that an address, a mention or an emoji needs keeps it text.
    """
    return Mrkdwn("".join(f"{c}\u2060" if c in ":/.@#" else c for c in name(outside, limit)))


def reply(text: str, blocks: Sequence[Block] | None = None) -> dict[str, Any]:
    """A message only the person sees; `text` is what notifications and screen readers say."""
    return {
        "response_type": "ephemeral",
        "replace_original": False,
        "text": text,
        "blocks": list(blocks) if blocks else [section(text)],
    }
