"""Who may import whom: the contracts of pyproject.toml hold; no warning of a weakness is silenced without a reason."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_point_inwards():
    # A process of its own: import-linter sets up logging for its whole process.
    program = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_warning_of_ruffs_bandit_that_is_silenced_says_why():
    silenced = {
        f"{path.relative_to(ROOT)}:{number}": found[1]
        for room in ("bot", "handlers", "tests")
        for path in (ROOT / room).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if (found := re.search(r"# noqa: (.*\bS\d{3}\b.*)", line))
    }
    assert silenced
    assert not [where for where, said in silenced.items() if not re.sub(r"\b[A-Z]+\d+\b|[ ,-]", "", said)]
