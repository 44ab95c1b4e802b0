"""How soon `/csp-suspend contoso` is acknowledged: `python -m tests.benchmarks.ack`.

Ours acknowledges when the draft is written to SQLite; beside it stand bare Bolt apps that write nothing. All of
them are processes of their own, on the same web server and asked by the same client, the sandbox Slack here.
One in flight is measured in rounds, of which the best counts: whatever else the machine does only adds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, func, select

from bot.app import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import Player, SlackSandbox
from bot.store.tables import drafts
from tests.benchmarks.table import Figures, table
from tests.program import Program, carried_out, settings_of
from tests.stage import free_port, slack_sandbox

LINE = "/csp-suspend contoso"
AT_ONCE = 32
ROUNDS = 4
SECONDS = 0.5
"""For each round; the whole run stays under a minute."""
BAR = 0.25
"""Of the time Bolt takes as it comes."""
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
CANDIDATES = (
    AS_IT_COMES,
    Candidate("Bolt, process_before_response", ("--process-before-response",), BOLT),
    OURS,
    Candidate("Backstop, draft written, rights by user groups", ("run",)),
)


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="backstop-ack-") as directory:
        cwd = Path(directory)
        rows: list[tuple[str, Figures]] = []
        for transport in ("http", "socket"):
            for candidate in CANDIDATES:
                alone, crowd = await measured(candidate, transport, cwd)
                rows.append((f"{transport:7}1 in flight   {candidate.name}", alone))
                rows.append((f"{transport:7}{AT_ONCE} in flight  {candidate.name}", crowd))
    print(table(rows))
    figures = dict(rows)
    for transport in ("http", "socket"):
        ours = figures[f"{transport:7}1 in flight   {OURS.name}"].quantile(0.5)
        bolt = figures[f"{transport:7}1 in flight   {AS_IT_COMES.name}"].quantile(0.5)
        word = "holds" if ours <= BAR * bolt else "MISSED"
        print(
            f"{transport}: {ours:.2f} ms is {ours / bolt:.0%} of Bolt's {bolt:.2f} ms; the bar of {BAR:.0%} {word}"
        )


async def measured(candidate: Candidate, transport: str, cwd: Path) -> tuple[Figures, Figures]:
    """One in flight, then many."""
    slack, partner_center = slack_sandbox(), PartnerCenterSandbox(now=utc_now)
    await slack.start()
    await partner_center.start()
    database = cwd / f"{time.monotonic_ns()}.db"
    port = free_port() if transport == "http" else None
    settings = settings_of(slack, partner_center, database_url=f"sqlite:///{database}", port=port)
    settings |= {"PYTHONPATH": str(ROOT), **({"PORT": str(port)} if port else {}), **dict(candidate.settings)}
    program = Program(
        *candidate.arguments, settings=settings, cwd=cwd, name="measured", module=candidate.module
    )
    try:
        if candidate.is_ours:
            sync = await asyncio.to_thread(carried_out, "sync", cwd=cwd, settings=settings)
            sync.check_returncode()
        async with program:
            await program.start()
            await program.comes_up()
            if port:
                slack.events_url = f"http://127.0.0.1:{port}/slack/events"
            else:
                await slack.app_connects()
            ana = slack.person("ana")
            shown = form_shown(slack, ana) if candidate.is_ours else nothing
            warm_up = await one_after_another(ana, shown)
            rounds = [await one_after_another(ana, shown) for _ in range(ROUNDS)]
            crowd = await many(ana)
    finally:
        await partner_center.stop()
        await slack.stop()
    if candidate.is_ours:
        acks = sum(len(figures.milliseconds) for figures in (warm_up, *rounds, crowd))
        if (written := rows_in(database)) != acks:
            raise AssertionError(f"{acks} were acknowledged, but {written} written")
    return min(rounds, key=lambda figures: figures.quantile(0.5)), crowd


async def one_after_another(ana: Player, shown: Callable[[], Awaitable[None]]) -> Figures:
    """As one person: the next command follows when what the last one brought is on the screen."""
    taken: list[float] = []
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        taken.append(await acknowledged(ana))
        await shown()
    return Figures(taken, sum(taken) / 1000)


async def many(ana: Player) -> Figures:
    """So many at once, each the next as soon as the last is acknowledged."""
    taken: list[float] = []
    begun = time.perf_counter()

    async def go_on() -> None:
        while time.perf_counter() < begun + SECONDS:
            taken.append(await acknowledged(ana))

    await asyncio.gather(*(go_on() for _ in range(AT_ONCE)))
    return Figures(taken, time.perf_counter() - begun)


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
    asyncio.run(main())
