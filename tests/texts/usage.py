"""Which keys the code asks the texts for, read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = ROOT / "bot" / "sandbox"
"""The sandbox stands in for others and has words of its own."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One call for words; `key` is whole, or what is known of it where the rest is a fact."""

    key: str
    is_whole: bool
    counts: bool
    facts: frozenset[str] | None
    """The names of the facts given; None where they cannot be read from the call."""
    where: str


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    files = sorted(
        file
        for package in ("bot", "handlers")
        for file in (ROOT / package).rglob("*.py")
        if ELSEWHERE not in file.parents
    )
    return tuple((str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))) for file in files)


def strings() -> set[str]:
    """Every whole string, wherever it stands: keys are kept in variables and tables too."""
    return {
        node.value
        for _, module in modules()
        for node in _outside_f_strings(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def lookups() -> list[Lookup]:
    """Every call of the texts whose key can be read, at least in part."""
    return [
        lookup
        for path, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and node.args and (how := _how(node.func)) is not None
        for lookup in _read(node, counts=how == "count", where=f"{path}:{node.lineno}")
    ]


def arguments(name: str, at: int) -> set[str]:
    """The strings that `name(…)` is called with in that place; an f-string counts with its opening and `*`."""
    given = (
        node.args[at]
        for _, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == name
        and len(node.args) > at
    )
    return {key if whole else f"{key}*" for argument in given for key, whole in _keys(argument)}


def _how(function: ast.expr) -> str | None:
    """Whether this is `texts(…)`, `texts.mrkdwn(…)` or `texts.count(…)`, whoever holds the texts."""
    if isinstance(function, ast.Attribute) and function.attr in ("mrkdwn", "count"):
        return function.attr if _is_texts(function.value) else None
    return "call" if _is_texts(function) else None


def _is_texts(node: ast.expr) -> bool:
    match node:
        case ast.Name(id="texts") | ast.Attribute(attr="texts"):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in ("texts_for", "for_locale", "in_language")
        case _:
            return False


def _read(call: ast.Call, *, counts: bool, where: str) -> Iterator[Lookup]:
    names = [keyword.arg for keyword in call.keywords]
    known = frozenset(name for name in names if name is not None)
    facts = None if None in names else known | ({"n"} if counts else set())
    for key, whole in _keys(call.args[0]):
        yield Lookup(key, whole, counts, facts, where)


def _keys(node: ast.expr) -> Iterator[tuple[str, bool]]:
    """What the expression can be, each whole or its opening; nothing for what only running would tell."""
    match node:
        case ast.Constant(value=str(key)):
            yield key, True
        case ast.IfExp(body=one, orelse=other):
            yield from _keys(one)
            yield from _keys(other)
        case ast.JoinedStr():
            yield _opening(node), False
        case _:
            return


def _opening(node: ast.AST) -> str:
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(opening)), *_]):
            return opening
        case _:
            return ""


def _outside_f_strings(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but the fixed parts of f-strings, which are no keys by themselves."""
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant):
            continue
        yield child
        yield from _outside_f_strings(child)
