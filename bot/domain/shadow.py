"""What the billing policy would have proposed, beside what people did: the report to read before trusting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from bot.domain.customer import CustomerId
from bot.domain.policy import Rule


@dataclass(frozen=True, slots=True)
class Proposal:
    """The policy foresees a suspension of this customer on this day."""

    customer_id: CustomerId
    customer_name: str
    on: date
    reasons: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """A suspension for non-payment that somebody asked for. `status` is what became of it; `id` is the request's."""

    id: str
    customer_id: CustomerId
    customer_name: str
    on: date
    status: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """One customer; without `proposed_on` the policy proposed nothing, without `deeds` nobody did anything."""

    customer_id: CustomerId
    customer_name: str
    proposed_on: date | None
    proposed_until: date | None
    reasons: tuple[Rule, ...]
    deeds: tuple[Deed, ...]


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """`since` and `until` are both included."""

    since: date
    until: date
    lines: tuple[ShadowLine, ...]

    @property
    def agreed(self) -> int:
        return sum(bool(line.proposed_on and line.deeds) for line in self.lines)

    @property
    def only_proposed(self) -> int:
        return sum(bool(line.proposed_on and not line.deeds) for line in self.lines)

    @property
    def only_done(self) -> int:
        return sum(not line.proposed_on for line in self.lines)


def beside(proposals: Iterable[Proposal], deeds: Iterable[Deed], *, since: date, until: date) -> ShadowReport:
    """Put both together by customer, by the day on which anything first happened.

    Of many days with the same proposal the first and the last are told, and the reasons of the first.
    """
    proposed: dict[CustomerId, list[Proposal]] = {}
    for proposal in sorted(proposals, key=lambda p: p.on):
        proposed.setdefault(proposal.customer_id, []).append(proposal)
    done: dict[CustomerId, list[Deed]] = {}
    for deed in sorted(deeds, key=lambda d: d.on):
        done.setdefault(deed.customer_id, []).append(deed)
    lines = []
    for customer in proposed.keys() | done.keys():
        theirs, did = proposed.get(customer, []), done.get(customer, [])
        lines.append(
            ShadowLine(
                customer_id=customer,
                customer_name=theirs[0].customer_name if theirs else did[0].customer_name,
                proposed_on=theirs[0].on if theirs else None,
                proposed_until=theirs[-1].on if theirs else None,
                reasons=theirs[0].reasons if theirs else (),
                deeds=tuple(did),
            )
        )
    lines.sort(key=lambda line: (line.proposed_on or line.deeds[0].on, line.customer_name))
    return ShadowReport(since, until, tuple(lines))
