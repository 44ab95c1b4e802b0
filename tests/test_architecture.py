"""Who may import whom: the contracts of pyproject.toml hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_imports_point_inwards(capsys: pytest.CaptureFixture[str]):
    result = lint_imports(config_filename=str(PYPROJECT), no_cache=True, no_logo=True)
    assert result == EXIT_STATUS_SUCCESS, capsys.readouterr().out
