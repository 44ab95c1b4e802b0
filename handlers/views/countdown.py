"""How long the data of a suspended subscription still lives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot.domain.customer import Countdown
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks


def deletion_words(countdown: Countdown, texts: Texts, *, on: date) -> Mrkdwn:
    """One line: which subscription, whose, and when its data is deleted, or was."""
    names = {
        "subscription": blocks.name(countdown.subscription.name, 60),
        "customer": blocks.name(countdown.customer.name if countdown.customer else texts("unknown"), 60),
    }
    if countdown.deadline is None:
        return texts.mrkdwn("countdown-unknown", **names)
    left = (countdown.deadline - on).days
    earliest = countdown.is_at_earliest
    if left < 0:
        key = "countdown-passed-earliest" if earliest else "countdown-passed"
        return texts.mrkdwn(key, day=texts.day(countdown.deadline), **names)
    key = "countdown-earliest" if earliest else "countdown"
    return texts.mrkdwn(
        "countdown-of", until=texts.count(key, left, day=texts.day(countdown.deadline)), **names
    )


def suspended_words(countdowns: Sequence[Countdown], texts: Texts, *, on: date) -> str:
    """How many are suspended, and the nearest day after which data is deleted. Plain text."""
    return texts.count("suspended-here", len(countdowns), deadline=deadline_words(countdowns, texts, on=on))


def others_suspended_words(countdowns: Sequence[Countdown], texts: Texts, *, on: date) -> str:
    """The same of customers that are not in the digest."""
    return texts.count("suspended-others", len(countdowns), deadline=deadline_words(countdowns, texts, on=on))


def deadline_words(countdowns: Sequence[Countdown], texts: Texts, *, on: date) -> str:
    """The nearest day after which data of these is deleted, and how many such days nobody knows. Plain text."""
    known = [(c.deadline, c.is_at_earliest) for c in countdowns if c.deadline is not None]
    unknown = len(countdowns) - len(known)
    if not known:
        return texts("deadline-unknown")
    day, earliest = min(known)
    still = "deadline-earliest" if earliest else "deadline"
    key = "deadline-passed" if day < on else still
    said = texts(key, day=texts.day(day))
    return f"{said}; {texts.count('deadline-unknown-too', unknown)}" if unknown else said
