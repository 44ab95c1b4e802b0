"""How long the data of a suspended subscription still lives."""

from __future__ import annotations

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
    if left < 0:
        return texts.mrkdwn("countdown-passed", day=texts.day(countdown.deadline), **names)
    until = texts.count("countdown", left, day=texts.day(countdown.deadline))
    return texts.mrkdwn("countdown-of", until=until, **names)
