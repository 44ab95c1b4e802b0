"""How soon `/csp-suspend contoso` is acknowledged: `python -m tests.benchmarks.ack`.

Ours acknowledges when the draft is written to SQLite; beside it stand bare Bolt apps that write nothing. All of
them are processes of their own, on the same web server and asked by the same client, the sandbox Slack here.
One in flight is measured in rounds, of which the best counts: whatever else the machine does only adds. With many in
flight the rate is held against that of Bolt which writes nothing, and answers when its listener has ended.

Then the same, one in flight, while the very process crawls a Partner Center 50 ms away or works out the overdue digest,
again and again: what an ack waits for then is our own work. `--full` crawls 2,000 customers and has 50,000 open items.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from sqlalchemy import create_engine, func, select

from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import Player, SlackSandbox
from bot.settings import Settings
from bot.start_up import migrate
from bot.store import Store
from bot.store.tables import drafts
from tests.benchmarks.crawl import far_side
from tests.benchmarks.filled import Size, fill
from tests.benchmarks.table import Figures, table
from tests.program import Program, carried_out, settings_of
from tests.stage import free_port, slack_sandbox

LINE = "/csp-suspend contoso"
AT_ONCE = 32
ROUNDS = 4
SECONDS = 0.5
"""For each round; the whole run stays under three minutes."""
CROWDS_AT_LEAST = 25
"""Ours brings forms, which take most of the time: without it there would be five, and one stall would tell."""
BUSY_SECONDS = 8.0
BAR = 0.25
"""Of the time Bolt takes as it comes."""
RATE_BAR = 0.5
"""Of the rate of Bolt with `process_before_response`, with many in flight."""
BUSY_BAR = 100.0
"""Milliseconds that 99 of 100 acks take at most while the process has other work."""
LATENCY_MS = 50
CROWDS = {False: (100, 2_000), True: (2_000, 50_000)}
"""Customers to crawl and open items, small and full."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Candidate:
    name: str
    arguments: tuple[str, ...]
    module: str = "bot"
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.module == "bot"


BOLT = "tests.benchmarks.bolt"
AS_IT_COMES = Candidate("Bolt as it comes, writes nothing", (), BOLT)
OURS = Candidate(
    "Backstop, draft written",
    ("run",),
    settings=(("BACKSTOP_OPERATORS", "U0ANA"), ("BACKSTOP_APPROVERS", "U0BEN,U0MEI")),
)
BEFORE_RESPONSE = Candidate("Bolt, process_before_response", ("--process-before-response",), BOLT)
CANDIDATES = (
    AS_IT_COMES,
    BEFORE_RESPONSE,
    OURS,
    Candidate("Backstop, draft written, rights by user groups", ("run",)),
)


async def main(*, full: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="backstop-ack-") as directory:
        cwd = Path(directory)
        rows: list[tuple[str, Figures]] = []
        for transport in ("http", "socket"):
            for candidate in CANDIDATES:
                alone, crowd, forms = await measured(candidate, transport, cwd)
                rows.append((f"{transport:7}1 in flight   {candidate.name}", alone))
                rows.append((f"{transport:7}{AT_ONCE} in flight  {candidate.name}", crowd))
                if candidate.is_ours:
                    rows.append((f"{transport:7}last of {AT_ONCE} forms, {candidate.name}", forms))
    print(table(rows))
    figures = dict(rows)
    for transport in ("http", "socket"):
        ours = figures[f"{transport:7}1 in flight   {OURS.name}"].quantile(0.5)
        bolt = figures[f"{transport:7}1 in flight   {AS_IT_COMES.name}"].quantile(0.5)
        word = "holds" if ours <= BAR * bolt else "MISSED"
        print(
            f"{transport}: {ours:.2f} ms is {ours / bolt:.0%} of Bolt's {bolt:.2f} ms; the bar of {BAR:.0%} {word}"
        )
        mine = figures[f"{transport:7}{AT_ONCE} in flight  {OURS.name}"].per_second
        bare = figures[f"{transport:7}{AT_ONCE} in flight  {BEFORE_RESPONSE.name}"].per_second
        word = "holds" if mine >= RATE_BAR * bare else "MISSED"
        print(
            f"{transport}: {mine:.0f} acks/s are {mine / bare:.2f} of bare Bolt's {bare:.0f}; "
            f"the bar of {RATE_BAR} {word}"
        )
    to_crawl, items = CROWDS[full]
    with tempfile.TemporaryDirectory(prefix="backstop-ack-") as directory:
        busy = [
            (
                f"{transport:7}1 in flight   Backstop, {what}",
                await while_busy(what, transport, Path(directory), n),
            )
            for transport in ("http", "socket")
            for what, n in (("crawl", to_crawl), ("digest", items))
        ]
    print(table(busy))
    for name, found in busy:
        p99 = found.quantile(0.99)
        print(
            f"{name}: {p99:.0f} ms; the bar of {BUSY_BAR:.0f} ms {'holds' if p99 <= BUSY_BAR else 'MISSED'}"
        )


async def measured(candidate: Candidate, transport: str, cwd: Path) -> tuple[Figures, Figures, Figures]:
    """One in flight; many, and when the last of their forms was on the screen."""
    slack, partner_center = slack_sandbox(patience=1), PartnerCenterSandbox(now=utc_now)
    await slack.start()
    await partner_center.start()
    database = cwd / f"{time.monotonic_ns()}.db"
    port = free_port() if transport == "http" else None
    settings = settings_of(slack, partner_center, database_url=f"sqlite:///{database}", port=port)
    settings |= {"PYTHONPATH": str(ROOT), **({"PORT": str(port)} if port else {}), **dict(candidate.settings)}
    program = Program(
        *candidate.arguments,
        settings=settings,
        cwd=cwd,
        name="measured",
        module=candidate.module,
        fresh=True,
    )
    try:
        if candidate.is_ours:
            sync = await asyncio.to_thread(carried_out, "sync", cwd=cwd, settings=settings)
            sync.check_returncode()
        async with program:
            await program.start()
            await program.comes_up()
            await reached(slack, port)
            ana = slack.person("ana")
            shown = form_shown(slack, ana) if candidate.is_ours else nothing
            warm_up = await one_after_another(ana, shown)
            rounds = [await one_after_another(ana, shown) for _ in range(ROUNDS)]
            crowd, forms = await many(ana, forms_shown(slack) if candidate.is_ours else nothing)
    finally:
        await partner_center.stop()
        await slack.stop()
    if candidate.is_ours:
        acks = sum(len(figures.milliseconds) for figures in (warm_up, *rounds, crowd))
        if (written := rows_in(database)) != acks:
            raise AssertionError(f"{acks} were acknowledged, but {written} written")
    return min(rounds, key=lambda figures: figures.quantile(0.5)), crowd, forms


async def while_busy(what: str, transport: str, cwd: Path, count: int) -> Figures:
    """One in flight, while the process crawls so many customers or has so many open items in its digest."""
    crawls = what == "crawl"
    slack, partner_center = slack_sandbox(patience=1), PartnerCenterSandbox(now=utc_now, customers=[])
    await slack.start()
    await partner_center.start()
    # A process of its own: this one is the Slack that times the acks, and must have nothing else to do.
    with far_side(count, LATENCY_MS) if crawls else nullcontext() as address:
        try:
            return await _while_busy(what, transport, cwd, count, slack, partner_center, address)
        finally:
            await partner_center.stop()
            await slack.stop()


async def _while_busy(
    what: str,
    transport: str,
    cwd: Path,
    count: int,
    slack: SlackSandbox,
    partner_center: PartnerCenterSandbox,
    address: str | None,
) -> Figures:
    database_url = f"sqlite:///{cwd / f'{time.monotonic_ns()}.db'}"
    port = free_port() if transport == "http" else None
    settings = settings_of(slack, partner_center, database_url=database_url, port=port)
    settings |= {"PYTHONPATH": str(ROOT), **({"PORT": str(port)} if port else {}), **dict(OURS.settings)}
    if address:
        settings |= {"PARTNER_CENTER_BASE_URL": address, "PARTNER_CENTER_AUTHORITY_URL": address}
    program = Program(what, settings=settings, cwd=cwd, name="busy", module="tests.benchmarks.busy")
    await asyncio.to_thread(migrate, Settings(_env_file=None, database_url=database_url))  # type: ignore[call-arg]
    if what == "digest":
        db = Store(database_url, now=utc_now)
        await fill(db, Size(max(1, count // 5), count), today=utc_now().date())
        await db.close()
    async with program:
        await program.start()
        await program.comes_up()
        await reached(slack, port)
        ana = slack.person("ana")
        return await one_after_another(ana, form_shown(slack, ana), seconds=BUSY_SECONDS)


async def reached(slack: SlackSandbox, port: int | None) -> None:
    """From here on what people do reaches the program: over HTTP where it has a port, else over its socket."""
    if port:
        slack.events_url = f"http://127.0.0.1:{port}/slack/events"
    else:
        await slack.app_connects()


async def one_after_another(
    ana: Player, shown: Callable[[], Awaitable[None]], *, seconds: float = SECONDS
) -> Figures:
    """As one person: the next command follows when what the last one brought is on the screen."""
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        taken.append(await acknowledged(ana))
        await shown()
    return Figures(taken, sum(taken) / 1000)


async def many(ana: Player, all_shown: Callable[[], Awaitable[None]]) -> tuple[Figures, Figures]:
    """So many at once, and again when all their forms are on the screen: of the acks, and of the last of the forms."""
    taken: list[float] = []
    forms: list[float] = []
    ends = time.perf_counter() + ROUNDS * SECONDS
    seconds = 0.0
    while time.perf_counter() < ends or len(forms) < CROWDS_AT_LEAST:
        begun = time.perf_counter()
        taken += await asyncio.gather(*(acknowledged(ana) for _ in range(AT_ONCE)))
        seconds += time.perf_counter() - begun
        await all_shown()
        forms.append((time.perf_counter() - begun) * 1000)
    return Figures(taken, seconds), Figures(forms, sum(forms) / 1000)


async def acknowledged(ana: Player) -> float:
    begun = time.perf_counter()
    ack = await ana.command(LINE)
    taken = (time.perf_counter() - begun) * 1000
    if not ack.ok or ack.body:  # a body would be words: a refusal
        raise AssertionError(f"not acknowledged: {ack.error} {ack.body}")
    return taken


def form_shown(slack: SlackSandbox, ana: Player) -> Callable[[], Awaitable[None]]:
    """Wait for a form that is not the last one."""
    last = ""

    async def shown() -> None:
        nonlocal last

        def newer() -> str:
            view = (ana.modal() or {}).get("id", "")
            return view if view != last else ""

        last = await slack.workspace.news.until(newer, timeout=5)

    return shown


def forms_shown(slack: SlackSandbox) -> Callable[[], Awaitable[None]]:
    """Wait for as many forms as were asked for since it was last called."""
    seen = slack.exchanges[-1].number if slack.exchanges else 0

    async def shown() -> None:
        nonlocal seen

        def opened() -> int:
            new = takewhile(lambda exchange: exchange.number > seen, reversed(slack.exchanges))
            return sum(exchange.method == "views.open" for exchange in new)

        await slack.workspace.news.until(lambda: opened() >= AT_ONCE, timeout=10)
        seen = slack.exchanges[-1].number

    return shown


async def nothing() -> None:
    """A bare app shows nothing."""


def rows_in(database: Path) -> int:
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(drafts)).scalar_one())
    finally:
        engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more to crawl, and more in the digest")
    asyncio.run(main(full=parser.parse_args().full))
