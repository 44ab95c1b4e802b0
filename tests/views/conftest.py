"""`pytest tests/views --rewrite-golden` writes the golden files anew; look at the difference before you commit it."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write tests/views/golden/*.json anew, from what the views draw now",
    )


@pytest.fixture
def rewrites_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite-golden"))
