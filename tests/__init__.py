"""Mirrors the two packages; the far side of every wire is faked, our own functions never are."""
