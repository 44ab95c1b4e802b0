"""How long filling the mirror takes: `python -m tests.benchmarks.crawl`.

`backstop sync`, without the start of its process, against a Partner Center in a process of its own that answers after
a latency and does nothing else; beside it the floor: requests × latency ÷ concurrency. Then one customer in a hundred
changes, and it is brought up to date: what counts is its share of the first one's requests. The issue's figures:
`--customers 10000 --latency-ms 50 --concurrency 4`, and 16.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from pydantic import SecretStr

from bot.core import core
from bot.settings import Settings
from bot.start_up import migrate
from tests import postgres

SUBSCRIPTIONS = 5
WALL, SECOND = 1.15, 0.03
"""The bars: times the floor; the part of the first one's requests."""


@contextmanager
def far_side(customers: int, latency_ms: float) -> Iterator[str]:
    """The address of a Partner Center with so many customers."""
    command = [sys.executable, "-m", "tests.benchmarks.crawl_side"]
    arguments = [str(customers), str(SUBSCRIPTIONS), str(latency_ms)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def ask(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:  # noqa: S310 - our own process
        body: bytes = answer.read()
    return body


async def crawl(database_url: str, customers: int, latency_ms: float, concurrency: int) -> None:
    with far_side(customers, latency_ms) as address:
        settings = Settings(
            database_url=database_url,
            partner_center_base_url=address,
            partner_center_authority_url=address,
            graph_base_url=address,
            partner_center_tenant_id="tenant",
            partner_center_client_id="client",
            partner_center_client_secret=SecretStr("secret"),
            partner_center_max_concurrency=concurrency,
        )
        await asyncio.to_thread(migrate, settings)
        made = core(settings)
        try:
            await made.courier.open()
            first, seconds, used = await timed(made.backstop.customers.sync, address)
            floor = first * latency_ms / 1000 / concurrency
            system = database_url.partition(":")[0]
            state = await made.backstop.customers.state()
            assert state.subscriptions == customers * SUBSCRIPTIONS, state
            word = "holds" if seconds <= WALL * floor else "MISSED"
            print(
                f"{f'{system}, {customers} customers, {latency_ms:g} ms, {concurrency} at once':58}"
                f"{seconds:9.2f}{floor:9.2f}{seconds / floor:9.2f}{used / customers * 1000:12.2f}{first:10}  {word}"
            )
            await asyncio.to_thread(ask, f"{address}/_change/{customers // 100}")
            second, seconds, used = await timed(made.backstop.customers.sync, address)
            word = "holds" if second <= SECOND * first else "MISSED"
            print(
                f"{'  after one in a hundred has changed':58}{seconds:9.2f}{'':30}{second:10}"
                f"  {second / first:.2%} of the first: {word}"
            )
        finally:
            await made.close()


async def timed(work: object, address: str) -> tuple[int, float, float]:
    """How many requests it made, the seconds it took, and those it computed."""
    assert callable(work)
    before = int(await asyncio.to_thread(ask, f"{address}/_count"))
    begun, used = time.perf_counter(), time.process_time()
    await work()
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    return int(await asyncio.to_thread(ask, f"{address}/_count")) - before, seconds, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--concurrency", type=int, nargs="*", default=[4, 16])
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    print(f"{'':58}{'seconds':>9}{'floor':>9}{'x floor':>9}{'CPU ms each':>12}{'requests':>10}")
    with tempfile.TemporaryDirectory(prefix="backstop-crawl-") as directory, postgres.server() as server:
        for concurrency in given.concurrency:
            databases = {"sqlite": f"sqlite:///{Path(directory) / f'{concurrency}.db'}"}
            if server:
                databases["postgresql"] = postgres.new_database(server)
            for system, url in databases.items():
                if given.only in (None, system):
                    asyncio.run(crawl(url, given.customers, given.latency_ms, concurrency))


if __name__ == "__main__":
    main()
