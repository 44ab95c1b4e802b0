"""`backstop …`: parse the command line, hand over, and turn what went wrong into one line."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import signal
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from bot import policy_file, report, settings
from bot.app import (
    Application,
    Core,
    StartFailed,
    came_into_force,
    check_ready_to_run,
    core,
    desk_of,
    migrate,
    slack_client,
    utc_now,
)
from bot.demo import PORT as DEMO_PORT
from bot.demo import Demo, default_data_dir
from bot.domain.errors import BackstopError
from bot.domain.evidence import MOST_BYTES, NotAPack, verify
from bot.domain.policy import BillingPolicy
from bot.policy_check import Surroundings, read_over
from bot.policy_file import BadPolicy
from bot.preflight import as_json, check, table
from bot.report import evidence, suspicious
from bot.services.customers import MirrorState
from bot.settings import BadSettings, Settings
from bot.store.readings import Outcome
from bot.texts import LANGUAGES, in_language
from handlers.digests import post_overdue
from handlers.manifest import manifest
from handlers.suspicious import post_suspicious
from handlers.views import errors
from handlers.views.published import markdown, page, published

Command = Callable[[argparse.Namespace], int]
T = TypeVar("T")


class BadCall(Exception):
    """A command line that cannot be carried out; one line."""


def main(argv: Sequence[str] | None = None) -> None:
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Carry out one command line; the exit code. Bad input is 2, with one line on stderr."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("httpx", "stripe", "dbos", "apscheduler", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)  # it warns of a choice we made
    command: Command = arguments.command
    try:
        return command(arguments)
    except (BadSettings, BadPolicy, StartFailed, BadCall) as error:
        print(f"backstop: {error}", file=sys.stderr)
    except BackstopError as error:
        print(f"backstop: {errors.plain_words(error, in_language('en'))}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


def parser() -> argparse.ArgumentParser:
    top = OneLineParser(prog="backstop", description="The Slack bot for non-payment, fraud and misuse.")
    top.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    commands = top.add_subparsers(dest="name", required=True, metavar="COMMAND", parser_class=OneLineParser)

    def add(name: str, command: Command, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(command=command)
        return made

    demo = add("demo", _demo, "try everything on this machine: sandbox Slack, sandbox Partner Center")
    demo.add_argument("--port", type=_port, default=DEMO_PORT, help=f"of the page (default {DEMO_PORT})")
    demo.add_argument("--no-browser", action="store_true", help="do not open the page")
    demo.add_argument("--data-dir", type=Path, default=default_data_dir(), help="where the database goes")
    add("run", _run, "listen to Slack and do the work, in one process")
    add("web", _web, "listen to Slack over HTTP; needs a `worker` beside it")
    add("worker", _worker, "do the work: executions, digests, the sweep")
    add("migrate", _migrate, "bring the database to the current schema")
    add("check", _check, "say what is wrong with the set-up, and what to do").add_argument(
        "--json", action="store_true", help="one JSON document"
    )
    add("manifest", _manifest, "print the Slack app manifest").add_argument(
        "--url", help="https://… of this installation, for HTTP mode; without it Socket Mode"
    )
    sync = add("sync", _sync, "read customers and subscriptions from Partner Center now")
    sync.add_argument(
        "--full", action="store_true", help="everybody, even where the activity log tells who has changed"
    )
    sync.add_argument("--json", action="store_true", help="one JSON document")
    take_in = add("import", _import, "import a receivables export (CSV, TSV, XLSX)")
    take_in.add_argument("file", type=Path, metavar="FILE")
    take_in.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
    take_in.add_argument("--as-of", type=_day, metavar="DATE", help="the day it speaks for (default today)")
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
    digest = add("digest", _digest, "compute a digest now; print it, or post it")
    digest.add_argument("which", choices=("overdue", "suspicious"))
    digest.add_argument("--post", action="store_true", help="post it to its channel, once a day")
    digest.add_argument("--date", type=_day, metavar="YYYY-MM-DD", help="by what was known on that day")
    digest.add_argument("--json", action="store_true", help="one JSON document")
    shadow = add("shadow", _shadow, "what the policy would have proposed, beside what people did")
    shadow.add_argument("--days", type=_days, default=30, metavar="N", help="so many days back (default 30)")
    shadow.add_argument("--json", action="store_true", help="one JSON document")
    policy = add("policy", _policy, "the billing policy in force")
    policy.add_argument("which", choices=("show", "check", "publish", "simulate"))
    policy.add_argument("--days", type=_days, default=90, metavar="N", help="to replay (default 90)")
    policy.add_argument("--file", type=Path, metavar="F", help="another file than the one in force")
    policy.add_argument("--toml", action="store_true", help="`show` the text of the file, to start from")
    policy.add_argument("--lang", choices=LANGUAGES, help="of `publish` (default BACKSTOP_LOCALE)")
    policy.add_argument(
        "--format", choices=("markdown", "html"), default="markdown", help="of `publish` (default markdown)"
    )
    policy.add_argument("--json", action="store_true", help="one JSON document")
    audit = add("audit", _audit, "the audit trail, and evidence packs made from it")
    audit.add_argument("which", choices=("export", "verify"))
    audit.add_argument(
        "pack",
        nargs="?",
        type=Path,
        metavar="PACK.zip",
        help="`verify` this evidence pack, without any database, instead of the trail",
    )
    audit.add_argument("--since", type=_day, metavar="DATE", help="export only from that day on")
    audit.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    return top


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """One line, and where to read on."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def _demo(arguments: argparse.Namespace) -> int:
    async def serve() -> None:
        demo = Demo(arguments.data_dir)
        stopped = _until_told_to_stop()
        try:
            address = await demo.start(arguments.port)
            print(f"Backstop's sandbox is ready: {address}  (Ctrl-C stops it)", flush=True)
            if not arguments.no_browser:
                await asyncio.to_thread(_open_browser, address)
            await stopped.wait()
        finally:
            await demo.stop()

    asyncio.run(serve())
    return 0


def _run(_: argparse.Namespace) -> int:
    return _serve(listens=True, works=True)


def _web(_: argparse.Namespace) -> int:
    return _serve(listens=True, works=False)


def _worker(_: argparse.Namespace) -> int:
    return _serve(listens=False, works=True)


def _serve(*, listens: bool, works: bool) -> int:
    given = settings.load()
    check_ready_to_run(given, listens=listens)

    async def serve() -> None:
        app = Application(given, listens=listens, works=works)
        stopped = _until_told_to_stop()
        try:
            await app.start()
            where = f", port {app.port}" if app.port else ""
            print(f"Backstop is running ({given.mode.value} mode{where})", flush=True)
            await stopped.wait()
        finally:
            await app.stop()

    asyncio.run(serve())
    return 0


def _migrate(_: argparse.Namespace) -> int:
    changed = migrate(settings.load())
    print(
        "The database is at the current schema now." if changed else "Nothing to do: the schema is current."
    )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    logging.getLogger("bot").setLevel(logging.ERROR)  # the table says what went wrong
    found = asyncio.run(check(settings.load(), now=utc_now))
    print(_json(as_json(found)) if arguments.json else table(found))
    return 0 if all(c.ok for c in found) else 1


def _manifest(arguments: argparse.Namespace) -> int:
    print(_json(manifest(url=arguments.url)))
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    given = settings.load()
    given.need("partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret")

    async def sync(made: Core) -> MirrorState:
        await made.courier.open()  # a worker tells of what was changed outside
        customers = made.backstop.customers
        read = customers.refresh if arguments.full else customers.sync
        if arguments.json or not sys.stderr.isatty():
            return await read()
        if not arguments.verbose:
            logging.getLogger("bot").setLevel(logging.ERROR)  # the bar has the line to itself
        with _Bar() as bar:
            return await read(progress=bar.show)

    state = _with_core(given, sync)
    if arguments.json:
        print(_json(report.mirror(state)))
    else:
        failed = f"; {state.failed} could not be read" if state.failed else ""
        print(f"{state.customers} customers, {state.subscriptions} subscriptions{failed}")
    return 1 if state.failed else 0


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

    return _with_core(settings.load(), take_in)


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
            print(_json({"sources": [report.reading(each, texts) for each in found]}))
        else:
            print("\n".join(report.reading_words(each, texts) for each in found))
        return 0 if all(each.outcome is Outcome.APPLIED for each in found) else 1

    return _with_core(given, read)


def _retire(given: Settings, arguments: argparse.Namespace) -> int:
    source: str = arguments.retire
    if arguments.sources or arguments.yes:
        raise BadCall("--retire stands alone")
    if source in given.receivables_sources:
        raise BadCall(f"{source} is still among RECEIVABLES_SOURCES: take it out first")

    async def retire(made: Core) -> int:
        closed = await made.backstop.sources.retire(source)
        print(
            _json({"source": source, "closed": closed})
            if arguments.json
            else f"{source}: {closed} open items closed. It counts no longer."
        )
        return 0

    return _with_core(given, retire)


def _digest(arguments: argparse.Namespace) -> int:
    given = settings.load()
    if arguments.post:
        given.need("slack_bot_token", f"backstop_{arguments.which}_channel")
    if arguments.which == "suspicious":
        return _suspicious(given, arguments)

    texts = in_language(given.backstop_locale)

    async def digest(made: Core) -> int:
        on: date = arguments.date or made.backstop.digests.today()
        found = await made.backstop.digests.overdue(on=on)
        if not arguments.post:
            words = report.digest_words(found, texts)
            print(_json(report.overdue(found, texts)) if arguments.json else words)
            return 0
        posted = await post_overdue(desk_of(made, slack_client(given)), on.isoformat())
        if arguments.json:
            print(_json(report.overdue(found, texts) | {"posted": posted}))
        else:
            print("Posted." if posted else f"The digest of {on} is in the channel already.")
        return 0

    return _with_core(given, digest)


def _suspicious(given: Settings, arguments: argparse.Namespace) -> int:
    """Of today, every source is looked at first; one that does not answer is said to be missing."""
    texts = in_language(given.backstop_locale)
    if arguments.date is None:
        given.need("partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret")

    async def digest(made: Core) -> int:
        await made.courier.open()  # a worker tells of what was changed outside
        cases, today = made.backstop.cases, made.backstop.digests.today()
        on: date = arguments.date or today
        if on == today:
            await made.backstop.watch.read()
            await cases.record()
        posted = False
        if arguments.post:
            posted = await post_suspicious(desk_of(made, slack_client(given)), on.isoformat())
        if arguments.json or not arguments.post:
            found = await cases.digest(on=on)
            document = suspicious.suspicious(found, texts) | ({"posted": posted} if arguments.post else {})
            print(_json(document) if arguments.json else suspicious.suspicious_words(found, texts))
        else:
            print("Posted." if posted else f"The digest of {on} is in the channel already.")
        return 0

    return _with_core(given, digest)


def _shadow(arguments: argparse.Namespace) -> int:
    given = settings.load()

    async def shadow(made: Core) -> int:
        found = await made.backstop.digests.shadow(days=arguments.days)
        words = report.shadow_words(found, in_language(given.backstop_locale))
        print(_json(report.shadow(found)) if arguments.json else words)
        return 0

    return _with_core(given, shadow)


def _policy(arguments: argparse.Namespace) -> int:
    given = settings.load()
    path = arguments.file or given.backstop_policy_file
    today = utc_now().astimezone(given.zone).date() if arguments.which == "check" else None
    policy = policy_file.load(path, today=today)
    if arguments.which == "simulate":
        return _simulate(given, policy, arguments)
    if arguments.which == "publish":
        return _publish(given, policy, arguments)
    if arguments.which == "check":
        return _check_policy(given, policy, arguments)
    if arguments.toml:
        print(policy_file.read(path), end="")
    elif arguments.json:
        print(_json(report.policy(policy)))
    else:
        print(report.policy_words(policy, name=policy_file.name_of(path)))
    return 0


def _check_policy(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    around = Surroundings(utc_now(), given.zone, given.backstop_approvals_suspend)
    remarks = read_over(policy, around)
    name = policy_file.name_of(arguments.file or given.backstop_policy_file)
    if arguments.json:
        print(_json(report.policy_check(policy, remarks, name=name)))
    else:
        print(report.policy_check_words(policy, remarks, name=name))
    return 0


def _publish(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    today = utc_now().astimezone(given.zone).date()
    text = published(
        policy,
        in_language(arguments.lang or given.backstop_locale),
        cloud=given.partner_center_cloud,
        zone=given.backstop_timezone,
        on=today,
        since=_in_force_since(given, policy.version),
    )
    print(page(text) if arguments.format == "html" else markdown(text), end="")
    return 0


def _in_force_since(given: Settings, version: str) -> date | None:
    """The day that version came into force, where the database is there and knows it. Nothing is written."""
    try:
        moment = asyncio.run(came_into_force(given, version))
    except (StartFailed, BackstopError) as error:
        logging.getLogger(__name__).info("the database does not tell since when: %s", error)
        return None
    return moment.astimezone(given.zone).date() if moment else None


def _simulate(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    async def simulate(made: Core) -> int:
        found = await made.backstop.digests.simulate(policy, days=arguments.days)
        suspected = await made.backstop.cases.backtest(policy.risk, days=arguments.days)
        if arguments.json:
            document = report.simulation(found, days=arguments.days)
            print(_json(document | {"suspicion": suspicious.rules(suspected)}))
        else:
            print(report.simulation_words(found), suspicious.rules_words(suspected), sep="\n")
        return 0

    return _with_core(given, simulate)


def _audit(arguments: argparse.Namespace) -> int:
    if arguments.pack:
        return _verify_pack(arguments)

    async def export(made: Core) -> int:
        since = report.start_of(arguments.since, made.settings.zone) if arguments.since else None
        async with made.store.read() as tx:
            await report.write_audit(tx.audit.since(since), sys.stdout, csv=arguments.format == "csv")
        return 0

    async def verify(made: Core) -> int:
        async with made.store.read() as tx:
            count, broken = await tx.audit.first_broken()
        if broken:
            print(f"Entry {count} ({broken.tag}, {broken.at.isoformat()}) is not as it was written.")
            return 1
        print(f"All {count} entries are as they were written.")
        return 0

    return _with_core(settings.load(), export if arguments.which == "export" else verify)


def _verify_pack(arguments: argparse.Namespace) -> int:
    """Offline: whoever was handed a pack has neither our settings nor our database."""
    file: Path = arguments.pack
    if arguments.which != "verify" or arguments.since:
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


def _with_core(given: Settings, work: Callable[[Core], Awaitable[T]]) -> T:
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


def _until_told_to_stop() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM; a second one stops at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stopped, loop, number)
    return stopped


def _stop(stopped: asyncio.Event, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    stopped.set()
    loop.remove_signal_handler(number)


def _open_browser(address: str) -> None:
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(address)


class _Bar:
    """How far it is, on one line of a terminal, and no other character there."""

    WIDTH = 30

    def __init__(self) -> None:
        self._done = -1

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._done >= 0:
            print(file=sys.stderr)

    def show(self, done: int, known: int) -> None:
        if done <= self._done:  # it never goes back: what is known may grow meanwhile
            return
        self._done, full = done, self.WIDTH * done // max(known, 1)
        line = f"[{'#' * full}{'.' * (self.WIDTH - full)}] {done:,} of {known:,} customers"
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-23") from None


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 366:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 366")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


if __name__ == "__main__":
    main()
