"""One reading of an export, alone in its process: `python -m tests.benchmarks.readers READER FILE`.

It imports no more than the reader itself needs, for the peak of memory is measured.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path


def bare_csv(path: Path) -> int:
    """Each row as a typed model, and nothing else."""
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

    taken = 0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            with suppress(ValidationError):
                Row(
                    customer=cells[0],
                    tenant=cells[1],
                    number=cells[2],
                    issued=cells[3],  # type: ignore[arg-type]  # turning text into types is what it is for
                    due=cells[4],  # type: ignore[arg-type]
                    currency=cells[5],
                    total=cells[6],  # type: ignore[arg-type]
                    open=cells[7],  # type: ignore[arg-type]
                    status=cells[8],
                )
                taken += 1
    return taken


def bare_xlsx(path: Path) -> int:
    """All rows as lists."""
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(path) as book:
        return len(book.get_sheet_by_index(0).to_python())


def ours(path: Path) -> int:
    from bot.receivables import read_export
    from tests.benchmarks.ledger import AS_OF

    return read_export(path.read_bytes(), file_name=path.name, as_of=AS_OF).accepted


READERS: dict[str, Callable[[Path], int]] = {"bare_csv": bare_csv, "bare_xlsx": bare_xlsx, "ours": ours}


def main(reader: str, path: Path) -> None:
    """Read a small file first: what is imported and compiled once is no part of it."""
    read = READERS[reader]
    read(path.with_stem("small"))
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
