"""`audit`: the trail, exported, verified or purged; and evidence packs, verified without a database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TextIO, cast

from bot import settings
from bot.commands import Add, BadCall, with_core
from bot.commands.arguments import as_anchor, as_day, as_number
from bot.core import Core
from bot.domain.evidence import verify
from bot.domain.evidence_zip import MOST_BYTES, NotAPack
from bot.report import audit as report
from bot.report import evidence


def register(add: Add) -> None:
    audit = add("audit", _audit, "the audit trail, and evidence packs made from it")
    audit.add_argument("which", choices=("export", "verify", "purge"))
    audit.add_argument(
        "--dry-run", action="store_true", help="of `purge`: say what is past retention, remove nothing"
    )
    audit.add_argument(
        "pack",
        nargs="?",
        type=Path,
        metavar="PACK.zip",
        help="`verify` this evidence pack, without any database, instead of the trail",
    )
    audit.add_argument(
        "--anchor",
        type=as_anchor,
        action="append",
        default=[],
        metavar="SEQ:HASH",
        help="`verify` that entry SEQ has this hash, as it was posted in Slack; may be given several times",
    )
    audit.add_argument(
        "--after",
        type=as_number,
        metavar="SEQ",
        help="export only what is behind this entry; each export ends by telling where the next goes on",
    )
    audit.add_argument("--since", type=as_day, metavar="DATE", help="export only from that day on")
    audit.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")


def _audit(arguments: argparse.Namespace) -> int:
    if arguments.pack:
        return _verify_pack(arguments)

    if arguments.anchor and arguments.which != "verify":
        raise BadCall("--anchor goes with `audit verify`")
    if arguments.which != "purge" and arguments.dry_run:
        raise BadCall("--dry-run goes with `audit purge`")
    if arguments.which != "export" and (arguments.after is not None or arguments.since):
        raise BadCall("--after and --since go with `audit export`")

    async def export(made: Core) -> int:
        since = report.start_of(arguments.since, made.settings.zone) if arguments.since else None
        after: int = arguments.after or 0
        with _output_told_of():
            async with made.store.read() as tx, aclosing(tx.audit.since(since, after=after)) as events:
                written = await report.write_audit(
                    events, cast(TextIO, _Output()), csv=arguments.format == "csv", heads=not after
                )
            _Output().flush()
        first, last = written or (after + 1, after)
        if after and not since and first > after + 1:
            print(f"backstop: entries {after + 1} to {first - 1} are not there any more", file=sys.stderr)
        print(f"backstop: to go on from here: --after {last}", file=sys.stderr)
        return 0

    async def verify(made: Core) -> int:
        async with made.store.read() as tx:
            verified = await tx.audit.verify(arguments.anchor)
        print(report.verified_words(verified))
        return 0 if verified.ok else 1

    async def purge(made: Core) -> int:
        aged = await made.backstop.audit.aged()
        print(report.aged_words(aged, made.backstop.audit.retention))
        if aged and arguments.dry_run:
            print("Nothing was removed.")
        elif aged:
            removed = await made.backstop.audit.purge(batches=None)
            print(report.purged_words(removed) if removed else "Nothing was removed.")
        return 0

    work = {"export": export, "verify": verify, "purge": purge}
    return with_core(settings.load(), work[arguments.which])


class _OutputFailed(Exception):
    """Of stdout, and no OSError: inside a transaction that would be taken for the database's."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class _Output:
    """stdout, as far as an export needs it. Raises _OutputFailed."""

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except OSError as error:
            raise _OutputFailed(error) from None

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _OutputFailed(error) from None


@contextmanager
def _output_told_of() -> Iterator[None]:
    """What came of the output is told behind the transaction."""
    try:
        yield
    except _OutputFailed as failed:
        if isinstance(failed.error, BrokenPipeError):
            raise failed.error from None
        raise BadCall(
            f"the output cannot be written ({failed.error.strerror}): make room, "
            "then go on with --after and the number of its last whole line"
        ) from None


def _verify_pack(arguments: argparse.Namespace) -> int:
    """Offline: whoever was handed a pack has neither our settings nor our database."""
    file: Path = arguments.pack
    if (
        arguments.which != "verify"
        or arguments.since
        or arguments.anchor
        or arguments.after is not None
        or arguments.dry_run
    ):
        raise BadCall("PACK.zip goes with `audit verify` alone")
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadCall(f"{file}: cannot be read ({error.strerror})") from None
    try:
        verified = verify(data)
    except NotAPack as error:
        raise BadCall(f"{file}: {evidence.NO_PACK[error.why]}") from None
    print(evidence.verified_words(verified))
    return 0 if verified.ok else 1
