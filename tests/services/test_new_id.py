"""Ids of requests: everything they may be made of, nothing else, and none twice."""

from __future__ import annotations

from collections import Counter

from bot.services.new_id import new_id

ALPHABET = set("23456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_they_are_drawn_evenly_from_what_can_be_said_on_the_phone():
    ids = [new_id("R") for _ in range(3000)]
    assert len(set(ids)) == len(ids)
    assert all(id.startswith("R-") and len(id) == 12 for id in ids)
    seen = Counter("".join(id[2:] for id in ids))
    assert set(seen) == ALPHABET
    # 1,000 are expected of each; eight standard deviations (31) away is chance no more.
    assert all(750 < count < 1250 for count in seen.values()), seen
