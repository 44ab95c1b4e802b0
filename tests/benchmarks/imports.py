"""How long reading an export takes, and how much memory: `python -m tests.benchmarks.imports`.

Beside ours stands the least anybody could do with the same file in the same run. For CSV that is `csv` with a pydantic
model for each row, which keeps none of them. For XLSX it is `python-calamine` making lists of a sheet, and nothing of
them: that is the floor of the bar. It does less than the one for CSV, so calamine with the same model a row stands
beside it. Ours is read as `backstop import` does it, with the garbage collector off, and once more with it on, as in
the bot, where other work goes on. Every reading is a process of its own, for only so its peak of memory is known; the
best of some rounds counts, for the machine's other work only adds. Then what `take_in` makes of it: compared with the
books and written, into empty books and into full ones.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bot import store
from bot.core import utc_now
from bot.services.intake import Receivables
from bot.store import Store
from tests import postgres
from tests.benchmarks import ledger
from tests.benchmarks.ledger import AS_OF

ROWS = 100_000
ITEMS = 50_000
ROUNDS = 5
CSV_SECONDS, CSV_MEMORY, XLSX_SECONDS = 2.0, 3.0, 1.5
"""The bars: times the floor."""


@dataclass(frozen=True)
class Reading:
    rows: int
    seconds: float
    peak: float
    """In MB."""

    def line(self, name: str, floor: Reading | None = None) -> str:
        times = f"{self.seconds / floor.seconds:10.2f}{self.peak / floor.peak:10.2f}" if floor else ""
        return f"{name:44}{self.seconds:9.2f}{self.peak:9.0f}{self.rows:9}{times}"


def read(reader: str, path: Path) -> Reading:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.readers", reader, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Reading(**json.loads(done.stdout))


def compare(path: Path, floor: str, *others: str, seconds: float, memory: float | None = None) -> None:
    """In turns, so that all meet the same machine."""
    readers = (floor, *others, "ours", "ours_in_the_bot")
    rounds = [[read(reader, path) for reader in readers] for _ in range(ROUNDS)]
    best = {
        reader: min(readings, key=lambda reading: reading.seconds)
        for reader, readings in zip(readers, zip(*rounds, strict=True), strict=True)
    }
    bare, mine = best[floor], best["ours"]
    for reader, reading in best.items():
        print(reading.line(f"{path.name}, {reader}", bare))
    word = "holds" if mine.seconds <= seconds * bare.seconds else "MISSED"
    print(f"  time: {mine.seconds / bare.seconds:.2f} times the floor; the bar of {seconds} {word}")
    if memory:
        word = "holds" if mine.peak <= memory * bare.peak else "MISSED"
        print(f"  memory: {mine.peak / bare.peak:.2f} times the floor; the bar of {memory} {word}")


async def take_in(database_url: str, path: Path) -> None:
    """Import it, import it again, and import what changes all of it and closes some."""
    store.migrate(database_url)
    db = Store(database_url, now=utc_now)
    receivables = Receivables(db, zone=ZoneInfo("UTC"), now=utc_now)
    system = database_url.partition(":")[0]
    data = path.read_bytes()
    paid_some = b"\n".join(data.split(b"\n")[: int(ITEMS * 0.8)]).replace(b",Open", b",On hold")
    try:
        for name, content, on in (
            ("into empty books", data, AS_OF - timedelta(days=2)),
            ("the same once more", data, AS_OF - timedelta(days=2)),
            ("nine of ten changed, a fifth closed", paid_some, AS_OF - timedelta(days=1)),
        ):
            begun = time.perf_counter()
            taken = await receivables.take_in(content, file_name=path.name, as_of=on)
            seconds = time.perf_counter() - begun
            assert taken.applied, taken
            print(f"{f'take_in, {system}: {name}':60}{seconds:9.2f}{taken.export.accepted:9}")
    finally:
        await db.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="backstop-imports-") as directory:
        cwd = Path(directory)
        for size, count in (("small", 100), ("large", ROWS)):
            ledger.write_csv(cwd / f"{size}.csv", count)
            ledger.write_xlsx(cwd / f"{size}.xlsx", count, as_excel=True)
            ledger.write_xlsx(cwd / f"{size}-inline.xlsx", count, as_excel=False)
        print(f"{'':44}{'seconds':>9}{'MB':>9}{'rows':>9}{'x seconds':>10}{'x MB':>10}")
        compare(cwd / "large.csv", "bare_csv", seconds=CSV_SECONDS, memory=CSV_MEMORY)
        compare(cwd / "large.xlsx", "bare_xlsx", "typed_xlsx", seconds=XLSX_SECONDS)
        compare(cwd / "large-inline.xlsx", "bare_xlsx", "typed_xlsx", seconds=XLSX_SECONDS)
        books = cwd / "books.csv"
        ledger.write_csv(books, ITEMS)
        asyncio.run(take_in(f"sqlite:///{cwd / 'backstop.db'}", books))
        with postgres.server() as server:
            if server:
                asyncio.run(take_in(postgres.new_database(server), books))


if __name__ == "__main__":
    main()
