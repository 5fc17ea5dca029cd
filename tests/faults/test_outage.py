"""An hour without the ERP, with time compressed: nothing turns red, intake goes on, and all of it arrives once.

The stand-ins are killed and come back at the same address. An hour is told by how often somebody looked whether the
ERP is back: after 5, 10, 20, 40 seconds and then each minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.cli.local.ports import any_free
from shared.connectors.registry import discover
from shared.db.connect import connect
from shared.records.filter import parse
from shared.records.listing import list_records
from tests.faults.tally import Tally
from tests.support.sandbox import sandbox
from tests.support.system import INTERFACE, System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(900)]

LOOKS_AN_HOUR = 62
PATIENCE = 1 / 300
RATE, SLOW_RATE = 100.0, 50.0
"""Calls a second that the vendor allows."""

HERD = 10_000
LONGER = 1.2
"""A backlog may take so many times what the vendor's limit alone would."""


class Outage:
    """A system whose stand-ins can be gone for a while."""

    def __init__(self, folder: Path, ports: Mapping[str, int], system: System, stack: ExitStack) -> None:
        self._folder, self.system, self._stack = folder, system, stack
        self._ports = ports

    def begins(self) -> None:
        self.system.stand.kill()

    def ends(self) -> None:
        self.system.stand = self._stack.enter_context(sandbox(self._folder, self._ports))


@pytest.fixture
def outage(tmp_path: Path, database_url: str, amqp_url: str) -> Iterator[Outage]:
    with ExitStack() as stack:
        ports = {key: any_free() for key in discover()}
        stand = stack.enter_context(sandbox(tmp_path / "sandbox", ports))
        system = stack.enter_context(running(System(tmp_path, database_url, amqp_url, stand)))
        yield Outage(tmp_path / "sandbox", ports, system, stack)


def looked(system: System) -> int:
    """How often somebody has looked in vain since the breaker opened."""
    rows = system.query("SELECT failures FROM side_states WHERE side = 'erp' AND breaker <> 'closed'")
    return int(rows[0][0]) if rows else 0


def assert_each_says_what_it_waits_for(system: System) -> None:
    """Tried ones are amber, untried ones blue; each says in both languages that the ERP is away, and since when."""
    ((since,),) = system.query("SELECT opened_at FROM side_states WHERE side = 'erp'")
    with connect(system.database_url, "tests") as conn:
        for language, words in (("de", "antwortet seit"), ("en", "has not answered since")):
            for state in ("pending", "waiting"):
                wanted = parse(f"state:{state}", ZoneInfo("UTC"))
                items = list_records(conn, "order-import", wanted, limit=1000, language=language).items
                assert items
                for item in items:
                    assert item["away_since"] == since
                    assert words in item["reason"]["sentence"]
                    assert f"{since:%Y-%m-%d %H:%M}" in item["reason"]["sentence"]


def assert_within_the_limit(arrivals: list[float], span: float, rate: float) -> None:
    """In no span of so many seconds more than five percent above the vendor's limit."""
    for first, at in enumerate(arrivals):
        last = at + span
        count = sum(1 for other in arrivals[first : first + int(rate * span * 2)] if other < last)
        assert count <= 1.05 * rate * span + 1, f"{count} calls in {span} s"


@pytest.mark.parametrize(
    ("count", "looks", "span", "rate"),
    [
        pytest.param(200, 8, 2.0, RATE, id="short"),
        pytest.param(5000, LOOKS_AN_HOUR, 10.0, RATE, id="an-hour", marks=pytest.mark.faults_full),
        pytest.param(HERD, 10, 10.0, SLOW_RATE, id="a-herd", marks=pytest.mark.faults_full),
    ],
)
def test_after_an_outage_everything_arrives_once(
    outage: Outage, count: int, looks: int, span: float, rate: float, tally: Tally
) -> None:
    system = outage.system
    tally.counted.append(system)
    tally.faults += 1
    system.prepare(calls_per_second=rate, calls_at_once=16)
    numbers = [f"{INTERFACE}-{n:05}" for n in range(count)]
    before = count // 4
    for name in ("one", "two"):
        system.start(name, patience=str(PATIENCE))
    system.publish([order_event(number) for number in numbers[:before]])
    until(lambda: system.states()["done"] >= 10, "some are through, others on their way")
    outage.begins()
    until(lambda: looked(system) >= 1, "the breaker opens")
    system.publish([order_event(number) for number in numbers[before:]])
    until(lambda: system.states().total() == count, "intake goes on", 120)
    until(lambda: looked(system) >= looks, "an hour is over", 120)
    until(lambda: not system.states()["running"], "no call is under way")
    assert set(system.states()) == {"done", "pending", "waiting"}
    assert_each_says_what_it_waits_for(system)
    backlog = count - system.states()["done"]
    outage.ends()
    assert system.until_settled(count, 60 + count / rate * 3) == {"done": count}
    arrived = system.stand.arrivals("xentral")
    assert_within_the_limit(arrived, span, rate)
    if count >= HERD:
        took, allowed = max(arrived) - min(arrived), backlog / rate
        print(f"{backlog} orders in {took:.0f} s, the limit allows {allowed:.0f} s")  # noqa: T201
        assert took <= LONGER * allowed
    assert set(system.ledger().values()) == {1}
    assert len(system.ledger()) == count
    assert system.query("SELECT count(*) FROM transitions WHERE to_state = 'failed'") == [(0,)]
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
