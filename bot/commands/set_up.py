"""`migrate`, `check`, `manifest` and `hook`: what comes before the program runs."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
from pathlib import Path

from bot import settings, slack_cli
from bot.checklist import as_json, in_colour, on_terminal, table
from bot.commands import Add, json_text
from bot.commands.running import serve
from bot.core import utc_now
from bot.preflight import check
from bot.start_up import migrate
from handlers.manifest import manifest


def register(add: Add) -> None:
    add("migrate", _migrate, "bring the database to the current schema")
    add("check", _check, "say what is wrong with the set-up, and what to do").add_argument(
        "--json", action="store_true", help="one JSON document"
    )
    add("manifest", _manifest, "print the Slack app manifest").add_argument(
        "--url", help="https://… of this installation, for HTTP mode; without it Socket Mode"
    )
    hook = add("hook", _hook, "what Slack's CLI calls (see .slack/hooks.json)")
    hook.add_argument("which", choices=slack_cli.HOOKS)
    hook.add_argument("theirs", nargs=argparse.REMAINDER, help="what the CLI adds; not looked at")


def _migrate(_: argparse.Namespace) -> int:
    changed = migrate(settings.load())
    print(
        "The database is at the current schema now." if changed else "Nothing to do: the schema is current."
    )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    logging.getLogger("bot").setLevel(logging.ERROR)  # the table says what went wrong
    found = asyncio.run(check(settings.load(), now=utc_now))
    if arguments.json:
        print(json_text(as_json(found)))
    elif sys.stdout.isatty():
        colour = in_colour(sys.stdout, os.environ)
        print(on_terminal(found, colour=colour, columns=shutil.get_terminal_size().columns))
    else:
        print(table(found))
    return 0 if all(c.ok for c in found) else 1


def _manifest(arguments: argparse.Namespace) -> int:
    print(json_text(manifest(url=arguments.url)))
    return 0


def _hook(arguments: argparse.Namespace) -> int:
    if arguments.which == "get-hooks":
        called = sys.argv[0]
        if Path(called).name == "__main__.py":
            called = f"{sys.executable} -m bot"
        print(json_text(slack_cli.interface(called)))
        return 0
    if arguments.which == "get-manifest":
        print(json_text(manifest(url=None)))
        return 0
    os.environ |= slack_cli.tokens(os.environ)
    return serve(listens=True, works=True)
