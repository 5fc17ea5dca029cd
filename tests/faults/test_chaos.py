"""Thousands of orders while every process of an installation is killed -9 at random: each is in the ERP exactly once.

The stand-in for the ERP accepts the same order twice and its search lags by two seconds. `CONNECT_TEST_ORDERS` sets the
size (10000 with `make faults`), `CONNECT_TEST_SEED` replays a run.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.tally import Tally
from tests.support.installation import installation, write_events
from tests.support.system import order_event
from tests.support.waiting import until

ORDERS = int(os.environ.get("CONNECT_TEST_ORDERS", "600"))
KILLS = 7 + ORDERS // 500
"""No fewer than there are processes: each dies once."""
SEED = int(os.environ.get("CONNECT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(300 + ORDERS // 5)]


@pytest.mark.parametrize("broker", ["pgmq", "rabbitmq"])
def test_nothing_is_lost_or_doubled_while_everything_is_killed(tmp_path: Path, broker: str, tally: Tally) -> None:
    chance = random.Random(SEED)
    tally.seed = SEED
    print(f"seed {SEED}, {ORDERS} orders, {KILLS} kills, {broker}")  # noqa: T201  # to replay a failing run
    numbers = [f"chaos-{n:05d}" for n in range(ORDERS)]
    events = [order_event(number) for number in numbers]
    with installation(tmp_path, broker, lease_seconds="2", call_seconds="3") as connect:
        up = connect.start("--demo")
        names = sorted(up["pids"])
        assert {"importer", "journal", "postgres", "sandbox"} <= set(names)
        slices = [events[n::KILLS] for n in range(KILLS)]
        for turn, part in enumerate(slices):
            path = write_events(tmp_path / f"{turn}.jsonl", part)
            publishing = connect.begin("events", "publish", str(path))
            victim = names[turn] if turn < len(names) else chance.choice([*names, "all"])
            until_some = chance.random() * len(part)
            until(lambda: publishing.poll() is not None or _ledger(connect) >= until_some, "some arrived", 30)  # noqa: B023
            tally.events, tally.faults = tally.events + len(part), tally.faults + 1
            if victim == "all":
                connect.kill_all()
                connect.start("--demo")
            else:
                connect.kill(victim)
            _, errors = publishing.communicate(timeout=120)
            if publishing.returncode != 0:  # the broker was away too long: what was not confirmed is published again
                again = connect.begin("events", "publish", str(path))
                _, errors = again.communicate(timeout=120)
                assert again.returncode == 0, errors.decode()[-500:]

        def finished() -> bool:
            held = Counter(order["externalOrderNumber"] for order in connect.control("xentral", "state")["salesOrders"])
            return all(held[number] for number in numbers)

        until(finished, "every order is in the ERP", 180 + ORDERS / 20)

        def settled() -> bool:
            found = connect.connect("orders", "list", "--filter", "chaos state:pending|running|waiting")
            return not found["items"]

        until(settled, "no order is on its way any more", 120)
        ledger = Counter(order["externalOrderNumber"] for order in connect.control("xentral", "state")["salesOrders"])
        done = connect.connect("orders", "list", "--filter", "chaos state:done", seconds=180)["items"]
        assert {number: ledger[number] for number in numbers if ledger[number] != 1} == {}, f"seed {SEED}"
        assert {item["number"] for item in done} == set(numbers), f"seed {SEED}"
        books = connect.connect("accounting")
        assert books["balanced"], books
        assert connect.stop() == 0


def _ledger(connect: object) -> int:
    try:
        return len(connect.control("xentral", "state")["salesOrders"])  # type: ignore[attr-defined]
    except Exception:
        return 0  # killed just now
