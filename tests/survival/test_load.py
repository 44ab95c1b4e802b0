"""Many people clicking while Slack and Partner Center fail: nothing is lost or doubled, and everybody is answered."""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row

from bot.domain.audit import AuditTag
from bot.domain.request import Status, Verdict
from bot.sandbox.slack import SlackSandbox
from bot.texts import for_locale
from handlers import ids
from tests.program import carried_out
from tests.stage import free_port
from tests.survival.crew import Crew, Ledger
from tests.survival.crowd import APPROVES, ASKS, LOCALES, Crowd, Floor, Role
from tests.survival.office import buttons, request_of
from tests.survival.shift import SETTLES
from tests.survival.weather import Weather
from tests.survival.world import World, world

LONG_SECONDS = float(os.environ.get("BACKSTOP_LOAD_SECONDS", "600"))
SEED = 7
DECIDES = frozenset({AuditTag.REQUEST_APPROVED, AuditTag.REQUEST_DENIED})


@dataclass(frozen=True)
class Load:
    people: int
    seconds: float
    pace: float
    """The mean of the seconds somebody thinks between two clicks."""
    faults_every: float
    mild: bool = False
    """Without the faults that take a minute to mend."""

    @property
    def stock(self) -> int:
        """Customers: few enough for two people to want the same one at times."""
        return round(self.people * max(self.seconds / self.pace / 15, 2))


LOADS = [
    pytest.param(Load(people=10, seconds=6, pace=0.3, faults_every=0.5, mild=True), id="10-people"),
    pytest.param(
        Load(people=100, seconds=LONG_SECONDS, pace=6, faults_every=1.5),
        id="100-people",
        marks=pytest.mark.long,
    ),
]


@dataclass
class Acks:
    """How long Slack waited for each acknowledgement."""

    slack: SlackSandbox
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    _read: int = 0

    def read(self) -> None:
        """Take in what passed over the wire since; it is kept there for a while only."""
        new = [exchange for exchange in self.slack.exchanges if exchange.number > self._read]
        assert not new or new[0].number == self._read + 1, "read more often: some were missed"
        for exchange in new:
            self._read = exchange.number
            if exchange.direction == "workspace → app":
                self.seconds.append(exchange.ms / 1000)
                self.statuses[exchange.status] += 1

    async def keep_reading(self) -> None:
        while True:
            self.read()
            await asyncio.sleep(1)

    def at(self, share: float) -> float:
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


@pytest.mark.parametrize("load", LOADS)
async def test_one_process_on_sqlite_that_listens_over_http_under_load(
    load: Load, sqlite_url: str, tmp_path: Path
):
    port, floor = free_port(), Floor(load.people)
    async with world(sqlite_url, stock=load.stock, cwd=tmp_path, port=port, workspace=floor) as around:
        around.slack.events_url = f"http://127.0.0.1:{port}/slack/events"
        around.settings.update(OF_A_CROWD)
        async with Crew(around.program("run", PORT=str(port))) as crew:
            await _under_load(load, around, floor, crew, "SQLite, one process, HTTP")


@pytest.mark.parametrize("load", LOADS)
async def test_two_listeners_and_two_workers_on_postgres_under_load(
    load: Load, postgres_url: str, tmp_path: Path
):
    floor = Floor(load.people)
    async with world(postgres_url, stock=load.stock, cwd=tmp_path, workspace=floor) as around:
        around.settings.update(OF_A_CROWD)
        async with Crew(*around.programs("web", 2), *around.programs("worker", 2)) as crew:
            await _under_load(load, around, floor, crew, "Postgres, two web and two worker, Socket Mode")


OF_A_CROWD = {
    "BACKSTOP_OPERATORS": "S0BILLING",
    "BACKSTOP_APPROVERS": "S0APPROVERS",
    "BACKSTOP_OVERDUE_CHANNEL": "C0OVERDUE",
    "BACKSTOP_OVERDUE_CRON": "0 0 29 2 *",  # at no time of day a test may run at
}


async def _under_load(load: Load, around: World, floor: Floor, crew: Crew, where: str) -> None:
    """Let them click, then let all of it come to its end, and hold it against what the far sides have seen."""
    customers = list(around.customers)
    await _a_digest(around, [customer.domain for customer in customers[:20]])
    crowd = Crowd(around.slack, floor, customers, load.pace, SEED)
    weather = Weather(around, seed=SEED, every=load.faults_every, mild=load.mild)
    acks, ledger = Acks(around.slack), Ledger(around.settings["DATABASE_URL"])
    async with asyncio.TaskGroup() as tasks:
        blowing = tasks.create_task(weather.blow())
        reading = tasks.create_task(acks.keep_reading())
        seconds = await crowd.work(load.seconds, enough=lambda: bool(around.partner_center.writes))
        blowing.cancel()
        reading.cancel()
    acks.read()
    weather.clear_up()
    not_known = await _settled(around, floor, ledger)
    assert set(await crew.stop()) == {0}

    rows, told = ledger.requests(), _results_told(floor)
    came = Counter(str(row.status) for row in rows)
    effects = Counter(write.subscription_id for write in around.partner_center.writes)
    done = [row for row in rows if row.status == Status.DONE]
    untold = {row.id for row in done} - told.keys()
    wanted = Counter(row.subscription_id for row in done if row.outcome["changed"])
    cards, references = _cards(floor), _references(floor)
    said = "".join(program.stderr for program in crew.programs)
    figures = {
        "clicks": f"{sum(crowd.clicks.values())}, {sum(crowd.clicks.values()) / seconds:.1f} a second",
        "of these": _listed(crowd.clicks),
        "went away under their hands": _listed(crowd.gone),
        "faults": f"{weather.gusts.total()}: {_listed(weather.gusts)}",
        "acks": f"{len(acks.seconds)}: p50 {acks.at(0.5) * 1000:.0f} ms, p99 {acks.at(0.99) * 1000:.0f} ms",
        "acks by what Slack saw": _listed(acks.statuses),
        "later than 3 s": f"{acks.statuses['timeout']} ({acks.statuses['timeout'] / len(acks.seconds):.2%})",
        "Slack told the person of trouble": _listed(crowd.troubles),
        "without any answer": f"{len(crowd.unanswered)} {crowd.unanswered[:5]}",
        "requests": f"{len(rows)}: {_listed(came)}",
        "effects at Microsoft": f"{effects.total()}; {len(done) - wanted.total()} were suspended already",
        "lost": f"{(wanted - effects).total()}",
        "doubled": f"{sum(n > 1 for n in effects.values())}",
        "unknown for a while": f"{len(not_known)}",
        "results not told, Slack's answer lost": f"{len(untold)}",
        "results told twice": f"{sum(n - 1 for n in told.values())}",
        "second cards": f"{sum(n - 1 for n in cards.values())}",
        "references given": f"{len(references)}",
    }
    print(f"\n{load.people} people, {seconds:.0f} s, {where}")  # noqa: T201  the figures are what is read
    print("\n".join(f"  {name:38}{value}" for name, value in figures.items()))  # noqa: T201

    assert wanted == effects, "each that was carried out has one effect, and nothing else has"
    assert set(effects.values()) <= {1}
    assert came[Status.DONE]
    assert set(came) <= {Status.DONE, Status.DENIED, Status.WITHDRAWN, Status.FAILED}
    assert not_known <= weather.lost, "unknown, and yet the answer was there"
    assert cards.keys() == {row.id for row in rows}
    assert untold <= _may_be_told(ledger)
    _nobody_did_what_they_may_not(floor, ledger)
    assert not crowd.unanswered
    assert not [status for status in acks.statuses if re.fullmatch(r"5\d\d", status)]
    assert "Traceback" not in said
    assert all(reference in said for reference in references)
    verified = await asyncio.to_thread(
        carried_out, "audit", "verify", cwd=around.cwd, settings=around.settings
    )
    assert verified.returncode == 0, verified.stdout


async def _a_digest(around: World, overdue: Sequence[str]) -> None:
    """The books with these, and the digest of them in its channel."""
    invoices = [f"{domain},{domain},{n},2026-01-01,EUR,500.00" for n, domain in enumerate(overdue)]
    export = around.cwd / "open.csv"
    export.write_text("\n".join(["Customer,Domain,Invoice No,Due Date,Currency,Balance", *invoices]))
    for line in (["import", str(export)], ["digest", "overdue", "--post"]):
        done = await asyncio.to_thread(carried_out, *line, cwd=around.cwd, settings=around.settings)
        assert done.returncode == 0, done.stderr


async def _settled(around: World, floor: Floor, ledger: Ledger) -> set[str]:
    """Have the rest approved, and what nobody knows looked into, until all is done and its result told.

    The subscriptions of which nobody knew for a while.
    """
    not_known: set[str] = set()
    approver = around.slack.person(next(id for id, role in floor.roles.items() if role is Role.APPROVER))
    begun = asyncio.get_running_loop().time()
    while True:
        rows = ledger.requests()
        not_known |= {row.subscription_id for row in rows if row.status == Status.UNKNOWN}
        waits = {row.id: str(row.status) for row in rows if not Status(row.status).is_final}
        done = {row.id for row in rows if row.status == Status.DONE}
        untold = done - _results_told(floor).keys() - _may_be_told(ledger)
        without_card = {row.id for row in rows} - _cards(floor).keys()
        if not (waits or untold or without_card):
            return not_known
        if asyncio.get_running_loop().time() - begun > SETTLES:
            pytest.fail(f"after all: {waits=}, {untold=}, {without_card=}")
        for post in list(floor.channels["C0APPROVALS"].posts.values()):
            for action in {ids.APPROVE, ids.LOOK_AGAIN}.intersection(buttons(post.message)):
                await approver.click(post.as_seen(), action)
        await asyncio.sleep(0.5)


def _may_be_told(ledger: Ledger) -> set[str]:
    """The requests whose result Slack may or may not have taken: it is not to be told twice."""
    return {id for id, state in ledger.results().items() if state == "claimed"}


def _results_told(floor: Floor) -> Counter[str]:
    """Of each request how many direct messages tell of it; that it waits may be told so, too, where Slack is down."""
    waits = _as_told("placed-waits", id=".+", channel=".+")
    dms = (channel for channel in floor.channels.values() if channel.is_dm)
    return Counter(
        id
        for dm in dms
        for post in dm.posts.values()
        if (id := request_of(post.message)) and not waits.search(post.message["text"])
    )


def _cards(floor: Floor) -> Counter[str]:
    posts = floor.channels["C0APPROVALS"].posts.values()
    return Counter(id for post in posts if not post.only_for and (id := request_of(post.message)))


def _approvers(row: Row[Any]) -> set[str]:
    return {decision["by"] for decision in row.decisions if decision["verdict"] == Verdict.APPROVE}


def _nobody_did_what_they_may_not(floor: Floor, ledger: Ledger) -> None:
    """By the rows and by the audit trail, which has an entry for whatever was changed."""
    for row in ledger.requests():
        deciders = [decision["by"] for decision in row.decisions]
        assert floor.roles[row.requested_by] in ASKS, row.id
        assert all(floor.roles[by] in APPROVES and by != row.requested_by for by in deciders), row.id
        assert row.closed_by in (None, row.requested_by), row.id
        assert len(_approvers(row)) == (row.approvals_needed if row.begun_at else 0), row.id
    for entry in ledger.trail():
        role = floor.roles.get(entry.by)
        if role and role not in ASKS and entry.tag != AuditTag.ACCESS_REFUSED:
            assert role in APPROVES, (entry.by, entry.tag)
            assert entry.tag in DECIDES, (entry.by, entry.tag)
        if role is Role.OPERATOR:
            assert entry.tag not in DECIDES, (entry.by, entry.tag)


def _references(floor: Floor) -> set[str]:
    """Those that people were given for what nobody had foreseen."""
    given = _as_told("error-unforeseen", reference="([0-9a-f]{8})")
    posts = (post for channel in floor.channels.values() for post in channel.posts.values())
    found = (given.search(post.message["text"]) for post in posts)
    return {next(filter(None, told.groups())) for told in found if told}


def _as_told(key: str, **facts: str) -> re.Pattern[str]:
    """The words in each language of the crowd, with patterns for the facts in them."""
    told = []
    for locale in LOCALES:
        words = re.escape(for_locale(locale, default="en")(key, **{name: f"_{name}_" for name in facts}))
        for name, pattern in facts.items():
            words = words.replace(f"_{name}_", pattern)
        told.append(words)
    return re.compile("|".join(told))


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counted.most_common()) or "none"
