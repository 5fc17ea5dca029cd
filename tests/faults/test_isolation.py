"""What is wrong with one interface is no matter of another: its orders take no longer than before (I12)."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from shared.db.connect import connect
from shared.records.interfaces import NewSide, add_interface, save_mapping
from shared.seal import Seal
from tests.faults.tally import Tally
from tests.support.sandbox import sandbox
from tests.support.system import MAPPINGS, SECRET, SHIP_FROM, WEBHOOK_KEY, System, order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults_full, pytest.mark.timeout(600)]

OTHER = "otto-at"
PARTS, SIZE = 20, 10
NOISE_SECONDS = 0.25
"""Of a busy machine: beside some tens of milliseconds twice as long says nothing."""


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 95 // 100]


@pytest.mark.parametrize("fault", ["hang", "500", "429", "reset"])
@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_a_fault_of_one_interface_leaves_the_other_as_quick(
    system: System, tmp_path: Path, fault: str, tally: Tally
) -> None:
    system.prepare()
    with sandbox(tmp_path / "other") as stand:
        with connect(system.database_url, "tests") as conn:
            add_interface(
                conn, Seal(SECRET), slug=OTHER, title="OTTO Österreich", marketplace="otto", erp="xentral", mode="live",
                marketplace_side=NewSide(
                    {"base_url": stand.addresses["otto"], "client_id": "demo", **SHIP_FROM}, {"client_secret": "demo"},
                    1000.0, 8,
                ),
                erp_side=NewSide(
                    {"base_url": stand.addresses["xentral"]}, {"token": "demo", "webhook_key": WEBHOOK_KEY}, 1000.0, 8
                ),
                poll_seconds=900,
            )  # fmt: skip
            for kind, source, target in MAPPINGS:
                save_mapping(conn, OTHER, kind, source, target)
        system.start(call_seconds="5", lease_seconds="10")
        _through(system, OTHER, 2)  # what is slow once is slow before
        well = _through(system, OTHER, PARTS // 2)
        system.stand.fault("xentral", fault, "*", 1_000_000, seconds=30.0)
        tally.faults += 1
        _publish(system, "otto-de", 100)
        hit = "SELECT 1 FROM records WHERE interface = 'otto-de' AND state <> 'pending'"
        until(lambda: system.query(hit), "it is hit", 60)
        during = p95(_through(system, OTHER, PARTS))
        system.stand.clear("xentral")
        system.change("UPDATE interfaces SET mode = 'paused', revision = revision + 1 WHERE slug = 'otto-de'")
        well += _through(system, OTHER, PARTS // 2)  # before and after: a machine that gets busier is no fault
        before = p95(well)
    assert during < 2 * before + NOISE_SECONDS, f"p95 {during:.2f} s, without the fault {before:.2f} s"


def _publish(system: System, slug: str, count: int) -> list[str]:
    numbers = [f"{slug}-{uuid.uuid4().hex[:8]}" for _ in range(count)]
    events = [order_event(number) for number in numbers]
    for event in events:
        event["data"]["interface"] = slug
    system.publish(events, interface=slug)
    return numbers


def _through(system: System, slug: str, parts: int) -> list[float]:
    """So many small batches, one after the other; how many seconds each order took from its receipt to its end."""
    taken: list[float] = []
    for _ in range(parts):
        numbers = _publish(system, slug, SIZE)
        done = (
            "SELECT extract(epoch FROM max(t.at) - min(t.at))::float8 FROM records r JOIN transitions t"
            " ON t.record_id = r.id WHERE r.interface = %s AND r.key = ANY(%s) AND r.state = 'done' GROUP BY r.id"
        )
        taken += [row[0] for row in until(lambda: _all(system.query(done, slug, numbers)), "they are through", 60)]  # noqa: B023
    return taken


def _all(rows: list[tuple[float]]) -> list[tuple[float]] | None:
    return rows if len(rows) == SIZE else None
