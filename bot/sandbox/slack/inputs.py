"""What a person has entered: the state of the input elements of a view or a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# Element type -> (key of its value in the state, key of its initial value in the block).
STATE_KEYS: dict[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "file_input": ("files", "initial_files"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}

_LISTS = frozenset(key for key, _ in STATE_KEYS.values() if key.startswith("selected") and key[-1] == "s") | {
    "files"
}

REQUIRED = "Please complete this required field."


class Unknown(LookupError):
    """There is no such element, or no such option in it."""


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Everything a person can act on, with the block it sits in (containers and cards included)."""
    for block in blocks:
        yield from _elements_in(block, block)


def find(blocks: list[Json], action_id: str, block_id: str | None = None) -> tuple[Json, Json]:
    """Give the block and the element; an action id may stand in several blocks, then the first is meant."""
    for block, element in elements(blocks):
        if element["action_id"] == action_id and block_id in (None, block["block_id"]):
            return block, element
    raise Unknown(
        f"no element {action_id!r} in block {block_id!r}" if block_id else f"no element {action_id!r}"
    )


def offered(element: Json) -> list[Json]:
    """The options an element carries itself, groups flattened."""
    groups = element.get("option_groups") or [element]
    return [option for group in groups for option in group.get("options") or ()]


class Inputs:
    """The values of all inputs: what a person entered, else what the app set initially.

    Slack keeps what was entered when a view is updated, for inputs with the same block id and action id.
    """

    def __init__(self, blocks: list[Json], entered: dict[tuple[str, str], Any] | None = None) -> None:
        self._stateful = {
            (block["block_id"], element["action_id"]): element
            for block, element in elements(blocks)
            if element["type"] in STATE_KEYS
        }
        self._entered = {place: value for place, value in (entered or {}).items() if place in self._stateful}

    def after_update(self, blocks: list[Json]) -> Inputs:
        return Inputs(blocks, self._entered)

    def value(self, block_id: str, action_id: str) -> Any:
        element = self._stateful[block_id, action_id]
        key, initial = STATE_KEYS[element["type"]]
        fallback: list[Json] | None = [] if key in _LISTS else None
        return self._entered.get((block_id, action_id), element.get(initial, fallback))

    def enter(self, block_id: str, action_id: str, value: Any) -> None:
        """Take what the person chose or typed; a fixed menu takes only what it offers."""
        element = self._stateful.get((block_id, action_id))
        if element is None:
            raise Unknown(f"no input {action_id!r} in block {block_id!r}")
        if value is None and STATE_KEYS[element["type"]][0] in _LISTS:
            value = []
        self._entered[block_id, action_id] = _checked(element, value)

    def enter_all(self, values: Json) -> None:
        """Take `state.values` as a client sends them; what is not there stays."""
        for block_id, actions in values.items():
            for action_id, entry in actions.items():
                element = self._stateful.get((block_id, action_id))
                if element is None:
                    raise Unknown(f"no input {action_id!r} in block {block_id!r}")
                value = entry.get(STATE_KEYS[element["type"]][0])
                if value != self.value(block_id, action_id):
                    self.enter(block_id, action_id, value)

    def as_json(self) -> Json:
        """`state.values` in Slack's shape; what is empty is null (an empty list for choices of several)."""
        values: Json = {}
        for (block_id, action_id), element in self._stateful.items():
            key, _ = STATE_KEYS[element["type"]]
            values.setdefault(block_id, {})[action_id] = {
                "type": element["type"],
                key: self.value(block_id, action_id),
            }
        return values

    def complaints(self, blocks: list[Json]) -> dict[str, str]:
        """What Slack itself says before anything is delivered: block id -> error under that field."""
        found: dict[str, str] = {}
        for block in blocks:
            if block["type"] != "input":
                continue
            value = self.value(block["block_id"], block["element"]["action_id"])
            complaint = _complaint(block["element"], value, optional=bool(block.get("optional")))
            if complaint:
                found[block["block_id"]] = complaint
        return found


def _elements_in(node: Any, block: Json) -> Iterator[tuple[Json, Json]]:
    if isinstance(node, list):
        for item in node:
            yield from _elements_in(item, block)
    elif isinstance(node, dict):
        if "block_id" in node:
            block = node
        if "action_id" in node:
            yield block, node
            return
        for item in node.values():
            if isinstance(item, dict | list):
                yield from _elements_in(item, block)


def _checked(element: Json, value: Any) -> Any:
    if "options" not in element and "option_groups" not in element:
        return value if value != "" else None
    if isinstance(value, list):
        return [_own_option(element, option) for option in value]
    return None if value is None else _own_option(element, value)


def _own_option(element: Json, chosen: Json) -> Json:
    """The element's own copy of the option: whoever acts only says which one."""
    for option in offered(element):
        if isinstance(chosen, dict) and option["value"] == chosen.get("value"):
            return option
    raise Unknown(f"{element['action_id']!r} offers no such option")


def _complaint(element: Json, value: Any, *, optional: bool) -> str | None:
    if value is None or value == []:
        return None if optional else REQUIRED
    kind = element["type"]
    if kind == "plain_text_input":
        return _length_complaint(element, value)
    if kind == "number_input":
        return _number_complaint(element, value)
    if kind == "email_text_input" and ("@" not in value.strip("@") or " " in value):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not value.startswith(("http://", "https://")):
        return "Please enter a valid URL."
    return None


def _length_complaint(element: Json, value: str) -> str | None:
    if len(value) < element.get("min_length", 0):
        return f"Please use at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Please use no more than {element.get('max_length', 3000)} characters."
    return None


def _number_complaint(element: Json, value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "Please enter a number."
    if not element["is_decimal_allowed"] and not number.is_integer():
        return "Please enter a whole number."
    if "min_value" in element and number < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and number > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return None
