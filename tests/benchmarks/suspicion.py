"""How well the rules find planted fraud, and how often they speak of honest customers:

python -m tests.benchmarks.suspicion [--seed N] [--customers 500] [--days 180] [--shapes all|tuned|left-out]
                                     [--cloud global|21vianet] [--why]
"""

from __future__ import annotations

import argparse
import time as clock
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from bot.domain.case import episodes, score
from bot.domain.observation import Past
from bot.domain.signal import Rule, RuleBook, Signal
from bot.domain.suspicion import signals
from tests.benchmarks import fraud_history
from tests.benchmarks.fraud_history import FIRST, LEFT_OUT, TUNED, WITHOUT_LOG, ZONE, History, Planted

FOUND_WITHIN = timedelta(days=7)
AFTERMATH = timedelta(days=60)
"""A case so long after a fraud began is about it."""


@dataclass
class Measure:
    """What came out of one history."""

    days: int = 0
    """Customer-days."""
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    delays: list[timedelta] = field(default_factory=list)
    false_cases: list[tuple[str, datetime, tuple[Signal, ...], str]] = field(default_factory=list)
    missed: list[tuple[str, Planted, tuple[Signal, ...]]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found.total() / max(self.planted.total(), 1)

    def recall_of(self, shape: str) -> float:
        return self.found[shape] / max(self.planted[shape], 1)

    @property
    def false_per_500(self) -> float:
        return len(self.false_cases) * 500 / max(self.days, 1)


def measure(histories: Iterable[History], *, days: int, book: RuleBook | None = None) -> Measure:
    """Play each day of each customer, as the daily digest would look at it."""
    book = book or RuleBook()
    result = Measure()
    for history in histories:
        _play(history, days, book, result)
    return result


def _play(history: History, days: int, book: RuleBook, result: Measure) -> None:
    result.days += days
    result.planted.update(f.shape for f in history.frauds)
    end = _digest(days)
    if not _could_be_a_case(signals(history.past, book, at=end, zone=ZONE), book):
        result.missed += [(history.past.customer_id, f, ()) for f in history.frauds]
        return
    found: dict[Planted, datetime] = {}
    opened: list[datetime] = []
    for at, known in _mornings_with_news(history.past, days, book):
        for fraud in history.frauds:
            if fraud.begins <= at <= fraud.begins + FOUND_WITHIN and fraud not in found:
                since = [s for s in known if s.at >= fraud.begins]
                if score(since, at=at, book=book) >= book.case_from:
                    found[fraud] = at
        if score(known, at=at, book=book) < book.case_from:
            continue
        episode = episodes(known, quiet_days=book.quiet_days)[-1]
        if opened and opened[-1] >= episode[0].at:
            continue
        opened.append(at)
        if not any(f.begins <= at <= f.begins + AFTERMATH for f in history.frauds):
            live = tuple(s for s in episode if s.at > at - timedelta(days=book.live_days))
            near = [name for name, on in history.events if abs((at.date() - on).days) <= 14]
            result.false_cases.append((history.past.customer_id, at, live, ", ".join(near) or "nothing"))
    for fraud in history.frauds:
        if fraud in found:
            result.found[fraud.shape] += 1
            result.delays.append(found[fraud] - fraud.begins)
        else:
            known = signals(history.past, book, at=min(end, fraud.begins + FOUND_WITHIN), zone=ZONE)
            result.missed.append(
                (history.past.customer_id, fraud, tuple(s for s in known if s.at >= fraud.begins))
            )


def _could_be_a_case(found: Iterable[Signal], book: RuleBook) -> bool:
    """Whether all that was ever found would do, if it came at once: findings only grow."""
    strongest: dict[Rule, int] = {}
    for signal in found:
        strongest[signal.rule] = max(strongest.get(signal.rule, 0), signal.points)
    return sum(strongest.values()) >= book.case_from


def _digest(day: int) -> datetime:
    """The morning after that many days."""
    return datetime.combine(FIRST + timedelta(days=day), time(8), ZONE).astimezone(UTC)


def _mornings_with_news(past: Past, days: int, book: RuleBook) -> list[tuple[datetime, tuple[Signal, ...]]]:
    """The mornings on which more is found than on the one before, and what.

    On the others nothing can rise. As findings only grow, there is none between two mornings that find the same.
    """
    found = {day: signals(past, book, at=_digest(day), zone=ZONE) for day in (0, days)}

    def look(first: int, last: int) -> None:
        if last - first < 2 or found[first] == found[last]:
            return
        middle = (first + last) // 2
        found[middle] = signals(past, book, at=_digest(middle), zone=ZONE)
        look(first, middle)
        look(middle, last)

    look(0, days)
    known = sorted(found)
    return [
        (_digest(day), found[day])
        for before, day in zip([None, *known], known, strict=False)
        if before is None or found[before] != found[day]
    ]


def table(measures: list[tuple[int, Measure]]) -> str:
    """A column a seed, a row a shape."""
    shapes = sorted({shape for _, m in measures for shape in m.planted})
    head = f"{'shape':<26}" + "".join(f"{f'seed {seed}':>12}" for seed, _ in measures) + f"{'all':>12}"
    rows = [head]
    for shape in shapes:
        cells = [f"{m.found[shape]}/{m.planted[shape]}" for _, m in measures]
        found, planted = sum(m.found[shape] for _, m in measures), sum(m.planted[shape] for _, m in measures)
        rows.append(f"{shape:<26}" + "".join(f"{c:>12}" for c in cells) + f"{found / max(planted, 1):>12.2f}")
    total = sum(m.found.total() for _, m in measures) / max(sum(m.planted.total() for _, m in measures), 1)
    rows.append(f"{'recall':<26}" + "".join(f"{m.recall:>12.3f}" for _, m in measures) + f"{total:>12.3f}")
    false = sum(len(m.false_cases) for _, m in measures) * 500 / max(sum(m.days for _, m in measures), 1)
    rows.append(
        f"{'false per 500 days':<26}"
        + "".join(f"{m.false_per_500:>12.3f}" for _, m in measures)
        + f"{false:>12.3f}"
    )
    return "\n".join(rows)


def why(result: Measure) -> str:
    """What the false cases rest on, and what was missed."""
    by_rules: dict[str, list[str]] = defaultdict(list)
    for customer, at, found, near in result.false_cases:
        rules = "+".join(sorted({s.rule.value for s in found}))
        by_rules[rules].append(f"{customer} {at:%m-%d} ({near})")
    lines = [
        f"  false: {len(c):>4}  {rules}: {'; '.join(c[:4])}"
        for rules, c in sorted(by_rules.items(), key=lambda e: -len(e[1]))
    ]
    for customer, fraud, found in result.missed:
        said = "; ".join(f"{s.rule} {s.points} {dict(s.facts)}" for s in found) or "nothing"
        lines.append(f"  missed: {customer} {fraud.shape} {fraud.begins:%m-%d %H:%M}: {said[:300]}")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--seed", type=int, action="append")
    arguments.add_argument("--customers", type=int, default=500)
    arguments.add_argument("--days", type=int, default=180)
    arguments.add_argument("--shapes", choices=["all", "tuned", "left-out"], default="all")
    arguments.add_argument("--cloud", choices=["global", "21vianet"], default="global")
    arguments.add_argument("--why", action="store_true")
    asked = arguments.parse_args()
    shapes = {"all": [*TUNED, *LEFT_OUT], "tuned": [*TUNED], "left-out": [*LEFT_OUT]}[asked.shapes]
    if asked.cloud == "21vianet":
        shapes = [shape for shape in shapes if shape in WITHOUT_LOG]
    measures: list[tuple[int, Measure]] = []
    for seed in asked.seed or [1]:
        began = clock.monotonic()
        histories = fraud_history.history(
            seed=seed, customers=asked.customers, days=asked.days, shapes=shapes
        )
        if asked.cloud == "21vianet":
            histories = [fraud_history.as_21vianet_has_it(h) for h in histories]
        measures.append((seed, measure(histories, days=asked.days)))
        print(f"seed {seed}: {clock.monotonic() - began:.1f} s")
        if asked.why:
            print(why(measures[-1][1]))
    print(table(measures))


if __name__ == "__main__":
    main()
