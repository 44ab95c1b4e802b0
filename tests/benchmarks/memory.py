"""How much memory the heaviest questions take, by how many customers there are: `python -m tests.benchmarks.memory`.

A process of its own for each size asks them as the program does: the overdue digest with its first page, the
suspicious digest with its own, `/csp find` and `/csp status`, over books with one open item a customer, of which most
are past due. Its peak is the kernel's (VmHWM). Beside it stands the same process that has asked nothing yet. `--full`
is 1,000, 10,000 and 50,000 customers, on SQLite and on Postgres.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.readers import peak_megabytes

SMALL, FULL = (200, 1_000), (1_000, 10_000, 50_000)
BAR = 60
"""MB that the most customers may take above the fewest."""


def measured(database_url: str) -> dict[str, float]:
    """Of a process of its own: MB at the end of each step, by its name."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--ask", database_url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {str(name): float(peak) for name, peak in json.loads(done.stdout).items()}


async def ask(database_url: str) -> dict[str, float]:
    """What people ask for, one after the other, and the peak of memory so far."""
    import bot.app  # noqa: F401  what is weighed is the whole program
    from bot.core import core, utc_now
    from bot.settings import Settings
    from bot.start_up import settle
    from bot.texts import in_language
    from handlers.views import digests, suspicious

    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings
        database_url=database_url,
        partner_center_tenant_id="00000000-0000-4000-8000-000000000001",
        partner_center_client_id="00000000-0000-4000-8000-000000000002",
    )
    made, texts = core(settings, now=utc_now), in_language("en")
    backstop = made.backstop
    await backstop.policies.begin(keeps=False)
    await made.store.ping()
    settle()
    peaks = {"nothing yet": peak_megabytes()}
    overdue = await backstop.digests.overdue()
    assert digests.overdue(overdue, texts), "the digest is empty"
    assert overdue.debtors, "nobody is overdue"
    del overdue
    peaks["overdue"] = peak_megabytes()
    seen = await backstop.cases.digest()
    assert suspicious.suspicious(seen, texts), "the digest is empty"
    del seen
    peaks["suspicious"] = peak_megabytes()
    assert (await backstop.customers.find("nord")).customers, "nobody is found"
    peaks["find"] = peak_megabytes()
    await backstop.customers.state()
    peaks["status"] = peak_megabytes()
    await made.close()
    return peaks


async def filled(database_url: str, count: int) -> str:
    from bot import store
    from bot.core import utc_now
    from bot.store import Store
    from tests.benchmarks.filled import Size, fill

    store.migrate(database_url)
    db = Store(database_url, now=utc_now)
    try:
        await fill(db, Size(count, count), today=utc_now().date())
    finally:
        await db.close()
    return database_url


def report(system: str, found: dict[int, dict[str, float]]) -> None:
    fewest, most = min(found), max(found)
    for count, peaks in found.items():
        figures = "".join(f"{peak:13.0f}" for peak in peaks.values())
        print(f"{system:10}{count:10}{figures}")
    more = max(found[most].values()) - max(found[fewest].values())
    word = f"the bar of {BAR} MB {'holds' if more <= BAR else 'MISSED'}" if most == FULL[-1] else ""
    print(f"  {most} customers take {more:.0f} MB more than {fewest}; {word}".rstrip("; "))


def main(*, full: bool) -> None:
    from tests import postgres

    with (
        tempfile.TemporaryDirectory(prefix="backstop-memory-") as directory,
        postgres.server() as server,
    ):
        steps = ("nothing yet", "overdue", "suspicious", "find", "status")
        print(f"{'':10}{'customers':>10}{''.join(f'{step:>13}' for step in steps)}")
        for system in ("sqlite", "postgresql"):
            found: dict[int, dict[str, float]] = {}
            for count in FULL if full else SMALL:
                if system == "sqlite":
                    url = f"sqlite:///{Path(directory) / str(count)}.db"
                elif server:
                    url = postgres.new_database(server)
                else:
                    continue
                found[count] = measured(asyncio.run(filled(url, count)))
            if found:
                report(system, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="up to 50,000 customers instead of 1,000")
    parser.add_argument("--ask", metavar="DATABASE_URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        print(json.dumps(asyncio.run(ask(given.ask))))
    else:
        main(full=given.full)
