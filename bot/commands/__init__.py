"""What `backstop …` can be told to do, a room for each kind of command. No rule of the business is decided here."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bot.core import Core, core
from bot.settings import Settings
from bot.start_up import migrate

Command = Callable[[argparse.Namespace], int]
"""Carries out one command line; the exit code."""
T = TypeVar("T")


class Add(Protocol):
    def __call__(self, name: str, command: Command, words: str) -> argparse.ArgumentParser:
        """Take `name` on the command line; `words` is its help."""


class Room(Protocol):
    def register(self, add: Add) -> None:
        """Name the commands of this room."""


class BadCall(Exception):
    """A command line that cannot be carried out; one line."""


def with_core(given: Settings, work: Callable[[Core], Awaitable[T]]) -> T:
    """Run it with the use cases over an up-to-date database, and close them."""
    migrate(given)

    async def run() -> T:
        made = core(given)
        try:
            await made.backstop.policies.begin(keeps=False)
            return await work(made)
        finally:
            await made.close()

    return asyncio.run(run())


def json_text(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
