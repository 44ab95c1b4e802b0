"""A zone in which it is the middle of the day, whenever the tests run: what comes round in the morning stays away."""

from __future__ import annotations

from datetime import UTC, datetime

MORNING, EVENING = 10, 22
"""By ten nothing of the morning's is made up for any more, and a run of the tests ends before midnight."""


def zone_of_day() -> str:
    """UTC, or so many hours from it that it is day there, and the same day."""
    hour = datetime.now(UTC).hour
    ahead = min(max(hour, MORNING), EVENING) - hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"  # Etc/GMT-2 is two hours ahead of UTC
