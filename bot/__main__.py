"""`backstop …`: parse the command line, hand over, and turn what went wrong into one line."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

gc.disable()  # nothing of what is imported is garbage, and looking for it takes a sixth of the time

from bot import logs, settings, slack_cli
from bot.commands import BadCall, Command, Room, running
from bot.domain.errors import BackstopError
from bot.policy_file import BadPolicy
from bot.settings import BadSettings
from bot.start_up import StartFailed
from bot.texts import in_language
from handlers.views import errors

gc.freeze()  # else all of it is looked through at once
gc.enable()


def main(argv: Sequence[str] | None = None) -> None:
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Carry out one command line; the exit code. Bad input is 2, with one line on stderr."""
    arguments = parser(rooms_for(argv)).parse_args(argv)
    logs.set_up(sys.stderr, form=settings.log_form(), verbose=arguments.verbose)
    code = _carried_out(arguments)
    try:
        print(end="", flush=True)  # at its exit Python would tell of what is left with a traceback
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has seen enough
            return code or 141
        if not code:
            print(f"backstop: the output cannot be written ({error.strerror})", file=sys.stderr)
        return code or 2
    return code


def _carried_out(arguments: argparse.Namespace) -> int:
    command: Command = arguments.command
    try:
        return command(arguments)
    except (BadSettings, BadPolicy, StartFailed, BadCall, slack_cli.NotBySlack) as error:
        print(f"backstop: {error}", file=sys.stderr)
    except BackstopError as error:
        print(f"backstop: {errors.plain_words(error, in_language('en'))}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    return 2


def rooms_for(argv: Sequence[str]) -> Sequence[Room]:
    """The rooms of the commands, in the order of the help.

    To the program itself its own is enough: the sandboxes and the reports of the others are a tenth of its start.
    """
    if argv and argv[0] in running.NAMES:
        return (running,)
    from bot.commands import audit, customers, demo, digests, policy, receivables, set_up

    return (demo, running, set_up, customers, receivables, digests, policy, audit)


def parser(rooms: Iterable[Room]) -> argparse.ArgumentParser:
    top = OneLineParser(prog="backstop", description="The Slack bot for non-payment, fraud and misuse.")
    top.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    commands = top.add_subparsers(dest="name", required=True, metavar="COMMAND", parser_class=OneLineParser)

    def add(name: str, command: Command, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(command=command)
        return made

    for room in rooms:
        room.register(add)
    return top


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """One line, and where to read on."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


if __name__ == "__main__":
    main()
