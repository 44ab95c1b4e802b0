"""One reading of an export, alone in its process: `python -m tests.benchmarks.readers READER FILE`.

It imports no more than the reader itself needs, for the peak of memory is measured.
"""

from __future__ import annotations

import csv
import gc
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any


def bare_csv(path: Path) -> int:
    """Each row as a typed model, and nothing else."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return typed(rows)


def bare_xlsx(path: Path) -> int:
    """All rows as lists, whatever is in them."""
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(path) as book:
        return len(book.get_sheet_by_index(0).to_python())


def typed_xlsx(path: Path) -> int:
    """Each row as the same typed model as of the CSV file."""
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(path) as book:
        return typed(iter(book.get_sheet_by_index(0).to_python()[1:]))


def typed(rows: Iterator[Sequence[Any]]) -> int:
    from pydantic import BaseModel, ValidationError

    class Row(BaseModel):
        customer: str
        tenant: str
        number: str
        issued: date
        due: date
        currency: str
        total: Decimal
        open: Decimal
        status: str

    names = list(Row.model_fields)
    taken = 0
    for cells in rows:
        with suppress(ValidationError):
            Row(**dict(zip(names, cells, strict=True)))
            taken += 1
    return taken


def ours(path: Path) -> int:
    """As `backstop import` reads it, which puts the garbage collector off."""
    gc.disable()
    return ours_in_the_bot(path)


def ours_in_the_bot(path: Path) -> int:
    """As the bot reads a file that somebody shared, while it does other things."""
    from bot.receivables import read_export
    from tests.benchmarks.ledger import AS_OF

    return read_export(path.read_bytes(), file_name=path.name, as_of=AS_OF).accepted


READERS: dict[str, Callable[[Path], int]] = {
    read.__name__: read for read in (bare_csv, bare_xlsx, typed_xlsx, ours, ours_in_the_bot)
}


def main(reader: str, path: Path) -> None:
    """Read a small file first: what is imported and compiled once is no part of it."""
    read = READERS[reader]
    read(path.with_stem(path.stem.replace("large", "small")))
    begun = time.perf_counter()
    rows = read(path)
    seconds = time.perf_counter() - begun
    print(json.dumps({"rows": rows, "seconds": seconds, "peak": peak_megabytes()}))


def peak_megabytes() -> float:
    """Of this program alone: `getrusage` would begin with what the process that started it had."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(line) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
