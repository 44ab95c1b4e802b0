"""The small vocabulary in which Slack's rules for JSON are written down, and their complaints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

Rule = Callable[[Any, str, "Findings"], None]


class Findings:
    """What is wrong with one document, in Slack's words, each with the JSON pointer to the place."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def add(self, message: str, pointer: str) -> None:
        self.errors.append(f"{message} [json-pointer:{pointer}]")


def anything(_value: Any, _pointer: str, _findings: Findings) -> None:
    """Accept any value: a part of a document that is not looked into."""


def boolean(value: Any, pointer: str, findings: Findings) -> None:
    if not isinstance(value, bool):
        findings.add("must provide a boolean", pointer)


def integer(at_least: int, at_most: int) -> Rule:
    def check(value: Any, pointer: str, findings: Findings) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            findings.add("must provide an integer", pointer)
        elif value < at_least:
            findings.add(f"must be at least {at_least}", pointer)
        elif value > at_most:
            findings.add(f"must be at most {at_most}", pointer)

    return check


def string(at_most: int, *, at_least: int = 0) -> Rule:
    def check(value: Any, pointer: str, findings: Findings) -> None:
        if not isinstance(value, str):
            findings.add("must provide a string", pointer)
        elif len(value) < at_least:
            findings.add(f"must be more than {at_least - 1} characters", pointer)
        elif len(value) > at_most:
            findings.add(f"must be less than {at_most + 1} characters", pointer)

    return check


def enum(*allowed: str) -> Rule:
    def check(value: Any, pointer: str, findings: Findings) -> None:
        if value not in allowed:
            findings.add("must be a valid enum value", pointer)

    return check


def array(at_most: int, rule: Rule, *, at_least: int = 1) -> Rule:
    def check(value: Any, pointer: str, findings: Findings) -> None:
        if not isinstance(value, list):
            findings.add("must provide an array", pointer)
            return
        if len(value) < at_least:
            findings.add(f"no less than {at_least} items allowed", pointer)
        if len(value) > at_most:
            findings.add(f"no more than {at_most} items allowed", pointer)
            return
        for index, item in enumerate(value):
            rule(item, f"{pointer}/{index}", findings)

    return check


def shape(required: Mapping[str, Rule], optional: Mapping[str, Rule], *, also: Rule = anything) -> Rule:
    """An object with these keys and no others; `also` looks at what only shows between them."""
    rules = {**required, **optional}

    def check(value: Any, pointer: str, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.add("must provide an object", pointer)
            return
        for key in required:
            if value.get(key) is None:
                findings.add(f"missing required field: {key}", pointer)
        for key, item in value.items():
            rule = rules.get(key)
            if rule is None:
                findings.add(f"invalid additional property: {key}", pointer)
            elif item is not None:
                rule(item, f"{pointer}/{key}", findings)
        also(value, pointer, findings)

    return check


def typed(kinds: Mapping[str, Rule], *, only: Collection[str] | None = None) -> Rule:
    """An object whose `type` chooses the rule; `only` narrows what may stand in this place."""

    def check(value: Any, pointer: str, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.add("must provide an object", pointer)
            return
        kind = value.get("type")
        if kind is None:
            findings.add("missing required field: type", pointer)
        elif kind not in kinds or (only is not None and kind not in only):
            findings.add(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            kinds[kind](value, pointer, findings)

    return check


def text(at_most: int, *, plain: bool = False, at_least: int = 1) -> Rule:
    """A text object; `plain` where Slack refuses mrkdwn."""
    length = string(at_most, at_least=at_least)
    kinds = {"plain_text": shape({"type": anything, "text": length}, {"emoji": boolean})}
    if not plain:
        kinds["mrkdwn"] = shape({"type": anything, "text": length}, {"verbatim": boolean})
    return typed(kinds)


def one_of(*keys: str) -> Rule:
    """Exactly one of these keys."""
    names = " or ".join(f"`{key}`" for key in keys)

    def check(value: Any, pointer: str, findings: Findings) -> None:
        given = sum(value.get(key) is not None for key in keys)
        if given == 0:
            findings.add(f"must define either {names}", pointer)
        elif given > 1:
            findings.add(f"must define only one of {names}", pointer)

    return check


def any_of(*keys: str) -> Rule:
    """At least one of these keys."""
    names = " or ".join(f"`{key}`" for key in keys)

    def check(value: Any, pointer: str, findings: Findings) -> None:
        if all(value.get(key) is None for key in keys):
            findings.add(f"must define either {names}", pointer)

    return check
