"""Who may import whom: the contracts of pyproject.toml hold; no warning of a weakness is silenced without a reason."""

from __future__ import annotations

import ast
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


SECRET = re.compile(r"(^|_)(secret|signature|token|password|hmac|mac|otp|totp)s?$")
OURS_WITH_OURS = {"bot/receivables/sign_in.py: token == self._refused"}
"""Nobody outside has a say in either side."""


COMPARES = {"bot/services/step_up.py", "bot/receivables/xero.py", "bot/receivables/business_central.py"}
"""The codes of authenticators, and the signatures of events; those of Slack and Stripe are their SDKs' to compare."""


def test_no_secret_is_compared_in_a_time_that_tells_of_it():
    rooms = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
        for room in ("bot", "handlers")
        for path in (ROOT / room).rglob("*.py")
        if "sandbox" not in path.parts  # whose secrets are invented
    }
    with_the_clock_in_mind, plainly = set(), set()
    for room, tree in rooms.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hmac.compare_digest":
                with_the_clock_in_mind.add(room)
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = (ast.unparse(side) for side in (node.left, *node.comparators))
                if any(map(SECRET.search, sides)):
                    plainly.add(f"{room}: {ast.unparse(node)}")
    assert with_the_clock_in_mind == COMPARES
    assert plainly == OURS_WITH_OURS
