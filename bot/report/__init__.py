"""What the command line prints: the documents of `--json`, and the same in words; a room for each room of commands."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
