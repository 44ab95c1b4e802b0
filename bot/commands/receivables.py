"""`import` and `read`: what customers owe, from a file or from the accounting systems."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from bot import settings
from bot.commands import Add, BadCall, json_text, with_core
from bot.commands.arguments import as_day
from bot.core import Core
from bot.report import receivables as report
from bot.settings import Settings
from bot.store.readings import Outcome
from bot.texts import in_language


def register(add: Add) -> None:
    take_in = add("import", _import, "import a receivables export (CSV, TSV, XLSX)")
    take_in.add_argument("file", type=Path, metavar="FILE")
    take_in.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
    take_in.add_argument("--as-of", type=as_day, metavar="DATE", help="the day it speaks for (default today)")
    take_in.add_argument("--currency", help="of a file without a currency column, for example EUR")
    take_in.add_argument("--date-order", choices=("DMY", "MDY"), help="of dates such as 03/04/2026")
    take_in.add_argument("--mode", choices=("snapshot", "merge"), default="snapshot")
    take_in.add_argument(
        "--yes", action="store_true", help="apply it even if over 30 %% of the items would close"
    )
    take_in.add_argument("--json", action="store_true", help="one JSON document")
    read = add("read", _read, "read the accounting systems of RECEIVABLES_SOURCES now")
    read.add_argument("sources", nargs="*", metavar="SOURCE", help="only these (default: all)")
    read.add_argument(
        "--yes", action="store_true", help="apply it even if over 30 %% of the source's items would close"
    )
    read.add_argument(
        "--retire",
        metavar="SOURCE",
        help="close what is open of a source that is not read any more, or of `file`",
    )
    read.add_argument("--json", action="store_true", help="one JSON document")


def _import(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadCall(f"{file}: cannot be read ({error.strerror})") from None

    # Among all the items it would look for cycles again and again; and the program ends when it has told of them.
    gc.disable()

    async def take_in(made: Core) -> int:
        backstop = made.backstop
        intake = await backstop.receivables.take_in(
            data,
            file_name=file.name,
            as_of=arguments.as_of or backstop.digests.today(),
            mode=arguments.mode,
            currency=arguments.currency,
            date_order=arguments.date_order,
            apply=not arguments.dry_run,
            even_if_it_shrinks=arguments.yes,
        )
        if arguments.json:
            report.write(report.intake(intake, file=str(file)), sys.stdout)
        else:
            print(report.intake_words(intake))
        return 1 if intake.export.refused or intake.held else 0

    return with_core(settings.load(), take_in)


def _read(arguments: argparse.Namespace) -> int:
    given = settings.load()
    if arguments.retire:
        return _retire(given, arguments)
    names: list[str] = list(dict.fromkeys(arguments.sources)) or list(given.receivables_sources)
    if not names:
        raise BadCall("RECEIVABLES_SOURCES is not set: name the accounting systems to read")
    for name in names:
        if name not in given.receivables_sources:
            raise BadCall(f"{name} is not among RECEIVABLES_SOURCES")
    if arguments.yes and not arguments.sources:
        raise BadCall("--yes needs the name of the source it is meant for")
    texts = in_language("en")

    async def read(made: Core) -> int:
        found = await asyncio.gather(
            *(made.backstop.sources.read(name, even_if_it_shrinks=arguments.yes) for name in names)
        )
        if arguments.json:
            print(json_text({"sources": [report.reading(each, texts) for each in found]}))
        else:
            print("\n".join(report.reading_words(each, texts) for each in found))
        return 0 if all(each.outcome is Outcome.APPLIED for each in found) else 1

    return with_core(given, read)


def _retire(given: Settings, arguments: argparse.Namespace) -> int:
    source: str = arguments.retire
    if arguments.sources or arguments.yes:
        raise BadCall("--retire stands alone")
    if source in given.receivables_sources:
        raise BadCall(f"{source} is still among RECEIVABLES_SOURCES: take it out first")

    async def retire(made: Core) -> int:
        closed = await made.backstop.sources.retire(source)
        print(
            json_text({"source": source, "closed": closed})
            if arguments.json
            else f"{source}: {closed} open items closed. It counts no longer."
        )
        return 0

    return with_core(given, retire)
