"""The README and its pages tell the truth: every setting, every command, and commands that work as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import handlers
from bot.__main__ import parser, rooms_for
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
README = PAGES[0].read_text("utf-8")
ALL = "\n".join(page.read_text("utf-8") for page in PAGES)


def section(title: str) -> str:
    """The text below a heading, up to the next one of its kind or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", ALL, re.DOTALL | re.MULTILINE)
    assert found, f"no page has a section {title!r}"
    return found[2]


def rows(title: str) -> dict[str, list[str]]:
    """The table of a section by its first cell."""
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` |"): row[1:] for row in cells}


def test_every_setting_is_in_the_table_and_nothing_else():
    assert set(rows("Settings")) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("name", "default"),
    [
        (name, field.default)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, str | int) and not isinstance(field.default, bool)
    ],
)
def test_the_table_states_the_default(name: str, default: str | int):
    assert str(default) in rows("Settings")[name.upper()][-1]


def subcommands() -> set[str]:
    actions = parser(rooms_for(()))._subparsers
    assert actions is not None
    return {name for action in actions._group_actions for name in action.choices or ()}


def test_every_command_is_in_the_table_and_nothing_else():
    told = set(re.findall(r"`backstop (\w+)", section("Commands")))
    assert told == subcommands()


def test_every_slash_command_is_told():
    for command in handlers.commands():
        for usage in (usage for usage, _ in command.subcommands or ((command.usage, ""),)):
            assert f"`{command.name} {usage}" in ALL or f"`{command.name} [" in ALL


def test_a_newcomer_needs_one_command_to_see_it_and_one_to_test_it():
    demo = [line for line in section("Try it").splitlines() if line.startswith("    ")]
    tests = [line for line in section("Run the tests").splitlines() if line.startswith("    python3")]
    assert len(demo) == 1
    assert demo[0].endswith(".venv/bin/backstop demo")
    assert len(tests) == 1
    assert tests[0].endswith(".venv/bin/pytest -n 3 --dist loadfile")


def test_every_picture_is_there():
    for page in PAGES:
        for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text("utf-8")):
            assert (page.parent / path).is_file(), path


def test_every_link_leads_to_a_page_and_a_heading_of_it():
    for page in PAGES:
        for path, heading in re.findall(
            r"[^!]\[[^]]+\]\(([\w./-]+\.md)?(?:#([\w-]+))?\)", page.read_text("utf-8")
        ):
            there = page.parent / path if path else page
            titles = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert not heading or heading in [title.lower().replace(" ", "-") for title in titles], heading


def test_the_commands_of_the_pages_are_installed():
    assert 'backstop = "bot.__main__:main"' in (ROOT / "pyproject.toml").read_text("utf-8")
    for name in re.findall(r"python -m (tests\.[\w.]+)", ALL):
        assert (ROOT / (name.replace(".", "/") + ".py")).is_file(), name


def test_every_test_that_the_security_page_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", section("What is tested"))
    assert named
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert f"def {name}(" in (ROOT / path).read_text("utf-8") or not name, f"{path}::{name}"
